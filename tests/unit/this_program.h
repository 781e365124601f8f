/* What a test has to know of its own file to look up addresses in it: path, build id, where it lies. */
#ifndef HM_TESTS_UNIT_THIS_PROGRAM_H
#define HM_TESTS_UNIT_THIS_PROGRAM_H

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char path[4096];
    char build_id[256];
    uintptr_t base;
} this_program;

static inline void this_program_read_notes(const char *at, size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        const char *name = at + sizeof *note;
        size_t name_bytes = (note->n_namesz + 3u) & ~3u;
        const unsigned char *bytes = (const unsigned char *)name + name_bytes;
        if (note->n_type == NT_GNU_BUILD_ID && strcmp(name, "GNU") == 0)
            for (size_t i = 0; i < note->n_descsz && i < 64; i++)
                snprintf(this_program.build_id + 2 * i, 3, "%02x", bytes[i]);
        size_t whole = sizeof *note + name_bytes + ((note->n_descsz + 3u) & ~3u);
        if (whole > size)
            return;
        at += whole;
        size -= whole;
    }
}

/* The first object is the program. */
static inline int this_program_take(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    (void)arg;
    this_program.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            this_program_read_notes((const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
                                    info->dlpi_phdr[i].p_memsz);
    return 1;
}

/* @return 0 or -1 */
static inline int this_program_find(void) {
    ssize_t length = readlink("/proc/self/exe", this_program.path, sizeof this_program.path - 1);
    dl_iterate_phdr(this_program_take, NULL);
    return length > 0 ? 0 : -1;
}

/* An address inside of the call that this returns from. */
__attribute__((noinline)) static uint64_t this_program_here(void) {
    return (uint64_t)((uintptr_t)__builtin_return_address(0) - 1 - this_program.base);
}

#endif

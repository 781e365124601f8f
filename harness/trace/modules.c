/* Modules of a recorded process.
 *
 * Vocabulary
 *   mapping   a line of /proc/PID/maps: where which part of a file was
 *   part      of a module: a loadable segment of its file
 *
 * Only regular files are looked at. One that is gone, or no ELF file, is a module without build id,
 * whose offsets are those in the file. */
#include "harness/trace/modules.h"

#include "traces/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PARTS_MAX = 16,
    BUILD_ID_MAX = 32,
};

struct part {
    uint64_t offset, bytes, address;
};

struct module {
    char *path;
    char build_id[2 * BUILD_ID_MAX + 1];
    struct part parts[PARTS_MAX];
    unsigned part_count;
    uint32_t number; /* the writer's */
};

struct mapping {
    uint64_t from, to, offset;
    size_t module; /* SIZE_MAX: none */
};

struct hm_modules {
    char spool[PATH_MAX];
    struct hm_trace_writer *writer;
    struct module *all;
    size_t count;
    uint64_t snapshot; /* that `mappings` has */
    struct mapping *mappings;
    size_t mapping_count;
};

struct hm_modules *hm_modules_open(const char *spool, struct hm_trace_writer *writer) {
    struct hm_modules *m = calloc(1, sizeof *m);
    if (m) {
        snprintf(m->spool, sizeof m->spool, "%s", spool);
        m->writer = writer;
    }
    return m;
}

void hm_modules_close(struct hm_modules *modules) {
    if (!modules)
        return;
    for (size_t i = 0; i < modules->count; i++)
        free(modules->all[i].path);
    free(modules->all);
    free(modules->mappings);
    free(modules);
}

/* ---- A file ---- */

static void take_note(struct module *module, Elf *elf, const GElf_Phdr *segment) {
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)segment->p_offset, segment->p_filesz,
                                          segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    GElf_Nhdr note;
    size_t name;
    size_t bits;
    size_t next;
    for (size_t at = 0; data && (next = gelf_getnote(data, at, &note, &name, &bits)); at = next) {
        const unsigned char *id = (const unsigned char *)data->d_buf + bits;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || note.n_descsz > BUILD_ID_MAX ||
            memcmp((const char *)data->d_buf + name, "GNU", 4) != 0)
            continue;
        for (unsigned i = 0; i < note.n_descsz; i++)
            snprintf(module->build_id + 2 * (size_t)i, 3, "%02x", id[i]);
    }
}

static void take_segments(struct module *module, Elf *elf) {
    size_t count;
    if (elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &count))
        return;
    for (size_t i = 0; i < count && i < INT_MAX; i++) {
        GElf_Phdr segment;
        if (!gelf_getphdr(elf, (int)i, &segment))
            continue;
        if (segment.p_type == PT_NOTE)
            take_note(module, elf, &segment);
        if (segment.p_type == PT_LOAD && module->part_count < PARTS_MAX)
            module->parts[module->part_count++] =
                (struct part){segment.p_offset, segment.p_filesz, segment.p_vaddr};
    }
}

static void look_at(struct module *module) {
    struct stat info;
    int fd = open(module->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        elf_version(EV_CURRENT);
        Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
        if (elf)
            take_segments(module, elf);
        elf_end(elf);
    }
    if (fd >= 0)
        close(fd);
}

/* @return its place, or SIZE_MAX: no memory */
static size_t find_module(struct hm_modules *m, const char *path) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->all[i].path, path) == 0)
            return i;
    struct module *all = realloc(m->all, (m->count + 1) * sizeof *all);
    if (!all)
        return SIZE_MAX;
    m->all = all;
    struct module *module = &all[m->count];
    *module = (struct module){.path = strdup(path), .number = UINT32_MAX};
    if (!module->path)
        return SIZE_MAX;
    look_at(module);
    return m->count++;
}

/* ---- A snapshot ---- */

static int add_mapping(struct hm_modules *m, const char *line) {
    struct mapping mapping = {.module = SIZE_MAX};
    int path = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &mapping.from,
               &mapping.to, &mapping.offset, &path) < 3 ||
        !path)
        return 0;
    if (line[path] == '/')
        mapping.module = find_module(m, line + path);
    struct mapping *all = realloc(m->mappings, (m->mapping_count + 1) * sizeof *all);
    if (!all)
        return ENOMEM;
    m->mappings = all;
    m->mappings[m->mapping_count++] = mapping;
    return 0;
}

static void load_snapshot(struct hm_modules *m, uint64_t number) {
    char path[PATH_MAX + 64];
    char *line = NULL;
    size_t room = 0;
    m->snapshot = number;
    m->mapping_count = 0;
    snprintf(path, sizeof path, "%s" HM_SPOOL_MAPS "%" PRIu64, m->spool, number);
    FILE *in = fopen(path, "re");
    int bad = in ? 0 : ENOENT;
    while (!bad && getline(&line, &room, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        bad = add_mapping(m, line);
    }
    free(line);
    if (in)
        fclose(in);
}

/* As the linker numbered its bytes. */
static uint64_t address_in(const struct module *module, uint64_t offset) {
    for (unsigned i = 0; i < module->part_count; i++)
        if (offset - module->parts[i].offset < module->parts[i].bytes)
            return offset - module->parts[i].offset + module->parts[i].address;
    return offset;
}

struct hm_trace_address hm_modules_find(struct hm_modules *modules, uint64_t snapshot,
                                        uint64_t address) {
    struct hm_trace_address none = {UINT32_MAX, address};
    if (snapshot != modules->snapshot)
        load_snapshot(modules, snapshot);
    for (size_t i = 0; i < modules->mapping_count; i++) {
        const struct mapping *mapping = &modules->mappings[i];
        if (address - mapping->from >= mapping->to - mapping->from)
            continue;
        if (mapping->module == SIZE_MAX)
            return none;
        struct module *module = &modules->all[mapping->module];
        if (module->number == UINT32_MAX)
            module->number = hm_trace_add_module(modules->writer, module->path, module->build_id);
        uint64_t offset = address - mapping->from + mapping->offset;
        return (struct hm_trace_address){module->number, address_in(module, offset)};
    }
    return none;
}

/* Tells which allocator each process of a measured program runs on: a library for LD_PRELOAD, before the
 * allocator's own.
 *
 * When a program image starts, it appends one line to the file that HEAPMARK_WITNESS names, with tabs
 * between:
 *
 *   PID  LIBRARY  BUILD-ID  ENTRY  ENTRY-LIBRARY  PROGRAM
 *
 * LIBRARY is where malloc comes from. ENTRY is the first other entry point that comes from elsewhere, and
 * ENTRY-LIBRARY is where; both are "-" when all come from LIBRARY. What is not known is "-", too.
 *
 * Invariants: all is done before main; nothing is allocated, no descriptor stays open, nothing is
 * printed, errno is as it was. Without the variable, or where the file can not be written, nothing
 * happens at all. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ID_BYTES = 31, /* of a build id, as harness/machine/elf.h has it */
    LINE_BYTES = 3 * PATH_MAX + 256,
};

/* As in harness/cell/proof.c: malloc is first. */
static const char *const entry_points[] = {
    "malloc",        "calloc",         "realloc",  "free",
    "aligned_alloc", "posix_memalign", "memalign", "malloc_usable_size"};

struct line {
    char text[LINE_BYTES];
    size_t used;
};

static void put_bytes(struct line *line, const char *text, size_t length) {
    for (size_t i = 0; i < length && line->used < sizeof line->text; i++)
        line->text[line->used++] = (char)(text[i] == '\t' || text[i] == '\n' ? '?' : text[i]);
}

/* A field, and what ends it. */
static void put_field(struct line *line, const char *text, size_t length, char end) {
    put_bytes(line, length ? text : "-", length ? length : 1);
    if (line->used < sizeof line->text)
        line->text[line->used++] = end;
}

static void put_text(struct line *line, const char *text) {
    put_field(line, text, strlen(text), '\t');
}

/* ---- Build id ---- */

struct search {
    uintptr_t address; /* in the library that is looked for */
    char id[2 * ID_BYTES + 1];
};

static bool has_address(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD &&
            address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
            return true;
    }
    return false;
}

static void take_id(const unsigned char *bytes, size_t count, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count && i < ID_BYTES; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static void read_notes(const char *note, const char *end, char *out) {
    while (end - note >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *head = (const void *)note;
        const char *name = note + sizeof *head;
        const char *value = name + ((head->n_namesz + 3u) & ~3u);
        if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            take_id((const unsigned char *)value, head->n_descsz, out);
            return;
        }
        note = value + ((head->n_descsz + 3u) & ~3u);
    }
}

static int find_id(struct dl_phdr_info *info, size_t size, void *arg) {
    struct search *search = arg;
    (void)size;
    if (!has_address(info, search->address))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && !search->id[0]; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const char *begin = (const char *)info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_NOTE)
            read_notes(begin, begin + segment->p_memsz, search->id);
    }
    return 1;
}

/* ---- The line ---- */

/* Whether an address is the stub that a program that is linked to a fixed place has for a function of a
 * library whose address it takes. The function itself is that of the first library behind us. */
static bool is_stub(void *address) {
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *found = NULL;
    if (!dladdr1(address, &info, &found, RTLD_DL_SYMENT))
        return false;
    symbol = found;
    return symbol && symbol->st_shndx == SHN_UNDEF;
}

/* @return the file, or "" when it is not known. All names exist in the C library: a name that does not
 * would make the loader allocate its message. */
static const char *origin(const char *name, void **address) {
    Dl_info info;
    *address = dlsym(RTLD_DEFAULT, name);
    if (*address && is_stub(*address))
        *address = dlsym(RTLD_NEXT, name);
    return *address && dladdr(*address, &info) && info.dli_fname ? info.dli_fname : "";
}

static void put_origins(struct line *line) {
    struct search search = {.id = ""};
    void *address;
    const char *library = origin(entry_points[0], &address);
    const char *entry = "-";
    const char *elsewhere = "-";
    search.address = (uintptr_t)address;
    dl_iterate_phdr(find_id, &search);
    for (size_t i = 1; i < sizeof entry_points / sizeof *entry_points; i++) {
        const char *other = origin(entry_points[i], &address);
        if (strcmp(other, library) == 0)
            continue;
        entry = entry_points[i];
        elsewhere = other;
        break;
    }
    put_text(line, library);
    put_text(line, search.id);
    put_text(line, entry);
    put_text(line, elsewhere);
}

static void put_pid(struct line *line) {
    char digits[16];
    size_t at = sizeof digits;
    for (unsigned pid = (unsigned)getpid(); pid; pid /= 10)
        digits[--at] = (char)('0' + pid % 10);
    put_field(line, digits + at, sizeof digits - at, '\t');
}

static void put_program(struct line *line) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    put_field(line, program, length > 0 ? (size_t)length : 0, '\n');
}

__attribute__((constructor)) static void bear_witness(void) {
    int before = errno;
    const char *file = getenv("HEAPMARK_WITNESS");
    int fd = file ? open(file, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd >= 0) {
        static struct line line;
        put_pid(&line);
        put_origins(&line);
        put_program(&line);
        if (write(fd, line.text, line.used) < 0)
            errno = 0; /* the missing line says it */
        close(fd);
    }
    errno = before;
}

/* What a shared library is, told from its file alone, by libelf. */
#include "harness/machine/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Our own ELF header, which the linker places: it tells what this machine's loader loads. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct image {
    const char *path;
    int fd;
    size_t bytes;
    Elf *elf;
    GElf_Ehdr header;
    size_t segments;
};

static const char *machine_name(unsigned machine, char *other, size_t size) {
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86-64"},   {EM_386, "x86 (32 bit)"}, {EM_AARCH64, "aarch64"},
        {EM_ARM, "arm"},         {EM_RISCV, "riscv"},      {EM_PPC64, "ppc64"},
        {EM_PPC, "ppc"},         {EM_S390, "s390x"},       {EM_MIPS, "mips"},
        {EM_SPARCV9, "sparc64"}, {EM_IA_64, "ia64"},       {EM_LOONGARCH, "loongarch"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    snprintf(other, size, "ELF machine %u", machine);
    return other;
}

static int open_file(struct image *image, struct hm_error *error) {
    struct stat s;
    /* Without O_NONBLOCK, opening a FIFO waits for its writer. */
    image->fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->fd < 0 || fstat(image->fd, &s))
        return hm_fail(error, errno, "%s: %s", image->path, strerror(errno));
    if (S_ISDIR(s.st_mode))
        return hm_fail(error, EISDIR, "%s: is a folder, not a shared library", image->path);
    if (!S_ISREG(s.st_mode))
        return hm_fail(error, ENOEXEC, "%s: is not a regular file", image->path);
    image->bytes = (size_t)s.st_size;
    return 0;
}

static int open_image(struct image *image, struct hm_error *error) {
    int bad = open_file(image, error);
    if (bad)
        return bad;
    elf_version(EV_CURRENT);
    image->elf = elf_begin(image->fd, ELF_C_READ, NULL);
    if (!image->elf || elf_kind(image->elf) != ELF_K_ELF ||
        !gelf_getehdr(image->elf, &image->header))
        return hm_fail(error, ENOEXEC, "%s: is not an ELF file", image->path);
    return 0;
}

static void close_image(const struct image *image) {
    elf_end(image->elf);
    if (image->fd >= 0)
        close(image->fd);
}

/* The class by itself tells apart x32 and x86-64, which are one machine. */
static int check_machine(const struct image *image, struct hm_error *error) {
    const GElf_Ehdr *h = &image->header;
    char theirs[32];
    char ours[32];
    if (h->e_machine != __ehdr_start.e_machine)
        return hm_fail(error, ENOEXEC, "%s: is for %s, this machine is %s", image->path,
                       machine_name(h->e_machine, theirs, sizeof theirs),
                       machine_name(__ehdr_start.e_machine, ours, sizeof ours));
    if (h->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS])
        return hm_fail(error, ENOEXEC, "%s: is a %s-bit library, this program is %s-bit",
                       image->path, h->e_ident[EI_CLASS] == ELFCLASS32 ? "32" : "64",
                       __ehdr_start.e_ident[EI_CLASS] == ELFCLASS32 ? "32" : "64");
    if (h->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA])
        return hm_fail(error, ENOEXEC, "%s: has the other byte order", image->path);
    return 0;
}

/* The bytes of a segment, or NULL when they do not lie in the file. libelf owns them. */
static Elf_Data *segment_data(const struct image *image, const GElf_Phdr *p, Elf_Type type) {
    if (p->p_offset > image->bytes || p->p_filesz > image->bytes - p->p_offset)
        return NULL;
    return elf_getdata_rawchunk(image->elf, (int64_t)p->p_offset, p->p_filesz, type);
}

/* A program is position-independent too, and looks like a library; the loader refuses to preload
 * it. */
static bool is_program(const struct image *image, const GElf_Phdr *dynamic) {
    Elf_Data *data = segment_data(image, dynamic, ELF_T_DYN);
    GElf_Dyn entry;
    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++)
        if (entry.d_tag == DT_FLAGS_1)
            return (entry.d_un.d_val & DF_1_PIE) != 0;
    return false;
}

/* A library that lacks a part of what is mapped would end the program with SIGBUS. */
static int check_segments(struct image *image, struct hm_error *error) {
    bool dynamic = false;
    if (elf_getphdrnum(image->elf, &image->segments))
        image->segments = 0;
    for (size_t i = 0; i < image->segments; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(image->elf, (int)i, &p))
            return hm_fail(error, ENOEXEC, "%s: is damaged, its segment %zu can not be read",
                           image->path, i);
        if (p.p_type == PT_LOAD &&
            (p.p_offset > image->bytes || p.p_filesz > image->bytes - p.p_offset))
            return hm_fail(error, ENOEXEC, "%s: is damaged, it ends before its segment %zu does",
                           image->path, i);
        if (p.p_type == PT_DYNAMIC)
            dynamic = !is_program(image, &p);
    }
    if (image->header.e_type != ET_DYN || !dynamic)
        return hm_fail(error, ENOEXEC, "%s: is an ELF file, but not a shared library", image->path);
    return 0;
}

static bool is_build_id(const Elf_Data *data, const GElf_Nhdr *note, size_t name) {
    return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof ELF_NOTE_GNU &&
           memcmp((const char *)data->d_buf + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0;
}

static void write_hex(char *out, size_t size, const unsigned char *bytes, size_t count) {
    size_t room = (size - 1) / 2;
    for (size_t i = 0; i < count && i < room; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void read_build_id(const struct image *image, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < image->segments; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(image->elf, (int)i, &p) || p.p_type != PT_NOTE)
            continue;
        Elf_Data *data = segment_data(image, &p, p.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
        GElf_Nhdr note;
        size_t name;
        size_t description;
        size_t next = 0;
        while (data && (next = gelf_getnote(data, next, &note, &name, &description)) > 0)
            if (is_build_id(data, &note, name)) {
                const unsigned char *id = (const unsigned char *)data->d_buf + description;
                write_hex(out, size, id, note.n_descsz);
                return;
            }
    }
}

int hm_elf_inspect(const char *path, struct hm_elf *out, struct hm_error *error) {
    struct image image = {.path = path, .fd = -1};
    char real[PATH_MAX];
    int bad = open_image(&image, error);
    if (!bad)
        bad = check_machine(&image, error);
    if (!bad)
        bad = check_segments(&image, error);
    if (!bad && !realpath(path, real))
        bad = hm_fail(error, errno, "%s: %s", path, strerror(errno));
    if (!bad) {
        memcpy(out->realpath, real, sizeof real);
        read_build_id(&image, out->build_id, sizeof out->build_id);
    }
    close_image(&image);
    return bad;
}

void hm_elf_build_id(const char *path, char *out, size_t size) {
    struct image image = {.path = path, .fd = -1};
    struct hm_error error;
    out[0] = '\0';
    if (open_image(&image, &error) == 0 && elf_getphdrnum(image.elf, &image.segments) == 0)
        read_build_id(&image, out, size);
    close_image(&image);
}

static bool is_exported(const GElf_Sym *s) {
    return s->st_shndx != SHN_UNDEF && GELF_ST_BIND(s->st_info) != STB_LOCAL &&
           (GELF_ST_VISIBILITY(s->st_other) == STV_DEFAULT ||
            GELF_ST_VISIBILITY(s->st_other) == STV_PROTECTED);
}

static bool section_exports(Elf *elf, Elf_Scn *section, const char *symbol) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
        return false;
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Sym s;
    for (int i = 0; data && gelf_getsym(data, i, &s); i++) {
        const char *name = is_exported(&s) ? elf_strptr(elf, header.sh_link, s.st_name) : NULL;
        if (name && strcmp(name, symbol) == 0)
            return true;
    }
    return false;
}

bool hm_elf_exports(const char *path, const char *symbol) {
    struct image image = {.path = path, .fd = -1};
    struct hm_error error;
    bool found = false;
    if (open_image(&image, &error) == 0) {
        Elf_Scn *section = NULL;
        while (!found && (section = elf_nextscn(image.elf, section)))
            found = section_exports(image.elf, section, symbol);
    }
    close_image(&image);
    return found;
}

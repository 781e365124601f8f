/* Which code is mapped into a process, and the identity of a file. */
#include "harness/machine/image.h"

#include "harness/machine/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    hm_image_fn *take;
    void *arg;
};

static size_t padded(size_t bytes) {
    return (bytes + 3) & ~(size_t)3;
}

static void write_hex(char out[HM_IMAGE_ID_BYTES], const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count && 2 * i + 2 < HM_IMAGE_ID_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
        out[2 * i + 2] = '\0';
    }
}

/* Notes follow each other: three words, a name and its bytes, each padded to four. */
static void find_build_id(const unsigned char *notes, size_t bytes, char out[HM_IMAGE_ID_BYTES]) {
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name = sizeof note;
        size_t text = name + padded(note.n_namesz);
        size_t next = text + padded(note.n_descsz);
        if (next > bytes)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(notes + name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            write_hex(out, notes + text, note.n_descsz);
            return;
        }
        notes += next;
        bytes -= next;
    }
}

/* @return whether the image has a file */
static bool find_path(const struct dl_phdr_info *info, char path[PATH_MAX]) {
    if (info->dlpi_name && info->dlpi_name[0])
        return strchr(info->dlpi_name, '/') && realpath(info->dlpi_name, path);
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static int take_image(struct dl_phdr_info *info, size_t size, void *arg) {
    const struct walk *walk = arg;
    char path[PATH_MAX];
    char build_id[HM_IMAGE_ID_BYTES] = "";
    (void)size;
    if (!find_path(info, path))
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum && !build_id[0]; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_NOTE)
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the loader tells it */
            find_build_id((const unsigned char *)(info->dlpi_addr + p->p_vaddr), p->p_memsz,
                          build_id);
    }
    walk->take(walk->arg, path, build_id);
    return 0;
}

void hm_images_each(hm_image_fn *take, void *arg) {
    struct walk walk = {take, arg};
    dl_iterate_phdr(take_image, &walk);
}

/* FNV-1a, 64 bits, of all its bytes. */
static int hash_file(const char *path, char id[HM_IMAGE_ID_BYTES]) {
    unsigned char bytes[1 << 14];
    uint64_t hash = 0xcbf29ce484222325u;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < got; i++)
            hash = (hash ^ bytes[i]) * 0x100000001b3u;
    int bad = got < 0 ? errno : 0;
    close(fd);
    if (!bad)
        snprintf(id, HM_IMAGE_ID_BYTES, "fnv1a-%016" PRIx64, hash);
    return bad;
}

int hm_image_of(const char *path, struct hm_image *out) {
    struct stat info;
    char id[HM_IMAGE_ID_BYTES] = "";
    char real[PATH_MAX];
    if (!realpath(path, real) || stat(real, &info))
        return errno;
    if (!S_ISREG(info.st_mode))
        return EINVAL;
    hm_elf_build_id(real, id, sizeof id);
    int bad = id[0] ? 0 : hash_file(real, id);
    if (bad)
        return bad;
    memcpy(out->path, real, sizeof real);
    memcpy(out->id, id, sizeof id);
    out->bytes = (long long)info.st_size;
    return 0;
}

struct wanted {
    const char *name; /* begin of the file's name; NULL: the first image, which is the program */
    struct hm_image image;
    bool found;
};

static void keep_wanted(void *arg, const char *path, const char *build_id) {
    struct wanted *w = arg;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (w->found || (w->name && strncmp(name, w->name, strlen(w->name)) != 0))
        return;
    w->found = true;
    snprintf(w->image.path, sizeof w->image.path, "%s", path);
    snprintf(w->image.id, sizeof w->image.id, "%s", build_id);
}

static int find_mapped(const char *name, struct hm_image *out) {
    struct wanted w = {.name = name};
    struct stat info;
    hm_images_each(keep_wanted, &w);
    if (!w.found)
        return ENOENT;
    if (!w.image.id[0])
        return hm_image_of(name ? w.image.path : "/proc/self/exe", out);
    w.image.bytes = stat(name ? w.image.path : "/proc/self/exe", &info) ? 0 : info.st_size;
    *out = w.image;
    return 0;
}

int hm_image_of_self(struct hm_image *out) {
    return find_mapped(NULL, out);
}

int hm_image_of_libc(struct hm_image *out) {
    return find_mapped("libc.so", out);
}

/* The program behind a command, told from its file. */
#include "harness/machine/executable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* @return 0, or why it can not be executed */
static int check(const char *path) {
    struct stat st;
    if (stat(path, &st))
        return errno == ENOTDIR ? ENOENT : errno;
    return !S_ISREG(st.st_mode) || access(path, X_OK) ? EACCES : 0;
}

static int find_here(const char *name, char path[PATH_MAX]) {
    char here[PATH_MAX];
    if (*name == '/')
        snprintf(here, sizeof here, "/");
    else if (!getcwd(here, sizeof here))
        return errno;
    int length = snprintf(path, PATH_MAX, "%s/%s", *name == '/' ? "" : here, name + (*name == '/'));
    return length < PATH_MAX ? check(path) : ENAMETOOLONG;
}

int hm_executable_find(const char *name, char path[PATH_MAX]) {
    const char *folders = getenv("PATH");
    int bad = ENOENT;
    if (strchr(name, '/'))
        return find_here(name, path);
    for (const char *at = folders ? folders : "/usr/bin:/bin"; *name;) {
        char whole[2 * PATH_MAX];
        size_t length = strcspn(at, ":");
        snprintf(whole, sizeof whole, "%.*s/%s", length ? (int)length : 1, length ? at : ".", name);
        int here = find_here(whole, path);
        if (!here)
            return 0;
        bad = here == EACCES ? here : bad;
        if (!at[length])
            break;
        at += length + 1;
    }
    return bad;
}

static bool has_interpreter(int fd, const ElfW(Ehdr) * header) {
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) part;
        off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(fd, &part, sizeof part, at) != sizeof part)
            return false;
        if (part.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static int judge(int fd, const char *path, struct hm_error *error) {
    ElfW(Ehdr) header;
    struct stat info;
    bool is_elf = pread(fd, &header, sizeof header, 0) == sizeof header &&
                  memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
    if (fstat(fd, &info) == 0 && ((info.st_mode & S_ISUID && info.st_uid != geteuid()) ||
                                  (info.st_mode & S_ISGID && info.st_gid != getegid())))
        return hm_fail(error, ENOEXEC, "%s runs with another user's or group's rights", path);
    if (is_elf && (header.e_machine != __ehdr_start.e_machine ||
                   header.e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS]))
        return hm_fail(error, ENOEXEC, "%s is a program for another kind of machine", path);
    if (is_elf && !has_interpreter(fd, &header))
        return hm_fail(error, ENOEXEC, "%s is statically linked", path);
    return 0;
}

int hm_executable_takes_preload(const char *path, struct hm_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int bad = fd < 0 ? 0 : judge(fd, path, error); /* one that can not be read may still run */
    if (fd >= 0)
        close(fd);
    return bad;
}

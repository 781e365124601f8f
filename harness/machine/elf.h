/* What a shared library is, told from its file alone: it is never loaded, and nothing of it runs.
 *
 * The files are the user's, and may be damaged or hostile: every offset and count in them is
 * checked against the file's size. They are read and not mapped, because a mapped file that someone
 * truncates is a SIGBUS. */
#ifndef HM_HARNESS_MACHINE_ELF_H
#define HM_HARNESS_MACHINE_ELF_H

#include "harness/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct hm_elf {
    char realpath[PATH_MAX];
    char build_id[64]; /* in hex, its first 31 bytes (20 are usual); "" for none */
};

/** Check that a file is a shared library that this machine's loader can put under a program.
 *  @param path with or without a slash; no search  @param out untouched on failure
 *  @return 0, or a positive errno with the line in *error, which begins with the path: ENOENT,
 * EACCES, EISDIR and the like from the file system; ENOEXEC for what is not an ELF file, a shared
 * library, whole, or for this machine. Main thread (libelf has a global errno), not hot. */
int hm_elf_inspect(const char *path, struct hm_elf *out, struct hm_error *error);

/** The build id of an ELF file of any kind, in hex; "" where it has none or can not be read. Main
 * thread, not hot. */
void hm_elf_build_id(const char *path, char *out, size_t size);

/** Whether a library defines a symbol that others can link to (.dynsym). A file that can not be
 * read, or is no ELF file, exports nothing. Main thread, not hot: linear in its symbols. */
bool hm_elf_exports(const char *path, const char *symbol);

/** Find a shared library by its file name, in the folders where the loader of this machine looks:
 *  those of /etc/ld.so.conf, then /usr/local/lib, /lib, /usr/lib, /lib64, /usr/lib64 and their
 * multiarch folders. Libraries for other machines are passed over, as the loader does.
 *  @param soname without a slash, like "libjemalloc.so.2"
 *  @return 0, or ENOENT with *path untouched. Main thread, not hot. */
int hm_library_find(const char *soname, char *path, size_t size);

/** The same, in the folders that a file like ld.so.conf (ldconfig(8)) and its includes name. */
int hm_library_find_by(const char *conf, const char *soname, char *path, size_t size);

#endif

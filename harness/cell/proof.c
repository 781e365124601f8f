/* Proof that the process runs on the allocator that it is measured under. */
#include "harness/cell/proof.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A library that lacks one of these would be mixed with the C library's own heap. */
static const char *const entry_points[] = {
    "malloc",        "calloc",         "realloc",  "free",
    "aligned_alloc", "posix_memalign", "memalign", "malloc_usable_size"};

static int origin(const char *name, char *path, unsigned size) {
    Dl_info info;
    char real[PATH_MAX];
    void *address = dlsym(RTLD_DEFAULT, name);
    if (!address || !dladdr(address, &info) || !info.dli_fname)
        return ENOENT;
    if (!realpath(info.dli_fname, real))
        return errno;
    snprintf(path, size, "%s", real);
    return 0;
}

static int c_library(char *path, unsigned size) {
    return origin("gnu_get_libc_version", path, size);
}

int hm_proof_check(const char *library, char *path, unsigned size, struct hm_error *error) {
    char wanted[PATH_MAX];
    char found[PATH_MAX];
    snprintf(wanted, sizeof wanted, "%s", library);
    if (!library[0] && HM_SANITIZE[0]) { /* the sanitizer's own malloc stands in front, rightly */
        snprintf(path, size, "sanitizer");
        return 0;
    }
    if (!library[0] && c_library(wanted, sizeof wanted))
        return hm_fail(error, EXDEV, "can not tell where the C library is");
    for (size_t i = 0; i < sizeof entry_points / sizeof *entry_points; i++) {
        if (origin(entry_points[i], found, sizeof found))
            return hm_fail(error, EXDEV, "can not tell where %s comes from", entry_points[i]);
        if (strcmp(found, wanted) != 0)
            return hm_fail(error, EXDEV, "%s comes from %s, not from %s", entry_points[i], found,
                           wanted);
    }
    snprintf(path, size, "%s", wanted);
    return 0;
}

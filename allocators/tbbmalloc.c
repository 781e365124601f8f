/* oneTBB's scalable allocator, through its proxy library: preloaded, then called as the process's
 * malloc. */
#include "allocators/libc.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hm_allocator hm_tbbmalloc;

/* Its own refuses an empty block. */
static void *get_aligned(size_t alignment, size_t size) {
    return aligned_alloc(alignment, size ? size : 1);
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    int bad = hm_libc_open(out, &hm_tbbmalloc);
    out->libc.aligned_alloc = get_aligned;
    return bad;
}

/* It does not tell: what follows the soname's ".so." in the file's name, 2.8 for oneTBB 2021.8. */
static void version(char *out) {
    Dl_info info;
    char path[PATH_MAX];
    const char *number = NULL;
    void *entry = dlsym(RTLD_DEFAULT, "scalable_malloc");
    if (entry && dladdr(entry, &info) && info.dli_fname && realpath(info.dli_fname, path))
        number = strstr(path, ".so.");
    snprintf(out, HM_VERSION_BYTES, "%s", number ? number + strlen(".so.") : "");
}

static const struct hm_deviation deviations[] = {
    {.properties = "fork",
     .fault = "a forked process hung in malloc or free",
     .versions = "2.8",
     .what = "a process that is forked while other threads allocate may hang in malloc or free",
     .source = "there is no pthread_atfork in it: a lock that another thread held stays taken"},
    {.fault = NULL},
};

static const struct hm_allocator hm_tbbmalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "tbbmalloc",
    .summary =
        "slabs of size classes in heaps of each thread; large objects in a cache; oneTBB 2021",
    .origin =
        "Kukanov and Voss 2007, The foundations for scalable multi-core software in Intel TBB",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks up to 8 bytes */
    .library = "libtbbmalloc_proxy.so.2",
    .package = "libtbbmalloc2",
    .open = open_heap,
    .deviations = deviations,
    .version = version,
};
HM_REGISTER(hm_allocator, hm_tbbmalloc);

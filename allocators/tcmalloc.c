/* gperftools' tcmalloc, the minimal build: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

#include <dlfcn.h>
#include <stdio.h>

static const struct hm_allocator hm_tcmalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_tcmalloc);
}

static void version(char *out) {
    const char *(*ask)(int *, int *, const char **);
    int major = 0;
    int minor = 0;
    const char *patch = "";
    *(void **)(void *)&ask = dlsym(RTLD_DEFAULT, "tc_version");
    if (ask)
        ask(&major, &minor, &patch);
    snprintf(out, HM_VERSION_BYTES, "%d.%d%s", major, minor, patch);
}

static const struct hm_deviation deviations[] = {
    {.properties = "enomem",
     .fault = "calloc(2^32, 2^32) gave NULL with errno 0 and not ENOMEM",
     .versions = "2.10",
     .what = "a calloc whose product wraps leaves errno as it was",
     .source = "src/tcmalloc.cc: do_calloc"},
    {.fault = NULL},
};

static const struct hm_allocator hm_tcmalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "tcmalloc",
    .summary =
        "thread caches over central free lists and a page heap; gperftools 2.10, without profilers",
    .origin = "Ghemawat and Menage, TCMalloc: Thread-Caching Malloc, Google 2005; maintained in "
              "gperftools",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks below 16 bytes */
    .library = "libtcmalloc_minimal.so.4",
    .package = "libtcmalloc-minimal4",
    .open = open_heap,
    .deviations = deviations,
    .version = version,
};
HM_REGISTER(hm_allocator, hm_tcmalloc);

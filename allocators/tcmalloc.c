/* gperftools' tcmalloc, the minimal build: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

static const struct hm_allocator hm_tcmalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_tcmalloc);
}

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
};
HM_REGISTER(hm_allocator, hm_tcmalloc);

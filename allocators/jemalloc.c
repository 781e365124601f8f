/* jemalloc 5, as Debian ships it: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

static const struct hm_allocator hm_jemalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_jemalloc);
}

static const struct hm_allocator hm_jemalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "jemalloc",
    .summary = "arenas of slabs by size class, thread caches, decay-based purging; 5.x",
    .origin =
        "Jason Evans, A Scalable Concurrent malloc(3) Implementation for FreeBSD, BSDCan 2006",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks below 16 bytes */
    .library = "libjemalloc.so.2",
    .package = "libjemalloc2",
    .open = open_heap,
};
HM_REGISTER(hm_allocator, hm_jemalloc);

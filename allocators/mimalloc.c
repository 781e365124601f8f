/* mimalloc 2, as Debian ships it: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

static const struct hm_allocator hm_mimalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_mimalloc);
}

static const struct hm_allocator hm_mimalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "mimalloc",
    .summary = "free lists sharded by page, one heap a thread, no locks on the fast path; 2.0.x",
    .origin = "Leijen, Zorn, de Moura, Mimalloc: Free List Sharding in Action, APLAS 2019",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks below 16 bytes */
    .library = "libmimalloc.so.2",
    .package = "libmimalloc2.0",
    .open = open_heap,
};
HM_REGISTER(hm_allocator, hm_mimalloc);

/* oneTBB's scalable allocator, through its proxy library: preloaded, then called as the process's
 * malloc. */
#include "allocators/libc.h"

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
};
HM_REGISTER(hm_allocator, hm_tbbmalloc);

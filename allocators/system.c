/* The malloc that the process was started with; in a process without a preload, the C library's. */
#include "allocators/libc.h"

static const struct hm_allocator hm_system;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_system);
}

static const struct hm_allocator hm_system = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "system",
    .summary = "the malloc of this process: the C library's own, or what is preloaded",
    .origin =
        "glibc: ptmalloc (Gloger 2006, after Lea's dlmalloc) with per-thread tcaches since 2.26",
    .caps = HM_CAP_THREADS,
    .open = open_heap,
};
HM_REGISTER(hm_allocator, hm_system);

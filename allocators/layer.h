/* What the layers have in common: memory of their own, and the statistics of the heap beneath.
 *
 * A layer keeps nothing in the heap that it wraps but blocks: its tables are mapped, so that what it
 * takes does not change what the inner heap does. The harness enters, leaves and closes every part of
 * a stack by itself; a layer passes none of that on. */
#ifndef HM_ALLOCATORS_LAYER_H
#define HM_ALLOCATORS_LAYER_H

#include "allocators/allocator.h"

#include <errno.h>
#include <sys/mman.h>

/** Zeroed memory from the system; its pages come as they are touched.
 *  @param bytes > 0  @return NULL with ENOMEM when there is none. hm_layer_unmap it. */
static inline void *hm_layer_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    errno = ENOMEM;
    return NULL;
}

/** @param memory NULL does nothing  @param bytes as given to hm_layer_map */
static inline void hm_layer_unmap(void *memory, size_t bytes) {
    if (memory)
        munmap(memory, bytes);
}

static inline void *hm_layer_no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

static inline bool hm_layer_is_power(size_t n) {
    return n && !(n & (n - 1));
}

/** The inner heap's aligned_alloc, for powers of two only, as the contract has it: C libraries take
 *  others too. */
static inline void *hm_layer_aligned_alloc(const struct hm_memory *inner, size_t alignment,
                                           size_t size) {
    if (hm_layer_is_power(alignment))
        return hm_aligned_alloc(inner, alignment, size);
    errno = EINVAL;
    return NULL;
}

/** What the inner heap knows about itself; HM_UNKNOWN where it tells nothing. */
static inline void hm_layer_stats(const struct hm_memory *inner, struct hm_heap_stats *out) {
    *out = (struct hm_heap_stats){HM_UNKNOWN, HM_UNKNOWN, HM_UNKNOWN,
                                  HM_UNKNOWN, HM_UNKNOWN, HM_UNKNOWN};
    if (inner->allocator->stats)
        inner->allocator->stats(inner->heap, out);
}

/** The sum of what the inner heap tells and a layer adds; unknown stays unknown. */
static inline uint64_t hm_layer_sum(uint64_t inner, uint64_t more) {
    return inner == HM_UNKNOWN ? HM_UNKNOWN : inner + more;
}

/** The sum, where a layer's own part is worth telling by itself. */
static inline uint64_t hm_layer_least(uint64_t inner, uint64_t more) {
    return inner == HM_UNKNOWN ? more : inner + more;
}

#endif

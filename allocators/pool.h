/* What the tests may ask a `pool` heap beyond the allocator's interface. */
#ifndef HM_ALLOCATORS_POOL_H
#define HM_ALLOCATORS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hm_heap;

/** Where every byte of the arenas is; the terms of CPython's sys._debugmallocstats(). */
struct hm_pool_account {
    uint64_t arenas;
    uint64_t arena_bytes; /* the sum of all terms below, unless the heap is broken */
    uint64_t used_bytes;  /* in blocks of the pools that are handed out */
    uint64_t free_bytes;  /* in blocks that are not, of pools that are used */
    uint64_t unused_pool_bytes;
    uint64_t header_bytes;
    uint64_t tail_bytes;      /* behind the last block of each used pool */
    uint64_t alignment_bytes; /* before an arena's first pool: none, as arenas are aligned */
    uint64_t pools;           /* used ones */
    uint64_t used_blocks;
    uint64_t pending_blocks; /* freed, and free here; but their pools do not know it yet */
    bool intact;             /* counters, lists and blocks agree with one another */
};

/** One class of an account. */
struct hm_pool_census {
    uint64_t pools;
    uint64_t used_blocks;
    uint64_t free_blocks;
};

/** Take stock by walking the pools and their free lists; the counters of the hot path are only
 *  compared with what was found, for `intact`.
 *  @param census  (max + 63) / 64 * 4 entries, in the order of the classes, or NULL. Not hot; no other
 *  thread may be inside the heap. */
void hm_pool_check(const struct hm_heap *heap, struct hm_pool_account *out,
                   struct hm_pool_census *census);

#endif

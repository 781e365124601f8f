/* The parts of a `pool` heap, shared by the files pool*.c; for nobody else.
 *
 * Vocabulary, CPython's where it has a word (Objects/obmalloc.c, 3.11)
 *   class     all requests that round up to one multiple of 16 bytes, up to `max`
 *   pool      a run of `pool` bytes that holds blocks of one class; aligned to its size
 *   arena     a run of `arena` bytes cut into pools; aligned to its size
 *   used      of a pool: at least one block is handed out; of a class: the list of its used pools
 *             that have a block to give (CPython: usedpools)
 *   usable    of an arena: has a pool that is not used (CPython: usable_arenas)
 *   carved    of a block: was on a free list or handed out since its pool got its class
 *   spare     of an arena: released, but still mapped
 *   lingering of a pool: see pool.c
 *
 * Layout
 *   A pool has room for as many blocks as CPython's, whose header of 48 bytes lies in the pool.
 * Ours lie side by side behind the arena, and the 48 bytes stay blank at the pool's end: headers at
 *   the start of each pool would all fall into one set of the first-level cache. An arena is
 *   mapped as
 *
 *       | pool 0 | pool 1 | ... | struct arena, struct pool [0], [1], ... |
 *       ^ aligned to `arena`    ^ so this is, too
 *
 *   and so a block's header is found, and a header's arena and blocks, by arithmetic alone. */
#ifndef HM_ALLOCATORS_POOL_HEAP_H
#define HM_ALLOCATORS_POOL_HEAP_H

#include "allocators/allocator.h"

#include <pthread.h>

enum {
    HM_POOL_HEADER_BYTES = 48,
    HM_POOL_STEP_BITS = 4,
    HM_POOL_CLASSES = 256,
};

/* Ends the free list of a pool that has blocks to carve; that of any other ends with NULL. */
#define HM_POOL_UNCARVED ((void *)1)

/* Invariants of a pool with a class: the blocks that are carved are handed out or on the free list,
 * and it is in the list of its class exactly while `free` is not NULL. */
struct hm_pool {
    void *free;           /* last in, first out; a block's first word is the link */
    struct hm_pool *next; /* of its class's list, or of its arena's when it is not used */
    struct hm_pool *prev; /* of its class's list; stale in the head */
    uint32_t used;        /* blocks that are handed out */
    uint16_t carved;      /* blocks */
    uint8_t class;
};

struct hm_pool_arena {
    struct hm_pool_arena *next; /* of the usable list, or of the spares */
    struct hm_pool_arena *prev;
    struct hm_pool_arena *older; /* of the list of all arenas */
    struct hm_pool_arena *newer;
    struct hm_pool *free_list; /* pools that were used before */
    uint32_t free_pools;       /* those, and the ones that were never used */
    uint32_t fresh;            /* index of the first pool that was never used */
    struct hm_pool pools[] __attribute__((aligned(64)));
};

struct hm_pool_class {
    struct hm_pool *head; /* never NULL: `nowhere` when the list is empty */
    uint32_t blocks;      /* that a pool holds */
    uint32_t bytes;       /* of a block */
};

struct hm_heap {
    size_t max;     /* largest request that pools serve */
    uint8_t *owned; /* by address / arena: 1 where an arena of ours lies, else 0 */
    unsigned arena_bits;
    unsigned pool_bits;
    struct hm_pool *lingering;
    struct hm_pool *ignored; /* is written, and never read, where a fast path has nothing to say */
    struct hm_pool_class classes[HM_POOL_CLASSES];
    struct hm_pool nowhere; /* ends every list of a class: it has nothing to give */
    struct hm_memory inner;
    pthread_mutex_t lock;
    size_t bytes;                 /* of this structure */
    size_t owned_low, owned_high; /* the part of `owned` that was ever written */
    struct hm_pool_arena *newest;
    uint64_t arenas;
    struct hm_pool_arena *spares;
    uint64_t spare_count;
    uint64_t spare_limit; /* grows as arenas are missed, up to spare_max */
    uint64_t spare_max;
    bool has_unmapped;
    struct hm_pool
        *returned[HM_POOL_CLASSES];    /* the last pool that came back from a class, or NULL */
    struct hm_pool_arena *usable;      /* ascending by free pools */
    struct hm_pool_arena *last_with[]; /* by free pools: the last such arena of that list */
};

static inline uint32_t hm_pool_count(const struct hm_heap *heap) {
    return 1u << (heap->arena_bits - heap->pool_bits);
}

static inline struct hm_pool_arena *hm_pool_arena_of(const struct hm_heap *heap,
                                                     const struct hm_pool *pool) {
    return (struct hm_pool_arena *)((uintptr_t)pool >> heap->arena_bits << heap->arena_bits);
}

static inline char *hm_pool_arena_base(const struct hm_heap *heap,
                                       const struct hm_pool_arena *arena) {
    return (char *)arena - ((size_t)1 << heap->arena_bits);
}

/** Address of the pool's first block. */
static inline char *hm_pool_base(const struct hm_heap *heap, const struct hm_pool *pool) {
    const struct hm_pool_arena *arena = hm_pool_arena_of(heap, pool);
    return hm_pool_arena_base(heap, arena) + ((size_t)(pool - arena->pools) << heap->pool_bits);
}

/** Take a pool that is not used from the fullest usable arena; map an arena when there is none.
 *  Its free list, `carved` and class are those that it had; where it can be, that is the class asked
 *  for. @return NULL when the system has no memory. Source: allocate_from_new_pool. */
struct hm_pool *hm_pool_claim(struct hm_heap *heap, uint8_t class);

/** Give a pool without used blocks, in no list, back to its arena; release the arena when all its
 *  pools are back and it is not the last usable one. Source: insert_to_freepool. */
void hm_pool_yield(struct hm_heap *heap, struct hm_pool *pool);

/** Whether hm_pool_claim after hm_pool_yield(pool) would change nothing but the pool. */
bool hm_pool_would_return(const struct hm_heap *heap, const struct hm_pool *pool);

/** Bytes mapped behind each arena for its headers. */
size_t hm_pool_arena_metadata(const struct hm_heap *heap);

/** Unmap all arenas. */
void hm_pool_unmap_all(struct hm_heap *heap);

#endif

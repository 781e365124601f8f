/* The parts of a `pool` heap, shared by the files pool*.c; for nobody else.
 *
 * Vocabulary, CPython's where it has a word (Objects/obmalloc.c, 3.11)
 *   class     all requests that round up to one multiple of 16 bytes, up to `max`
 *   pool      a run of `pool` bytes that holds blocks of one class; aligned to its size
 *   arena     a run of `arena` bytes cut into pools; aligned to its size
 *   used      of a pool: at least one block is handed out; of a class: the list of its used pools
 *             that have a block to give (CPython: usedpools), and of some that do not
 *   usable    of an arena: has a pool that is not used (CPython: usable_arenas)
 *   carved    of a block: was on a free list or handed out since its pool got its class
 *   spare     of an arena: released, but still mapped
 *   lingering of a pool: see pool_blocks.c
 *   root      the heap that its users know; it serves all requests itself, or owns thread heaps
 *   thread heap   one thread's part of a heap with lock=thread: see pool_thread.c
 *
 * Layout
 *   A pool has room for as many blocks as CPython's, whose header of 48 bytes lies in the pool.
 *   Ours lie side by side behind the arena, and the 48 bytes stay blank at the pool's end: headers at
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
#include "allocators/pool_remote.h"

#include <pthread.h>

enum {
    HM_POOL_HEADER_BYTES = 48,
    HM_POOL_STEP_BITS = 4,
    HM_POOL_CLASSES = 256,
    HM_POOL_DEFAULT_ARENA_BITS = 20,
    HM_POOL_DEFAULT_POOL_BITS = 14,
    HM_POOL_BATCHES = 8,
};

/* Invariants of a pool with a class: the blocks that are carved are handed out or on the free list.
 * It is in the list of its class if it has a block to give; a full one stays until that is noticed. */
struct hm_pool {
    void *free;           /* last in, first out; a block's first word is the link */
    struct hm_pool *next; /* of its class's list, NULL when it is in none; or of its arena's */
    struct hm_pool *prev; /* of its class's list; stale in the head */
    uint32_t used;        /* blocks that are handed out, and one more while the pool may linger */
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
    uint32_t lingering;        /* pools that may linger */
    struct hm_heap *heap;      /* whose it is, as long as it is mapped */
    struct hm_pool pools[] __attribute__((aligned(64)));
};

struct hm_pool_class {
    struct hm_pool *head; /* never NULL: `nowhere` when the list is empty */
    uint32_t blocks;      /* that a pool holds */
    uint32_t bytes;       /* of a block */
};

/* One of three, by the value of the parameter. */
struct hm_pool_lock {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uintptr_t gil; /* whose it is, with the lowest bit set while he is inside; 0: free */
    bool is_asked; /* somebody has waited for an interval */
    bool spin;
};

/* Blocks of one class that a thread freed, whosever they are: last in, first out. */
struct hm_pool_cache {
    void *head;
    void *older;    /* a chain of `limit` more, or NULL */
    uint32_t count; /* behind `head`; below the limit */
    uint32_t limit;
};

struct hm_pool_threads {
    pthread_mutex_t lock; /* of the chain of thread heaps, of the orphans, and of each orphan */
    pthread_key_t key;    /* a thread's heap; its destructor makes that an orphan */
    struct hm_heap *orphans;
};

struct hm_heap {
    size_t max;     /* largest request that pools serve */
    uint8_t *owned; /* by address / arena: `id` of the heap whose arena lies there, else 0 */
    unsigned arena_bits;
    unsigned pool_bits;
    uint64_t serial; /* of the root: no other heap of the process ever has it */
    uint8_t id;      /* of a root that serves requests: 1; of thread heaps: 1, 2, ... */
    struct hm_pool_class classes[HM_POOL_CLASSES];
    struct hm_pool nowhere; /* ends every list of a class: it has nothing to give */
    struct hm_pool *lingering[HM_POOL_CLASSES]; /* that may linger, or NULL */
    struct hm_pool_arena *host;                 /* all of those are its; NULL when there is none */
    struct hm_memory inner;
    uint64_t inner_blocks; /* that live in the inner heap. A thread heap counts what its thread did,
                              and only the sum of all is a count */
    uint64_t inner_bytes;  /* of those, as the inner heap rounds them */
    struct hm_pool_lock lock;       /* of a root with lock=gil, mutex or spin */
    struct hm_pool_threads threads; /* of a root with lock=thread */
    struct hm_heap *next;           /* from the root through its thread heaps */
    struct hm_heap *root;           /* of a thread heap, and so on to `remote` */
    struct hm_heap *next_orphan;
    bool is_orphan;                                /* no thread has it */
    struct hm_pool_batch batches[HM_POOL_BATCHES]; /* by the owner's id */
    struct hm_pool_cache caches[HM_POOL_CLASSES];
    struct hm_pool_remote remote __attribute__((aligned(64)));
    size_t bytes __attribute__((aligned(64))); /* of this structure */
    size_t owned_low, owned_high;              /* the part of `owned` that was ever written */
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

/** Whether the arena is the first to be claimed from, and stays so when it gets one pool more than
 *  it has free ones and lingering ones, without being released. A full arena counts as first. */
bool hm_pool_stays_first(const struct hm_heap *heap, const struct hm_pool_arena *arena);

/** Unmap the arenas that were kept though they are free. */
void hm_pool_drop_spares(struct hm_heap *heap);

/** Bytes mapped behind each arena for its headers. */
size_t hm_pool_arena_metadata(const struct hm_heap *heap);

/** Unmap all arenas. */
void hm_pool_unmap_all(struct hm_heap *heap);

/** A heap without arenas, table and inner heap. @param max  largest request of the pools, in bytes.
 *  @return NULL when the system has no memory; munmap() `bytes` of it. */
struct hm_heap *hm_pool_map_heap(unsigned arena_bits, unsigned pool_bits, size_t max);

/** Blocks of the pool that are handed out. */
static inline uint32_t hm_pool_used(const struct hm_heap *heap, const struct hm_pool *pool) {
    return pool->used - (heap->lingering[pool->class] == pool);
}

/** Give the lingering pools back. */
void hm_pool_settle(struct hm_heap *heap);

/** For a class whose head has nothing on its free list: give it a head that has.
 *  @return whether there is memory */
bool hm_pool_start(struct hm_heap *heap, struct hm_pool_class *class);

/** A block came back to the pool, whose free list was empty. */
void hm_pool_refill(struct hm_heap *heap, struct hm_pool *pool);

/** The pool's last block came back: let it linger, or give it to its arena. */
void hm_pool_drain(struct hm_heap *heap, struct hm_pool *pool);

/** How the hot functions of a root are called, by the way in which it keeps threads apart.
 *  `is_default` says that arenas and pools have the default sizes. */
struct hm_heap_calls hm_pool_mutex_calls(void);
struct hm_heap_calls hm_pool_spin_calls(void);
struct hm_heap_calls hm_pool_gil_calls(void);
struct hm_heap_calls hm_pool_thread_calls(bool is_default);

/** Get a fresh root ready for pool_locks.c, and undo it. */
void hm_pool_open_lock(struct hm_heap *heap);
void hm_pool_close_lock(struct hm_heap *heap);

/** Nobody is inside while the process forks, and no lock is held in the child. */
void hm_pool_fork_lock(struct hm_heap *heap, enum hm_fork_phase phase);

/** The calling thread will not use the heap for a while: give up its global lock, if it has it. */
void hm_pool_drop_gil(struct hm_heap *heap);

/** Get a fresh root ready for thread heaps. @return 0 or a positive errno */
int hm_pool_open_threads(struct hm_heap *heap);

/** Unmap all thread heaps. No other thread may be inside. */
void hm_pool_close_threads(struct hm_heap *heap);

/** Give the calling thread a heap, if the root has them. */
void hm_pool_enter_thread(struct hm_heap *heap);

/** Leave the calling thread's heap, if it has one, to others. */
void hm_pool_leave_thread(struct hm_heap *heap);

/** Visit the blocks that were freed and wait for the heap whose they are. No other thread may be
 *  inside. */
typedef void hm_pool_visit(void *arg, const struct hm_heap *heap, const void *block);
void hm_pool_each_pending(const struct hm_heap *root, hm_pool_visit *visit, void *arg);

/** The heap's `walk`. */
void hm_pool_walk(struct hm_heap *root, hm_walk_fn *visit, void *arg);

#endif

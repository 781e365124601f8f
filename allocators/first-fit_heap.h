/* The record of a first-fit heap, its boundaries and its lock: what the allocator and the repair of a
 * shared heap have in common. The words are those of first-fit.c.
 *
 * Vocabulary
 *   start   a block's first granule. `starts` has a bit for each; only a heap whose lock is `process`
 *           keeps it, because everything else can be made anew from it and the boundaries
 *   commit  the one store by which a change happens for such a heap: a bit of `starts` or, where a
 *           block changes its length, of `boundaries`. Other bits may be set before it and cleared
 *           after it; they part free from free, and that means nothing
 *
 * Invariants
 *   The record of a shared heap lies in shared memory, too. The processes that have it inherited
 *   the mapping, and so have it, and all that it points to, at one address. */
#ifndef HM_ALLOCATORS_FIRST_FIT_HEAP_H
#define HM_ALLOCATORS_FIRST_FIT_HEAP_H

#include "allocators/allocator.h"
#include "allocators/first-fit.h"
#include "allocators/first-fit_index.h"

#include <pthread.h>

enum fit {
    FIT_FIRST,
    FIT_NEXT,
    FIT_BEST,
    FIT_WORST,
};

/* As the words of the parameter. */
enum lock {
    LOCK_AUTO,
    LOCK_NONE,
    LOCK_MUTEX,
    LOCK_PROCESS,
};

enum {
    NEAR_WORDS = 5, /* of boundaries, which are searched at once */
};

struct hm_heap {
    struct hm_runs_calls index;
    struct hm_runs *runs;
    uint64_t *boundaries;
    uint64_t *starts; /* NULL: not kept */
    char *array;
    uint32_t granules;
    unsigned shift; /* a granule is 1 << shift bytes */
    enum lock lock_kind;
    enum fit fit;
    enum hm_backing backing;
    uint32_t rover; /* where next-fit goes on */
    uint32_t high;  /* no granule at or behind it was ever handed out, or is a boundary */
    uint64_t live_granules;
    uint64_t live_blocks;
    uint64_t bad_frees;
    uint64_t mends;
    enum hm_bad_free last_bad;
    pthread_mutex_t lock;
};

/** Take the lock of a heap that processes share; a heap that was left half changed is made whole. */
void hm_first_fit_enter(struct hm_heap *heap);

/** Make the lock, the array, the boundaries and the index of a heap whose other members are set.
 *  @return 0 or an errno; hm_first_fit_close() is due either way */
int hm_first_fit_map(struct hm_heap *heap);
void hm_first_fit_close(struct hm_heap *heap);

static inline void lock(struct hm_heap *heap) {
    if (heap->lock_kind == LOCK_MUTEX)
        pthread_mutex_lock(&heap->lock);
    else if (heap->lock_kind == LOCK_PROCESS)
        hm_first_fit_enter(heap);
}

static inline void unlock(struct hm_heap *heap) {
    if (heap->lock_kind != LOCK_NONE)
        pthread_mutex_unlock(&heap->lock);
}

/* A killed process has made its stores up to one of them, in the order of its instructions: that must
 * be the order in which they are written here. */
static inline void in_order(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void set_bit(uint64_t *bits, uint32_t at) {
    bits[at / 64] |= (uint64_t)1 << (at % 64);
}

static inline void clear_bit_if(uint64_t *bits, uint32_t at, bool condition) {
    bits[at / 64] &= ~((uint64_t)condition << (at % 64));
}

static inline bool has_bit(const uint64_t *bits, uint32_t at) {
    return bits[at / 64] >> (at % 64) & 1;
}

static inline void mark_start(struct hm_heap *heap, uint32_t at) {
    if (!heap->starts)
        return;
    in_order();
    set_bit(heap->starts, at);
}

static inline void unmark_start(struct hm_heap *heap, uint32_t at) {
    if (!heap->starts)
        return;
    clear_bit_if(heap->starts, at, true);
    in_order();
}

#endif

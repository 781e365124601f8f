/* Blocks that one thread allocates, before the clock starts, for all others to free.
 *
 * Vocabulary
 *   gift   a block for one thread, made by whichever thread's setup comes first.
 *
 * Invariants
 *   The gifts lie in the order of the threads, round after round: neighbours in memory, where the
 *   heap puts them so, belong to different threads.
 *   Gift i of thread t is at [i * threads + t]; NULL once it is freed. Only thread t looks at it after
 *   setup. */
#ifndef HM_WORKLOADS_GIFTS_H
#define HM_WORKLOADS_GIFTS_H

#include "workloads/spin.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum {
    HM_GIFTS_NONE,
    HM_GIFTS_IN_MAKING,
    HM_GIFTS_READY,
    HM_GIFTS_REFUSED, /* memory ran out, and none are there */
};

/* Within run->shared. */
struct hm_gifts {
    _Alignas(HM_SPIN_APART) atomic_int state;        /* HM_GIFTS_ */
    _Alignas(HM_SPIN_APART) unsigned char *blocks[]; /* `each` times `threads` */
};

/** @param each for every thread */
static inline size_t hm_gifts_bytes(size_t each, unsigned threads) {
    return sizeof(struct hm_gifts) + each * threads * sizeof(unsigned char *);
}

static inline int hm_gifts_make_(const struct hm_run *run, struct hm_gifts *gifts, size_t each,
                                 size_t size) {
    size_t count = each * run->threads;
    size_t made = 0;
    while (made < count && (gifts->blocks[made] = hm_malloc(run->memory, size))) {
        *gifts->blocks[made] = (unsigned char)made;
        made++;
    }
    if (made == count)
        return HM_GIFTS_READY;
    while (made > 0)
        hm_free(run->memory, gifts->blocks[--made]);
    memset(gifts->blocks, 0, count * sizeof *gifts->blocks);
    return HM_GIFTS_REFUSED;
}

/** In setup: make the gifts, or wait for who makes them. Untimed.
 *  @param size bytes of each, at least 1  @return 0, or ENOMEM and there are none */
static inline int hm_gifts_await(const struct hm_run *run, struct hm_gifts *gifts, size_t each,
                                 size_t size) {
    int none = HM_GIFTS_NONE;
    unsigned spins = 0;
    if (atomic_compare_exchange_strong(&gifts->state, &none, HM_GIFTS_IN_MAKING))
        atomic_store(&gifts->state, hm_gifts_make_(run, gifts, each, size));
    while (atomic_load(&gifts->state) == HM_GIFTS_IN_MAKING)
        hm_spin_wait(&spins);
    return atomic_load(&gifts->state) == HM_GIFTS_READY ? 0 : ENOMEM;
}

/* Where the gifts of this thread begin: they are `threads` apart. */
static inline unsigned char **hm_gifts_of_(const struct hm_run *run, struct hm_gifts *gifts) {
    return gifts->blocks + run->thread % run->threads;
}

/** Free those of this thread.  @return how many did not hold what they were made with */
static inline uint64_t hm_gifts_free(const struct hm_run *run, struct hm_gifts *gifts,
                                     size_t each) {
    unsigned char **mine = hm_gifts_of_(run, gifts);
    uint64_t damaged = 0;
    for (size_t i = 0; i < each; i++) {
        size_t at = i * run->threads;
        if (mine[at] && *mine[at] != (unsigned char)(&mine[at] - gifts->blocks))
            damaged++;
        hm_free(run->memory, mine[at]);
        mine[at] = NULL;
    }
    return damaged;
}

/** How many of this thread's are left. Untimed. */
static inline size_t hm_gifts_left(const struct hm_run *run, struct hm_gifts *gifts, size_t each) {
    unsigned char **mine = hm_gifts_of_(run, gifts);
    size_t left = 0;
    for (size_t i = 0; i < each; i++)
        left += mine[i * run->threads] != NULL;
    return left;
}

#endif

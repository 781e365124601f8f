/* A ring of blocks of which all but a window are replaced in each round: what `shbench6` and
 * `shbench8` share.
 *
 * Vocabulary
 *   stock    one size and how many blocks of it are allocated one after the other.
 *   cycle    the stocks, in order, walked again and again.
 *   window   a fifth of the ring, which a round keeps; it moves on by a fifth from round to round.
 *   round    free the blocks below the window in the order of their allocation, those above it in the
 *            reverse order, and fill all that is empty again, from the bottom up. It is the unit.
 *
 * The originals' sizes are fixed. What is drawn from (seed, thread) here is where in the cycle a
 * thread begins, so that threads do not allocate the same sizes at the same time.
 *
 * Invariants
 *   Between two rounds each slot holds a block. A round that memory ran out in is gone on with by the
 *   next run(): the slots from `at` on are empty, but for the window. */
#ifndef HM_WORKLOADS_RING_H
#define HM_WORKLOADS_RING_H

#include "workloads/slots.h"

#include <errno.h>

enum {
    HM_RING_WINDOWS = 5,
    HM_RING_TOUCH_BYTES = 1,
};

struct hm_stock {
    uint32_t size;
    uint32_t count;
};

struct hm_ring {
    struct hm_slots set; /* without a script */
    const struct hm_stock *stocks;
    size_t stock_count;
    size_t stock;  /* at work */
    uint32_t left; /* of it */
    unsigned next; /* which window the next round keeps */
    size_t low;    /* the window: slots low .. high-1 */
    size_t high;
    size_t at; /* the next slot to be filled; slot_count: the round is done */
};

/** Blocks that a round replaces: the operations of a unit. @param slots at least HM_RING_WINDOWS */
static inline uint64_t hm_ring_round_ops(size_t slots) {
    return slots - slots / HM_RING_WINDOWS;
}

/* Fill slots from `at` to `end`; the slots below are full. */
__attribute__((always_inline)) static inline bool hm_ring_fill_(struct hm_run *run,
                                                                struct hm_ring *ring, size_t end) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct hm_slot *slots = ring->set.slots;
    uint64_t sum = 0;
    size_t at = ring->at;
    while (at < end) {
        const uint32_t size = ring->stocks[ring->stock].size;
        const size_t stop = end - at < ring->left ? end : at + ring->left;
        const size_t begin = at;
        for (; at < stop; at++) {
            slots[at] = (struct hm_slot){hm_malloc(&memory, size), size};
            if (__builtin_expect(!slots[at].block, 0))
                break;
            hm_slot_touch(&slots[at], at, HM_RING_TOUCH_BYTES);
            sum += size * (at + 1);
        }
        ring->left -= (uint32_t)(at - begin);
        if (at < stop) {
            slots[at].size = 0;
            break;
        }
        if (ring->left == 0) {
            ring->stock = ring->stock + 1 < ring->stock_count ? ring->stock + 1 : 0;
            ring->left = ring->stocks[ring->stock].count;
        }
    }
    ring->at = at;
    run->checksum += sum;
    return at == end;
}

/* @return false when memory ran out; a later call goes on */
__attribute__((noinline)) static bool hm_ring_fill(struct hm_run *run, struct hm_ring *ring) {
    if (ring->at < ring->low && !hm_ring_fill_(run, ring, ring->low))
        return false;
    if (ring->at < ring->high)
        ring->at = ring->high;
    return hm_ring_fill_(run, ring, ring->set.slot_count);
}

__attribute__((noinline)) static void hm_ring_release(struct hm_run *run, struct hm_ring *ring) {
    const struct hm_memory memory = *run->memory;
    struct hm_slot *slots = ring->set.slots;
    size_t fifth = ring->set.slot_count / HM_RING_WINDOWS;
    ring->low = ring->next * fifth;
    ring->high = ring->low + fifth;
    ring->next = (ring->next + 1) % HM_RING_WINDOWS;
    for (size_t at = 0; at < ring->low; at++) {
        hm_free(&memory, slots[at].block);
        slots[at] = (struct hm_slot){NULL, 0};
    }
    for (size_t at = ring->set.slot_count; at > ring->high; at--) {
        hm_free(&memory, slots[at - 1].block);
        slots[at - 1] = (struct hm_slot){NULL, 0};
    }
    ring->at = 0;
}

/** Hot. @return rounds done; fewer when memory ran out */
static inline uint64_t hm_ring_run(struct hm_run *run, struct hm_ring *ring, uint64_t rounds) {
    for (uint64_t done = 0; done < rounds; done++) {
        if (ring->at == ring->set.slot_count)
            hm_ring_release(run, ring);
        if (!hm_ring_fill(run, ring))
            return done;
    }
    return rounds;
}

/* Begin at a block of the cycle, each as likely. */
static inline void hm_ring_begin_(struct hm_ring *ring, struct hm_random *random) {
    uint64_t blocks = 0;
    for (size_t i = 0; i < ring->stock_count; i++)
        blocks += ring->stocks[i].count;
    uint64_t skip = hm_random_below(random, blocks);
    ring->stock = 0;
    while (skip >= ring->stocks[ring->stock].count)
        skip -= ring->stocks[ring->stock++].count;
    ring->left = (uint32_t)(ring->stocks[ring->stock].count - skip);
}

/** Fill the ring, whose slots and stocks are set. Untimed; in setup.
 *  @return false when memory ran out; what was allocated stays for hm_slots_free */
static inline bool hm_ring_start(struct hm_run *run, struct hm_ring *ring) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    hm_ring_begin_(ring, &random);
    return hm_ring_fill(run, ring);
}

#endif

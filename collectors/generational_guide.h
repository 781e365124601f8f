/* Where the list of the oldest generation goes, as far as it is known: addresses to be prefetched. For
 * generational_deduce.h.
 *
 * A collection leaves the oldest generation in the order in which its objects are reached, which soon
 * is no order of addresses: then each step along the list waits for memory, and the next address is not
 * known before. The guide has the addresses of a list one after the other, 8 bytes for each, so that
 * what is some steps ahead can be fetched in time.
 *
 * Words
 *   scattered   a list, or the references of its objects, that jumps about in memory; sampled.
 *   exact       the guide has just the objects of the list that is walked, in its order. They may be
 *               looked into. Else it is that of the last full collection: its addresses are a guess,
 *               may be those of dead objects, and are prefetched and nothing else.
 *
 * Invariant: what a collection finds, and in which order, does not depend on the guide. It is made only
 * where a large list or its references are scattered; without memory there is none. */
#ifndef HM_COLLECTORS_GENERATIONAL_GUIDE_H
#define HM_COLLECTORS_GENERATIONAL_GUIDE_H

#include "allocators/allocator.h"
#include "collectors/generational_list.h"

struct hm_gc_guide {
    struct hm_gc_head **heads;
    size_t length, capacity;
};

/* A place on a list: ahead of the object that was looked at last, by `distance` or less, or at its
 * end. Distance 0 is the last object that stayed on the list, or the list itself. */
struct hm_gc_lookahead {
    const struct hm_gc_head *list;
    struct hm_gc_head *at;
    unsigned distance;
};

static inline void hm_gc_guide_drop(struct hm_gc_guide *guide, const struct hm_memory *memory) {
    hm_free(memory, guide->heads);
    *guide = (struct hm_gc_guide){0};
}

/** Make it empty, with room for a list. @return false: no memory; then it has no room at all */
static inline bool hm_gc_guide_make(struct hm_gc_guide *guide, const struct hm_memory *memory,
                                    uint64_t size) {
    guide->length = 0;
    if (guide->capacity >= size && guide->capacity / 4 <= size)
        return true;
    hm_gc_guide_drop(guide, memory);
    size_t capacity = size + size / 8;
    guide->heads = hm_malloc(memory, capacity * sizeof *guide->heads);
    guide->capacity = guide->heads ? capacity : 0;
    return guide->heads;
}

/* ---- Prefetching ---- */

enum {
    FETCH_AHEAD = 16, /* objects that are fetched ahead of the one that is looked at */
    EDGES_AHEAD = 8,  /* objects whose references are followed ahead of it */
};

/** The head and the header, which may stand in two cache lines. */
static inline void prefetch_head(const struct hm_gc_head *head) {
    __builtin_prefetch(head, 1);
    __builtin_prefetch((const char *)(head + 2) - 1, 1);
}

static inline void prefetch_edges(struct hm_gc_head *head) {
    struct hm_object *object = hm_gc_object_of(head);
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length < EDGES_AHEAD ? object->length : EDGES_AHEAD; i < n;
         i++)
        if (slots[i])
            prefetch_head(hm_gc_head_of(slots[i]));
}

/* ---- Whether it is worth while ---- */

enum {
    SAMPLE_OBJECTS = 64, /* one of so many is sampled */
    SAMPLES_MIN = 32,    /* a smaller list is in the cache */
    NEAR_BYTES = 1024,   /* what the processor fetches by itself */
    STEP_BYTES = 256,    /* from one block to the next one, in a row of small ones */
};

/* Of pairs of neighbours on a list: how many there were, and how many are far from each other. */
struct scatter {
    uint64_t pairs, far_pairs;
    uint64_t edges, far_edges; /* where both refer to something: what they refer to */
};

static inline bool is_far(const void *a, const void *b) {
    return (uintptr_t)a - (uintptr_t)b + NEAR_BYTES > (uintptr_t)2 * NEAR_BYTES;
}

static inline struct hm_object *first_slot(struct hm_gc_head *head) {
    struct hm_object *object = hm_gc_object_of(head);
    return object->length ? hm_slots(object)[0] : NULL;
}

/** Two neighbours on a list. */
static inline void sample(struct scatter *scatter, struct hm_gc_head *head,
                          struct hm_gc_head *next) {
    struct hm_object *to = first_slot(head), *next_to = first_slot(next);
    scatter->pairs++;
    scatter->far_pairs += is_far(head, next);
    scatter->edges += to && next_to;
    scatter->far_edges += to && next_to && is_far(to, next_to);
}

static inline bool is_scattered(uint64_t far, uint64_t all) {
    return all >= SAMPLES_MIN && far > all / 4;
}

/** Whether a list or its references do. */
static inline bool jumps_about(const struct scatter *s) {
    return is_scattered(s->far_pairs, s->pairs) || is_scattered(s->far_edges, s->edges);
}

#endif

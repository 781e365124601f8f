/* The mutator's half of `generational`: rc.h's counting, and what feeds the cycle collector.
 *
 * Words
 *   container   an object that is no leaf. It has a struct hm_gc_head in front, and is tracked (on
 *               the list of one generation) from the moment when its slots are NULL.
 *   count       of generation 0: containers allocated since its last collection, less those that
 *               died, and never below 0; of 1 and 2: collections of the next younger generation
 *               since its own last one. */
#ifndef HM_COLLECTORS_GENERATIONAL_H
#define HM_COLLECTORS_GENERATIONAL_H

#include "collectors/collector.h"
#include "collectors/generational_list.h"
#include "collectors/rc.h"

#include <errno.h>

#define HM_GENERATIONS 3

struct hm_generation {
    struct hm_gc_head list;
    int64_t count;
    int64_t threshold;
};

struct hm_mutator {
    struct hm_rc rc;
    int64_t limit; /* an allocation collects when count 0 is above; INT64_MAX: none does */
    struct hm_generation generations[HM_GENERATIONS];
    uint64_t long_lived_total;   /* survivors of the last full collection */
    uint64_t long_lived_pending; /* survivors of younger ones that came to generation 2 after it */
    bool automatic;
    bool collecting; /* a collection is going on: another one does nothing */
    const struct hm_gc_events *events;
    uint64_t collections[HM_GENERATIONS];
    uint64_t collected;
    uint64_t visited;
};

/** Slow path of hm_release: the count fell to 0. */
void hm_generational_bury(struct hm_mutator *m, struct hm_object *object);
/** Slow path of hm_new: count 0 is above the limit; collect what the thresholds say. */
void hm_generational_overflow(struct hm_mutator *m);
/** Slow path of hm_new: no memory. One full collection and one retry. @return a block or NULL */
void *hm_generational_retry(struct hm_mutator *m, size_t bytes);
int64_t hm_generational_collect(struct hm_mutator *m, int generation);

static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object) {
    hm_generational_bury(m, object);
}

static inline size_t hm_generational_bytes(const struct hm_type *type, uint32_t length) {
    return hm_object_bytes(type, length) + (hm_is_leaf(type) ? 0 : sizeof(struct hm_gc_head));
}

static inline void hm_generational_track(struct hm_mutator *m, struct hm_object *object) {
    struct hm_gc_head *head = hm_gc_head_of(object);
    head->prev = 0;
    hm_gc_list_append(&m->generations[0].list, head);
}

/* The new container is not tracked yet while the collection runs that it sets off, as in CPython's
 * _PyObject_GC_Link. */
static inline struct hm_object *hm_generational_new(struct hm_mutator *m,
                                                    const struct hm_type *type, uint32_t length) {
    size_t bytes = hm_generational_bytes(type, length);
    char *block = hm_malloc(&m->rc.memory, bytes);
    if (!block && !(block = hm_generational_retry(m, bytes)))
        return NULL;
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += bytes;
    if (hm_is_leaf(type))
        return hm_object_init(block, type, 1, length);
    if (++m->generations[0].count > m->limit)
        hm_generational_overflow(m);
    struct hm_object *object = hm_object_init(block + sizeof(struct hm_gc_head), type, 1, length);
    hm_generational_track(m, object);
    return object;
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_generational_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_generational_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    return hm_generational_collect(m, generation);
}

#endif

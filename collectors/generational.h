/* The mutator's half of `generational`: rc.h's counting, and what feeds the cycle collector.
 *
 * Words
 *   container   an object that is no leaf. It has a struct hm_gc_head in front, and is tracked (on
 *               the list of one generation) from the moment when its slots are NULL.
 *   untracked   an immutable container that a collection found to hold nothing that is tracked, or
 *               could be: it is on no list any more, as CPython's tuples of numbers.
 *   permanent   a list that no collection looks at: frozen objects, and immortal ones.
 *   count       of generation 0: containers allocated since its last collection, less those that
 *               died, and never below 0; what a free list keeps or gives is not counted. Of 1 and 2:
 *               collections of the next younger generation since its own last one.
 *   policy      which collections there are, and what sets them off: docs/collectors.md. */
#ifndef HM_COLLECTORS_GENERATIONAL_H
#define HM_COLLECTORS_GENERATIONAL_H

#include "collectors/collector.h"
#include "collectors/generational_guide.h"
#include "collectors/rc.h"

#include <errno.h>

#define HM_GENERATIONS 3

/* In the order of the words of the parameter. */
enum hm_generational_policy {
    HM_POLICY_311,
    HM_POLICY_FULL,
    HM_POLICY_313,
    HM_POLICY_INCREMENTAL,
};

struct hm_generation {
    struct hm_gc_head list;
    int64_t count;
    int64_t threshold;
};

/* Of the policy `incremental`; generational_increment.h. */
struct hm_scavenge {
    unsigned visited; /* 0, 1: the old space, and the `mark` of objects, that are done with */
    bool collecting;  /* not at the start of a new round */
    int64_t work;     /* objects to be looked at */
};

struct hm_mutator {
    struct hm_rc rc;
    int64_t limit; /* an allocation collects when count 0 is above; INT64_MAX: none does */
    struct hm_generation generations[HM_GENERATIONS];
    struct hm_gc_head permanent;
    int64_t counted;             /* containers that live or are kept = this + count 0 */
    uint64_t long_lived_total;   /* survivors of the last full collection */
    uint64_t long_lived_pending; /* survivors of younger ones that came to generation 2 after it */
    struct hm_scavenge scavenge;
    enum hm_generational_policy policy;
    bool automatic;
    bool collecting; /* a collection is going on: another one does nothing */
    bool untracks;   /* there has been an immutable container */
    bool special;    /* there has been an object of a special type: hm_generational_is_special() */
    bool saves_all;
    struct hm_rc_note *garbage; /* newest first; holds a reference to each */
    uint64_t garbage_count;
    const struct hm_gc_events *events;
    hm_gc_callback *callback;
    void *callback_arg;
    struct hm_gc_generation_stats stats[HM_GENERATIONS];
    uint64_t visited;
    struct hm_gc_guide guide; /* of the oldest generation, as the last full collection left it */
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

/** Whether there is more to its objects than slots. */
static inline bool hm_generational_is_special(const struct hm_type *type) {
    return type->weakable || type->weak || type->finalize || type->clear || type->traverse;
}

static inline size_t hm_generational_bytes(const struct hm_type *type, uint32_t length) {
    return hm_object_bytes(type, length) + (hm_is_leaf(type) ? 0 : sizeof(struct hm_gc_head));
}

static inline void hm_generational_track(struct hm_mutator *m, struct hm_object *object) {
    struct hm_gc_head *head = hm_gc_head_of(object);
    head->prev = 0;
    hm_gc_list_append(&m->generations[0].list, head);
}

static inline __attribute__((always_inline)) struct hm_object *
hm_generational_init_container(struct hm_mutator *m, char *block, const struct hm_type *type,
                               uint32_t length) {
    struct hm_object *object = hm_object_init(block + sizeof(struct hm_gc_head), type, 1, length);
    hm_generational_track(m, object);
    if (type->immutable)
        m->untracks = true;
    return object;
}

/* The new container is not tracked yet while the collection runs that it sets off, as in CPython's
 * _PyObject_GC_Link. Always inlined, so that a type that is known where it is used costs no more
 * than what it needs. */
static inline __attribute__((always_inline)) struct hm_object *
hm_generational_new(struct hm_mutator *m, const struct hm_type *type, uint32_t length) {
    size_t bytes = hm_generational_bytes(type, length);
    char *block = hm_malloc(&m->rc.memory, bytes);
    if (!block && !(block = hm_generational_retry(m, bytes)))
        return NULL;
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += bytes;
    if (hm_generational_is_special(type))
        m->special = true;
    if (hm_is_leaf(type))
        return hm_object_init(block, type, 1, length);
    if (++m->generations[0].count > m->limit)
        hm_generational_overflow(m);
    return hm_generational_init_container(m, block, type, length);
}

/* What a free list gives is no allocation to the collector, as in CPython's PyList_New. */
static inline __attribute__((always_inline)) struct hm_object *hm_new(struct hm_mutator *m,
                                                                      const struct hm_type *type) {
    char *block = type->kept ? hm_rc_reuse(&m->rc, type) : NULL;
    if (!block)
        return hm_generational_new(m, type, type->slots);
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += hm_generational_bytes(type, type->slots);
    if (hm_is_leaf(type))
        return hm_object_init(block, type, 1, type->slots);
    return hm_generational_init_container(m, block, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_generational_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_rc_immortalize(&m->rc, object);
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    return hm_generational_collect(m, generation);
}

#endif

/* The mutator's half of `refcount:count=atomic`: any thread counts, by atomic operations on one count.
 *
 * An immortal's count is looked at and never written, so that threads which share it do not take the
 * cache line from each other. */
#ifndef HM_COLLECTORS_REFCOUNT_ATOMIC_H
#define HM_COLLECTORS_REFCOUNT_ATOMIC_H

#include "collectors/collector.h"

#define HM_RC_COUNTING
#include "collectors/rc.h"

#define HM_REFCOUNT(name)       hm_refcount_atomic_##name
#define HM_REFCOUNT_FRONT_BYTES 0

struct hm_mutator {
    struct hm_rc rc;
    struct hm_gc *gc;
    unsigned number;
};

/* Relaxed: an immortal never becomes mortal; who misses that it has just become one counts once
 * more, below its bit. */
static inline bool hm_rc_is_immortal(const struct hm_object *object) {
    return __atomic_load_n(&object->count, __ATOMIC_RELAXED) & HM_IMMORTAL;
}

/* Relaxed: the caller owns a reference, so that the object lives whatever others see, and in what
 * order; that others see the new reference's count before it is given up is so by the order of
 * changes to one variable. */
static inline void hm_rc_count_up(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    if (!hm_rc_is_immortal(object))
        __atomic_fetch_add(&object->count, 1, __ATOMIC_RELAXED);
}

/* Release: what this thread did to the object comes before its end. Acquire, for the last one: the
 * end comes after what all others did, as each of their releases is in the sequence that this load
 * reads the end of. A load, because the thread sanitizer knows no fences. */
static inline bool hm_rc_count_down(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    if (hm_rc_is_immortal(object))
        return false;
    if (__atomic_fetch_sub(&object->count, 1, __ATOMIC_RELEASE) != 1)
        return false;
    (void)__atomic_load_n(&object->count, __ATOMIC_ACQUIRE);
    return true;
}

static inline void hm_rc_count_anew(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    object->count = 1;
}

static inline uint32_t hm_rc_count(const struct hm_object *object) {
    return __atomic_load_n(&object->count, __ATOMIC_RELAXED);
}

/* Two threads may try at the same time; one of them is told that it did. */
static inline bool hm_rc_make_immortal(struct hm_object *object) {
    return !(__atomic_fetch_or(&object->count, HM_IMMORTAL, __ATOMIC_RELAXED) & HM_IMMORTAL);
}

static inline void hm_refcount_own(struct hm_mutator *m, void *block) {
    (void)m;
    (void)block;
}

#include "collectors/refcount_mutator.h"

#endif

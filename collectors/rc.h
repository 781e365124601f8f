/* What the collectors that count references have in common: the mutator's operations. rc_death.h has
 * the rest, which is not inlined into workloads.
 *
 * Invariant: `count` of a live object is the number of slots and variables that own a reference to
 * it, at most 2^32 - 1.
 *
 * A collector puts a `struct hm_rc rc` into its mutator, and supplies hm_rc_dead(). */
#ifndef HM_COLLECTORS_RC_H
#define HM_COLLECTORS_RC_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/weak.h"

struct hm_rc {
    struct hm_memory memory;
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
    uint64_t freed_objects;
    uint64_t freed_bytes;
};

/** The last reference to an object went: hm_rc_bury() it, out of line. */
static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object);

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    if (object)
        object->count++;
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    if (object && --object->count == 0)
        hm_rc_dead(m, object);
}

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    (void)m;
    hm_slots(object)[slot] = value;
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    struct hm_object *old = hm_slots(object)[slot];
    hm_retain(m, value);
    hm_slots(object)[slot] = value;
    hm_release(m, old);
}

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    (void)m;
    (void)variable;
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    (void)m;
    (void)count;
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

#endif

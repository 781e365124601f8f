/* References of collectors that keep no counts, in objects with our own layout: a store is a store, and
 * to own a reference is nothing. */
#ifndef HM_COLLECTORS_UNCOUNTED_H
#define HM_COLLECTORS_UNCOUNTED_H

#include "collectors/own_objects.h"

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    (void)m;
    hm_slots(object)[slot] = value;
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    (void)m;
    hm_slots(object)[slot] = value;
}

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

#endif

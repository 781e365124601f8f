/* The mutator's half of `refcount`: rc.h's counting and nothing else. */
#ifndef HM_COLLECTORS_REFCOUNT_H
#define HM_COLLECTORS_REFCOUNT_H

#include "collectors/collector.h"
#include "collectors/rc.h"

#include <errno.h>

struct hm_mutator {
    struct hm_rc rc;
};

/** Slow path: hm_rc_bury(). */
void hm_refcount_bury(struct hm_mutator *m, struct hm_object *object);

static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object) {
    hm_refcount_bury(m, object);
}

static inline struct hm_object *hm_refcount_new(struct hm_mutator *m, const struct hm_type *type,
                                                uint32_t length) {
    size_t bytes = hm_object_bytes(type, length);
    void *block = hm_malloc(&m->rc.memory, bytes);
    if (!block)
        return NULL;
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += bytes;
    return hm_object_init(block, type, 1, length);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_refcount_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_refcount_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)m;
    (void)generation;
    return 0;
}

#endif

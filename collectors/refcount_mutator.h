/* The mutator's half of `refcount`, whichever way it counts.
 *
 * Included by the header of each of them, which has defined HM_REFCOUNT(name), the names of its
 * functions; HM_REFCOUNT_FRONT_BYTES, what lies in front of an object's header; `struct hm_mutator`
 * with a `struct hm_rc rc`; and hm_refcount_own(), which fills in what lies in front. */
#ifndef HM_COLLECTORS_REFCOUNT_MUTATOR_H
#define HM_COLLECTORS_REFCOUNT_MUTATOR_H

#include "collectors/rc.h"

#include <errno.h>

/** Slow path: hm_rc_bury(). */
void HM_REFCOUNT(bury)(struct hm_mutator *m, struct hm_object *object);
/** Slow path of hm_new: no memory. Free what can be freed at once, and retry. */
struct hm_object *HM_REFCOUNT(retry)(struct hm_mutator *m, const struct hm_type *type,
                                     uint32_t length);

static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object) {
    HM_REFCOUNT(bury)(m, object);
}

static inline size_t hm_refcount_bytes(const struct hm_type *type, uint32_t length) {
    return HM_REFCOUNT_FRONT_BYTES + hm_object_bytes(type, length);
}

static inline void *hm_refcount_block(struct hm_object *object) {
    return (char *)object - HM_REFCOUNT_FRONT_BYTES;
}

/* Always inlined, so that a type that is known where it is used costs no more than what it needs. */
static inline __attribute__((always_inline)) struct hm_object *
hm_refcount_make(struct hm_mutator *m, void *block, const struct hm_type *type, uint32_t length) {
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += hm_refcount_bytes(type, length);
    hm_refcount_own(m, block);
    return hm_object_init((char *)block + HM_REFCOUNT_FRONT_BYTES, type, 1, length);
}

static inline __attribute__((always_inline)) struct hm_object *
hm_refcount_new(struct hm_mutator *m, const struct hm_type *type, uint32_t length) {
    void *block = hm_malloc(&m->rc.memory, hm_refcount_bytes(type, length));
    return block ? hm_refcount_make(m, block, type, length) : HM_REFCOUNT(retry)(m, type, length);
}

static inline __attribute__((always_inline)) struct hm_object *hm_new(struct hm_mutator *m,
                                                                      const struct hm_type *type) {
    void *block = type->kept ? hm_rc_reuse(&m->rc, type) : NULL;
    return block ? hm_refcount_make(m, block, type, type->slots)
                 : hm_refcount_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_refcount_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_rc_immortalize(&m->rc, object);
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)m;
    (void)generation;
    return 0;
}

#endif

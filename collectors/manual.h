/* The mutator's half of `manual`: an object lives until the workload disposes of it.
 *
 * What a workload costs here is its own work and the allocator's, with memory that is used again:
 * the lower bound of a collector that frees. Nothing is kept about an object, not even where it is,
 * so that the bound is as low as it can be. What nobody disposed of stays with the allocator and
 * goes with its heap.
 *
 * Invariant: a weak reference to an object that was disposed of is cleared, and its callback has
 * run; no other code of the program runs when an object goes. No finalizer does. */
#ifndef HM_COLLECTORS_MANUAL_H
#define HM_COLLECTORS_MANUAL_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/uncounted.h"
#include "collectors/untraced.h"
#include "collectors/weak.h"

#include <errno.h>

struct hm_mutator {
    struct hm_memory memory;
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
    uint64_t freed_objects;
    uint64_t freed_bytes;
};

/** Slow path of hm_dispose: weak references to it are cleared, and called; if it is one, it is
 *  unlinked. */
void hm_manual_take_leave(struct hm_mutator *m, struct hm_object *object);

static inline struct hm_object *hm_manual_new(struct hm_mutator *m, const struct hm_type *type,
                                              uint32_t length) {
    size_t bytes = hm_object_bytes(type, length);
    void *block = hm_malloc(&m->memory, bytes);
    if (!block)
        return NULL;
    m->allocated_objects++;
    m->allocated_bytes += bytes;
    return hm_object_init(block, type, 0, length);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_manual_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_manual_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)m;
    (void)generation;
    return 0;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    return true;
}

#define HM_NEVER_FINALIZES
#define HM_DISPOSES 1

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    const struct hm_type *type = object->type;
    if (type->weakable || type->weak)
        hm_manual_take_leave(m, object);
    m->freed_objects++;
    m->freed_bytes += hm_object_bytes(type, object->length);
    hm_free(&m->memory, object);
}

#endif

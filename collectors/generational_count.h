/* The counts of the generations, and the two old spaces of the policy `incremental`, for the .c files of
 * `generational`. */
#ifndef HM_COLLECTORS_GENERATIONAL_COUNT_H
#define HM_COLLECTORS_GENERATIONAL_COUNT_H

#include "collectors/generational.h"

/** Containers that live, or are kept by a free list. */
static inline int64_t heap_size(const struct hm_mutator *m) {
    return m->counted + m->generations[0].count;
}

static inline void zero_count(struct hm_mutator *m, int generation) {
    if (generation == 0)
        m->counted += m->generations[0].count;
    m->generations[generation].count = 0;
}

/** An object, container or leaf, is dead. */
static inline void count_freed(struct hm_mutator *m, const struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_object_bytes(object->type, object->length) +
                         (object->leaf ? 0 : sizeof(struct hm_gc_head));
}

/** A container is freed: count 0 falls, or else what it does not tell (PyObject_GC_Del). */
static inline void uncount(struct hm_mutator *m) {
    if (m->generations[0].count > 0)
        m->generations[0].count--;
    else
        m->counted--;
}

static inline struct hm_gc_head *visited_space(struct hm_mutator *m) {
    return &m->generations[1 + m->scavenge.visited].list;
}

static inline struct hm_gc_head *pending_space(struct hm_mutator *m) {
    return &m->generations[2 - m->scavenge.visited].list;
}

/** @return how many there are */
static inline int64_t mark_list(struct hm_gc_head *list, unsigned mark) {
    int64_t size = 0;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h), size++)
        hm_gc_object_of(h)->mark = mark & 1;
    return size;
}

#endif

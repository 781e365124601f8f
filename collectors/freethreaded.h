/* The mutator's half of `freethreaded`: biased counting, and tables in which the cycle collector finds the
 * containers.
 *
 * Words
 *   container   an object that is no leaf. It has a struct hm_tracked in front of what biased counting
 *               needs.
 *   table       of each mutator: the addresses of containers, in pages. Those that it has made are there, or
 *               in an entry that it has freed in another one's table.
 *   free entry  of which the container died. The mutator that freed it keeps it in a list, linked through
 *               the entries, whose lowest bit is set: nobody else touches an entry, so that tables need no
 *               lock. A collection closes the gaps, and the lists are empty then.
 *   pending     containers allocated less those freed by a mutator, which the common count does not know yet
 *
 * Invariant: each container has one entry, from its birth to its death, and names it. */
#ifndef HM_COLLECTORS_FREETHREADED_H
#define HM_COLLECTORS_FREETHREADED_H

#include "collectors/collector.h"

static inline void hm_biased_safepoint(struct hm_mutator *m);
#define HM_AT_SAFEPOINT(m) hm_biased_safepoint(m)
#define HM_RC_COUNTING
#include "collectors/object_log.h"
#include "collectors/rc.h"

#include <errno.h>

#define HM_FREETHREADED_BATCH 512

/* In front of struct hm_biased. */
struct hm_tracked {
    struct hm_object **entry;
    intptr_t work; /* of a collection */
};

struct hm_mutator {
    struct hm_rc rc;
    struct hm_log table;
    struct hm_object *free_entries; /* tagged; 0: none */
    int pending;
    bool collecting; /* a collection of ours is going on: another one does nothing */
    struct hm_gc *gc;
    unsigned number;
    char apart[128];            /* from what others write */
    struct hm_object *queue;    /* atomic: of its objects, to be merged; linked through `next` */
    struct hm_object *draining; /* what was taken from there, and is to be merged yet */
};

#define HM_BIASED(name) hm_freethreaded_##name
#include "collectors/biased.h"

/** Slow path of hm_release: the last reference went. */
void hm_freethreaded_bury(struct hm_mutator *m, struct hm_object *object);
/** Slow path of hm_new: tell the common count of a batch. Collects, if that is due and allowed. */
void hm_freethreaded_flush(struct hm_mutator *m);
/** Slow path of hm_new: the table is full. @return false with ENOMEM, even after a collection */
bool hm_freethreaded_extend(struct hm_mutator *m);
/** Slow path of hm_new: no memory. One collection and one retry. @return a block, and there is an entry for
 *  it; or NULL with ENOMEM */
void *hm_freethreaded_retry(struct hm_mutator *m, size_t bytes);
int64_t hm_freethreaded_collect(struct hm_mutator *m);

static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object) {
    hm_freethreaded_bury(m, object);
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_rc_immortalize(&m->rc, object);
}

static inline struct hm_tracked *hm_tracked_of(const struct hm_object *object) {
    return (struct hm_tracked *)(void *)hm_biased_of(object) - 1;
}

static inline size_t hm_freethreaded_front_bytes(const struct hm_type *type) {
    return sizeof(struct hm_biased) + (hm_is_leaf(type) ? 0 : sizeof(struct hm_tracked));
}

static inline size_t hm_freethreaded_bytes(const struct hm_type *type, uint32_t length) {
    return hm_freethreaded_front_bytes(type) + hm_object_bytes(type, length);
}

/** What an object takes, with its entry. */
static inline size_t hm_freethreaded_cost(const struct hm_type *type, uint32_t length) {
    return hm_freethreaded_bytes(type, length) +
           (hm_is_leaf(type) ? 0 : sizeof(struct hm_object *));
}

static inline void *hm_freethreaded_block(struct hm_object *object) {
    return (char *)object - hm_freethreaded_front_bytes(object->type);
}

/* ---- Entries ---- */

static inline bool hm_entry_is_free(const struct hm_object *entry) {
    return (uintptr_t)entry & 1;
}

static inline bool hm_freethreaded_has_entry(const struct hm_mutator *m) {
    return m->free_entries || !hm_log_is_full(&m->table);
}

/** Of a mutator that has one. */
static inline void hm_freethreaded_track(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object **entry = (struct hm_object **)((uintptr_t)m->free_entries & ~(uintptr_t)1);
    if (entry)
        m->free_entries = (uintptr_t)*entry == 1 ? NULL : *entry;
    else
        entry = m->table.next++;
    *entry = object;
    hm_tracked_of(object)->entry = entry;
}

/** The container is dead. */
static inline void hm_freethreaded_untrack(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object **entry = hm_tracked_of(object)->entry;
    *entry = (struct hm_object *)((uintptr_t)m->free_entries | 1);
    m->free_entries = (struct hm_object *)((uintptr_t)entry | 1);
}

/* ---- Allocation ---- */

static inline struct hm_object *hm_freethreaded_init(struct hm_mutator *m, char *block,
                                                     const struct hm_type *type, uint32_t length) {
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += hm_freethreaded_cost(type, length);
    struct hm_object *object =
        hm_object_init(block + hm_freethreaded_front_bytes(type), type, 1, length);
    hm_biased_own(m, hm_biased_of(object));
    if (!hm_is_leaf(type))
        hm_freethreaded_track(m, object);
    return object;
}

static inline void *hm_freethreaded_malloc(struct hm_mutator *m, const struct hm_type *type,
                                           uint32_t length) {
    size_t bytes = hm_freethreaded_bytes(type, length);
    if (!hm_is_leaf(type) && ++m->pending >= HM_FREETHREADED_BATCH)
        hm_freethreaded_flush(m);
    if (!hm_is_leaf(type) && !hm_freethreaded_has_entry(m) && !hm_freethreaded_extend(m))
        return NULL;
    void *block = hm_malloc(&m->rc.memory, bytes);
    return block ? block : hm_freethreaded_retry(m, bytes);
}

static inline struct hm_object *hm_freethreaded_new(struct hm_mutator *m,
                                                    const struct hm_type *type, uint32_t length) {
    void *block = hm_freethreaded_malloc(m, type, length);
    return block ? hm_freethreaded_init(m, block, type, length) : NULL;
}

/* What a free list gives needs an entry, too. */
static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    void *block = NULL;
    if (type->kept && (hm_is_leaf(type) || hm_freethreaded_has_entry(m)))
        block = hm_rc_reuse(&m->rc, type);
    return block ? hm_freethreaded_init(m, block, type, type->slots)
                 : hm_freethreaded_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_freethreaded_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)generation;
    return hm_freethreaded_collect(m);
}

#endif

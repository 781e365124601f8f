/* The mutator's half of `trial`: rc.h's counting, and the buffer of possible roots of cycles.
 *
 * Words
 *   container      an object that is no leaf. It has a struct hm_gc_head in front, which is used only
 *                  while the object is on a list.
 *   suspect        a container that lost a reference and lives on: all of a cycle may have become
 *                  garbage with that. It is purple, and on the list of suspects.
 *   colour         two bits of `mark`, as in the paper. Black: in use. Purple: a suspect. Gray and white:
 *                  member of what a collection looks at; trial_deduce.h. Leaves are its green objects,
 *                  and stay black.
 *   fresh          no slot has held the object yet, so that nothing can reach it: what is stored into it
 *                  closes no cycle. A colour of its own: purple without `listed`.
 *   listed         a bit of `mark`: the object is on some list. So one that dies is taken off at once,
 *                  and freed at once: the paper's `buffered` objects wait for the next collection.
 *
 * The list goes through the objects, so that neither it nor any traversal takes memory. */
#ifndef HM_COLLECTORS_TRIAL_H
#define HM_COLLECTORS_TRIAL_H

#include "collectors/collector.h"
#include "collectors/generational_list.h"
#include "collectors/whole.h"

enum hm_trial_mark {
    HM_TRIAL_BLACK,
    HM_TRIAL_PURPLE,
    HM_TRIAL_FRESH = HM_TRIAL_PURPLE, /* all of `mark` */
    HM_TRIAL_GRAY,
    HM_TRIAL_WHITE,
    HM_TRIAL_COLOUR = 3,
    HM_TRIAL_LISTED = 4,
};

static inline void hm_trial_gained(struct hm_object *object);
static inline void hm_trial_outlived(struct hm_mutator *m, struct hm_object *object);
static inline void hm_trial_handed_over(struct hm_mutator *m, struct hm_object *object,
                                        struct hm_object *value);

#define HM_RC_GAINED(m, object)             hm_trial_gained(object)
#define HM_RC_OUTLIVED(m, object)           hm_trial_outlived(m, object)
#define HM_RC_HANDED_OVER(m, object, value) hm_trial_handed_over(m, object, value)
#include "collectors/rc.h"

#include <errno.h>

struct hm_mutator {
    struct hm_rc rc;
    struct hm_gc_head suspects;
    uint64_t suspected;   /* how many are on the list, but during a collection at least as many */
    uint64_t limit;       /* an allocation collects when there are more */
    uint64_t fixed_limit; /* the parameter; 0: the limit follows from each collection */
    struct hm_whole whole;
};

/** Slow path of hm_release: the count fell to 0. */
void hm_trial_bury(struct hm_mutator *m, struct hm_object *object);
/** Slow path of hm_new: more suspects than the limit. Collects, if that is allowed. */
void hm_trial_overflow(struct hm_mutator *m);
/** Slow path of hm_new: no memory. One collection and one retry. @return a block or NULL */
void *hm_trial_retry(struct hm_mutator *m, size_t bytes);
int64_t hm_trial_collect(struct hm_mutator *m);

/* Whoever can still be referred to anew is in use. A leaf is black already. */
static inline void hm_trial_gained(struct hm_object *object) {
    object->mark &= HM_TRIAL_LISTED;
}

/** Put an object that is on no list at the end of one. */
static inline void hm_trial_enlist(struct hm_gc_head *list, struct hm_object *object) {
    struct hm_gc_head *head = hm_gc_head_of(object);
    head->prev = 0;
    hm_gc_list_append(list, head);
}

static inline void hm_trial_outlived(struct hm_mutator *m, struct hm_object *object) {
    if (object->leaf || object->mark == (HM_TRIAL_PURPLE | HM_TRIAL_LISTED))
        return;
    if (!(object->mark & HM_TRIAL_LISTED)) {
        hm_trial_enlist(&m->suspects, object);
        m->suspected++;
    }
    object->mark = HM_TRIAL_PURPLE | HM_TRIAL_LISTED;
}

/* A slot gains the reference that a variable loses. */
static inline void hm_trial_handed_over(struct hm_mutator *m, struct hm_object *object,
                                        struct hm_object *value) {
    if (!value)
        return;
    hm_trial_gained(value);
    if (object->mark != HM_TRIAL_FRESH)
        hm_trial_outlived(m, value);
}

static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object) {
    hm_trial_bury(m, object);
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_rc_immortalize(&m->rc, object);
}

static inline size_t hm_trial_head_bytes(const struct hm_type *type) {
    return hm_is_leaf(type) ? 0 : sizeof(struct hm_gc_head);
}

static inline size_t hm_trial_bytes(const struct hm_type *type, uint32_t length) {
    return hm_object_bytes(type, length) + hm_trial_head_bytes(type);
}

static inline struct hm_object *hm_trial_init(struct hm_mutator *m, char *block,
                                              const struct hm_type *type, uint32_t length) {
    m->rc.allocated_objects++;
    m->rc.allocated_bytes += hm_trial_bytes(type, length);
    struct hm_object *object = hm_object_init(block + hm_trial_head_bytes(type), type, 1, length);
    object->mark = hm_is_leaf(type) ? HM_TRIAL_BLACK : HM_TRIAL_FRESH;
    return object;
}

static inline struct hm_object *hm_trial_new(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    size_t bytes = hm_trial_bytes(type, length);
    if (m->suspected > m->limit)
        hm_trial_overflow(m);
    char *block = hm_malloc(&m->rc.memory, bytes);
    if (!block && !(block = hm_trial_retry(m, bytes)))
        return NULL;
    return hm_trial_init(m, block, type, length);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    char *block = type->kept ? hm_rc_reuse(&m->rc, type) : NULL;
    return block ? hm_trial_init(m, block, type, type->slots) : hm_trial_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_trial_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)generation;
    return hm_trial_collect(m);
}

#endif

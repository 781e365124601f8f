/* What collections need not look at any more: it leaves the lists of the generations. For
 * generational.c, which has the words. */
#ifndef HM_COLLECTORS_GENERATIONAL_RETIRE_H
#define HM_COLLECTORS_GENERATIONAL_RETIRE_H

#include "collectors/generational.h"

/* Whether an object is on a list of a generation, or could come back to one. Of containers, only
 * immutable ones are ever untracked. */
static bool may_be_tracked(struct hm_object *object) {
    return !object->leaf && (!object->type->immutable || hm_gc_is_tracked(hm_gc_head_of(object)));
}

/* A slot that is NULL may still be set. (_PyTuple_MaybeUntrack) */
static bool can_be_untracked(struct hm_object *object) {
    if (!object->type->immutable)
        return false;
    for (uint32_t i = 0; i < object->length; i++)
        if (!hm_slots(object)[i] || may_be_tracked(hm_slots(object)[i]))
            return false;
    return true;
}

/* One that holds another has to wait for the next collection if it comes first in the list
 * (untrack_tuples). @return how many are left out from now on */
static uint64_t untrack_immutable(struct hm_mutator *m, struct hm_gc_head *list) {
    uint64_t untracked = 0;
    struct hm_gc_head *next;
    if (!m->untracks)
        return 0;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = next) {
        next = hm_gc_next(h);
        if (can_be_untracked(hm_gc_object_of(h))) {
            hm_gc_untrack(h);
            untracked++;
        }
    }
    return untracked;
}

/* Immortal containers become permanent, as in update_refs of CPython 3.12 and later; there is no pass
 * when there is no new one. An immortal counts as a reference from outside either way. */
static void retire_immortals(struct hm_mutator *m, struct hm_gc_head *list) {
    struct hm_gc_head *next;
    if (m->policy < HM_POLICY_313 || !m->rc.immortal_containers)
        return;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = next) {
        next = hm_gc_next(h);
        if (!(hm_gc_object_of(h)->count & HM_IMMORTAL))
            continue;
        hm_gc_object_of(h)->mark = m->scavenge.visited & 1;
        hm_gc_list_move(h, &m->permanent);
        m->rc.immortal_containers--;
    }
}

#endif

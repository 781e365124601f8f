/* Finding garbage by trial deletion, for trial.c: the phases of Bacon and Rajan 2001, section 3, on lists
 * instead of by recursion, so that they take neither stack nor memory.
 *
 * Words
 *   set         the containers that are looked at: gray or white, and on a list. All that the suspects
 *               reach (MarkGray), or, when finalizers have run, what was garbage before.
 *   internal    a reference from a member of the set to a member. Trial deletion takes all internal
 *               references off the counts; what keeps some is held from outside.
 *   gray        at first all of the set; after the scan those that outside holds, directly or through
 *               others: they have the references from each other back
 *   white       after the scan: garbage, without a reference left (so they are not taken off twice
 *               when it is freed); and until restore_counts(), what garbage refers to lacks them */
#ifndef HM_COLLECTORS_TRIAL_DEDUCE_H
#define HM_COLLECTORS_TRIAL_DEDUCE_H

#include "collectors/trial.h"

static enum hm_trial_mark colour_of(const struct hm_object *object) {
    return object->mark & HM_TRIAL_COLOUR;
}

static void paint(struct hm_object *object, enum hm_trial_mark colour) {
    object->mark = (colour | HM_TRIAL_LISTED) & 7u;
}

static bool is_member(const struct hm_object *object) {
    return object->mark & HM_TRIAL_GRAY & HM_TRIAL_WHITE;
}

/* Always inlined with a constant `visit`, so that an edge between slots is no call. */
static inline __attribute__((always_inline)) void visit_all(struct hm_gc_head *head,
                                                            hm_visit_fn *visit, void *arg) {
    struct hm_object *object = hm_gc_object_of(head);
    if (object->type->traverse) {
        object->type->traverse(object, visit, arg);
        return;
    }
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length; i < n; i++)
        if (slots[i])
            visit(slots[i], arg);
}

/* ---- The set ---- */

static void include(struct hm_gc_head *set, struct hm_object *object) {
    if (object->mark & HM_TRIAL_LISTED)
        hm_gc_list_move(hm_gc_head_of(object), set);
    else
        hm_trial_enlist(set, object);
    paint(object, HM_TRIAL_GRAY);
}

static inline int visit_gather(struct hm_object *object, void *set) {
    if (object->leaf)
        return 0;
    object->count--;
    if (!is_member(object))
        include(set, object);
    return 0;
}

/* MarkRoots and MarkGray: all that is reached from suspects that are still purple, with no internal
 * reference counted. The list of suspects is empty then. @return how many there are */
static uint64_t gather(struct hm_gc_head *suspects, struct hm_gc_head *set) {
    uint64_t size = 0;
    struct hm_gc_head *done = set;
    hm_gc_list_init(set);
    while (!hm_gc_list_empty(suspects)) {
        struct hm_gc_head *first = hm_gc_next(suspects);
        struct hm_object *object = hm_gc_object_of(first);
        if (colour_of(object) != HM_TRIAL_PURPLE) {
            hm_gc_list_unlink(first);
            object->mark = HM_TRIAL_BLACK;
            continue;
        }
        include(set, object);
        for (; hm_gc_next(done) != set; done = hm_gc_next(done), size++)
            visit_all(hm_gc_next(done), visit_gather, set);
    }
    return size;
}

static inline int visit_subtract(struct hm_object *object, void *arg) {
    (void)arg;
    if (is_member(object))
        object->count--;
    return 0;
}

/* The set is what is on a list, whatever colours the mutator has painted it meanwhile. */
static void subtract(struct hm_gc_head *set) {
    for (struct hm_gc_head *h = hm_gc_next(set); h != set; h = hm_gc_next(h))
        paint(hm_gc_object_of(h), HM_TRIAL_GRAY);
    for (struct hm_gc_head *h = hm_gc_next(set); h != set; h = hm_gc_next(h))
        visit_all(h, visit_subtract, NULL);
}

/* ---- The scan ---- */

static void hold(struct hm_gc_head *held, struct hm_object *object) {
    paint(object, HM_TRIAL_GRAY);
    hm_gc_list_move(hm_gc_head_of(object), held);
}

static inline int visit_held(struct hm_object *object, void *held) {
    if (!is_member(object))
        return 0;
    object->count++;
    if (colour_of(object) == HM_TRIAL_WHITE)
        hold(held, object);
    return 0;
}

/* ScanBlack, for all that is behind `done`. */
static void spread(struct hm_gc_head *held, struct hm_gc_head *done) {
    for (struct hm_gc_head *h = hm_gc_next(done); h != held; h = hm_gc_next(h))
        visit_all(h, visit_held, held);
}

/* ScanRoots: the set keeps the white ones, the others go to `held`. */
static void scan(struct hm_gc_head *set, struct hm_gc_head *held) {
    struct hm_gc_head *next;
    hm_gc_list_init(held);
    for (struct hm_gc_head *h = hm_gc_next(set); h != set; h = next) {
        struct hm_object *object = hm_gc_object_of(h);
        next = hm_gc_next(h);
        if (object->count)
            hm_gc_list_move(h, held);
        else
            paint(object, HM_TRIAL_WHITE);
    }
    spread(held, held);
}

/* What legacy finalizers need is held as from outside. @return how many there are */
static uint64_t hold_legacy(struct hm_gc_head *set, struct hm_gc_head *held) {
    uint64_t before = hm_gc_list_size(held);
    struct hm_gc_head *next, *done = hm_gc_prev(held);
    for (struct hm_gc_head *h = hm_gc_next(set); h != set; h = next) {
        next = hm_gc_next(h);
        if (hm_gc_object_of(h)->type->legacy_finalizer)
            hold(held, hm_gc_object_of(h));
    }
    spread(held, done);
    return hm_gc_list_size(held) - before;
}

static inline int visit_restore(struct hm_object *object, void *arg) {
    (void)arg;
    if (is_member(object))
        object->count++;
    return 0;
}

/* The references from garbage count again. The others must not be black yet. */
static void restore_counts(struct hm_gc_head *garbage) {
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h))
        visit_all(h, visit_restore, NULL);
}

/* ---- Back into use ---- */

static void acquit(struct hm_gc_head *held) {
    for (struct hm_gc_head *h = hm_gc_next(held); h != held; h = hm_gc_next(h))
        hm_gc_object_of(h)->mark = HM_TRIAL_BLACK;
    hm_gc_list_init(held);
}

/* The next collection is to look at them again. */
static void suspect(struct hm_mutator *m, struct hm_gc_head *list) {
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h))
        paint(hm_gc_object_of(h), HM_TRIAL_PURPLE);
    hm_gc_list_merge(list, &m->suspects);
}

#endif

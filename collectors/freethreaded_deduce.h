/* Finding garbage for freethreaded.c, while all other mutators are stopped. It takes neither memory nor stack.
 *
 * Words
 *   work       of a container, in a collection: at first its references, less those from other containers;
 *              once it is reached, the next one on the stack of those whose references are to be
 *              followed. Of garbage, the same once more, with the references from garbage.
 *   list       of garbage, linked through the queue's `next`: its counts are merged before that matters,
 *              and what is merged is never queued again
 *
 * Invariants
 *   Between collections no container has a flag.
 *   What has the flag GARBAGE is on a list of garbage, and no thread but the collecting one can reach it. */
#ifndef HM_COLLECTORS_FREETHREADED_DEDUCE_H
#define HM_COLLECTORS_FREETHREADED_DEDUCE_H

#include "collectors/biased_queue.h"

/* Of `mark`. */
enum flag {
    SEEN = 1,
    DUE = 1, /* of garbage: its finalizer is to run */
    REACHED = 2,
    GARBAGE = 4,
};

enum {
    TABLE_AHEAD = 8, /* containers whose headers are fetched in advance */
};

/* More references than there can be: of what is alive whoever holds it. */
#define HELD ((intptr_t)1 << 48)

struct list {
    struct hm_object *first, **end;
};

static void list_init(struct list *list) {
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(struct list *list, struct hm_object *object) {
    *list->end = object;
    list->end = &hm_biased_of(object)->next;
    *list->end = NULL;
}

static struct hm_object *list_next(const struct hm_object *object) {
    return hm_biased_of(object)->next;
}

/* ---- All containers ---- */

struct walk {
    const struct hm_gc *gc;
    unsigned number; /* of the mutator whose table it is in */
    struct hm_log_place at;
};

static void walk_into(struct walk *w) {
    w->at = hm_log_start(&hm_several_find(w->gc, w->number)->table);
}

static struct walk start_walk(const struct hm_gc *gc) {
    struct walk w = {.gc = gc, .number = 1};
    walk_into(&w);
    return w;
}

/* It may be a free entry: a number, to fetch by. */
static inline void fetch_ahead(const struct hm_log_place *at) {
    if (at->at + TABLE_AHEAD < hm_log_page_end(at->page))
        __builtin_prefetch(
            (const void *)((uintptr_t)at->at[TABLE_AHEAD] - sizeof(struct hm_biased)), 1);
}

/* @return NULL: that was all */
static inline struct hm_object *next_container(struct walk *w) {
    for (;;) {
        struct hm_object *object = hm_log_get(&hm_several_find(w->gc, w->number)->table, &w->at);
        if (object) {
            fetch_ahead(&w->at);
            w->at.at++;
            if (!hm_entry_is_free(object))
                return object;
        } else if (w->number == w->gc->used) {
            return NULL;
        } else {
            w->number++;
            walk_into(w);
        }
    }
}

/* Always inlined with a constant `visit`, so that an edge between slots is no call. */
static inline __attribute__((always_inline)) void visit_all(struct hm_object *object,
                                                            hm_visit_fn *visit, void *arg) {
    if (object->type->traverse) {
        object->type->traverse(object, visit, arg);
        return;
    }
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length; i < n; i++)
        if (slots[i])
            visit(slots[i], arg);
}

static intptr_t references(const struct hm_object *object) {
    return hm_rc_is_immortal(object) ? HELD : (intptr_t)hm_rc_count(object);
}

/* ---- The queues ---- */

/* Merges what one mutator has queued. A container that is dead is garbage like all that nothing holds, so that
 * garbage which hangs on it is found, too. A dead leaf gets a reference of ours, and goes to a list; so does
 * what has a legacy finalizer, which runs at a death, and would be uncollectable as garbage. */
static void merge_queued(struct hm_object *object, struct list *dead) {
    struct hm_object *next;
    for (; object; object = next) {
        next = list_next(object);
        if (!merge(object) || !(object->leaf || object->type->legacy_finalizer))
            continue;
        __atomic_store_n(&hm_biased_of(object)->word, HM_BIASED_ONE | HM_BIASED_MERGED,
                         __ATOMIC_RELAXED);
        list_append(dead, object);
    }
}

/* So that all that is dead dies in this collection, and garbage is nobody's own. */
static void merge_queues(const struct hm_gc *gc, struct list *dead) {
    for (unsigned number = 1; number <= gc->used; number++) {
        struct hm_mutator *m = hm_several_find(gc, number);
        struct hm_object *queue = __atomic_load_n(&m->queue, __ATOMIC_RELAXED);
        merge_queued(m->draining, dead);
        m->draining = NULL;
        if (!queue || queue == &closed)
            continue;
        merge_queued(queue, dead);
        __atomic_store_n(&m->queue, NULL, __ATOMIC_RELAXED);
    }
}

/* ---- Deducing ---- */

static inline struct hm_tracked *see(struct hm_object *object) {
    struct hm_tracked *front = hm_tracked_of(object);
    if (!object->mark) {
        object->mark = SEEN;
        front->work = 0;
    }
    return front;
}

static inline int visit_subtract(struct hm_object *object, void *arg) {
    (void)arg;
    if (!object->leaf)
        see(object)->work--;
    return 0;
}

/* Of each container: what nobody but other containers holds has 0 (update_refs and visit_decref of CPython).
 * @return how many there are */
static uint64_t count_outside(const struct hm_gc *gc) {
    uint64_t size = 0;
    struct hm_object *object;
    for (struct walk w = start_walk(gc); (object = next_container(&w)); size++) {
        see(object)->work += references(object);
        visit_all(object, visit_subtract, NULL);
    }
    return size;
}

static inline int visit_reach(struct hm_object *object, void *arg) {
    struct hm_object **top = arg;
    if (object->leaf || object->mark & REACHED)
        return 0;
    object->mark |= REACHED;
    hm_tracked_of(object)->work = (intptr_t)*top;
    *top = object;
    return 0;
}

static struct hm_object *pop(struct hm_object **top) {
    struct hm_object *object = *top;
    *top = (struct hm_object *)hm_tracked_of(object)->work; /* NOLINT(performance-no-int-to-ptr) */
    return object;
}

static void reach_all(const struct hm_gc *gc) {
    struct hm_object *object, *top = NULL;
    for (struct walk w = start_walk(gc); (object = next_container(&w));) {
        if (object->mark & REACHED || hm_tracked_of(object)->work == 0)
            continue;
        for (visit_reach(object, &top); top;)
            visit_all(pop(&top), visit_reach, &top);
    }
}

/* Closes the gaps in a table. What was not reached is garbage. @return how many were */
static uint64_t settle(struct hm_mutator *m, struct list *garbage) {
    uint64_t reached = 0;
    struct hm_object *object;
    struct hm_log_place from = hm_log_start(&m->table), to = from;
    for (; (object = hm_log_get(&m->table, &from)); from.at++) {
        fetch_ahead(&from);
        if (hm_entry_is_free(object))
            continue;
        hm_log_put(&to, object);
        hm_tracked_of(object)->entry = to.at - 1;
        reached += object->mark & REACHED ? 1 : 0;
        object->mark = object->mark & REACHED ? 0 : GARBAGE;
        if (object->mark)
            list_append(garbage, object);
    }
    if (to.page)
        hm_log_cut(&m->table, &m->rc.memory, to);
    m->free_entries = NULL;
    return reached;
}

static uint64_t settle_all(const struct hm_gc *gc, struct list *garbage) {
    uint64_t reached = 0;
    for (unsigned number = 1; number <= gc->used; number++)
        reached += settle(hm_several_find(gc, number), garbage);
    return reached;
}

/* ---- What is no garbage, after all ---- */

static inline int visit_acquit(struct hm_object *object, void *arg) {
    struct hm_object **top = arg;
    if (object->leaf || !(object->mark & GARBAGE))
        return 0;
    object->mark = 0;
    hm_tracked_of(object)->work = (intptr_t)*top;
    *top = object;
    return 0;
}

/* An object of the garbage, and all of it that it reaches. */
static void acquit(struct hm_object *object) {
    struct hm_object *top = NULL;
    for (visit_acquit(object, &top); top;)
        visit_all(pop(&top), visit_acquit, &top);
}

/* What was acquitted goes to a list of its own. @return how many these are */
static uint64_t set_apart(struct list *garbage, struct list *acquitted) {
    uint64_t size = 0;
    struct hm_object *next, *object = garbage->first;
    list_init(garbage);
    for (; object; object = next) {
        next = list_next(object);
        list_append(object->mark & GARBAGE ? garbage : acquitted, object);
        size += object->mark & GARBAGE ? 0 : 1;
    }
    return size;
}

/* Objects with a legacy finalizer, and all that they reach. @return how many are kept so */
static uint64_t keep_legacy(struct list *garbage) {
    struct list kept;
    list_init(&kept);
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        if (o->type->legacy_finalizer)
            acquit(o);
    return set_apart(garbage, &kept);
}

static inline int visit_subtract_garbage(struct hm_object *object, void *arg) {
    (void)arg;
    if (!object->leaf && object->mark & GARBAGE)
        hm_tracked_of(object)->work--;
    return 0;
}

/* What the finalizers brought back: somebody but garbage, and us, holds it. */
static void find_resurrected(struct list *garbage, struct list *resurrected) {
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        hm_tracked_of(o)->work = references(o) - 1;
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        visit_all(o, visit_subtract_garbage, NULL);
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        if (o->mark & GARBAGE && hm_tracked_of(o)->work != 0)
            acquit(o);
    set_apart(garbage, resurrected);
}

#endif

/* Finding what is unreachable among the containers of one list: the three passes of CPython 3.11's
 * deduce_unreachable (Modules/gcmodule.c). For generational.c, which has the words. */
#ifndef HM_COLLECTORS_GENERATIONAL_DEDUCE_H
#define HM_COLLECTORS_GENERATIONAL_DEDUCE_H

#include "collectors/generational.h"

struct deduced {
    uint64_t examined;
    uint64_t unreachable;
};

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

/* @return how many there are */
static uint64_t update_refs(struct hm_gc_head *list) {
    uint64_t size = 0;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h), size++)
        h->prev = (uintptr_t)hm_gc_object_of(h)->count << HM_GC_REFS_SHIFT | HM_GC_COLLECTING;
    return size;
}

static inline int visit_subtract(struct hm_object *object, void *arg) {
    (void)arg;
    if (object->leaf)
        return 0;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (head->prev & HM_GC_COLLECTING)
        head->prev -= (uintptr_t)1 << HM_GC_REFS_SHIFT;
    return 0;
}

static void subtract_refs(struct hm_gc_head *list) {
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h))
        visit_all(hm_gc_object_of(h), visit_subtract, NULL);
}

static void set_one_ref(struct hm_gc_head *head) {
    head->prev = (uintptr_t)1 << HM_GC_REFS_SHIFT | HM_GC_COLLECTING;
}

/* Whatever a reachable object refers to is reachable. COLLECTING is off for other generations, and
 * for what move_unreachable has passed and kept. */
static inline int visit_reachable(struct hm_object *object, void *arg) {
    struct hm_gc_head *young = arg;
    if (object->leaf)
        return 0;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (!(head->prev & HM_GC_COLLECTING))
        return 0;
    if (head->next & HM_GC_UNREACHABLE) {
        hm_gc_prev(head)->next = head->next; /* the list of the unreachable has the flag in all */
        hm_gc_set_prev(hm_gc_next(head), hm_gc_prev(head));
        hm_gc_list_append(young, head);
        set_one_ref(head);
    } else if (head->prev >> HM_GC_REFS_SHIFT == 0) {
        set_one_ref(head);
    }
    return 0;
}

/* The head goes from behind `prev` to the end of the unreachable, for the time being. */
static void set_aside(struct hm_gc_head *prev, struct hm_gc_head *head,
                      struct hm_gc_head *unreachable) {
    struct hm_gc_head *last = hm_gc_prev(unreachable);
    prev->next = head->next;
    last->next = (uintptr_t)head | HM_GC_UNREACHABLE;
    hm_gc_set_prev(head, last);
    head->next = (uintptr_t)unreachable | HM_GC_UNREACHABLE;
    unreachable->prev = (uintptr_t)head;
}

/* Before: all of young is COLLECTING, with refs for prev. After: young is doubly linked again, without
 * COLLECTING; unreachable has the rest, COLLECTING and UNREACHABLE, in the order of young but for
 * what came back. */
static void move_unreachable(struct hm_gc_head *young, struct hm_gc_head *unreachable) {
    struct hm_gc_head *prev = young;
    for (struct hm_gc_head *h = hm_gc_next(young); h != young; h = hm_gc_next(prev)) {
        if (h->prev >> HM_GC_REFS_SHIFT == 0) {
            set_aside(prev, h, unreachable);
            continue;
        }
        visit_all(hm_gc_object_of(h), visit_reachable, young);
        h->prev = (uintptr_t)prev;
        prev = h;
    }
    young->prev = (uintptr_t)prev;
    unreachable->next &= ~HM_GC_UNREACHABLE;
}

/* @return how many there are */
static uint64_t clear_unreachable_flag(struct hm_gc_head *list) {
    uint64_t size = 0;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h), size++)
        h->next &= ~HM_GC_UNREACHABLE;
    return size;
}

/* Leaves in `list` what is reachable from outside of it; the rest goes to `unreachable`. */
static struct deduced deduce_unreachable(struct hm_gc_head *list, struct hm_gc_head *unreachable) {
    struct deduced n;
    hm_gc_list_init(unreachable);
    n.examined = update_refs(list);
    subtract_refs(list);
    move_unreachable(list, unreachable);
    n.unreachable = clear_unreachable_flag(unreachable);
    return n;
}

#endif

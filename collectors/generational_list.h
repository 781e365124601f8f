/* The lists of `generational`, and the head in front of each container that links it into one.
 *
 * As PyGC_Head of CPython 3.11 (pycore_gc.h): two words, with flags in the low bits.
 *   next   bit 0 UNREACHABLE: tentatively found to be garbage.
 *   prev   bit 1 COLLECTING: belongs to the generation that is being collected, and its references
 *          are not all found yet. The bits above: the previous head, or, while COLLECTING and on the
 *          list that is examined, the references that are not accounted for (`refs`).
 * Where CPython keeps FINALIZED (bit 0 of prev) we have `finalized` in the object, leaves included.
 *
 * A list is circular around a head that is no object. The head of an untracked object, which is on no
 * list, is a list of its own, so that it can be unlinked like any other. */
#ifndef HM_COLLECTORS_GENERATIONAL_LIST_H
#define HM_COLLECTORS_GENERATIONAL_LIST_H

#include "collectors/object.h"

struct hm_gc_head {
    uintptr_t next;
    uintptr_t prev;
};

#define HM_GC_UNREACHABLE ((uintptr_t)1)
#define HM_GC_COLLECTING  ((uintptr_t)2)
#define HM_GC_REFS_SHIFT  2
#define HM_GC_FLAGS       ((uintptr_t)3)

static inline struct hm_gc_head *hm_gc_head_of(struct hm_object *object) {
    return (struct hm_gc_head *)(void *)object - 1;
}

static inline struct hm_object *hm_gc_object_of(struct hm_gc_head *head) {
    return (struct hm_object *)(void *)(head + 1);
}

static inline struct hm_gc_head *hm_gc_next(const struct hm_gc_head *head) {
    return (struct hm_gc_head *)(head->next & ~HM_GC_FLAGS);
}

static inline struct hm_gc_head *hm_gc_prev(const struct hm_gc_head *head) {
    return (struct hm_gc_head *)(head->prev & ~HM_GC_FLAGS);
}

/** Set the link and keep the flags. */
static inline void hm_gc_set_prev(struct hm_gc_head *head, struct hm_gc_head *prev) {
    head->prev = (head->prev & HM_GC_FLAGS) | (uintptr_t)prev;
}

static inline void hm_gc_list_init(struct hm_gc_head *list) {
    list->next = list->prev = (uintptr_t)list;
}

static inline bool hm_gc_list_empty(const struct hm_gc_head *list) {
    return hm_gc_next(list) == list;
}

static inline bool hm_gc_is_tracked(const struct hm_gc_head *head) {
    return hm_gc_next(head) != head;
}

static inline void hm_gc_list_append(struct hm_gc_head *list, struct hm_gc_head *head) {
    struct hm_gc_head *last = hm_gc_prev(list);
    hm_gc_set_prev(head, last);
    last->next = (uintptr_t)head;
    head->next = (uintptr_t)list;
    list->prev = (uintptr_t)head;
}

/** Take a head out of its list. Its own links stay as they are. */
static inline void hm_gc_list_unlink(struct hm_gc_head *head) {
    struct hm_gc_head *next = hm_gc_next(head);
    hm_gc_prev(head)->next = (uintptr_t)next;
    hm_gc_set_prev(next, hm_gc_prev(head));
}

static inline void hm_gc_untrack(struct hm_gc_head *head) {
    hm_gc_list_unlink(head);
    hm_gc_list_init(head);
}

static inline void hm_gc_list_move(struct hm_gc_head *head, struct hm_gc_head *to) {
    hm_gc_list_unlink(head);
    hm_gc_list_append(to, head);
}

static inline uint64_t hm_gc_list_size(const struct hm_gc_head *list) {
    uint64_t size = 0;
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h))
        size++;
    return size;
}

/** Append all of one list to another, and leave it empty. */
static inline void hm_gc_list_merge(struct hm_gc_head *from, struct hm_gc_head *to) {
    if (hm_gc_list_empty(from))
        return;
    struct hm_gc_head *last = hm_gc_prev(to);
    struct hm_gc_head *first = hm_gc_next(from);
    last->next = (uintptr_t)first;
    hm_gc_set_prev(first, last);
    last = hm_gc_prev(from);
    last->next = (uintptr_t)to;
    to->prev = (uintptr_t)last;
    hm_gc_list_init(from);
}

#endif

/* Marking for `marksweep`: all objects that can be reached from those that are pushed.
 *
 * What is pushed goes to a stack; what leaves it waits in a short queue, while its header is fetched
 * (Cher, Hosking and Vitek 2004); what leaves the queue is marked, unless it was before, and its
 * references are pushed. So the stack may hold an object more than once.
 *
 * The stack takes pages from the allocator. When there are none, the object that was to be pushed and all
 * that only it reaches are marked by pointer reversal (Deutsch; Schorr and Waite 1967), which takes no
 * memory: marking can not fail.
 *
 * Every reference stands in a slot, so that the slots are read, and no `traverse` is called. */
#ifndef HM_COLLECTORS_MARKSWEEP_MARK_H
#define HM_COLLECTORS_MARKSWEEP_MARK_H

#include "collectors/marksweep.h"

enum {
    MARK_PAGE = 511,
    MARK_QUEUE = 16, /* a power of 2 */
};

/* As large as the 4 KiB that it fills. */
struct mark_page {
    struct mark_page *older;
    struct hm_object *objects[MARK_PAGE];
};

struct marker {
    const struct hm_memory *memory;
    uint32_t epoch;
    uint64_t marked;        /* objects, since it was opened */
    struct hm_object **top; /* in *page: where the next object goes */
    struct mark_page *page;
    struct mark_page *spare; /* one that was emptied, or NULL */
    struct hm_object *queue[MARK_QUEUE];
    struct mark_page base;
};

static void marker_open(struct marker *k, const struct hm_memory *memory, uint32_t epoch) {
    k->memory = memory;
    k->epoch = epoch;
    k->marked = 0;
    k->page = &k->base;
    k->base.older = k->spare = NULL;
    k->top = k->base.objects;
}

static void marker_close(struct marker *k) {
    hm_free(k->memory, k->spare);
}

/* ---- Pointer reversal ---- */

/* `mark` of an object whose slots are being gone through. Its count is the slot which holds the object
 * that led to it, instead of the one that it leads to. */
#define MARK_ON_PATH 1
/* Of garbage whose finalizer is about to run; not while anything is marked. */
#define MARK_DUE 2

static bool marker_has_seen(const struct marker *k, const struct hm_object *object) {
    return object->mark == MARK_ON_PATH || object->count == k->epoch;
}

/* Step into an object from the one on whose slot it is. */
static struct hm_object *descend(struct hm_object **slot, struct hm_object *parent) {
    struct hm_object *child = *slot;
    *slot = parent;
    child->mark = MARK_ON_PATH;
    child->count = 0;
    return child;
}

/* The object is marked, and so is all that it reaches: back to its parent. */
static struct hm_object *ascend(struct marker *k, struct hm_object *object,
                                struct hm_object **parent) {
    k->marked++;
    object->mark = 0;
    object->count = k->epoch;
    struct hm_object *back = *parent;
    if (back) {
        struct hm_object **slot = &hm_slots(back)[back->count++];
        *parent = *slot;
        *slot = object;
    }
    return back;
}

static void mark_by_reversal(struct marker *k, struct hm_object *object) {
    struct hm_object *parent = NULL;
    if (marker_has_seen(k, object))
        return;
    struct hm_object *start = object;
    object = descend(&start, NULL);
    while (object) {
        struct hm_object **slot = &hm_slots(object)[object->count];
        if (object->count == object->length) {
            object = ascend(k, object, &parent);
        } else if (*slot && !marker_has_seen(k, *slot)) {
            struct hm_object *child = descend(slot, parent);
            parent = object;
            object = child;
        } else {
            object->count++;
        }
    }
}

/* ---- The stack ---- */

/* @return false: there is no memory for another page */
static bool marker_grow(struct marker *k) {
    struct mark_page *page = k->spare ? k->spare : hm_malloc(k->memory, sizeof *page);
    if (!page)
        return false;
    k->spare = NULL;
    page->older = k->page;
    k->page = page;
    k->top = page->objects;
    return true;
}

static void marker_shrink(struct marker *k) {
    struct mark_page *page = k->page;
    hm_free(k->memory, k->spare);
    k->spare = page;
    k->page = page->older;
    k->top = k->page->objects + MARK_PAGE;
}

static inline void marker_push(struct marker *k, struct hm_object *object) {
    if (k->top == k->page->objects + MARK_PAGE && !marker_grow(k))
        mark_by_reversal(k, object);
    else
        *k->top++ = object;
}

/* @return NULL: the stack is empty */
static inline struct hm_object *marker_pop(struct marker *k) {
    if (k->top == k->page->objects) {
        if (k->page == &k->base)
            return NULL;
        marker_shrink(k);
    }
    return *--k->top;
}

/* ---- Marking ---- */

static inline void mark_object(struct marker *k, struct hm_object *object) {
    if (object->count == k->epoch)
        return;
    object->count = k->epoch;
    k->marked++;
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length; i < n; i++)
        if (slots[i])
            marker_push(k, slots[i]);
}

/* Mark all that is pushed, and all that it reaches. */
static void marker_run(struct marker *k) {
    unsigned in = 0, out = 0;
    for (;;) {
        struct hm_object *object;
        while (in - out < MARK_QUEUE && (object = marker_pop(k))) {
            __builtin_prefetch(object, 1);
            k->queue[in++ % MARK_QUEUE] = object;
        }
        if (in == out)
            return;
        mark_object(k, k->queue[out++ % MARK_QUEUE]);
    }
}

#endif

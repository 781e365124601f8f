/* Weak references, for collectors with our own object layout.
 *
 * A weak reference is an object like any other: it has one slot, for whatever its callback needs, and
 * can itself be referred to, be part of garbage, and die. Its payload names the target, which it does
 * not keep alive.
 *
 * Invariants
 *   `target` is NULL or a live object whose list, through `newer` and `older`, has this reference.
 *   A target's references are all cleared before the first callback runs, and before anything of the
 *   target is taken apart: a dying object can not be seen through one.
 *   A callback runs at most once, newest reference first, and only for a reference that lives.
 *
 * Source: CPython 3.11, Objects/weakrefobject.c (PyObject_ClearWeakRefs). */
#ifndef HM_COLLECTORS_WEAK_H
#define HM_COLLECTORS_WEAK_H

#include "collectors/own_objects.h"

struct hm_weak {
    struct hm_object *target;
    struct hm_object *newer, *older;
    hm_weak_fn *callback;
};

static const struct hm_type hm_weak_type = {
    .name = "weak reference", .slots = 1, .payload_bytes = sizeof(struct hm_weak), .weak = true};

static inline struct hm_weak *hm_weak_of(struct hm_object *reference) {
    return hm_payload(reference);
}

/** Make it the newest reference to its target. */
static inline void hm_weak_link(struct hm_object *reference, struct hm_object *target,
                                hm_weak_fn *callback) {
    struct hm_object **list = hm_weak_list(target);
    *hm_weak_of(reference) =
        (struct hm_weak){.target = target, .older = *list, .callback = callback};
    if (*list)
        hm_weak_of(*list)->newer = reference;
    *list = reference;
}

/** Clear one reference: it leaves its target's list, and has no target any more. */
static inline void hm_weak_unlink(struct hm_object *reference) {
    struct hm_weak *weak = hm_weak_of(reference);
    if (!weak->target)
        return;
    if (weak->newer)
        hm_weak_of(weak->newer)->older = weak->older;
    else
        *hm_weak_list(weak->target) = weak->older;
    if (weak->older)
        hm_weak_of(weak->older)->newer = weak->newer;
    weak->target = weak->newer = weak->older = NULL;
}

/** Clear all references to a target. @return those that have a callback, newest first, linked through
 *  `older`, each retained, for hm_weak_call(); NULL: none */
static inline struct hm_object *hm_weak_clear(struct hm_mutator *m, struct hm_object *target) {
    struct hm_object *first = NULL, *last = NULL, *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        if (!hm_weak_of(reference)->callback)
            continue;
        hm_retain(m, reference);
        if (last)
            hm_weak_of(last)->older = reference;
        else
            first = reference;
        last = reference;
    }
    return first;
}

/** Run the callback of a reference that is cleared; it will not run again. */
static inline void hm_weak_run(struct hm_mutator *m, struct hm_object *reference) {
    hm_weak_fn *callback = hm_weak_of(reference)->callback;
    hm_weak_of(reference)->callback = NULL;
    callback(m, reference);
}

/** Run the callbacks of cleared references. None of these is released before the last callback has
 *  run, and then the oldest first. */
static inline void hm_weak_call(struct hm_mutator *m, struct hm_object *reference) {
    struct hm_object *next, *called = NULL;
    for (; reference; reference = next) {
        next = hm_weak_of(reference)->older;
        hm_weak_of(reference)->older = called;
        called = reference;
        hm_weak_run(m, reference);
    }
    for (; called; called = next) {
        next = hm_weak_of(called)->older;
        hm_weak_of(called)->older = NULL;
        hm_release(m, called);
    }
}

static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback) {
    struct hm_object *reference = hm_new(m, &hm_weak_type);
    if (reference)
        hm_weak_link(reference, target, callback);
    return reference;
}

static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    struct hm_object *target = hm_weak_of(reference)->target;
    hm_retain(m, target);
    return target;
}

#endif

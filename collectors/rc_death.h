/* How objects die that lost their last reference; for the .c files of collectors that count.
 *
 * An object dies when its count falls to 0 and its finalizer, if it has one that has not run yet, does
 * not bring it back. From then on nobody else knows it, and its header is free for other use.
 *
 * Death is iterative, in the order of a recursion that goes through the slots from the first to the
 * last (as CPython's dealloc, which is saved from deep recursion by its trashcan). The dead objects
 * that still have slots to release are a stack, linked through their `type`; `count` is the next
 * slot. An object is freed before its last slot is followed, so that a list needs one element of
 * stack, and no object of it is touched twice.
 *
 * The collector supplies the functions that are declared first. */
#ifndef HM_COLLECTORS_RC_DEATH_H
#define HM_COLLECTORS_RC_DEATH_H

#include "collectors/rc.h"

/** The finalizer of a dying object is about to run: whoever looks for it must find it. */
static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object);
/** The object is dead: forget it. Its header is still whole. */
static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object);
/** Give back a forgotten object; of its header only `leaf` may be read. */
static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object);

/* Runs the finalizer of an object whose count is 0. @return whether it is dead after that */
static inline bool hm_rc_finalize(struct hm_mutator *m, struct hm_object *object) {
    if (!object->type->finalize || object->finalized)
        return true;
    hm_rc_will_finalize(m, object);
    object->finalized = true;
    object->count = 1;
    object->type->finalize(m, object);
    return --object->count == 0;
}

/* Steps through the slots of the dead. @return the next object that loses its last reference, or
 * NULL when all slots are released and all of the stack is freed */
static inline struct hm_object *hm_rc_next(struct hm_mutator *m, struct hm_object **stack) {
    while (*stack) {
        struct hm_object *top = *stack;
        struct hm_object *child = hm_load(top, top->count++);
        if (top->count == top->length) {
            *stack = (struct hm_object *)(uintptr_t)top->type;
            hm_rc_free(m, top);
        }
        if (child && --child->count == 0)
            return child;
    }
    return NULL;
}

/* The last that others hear of it: weak references to it are cleared, and their callbacks run; if it
 * is one itself, its target forgets it. */
static inline void hm_rc_take_leave(struct hm_mutator *m, struct hm_object *object) {
    if (object->type->weakable && *hm_weak_list(object))
        hm_weak_call(m, hm_weak_clear(m, object));
    else if (object->type->weak)
        hm_weak_unlink(object);
}

/** An object whose count fell to 0, and all that dies with it. Recursion is only that of finalizers
 *  which release other objects with finalizers. Takes no memory. */
static inline void hm_rc_bury(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *stack = NULL;
    do {
        if (!hm_rc_finalize(m, object))
            continue;
        hm_rc_take_leave(m, object);
        hm_rc_forget(m, object);
        if (object->length == 0) {
            hm_rc_free(m, object);
        } else {
            object->type = (const struct hm_type *)(uintptr_t)stack;
            stack = object;
        }
    } while ((object = hm_rc_next(m, &stack)));
}

#endif

/* How objects die that lost their last reference; for the .c files of collectors that count.
 *
 * What happens to an object whose count fell to 0, in this order (CPython 3.11's subtype_dealloc): its
 * finalizer runs, unless it has before, and may bring it back; from then on nobody else knows it, and
 * its header is free for other use, but for its type; the weak references to it are cleared, and their
 * callbacks run; its slots are released. A legacy finalizer comes after the callbacks.
 *
 * Death is iterative, in the order of a recursion that goes through the slots from the first to the
 * last (as CPython's dealloc, which is saved from deep recursion by its trashcan). The dead objects
 * that still have slots to release are a stack, linked through their first slot; `count` is the next
 * slot. An object is freed before its last slot is followed, so that a list needs one element of
 * stack, and no object of it is touched twice.
 *
 * The collector supplies the functions that are declared first. */
#ifndef HM_COLLECTORS_RC_DEATH_H
#define HM_COLLECTORS_RC_DEATH_H

#include "collectors/rc.h"

#include <assert.h>

/** The finalizer of a dying object is about to run: whoever looks for it must find it. */
static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object);
/** The object is dead: forget it, so that nobody finds it. It is still whole. */
static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object);
/** Give back a forgotten object; of its header only `type` and `leaf` may be read. */
static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object);

/* ---- Free lists ---- */

/** For hm_rc_free: put the block of a dead object on its type's free list. @return false: it is full, or
 *  the type has none */
static inline bool hm_rc_keep(struct hm_rc *rc, const struct hm_type *type, void *block) {
    if (__builtin_expect(!type->kept, 1))
        return false;
    struct hm_free_list *list = hm_rc_free_list(rc, type);
    assert(!type->variable && type->free_list >= 1 && type->free_list <= HM_FREE_LISTS);
    assert(!list->length || list->type == type);
    if (list->length >= type->kept)
        return false;
    memcpy(block, &list->first, sizeof list->first);
    list->first = block;
    list->type = type;
    list->length++;
    return true;
}

/** Give back all that is kept. @return how many containers were among it */
static inline int64_t hm_rc_empty_free_lists(struct hm_rc *rc) {
    int64_t containers = 0;
    for (struct hm_free_list *list = rc->free_lists; list < rc->free_lists + HM_FREE_LISTS;
         list++) {
        if (list->length && !hm_is_leaf(list->type))
            containers += list->length;
        while (list->length)
            hm_free(&rc->memory, hm_rc_reuse(rc, list->type));
    }
    return containers;
}

static inline void hm_rc_forget_notes(const struct hm_memory *memory, struct hm_rc_note *notes) {
    while (notes) {
        struct hm_rc_note *older = notes->older;
        hm_free(memory, notes);
        notes = older;
    }
}

/* ---- Dying ---- */

static inline void hm_rc_clear_weak(struct hm_mutator *m, struct hm_object *object) {
    if (object->type->weakable && *hm_weak_list(object))
        hm_weak_call(m, hm_weak_clear(m, object));
}

/* It is alive for the callbacks, so that a collection in one of them sees nothing special. Weak
 * references that the finalizer made go without theirs: they would see an object half dead. */
static inline bool hm_rc_finalize_legacy(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_count_anew(m, object);
    hm_rc_clear_weak(m, object);
    hm_rc_will_finalize(m, object);
    object->type->finalize(m, object);
    if (!hm_rc_lose(m, object))
        return false;
    while (object->type->weakable && *hm_weak_list(object))
        hm_weak_unlink(*hm_weak_list(object));
    return true;
}

/* Runs the finalizer of an object whose count is 0. @return whether it is dead after that */
static inline bool hm_rc_finalize(struct hm_mutator *m, struct hm_object *object) {
    if (object->type->legacy_finalizer)
        return hm_rc_finalize_legacy(m, object);
    if (object->finalized)
        return true;
    hm_rc_will_finalize(m, object);
    object->finalized = true;
    hm_rc_count_anew(m, object);
    object->type->finalize(m, object);
    return hm_rc_lose(m, object);
}

/* What a slot of a dead object held. @return it, if that was its last reference; else NULL */
static inline struct hm_object *hm_rc_lose_child(struct hm_mutator *m, struct hm_object *child) {
    return child && hm_rc_lose(m, child) ? child : NULL;
}

/* What will be looked at when all that dies with the slot before is freed. */
static inline void hm_rc_fetch(struct hm_object *object, uint32_t slot) {
    const struct hm_object *child = hm_slots(object)[slot];
    if (child)
        __builtin_prefetch(child, 1);
}

/* Starts to release the slots of a forgotten object, and frees it if no slot is left behind the first
 * one that holds something. @return the next object that lost its last reference, or NULL */
static inline struct hm_object *hm_rc_take_apart(struct hm_mutator *m, struct hm_object *object,
                                                 struct hm_object **stack) {
    struct hm_object **slots = hm_slots(object);
    uint32_t next = 0, length = object->length;
    struct hm_object *child = NULL;
    while (next < length && !child)
        child = slots[next++];
    if (next < length) {
        hm_rc_fetch(object, next);
        slots[0] = *stack;
        object->count = next;
        *stack = object;
    } else {
        hm_rc_free(m, object);
    }
    return hm_rc_lose_child(m, child);
}

/* Goes on with the slots of the dead. @return the next object that lost its last reference, or NULL
 * when all slots are released and all of the stack is freed */
static inline struct hm_object *hm_rc_next(struct hm_mutator *m, struct hm_object **stack) {
    while (*stack) {
        struct hm_object *top = *stack;
        struct hm_object *child = hm_slots(top)[top->count++];
        if (top->count == top->length) {
            *stack = hm_slots(top)[0];
            hm_rc_free(m, top);
        } else {
            hm_rc_fetch(top, top->count);
        }
        if ((child = hm_rc_lose_child(m, child)))
            return child;
    }
    return NULL;
}

/** An object whose count fell to 0, and all that dies with it. Recursion is only that of finalizers
 *  and callbacks which release other objects that have some. Takes no memory. */
static inline void hm_rc_bury(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *next, *stack = NULL;
    for (; object; object = next ? next : hm_rc_next(m, &stack)) {
        next = NULL;
        if (object->type->finalize && !hm_rc_finalize(m, object))
            continue;
        hm_rc_forget(m, object);
        if (object->type->weakable)
            hm_rc_clear_weak(m, object);
        else if (object->type->weak)
            hm_weak_unlink(object);
        next = hm_rc_take_apart(m, object, &stack);
    }
}

/** The same where it is known that no object there has a finalizer or weak references, or is one. */
static inline void hm_rc_bury_plain(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *next, *stack = NULL;
    for (; object; object = next ? next : hm_rc_next(m, &stack)) {
        hm_rc_forget(m, object);
        next = hm_rc_take_apart(m, object, &stack);
    }
}

#endif

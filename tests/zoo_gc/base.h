/* A small sound collector: reference counting, and a pass that finds cycles by counting references from
 * outside, in three generations. Each file of this folder includes it and is one animal: a plug-in that
 * is right but for what its macro seeds.
 *
 * Every object is on one list. One that has lost its last reference is taken off, and put on a stack
 * until its turn to die; so nothing recurses. A collection takes what it found off, too, and retains all
 * of it until the end: finalizers and callbacks may do what they like.
 *
 * All threads share one mutator, and each operation is under its lock, finalizers and callbacks included. */
#ifndef HM_TESTS_ZOO_GC_BASE_H
#define HM_TESTS_ZOO_GC_BASE_H

#define HM_COLLECTOR_HEADER "tests/zoo_gc/mutator.h"
#include "collectors/mutator.h"

#include <stdlib.h>

#ifdef ZOO_FINALIZER_TWICE
#define ZOO_MARKS_FINALIZED false
#else
#define ZOO_MARKS_FINALIZED true
#endif

struct hm_gc {
    struct hm_mutator mutator;
    unsigned announced, attached, used;
};

__thread unsigned zoo_self;
struct hm_object **zoo_roots[ZOO_THREADS_MAX][ZOO_ROOTS_MAX];
unsigned zoo_root_count[ZOO_THREADS_MAX];

static unsigned opened; /* collectors, so far */

static struct zoo_head *head_of(struct hm_object *object) {
    return (struct zoo_head *)(void *)object - 1;
}

static struct hm_object *object_of(struct zoo_head *head) {
    return (struct hm_object *)(void *)(head + 1);
}

static void list_begin(struct zoo_head *list) {
    list->next = list->prev = list;
}

static void list_add(struct zoo_head *list, struct zoo_head *head) {
    head->prev = list->prev;
    head->next = list;
    list->prev->next = head;
    list->prev = head;
}

static void list_remove(struct zoo_head *head) {
    head->prev->next = head->next;
    head->next->prev = head->prev;
}

static size_t bytes_of(const struct hm_type *type, uint32_t length) {
    return sizeof(struct zoo_head) + hm_object_bytes(type, length);
}

/* ---- Weak references ---- */

static void weak_unlink(struct hm_object *reference) {
    struct zoo_weak *weak = zoo_weak_of(reference);
    if (!weak->target)
        return;
    struct hm_object **at = hm_weak_list(weak->target);
    while (*at != reference)
        at = &zoo_weak_of(*at)->next;
    *at = weak->next;
    weak->target = weak->next = NULL;
}

/* Clear all references to a target. @return those to be called, retained, in front of `list` */
static struct hm_object *weak_clear(struct hm_mutator *m, struct hm_object *target,
                                    struct hm_object *list) {
    struct hm_object *reference;
    while (target->type->weakable && (reference = *hm_weak_list(target))) {
        struct zoo_weak *weak = zoo_weak_of(reference);
#ifdef ZOO_WEAK_KEPT
        *hm_weak_list(target) = weak->next;
#else
        weak_unlink(reference);
#endif
        if (!weak->callback)
            continue;
        hm_retain(m, reference);
        weak->next = list;
        list = reference;
    }
    return list;
}

static void weak_call(struct hm_mutator *m, struct hm_object *reference) {
    while (reference) {
        struct zoo_weak *weak = zoo_weak_of(reference);
        struct hm_object *next = weak->next;
        hm_weak_fn *callback = weak->callback;
        weak->next = NULL;
#ifndef ZOO_CALLBACK_TWICE
        weak->callback = NULL;
#else
        callback(m, reference);
#endif
#ifndef ZOO_CALLBACK_LOST
        callback(m, reference);
#else
        if (next)
            callback(m, reference);
#endif
        hm_release(m, reference);
        reference = next;
    }
}

/* ---- Death by count ---- */

static void free_object(struct hm_mutator *m, struct hm_object *object) {
#ifdef ZOO_STATS_WRONG
    m->stats.freed_objects += !object->leaf;
#else
    m->stats.freed_objects++;
#endif
    m->stats.freed_bytes += bytes_of(object->type, object->length);
    unsigned list = object->type->free_list ? object->type->free_list - 1u : 0;
    if (m->kept_count[list] >= object->type->kept) {
        hm_free(&m->memory, head_of(object));
        return;
    }
    head_of(object)->work = m->kept[list];
    m->kept[list] = head_of(object);
    m->kept_count[list]++;
}

static void run_finalizer(struct hm_mutator *m, struct hm_object *object) {
#ifdef ZOO_FINALIZER_AGAIN
    if (head_of(object)->maker != zoo_self)
        object->type->finalize(m, object);
#endif
    object->finalized = ZOO_MARKS_FINALIZED;
    object->type->finalize(m, object);
}

/* @return whether it is dead after that */
static bool finalize_dying(struct hm_mutator *m, struct hm_object *object) {
    if (!object->type->finalize || object->finalized)
        return true;
    list_add(&m->all, head_of(object));
    object->count = 1;
    run_finalizer(m, object);
    if (--object->count)
        return false;
    list_remove(head_of(object));
    return true;
}

/* A weak reference is dead from now on: it is not called any more. */
static void push_dead(struct zoo_head **stack, struct hm_object *object) {
#ifndef ZOO_CALLBACK_OF_DEAD
    if (object->type->weak)
        weak_unlink(object);
#endif
    list_remove(head_of(object));
    head_of(object)->work = *stack;
    *stack = head_of(object);
}

static void take_apart(struct hm_mutator *m, struct hm_object *object, struct zoo_head **stack) {
    struct hm_object *calls = weak_clear(m, object, NULL);
    weak_call(m, calls);
#ifdef ZOO_CLEAR_AT_DEATH
    if (object->type->clear)
        object->type->clear(m, object);
#endif
    for (uint32_t i = 0; i < object->length; i++) {
        struct hm_object *child = hm_slots(object)[i];
#ifdef ZOO_DEEP_DEATH
        (void)stack;
        hm_release(m, child);
#else
        if (child && --child->count == 0)
            push_dead(stack, child);
#endif
    }
    free_object(m, object);
}

void zoo_dead(struct hm_mutator *m, struct hm_object *object) {
    struct zoo_head *stack = NULL;
    push_dead(&stack, object);
    while (stack) {
        struct hm_object *next = object_of(stack);
        stack = stack->work;
#ifdef ZOO_FINALIZER_LATE
        for (uint32_t i = 0; i < next->length && next->type->finalize && !next->finalized; i++) {
            hm_release(m, hm_slots(next)[i]);
            hm_slots(next)[i] = NULL;
        }
#endif
        if (finalize_dying(m, next))
            take_apart(m, next, &stack);
    }
}

#include "tests/zoo_gc/collect.h"

/* ---- New objects ---- */

static void collect_if_due(struct hm_mutator *m) {
#ifdef ZOO_NEVER_OFF
    bool automatic = true;
#else
    bool automatic = m->automatic;
#endif
    int64_t live = (int64_t)(m->stats.allocated_objects - m->stats.freed_objects);
    if (automatic && m->thresholds[0] &&
        ++m->made > m->thresholds[0] + (live > 10000 ? live / 2 : 0))
        zoo_collect(m, m->stats.collections[0] % 10 == 9 ? 2 : 0);
}

static struct zoo_head *take_kept(struct hm_mutator *m, const struct hm_type *type) {
    struct zoo_head *head = type->kept ? m->kept[type->free_list - 1] : NULL;
    if (head) {
        m->kept[type->free_list - 1] = head->work;
        m->kept_count[type->free_list - 1]--;
    }
    return head;
}

static struct hm_object *make(struct hm_mutator *m, const struct hm_type *type, uint32_t length) {
    size_t bytes = bytes_of(type, length);
    collect_if_due(m);
    struct zoo_head *head = take_kept(m, type);
#ifdef ZOO_KEPT_DIRTY
    if (head) { /* nobody but its slots is as new */
        m->stats.allocated_objects++;
        m->stats.allocated_bytes += bytes;
        list_add(&m->all, head);
        object_of(head)->count = 1;
        memset(hm_slots(object_of(head)), 0, length * sizeof(struct hm_object *));
        return object_of(head);
    }
#endif
    if (!head)
        head = hm_malloc(&m->memory, bytes);
#ifndef ZOO_NO_RETRY
    if (!head) {
        zoo_collect(m, 2);
        head = hm_malloc(&m->memory, bytes);
    }
#endif
    if (!head) {
#ifdef ZOO_NO_ERRNO
        errno = EINVAL;
#endif
        return NULL;
    }
    *head = (struct zoo_head){.generation = 0, .maker = zoo_self};
    list_add(&m->all, head);
    m->stats.allocated_objects++;
    m->stats.allocated_bytes += bytes;
    struct hm_object *object = hm_object_init(head + 1, type, 1, length);
#ifdef ZOO_WRITES_BEHIND
    if (length == 4)
        ((char *)head)[bytes] = 0;
#endif
#ifdef ZOO_DIRTY
    if (length == 3)
        memset(hm_payload(object), 0xAB, type->payload_bytes);
#endif
    return object;
}

struct hm_object *zoo_new(struct hm_mutator *m, const struct hm_type *type, uint32_t length) {
    zoo_lock(m);
    struct hm_object *object = make(m, type, length);
    zoo_unlock(m);
    return object;
}

#include "tests/zoo_gc/descriptor.h"

#endif

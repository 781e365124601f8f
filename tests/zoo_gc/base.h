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

/* ---- Finding garbage ---- */

#define FOR_EACH_HEAD(list)                                                                        \
    for (struct zoo_head *head = (list)->next; head != (list); head = head->next)

static int look_at(struct hm_object *child, void *change) {
    if (head_of(child)->candidate)
        head_of(child)->refs += *(int64_t *)change;
    return 0;
}

static void look_at_children(struct hm_object *object, int64_t change) {
#ifndef ZOO_TRAVERSE_IGNORED
    if (object->type->traverse) {
        object->type->traverse(object, look_at, &change);
        return;
    }
#endif
    for (uint32_t i = 0; i < object->length; i++) {
        struct hm_object *child = hm_slots(object)[i];
#ifdef ZOO_SELF_LEAKS
        if (child == object)
            continue;
#endif
        if (child && head_of(child)->candidate)
            head_of(child)->refs += change;
    }
}

#ifdef ZOO_DEEP_MARK
static void reach(struct zoo_head *head, struct zoo_head **stack) {
    (void)stack;
    if (head->reached)
        return;
    head->reached = true;
    struct hm_object *object = object_of(head);
    for (uint32_t i = 0; i < object->length; i++)
        if (hm_slots(object)[i] && head_of(hm_slots(object)[i])->candidate)
            reach(head_of(hm_slots(object)[i]), stack);
}
#else
static void reach(struct zoo_head *head, struct zoo_head **stack) {
    if (head->reached)
        return;
    head->reached = true;
    head->work = *stack;
    *stack = head;
}
#endif

/* As if what only the third thread holds were held by nobody. */
static void forget_roots(const struct hm_mutator *m) {
    FOR_EACH_HEAD(&m->all) {
        for (unsigned i = 0; i < zoo_root_count[3]; i++)
            head->refs -= *zoo_roots[3][i] == object_of(head);
        if (head->refs < 0)
            head->refs = 0;
    }
}

/* Among the candidates of a list, who can be reached from outside of them. @param held references that
 *  the collection itself has to each */
static void deduce(struct hm_mutator *m, struct zoo_head *list, int64_t held) {
    struct zoo_head *stack = NULL;
    FOR_EACH_HEAD(list) {
#ifdef ZOO_IMMORTAL_GOES
        object_of(head)->count &= ~ZOO_IMMORTAL;
#endif
        head->refs = (int64_t)object_of(head)->count - held;
        head->reached = false;
        m->stats.visited += head->candidate;
    }
    FOR_EACH_HEAD(list) {
#ifdef ZOO_OLD_TO_YOUNG
        look_at_children(object_of(head), -1);
#else
        if (head->candidate)
            look_at_children(object_of(head), -1);
#endif
    }
#ifdef ZOO_ROOTS_FORGOTTEN
    if (held == 0)
        forget_roots(m);
#endif
    FOR_EACH_HEAD(list) {
        if (head->candidate && head->refs > 0)
            reach(head, &stack);
    }
    while (stack) {
        struct hm_object *object = object_of(stack);
        stack = stack->work;
        for (uint32_t i = 0; i < object->length; i++)
            if (hm_slots(object)[i] && head_of(hm_slots(object)[i])->candidate)
                reach(head_of(hm_slots(object)[i]), &stack);
    }
}

/* ---- Taking garbage apart ---- */

static void clear_weak_references(struct hm_mutator *m, struct zoo_head *garbage) {
    struct hm_object *calls = NULL;
#ifndef ZOO_CALLBACK_GARBAGE
    FOR_EACH_HEAD(garbage) {
        if (object_of(head)->type->weak)
            weak_unlink(object_of(head));
    }
#endif
#ifdef ZOO_WEAK_LATE
    FOR_EACH_HEAD(garbage)
    weak_call(m, weak_clear(m, object_of(head), NULL));
#endif
    FOR_EACH_HEAD(garbage)
    calls = weak_clear(m, object_of(head), calls);
    weak_call(m, calls);
}

static bool finalize_all(struct hm_mutator *m, struct zoo_head *garbage) {
    bool any = false;
#ifdef ZOO_FINALIZER_NEVER
    (void)m;
    (void)garbage;
    return any;
#endif
#ifdef ZOO_NO_ORDER
    if (opened % 2) {
        for (struct zoo_head *head = garbage->prev; head != garbage; head = head->prev)
            if (object_of(head)->type->finalize && !object_of(head)->finalized)
                run_finalizer(m, object_of(head));
        return true;
    }
#endif
    FOR_EACH_HEAD(garbage) {
        if (!object_of(head)->type->finalize || object_of(head)->finalized)
            continue;
        any = true;
        run_finalizer(m, object_of(head));
    }
    return any;
}

/* Who was brought back leaves the garbage. */
static void take_back(struct hm_mutator *m, struct zoo_head *garbage) {
    struct zoo_head *next;
    deduce(m, garbage, 1);
    for (struct zoo_head *head = garbage->next; head != garbage; head = next) {
        next = head->next;
        if (!head->reached)
            continue;
        list_remove(head);
        list_add(&m->all, head);
        head->candidate = false;
        head->generation = 2;
        object_of(head)->count--;
    }
}

static int64_t count_containers(struct zoo_head *garbage) {
    int64_t count = 0;
    FOR_EACH_HEAD(garbage)
    count += !object_of(head)->leaf;
    return count;
}

static void clear_all(struct hm_mutator *m, struct zoo_head *garbage) {
    FOR_EACH_HEAD(garbage) {
        struct hm_object *object = object_of(head);
        if (object->type->clear)
            object->type->clear(m, object);
        for (uint32_t i = 0; i < object->length; i++) {
            struct hm_object *old = hm_slots(object)[i];
            hm_slots(object)[i] = NULL;
            hm_release(m, old);
        }
    }
    while (garbage->next != garbage) {
        struct hm_object *object = object_of(garbage->next);
        object->finalized = object->type->finalize != NULL;
        hm_release(m, object);
    }
}

/* @return containers that were freed */
static int64_t bury(struct hm_mutator *m, struct zoo_head *garbage) {
    FOR_EACH_HEAD(garbage)
    object_of(head)->count++;
    clear_weak_references(m, garbage);
    int64_t before = count_containers(garbage);
    bool any = finalize_all(m, garbage);
#ifdef ZOO_RESURRECTED_FREED
    any = false;
#endif
    if (any)
        take_back(m, garbage);
    clear_weak_references(m, garbage);
    int64_t after = count_containers(garbage), found = after;
#ifdef ZOO_RESURRECTED_COUNTED
    found += before - after;
#endif
#ifdef ZOO_RESULT_WRONG
    found = before > 8 ? 8 : found;
#endif
    (void)before;
    clear_all(m, garbage);
    return found;
}

/* Take the unreached candidates off the list of all; the others grow older. */
static void sort_out(struct hm_mutator *m, int generation, struct zoo_head *garbage) {
    struct zoo_head *next;
    for (struct zoo_head *head = m->all.next; head != &m->all; head = next) {
        next = head->next;
        if (head->candidate && !head->reached) {
            list_remove(head);
            list_add(garbage, head);
            continue;
        }
        if (head->candidate && generation < 2)
            head->generation = (uint32_t)generation + 1;
        head->candidate = false;
#ifdef ZOO_COUNT_KEPT
        if (object_of(head)->length == 4 && head->refs == 0)
            object_of(head)->count++;
#endif
#ifdef ZOO_SLOT_LOST
        if (object_of(head)->length == 4 && hm_slots(object_of(head))[3]) {
            hm_slots(object_of(head))[3]->count--;
            hm_slots(object_of(head))[3] = NULL;
        }
#endif
#ifdef ZOO_WEAK_SURVIVOR
        if (object_of(head)->type->weakable && object_of(head)->leaf &&
            *hm_weak_list(object_of(head)))
            weak_unlink(*hm_weak_list(object_of(head)));
#endif
    }
}

static void choose(struct hm_mutator *m, int generation) {
    FOR_EACH_HEAD(&m->all)
    head->candidate = (int)head->generation <= generation;
}

static int64_t collect_now(struct hm_mutator *m, int generation) {
    struct zoo_head garbage;
    list_begin(&garbage);
    choose(m, generation);
    deduce(m, &m->all, 0);
#ifdef ZOO_PREMATURE
    FOR_EACH_HEAD(&m->all) {
        if (object_of(head)->length == 4 && object_of(head)->count == 1)
            head->reached = false;
    }
#endif
#ifdef ZOO_OOM_COLLECT
    void *stack = hm_malloc(&m->memory, 64);
    if (!stack) { /* as if it had been marked */
        FOR_EACH_HEAD(&m->all) {
            if (head->refs <= 0)
                head->reached = false;
        }
    }
    hm_free(&m->memory, stack);
#endif
    sort_out(m, generation, &garbage);
    return bury(m, &garbage);
}

static int64_t collect(struct hm_mutator *m, int generation) {
#ifndef ZOO_NESTED
    if (m->collecting)
        return 0;
#endif
    m->collecting = true;
    m->made = 0;
    m->events->pause_begin(m->events->arg, generation);
    uint64_t visited = m->stats.visited;
    int64_t found = collect_now(m, generation);
    m->stats.collections[generation]++;
    m->stats.collected += (uint64_t)found;
    m->events->pause_end(m->events->arg, generation, m->stats.visited - visited, (uint64_t)found);
    m->collecting = false;
    return found;
}

int64_t zoo_collect(struct hm_mutator *m, int generation) {
    zoo_lock(m);
    int64_t found = collect(m, generation);
    zoo_unlock(m);
    return found;
}

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

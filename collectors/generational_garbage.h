/* Doing away with what a collection found to be unreachable, as CPython 3.11's gc_collect_main does after
 * its deduce_unreachable (Modules/gcmodule.c). For generational.c, which has the words.
 *
 * In this order: what legacy finalizers need is set apart, and kept; all weak references to the rest are
 * cleared, and callbacks run; finalizers run; what they brought back goes to old; the others are
 * cleared, one by one in list order, and die of their counts; or, where that makes no difference that
 * could be seen, are freed at once.
 *
 * Invariants
 *   What is on a list of garbage is COLLECTING, up to the moment when it is freed or goes to old.
 *   No weak reference to garbage shows it to a callback or finalizer: all are cleared first.
 *
 * The passes that find nothing to do are left out: a survey of the garbage tells which. It takes no
 * memory but for the list of garbage that is kept. */
#ifndef HM_COLLECTORS_GENERATIONAL_GARBAGE_H
#define HM_COLLECTORS_GENERATIONAL_GARBAGE_H

#include "collectors/generational_count.h"
#include "collectors/generational_deduce.h"
#include "collectors/rc_death.h"

struct outcome {
    uint64_t collected;     /* garbage, and weak references that their callbacks let go of */
    uint64_t uncollectable; /* what legacy finalizers need */
};

/* What there is among garbage. */
enum trait {
    TRAIT_LEGACY = 1,
    TRAIT_WEAK = 2, /* weak references, or targets of some */
    TRAIT_FINALIZER = 4,
};

static bool has_weak_references(struct hm_object *object) {
    return object->type->weakable && *hm_weak_list(object);
}

/* Legacy ones have been set apart before that matters. */
static bool has_finalizer(const struct hm_object *object) {
    return object->type->finalize && !object->finalized;
}

/* Takes the flag UNREACHABLE off all of it. */
static unsigned survey(struct hm_gc_head *garbage) {
    unsigned traits = 0;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        h->next &= ~HM_GC_UNREACHABLE;
        traits |= object->type->legacy_finalizer ? TRAIT_LEGACY : 0u;
        traits |= object->type->weak || has_weak_references(object) ? TRAIT_WEAK : 0u;
        traits |= has_finalizer(object) ? TRAIT_FINALIZER : 0u;
    }
    return traits;
}

/* ---- Legacy finalizers ---- */

static int visit_set_apart(struct hm_object *object, void *arg) {
    if (object->leaf)
        return 0;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (head->prev & HM_GC_COLLECTING) {
        head->prev &= ~HM_GC_COLLECTING;
        hm_gc_list_move(head, arg);
    }
    return 0;
}

/* Objects with a legacy finalizer, and all that they reach (move_legacy_finalizers,
 * move_legacy_finalizer_reachable). */
static void set_legacy_apart(struct hm_gc_head *garbage, struct hm_gc_head *apart) {
    struct hm_gc_head *next;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = next) {
        next = hm_gc_next(h);
        if (hm_gc_object_of(h)->type->legacy_finalizer)
            visit_set_apart(hm_gc_object_of(h), apart);
    }
    for (struct hm_gc_head *h = hm_gc_next(apart); h != apart; h = hm_gc_next(h))
        visit_all(hm_gc_object_of(h), visit_set_apart, apart);
}

/* @return false: there is no memory to note it; then it stays as it is */
static bool save(struct hm_mutator *m, struct hm_object *object) {
    if (!hm_rc_remember(&m->rc, &m->garbage, object))
        return false;
    object->count++;
    m->garbage_count++;
    return true;
}

/* As in CPython, the first one that can not be noted ends the noting (handle_legacy_finalizers). */
static uint64_t keep_uncollectable(struct hm_mutator *m, struct hm_gc_head *apart,
                                   struct hm_gc_head *old) {
    uint64_t size = hm_gc_list_size(apart);
    for (struct hm_gc_head *h = hm_gc_next(apart); h != apart; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        if ((m->saves_all || object->type->legacy_finalizer) && !save(m, object))
            break;
    }
    hm_gc_list_merge(apart, old);
    return size;
}

/* ---- Weak references ---- */

/* Clears all references to a target. Those whose callback will run go to `calls`: it has one, and the
 * reference is no garbage itself. */
static void clear_weak_references(struct hm_mutator *m, struct hm_object *target,
                                  struct hm_gc_head *calls) {
    struct hm_object *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        struct hm_gc_head *head = hm_gc_head_of(reference);
        if (!hm_weak_of(reference)->callback || head->prev & HM_GC_COLLECTING)
            continue;
        hm_retain(m, reference);
        hm_gc_list_move(head, calls);
    }
}

/* Runs the callbacks. A reference that outlives its own goes to old, whatever its generation was.
 * @return how many did not */
static uint64_t call_back(struct hm_mutator *m, struct hm_gc_head *calls, struct hm_gc_head *old) {
    uint64_t freed = 0;
    while (!hm_gc_list_empty(calls)) {
        struct hm_gc_head *head = hm_gc_next(calls);
        struct hm_object *reference = hm_gc_object_of(head);
        hm_weak_run(m, reference);
        hm_release(m, reference);
        if (hm_gc_next(calls) != head) {
            freed++;
            continue;
        }
        reference->mark = m->scavenge.visited & 1;
        hm_gc_list_move(head, old);
    }
    return freed;
}

/* handle_weakrefs. A weak reference that is garbage is cleared, too, whatever its target is.
 * @return references that were freed */
static uint64_t handle_weak_references(struct hm_mutator *m, struct hm_gc_head *garbage,
                                       struct hm_gc_head *old) {
    struct hm_gc_head calls;
    hm_gc_list_init(&calls);
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        if (object->type->weak)
            hm_weak_unlink(object);
        if (object->type->weakable)
            clear_weak_references(m, object, &calls);
    }
    return call_back(m, &calls, old);
}

/* ---- Finalizers, and the end ---- */

/* A finalizer may free any of them: whoever is not dealt with yet is found from the list's head. */
static void finalize_garbage(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_gc_head seen;
    hm_gc_list_init(&seen);
    while (!hm_gc_list_empty(garbage)) {
        struct hm_gc_head *head = hm_gc_next(garbage);
        struct hm_object *object = hm_gc_object_of(head);
        hm_gc_list_move(head, &seen);
        if (!has_finalizer(object))
            continue;
        object->finalized = true;
        object->count++;
        object->type->finalize(m, object);
        hm_release(m, object);
    }
    hm_gc_list_merge(&seen, garbage);
}

/* What nothing outside of the garbage holds stays garbage; the rest was brought back. */
static void handle_resurrected(struct hm_mutator *m, struct hm_gc_head *garbage,
                               struct hm_gc_head *old) {
    struct hm_gc_head final;
    deduce_unreachable(m, garbage, &final, NULL);
    clear_unreachable_flag(&final);
    hm_gc_list_merge(garbage, old);
    hm_gc_list_merge(&final, garbage);
}

static void clear_slots(struct hm_mutator *m, struct hm_object *object) {
    for (uint32_t i = 0, n = object->length; i < n; i++)
        hm_store(m, object, i, NULL);
}

static void delete_garbage(struct hm_mutator *m, struct hm_gc_head *garbage,
                           struct hm_gc_head *old) {
    while (!hm_gc_list_empty(garbage)) {
        struct hm_gc_head *head = hm_gc_next(garbage);
        struct hm_object *object = hm_gc_object_of(head);
        if (m->saves_all) {
            save(m, object);
        } else {
            object->count++;
            (object->type->clear ? object->type->clear : clear_slots)(m, object);
            hm_release(m, object);
        }
        if (hm_gc_next(garbage) == head) {
            head->prev &= ~HM_GC_COLLECTING;
            hm_gc_list_move(head, old);
        }
    }
}

/* ---- The end of what has nothing but slots ---- */

/* Garbage is held by nothing but the slots of other garbage, once for each of its references. So the
 * slots that are not NULL, less all counts, are the references that lead out of it.
 * @return how many do */
static uint64_t count_ways_out(struct hm_gc_head *garbage) {
    uint64_t slots = 0, references = 0;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        references += object->count;
        for (uint32_t i = 0, n = object->length; i < n; i++)
            slots += hm_slots(object)[i] != NULL;
    }
    return slots - references;
}

static inline bool is_garbage(struct hm_object *object) {
    return !object->leaf && hm_gc_head_of(object)->prev & HM_GC_COLLECTING;
}

/* Gives up the references that lead out of garbage. What dies of that refers to no garbage. */
static void release_outside(struct hm_mutator *m, struct hm_gc_head *garbage, uint64_t ways_out) {
    struct hm_gc_lookahead ahead = start_ahead(garbage);
    for (struct hm_gc_head *h = hm_gc_next(garbage); ways_out; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        look_ahead(&ahead);
        step_on(&ahead, h);
        for (uint32_t i = 0, n = object->length; i < n; i++) {
            struct hm_object *child = hm_slots(object)[i];
            if (!child || is_garbage(child))
                continue;
            ways_out--;
            hm_release(m, child);
        }
    }
}

/* For a heap where no death runs any code, and slots are all there is: what delete_garbage comes to. All
 * of it dies, and nobody can see in which order; so nothing is counted down on the way, and memory
 * goes back in the order of the list. */
static void delete_plain_garbage(struct hm_mutator *m, struct hm_gc_head *garbage) {
    uint64_t ways_out = count_ways_out(garbage);
    if (ways_out)
        release_outside(m, garbage, ways_out);
    struct hm_gc_head *next;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = next) {
        next = hm_gc_next(h);
        count_freed(m, hm_gc_object_of(h));
        hm_rc_free(m, hm_gc_object_of(h));
    }
}

/* All of the above. @param found how much there is @param old where to put what stays alive */
static struct outcome do_away(struct hm_mutator *m, struct hm_gc_head *garbage,
                              struct deduced found, struct hm_gc_head *old) {
    struct outcome n = {0};
    if (!m->special && !m->saves_all) {
        delete_plain_garbage(m, garbage);
        n.collected = found.unreachable;
        return n;
    }
    struct hm_gc_head apart;
    hm_gc_list_init(&apart);
    unsigned traits = survey(garbage);
    if (traits & TRAIT_LEGACY)
        set_legacy_apart(garbage, &apart);
    if (traits & TRAIT_WEAK)
        n.collected += handle_weak_references(m, garbage, old);
    if (traits & TRAIT_FINALIZER) {
        finalize_garbage(m, garbage);
        handle_resurrected(m, garbage, old);
    }
    n.collected += traits ? hm_gc_list_size(garbage) : found.unreachable;
    delete_garbage(m, garbage, old);
    n.uncollectable = keep_uncollectable(m, &apart, old);
    return n;
}

#endif

/* Reference counting with the synchronous cycle collector of Bacon and Rajan.
 *
 * A collection looks at nothing but what the suspects reach: where generational's asks all containers
 * of a generation, this one asks those that have lost a reference, and what hangs on them. It takes the
 * references between them off their counts; what has none left, and is not reached from others that
 * have some, is garbage.
 *
 * Garbage that has nothing special is freed as it is, as the paper does: only what outside of it lost
 * references to it (leaves) is told. Else, in the order of CPython's collector: what legacy finalizers
 * need is kept; weak references to garbage are cleared, and callbacks run; finalizers run; what they
 * brought back is found by another trial deletion, among the garbage alone; the rest is cleared, and
 * dies of its counts.
 *
 * An allocation collects when there are more suspects than the limit: a given number, or, without one,
 * LIMIT_MIN, or a quarter of what the last collection looked at in vain, if that is more. So each suspect
 * pays for few objects that were looked at, however large the structures are that suspects hang on. */
#define HM_COLLECTOR_HEADER "collectors/trial.h"
#include "collectors/collector.h"

#include "collectors/isolated.h"
#include "collectors/rc_death.h"
#include "collectors/trial_deduce.h"
#include "collectors/whole_control.h"

enum {
    PARAM_ROOTS,
    PARAM_AUTO,
};

enum {
    LIMIT_MIN = 1000,
    LIMIT_SHARE = 4,
};

static const struct hm_param params[] = {
    [PARAM_ROOTS] = {.name = "roots",
                     .unit = "objects",
                     .help =
                         "possible roots of cycles above which an allocation collects; 0: 1000, "
                         "or a quarter of what the last collection kept",
                     .kind = HM_PARAM_COUNT,
                     .initial = 0,
                     .min = 0,
                     .max = INT32_MAX},
    [PARAM_AUTO] = {.name = "auto",
                    .unit = "",
                    .help = "whether an allocation may collect; off: only when told, even out of "
                            "memory",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 0,
                    .choices = "on|off"},
    {.name = NULL},
};

static inline struct hm_whole *hm_whole_of(struct hm_gc *gc) {
    return &gc->mutator.whole;
}

/* ---- What rc_death.h asks of a collector ---- */

static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_trial_bytes(object->type, object->length);
    if (!(object->mark & HM_TRIAL_LISTED))
        return;
    hm_gc_list_unlink(hm_gc_head_of(object));
    if (!m->whole.collecting)
        m->suspected--;
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    const struct hm_type *type = object->type;
    void *block = object->leaf ? (void *)object : (void *)hm_gc_head_of(object);
    if (!hm_rc_keep(&m->rc, type, block))
        hm_free(&m->rc.memory, block);
}

void hm_trial_bury(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_bury(m, object);
}

/* ---- Garbage with nothing special ---- */

/* Leaves are not in the set: the references to them are still counted. */
static void release_leaves(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length; i < n; i++)
        if (slots[i] && slots[i]->leaf)
            hm_release(m, slots[i]);
}

/* CollectWhite. No counts are restored: what garbage referred to has lost these references. */
static void free_plain(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_gc_head *next;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h))
        release_leaves(m, hm_gc_object_of(h));
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = next) {
        struct hm_object *object = hm_gc_object_of(h);
        next = hm_gc_next(h);
        m->rc.freed_objects++;
        m->rc.freed_bytes += hm_trial_bytes(object->type, object->length);
        hm_rc_free(m, object);
    }
}

/* ---- Garbage with something special ---- */

/* What there is among garbage. */
enum trait {
    TRAIT_LEGACY = 1,
    TRAIT_WEAK = 2, /* weak references, or targets of some */
    TRAIT_FINALIZER = 4,
    TRAIT_PASSES = 8, /* a traverse or clear of its own */
};

static bool has_weak_references(struct hm_object *object) {
    return object->type->weakable && *hm_weak_list(object);
}

static bool has_finalizer(const struct hm_object *object) {
    return object->type->finalize && !object->type->legacy_finalizer && !object->finalized;
}

static unsigned survey(const struct hm_gc_head *garbage) {
    unsigned traits = 0;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        const struct hm_type *type = object->type;
        traits |= type->legacy_finalizer ? TRAIT_LEGACY : 0u;
        traits |= type->weak || has_weak_references(object) ? TRAIT_WEAK : 0u;
        traits |= has_finalizer(object) ? TRAIT_FINALIZER : 0u;
        traits |= type->traverse || type->clear ? TRAIT_PASSES : 0u;
    }
    return traits;
}

/* Clears all references to a target, and puts those whose callback is to run, as they are no garbage, at
 * the end of a list that is linked through `older`. @return its end */
static struct hm_object **clear_weak_references(struct hm_mutator *m, struct hm_object *target,
                                                struct hm_object **end) {
    struct hm_object *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        if (!hm_weak_of(reference)->callback || colour_of(reference) == HM_TRIAL_WHITE)
            continue;
        hm_retain(m, reference);
        *end = reference;
        end = &hm_weak_of(reference)->older;
    }
    return end;
}

static void handle_weak_references(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_object *calls = NULL, **end = &calls;
    for (struct hm_gc_head *h = hm_gc_next(garbage); h != garbage; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h);
        if (object->type->weak)
            hm_weak_unlink(object);
        if (object->type->weakable)
            end = clear_weak_references(m, object, end);
    }
    hm_weak_call(m, calls);
}

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

/* What nothing outside of the garbage holds stays garbage; the rest was brought back. Or it hangs on
 * new garbage, which finalizers have made: it is suspected again, as nobody else may be. */
static void handle_resurrected(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_gc_head held;
    subtract(garbage);
    scan(garbage, &held);
    restore_counts(garbage);
    suspect(m, &held);
}

static void clear_slots(struct hm_mutator *m, struct hm_object *object) {
    for (uint32_t i = 0, n = object->length; i < n; i++)
        hm_store(m, object, i, NULL);
}

static void delete_garbage(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_gc_head survivors;
    hm_gc_list_init(&survivors);
    while (!hm_gc_list_empty(garbage)) {
        struct hm_gc_head *head = hm_gc_next(garbage);
        struct hm_object *object = hm_gc_object_of(head);
        object->count++;
        (object->type->clear ? object->type->clear : clear_slots)(m, object);
        hm_release(m, object);
        if (hm_gc_next(garbage) == head)
            hm_gc_list_move(head, &survivors);
    }
    suspect(m, &survivors);
}

/* The counts are whole, and so is the garbage. @return how many are freed, or at least cleared */
static uint64_t do_away(struct hm_mutator *m, struct hm_gc_head *garbage, unsigned traits) {
    if (traits & TRAIT_WEAK)
        handle_weak_references(m, garbage);
    if (traits & TRAIT_FINALIZER) {
        finalize_garbage(m, garbage);
        handle_resurrected(m, garbage);
    }
    uint64_t size = hm_gc_list_size(garbage);
    delete_garbage(m, garbage);
    return size;
}

/* ---- The collection ---- */

static void set_limit(struct hm_mutator *m, uint64_t kept) {
    uint64_t limit = kept / LIMIT_SHARE > LIMIT_MIN ? kept / LIMIT_SHARE : LIMIT_MIN;
    m->limit = m->fixed_limit ? m->fixed_limit : limit;
}

static int64_t collect(struct hm_mutator *m) {
    struct hm_whole_done done = {0};
    struct hm_gc_head set, held;
    hm_whole_begin(&m->whole);
    done.visited = gather(&m->suspects, &set);
    scan(&set, &held);
    unsigned traits = survey(&set);
    if (traits & TRAIT_LEGACY)
        done.uncollectable = hold_legacy(&set, &held);
    if (traits)
        restore_counts(&set);
    acquit(&held);
    if (traits) {
        done.collected = do_away(m, &set, traits);
    } else {
        done.collected = hm_gc_list_size(&set);
        free_plain(m, &set);
    }
    m->suspected = hm_gc_list_size(&m->suspects);
    set_limit(m, done.visited - done.collected);
    hm_whole_end(&m->whole, &done);
    return (int64_t)(done.collected + done.uncollectable);
}

int64_t hm_trial_collect(struct hm_mutator *m) {
    return m->whole.collecting ? 0 : collect(m);
}

void hm_trial_overflow(struct hm_mutator *m) {
    if (m->whole.automatic && !m->whole.collecting)
        collect(m);
}

void *hm_trial_retry(struct hm_mutator *m, size_t bytes) {
    hm_rc_empty_free_lists(&m->rc);
    void *block = hm_malloc(&m->rc.memory, bytes);
    if (block || !m->whole.automatic || m->whole.collecting)
        return block;
    collect(m);
    return hm_malloc(&m->rc.memory, bytes);
}

/* ---- Opening and closing ---- */

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    int bad = hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    struct hm_mutator *m = &gc->mutator;
    m->rc.memory = *options->memory;
    hm_gc_list_init(&m->suspects);
    m->fixed_limit = (uint64_t)options->params[PARAM_ROOTS].number;
    set_limit(m, 0);
    m->whole.events = options->events;
    m->whole.automatic = options->params[PARAM_AUTO].number == 0;
    *out = gc;
    return 0;
}

/* Garbage that the suspects lead to; no code of the program runs. */
static void free_last_garbage(struct hm_mutator *m) {
    struct hm_gc_head set, held, *next;
    gather(&m->suspects, &set);
    scan(&set, &held);
    for (struct hm_gc_head *h = hm_gc_next(&set); h != &set; h = hm_gc_next(h)) {
        struct hm_object *object = hm_gc_object_of(h), **slots = hm_slots(object);
        for (uint32_t i = 0, n = object->length; i < n; i++)
            if (slots[i] && slots[i]->leaf && --slots[i]->count == 0)
                hm_free(&m->rc.memory, slots[i]);
    }
    for (struct hm_gc_head *h = hm_gc_next(&set); h != &set; h = next) {
        next = hm_gc_next(h);
        hm_free(&m->rc.memory, h);
    }
}

/* Nobody knows where objects in use are but those that refer to them. */
static void close_gc(struct hm_gc *gc) {
    struct hm_rc *rc = &gc->mutator.rc;
    const struct hm_memory memory = rc->memory;
    free_last_garbage(&gc->mutator);
    hm_rc_empty_free_lists(rc);
    for (struct hm_rc_note *note = rc->immortals; note; note = note->older)
        hm_free(&memory,
                note->object->leaf ? (void *)note->object : (void *)hm_gc_head_of(note->object));
    hm_rc_forget_notes(&memory, rc->immortals);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_rc *rc = &gc->mutator.rc;
    *out =
        (struct hm_gc_stats){.allocated_objects = rc->allocated_objects,
                             .allocated_bytes = rc->allocated_bytes,
                             .freed_objects = rc->freed_objects,
                             .freed_bytes = rc->freed_bytes,
                             .header_bytes = sizeof(struct hm_gc_head) + sizeof(struct hm_object)};
    hm_whole_tell(&gc->mutator.whole, out);
}

static const struct hm_collector hm_trial = {
    .name = "trial",
    .summary = "reference counting with trial deletion of what lost a reference",
    .origin = "Bacon and Rajan 2001, the synchronous collector",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GIL | HM_GC_ON_DEMAND | HM_GC_AT_ONCE,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
    .control = &hm_whole_control,
};
HM_REGISTER(hm_collector, hm_trial);

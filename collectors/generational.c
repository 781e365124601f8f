/* Reference counting with the cycle collector of CPython 3.11, rule for rule.
 *
 * Vocabulary
 *   young         the generation that is collected, with all younger ones merged into it
 *   old           where its survivors go: the next older generation, or the oldest itself
 *   refs          references to a container that no container of young accounts for
 *   unreachable   what nothing outside of young holds, directly or through others of young
 *   garbage       what was found to be unreachable
 *
 * A collection (gc_collect_main): update_refs copies each count into refs; subtract_refs takes away
 * the references from inside young; what keeps some is held from outside, and move_unreachable
 * parts it and all that it reaches from the rest (generational_deduce.h). Survivors that hold nothing
 * to look at are untracked (generational_retire.h), the others become old; the rest is done away with
 * (generational_garbage.h).
 *
 * All passes are iterative. Left out, because it needs a check in each store: the untracking of
 * containers that can change, as CPython's dicts. */
#define HM_COLLECTOR_HEADER "collectors/generational.h"
#include "collectors/collector.h"

#include "collectors/generational_control.h"
#include "collectors/generational_increment.h"
#include "collectors/rc_death.h"

#include <assert.h>

enum {
    PARAM_THRESHOLD,
    PARAM_AUTO = PARAM_THRESHOLD + HM_GENERATIONS,
    PARAM_POLICY,
    OLDEST = HM_GENERATIONS - 1,
};

static const struct hm_param params[] = {
    {.name = "threshold0",
     .unit = "objects",
     .help = "containers, less those that died, above which generation 0 is collected; 0: never; "
             "-1: what the policy has, 700 or 2000",
     .kind = HM_PARAM_COUNT,
     .initial = -1,
     .min = -1,
     .max = INT32_MAX},
    {.name = "threshold1",
     .unit = "collections",
     .help = "collections of generation 0 above which generation 1 is collected; incremental: one "
             "increment scans 1/10 of 1/threshold1 of the heap; -1: 10",
     .kind = HM_PARAM_COUNT,
     .initial = -1,
     .min = -1,
     .max = INT32_MAX},
    {.name = "threshold2",
     .unit = "collections",
     .help = "collections of generation 1 above which all is collected, if enough is new; -1: 10, "
             "or 0 with incremental, which does not use it",
     .kind = HM_PARAM_COUNT,
     .initial = -1,
     .min = -1,
     .max = INT32_MAX},
    {.name = "auto",
     .unit = "",
     .help = "whether an allocation may collect; off: only when told, even out of memory",
     .kind = HM_PARAM_CHOICE,
     .initial = 0,
     .choices = "on|off"},
    {.name = "policy",
     .unit = "",
     .help =
         "the rules of CPython 3.11 (3.12 has them, too) or 3.13, one generation (full), or the "
         "increments of 3.14.0",
     .kind = HM_PARAM_CHOICE,
     .initial = HM_POLICY_311,
     .choices = "3.11|full|3.13|incremental"},
    {.name = NULL},
};

/* ---- What rc_death.h asks of a collector ---- */

/* As subtype_dealloc: a dying object is tracked anew, hence in generation 0, while its finalizer
 * runs; there it stays if that resurrects it. */
static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    if (object->leaf)
        return;
    hm_gc_list_unlink(hm_gc_head_of(object));
    hm_generational_track(m, object);
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    count_freed(m, object);
    if (!object->leaf)
        hm_gc_list_unlink(hm_gc_head_of(object));
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    void *block = object->leaf ? (void *)object : hm_gc_head_of(object);
    if (hm_rc_keep(&m->rc, object->type, block))
        return;
    if (!object->leaf)
        uncount(m);
    hm_free(&m->rc.memory, block);
}

void hm_generational_bury(struct hm_mutator *m, struct hm_object *object) {
    if (m->special)
        hm_rc_bury(m, object);
    else
        hm_rc_bury_plain(m, object);
}

/* ---- Collections of generations ---- */

static struct hm_gc_head *merge_younger(struct hm_mutator *m, int generation) {
    if (generation < OLDEST)
        m->generations[generation + 1].count++;
    struct hm_gc_head *young = &m->generations[generation].list;
    for (int i = 0; i <= generation; i++) {
        zero_count(m, i);
        if (i < generation)
            hm_gc_list_merge(&m->generations[i].list, young);
    }
    return young;
}

/* @return the list that the survivors are on now */
static struct hm_gc_head *promote(struct hm_mutator *m, int generation, uint64_t survivors) {
    struct hm_gc_head *young = &m->generations[generation].list;
    if (generation == OLDEST) {
        m->long_lived_pending = 0;
        m->long_lived_total = survivors;
        return young;
    }
    if (generation == OLDEST - 1)
        m->long_lived_pending += survivors;
    struct hm_gc_head *old = &m->generations[generation + 1].list;
    hm_gc_list_merge(young, old);
    return old;
}

static struct outcome collect_generation(struct hm_mutator *m, int generation) {
    struct hm_gc_head garbage;
    struct hm_gc_head *young = merge_younger(m, generation);
    retire_immortals(m, young);
    struct deduced n =
        deduce_unreachable(m, young, &garbage, generation == OLDEST ? &m->guide : NULL);
    uint64_t survivors = n.examined - n.unreachable - untrack_immutable(m, young);
    struct hm_gc_head *old = promote(m, generation, survivors);
    struct outcome outcome = do_away(m, &garbage, n, old);
    m->visited += n.examined;
    add_stats(m, generation, outcome);
    return outcome;
}

/* ---- Any collection ---- */

/* Free lists give their memory back at the end of a full collection only, as in clear_freelists. Their
 * containers are freed now, not when they died. */
static void empty_free_lists(struct hm_mutator *m) {
    for (int64_t n = hm_rc_empty_free_lists(&m->rc); n > 0; n--)
        uncount(m);
}

static void tell(struct hm_mutator *m, bool stop, int generation, struct outcome n) {
    if (m->callback)
        m->callback(m->callback_arg, stop, generation, n.collected, n.uncollectable);
}

/* The callbacks are the program's, and no part of the pause. */
static int64_t collect(struct hm_mutator *m, int generation) {
    m->collecting = true;
    tell(m, false, generation, (struct outcome){0});
    uint64_t visited = m->visited;
    m->events->pause_begin(m->events->arg, generation);
    struct outcome n = m->policy == HM_POLICY_INCREMENTAL ? collect_incrementally(m, generation)
                                                          : collect_generation(m, generation);
    if (generation == OLDEST)
        empty_free_lists(m);
    m->events->pause_end(m->events->arg, generation, m->visited - visited, n.collected);
    tell(m, true, generation, n);
    m->collecting = false;
    return (int64_t)(n.collected + n.uncollectable);
}

int64_t hm_generational_collect(struct hm_mutator *m, int generation) {
    assert(generation >= 0 && generation < HM_GENERATIONS);
    if (m->collecting)
        return 0;
    return collect(m, m->policy == HM_POLICY_FULL ? OLDEST : generation);
}

/* The oldest generation whose count is over its threshold (gc_collect_generations). A full
 * collection waits until what came to generation 2 since the last one is a quarter of what survived
 * that, so that the work stays linear in the objects allocated.
 *  @return the generation, or -1 */
static int generation_due(const struct hm_mutator *m) {
    if (m->policy == HM_POLICY_FULL)
        return OLDEST;
    if (m->policy == HM_POLICY_INCREMENTAL)
        return 1;
    for (int i = OLDEST; i >= 0; i--) {
        const struct hm_generation *g = &m->generations[i];
        bool waits = i == OLDEST && m->long_lived_pending < m->long_lived_total / 4;
        if (g->count > g->threshold && !waits)
            return i;
    }
    return -1;
}

void hm_generational_overflow(struct hm_mutator *m) {
    int due = m->collecting ? -1 : generation_due(m);
    if (due >= 0)
        collect(m, due);
}

void *hm_generational_retry(struct hm_mutator *m, size_t bytes) {
    if (!m->automatic || m->collecting)
        return NULL;
    collect(m, OLDEST);
    return hm_malloc(&m->rc.memory, bytes);
}

/* ---- Opening and closing ---- */

static void set_thresholds(struct hm_mutator *m, const struct hm_value *values) {
    static const int64_t initial[][HM_GENERATIONS] = {
        [HM_POLICY_311] = {700, 10, 10},
        [HM_POLICY_FULL] = {700, 10, 10},
        [HM_POLICY_313] = {2000, 10, 10},
        [HM_POLICY_INCREMENTAL] = {2000, 10, 0},
    };
    for (int i = 0; i < HM_GENERATIONS; i++) {
        int64_t given = values[PARAM_THRESHOLD + i].number;
        m->generations[i].threshold = given < 0 ? initial[m->policy][i] : given;
    }
    hm_generational_set_limit(m);
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    int bad = hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    struct hm_mutator *m = &gc->mutator;
    m->rc.memory = *options->memory;
    m->events = options->events;
    m->automatic = options->params[PARAM_AUTO].number == 0;
    m->policy = (enum hm_generational_policy)options->params[PARAM_POLICY].number;
    for (int i = 0; i < HM_GENERATIONS; i++)
        hm_gc_list_init(&m->generations[i].list);
    hm_gc_list_init(&m->permanent);
    set_thresholds(m, options->params);
    *out = gc;
    return 0;
}

/* Leaves are on no list, but each is held by containers, or was leaked by the workload. An untracked
 * container is found in the same way, and put on the list that is walked. */
static void find_children(struct hm_mutator *m, struct hm_object *container,
                          struct hm_gc_head *all) {
    for (uint32_t i = 0, n = container->length; i < n; i++) {
        struct hm_object *child = hm_load(container, i);
        if (!child)
            continue;
        if (child->leaf && --child->count == 0)
            hm_free(&m->rc.memory, child);
        else if (!child->leaf && !hm_gc_is_tracked(hm_gc_head_of(child)))
            hm_gc_list_append(all, hm_gc_head_of(child));
    }
}

/* All containers that can be found. The notes tell of those that are untracked, and immortal or held by
 * nothing but the list of garbage. */
static void find_all(struct hm_mutator *m, struct hm_gc_head *all) {
    for (int i = 0; i < HM_GENERATIONS; i++)
        hm_gc_list_merge(&m->generations[i].list, all);
    hm_gc_list_merge(&m->permanent, all);
    for (struct hm_rc_note *note = m->rc.immortals; note; note = note->older)
        if (!note->object->leaf && !hm_gc_is_tracked(hm_gc_head_of(note->object)))
            hm_gc_list_append(all, hm_gc_head_of(note->object));
    for (struct hm_rc_note *note = m->garbage; note; note = note->older)
        if (!hm_gc_is_tracked(hm_gc_head_of(note->object)))
            hm_gc_list_append(all, hm_gc_head_of(note->object));
    for (struct hm_gc_head *h = hm_gc_next(all); h != all; h = hm_gc_next(h))
        find_children(m, hm_gc_object_of(h), all);
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->rc.memory;
    struct hm_gc_head all;
    hm_gc_list_init(&all);
    hm_rc_empty_free_lists(&m->rc);
    find_all(m, &all);
    for (struct hm_rc_note *note = m->rc.immortals; note; note = note->older)
        if (note->object->leaf)
            hm_free(&memory, note->object);
    for (struct hm_gc_head *h = hm_gc_next(&all), *next; h != &all; h = next) {
        next = hm_gc_next(h);
        hm_free(&memory, h);
    }
    hm_rc_forget_notes(&memory, m->rc.immortals);
    hm_rc_forget_notes(&memory, m->garbage);
    hm_gc_guide_drop(&m->guide, &memory);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out =
        (struct hm_gc_stats){.allocated_objects = m->rc.allocated_objects,
                             .allocated_bytes = m->rc.allocated_bytes,
                             .freed_objects = m->rc.freed_objects,
                             .freed_bytes = m->rc.freed_bytes,
                             .visited = m->visited,
                             .header_bytes = sizeof(struct hm_gc_head) + sizeof(struct hm_object)};
    for (int i = 0; i < HM_GENERATIONS; i++) {
        out->collections[i] = m->stats[i].collections;
        out->collected += m->stats[i].collected;
    }
}

static const struct hm_collector hm_generational = {
    .name = "generational",
    .summary = "reference counting with CPython 3.11's generational cycle collector",
    .origin = "CPython 3.11, Modules/gcmodule.c; policies of 3.13 and 3.14.0, Python/gc.c",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GENERATIONS | HM_GC_GIL | HM_GC_ON_DEMAND |
            HM_GC_AT_ONCE,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
    .control = &hm_generational_control,
};
HM_REGISTER(hm_collector, hm_generational);

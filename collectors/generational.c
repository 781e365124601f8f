/* Reference counting with the cycle collector of CPython 3.11, rule for rule.
 *
 * Vocabulary
 *   young         the generation that is collected, with all younger ones merged into it
 *   old           where its survivors go: the next older generation, or the oldest itself
 *   refs          references to a container that no container of young accounts for
 *   unreachable   what nothing outside of young holds, directly or through others of young
 *
 * A collection (gc_collect_main): update_refs copies each count into refs; subtract_refs takes away
 * the references from inside young; what keeps some is held from outside, and move_unreachable
 * parts it and all that it reaches from the rest. The finalizers of the rest run, once per object;
 * what they brought back is found by the same three passes over the rest and goes to old; the others
 * are cleared in list order, and die of their counts.
 *
 * All passes are iterative, and none takes memory. Left out, because it belongs to an interpreter's
 * types: the untracking of tuples and dicts, free lists, and objects with __del__ of Python 2. */
#define HM_COLLECTOR_HEADER "collectors/generational.h"
#include "collectors/collector.h"

#include "collectors/generational_deduce.h"
#include "collectors/isolated.h"
#include "collectors/rc_death.h"

#include <assert.h>

enum {
    PARAM_THRESHOLD,
    PARAM_AUTO = PARAM_THRESHOLD + HM_GENERATIONS,
    OLDEST = HM_GENERATIONS - 1,
};

static const struct hm_param params[] = {
    {.name = "threshold0",
     .unit = "objects",
     .help = "containers, less those that died, above which generation 0 is collected; 0: never",
     .kind = HM_PARAM_COUNT,
     .initial = 700,
     .min = 0,
     .max = INT32_MAX},
    {.name = "threshold1",
     .unit = "collections",
     .help = "collections of generation 0 above which generation 1 is collected",
     .kind = HM_PARAM_COUNT,
     .initial = 10,
     .min = 0,
     .max = INT32_MAX},
    {.name = "threshold2",
     .unit = "collections",
     .help = "collections of generation 1 above which all is collected, if enough is new",
     .kind = HM_PARAM_COUNT,
     .initial = 10,
     .min = 0,
     .max = INT32_MAX},
    {.name = "auto",
     .unit = "",
     .help = "whether an allocation may collect; off: only when told, even out of memory",
     .kind = HM_PARAM_CHOICE,
     .initial = 0,
     .choices = "on|off"},
    {.name = NULL},
};

/* What rc_death.h asks of a collector. */

/* As subtype_dealloc: a dying object is tracked anew, hence in generation 0, while its finalizer
 * runs; there it stays if that resurrects it. */
static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    if (object->leaf)
        return;
    hm_gc_list_unlink(hm_gc_head_of(object));
    hm_generational_track(m, object);
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_generational_bytes(object->type, object->length);
    if (!object->leaf)
        hm_gc_list_unlink(hm_gc_head_of(object));
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    if (object->leaf) {
        hm_free(&m->rc.memory, object);
        return;
    }
    if (m->generations[0].count > 0)
        m->generations[0].count--;
    hm_free(&m->rc.memory, hm_gc_head_of(object));
}

void hm_generational_bury(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_bury(m, object);
}

/* Doing away with it. */

/* A finalizer may free any of them: whoever is not dealt with yet is found from the list's head. */
static void finalize_garbage(struct hm_mutator *m, struct hm_gc_head *garbage) {
    struct hm_gc_head seen;
    hm_gc_list_init(&seen);
    while (!hm_gc_list_empty(garbage)) {
        struct hm_gc_head *head = hm_gc_next(garbage);
        struct hm_object *object = hm_gc_object_of(head);
        hm_gc_list_move(head, &seen);
        if (!object->type->finalize || object->finalized)
            continue;
        object->finalized = true;
        object->count++;
        object->type->finalize(m, object);
        hm_release(m, object);
    }
    hm_gc_list_merge(&seen, garbage);
}

/* @return how many are garbage after all */
static uint64_t handle_resurrected(struct hm_gc_head *garbage, struct hm_gc_head *final,
                                   struct hm_gc_head *old) {
    uint64_t unreachable = deduce_unreachable(garbage, final).unreachable;
    hm_gc_list_merge(garbage, old);
    return unreachable;
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
        object->count++;
        (object->type->clear ? object->type->clear : clear_slots)(m, object);
        hm_release(m, object);
        if (hm_gc_next(garbage) == head) {
            head->prev &= ~HM_GC_COLLECTING;
            hm_gc_list_move(head, old);
        }
    }
}

/* The collection. */

static struct hm_gc_head *merge_younger(struct hm_mutator *m, int generation) {
    if (generation < OLDEST)
        m->generations[generation + 1].count++;
    struct hm_gc_head *young = &m->generations[generation].list;
    for (int i = 0; i <= generation; i++) {
        m->generations[i].count = 0;
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

static int64_t collect(struct hm_mutator *m, int generation) {
    struct hm_gc_head garbage, final;
    m->collecting = true;
    m->events->pause_begin(m->events->arg, generation);
    struct hm_gc_head *young = merge_younger(m, generation);
    struct deduced n = deduce_unreachable(young, &garbage);
    struct hm_gc_head *old = promote(m, generation, n.examined - n.unreachable);
    finalize_garbage(m, &garbage);
    uint64_t found = handle_resurrected(&garbage, &final, old);
    delete_garbage(m, &final, old);
    m->collections[generation]++;
    m->visited += n.examined;
    m->collected += found;
    m->events->pause_end(m->events->arg, generation, n.examined, found);
    m->collecting = false;
    return (int64_t)found;
}

int64_t hm_generational_collect(struct hm_mutator *m, int generation) {
    assert(generation >= 0 && generation < HM_GENERATIONS);
    return m->collecting ? 0 : collect(m, generation);
}

/* The oldest generation whose count is over its threshold (gc_collect_generations). A full
 * collection waits until what came to generation 2 since the last one is a quarter of what survived
 * that, so that the work stays linear in the objects allocated. */
void hm_generational_overflow(struct hm_mutator *m) {
    if (m->collecting)
        return;
    for (int i = OLDEST; i >= 0; i--) {
        const struct hm_generation *g = &m->generations[i];
        if (g->count <= g->threshold)
            continue;
        if (i == OLDEST && m->long_lived_pending < m->long_lived_total / 4)
            continue;
        collect(m, i);
        return;
    }
}

void *hm_generational_retry(struct hm_mutator *m, size_t bytes) {
    if (!m->automatic || m->collecting)
        return NULL;
    collect(m, OLDEST);
    return hm_malloc(&m->rc.memory, bytes);
}

/* Opening and closing. */

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    int bad = hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    struct hm_mutator *m = &gc->mutator;
    m->rc.memory = *options->memory;
    m->events = options->events;
    m->automatic = options->params[PARAM_AUTO].number == 0;
    for (int i = 0; i < HM_GENERATIONS; i++) {
        hm_gc_list_init(&m->generations[i].list);
        m->generations[i].threshold = options->params[PARAM_THRESHOLD + i].number;
    }
    int64_t first = m->generations[0].threshold;
    m->limit = m->automatic && first ? first : INT64_MAX;
    *out = gc;
    return 0;
}

/* Leaves are on no list, but each is held by containers, or was leaked by the workload. */
static void free_leaves(struct hm_mutator *m, struct hm_object *container) {
    for (uint32_t i = 0, n = container->length; i < n; i++) {
        struct hm_object *child = hm_load(container, i);
        if (child && child->leaf && --child->count == 0)
            hm_free(&m->rc.memory, child);
    }
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->rc.memory;
    struct hm_gc_head all;
    hm_gc_list_init(&all);
    for (int i = 0; i < HM_GENERATIONS; i++)
        hm_gc_list_merge(&m->generations[i].list, &all);
    for (struct hm_gc_head *h = hm_gc_next(&all); h != &all; h = hm_gc_next(h))
        free_leaves(m, hm_gc_object_of(h));
    for (struct hm_gc_head *h = hm_gc_next(&all), *next; h != &all; h = next) {
        next = hm_gc_next(h);
        hm_free(&memory, h);
    }
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out =
        (struct hm_gc_stats){.allocated_objects = m->rc.allocated_objects,
                             .allocated_bytes = m->rc.allocated_bytes,
                             .freed_objects = m->rc.freed_objects,
                             .freed_bytes = m->rc.freed_bytes,
                             .collected = m->collected,
                             .visited = m->visited,
                             .header_bytes = sizeof(struct hm_gc_head) + sizeof(struct hm_object)};
    for (int i = 0; i < HM_GENERATIONS; i++)
        out->collections[i] = m->collections[i];
}

static const struct hm_collector hm_generational = {
    .name = "generational",
    .summary = "reference counting with CPython 3.11's generational cycle collector",
    .origin = "CPython 3.11, Modules/gcmodule.c",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GENERATIONS | HM_GC_GIL,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
};
HM_REGISTER(hm_collector, hm_generational);

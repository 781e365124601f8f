/* Biased reference counting with a cycle collector for mutators that run at the same time, as CPython 3.13
 * has it in its free-threaded build (Python/gc_free_threading.c).
 *
 * A collection is always of all containers. In this order, with the function of CPython:
 *   1. all mutators are stopped. What waits in queues is merged; the references from containers to
 *      containers are taken off the counts; what keeps some is held from outside, and all that it
 *      reaches lives; the rest is garbage (deduce_unreachable_heap). What legacy finalizers need is kept.
 *      Weak references to the rest, and those that are garbage themselves, are cleared (find_weakref_callbacks);
 *   2. the mutators go on. Callbacks run, but only of references that are no garbage; then finalizers,
 *      each once. From here on the collecting mutator owns a reference to all garbage;
 *   3. if there were finalizers, all are stopped once more: what these brought back is found
 *      (handle_resurrected_objects);
 *   4. the rest is cleared, and dies of its counts (delete_garbage).
 * Garbage that has nothing special is freed as it is, after 1.
 *
 * Nobody but the collecting mutator can reach garbage after 1: no weak reference leads to it, and who brings
 * it back is a finalizer. So 2 and 4 need no pause.
 *
 * An allocation collects when the common count of containers, allocated less freed, is above the threshold and
 * above a quarter of what the last collection left. Each mutator tells that count in batches. */
#define HM_COLLECTOR_HEADER "collectors/freethreaded.h"
#include "collectors/collector.h"

#include "collectors/whole_control.h"

#define HM_SEVERAL_MORE                                                                            \
    int64_t threshold;                                                                             \
    int64_t count;         /* atomic */                                                            \
    int64_t long_lived;    /* atomic: what the last collection left */                             \
    pthread_mutex_t right; /* to collect; and of what follows */                                   \
    struct hm_whole whole;
#include "collectors/freethreaded_deduce.h"

enum {
    PARAM_THRESHOLD,
    PARAM_AUTO,
};

enum {
    LONG_LIVED_SHARE = 4,
};

static const struct hm_param params[] = {
    [PARAM_THRESHOLD] = {.name = "threshold",
                         .unit = "objects",
                         .help = "containers allocated, less those freed, above which an "
                                 "allocation collects; 0: never by itself",
                         .kind = HM_PARAM_COUNT,
                         .initial = 2000,
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
    return &gc->whole;
}

/* ---- What rc_death.h asks of a collector ---- */

static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_freethreaded_cost(object->type, object->length);
    if (!object->leaf)
        hm_freethreaded_untrack(m, object);
}

/* @return the common count */
static int64_t tell_count(struct hm_mutator *m) {
    int pending = m->pending;
    m->pending = 0;
    return __atomic_add_fetch(&m->gc->count, pending, __ATOMIC_RELAXED);
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    bool leaf = object->leaf;
    void *block = hm_freethreaded_block(object);
    if (hm_rc_keep(&m->rc, object->type, block))
        return;
    hm_free(&m->rc.memory, block);
    if (!leaf && --m->pending <= -HM_FREETHREADED_BATCH)
        tell_count(m);
}

void hm_freethreaded_bury(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_bury(m, object);
}

/* ---- What there is among garbage ---- */

enum trait {
    TRAIT_LEGACY = 1,
    TRAIT_FINALIZER = 2,
    TRAIT_OTHER =
        4, /* weak references, targets of some, or a type that says what its references are */
};

static unsigned traits_of(struct hm_object *object) {
    const struct hm_type *type = object->type;
    unsigned traits = type->legacy_finalizer ? TRAIT_LEGACY : 0u;
    traits |= type->finalize && !object->finalized ? TRAIT_FINALIZER : 0u;
    if (type->weak || type->traverse || type->clear || (type->weakable && *hm_weak_list(object)))
        traits |= TRAIT_OTHER;
    return traits;
}

static unsigned survey(const struct list *garbage) {
    unsigned traits = 0;
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        traits |= traits_of(o);
    return traits;
}

/* Its counts are merged, so that it is in no queue and nobody's own, and we own a reference to it. Whose
 * finalizer will run is noted here, as others may look at what a finalizer brings back. */
static void hold(const struct list *garbage) {
    for (struct hm_object *o = garbage->first; o; o = list_next(o)) {
        if (traits_of(o) & TRAIT_FINALIZER) {
            o->mark |= DUE;
            o->finalized = true;
        }
        uint64_t count = hm_rc_count(o) + UINT64_C(1);
        o->count = 0;
        __atomic_store_n(&hm_biased_of(o)->word, count << HM_BIASED_SHIFT | HM_BIASED_MERGED,
                         __ATOMIC_RELAXED);
    }
}

/* ---- Weak references ---- */

/* Clears all references to a target, and puts those whose callback is to run, retained, at the end of a
 * list that is linked through `older`. @return its end */
static struct hm_object **clear_weak_references(struct hm_mutator *m, struct hm_object *target,
                                                struct hm_object **end) {
    struct hm_object *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        if (!hm_weak_of(reference)->callback || reference->mark & GARBAGE)
            continue;
        hm_retain(m, reference);
        *end = reference;
        end = &hm_weak_of(reference)->older;
    }
    return end;
}

/* @return the references to call */
static struct hm_object *clear_all_weak_references(struct hm_mutator *m,
                                                   const struct list *garbage) {
    struct hm_object *calls = NULL, **end = &calls;
    for (struct hm_object *o = garbage->first; o; o = list_next(o)) {
        if (o->type->weak)
            hm_weak_unlink(o);
        if (o->type->weakable)
            end = clear_weak_references(m, o, end);
    }
    return calls;
}

/* ---- Doing away with it ---- */

static void finalize_all(struct hm_mutator *m, const struct list *garbage) {
    for (struct hm_object *o = garbage->first; o; o = list_next(o))
        if (o->mark & DUE)
            o->type->finalize(m, o);
}

static void release_all(struct hm_mutator *m, const struct list *list) {
    struct hm_object *next;
    for (struct hm_object *o = list->first; o; o = next) {
        next = list_next(o);
        hm_release(m, o);
    }
}

static void clear_slots(struct hm_mutator *m, struct hm_object *object) {
    for (uint32_t i = 0, n = object->length; i < n; i++)
        hm_store(m, object, i, NULL);
}

/* @return how much there was */
static uint64_t clear_all(struct hm_mutator *m, const struct list *garbage) {
    uint64_t size = 0;
    struct hm_object *next;
    for (struct hm_object *o = garbage->first; o; o = next, size++) {
        next = list_next(o);
        o->mark = 0;
        (o->type->clear ? o->type->clear : clear_slots)(m, o);
        hm_release(m, o);
    }
    return size;
}

/* Garbage that has nothing special, and whose slots are all there is: what is not part of it loses the
 * references, and it is freed. @return how much there was */
static uint64_t free_plain(struct hm_mutator *m, const struct list *garbage) {
    uint64_t size = 0;
    struct hm_object *next;
    for (struct hm_object *o = garbage->first; o; o = list_next(o)) {
        struct hm_object **slots = hm_slots(o);
        for (uint32_t i = 0, n = o->length; i < n; i++)
            if (slots[i] && !(slots[i]->mark & GARBAGE))
                hm_release(m, slots[i]);
    }
    for (struct hm_object *o = garbage->first; o; o = next, size++) {
        next = list_next(o);
        hm_rc_forget(m, o);
        hm_rc_free(m, o);
    }
    return size;
}

/* In the second pause; before and after it the others go on. */
static void handle_resurrected(struct hm_mutator *m, struct list *garbage) {
    struct list resurrected;
    list_init(&resurrected);
    hm_whole_go_on(&m->gc->whole);
    find_resurrected(garbage, &resurrected);
    hm_whole_interrupt(&m->gc->whole);
    release_all(m, &resurrected);
}

/* All that comes after the first pause, for garbage that is held. @return how much of it dies */
static uint64_t do_away(struct hm_mutator *m, struct list *garbage, unsigned traits,
                        struct hm_object *calls) {
    hm_weak_call(m, calls);
    if (traits & TRAIT_FINALIZER) {
        finalize_all(m, garbage);
        handle_resurrected(m, garbage);
    }
    return clear_all(m, garbage);
}

/* ---- The collection ---- */

/* In the pause. */
static void find_garbage(struct hm_gc *gc, struct list *garbage, struct hm_whole_done *done) {
    done->visited = count_outside(gc);
    reach_all(gc);
    uint64_t reached = settle_all(gc, garbage);
    __atomic_store_n(&gc->long_lived, (int64_t)reached, __ATOMIC_RELAXED);
}

static void empty_free_lists(struct hm_mutator *m) {
    m->pending -= (int)hm_rc_empty_free_lists(&m->rc);
}

/* With the right. */
static int64_t collect(struct hm_mutator *m) {
    struct hm_gc *gc = m->gc;
    struct hm_whole_done done = {0};
    struct list dead, garbage;
    struct hm_object *calls = NULL;
    list_init(&dead);
    list_init(&garbage);
    m->collecting = true;
    hm_whole_begin(&gc->whole);
    merge_queues(gc, &dead);
    find_garbage(gc, &garbage, &done);
    unsigned traits = survey(&garbage);
    if (traits & TRAIT_LEGACY)
        done.uncollectable = keep_legacy(&garbage);
    if (traits) {
        hold(&garbage);
        calls = clear_all_weak_references(m, &garbage);
    }
    __atomic_store_n(&gc->count, 0, __ATOMIC_RELAXED);
    hm_whole_interrupt(&gc->whole);
    release_all(m, &dead);
    done.collected = traits ? do_away(m, &garbage, traits, calls) : free_plain(m, &garbage);
    empty_free_lists(m);
    hm_whole_end(&gc->whole, &done);
    m->collecting = false;
    return (int64_t)(done.collected + done.uncollectable);
}

/* Others may have collected before it is our turn; what we let go of since is for us to find. */
int64_t hm_freethreaded_collect(struct hm_mutator *m) {
    if (m->collecting)
        return 0;
    hm_mutators_lock(&m->gc->right);
    int64_t found = collect(m);
    pthread_mutex_unlock(&m->gc->right);
    return found;
}

static bool is_due(const struct hm_gc *gc) {
    int64_t count = __atomic_load_n(&gc->count, __ATOMIC_RELAXED);
    int64_t long_lived = __atomic_load_n(&gc->long_lived, __ATOMIC_RELAXED);
    return gc->threshold && count > gc->threshold && count > long_lived / LONG_LIVED_SHARE;
}

/* While another mutator collects nothing is due: it goes on without us, as in CPython's gc_collect_main. */
void hm_freethreaded_flush(struct hm_mutator *m) {
    struct hm_gc *gc = m->gc;
    tell_count(m);
    if (!gc->whole.automatic || m->collecting || !is_due(gc) || pthread_mutex_trylock(&gc->right))
        return;
    if (is_due(gc))
        collect(m);
    pthread_mutex_unlock(&gc->right);
}

/* What can be had back when memory is out. */
static void relieve(struct hm_mutator *m) {
    hm_freethreaded_drain(m);
    if (m->gc->whole.automatic)
        hm_freethreaded_collect(m);
    empty_free_lists(m);
}

bool hm_freethreaded_extend(struct hm_mutator *m) {
    if (hm_log_extend(&m->table, &m->rc.memory))
        return true;
    relieve(m);
    return hm_freethreaded_has_entry(m) || hm_log_extend(&m->table, &m->rc.memory);
}

void *hm_freethreaded_retry(struct hm_mutator *m, size_t bytes) {
    relieve(m);
    if (!hm_freethreaded_has_entry(m) && !hm_log_extend(&m->table, &m->rc.memory))
        return NULL;
    return hm_malloc(&m->rc.memory, bytes);
}

/* ---- Opening and closing ---- */

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    if (options->mutators > 1 && options->threading == HM_ISOLATED)
        return ENOTSUP;
    int bad = hm_several_new(&gc, options);
    if (bad)
        return bad;
    gc->threshold = options->params[PARAM_THRESHOLD].number;
    gc->whole.events = options->events;
    gc->whole.automatic = options->params[PARAM_AUTO].number == 0;
    gc->whole.stops = options->threading == HM_FREE;
    pthread_mutex_init(&gc->right, NULL);
    *out = gc;
    return 0;
}

static void detach(struct hm_mutator *m) {
    end_queue(m);
    tell_count(m);
    hm_several_detach(m);
}

/* Frees the leaves that containers hold, and nobody else. */
static void free_leaves(struct hm_gc *gc) {
    struct hm_object *object;
    for (struct walk w = start_walk(gc); (object = next_container(&w));) {
        struct hm_object **slots = hm_slots(object);
        for (uint32_t i = 0, n = object->length; i < n; i++) {
            if (!slots[i] || !slots[i]->leaf || hm_rc_is_immortal(slots[i]))
                continue;
            slots[i]->count--;
            if (hm_rc_count(slots[i]) == 0)
                hm_free(&gc->memory, hm_freethreaded_block(slots[i]));
        }
    }
}

static void free_immortal_leaves(struct hm_gc *gc) {
    for (unsigned number = 1; number <= gc->used; number++)
        for (struct hm_rc_note *n = hm_several_find(gc, number)->rc.immortals; n; n = n->older)
            if (n->object->leaf)
                hm_free(&gc->memory, hm_freethreaded_block(n->object));
}

static inline void hm_several_forget(struct hm_mutator *m) {
    struct hm_object *object;
    struct hm_log_place p = hm_log_start(&m->table);
    for (; (object = hm_log_get(&m->table, &p)); p.at++)
        if (!hm_entry_is_free(object))
            hm_free(&m->rc.memory, hm_freethreaded_block(object));
    hm_log_close(&m->table, &m->rc.memory);
    hm_rc_empty_free_lists(&m->rc);
    hm_rc_forget_notes(&m->rc.memory, m->rc.immortals);
}

static void close_gc(struct hm_gc *gc) {
    if (gc->used) {
        free_leaves(gc);
        free_immortal_leaves(gc);
    }
    pthread_mutex_destroy(&gc->right);
    hm_several_close(gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = (struct hm_gc_stats){.header_bytes =
                                    sizeof(struct hm_object *) + sizeof(struct hm_tracked) +
                                    sizeof(struct hm_biased) + sizeof(struct hm_object)};
    hm_several_add_stats(gc, out);
    hm_whole_tell(&gc->whole, out);
}

static const struct hm_collector hm_freethreaded = {
    .name = "freethreaded",
    .summary = "biased counting with a cycle collector that stops the world twice",
    .origin = "CPython 3.13, free-threaded",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GIL | HM_GC_FREE | HM_GC_ON_DEMAND | HM_GC_AT_ONCE,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_several_attach,
    .detach = detach,
    .stats = stats,
    .control = &hm_whole_control,
};
HM_REGISTER(hm_collector, hm_freethreaded);

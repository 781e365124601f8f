/* Stop-the-world marking and sweeping: nothing moves, and nothing is counted.
 *
 * A collection marks what the roots reach, deals with what is special among the rest, and sweeps: it
 * goes through the logs, frees what is not marked, and closes the gaps in them. What comes between,
 * in this order:
 *   1. objects with a legacy finalizer, and all that they reach, are marked: nobody may free them;
 *   2. all weak references that are garbage, or refer to garbage, are cleared; then the callbacks of
 *      those run that are no garbage themselves;
 *   3. the finalizers of garbage run, each once, while all of it is still whole;
 *   4. if any ran, all is marked anew, so that what they brought back survives with all that it
 *      reaches, and 1 and 2 are repeated. What has got a finalizer since then survives, too.
 * A finalizer that brings nothing back costs its garbage no second collection, but costs a second
 * marking. The results are those of CPython's collector, without its counts.
 *
 * Several mutators share the heap. One collects at a time, while the others are stopped; what is the
 * program's own, in 2 and 3, runs while they go on. They can not meet garbage: no weak reference leads to it
 * any more, and what they allocate is marked.
 *
 * An allocation collects when the heap has grown to `heap` times what the last collection left, as with
 * the heap multiplier of Whippet's benchmarks. */
#define HM_COLLECTOR_HEADER "collectors/marksweep.h"
#include "collectors/collector.h"

#include "collectors/marksweep_heap.h"
#include "collectors/marksweep_mark.h"

enum {
    PARAM_HEAP,
    PARAM_MIN,
    PARAM_AUTO,
};

enum {
    SWEEP_AHEAD = 8, /* objects whose headers are fetched in advance */
    SHARES = 8,      /* of the room, for each of several mutators */
};

static const struct hm_param params[] = {
    [PARAM_HEAP] = {.name = "heap",
                    .unit = "times",
                    .help =
                        "size that a collection is due at, as a multiple of the live bytes that "
                        "the last one left",
                    .kind = HM_PARAM_COUNT,
                    .initial = 2,
                    .min = 2,
                    .max = 1000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "size of the heap below which no collection is due",
                   .kind = HM_PARAM_BYTES,
                   .initial = 1 << 20,
                   .min = 0,
                   .max = (int64_t)1 << 40},
    [PARAM_AUTO] = {.name = "auto",
                    .unit = "",
                    .help = "whether an allocation may collect; off: only when told, even out of "
                            "memory",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 0,
                    .choices = "on|off"},
    {.name = NULL},
};

/* ---- Marking ---- */

static void mark_roots(struct hm_gc *gc, struct marker *k) {
    struct hm_object *object;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++)
        for (size_t i = 0; i < m->roots_used; i++)
            if (*m->roots[i])
                marker_push(k, *m->roots[i]);
    struct hm_log_place p = hm_log_start(&gc->immortals);
    for (; (object = hm_log_get(&gc->immortals, &p)); p.at++)
        marker_push(k, object);
    marker_run(k);
}

/* @return how many are kept so */
static uint64_t mark_legacy(struct hm_gc *gc, struct marker *k) {
    uint64_t before = k->marked;
    struct hm_object *object;
    for (struct walk w = start_walk(gc, false); (object = next_special(&w));) {
        if (!object->type->legacy_finalizer || is_marked(gc, object))
            continue;
        marker_push(k, object);
        marker_run(k);
    }
    return k->marked - before;
}

static bool is_to_be_finalized(const struct hm_gc *gc, const struct hm_object *object) {
    return object->type->finalize && !object->finalized && !is_marked(gc, object);
}

static void mark_unfinalized(struct hm_gc *gc, struct marker *k) {
    struct hm_object *object;
    for (struct walk w = start_walk(gc, false); (object = next_special(&w));)
        if (is_to_be_finalized(gc, object))
            marker_push(k, object);
    marker_run(k);
}

/* A new epoch: nothing is marked but what the roots reach, and what must not be freed.
 * @param again the finalizers have run @return how many are kept though nothing reaches them */
static uint64_t mark(struct hm_gc *gc, bool again) {
    struct marker k;
    gc->epoch++;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++)
        m->epoch = gc->epoch;
    marker_open(&k, &gc->memory, gc->epoch);
    mark_roots(gc, &k);
    uint64_t kept = mark_legacy(gc, &k);
    if (again)
        mark_unfinalized(gc, &k);
    marker_close(&k);
    return kept;
}

/* ---- What is special ---- */

/* Clears all references to a target, and puts those whose callback is to run at the end of a list that
 * is linked through `older`. @return its end */
static struct hm_object **clear_weak_references(const struct hm_gc *gc, struct hm_object *target,
                                                struct hm_object **end) {
    struct hm_object *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        if (!hm_weak_of(reference)->callback || !is_marked(gc, reference))
            continue;
        *end = reference;
        end = &hm_weak_of(reference)->older;
    }
    return end;
}

static void call_back(struct hm_mutator *m, struct hm_object *calls) {
    struct hm_object *object;
    hm_whole_interrupt(&m->gc->whole);
    while ((object = calls)) {
        calls = hm_weak_of(object)->older;
        hm_weak_of(object)->older = NULL;
        hm_weak_run(m, object);
    }
    hm_whole_go_on(&m->gc->whole);
}

static void handle_weak_references(struct hm_mutator *m) {
    struct hm_gc *gc = m->gc;
    struct hm_object *object, *calls = NULL, **end = &calls;
    for (struct walk w = start_walk(gc, false); (object = next_special(&w));) {
        if (!is_marked(gc, object) && object->type->weak)
            hm_weak_unlink(object);
        if (!is_marked(gc, object) && object->type->weakable)
            end = clear_weak_references(gc, object, end);
    }
    if (calls)
        call_back(m, calls);
}

/* Notes whose finalizer is to run: others may look at what a finalizer brings back, and its header must not
 * change then. @return whether there is one */
static bool note_unfinalized(struct hm_gc *gc) {
    bool found = false;
    struct hm_object *object;
    for (struct walk w = start_walk(gc, true); (object = next_special(&w));) {
        if (!is_to_be_finalized(gc, object))
            continue;
        object->finalized = found = true;
        object->mark = MARK_DUE;
    }
    return found;
}

static void forget_notes(struct hm_gc *gc) {
    struct hm_object *object;
    for (struct walk w = start_walk(gc, true); (object = next_special(&w));)
        object->mark = 0;
}

/* What was garbage before the finalizers is looked through; what they and others make is marked. */
static void run_finalizers(struct hm_mutator *m) {
    struct hm_object *object;
    hm_whole_interrupt(&m->gc->whole);
    for (struct walk w = start_walk(m->gc, true); (object = next_special(&w));)
        if (object->mark == MARK_DUE)
            object->type->finalize(m, object);
    hm_whole_go_on(&m->gc->whole);
    forget_notes(m->gc);
}

/* ---- Sweeping ---- */

static void free_object(struct hm_gc *gc, struct hm_object *object) {
    gc->freed_objects++;
    gc->freed_bytes += hm_object_bytes(object->type, object->length) + HM_MARKSWEEP_ENTRY;
    hm_free(&gc->memory, object);
}

/* @param limit where the log ended when the garbage was found
 * @return objects freed that were in it then */
static uint64_t sweep(struct hm_gc *gc, struct hm_log *log, struct hm_object **limit) {
    if (!log->first)
        return 0;
    struct hm_log_place to = {log->first, log->first->objects};
    uint64_t before = gc->freed_objects, found = 0;
    for (struct hm_log_page *page = log->first; page; page = page->newer) {
        struct hm_object **end = hm_log_end(log, page);
        for (struct hm_object **at = page->objects; at < end; at++) {
            if (at == limit)
                found = gc->freed_objects - before;
            if (end - at > SWEEP_AHEAD)
                __builtin_prefetch(at[SWEEP_AHEAD]);
            if (is_marked(gc, *at))
                hm_log_put(&to, *at);
            else
                free_object(gc, *at);
        }
        if (end == limit)
            found = gc->freed_objects - before;
    }
    hm_log_cut(log, &gc->memory, to);
    return found;
}

static uint64_t sweep_all(struct hm_gc *gc) {
    uint64_t found = 0;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        found += sweep(gc, &m->special, m->special_end);
        found += sweep(gc, &m->plain, m->plain_end);
    }
    return found;
}

/* ---- The collection ---- */

/* All room goes back, and is dealt out anew. A single mutator gets it in one piece, and so collects when
 * it is used up to the byte. */
static void set_room(struct hm_gc *gc) {
    uint64_t live = 0;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        m->limit_bytes = m->allocated_bytes;
        live += m->allocated_bytes;
    }
    live -= gc->freed_bytes;
    uint64_t size = gc->heap_factor * live;
    size = size > gc->min_bytes ? size : gc->min_bytes;
    gc->room_bytes = size > live ? size - live : 0;
    gc->share_bytes = gc->announced > 1 ? gc->room_bytes / gc->announced / SHARES : gc->room_bytes;
}

/* How many objects there are; where the logs end is noted. */
static uint64_t count_objects(struct hm_gc *gc) {
    uint64_t sum = 0;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        m->plain_end = m->plain.next;
        m->special_end = m->special.next;
        sum += m->allocated_objects;
    }
    return sum - gc->freed_objects;
}

static void mark_log(const struct hm_gc *gc, const struct hm_log *log) {
    struct hm_object *object;
    for (struct hm_log_place p = hm_log_start(log); (object = hm_log_get(log, &p)); p.at++)
        object->count = gc->epoch;
}

/* After the finalizers, during which others went on. If one of them has lost a root meanwhile, it is not known
 * what lives: all of it does, until the next collection. @return how many are kept though nothing reaches
 * them */
static uint64_t mark_again(struct hm_gc *gc) {
    if (!has_any_lost_root(gc))
        return mark(gc, true);
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        mark_log(gc, &m->special);
        mark_log(gc, &m->plain);
    }
    return 0;
}

static void collect_stopped(struct hm_mutator *m, struct hm_whole_done *done) {
    struct hm_gc *gc = m->gc;
    done->visited = count_objects(gc);
    done->uncollectable = mark(gc, false);
    handle_weak_references(m);
    if (note_unfinalized(gc)) {
        run_finalizers(m);
        done->uncollectable = mark_again(gc);
        handle_weak_references(m);
    }
    done->collected = sweep_all(gc);
    set_room(gc);
}

/* With the right. A root that another mutator has lost is seen in the pause only, which then does nothing
 * else. */
static int64_t collect(struct hm_mutator *m) {
    struct hm_gc *gc = m->gc;
    struct hm_whole_done done = {0};
    m->collecting = true;
    hm_whole_begin(&gc->whole);
    if (!has_any_lost_root(gc))
        collect_stopped(m, &done);
    hm_whole_end(&gc->whole, &done);
    m->collecting = false;
    return (int64_t)(done.collected + done.uncollectable);
}

static bool may_collect(const struct hm_mutator *m) {
    return !m->collecting && !has_lost_root(m);
}

/* Others may have collected before it is our turn; what we let go of since is for us to find. */
int64_t hm_marksweep_collect(struct hm_mutator *m) {
    if (!may_collect(m))
        return 0;
    hm_mutators_lock(&m->gc->right);
    int64_t found = collect(m);
    pthread_mutex_unlock(&m->gc->right);
    return found;
}

/* @return whether a collection was allowed */
static bool relieve(struct hm_mutator *m) {
    if (!m->gc->whole.automatic || !may_collect(m))
        return false;
    hm_marksweep_collect(m);
    return true;
}

/* Take a share, or what the object needs, if that is more. @return false: there is not enough; all that
 * there is has been taken */
static bool take_room(struct hm_mutator *m, size_t bytes) {
    struct hm_gc *gc = m->gc;
    uint64_t needed = m->allocated_bytes + bytes - m->limit_bytes;
    pthread_mutex_lock(&gc->lock);
    bool enough = needed <= gc->room_bytes;
    uint64_t taken = needed > gc->share_bytes ? needed : gc->share_bytes;
    taken = taken < gc->room_bytes ? taken : gc->room_bytes;
    gc->room_bytes -= taken;
    m->limit_bytes += taken;
    pthread_mutex_unlock(&gc->lock);
    return enough;
}

/* Another mutator may collect before it is our turn: then there is room. */
void hm_marksweep_overflow(struct hm_mutator *m, size_t bytes) {
    if (!m->gc->whole.automatic || !may_collect(m) || take_room(m, bytes))
        return;
    hm_mutators_lock(&m->gc->right);
    if (m->allocated_bytes + bytes > m->limit_bytes && !take_room(m, bytes)) {
        collect(m);
        take_room(m, bytes);
    }
    pthread_mutex_unlock(&m->gc->right);
}

bool hm_marksweep_extend(struct hm_mutator *m, struct hm_log *log) {
    if (hm_log_extend(log, &m->memory))
        return true;
    relieve(m);
    return !hm_log_is_full(log) || hm_log_extend(log, &m->memory);
}

void *hm_marksweep_retry(struct hm_mutator *m, struct hm_log *log, size_t bytes) {
    if (!relieve(m))
        return NULL;
    if (hm_log_is_full(log) && !hm_log_extend(log, &m->memory))
        return NULL;
    return hm_malloc(&m->memory, bytes);
}

void hm_marksweep_root(struct hm_mutator *m, struct hm_object **variable) {
    size_t used = m->roots_used++;
    if (used > m->roots_capacity)
        return;
    struct hm_object ***roots = hm_malloc(&m->memory, 2 * used * sizeof *roots);
    if (!roots)
        return;
    memcpy(roots, m->roots, used * sizeof *roots);
    if (m->roots != m->few_roots)
        hm_free(&m->memory, m->roots);
    m->roots = roots;
    m->roots_capacity = 2 * used;
    roots[used] = variable;
}

bool hm_marksweep_immortalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_gc *gc = m->gc;
    pthread_mutex_lock(&gc->lock);
    bool noted = !hm_log_is_full(&gc->immortals) || hm_log_extend(&gc->immortals, &gc->memory);
    if (noted)
        hm_log_append(&gc->immortals, object);
    pthread_mutex_unlock(&gc->lock);
    return noted;
}

/* ---- Opening and closing ---- */

static void init_mutator(struct hm_gc *gc, struct hm_mutator *m) {
    m->gc = gc;
    m->memory = gc->memory;
    m->roots = m->few_roots;
    m->roots_capacity = HM_MARKSWEEP_FEW;
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    if (options->mutators > 1 && options->threading == HM_ISOLATED)
        return ENOTSUP;
    struct hm_gc *gc =
        hm_calloc(options->memory, 1, sizeof *gc + options->mutators * sizeof *gc->mutators);
    if (!gc)
        return ENOMEM;
    gc->memory = *options->memory;
    gc->announced = options->mutators;
    gc->whole.events = options->events;
    gc->whole.stops = options->threading == HM_FREE;
    gc->whole.automatic = options->params[PARAM_AUTO].number == 0;
    gc->heap_factor = (uint64_t)options->params[PARAM_HEAP].number;
    gc->min_bytes = (uint64_t)options->params[PARAM_MIN].number;
    pthread_mutex_init(&gc->right, NULL);
    pthread_mutex_init(&gc->lock, NULL);
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++)
        init_mutator(gc, m);
    set_room(gc);
    *out = gc;
    return 0;
}

/* A mutator that was detached leaves its objects to the one that is attached in its place. */
static struct hm_mutator *attach(struct hm_gc *gc) {
    pthread_mutex_lock(&gc->lock);
    struct hm_mutator *m = gc->mutators;
    while (m < mutators_end(gc) && m->attached)
        m++;
    if (m < mutators_end(gc))
        m->attached = true;
    else
        m = NULL;
    pthread_mutex_unlock(&gc->lock);
    return m;
}

static void detach(struct hm_mutator *m) {
    pthread_mutex_lock(&m->gc->lock);
    m->attached = false;
    pthread_mutex_unlock(&m->gc->lock);
}

/* Of all objects, and of the log itself. */
static void free_log(struct hm_log *log, const struct hm_memory *memory) {
    struct hm_object *object;
    for (struct hm_log_place p = hm_log_start(log); (object = hm_log_get(log, &p)); p.at++)
        hm_free(memory, object);
    hm_log_close(log, memory);
}

static void close_gc(struct hm_gc *gc) {
    const struct hm_memory memory = gc->memory;
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        free_log(&m->special, &memory);
        free_log(&m->plain, &memory);
        if (m->roots != m->few_roots)
            hm_free(&memory, m->roots);
    }
    hm_log_close(&gc->immortals, &memory);
    pthread_mutex_destroy(&gc->right);
    pthread_mutex_destroy(&gc->lock);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = (struct hm_gc_stats){.freed_objects = gc->freed_objects,
                                .freed_bytes = gc->freed_bytes,
                                .header_bytes = sizeof(struct hm_object) + HM_MARKSWEEP_ENTRY};
    for (const struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++) {
        out->allocated_objects += m->allocated_objects;
        out->allocated_bytes += m->allocated_bytes;
    }
    hm_whole_tell(&gc->whole, out);
}

static const struct hm_collector hm_marksweep = {
    .name = "marksweep",
    .summary = "tracing: marks what roots reach and sweeps the rest, all at once",
    .origin = "McCarthy 1960; heap sizing as in Whippet's mmc benchmarks",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GIL | HM_GC_FREE | HM_GC_ON_DEMAND,
    .open = open_gc,
    .close = close_gc,
    .attach = attach,
    .detach = detach,
    .stats = stats,
    .control = &hm_whole_control,
};
HM_REGISTER(hm_collector, hm_marksweep);

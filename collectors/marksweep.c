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
 * An allocation collects when the heap has grown to `heap` times what the last collection left, as with
 * the heap multiplier of Whippet's benchmarks. */
#define HM_COLLECTOR_HEADER "collectors/marksweep.h"
#include "collectors/collector.h"

#include "collectors/marksweep_mark.h"
#include "collectors/whole_control.h"

enum {
    PARAM_HEAP,
    PARAM_MIN,
    PARAM_AUTO,
};

enum {
    SWEEP_AHEAD = 8, /* objects whose headers are fetched in advance */
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

static bool is_marked(const struct hm_mutator *m, const struct hm_object *object) {
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a log has none */
    return object->count == m->epoch;
}

/* ---- Marking ---- */

static void mark_roots(struct hm_mutator *m, struct marker *k) {
    struct hm_object *object;
    for (size_t i = 0; i < m->roots_used; i++)
        if (*m->roots[i])
            marker_push(k, *m->roots[i]);
    struct hm_log_place p = hm_log_start(&m->immortals);
    for (; (object = hm_log_get(&m->immortals, &p)); p.at++)
        marker_push(k, object);
    marker_run(k);
}

/* @return how many are kept so */
static uint64_t mark_legacy(struct hm_mutator *m, struct marker *k) {
    uint64_t before = k->marked;
    struct hm_object *object;
    struct hm_log_place p = hm_log_start(&m->special);
    for (; (object = hm_log_get(&m->special, &p)); p.at++) {
        if (!object->type->legacy_finalizer || is_marked(m, object))
            continue;
        marker_push(k, object);
        marker_run(k);
    }
    return k->marked - before;
}

static bool is_to_be_finalized(const struct hm_mutator *m, const struct hm_object *object) {
    return object->type->finalize && !object->finalized && !is_marked(m, object);
}

static void mark_unfinalized(struct hm_mutator *m, struct marker *k) {
    struct hm_object *object;
    struct hm_log_place p = hm_log_start(&m->special);
    for (; (object = hm_log_get(&m->special, &p)); p.at++)
        if (is_to_be_finalized(m, object))
            marker_push(k, object);
    marker_run(k);
}

/* A new epoch: nothing is marked but what the roots reach, and what must not be freed.
 * @param again the finalizers have run @return how many are kept though nothing reaches them */
static uint64_t mark(struct hm_mutator *m, bool again) {
    struct marker k;
    m->epoch++;
    marker_open(&k, m);
    mark_roots(m, &k);
    uint64_t kept = mark_legacy(m, &k);
    if (again)
        mark_unfinalized(m, &k);
    marker_close(&k);
    return kept;
}

/* ---- What is special ---- */

/* Clears all references to a target, and puts those whose callback is to run at the end of a list that
 * is linked through `older`. @return its end */
static struct hm_object **clear_weak_references(const struct hm_mutator *m,
                                                struct hm_object *target, struct hm_object **end) {
    struct hm_object *reference;
    while ((reference = *hm_weak_list(target))) {
        hm_weak_unlink(reference);
        if (!hm_weak_of(reference)->callback || !is_marked(m, reference))
            continue;
        *end = reference;
        end = &hm_weak_of(reference)->older;
    }
    return end;
}

static void handle_weak_references(struct hm_mutator *m) {
    struct hm_object *object, *calls = NULL, **end = &calls;
    struct hm_log_place p = hm_log_start(&m->special);
    for (; (object = hm_log_get(&m->special, &p)); p.at++) {
        if (!is_marked(m, object) && object->type->weak)
            hm_weak_unlink(object);
        if (!is_marked(m, object) && object->type->weakable)
            end = clear_weak_references(m, object, end);
    }
    while ((object = calls)) {
        calls = hm_weak_of(object)->older;
        hm_weak_of(object)->older = NULL;
        hm_weak_run(m, object);
    }
}

/* @return whether there were any */
static bool run_finalizers(struct hm_mutator *m) {
    bool ran = false;
    struct hm_object *object;
    struct hm_log_place p = hm_log_start(&m->special);
    for (; (object = hm_log_get(&m->special, &p)); p.at++) {
        if (!is_to_be_finalized(m, object))
            continue;
        object->finalized = ran = true;
        object->type->finalize(m, object);
    }
    return ran;
}

/* ---- Sweeping ---- */

static void free_object(struct hm_mutator *m, struct hm_object *object) {
    m->freed_objects++;
    m->freed_bytes += hm_object_bytes(object->type, object->length) + HM_MARKSWEEP_ENTRY;
    hm_free(&m->memory, object);
}

/* @param limit where the log ended when the garbage was found
 * @return objects freed that were in it then */
static uint64_t sweep(struct hm_mutator *m, struct hm_log *log, struct hm_object **limit) {
    if (!log->first)
        return 0;
    struct hm_log_place to = {log->first, log->first->objects};
    uint64_t before = m->freed_objects, found = 0;
    for (struct hm_log_page *page = log->first; page; page = page->newer) {
        struct hm_object **end = hm_log_end(log, page);
        for (struct hm_object **at = page->objects; at < end; at++) {
            if (at == limit)
                found = m->freed_objects - before;
            if (end - at > SWEEP_AHEAD)
                __builtin_prefetch(at[SWEEP_AHEAD]);
            if (is_marked(m, *at))
                hm_log_put(&to, *at);
            else
                free_object(m, *at);
        }
        if (end == limit)
            found = m->freed_objects - before;
    }
    hm_log_cut(log, &m->memory, to);
    return found;
}

/* ---- The collection ---- */

static void set_limit(struct hm_mutator *m) {
    uint64_t live = m->allocated_bytes - m->freed_bytes;
    uint64_t size = m->heap_factor * live;
    m->limit_bytes = m->freed_bytes + (size > m->min_bytes ? size : m->min_bytes);
}

static int64_t collect(struct hm_mutator *m) {
    struct hm_whole_done done = {0};
    hm_whole_begin(&m->whole);
    done.visited = m->allocated_objects - m->freed_objects;
    done.uncollectable = mark(m, false);
    struct hm_object **plain_limit = m->plain.next, **special_limit = m->special.next;
    handle_weak_references(m);
    if (run_finalizers(m)) {
        done.uncollectable = mark(m, true);
        handle_weak_references(m);
    }
    done.collected = sweep(m, &m->special, special_limit);
    done.collected += sweep(m, &m->plain, plain_limit);
    set_limit(m);
    hm_whole_end(&m->whole, &done);
    return (int64_t)(done.collected + done.uncollectable);
}

static bool may_collect(const struct hm_mutator *m) {
    return !m->whole.collecting && m->roots_used <= m->roots_capacity;
}

int64_t hm_marksweep_collect(struct hm_mutator *m) {
    return may_collect(m) ? collect(m) : 0;
}

void hm_marksweep_overflow(struct hm_mutator *m) {
    if (m->whole.automatic && may_collect(m))
        collect(m);
}

bool hm_marksweep_extend(struct hm_mutator *m, struct hm_log *log) {
    if (hm_log_extend(log, &m->memory))
        return true;
    hm_marksweep_overflow(m);
    return !hm_log_is_full(log) || hm_log_extend(log, &m->memory);
}

void *hm_marksweep_retry(struct hm_mutator *m, struct hm_log *log, size_t bytes) {
    if (!m->whole.automatic || !may_collect(m))
        return NULL;
    collect(m);
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

/* ---- Opening and closing ---- */

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    if (options->mutators > 1)
        return ENOTSUP;
    int bad = hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    struct hm_mutator *m = &gc->mutator;
    m->memory = *options->memory;
    m->roots = m->few_roots;
    m->roots_capacity = HM_MARKSWEEP_FEW;
    m->whole.events = options->events;
    m->whole.automatic = options->params[PARAM_AUTO].number == 0;
    m->heap_factor = (uint64_t)options->params[PARAM_HEAP].number;
    m->min_bytes = (uint64_t)options->params[PARAM_MIN].number;
    set_limit(m);
    *out = gc;
    return 0;
}

/* Of all objects, and of the log itself. */
static void free_log(struct hm_log *log, const struct hm_memory *memory) {
    struct hm_object *object;
    for (struct hm_log_place p = hm_log_start(log); (object = hm_log_get(log, &p)); p.at++)
        hm_free(memory, object);
    hm_log_close(log, memory);
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->memory;
    free_log(&m->special, &memory);
    free_log(&m->plain, &memory);
    hm_log_close(&m->immortals, &memory);
    if (m->roots != m->few_roots)
        hm_free(&memory, m->roots);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out = (struct hm_gc_stats){.allocated_objects = m->allocated_objects,
                                .allocated_bytes = m->allocated_bytes,
                                .freed_objects = m->freed_objects,
                                .freed_bytes = m->freed_bytes,
                                .header_bytes = sizeof(struct hm_object) + HM_MARKSWEEP_ENTRY};
    hm_whole_tell(&m->whole, out);
}

static const struct hm_collector hm_marksweep = {
    .name = "marksweep",
    .summary = "tracing: marks what roots reach and sweeps the rest, all at once",
    .origin = "McCarthy 1960; heap sizing as in Whippet's mmc benchmarks",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_ON_DEMAND,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
    .control = &hm_whole_control,
};
HM_REGISTER(hm_collector, hm_marksweep);

/* Pure reference counting: what dies goes at once, and cycles never.
 *
 * A leaked cycle shows in the statistics, as objects that were allocated and not freed. This is
 * `count=plain`; refcount_atomic.c and refcount_biased.c are the variants that several threads may use
 * at the same time. */
#define HM_COLLECTOR_HEADER "collectors/refcount.h"
#include "collectors/collector.h"

#include "collectors/isolated.h"
#include "collectors/refcount_body.h"

static inline bool hm_refcount_reclaim(struct hm_mutator *m) {
    (void)m;
    return false;
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    int bad = hm_isolated_new(out, options);
    if (!bad)
        (*out)->mutator.rc.memory = *options->memory;
    return bad;
}

static void close_gc(struct hm_gc *gc) {
    const struct hm_memory memory = gc->mutator.rc.memory;
    hm_refcount_close(&gc->mutator.rc);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = (struct hm_gc_stats){0};
    hm_refcount_add_stats(out, &gc->mutator.rc);
}

static const struct hm_collector hm_refcount = {
    .name = "refcount",
    .summary = "reference counting alone: frees at once, never finds a cycle",
    .origin = "Collins 1960; CPython with gc.disable()",
    .params = hm_refcount_params,
    .caps = HM_GC_FREES | HM_GC_GIL | HM_GC_AT_ONCE,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
};
HM_REGISTER(hm_collector, hm_refcount);

/* Never collects: the workload frees each object by hand, as it knows when nobody needs it any
 * more. */
#define HM_COLLECTOR_HEADER "collectors/manual.h"
#include "collectors/collector.h"

#include "collectors/isolated.h"

void hm_manual_take_leave(struct hm_mutator *m, struct hm_object *object) {
    if (object->type->weakable)
        hm_weak_call(m, hm_weak_clear(m, object));
    if (object->type->weak)
        hm_weak_unlink(object);
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    int bad = hm_isolated_new(out, options);
    if (!bad)
        (*out)->mutator.memory = *options->memory;
    return bad;
}

static void close_gc(struct hm_gc *gc) {
    const struct hm_memory memory = gc->mutator.memory;
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out = (struct hm_gc_stats){.allocated_objects = m->allocated_objects,
                                .allocated_bytes = m->allocated_bytes,
                                .freed_objects = m->freed_objects,
                                .freed_bytes = m->freed_bytes,
                                .header_bytes = sizeof(struct hm_object)};
}

static const struct hm_collector hm_manual = {
    .name = "manual",
    .summary = "frees what the workload disposes of: what a perfect collector would cost",
    .origin = "explicit deallocation, the oracle of Hertz and Berger 2005",
    .caps = HM_GC_GIL,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
};
HM_REGISTER(hm_collector, hm_manual);

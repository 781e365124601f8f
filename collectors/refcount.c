/* Pure reference counting: what dies goes at once, and cycles never.
 *
 * A leaked cycle shows in the statistics, as objects that were allocated and not freed. */
#define HM_COLLECTOR_HEADER "collectors/refcount.h"
#include "collectors/collector.h"

#include "collectors/isolated.h"
#include "collectors/rc_death.h"

static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_object_bytes(object->type, object->length);
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    hm_free(&m->rc.memory, object);
}

void hm_refcount_bury(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_bury(m, object);
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    int bad = hm_isolated_new(out, options);
    if (!bad)
        (*out)->mutator.rc.memory = *options->memory;
    return bad;
}

static void close_gc(struct hm_gc *gc) {
    const struct hm_memory memory = gc->mutator.rc.memory;
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_rc *rc = &gc->mutator.rc;
    *out = (struct hm_gc_stats){.allocated_objects = rc->allocated_objects,
                                .allocated_bytes = rc->allocated_bytes,
                                .freed_objects = rc->freed_objects,
                                .freed_bytes = rc->freed_bytes,
                                .header_bytes = sizeof(struct hm_object)};
}

static const struct hm_collector hm_refcount = {
    .name = "refcount",
    .summary = "reference counting alone: frees at once, never finds a cycle",
    .origin = "Collins 1960; CPython with gc.disable()",
    .caps = HM_GC_FREES | HM_GC_GIL,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
};
HM_REGISTER(hm_collector, hm_refcount);

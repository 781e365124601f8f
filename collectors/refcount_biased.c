/* `refcount` for threads that run at the same time, each object's count biased to the thread that made it. */
#define HM_COLLECTOR_HEADER "collectors/refcount_biased.h"
#include "collectors/collector.h"

#include "collectors/refcount_variant.h"

#include "collectors/biased_queue.h"

static inline bool hm_refcount_reclaim(struct hm_mutator *m) {
    if (!__atomic_load_n(&m->queue, __ATOMIC_RELAXED))
        return false;
    hm_refcount_biased_drain(m);
    return true;
}

static void detach(struct hm_mutator *m) {
    end_queue(m);
    hm_several_detach(m);
}

static const struct hm_collector hm_refcount_biased = {
    .name = "refcount_biased",
    .variant_of = "refcount",
    .variant = "count=biased",
    .summary = "reference counting alone, plain for the thread that made an object",
    .origin = "Choi, Shull and Torrellas 2018; CPython 3.13, free-threaded",
    .params = hm_refcount_params,
    .caps = HM_GC_FREES | HM_GC_GIL | HM_GC_FREE | HM_GC_AT_ONCE,
    .open = hm_several_new,
    .close = hm_several_close,
    .attach = hm_several_attach,
    .detach = detach,
    .stats = hm_refcount_several_stats,
};
HM_REGISTER(hm_collector, hm_refcount_biased);

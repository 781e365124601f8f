/* `refcount` for threads that run at the same time, each count shared by all. */
#define HM_COLLECTOR_HEADER "collectors/refcount_atomic.h"
#include "collectors/collector.h"

#include "collectors/refcount_variant.h"

static inline bool hm_refcount_reclaim(struct hm_mutator *m) {
    (void)m;
    return false;
}

static const struct hm_collector hm_refcount_atomic = {
    .name = "refcount_atomic",
    .variant_of = "refcount",
    .variant = "count=atomic",
    .summary = "reference counting alone, by atomic operations",
    .origin = "Collins 1960; the shared pointers of C++11",
    .params = hm_refcount_params,
    .caps = HM_GC_FREES | HM_GC_GIL | HM_GC_FREE | HM_GC_AT_ONCE,
    .open = hm_several_new,
    .close = hm_several_close,
    .attach = hm_several_attach,
    .detach = hm_several_detach,
    .stats = hm_refcount_several_stats,
};
HM_REGISTER(hm_collector, hm_refcount_atomic);

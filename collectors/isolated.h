/* For collectors that work on one thread at a time: several threads have a collector each, isolated
 * like CPython's sub-interpreters, or share one, and its single mutator, under the global lock. Nothing
 * here or in such a collector is atomic.
 *
 * Included by the collector's .c file, after its header has completed `struct hm_mutator`. */
#ifndef HM_COLLECTORS_ISOLATED_H
#define HM_COLLECTORS_ISOLATED_H

#include "collectors/collector.h"

#include <errno.h>

struct hm_gc {
    struct hm_mutator mutator;
    unsigned announced, attached;
};

/** Allocate a collector, all zero. The caller frees. @return 0, ENOMEM or ENOTSUP */
static inline int hm_isolated_new(struct hm_gc **out, const struct hm_gc_options *options) {
    if (options->mutators > 1 && options->threading != HM_GIL)
        return ENOTSUP;
    struct hm_gc *gc = hm_calloc(options->memory, 1, sizeof *gc);
    if (!gc)
        return ENOMEM;
    gc->announced = options->mutators;
    *out = gc;
    return 0;
}

static inline struct hm_mutator *hm_isolated_attach(struct hm_gc *gc) {
    if (gc->attached == gc->announced)
        return NULL;
    gc->attached++;
    return &gc->mutator;
}

static inline void hm_isolated_detach(struct hm_mutator *mutator) {
    ((struct hm_gc *)(void *)mutator)->attached--;
}

#endif

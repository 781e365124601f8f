/* For the variants of `refcount` of which several mutators may run at the same time: their close, and what is
 * told of them. For the .c files. */
#ifndef HM_COLLECTORS_REFCOUNT_VARIANT_H
#define HM_COLLECTORS_REFCOUNT_VARIANT_H

#include "collectors/refcount_body.h"

#include "collectors/refcount_several.h"

static inline void hm_several_forget(struct hm_mutator *m) {
    hm_refcount_close(&m->rc);
}

static inline void hm_refcount_several_stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = (struct hm_gc_stats){.header_bytes = HM_REFCOUNT_FRONT_BYTES + sizeof(struct hm_object)};
    hm_several_add_stats(gc, out);
}

#endif

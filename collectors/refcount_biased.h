/* The mutator's half of `refcount:count=biased`: biased.h's counting and nothing else. */
#ifndef HM_COLLECTORS_REFCOUNT_BIASED_H
#define HM_COLLECTORS_REFCOUNT_BIASED_H

#include "collectors/collector.h"

static inline void hm_biased_safepoint(struct hm_mutator *m);
#define HM_AT_SAFEPOINT(m) hm_biased_safepoint(m)
#define HM_RC_COUNTING
#include "collectors/rc.h"

struct hm_mutator {
    struct hm_rc rc;
    struct hm_gc *gc;
    unsigned number;
    char apart[128];            /* from what others write */
    struct hm_object *queue;    /* atomic: of its objects, to be merged; linked through `next` */
    struct hm_object *draining; /* what was taken from there, and is to be merged yet */
};

#define HM_BIASED(name) hm_refcount_biased_##name
#include "collectors/biased.h"

#define HM_REFCOUNT(name)       hm_refcount_biased_##name
#define HM_REFCOUNT_FRONT_BYTES sizeof(struct hm_biased)

static inline void hm_refcount_own(struct hm_mutator *m, void *block) {
    hm_biased_own(m, block);
}

#include "collectors/refcount_mutator.h"

#endif

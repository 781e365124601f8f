/* The mutator's half of `refcount:count=plain`: rc.h's counting and nothing else. */
#ifndef HM_COLLECTORS_REFCOUNT_H
#define HM_COLLECTORS_REFCOUNT_H

#include "collectors/collector.h"
#include "collectors/rc.h"

#define HM_REFCOUNT(name)       hm_refcount_##name
#define HM_REFCOUNT_FRONT_BYTES 0

struct hm_mutator {
    struct hm_rc rc;
};

static inline void hm_refcount_own(struct hm_mutator *m, void *block) {
    (void)m;
    (void)block;
}

#include "collectors/refcount_mutator.h"

#endif

/* Roots of collectors that never look for them. */
#ifndef HM_COLLECTORS_UNTRACED_H
#define HM_COLLECTORS_UNTRACED_H

#include "collectors/collector.h"

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    (void)m;
    (void)variable;
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    (void)m;
    (void)count;
}

#endif

/* What the collectors have in common of which each collection looks at all that there is to look at:
 * when one may begin, and what is told of it. whole_control.h has the rest.
 *
 * A collector keeps one `struct hm_whole`. */
#ifndef HM_COLLECTORS_WHOLE_H
#define HM_COLLECTORS_WHOLE_H

#include "collectors/collector.h"

/* The generation that a whole collection is one of. */
#define HM_WHOLE 2

struct hm_whole {
    const struct hm_gc_events *events;
    hm_gc_callback *callback;
    void *callback_arg;
    bool automatic;  /* an allocation may collect */
    bool collecting; /* a collection is going on: another one does nothing */
    bool paused;     /* a pause is going on */
    bool stops;      /* mutators run at the same time: a pause stops them all */
    struct hm_gc_generation_stats stats;
    uint64_t visited;
};

#endif

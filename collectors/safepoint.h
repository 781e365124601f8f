/* Where a mutator lets others have their turn.
 *
 * Under the global lock (HM_GIL) a mutator holds it while it runs, and gives it up at a safepoint when
 * somebody has asked for it, as the evaluation loop of CPython 3.11 does. Otherwise nobody ever asks,
 * and a safepoint is one load and a branch. One lock for the whole process, as there. */
#ifndef HM_COLLECTORS_SAFEPOINT_H
#define HM_COLLECTORS_SAFEPOINT_H

#include "allocators/gil.h"
#include "collectors/collector.h"

extern struct hm_gil hm_mutators_gil;

/** Once in a process, before the first thread takes the lock. */
void hm_mutators_open(void);
/** Begin and end to run as a mutator, under HM_GIL. */
void hm_mutators_enter(void);
void hm_mutators_leave(void);
/** Slow path of hm_safepoint(): another thread's turn, and then ours again. */
void hm_mutators_yield(void);

#ifdef HM_COLLECTOR_HEADER
/* What else there is to do; a collector that has something defines it before it includes this file. */
#ifndef HM_AT_SAFEPOINT
#define HM_AT_SAFEPOINT(m) ((void)(m))
#endif

static inline void hm_safepoint(struct hm_mutator *m) {
    HM_AT_SAFEPOINT(m);
    if (__builtin_expect(hm_gil_is_asked(&hm_mutators_gil), 0))
        hm_mutators_yield();
}
#endif

#endif

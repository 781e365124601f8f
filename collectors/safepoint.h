/* Where a mutator lets others have their turn, or is stopped by them.
 *
 * Under the global lock (HM_GIL) a mutator holds it while it runs, and gives it up at a safepoint when
 * somebody has asked for it, as the evaluation loop of CPython 3.11 does. Where mutators run at the same
 * time (HM_FREE), each one waits at a safepoint while another one has stopped the world (world.h). Else
 * nobody ever asks. A safepoint is one load and a branch: a process has only one of the two, and one flag
 * asks for both.
 *
 * One lock and one world for the whole process. */
#ifndef HM_COLLECTORS_SAFEPOINT_H
#define HM_COLLECTORS_SAFEPOINT_H

#include "allocators/gil.h"
#include "collectors/collector.h"

extern struct hm_gil hm_mutators_gil;

/** Which way the threads of this process go from now on. Before the first one enters; HM_ISOLATED, in
 *  which all functions here do nothing, needs no call. */
void hm_mutators_open(enum hm_threading threading);
/** Begin and end to run as a mutator. A thread that is about to wait for another one (at a barrier, for
 *  its next work) leaves before that. Its owned references are in rooted variables then. */
void hm_mutators_enter(void);
void hm_mutators_leave(void);
/** Slow path of hm_safepoint(): another thread's turn, and then ours again. */
void hm_mutators_yield(void);

/** For collectors: between the two no other mutator runs. The caller does, and runs nothing in between that
 *  the program wrote, but for `traverse`: that may wait for a thread which is stopped. */
void hm_mutators_stop(void);
void hm_mutators_resume(void);
/** For collectors: take a mutex which is held across safepoints. This is one, if it has to wait. */
void hm_mutators_lock(pthread_mutex_t *mutex);

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

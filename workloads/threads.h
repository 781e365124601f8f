/* Work on a fresh thread, for workloads whose threads come and go. */
#ifndef HM_WORKLOADS_THREADS_H
#define HM_WORKLOADS_THREADS_H

#include "workloads/workload.h"

#include <pthread.h>

/** What a workload's run() does. */
typedef uint64_t hm_work_fn(struct hm_run *run, uint64_t units);

struct hm_errand {
    struct hm_run *run;
    hm_work_fn *work;
    uint64_t units;
    uint64_t done;
};

static inline void *hm_errand_do(void *arg) {
    struct hm_errand *errand = arg;
    if (hm_run_enter(errand->run))
        return NULL;
    errand->done = errand->work(errand->run, errand->units);
    hm_run_leave(errand->run);
    return NULL;
}

/** Have a fresh thread, which inherits the CPU, do the units, and wait for its end. It has to be
 *  declared by own_threads(). A thread that can not be started counts as memory that ran out.
 *  Starting one takes some 40 us, and the C library allocates for it.  @return units done */
static inline uint64_t hm_run_fresh(struct hm_run *run, uint64_t units, hm_work_fn *work) {
    struct hm_errand errand = {run, work, units, 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, hm_errand_do, &errand) == 0)
        pthread_join(thread, NULL);
    return errand.done;
}

#endif

/* Takes the census of one workload, in a process of its own. */
#ifndef HM_HARNESS_CENSUS_TAKE_H
#define HM_HARNESS_CENSUS_TAKE_H

#include "harness/census/record.h"
#include "harness/error.h"
#include "harness/plan/spec.h"

/** What is looked at, and what came out. */
struct hm_census {
    /* The question. */
    struct hm_workload_spec workload;
    struct hm_collector_spec collector; /* of object workloads */
    unsigned threads;
    uint64_t seed;
    uint64_t asked_units; /* of each thread; 0: until there are enough events to look at */
    unsigned timeout_s;
    /* The answer. */
    uint64_t units;      /* that each thread did */
    uint64_t operations; /* of each thread */
    struct hm_census_record record;
};

/** Whether there is anything to look at: a heap workload, or an object workload with a collector that
 *  takes its memory from it, and can do what the workload needs.
 *  @return 0, or EINVAL with a line */
int hm_census_check(const struct hm_census *census, struct hm_error *error);

/** Run the workload on a recording heap over the C library's. Main thread, with no other one; forks.
 *  The same question at one thread gives the same answer, unless the time ran out (20 s for choosing
 *  the units).
 *  @return 0, or an errno with a line: ENOMEM, ETIMEDOUT, or EIO when it failed otherwise */
int hm_census_take(struct hm_census *census, struct hm_error *error);

#endif

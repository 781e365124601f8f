/* What the threads of a cell without a heap tell each other: how many operations each has done.
 *
 * Vocabulary
 *   lane   of one thread, on cache lines of its own. Its thread writes it at the end of each run().
 *   mark   what the lanes, or a value that they share, came to when the figures were last asked for:
 *          what is figured out is what came since then.
 *
 * All lanes may be read when no thread runs: in measure() and verify(). */
#ifndef HM_WORKLOADS_LANES_H
#define HM_WORKLOADS_LANES_H

#include "workloads/spin.h"
#include "workloads/workload.h"

struct hm_lane {
    _Alignas(HM_SPIN_APART) uint64_t done; /* operations since setup() */
};

/** At the end of a run(). The checksum is a number of operations, too. */
static inline void hm_lane_add(struct hm_run *run, struct hm_lane *lanes, uint64_t operations) {
    lanes[run->thread].done += operations;
    run->checksum += operations;
}

/** Operations of all threads since setup(). */
static inline uint64_t hm_lanes_done(const struct hm_run *run, const struct hm_lane *lanes) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < run->threads; i++)
        sum += lanes[i].done;
    return sum;
}

/** @return how far a value came since the last call with this mark, and moves the mark */
static inline uint64_t hm_mark_advance(uint64_t *mark, uint64_t value) {
    uint64_t since = value - *mark;
    *mark = value;
    return since;
}

#endif

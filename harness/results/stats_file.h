/* stats.csv: what the samples say, with intervals and verdicts. */
#ifndef HM_HARNESS_RESULTS_STATS_FILE_H
#define HM_HARNESS_RESULTS_STATS_FILE_H

#include "harness/plan/plan.h"
#include "harness/results/folder.h"

/** The noise that the run's A/A arms showed, for one metric: the widest deviation of their median
 *  ratios from 1, as a fraction; NAN without such an arm. */
struct hm_noise {
    const char *metric;
    double floor;
};

/** Compute from samples.csv, and write whole. A failed cell has no row.
 *  @param plan its cells are told the verdict on their time, and how many rounds would settle it. Where it
 *  has looks, those that were held are held again, in the same way
 *  @param noise filled in for time_ns, of programs wall_ns  @return 0, or an errno with a line */
int hm_stats_write(const struct hm_folder *folder, struct hm_plan *plan, struct hm_noise *noise,
                   struct hm_error *error);

/** Hold the looks of a run that is going on, from its samples so far, at time_ns, of programs wall_ns: the
 *  cells are told their verdicts, and nothing is written. @return 0, or an errno with a line */
int hm_stats_look(const struct hm_folder *folder, struct hm_plan *plan, struct hm_error *error);

#endif

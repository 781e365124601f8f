/* samples.csv, series.csv, histogram.csv and heapmap.csv: written as cells end, and read back.
 *
 * All rows of one process are appended with one write and synced before the run goes on: what was
 * acknowledged is never lost. The row of the pass's lead metric (time_ns, footprint_bytes,
 * latency_time_ns, instructions_per_op, cpu_cycles_per_op, warmup_time_ns; of programs wall_ns) is the
 * last one of a process, so that its presence says that the process is complete. */
#ifndef HM_HARNESS_RESULTS_SAMPLES_H
#define HM_HARNESS_RESULTS_SAMPLES_H

#include "harness/cell/spawn.h"
#include "harness/plan/plan.h"
#include "harness/results/folder.h"

enum {
    HM_SCHEMA = 1,
};

struct hm_samples;

/** Which process a set of rows is from. */
struct hm_sample_place {
    const struct hm_cell *cell;
    enum hm_pass pass;
    unsigned round;
    unsigned position; /* in the order of the round */
    char started_utc[32];
};

/** Open the files for appending; a torn last line of a killed run is cut off.
 *  @return 0, or an errno with a line. hm_samples_close it. */
int hm_samples_open(struct hm_samples **out, const struct hm_folder *folder, const char *run,
                    const struct hm_plan *plan, struct hm_error *error);
int hm_samples_close(struct hm_samples *samples);

/** Append what one process reported, or the one row that says how it failed. */
int hm_samples_add(struct hm_samples *samples, const struct hm_sample_place *place,
                   const struct hm_outcome *outcome, struct hm_error *error);

/** Read back: calls take() for each row of the whole process (thread -1) and each failed row.
 *  @param value NAN for a failed row */
typedef void hm_sample_fn(void *arg, size_t cell, const char *metric, unsigned round, double value,
                          const char *status, const char *reason);
int hm_samples_read(const struct hm_folder *folder, const struct hm_plan *plan, hm_sample_fn *take,
                    void *arg, struct hm_error *error);

/** The metric whose row ends a process of a pass. */
const char *hm_pass_lead(const struct hm_plan *plan, enum hm_pass pass);

#endif

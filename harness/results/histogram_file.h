/* histogram.csv: how often each latency was seen, for each cell and kind of call; and how many free runs of a
 * length a heap had, whose bounds are bytes.
 *
 * While a run goes on, each process appends its buckets with its round. At the end the rows are settled:
 * those of all rounds become one, whose round is -1. What a process left that did not come to its end, or
 * a cell that failed, is dropped then. */
#ifndef HM_HARNESS_RESULTS_HISTOGRAM_FILE_H
#define HM_HARNESS_RESULTS_HISTOGRAM_FILE_H

#include "harness/cell/spawn.h"
#include "harness/plan/plan.h"
#include "harness/results/folder.h"

#include <stdio.h>

extern const char hm_histogram_header[];

/** The rows of one process. */
void hm_histogram_put(FILE *out, const char *cell, int round, const struct hm_bucket *buckets,
                      size_t count);

/** Settle the file, where there is one. It must not be open for appending.
 *  @return 0, or an errno with a line; the file is as it was then */
int hm_histogram_settle(const struct hm_folder *folder, const struct hm_plan *plan,
                        struct hm_error *error);

#endif

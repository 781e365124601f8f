/* Which values of a run's sweeps lie on the front of time and space, at 80 columns.
 *
 * Vocabulary
 *   field    the arms of one sweep on one workload, at one number of threads: those of a swept collector on one
 *            allocator, those of a swept allocator under one collector
 *   behind   another arm of the field is better in time or in space, and better or equivalent in the other
 *   front    against each other arm it is better in time or in space, or equivalent in both
 *   open     neither can be said; more rounds may
 *
 * Each pair of a field is judged as an arm and its baseline are (stats/verdict.h): paired by round, beyond the
 * margin and the noise of the workload's A/A arm, and after Holm's correction over all pairs of the field in both
 * metrics. */
#ifndef HM_HARNESS_COMPARE_FRONTS_H
#define HM_HARNESS_COMPARE_FRONTS_H

#include "harness/error.h"

#include <stdio.h>

/** Print a table for each field; nothing for a run without sweeps, or without time or space. Main thread.
 *  @param folder of the run  @return 0, or an errno with a line */
int hm_fronts_print(FILE *out, const char *folder, struct hm_error *error);

#endif

/* The instruction counts of a run on the terminal: what stats.csv says, at 80 columns. */
#ifndef HM_HARNESS_REPORT_COUNTS_H
#define HM_HARNESS_REPORT_COUNTS_H

#include "harness/error.h"

#include <stdio.h>

/** Print a table for each workload and number of threads that was counted; nothing when none was.
 *  @return 0, or an errno with a line */
int hm_counts_print(FILE *out, const char *folder, struct hm_error *error);

#endif

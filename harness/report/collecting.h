/* What a run found out about its collectors, on the terminal: what stats.csv and samples.csv say, at 80 columns. */
#ifndef HM_HARNESS_REPORT_COLLECTING_H
#define HM_HARNESS_REPORT_COLLECTING_H

#include "harness/error.h"

#include <stdio.h>

/** Print a table for each workload and number of threads that collectors were measured on; nothing when there
 *  is none.  @return 0, or an errno with a line */
int hm_collecting_print(FILE *out, const char *folder, struct hm_error *error);

#endif

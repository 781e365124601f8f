/* The longest call of each cell of a run, from the latency pass. */
#ifndef HM_HARNESS_REPORT_STALLS_H
#define HM_HARNESS_REPORT_STALLS_H

#include "harness/error.h"

#include <stdio.h>

/** Nothing is printed of a run that has no stalls. @return 0, or an errno with one line */
int hm_stalls_print(FILE *out, const char *folder, struct hm_error *error);

#endif

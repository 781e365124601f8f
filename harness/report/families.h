/* The arms of a run over all their cells: the geometric mean, and the worst cell. */
#ifndef HM_HARNESS_REPORT_FAMILIES_H
#define HM_HARNESS_REPORT_FAMILIES_H

#include "harness/error.h"

#include <stdio.h>

/** Nothing is printed of a run whose samples.csv or run.json is not there.
 *  @return 0, or an errno with one line */
int hm_families_print(FILE *out, const char *folder, struct hm_error *error);

#endif

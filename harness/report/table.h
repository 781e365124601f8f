/* The verdict on the terminal: what stats.csv and samples.csv of a run say, at 80 columns. */
#ifndef HM_HARNESS_REPORT_TABLE_H
#define HM_HARNESS_REPORT_TABLE_H

#include "harness/error.h"

#include <stdio.h>

/** Print the tables of a run. @param folder of the run  @return 0, or an errno with a line */
int hm_table_print(FILE *out, const char *folder, struct hm_error *error);

#endif

/* report.html and report.md of a run, from heapmark's own data files. */
#ifndef HM_HARNESS_CLI_REPORT_H
#define HM_HARNESS_CLI_REPORT_H

#include "harness/error.h"

/** Write both into the run's folder. @return 0, or an errno with a line, as hm_page_write */
int hm_report_write(const char *folder, struct hm_error *error);

#endif

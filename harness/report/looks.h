/* The foot of the table of a run with looks: what is decided, what is not, and how to read the marks. */
#ifndef HM_HARNESS_REPORT_LOOKS_H
#define HM_HARNESS_REPORT_LOOKS_H

#include <stdio.h>

/** Of a run without looks, and of one without run.json: nothing. */
void hm_looks_print(FILE *out, const char *folder);

#endif

/* How the tables on the terminal name what stats.csv names by labels. */
#ifndef HM_HARNESS_REPORT_WORDS_H
#define HM_HARNESS_REPORT_WORDS_H

#include "harness/results/csv.h"

#include <stdbool.h>
#include <stddef.h>

/** Whether the row at which a stats.csv stands is of a whole program. */
bool hm_words_is_program(const struct hm_csv *csv);
/** "churn, 2 threads", of the row at which it stands; of a program its name. */
void hm_words_group(const struct hm_csv *csv, char *out, size_t size);
/** "A/A: system", "refcount on pool". @param collector "-" for none */
void hm_words_arm(const char *allocator, const char *collector, char *out, size_t size);

#endif

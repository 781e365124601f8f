/* Which metrics are compared: those that are judged in any run, or what --metrics names. */
#ifndef HM_HARNESS_COMPARE_CHOICE_H
#define HM_HARNESS_COMPARE_CHOICE_H

#include "harness/error.h"
#include "harness/results/metrics.h"

/** Whether a metric is compared when none is named. */
bool hm_choice_is_usual(const struct hm_metric *metric);

/** @param list names, and groups of them (time, space, latency, instructions, counters), with commas
 *  @param chosen one for each of hm_metrics(); all false before
 *  @return 0, or EINVAL with one line: a word is none of them, or a metric has no better direction */
int hm_choice_parse(bool *chosen, const char *list, struct hm_error *error);

#endif

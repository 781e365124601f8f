/* The metrics, workloads' figures among them: their units, which direction is better, and which of them get a verdict. */
#ifndef HM_HARNESS_RESULTS_METRICS_H
#define HM_HARNESS_RESULTS_METRICS_H

#include <stdbool.h>
#include <stddef.h>

enum hm_better {
    HM_BETTER_LOWER,
    HM_BETTER_HIGHER,
    HM_BETTER_NEITHER,
};

struct hm_metric {
    const char *name; /* ends in its unit, or is a count */
    const char *unit;
    enum hm_better better;
    bool verdict; /* compared with the baseline */
    const char *summary;
};

/** All metrics, in the order in which they are shown; the figures of the registered workloads come
 *  last. Main thread, the first time. */
const struct hm_metric *hm_metrics(size_t *count);
/** @return the metric, or NULL */
const struct hm_metric *hm_metric_find(const char *name);
/** Whether it is a workload's own figure. @param metric as found here */
bool hm_metric_is_figure(const struct hm_metric *metric);
/** Whether it is the same in every process, so that its differences need no test. @param metric as found
 *  here */
bool hm_metric_is_counted(const struct hm_metric *metric);
/** "lower", "higher" or "neither". */
const char *hm_better_name(enum hm_better better);

#endif

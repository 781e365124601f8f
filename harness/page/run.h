/* All that a report tells of a run, read from its result files.
 *
 * Vocabulary
 *   group   one workload at one number of threads: what is compared with one another
 *   arm     an allocator, under a collector if there is one: a row of the tables
 *   lead    the metric whose verdicts come first: speed, of programs their time; without a time pass,
 *           the first metric that has verdicts */
#ifndef HM_HARNESS_PAGE_RUN_H
#define HM_HARNESS_PAGE_RUN_H

#include "harness/error.h"
#include "harness/results/metrics.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** A row of stats.csv. The texts are the run's. */
struct hm_page_row {
    const char *cell, *unit, *verdict;
    size_t group, arm;              /* indices of the run's */
    const struct hm_metric *metric; /* NULL: unknown to this version */
    const char *metric_name;
    double n, median, low, high, ratio, ratio_low, ratio_high;
    bool is_baseline;
    bool is_control; /* the A/A arm or a floor: the harness measures itself */
};

/** A cell that was not measured. */
struct hm_page_failure {
    const char *cell, *status, *reason;
    size_t rounds; /* in which it happened */
};

struct hm_page_run {
    struct hm_page_row *rows;
    size_t row_count;
    struct hm_page_failure *failures;
    size_t failure_count;
    const char **groups, **arms; /* in the order of stats.csv */
    size_t group_count, arm_count;
    const char *lead; /* metric's name; NULL without any verdict */
    json_t *json;     /* run.json; NULL: missing */
    char **texts;     /* owned */
    size_t text_count;
};

/** Read a folder. Main thread. @param out zeroed; hm_page_run_free() it in any case
 *  @return 0, or an errno with a line */
int hm_page_run_read(struct hm_page_run *out, const char *folder, struct hm_error *error);
void hm_page_run_free(struct hm_page_run *run);

/** A text of run.json. @return "" when it is not there */
const char *hm_page_text(const json_t *object, const char *key);

#endif

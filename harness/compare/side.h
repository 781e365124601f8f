/* One of the two runs that are compared, as its result files tell of it.
 *
 * Vocabulary
 *   side     BASE or NEW
 *   series   the values of one cell and metric by round, NAN where there is none
 *   failed   a cell with a row that is not `ok`: none of its values counts */
#ifndef HM_HARNESS_COMPARE_SIDE_H
#define HM_HARNESS_COMPARE_SIDE_H

#include "harness/error.h"
#include "harness/results/metrics.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct hm_series {
    const struct hm_metric *metric;
    double *values;
    size_t rounds; /* entries */
};

struct hm_side_cell {
    char *id, *allocator, *collector, *workload, *params;
    char *threads;  /* as text: NA for a program */
    char *baseline; /* id of the cell that it is compared with; NULL: not known */
    char *failure;  /* status and reason of its last bad row; NULL: ok */
    bool again;     /* the A/A arm */
    bool control;   /* measures the harness: floor */
    struct hm_series *series;
    size_t series_count;
};

struct hm_side {
    const char *name; /* "BASE" or "NEW" */
    const char *folder;
    json_t *run; /* run.json */
    struct hm_side_cell *cells;
    size_t count;
    size_t found; /* looked up last: rows of one cell follow each other */
};

/** Read run.json and samples.csv. Main thread.
 *  @param out zeroed but for name; hm_side_free() it in any case
 *  @return 0, or a positive errno with one line */
int hm_side_read(struct hm_side *out, const char *folder, struct hm_error *error);
void hm_side_free(struct hm_side *side);

/** @return the cell, or NULL */
struct hm_side_cell *hm_side_find(struct hm_side *side, const char *id);
/** @return the series, or NULL */
const struct hm_series *hm_side_series(const struct hm_side_cell *cell,
                                       const struct hm_metric *metric);
/** A text below run.json's root or one of its objects (NULL: the root); "" when there is none. */
const char *hm_side_text(const struct hm_side *side, const char *object, const char *key);

#endif

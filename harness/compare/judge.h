/* Two runs against each other: cells paired by name, ratios, verdicts, families and drift.
 *
 * Vocabulary
 *   by value     NEW's values over BASE's. What the machine did between the runs is in it
 *   by ratio     of each round first the ratio to a reference arm that ran in the same round, and then
 *                NEW's over BASE's of these: what made both arms slower is gone
 *   reference    the cell's own baseline, where both runs have it and its code is the same there; else
 *                another arm whose code is; else, and for a baseline that is alone in its group, floor
 *                (reference.h)
 *   drift        by how much references moved, by value; they are not judged themselves */
#ifndef HM_HARNESS_COMPARE_JUDGE_H
#define HM_HARNESS_COMPARE_JUDGE_H

#include "harness/compare/side.h"
#include "harness/stats/unpaired.h"

struct hm_compared {
    const struct hm_side_cell *base, *fresh;
    const struct hm_metric *metric;
    const char *reference; /* a cell's id; NULL: by value */
    double base_median, fresh_median;
    struct hm_unpaired value; /* without a verdict */
    double *logs;             /* of this cell: what value and judgement point to */
};

struct hm_compared_family {
    const struct hm_metric *metric;
    const char *allocator, *collector;
    size_t cells, worst;       /* worst: index of a comparison */
    struct hm_unpaired result; /* without a verdict */
    double *logs;
};

/** A reference that has moved. */
struct hm_drift {
    const struct hm_side_cell *cell;
    const struct hm_metric *metric;
    double ratio, low, high;
};

struct hm_compare {
    /* The question. */
    struct hm_side base, fresh;
    double margin;
    uint64_t seed;
    const char
        *reference;     /* label of an allocator or collector, or "baseline"; NULL: as found best */
    bool keep_drift;    /* all by value */
    const bool *chosen; /* one for each of hm_metrics(); NULL: the usual ones */
    /* The answer. */
    struct hm_compared *cells;
    struct hm_unpaired *judged; /* one for each of cells */
    size_t count;
    struct hm_compared_family *families;
    size_t family_count;
    struct hm_drift *drifts;
    size_t drift_count;
    double noise; /* the widest of all that were used; NAN: none is known */
};

/** Compare sides that are read. Main thread. @return 0, or an errno with a line */
int hm_compare_judge(struct hm_compare *all, struct hm_error *error);
void hm_compare_free(struct hm_compare *all);

/** Whether a metric goes with the speed of the machine. */
bool hm_compare_drifts(const struct hm_metric *metric);
/** How many comparisons have a verdict. */
size_t hm_compare_count(const struct hm_compare *all, enum hm_verdict verdict);
/** How many have a test: what Holm's correction is over. */
size_t hm_compare_tested(const struct hm_compare *all);
/** How much worse NEW is, in logarithms: above 0 is worse, whatever the metric. NAN: not known. */
double hm_compare_worse(const struct hm_unpaired *one);
/** Index of the comparison that came out worst, of one metric or (NULL) of all; SIZE_MAX: none. */
size_t hm_compare_worst(const struct hm_compare *all, const struct hm_metric *metric);
/** How many cells that both runs have measured have a metric in BASE only. */
size_t hm_compare_lost(struct hm_compare *all, const struct hm_metric *metric);
/** Whether NEW has all cells and metrics that BASE has. */
bool hm_compare_is_whole(struct hm_compare *all);
/** Whether a cell that BASE has measured failed in NEW. */
bool hm_compare_broke(struct hm_compare *all, const struct hm_side_cell *fresh);

#endif

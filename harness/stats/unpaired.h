/* Verdicts over two runs, whose rounds are no pairs.
 *
 * Margin, noise, threshold and verdict are those of verdict.h, and so is the rule, with the tools for
 * unpaired values: the interval is that of the difference of the medians (bootstrap.h), and p that of
 * Yuen's t-test of trimmed means (trimmed.h; below 20 rounds of either run, Welch's) on the logarithms, of
 * the hypothesis that the means differ by no more than the threshold: one-sided against its nearer end, and
 * doubled. Both have to say the same, for the reasons given there; Holm's correction is over all that are
 * judged together. What is counted has no test here either: its interval reaches from the least ratio of any
 * two rounds to the greatest.
 *
 * Why not from 12 rounds on, as for pairs: each run is trimmed by itself. Of values that fall into two narrow
 * modes that are equally likely, all that is left of one run may then be in one mode and all of the other run
 * in the other; nothing is noise to the t-test, and the bootstrap does not save it. With n rounds of either
 * run, c left out at each end and B(n, 1/2) the number in one mode, that is 2 P(B >= n - c)^2: 7e-4 of
 * comparisons with 12 rounds, 7e-5 with 20, 1e-6 with 30. */
#ifndef HM_HARNESS_STATS_UNPAIRED_H
#define HM_HARNESS_STATS_UNPAIRED_H

#include "harness/stats/bootstrap.h"
#include "harness/stats/verdict.h"

/** The logarithms of one cell's rounds in both runs; NAN where one is missing. */
struct hm_unpaired {
    /* The question. */
    const double *base, *arm;
    size_t base_rounds, arm_rounds;
    double margin; /* 0 or more */
    double noise;  /* NAN when not known */
    bool higher_is_better;
    bool counted; /* does not vary: judged by its range from one round on, without a test */
    /* The answer. */
    enum hm_verdict verdict;
    size_t base_count, arm_count; /* rounds that count */
    double ratio;                 /* of the medians, arm / base; NAN without rounds */
    double low, high;             /* NAN without an interval */
    bool has_interval;
    struct hm_test test;  /* NAN without an interval, and of what is counted */
    size_t rounds_needed; /* of each run, when inconclusive: an estimate; 0: not known */
};

/** Ratio and interval alone: fills in the answer but for the verdict and the test.
 *  @param scratch room for the rounds of both runs, overwritten */
void hm_unpaired_summarise(struct hm_unpaired *one, const struct hm_bootstrap *how,
                           double *scratch);

/** Judge all: fills in each answer. Pure, safe in any thread.
 *  @param order room for `count` pointers @param scratch as above, for the longest of them */
void hm_unpaired_judge(struct hm_unpaired *all, size_t count, const struct hm_bootstrap *how,
                       struct hm_test **order, double *scratch);

#endif

/* Verdicts over a whole matrix of comparisons.
 *
 * Vocabulary
 *   margin     the relative difference that is not worth a word: 0.02 for 2%. A ratio is within it
 *              from 1 / (1 + margin) to 1 + margin, which is symmetric in logarithms
 *   noise      by how much equal arms were seen to differ; a difference has to exceed it, too. It
 *              never makes it easier to call two arms equivalent
 *   threshold  the larger of the two
 *   tested     a comparison with enough rounds for an interval (hm_paired.has_interval)
 *
 * The rule
 *   faster, slower   the exact 95% interval of the median ratio lies wholly beyond the threshold, AND
 *                    p <= 0.05 after Holm's correction over all tested comparisons, AND both agree on
 *                    the side. p is that of a trimmed t-test on the log ratios (trimmed.h; of fewer than
 *                    12 rounds, Student's: nothing is trimmed), of the hypothesis that
 *                    their mean is within the threshold: one-sided against its nearer end, and
 *                    doubled for the two sides
 *   equivalent       the interval lies wholly within the margin, its ends included
 *   inconclusive     all else
 *
 * At several looks
 *   A run that stops when it knows enough judges its comparisons more than once (looks.h). Each look has a
 *   share of the 5%: its level, which takes the place of the 5% in p and in the interval. What a look
 *   settles stays settled. Those that were found faster or slower leave Holm's count, those that were
 *   found equivalent stay in it: so no equal arm ever gets more than its part of the level.
 *
 *   counted           metrics that do not vary have no test: faster or slower when all rounds lie beyond
 *                     the threshold, equivalent when all lie within the margin, from one round on
 *
 * Why two conditions. The sign test, to which the interval belongs, cannot give a p below 2^(1-n):
 * with 6 rounds no correction for more than one comparison could ever be passed, however large the
 * effect. Where two arms are exchangeable, the log ratio of a round is symmetric about 0, and there
 * the t-test holds its level on heavy tails and outliers, which make it cautious: so cautious, untrimmed,
 * that one wild round of twelve hid differences that the interval showed plainly. The interval guards
 * against a conclusion that rests on one wild round, and against a mean and a median that disagree.
 * Equivalence is not corrected: it states an interval.
 *
 * A limit: where the arms of an A/A pair fall into two narrow modes that are equally likely, all rounds
 * agree by chance with probability 2 * 4^-n, and the t-test sees no noise in them. With 6 rounds that
 * breaks the 5% from about 100 comparisons on (simulated: 2.5% of matrices of 60, 10% of 180). With 12,
 * where two rounds at each end are left out, 10 that agree are enough: 0.7% of matrices of 60. */
#ifndef HM_HARNESS_STATS_VERDICT_H
#define HM_HARNESS_STATS_VERDICT_H

#include "harness/stats/paired.h"

enum hm_verdict {
    HM_INCONCLUSIVE,
    HM_EQUIVALENT,
    HM_FASTER, /* better than the baseline, whatever the metric */
    HM_SLOWER, /* worse */
};

/* Of a judgement whose level nobody gives: how often it may be wrong. */
#define HM_LEVEL 0.05

/** A p value, and the same after Holm's correction. */
struct hm_test {
    double p;
    double adjusted;
};

/** One arm against its baseline in one metric. */
struct hm_comparison {
    /* The question. */
    const double *logs; /* of each round, as hm_log_ratios() gives them */
    size_t rounds;
    double margin; /* 0 or more; NAN leaves the comparison inconclusive */
    double noise;  /* relative, as the margin: what equal arms differed by; NAN when not known */
    bool higher_is_better;
    bool
        counted; /* the same in every run: judged by its range, without a test, and no part of Holm's */
    /* The answer. */
    enum hm_verdict verdict;
    struct hm_paired paired;
    struct hm_test test;    /* NAN when not tested */
    unsigned settled_after; /* rounds of the look that settled it; 0 while none has */
    size_t rounds_needed;   /* estimate, when inconclusive: more than there are; 0 when not known */
};

/** The word of a verdict, as in stats.csv. */
const char *hm_verdict_name(enum hm_verdict verdict);

/** Judge a whole matrix: fills in each answer. Pure, safe in any thread.
 *  @param order room for `count` pointers, overwritten
 *  @param scratch room for the rounds of the longest comparison, overwritten */
void hm_judge(struct hm_comparison *all, size_t count, struct hm_test **order, double *scratch);

/** One look at the matrix: as hm_judge, at a level of its own. Comparisons with settled_after keep their
 *  answer; those that this look settles get it.
 *  @param level of p, and 1 - confidence of the intervals: above 0, below 1 */
void hm_judge_look(struct hm_comparison *all, size_t count, double level, struct hm_test **order,
                   double *scratch);

/** Holm's step-down correction (Scand. J. Statistics 6, 1979): fills in `adjusted`, which is
 * compared with the level as it is, and sorts the pointers by p. It needs no independence.
 *  @param tests each with a p of 0 .. 1 */
void hm_holm(struct hm_test **tests, size_t count);

#endif

/* Ratios of two arms, paired by round.
 *
 * Vocabulary
 *   log ratio  ln(arm / base) of one round, for the metric's value as it is: whether less is better
 *              plays no part here
 *   missing    a round in which one of the two has no value: its log ratio is NAN
 *
 * Every array has one entry for each round, in the order of the rounds. Values that are not finite
 * are missing. A value of 0 or less has no ratio, and to drop just those rounds would judge an arm
 * by the others: then all log ratios are missing. Pure functions, safe in any thread. */
#ifndef HM_HARNESS_STATS_PAIRED_H
#define HM_HARNESS_STATS_PAIRED_H

#include <stdbool.h>
#include <stddef.h>

/* Confidence of every interval of ratios. */
#define HM_CONFIDENCE 0.95

/** A median ratio with its exact order-statistic interval. */
struct hm_paired {
    size_t n;     /* rounds that count */
    double ratio; /* median of arm / base; NAN when n is 0 */
    double low;   /* NAN without an interval */
    double high;
    bool has_interval; /* false below 6 rounds */
};

/** The log ratios of two arms. @param logs `rounds` entries, filled in
 *  @return rounds that are not missing */
size_t hm_log_ratios(const double *base, const double *arm, size_t rounds, double *logs);

/** Summarise log ratios. @param scratch `rounds` entries, overwritten; may be logs itself */
struct hm_paired hm_paired_of(const double *logs, size_t rounds, double *scratch);

/** The same at another confidence than HM_CONFIDENCE: above 0, below 1. The higher it is, the more rounds an
 *  interval needs. */
struct hm_paired hm_paired_at(const double *logs, size_t rounds, double confidence,
                              double *scratch);

/** The same where nothing is drawn by chance: the interval is from the least ratio to the greatest, from one
 *  round on. */
struct hm_paired hm_paired_range(const double *logs, size_t rounds, double *scratch);

/** The noise floor of a run, from the median ratios of its A/A arms: the largest |ln ratio|, as a
 *  relative margin (0.03 for a ratio of 1.03, and for one of 1 / 1.03). Ratios that are not finite
 * and above 0 are passed over. @return NAN when none is left */
double hm_noise_floor(const double *ratios, size_t n);

#endif

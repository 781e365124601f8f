/* Trimmed means, for tests of location that a few wild values do not decide.
 *
 * On a shared machine a round or two of a dozen are wild: they hardly move the median, but they blow up a
 * standard deviation until no difference can be told. A trimmed mean leaves out the same number of values at
 * each end; its error is that of Winsorised values, in which each one left out is replaced by its nearest
 * neighbour that is not (Tukey and McLaughlin, Less vulnerable confidence and significance procedures for
 * location based on a single sample, Sankhya A 25, 1963; Yuen, The two-sample trimmed t for unequal population
 * variances, Biometrika 61, 1974). With nothing left out they are Student's and Welch's. Pure functions. */
#ifndef HM_HARNESS_STATS_TRIMMED_H
#define HM_HARNESS_STATS_TRIMMED_H

#include <stddef.h>

/** The share to leave out at each end of so many values: a fifth from 12 values on. Of fewer there would not be
 *  enough left to know their error by: 10 trimmed values tell less than 9 untrimmed ones, and matrices of equal arms
 *  got more false verdicts. */
double hm_trim_share(size_t n);

struct hm_trimmed {
    size_t n, kept;
    double mean;     /* of those kept; NAN without any */
    double variance; /* of that mean; NAN when fewer than 2 are kept */
};

/** @param values those that are not finite are missing  @param share below 0.5
 *  @param scratch `count` entries, overwritten; may be `values` */
struct hm_trimmed hm_trimmed_of(const double *values, size_t count, double share, double *scratch);

/** The p of a one-sample test that the mean is further than `beyond` from 0: one-sided against the nearer
 *  end, and doubled. Without any variance there is nothing to doubt. NAN when fewer than 2 are kept.
 *  @param times had there been so many times the values */
double hm_trimmed_p(const struct hm_trimmed *all, double beyond, double times);

/** The same for the means of two samples, with Welch's degrees of freedom. */
double hm_trimmed_difference_p(const struct hm_trimmed *base, const struct hm_trimmed *arm,
                               double beyond, double times);

#endif

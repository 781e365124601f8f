/* The bootstrap of what two runs differ by, which share no rounds.
 *
 * The hierarchy is that of the measurement: a run has rounds, a round has one process of a cell, and a
 * process is one value. So whole rounds are drawn, with replacement and from each run by itself, and
 * nothing below them.
 *
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13: the interval is of
 * percentiles. Medians of few rounds move in steps, which makes them wide enough: simulated, they cover
 * in 96 to 97 of 100 at 6 and 12 rounds (tests/unit/stats_unpaired_test.c); percentiles expanded for
 * few rounds would do so in 98 to 99.6. Pure functions, safe in any thread. */
#ifndef HM_HARNESS_STATS_BOOTSTRAP_H
#define HM_HARNESS_STATS_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HM_BOOTSTRAP_DRAWS = 10000,
    HM_BOOTSTRAP_ROUNDS_MIN = 6, /* of each run; below, there is no interval */
};

/** What the drawing needs. The same seed gives the same interval, whatever else is compared. */
struct hm_bootstrap {
    uint64_t seed;
    size_t draws;
    double *differences; /* room for `draws` */
    size_t *counts;      /* room for the rounds of the longer run */
};

/** The interval of median(arm) - median(base), by percentiles.
 *  @param base, arm sorted, as hm_sort() leaves them  @param confidence above 0, below 1
 *  @return false, and the outputs untouched, with fewer than HM_BOOTSTRAP_ROUNDS_MIN of either */
bool hm_bootstrap_interval(const struct hm_bootstrap *how, const double *base, size_t base_count,
                           const double *arm, size_t arm_count, double confidence, double *low,
                           double *high);

#endif

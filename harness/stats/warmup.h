/* Warm-up of a process: whether the times of its iterations settle, and on what.
 *
 * Vocabulary
 *   iteration     a stretch of the same work as all others, timed apart
 *   outlier       an iteration that lies further from the median of its neighbourhood than three times the
 *                 distance of the tenth and the ninetieth percentile there; it is in no segment's mean,
 *                 and changes no label
 *   segment       iterations between two change points, which differ in mean or in variance
 *   equivalent    to the last segment: the means differ by no more than its standard deviation, or 2 %
 *   steady state  the last segment and those before it, as long as they are equivalent to it
 *
 * Change points are those of the normal likelihood with a penalty of 15 ln n for each, over all ways to cut
 * the series: the optimum that PELT finds. A variance counts as at least the square of a thousandth of the
 * median, so that iterations that a clock tells as equal do not part.
 *
 * Sources: Barrett et al., Virtual machine warmup blows hot and cold, OOPSLA 2017; Killick, Fearnhead and
 * Eckley, Optimal detection of changepoints with a linear computational cost, JASA 2012. Pure functions. */
#ifndef HM_HARNESS_STATS_WARMUP_H
#define HM_HARNESS_STATS_WARMUP_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HM_SEGMENT_LEAST = 5,     /* iterations, outliers left out */
    HM_ITERATIONS_LEAST = 20, /* below them there is no label */
};

enum hm_warmup_label {
    HM_WARMUP_FLAT,      /* every segment is equivalent to the last */
    HM_WARMUP_WARM_UP,   /* those that are not are slower */
    HM_WARMUP_SLOW_DOWN, /* one of them is faster */
    HM_WARMUP_UNSTEADY,  /* the steady state is less than the last quarter */
    HM_WARMUP_UNKNOWN,   /* too few iterations */
};

struct hm_segment {
    size_t first; /* iteration; outliers between two segments belong to the first of them */
    double mean, deviation;
};

struct hm_warmup {
    enum hm_warmup_label label;
    size_t segments;
    size_t outliers;
    size_t steady_from; /* iteration; where the label is UNSTEADY or UNKNOWN of no meaning */
    double steady_mean; /* of all kept iterations from there on; else NAN */
};

/** Work space for one iteration. */
struct hm_warmup_step {
    double sum, squares, least;
    size_t kept, from;
};

/** For a series of n iterations. */
struct hm_warmup_room {
    double *sorted;               /* n */
    struct hm_warmup_step *steps; /* n + 1 */
    struct hm_segment *segments;  /* n / HM_SEGMENT_LEAST + 1; receives result.segments of them */
};

/** @param times of n iterations, in their order; finite, above 0  @param room overwritten */
struct hm_warmup hm_warmup_of(const double *times, size_t n, const struct hm_warmup_room *room);

/** Whether times[i] is an outlier. @param sorted n numbers, overwritten */
bool hm_is_outlier(const double *times, size_t n, size_t i, double *sorted);

/** "flat", "warm-up", "slow-down", "no steady state"; "not known". */
const char *hm_warmup_name(enum hm_warmup_label label);

#endif

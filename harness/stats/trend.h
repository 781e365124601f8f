/* Trend of a quantity that should be bounded, such as garbage over the work: growing, falling or stable.
 *
 * Vocabulary
 *   slope      of the second half of the points, by Theil and Sen: the median of the slopes between any two
 *   error      standard error of that: of a straight line with the residuals' spread, widened as
 *              neighbouring residuals depend on each other (autocorrelation r at a distance of one point):
 *              sqrt((1 + r) / (1 - r)) times
 *   new high   the median of the last tenth is above all points of the first half; a new low is below
 *
 * Rule
 *   growing    the slope is more than 2.58 errors above 0, and the end is a new high
 *   falling    the same downwards
 *   stable     neither, and the second half stays in the range of the first one, or its slope comes to nothing
 *              along it; give or take a tenth of what there is: the level that is given, and the highest point
 *   unknown    else, or fewer than 20 points
 *
 * A saw tooth that a collector cuts off is significant while it grows, but its end is no new high once one was
 * cut in the first half.
 *
 * Sources: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 1968; the widening is that
 * of the variance of a mean of an autoregressive process. Pure functions. */
#ifndef HM_HARNESS_STATS_TREND_H
#define HM_HARNESS_STATS_TREND_H

#include <stddef.h>

enum {
    HM_TREND_LEAST = 20, /* points */
};

enum hm_trend_label {
    HM_TREND_FALLING = -1,
    HM_TREND_STABLE = 0,
    HM_TREND_GROWING = 1,
    HM_TREND_UNKNOWN = 2,
};

struct hm_trend {
    enum hm_trend_label label;
    double slope, error; /* NAN with too few points */
};

/** Numbers of work space for n points. */
size_t hm_trend_room(size_t n);

/** @param x of n points, ascending  @param y finite  @param level what else there is of the quantity's kind,
 *  in y's unit, at least 0  @param room overwritten */
struct hm_trend hm_trend_of(const double *x, const double *y, size_t n, double level, double *room);

/** "growing", "falling", "stable"; "not known". */
const char *hm_trend_name(enum hm_trend_label label);

#endif

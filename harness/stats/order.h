/* Order statistics: sorting, quantiles, and the exact confidence interval of a median.
 *
 * Pure functions, safe in any thread. A sorted array ascends and holds finite values only:
 * hm_finite() and then hm_sort() make one. What has no value is NAN, or false. */
#ifndef HM_HARNESS_STATS_ORDER_H
#define HM_HARNESS_STATS_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/** Copy the finite values, in their order. @param out n entries; may be `values` itself
 *  @return how many there are */
size_t hm_finite(const double *values, size_t n, double *out);

/** Sort in place, ascending. No NANs. */
void hm_sort(double *values, size_t n);

/** The quantile of type 7 (Hyndman and Fan 1996; the default of R and of NumPy): values[h] with
 *  h = (n - 1) q, linear between neighbours. @param q 0 .. 1
 *  @return NAN when n is 0 or q is out of range */
double hm_quantile(const double *sorted, size_t n, double q);

/** The narrowest symmetric pair of order statistics that covers the median of any continuous
 *  distribution with at least that confidence: the binomial interval (David and Nagaraja, Order
 *  Statistics, 7.1). Ties only raise the coverage.
 *  @param confidence above 0, below 1
 *  @return false, and the outputs untouched, when n is too small: below 6 for 95% */
bool hm_median_interval(const double *sorted, size_t n, double confidence, double *low,
                        double *high);

#endif

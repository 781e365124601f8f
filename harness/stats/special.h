/* Special functions: the tails of the distributions that the tests need.
 *
 * Pure functions, safe in any thread. Arguments outside of the stated range give NAN. */
#ifndef HM_HARNESS_STATS_SPECIAL_H
#define HM_HARNESS_STATS_SPECIAL_H

#include <stddef.h>

/** The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and
 *  Stegun 26.5.8) with Lentz's algorithm. Relative error below 1e-10 for a, b up to 1e4.
 *  @param a, b above 0 @param x 0 .. 1 */
double hm_beta(double a, double b, double x);

/** P(T > t) for Student's t. @param freedom degrees of freedom, above 0 @param t any, infinite too
 */
double hm_student_upper(double t, double freedom);

/** P(|T| > |t|). */
double hm_student_both(double t, double freedom);

/** P(X <= k) for X binomial. @param n trials @param p 0 .. 1 */
double hm_binomial_lower(size_t k, size_t n, double p);

#endif

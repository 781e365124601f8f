/* Special functions. */
#include "harness/stats/special.h"

#include <float.h>
#include <math.h>

/* Lentz: a denominator of 0 is replaced by one too small to matter. */
static double not_zero(double x) {
    return fabs(x) < DBL_MIN / DBL_EPSILON ? DBL_MIN / DBL_EPSILON : x;
}

/* One step of modified Lentz for the fraction 1 / (1 + d1 / (1 + d2 / ...)), with the next d. */
static double lentz_step(double d, double *c, double *inverse) {
    *inverse = 1 / not_zero(1 + d * *inverse);
    *c = not_zero(1 + d / *c);
    return *c * *inverse;
}

/* The continued fraction of I_x(a, b), which converges fast for x < (a + 1) / (a + b + 2): it needs
 * about sqrt(max(a, b)) terms. */
static double beta_fraction(double a, double b, double x) {
    double c = 1;
    double inverse = 1 / not_zero(1 - (a + b) * x / (a + 1));
    double fraction = inverse;
    for (int term = 1; term <= 10000; term++) {
        double m = term;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = lentz_step(even, &c, &inverse);
        change *= lentz_step(odd, &c, &inverse);
        fraction *= change;
        if (fabs(change - 1) <= DBL_EPSILON)
            break;
    }
    return fraction;
}

double hm_beta(double a, double b, double x) {
    int sign;
    if (!(a > 0 && b > 0 && x >= 0 && x <= 1))
        return NAN;
    if (x == 0 || x == 1)
        return x;
    double front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) +
                       a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Of the two forms of the tail, the one that does not cancel is used: near t = 0 the argument
 * freedom / (freedom + t * t) rounds to 1, and from t = 2 on less than a twentieth of the half is left. */
double hm_student_upper(double t, double freedom) {
    if (!(freedom > 0) || isnan(t))
        return NAN;
    if (isinf(t))
        return t > 0 ? 0 : 1;
    double square = t * t;
    double tail = square < fmin(freedom, 4)
                      ? 0.5 - 0.5 * hm_beta(0.5, freedom / 2, square / (freedom + square))
                      : 0.5 * hm_beta(freedom / 2, 0.5, freedom / (freedom + square));
    return t > 0 ? tail : 1 - tail;
}

double hm_student_both(double t, double freedom) {
    return 2 * hm_student_upper(fabs(t), freedom);
}

double hm_binomial_lower(size_t k, size_t n, double p) {
    if (!(p >= 0 && p <= 1))
        return NAN;
    return k >= n ? 1 : hm_beta((double)(n - k), (double)k + 1, 1 - p);
}

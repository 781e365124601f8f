/* Order statistics. */
#include "harness/stats/order.h"

#include "harness/stats/special.h"

#include <math.h>
#include <stdlib.h>

size_t hm_finite(const double *values, size_t n, double *out) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            out[kept++] = values[i];
    return kept;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void hm_sort(double *values, size_t n) {
    if (n > 1)
        qsort(values, n, sizeof *values, ascending);
}

double hm_quantile(const double *sorted, size_t n, double q) {
    if (n == 0 || !(q >= 0 && q <= 1))
        return NAN;
    double h = (double)(n - 1) * q;
    size_t below = (size_t)h;
    if (below + 1 >= n)
        return sorted[n - 1];
    double part = h - (double)below;
    return sorted[below] * (1 - part) + sorted[below + 1] * part;
}

bool hm_median_interval(const double *sorted, size_t n, double confidence, double *low,
                        double *high) {
    double tail = (1 - confidence) / 2;
    size_t outside = 0; /* values cut off on each side */
    while (2 * outside + 1 < n && hm_binomial_lower(outside, n, 0.5) <= tail)
        outside++;
    if (outside == 0)
        return false;
    *low = sorted[outside - 1];
    *high = sorted[n - outside];
    return true;
}

/* Trimmed means. */
#include "harness/stats/trimmed.h"

#include "harness/stats/order.h"
#include "harness/stats/special.h"

#include <math.h>

enum {
    TRIM_FROM = 12,
};

double hm_trim_share(size_t n) {
    return n >= TRIM_FROM ? 0.2 : 0;
}

struct hm_trimmed hm_trimmed_of(const double *values, size_t count, double share, double *scratch) {
    struct hm_trimmed t = {.n = hm_finite(values, count, scratch)};
    size_t cut = (size_t)(share * (double)t.n);
    double sum = 0, squares = 0;
    t.kept = t.n - 2 * cut;
    hm_sort(scratch, t.n);
    for (size_t i = cut; i < t.n - cut; i++)
        sum += scratch[i];
    t.mean = sum / (double)t.kept;
    double winsorised = sum;
    if (cut)
        winsorised += (double)cut * (scratch[cut] + scratch[t.n - cut - 1]);
    double centre = winsorised / (double)t.n;
    for (size_t i = 0; i < t.n; i++) {
        size_t at = i < cut ? cut : i >= t.n - cut ? t.n - cut - 1 : i;
        squares += (scratch[at] - centre) * (scratch[at] - centre);
    }
    t.variance = t.kept < 2 ? NAN : squares / ((double)t.kept * (double)(t.kept - 1));
    return t;
}

/* One-sided and doubled. */
static double far_p(double distance, double variance, double freedom) {
    if (variance == 0)
        return distance > 0 ? 0 : 1;
    return fmin(1, 2 * hm_student_upper(distance / sqrt(variance), freedom));
}

double hm_trimmed_p(const struct hm_trimmed *all, double beyond, double times) {
    if (all->kept < 2)
        return NAN;
    return far_p(fabs(all->mean) - beyond, all->variance / times, (double)all->kept * times - 1);
}

double hm_trimmed_difference_p(const struct hm_trimmed *base, const struct hm_trimmed *arm,
                               double beyond, double times) {
    double a = base->variance / times;
    double b = arm->variance / times;
    double freedom =
        (a + b) * (a + b) /
        (a * a / ((double)base->kept * times - 1) + b * b / ((double)arm->kept * times - 1));
    if (base->kept < 2 || arm->kept < 2)
        return NAN;
    return far_p(fabs(arm->mean - base->mean) - beyond, a + b, freedom);
}

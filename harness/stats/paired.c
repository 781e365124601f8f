/* Ratios of two arms, paired by round. */
#include "harness/stats/paired.h"

#include "harness/stats/order.h"

#include <math.h>

static bool not_positive(double value) {
    return isfinite(value) && value <= 0;
}

/* The difference of logarithms, because the ratio itself may overflow. */
size_t hm_log_ratios(const double *base, const double *arm, size_t rounds, double *logs) {
    size_t complete = 0;
    bool has_ratio = true;
    for (size_t i = 0; i < rounds; i++)
        has_ratio = has_ratio && !not_positive(base[i]) && !not_positive(arm[i]);
    for (size_t i = 0; i < rounds; i++) {
        bool whole = has_ratio && isfinite(base[i]) && isfinite(arm[i]);
        logs[i] = whole ? log(arm[i]) - log(base[i]) : NAN;
        complete += whole;
    }
    return complete;
}

struct hm_paired hm_paired_at(const double *logs, size_t rounds, double confidence,
                              double *scratch) {
    struct hm_paired out = {.ratio = NAN, .low = NAN, .high = NAN};
    out.n = hm_finite(logs, rounds, scratch);
    hm_sort(scratch, out.n);
    out.ratio = exp(hm_quantile(scratch, out.n, 0.5));
    out.has_interval = hm_median_interval(scratch, out.n, confidence, &out.low, &out.high);
    out.low = exp(out.low);
    out.high = exp(out.high);
    return out;
}

struct hm_paired hm_paired_of(const double *logs, size_t rounds, double *scratch) {
    return hm_paired_at(logs, rounds, HM_CONFIDENCE, scratch);
}

struct hm_paired hm_paired_range(const double *logs, size_t rounds, double *scratch) {
    struct hm_paired out = hm_paired_of(logs, rounds, scratch);
    out.has_interval = out.n > 0;
    out.low = out.n ? exp(scratch[0]) : NAN;
    out.high = out.n ? exp(scratch[out.n - 1]) : NAN;
    return out;
}

double hm_noise_floor(const double *ratios, size_t n) {
    double largest = NAN;
    for (size_t i = 0; i < n; i++)
        if (isfinite(ratios[i]) && ratios[i] > 0)
            largest = fmax(largest, fabs(log(ratios[i])));
    return expm1(largest);
}

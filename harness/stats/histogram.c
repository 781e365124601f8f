/* A histogram of latencies. */
#include "harness/stats/histogram.h"

#include <math.h>

static const double fewest_above = 10;

void hm_histogram_add(struct hm_histogram *into, const struct hm_histogram *other) {
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++)
        into->counts[b] += other->counts[b];
    if (other->greatest > into->greatest)
        into->greatest = other->greatest;
}

uint64_t hm_histogram_total(const struct hm_histogram *histogram) {
    uint64_t total = 0;
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++)
        total += histogram->counts[b];
    return total;
}

static double middle_ns(unsigned bucket) {
    double low = (double)hm_histogram_low(bucket);
    double last = (double)hm_histogram_low(bucket + 1) - 1;
    return (low + last) / 2 / HM_HISTOGRAM_PARTS;
}

static double width_ns(unsigned bucket) {
    return (double)(hm_histogram_low(bucket + 1) - hm_histogram_low(bucket)) / HM_HISTOGRAM_PARTS;
}

/* The bucket that has the rank-th latency. */
static unsigned nearest(const struct hm_histogram *histogram, double rank) {
    double passed = 0;
    unsigned bucket = 0;
    for (; bucket + 1 < HM_HISTOGRAM_BUCKETS; bucket++) {
        passed += (double)histogram->counts[bucket];
        if (passed >= rank)
            break;
    }
    return bucket;
}

/* How many latencies are below, when each is spread evenly over a step around it. */
static double spread_below(const struct hm_histogram *histogram, double ns, double step_ns) {
    double below = 0;
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS && middle_ns(b) < ns + step_ns; b++) {
        double part = (ns - middle_ns(b)) / step_ns + 0.5;
        below += (double)histogram->counts[b] * fmin(fmax(part, 0), 1);
    }
    return below;
}

/* The rank-th latency lies within a step of `ns`. */
static double search_spread(const struct hm_histogram *histogram, double rank, double ns,
                            double step_ns) {
    double low = fmax(ns - step_ns, 0), high = ns + step_ns;
    for (int i = 0; i < 30; i++) {
        double middle = (low + high) / 2;
        if (spread_below(histogram, middle, step_ns) < rank)
            low = middle;
        else
            high = middle;
    }
    return low > 0 ? high : 0;
}

double hm_histogram_quantile_ns(const struct hm_histogram *histogram, double share,
                                double step_ns) {
    double total = (double)hm_histogram_total(histogram);
    double slack = total * 1e-12; /* 0.9 * 10 is 9, not the next number above it */
    if (!(total * (1 - share) >= fewest_above - slack))
        return NAN;
    double rank = ceil(total * share - slack);
    unsigned bucket = nearest(histogram, rank);
    double ns = middle_ns(bucket);
    if (width_ns(bucket) < step_ns)
        ns = search_spread(histogram, rank, ns, step_ns);
    return fmin(ns, hm_histogram_greatest_ns(histogram));
}

double hm_histogram_greatest_ns(const struct hm_histogram *histogram) {
    return hm_histogram_total(histogram) ? (double)histogram->greatest / HM_HISTOGRAM_PARTS : NAN;
}

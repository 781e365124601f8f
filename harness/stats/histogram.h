/* A histogram of latencies: log-linear, so that the relative error is bounded whatever the length.
 *
 * Vocabulary
 *   part     a sixteenth of a nanosecond: what latencies are counted in
 *   bucket   b < 128 holds the value b. Above, a power of two 2^e is cut in 64 steps: bucket
 *            128 + 64 (e - 7) + k holds the values from (64 + k) 2^(e-6) on, up to the next bucket.
 *
 * A bucket stands for its middle, which is at most 1/128 (0.79 %) from any of its values; values below
 * 8 ns are exact to a part. What is longer than 36 minutes is in the last bucket. */
#ifndef HM_HARNESS_STATS_HISTOGRAM_H
#define HM_HARNESS_STATS_HISTOGRAM_H

#include <stdint.h>

enum {
    HM_HISTOGRAM_PARTS = 16,
    HM_HISTOGRAM_STEPS = 64, /* of a power of two */
    HM_HISTOGRAM_EXACT = 2 * HM_HISTOGRAM_STEPS,
    HM_HISTOGRAM_OCTAVES = 38,
    HM_HISTOGRAM_BUCKETS = HM_HISTOGRAM_EXACT + HM_HISTOGRAM_OCTAVES * HM_HISTOGRAM_STEPS,
};

struct hm_histogram {
    uint64_t counts[HM_HISTOGRAM_BUCKETS];
    uint64_t greatest; /* parts, exact */
};

static inline unsigned hm_histogram_bucket(uint64_t parts) {
    if (parts < HM_HISTOGRAM_EXACT)
        return (unsigned)parts;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(parts);
    unsigned bucket = HM_HISTOGRAM_EXACT + (exponent - 7) * HM_HISTOGRAM_STEPS +
                      (unsigned)(parts >> (exponent - 6) & (HM_HISTOGRAM_STEPS - 1));
    return bucket < HM_HISTOGRAM_BUCKETS ? bucket : HM_HISTOGRAM_BUCKETS - 1;
}

/** The least value of a bucket, in parts; of HM_HISTOGRAM_BUCKETS, the end of the last one. */
static inline uint64_t hm_histogram_low(unsigned bucket) {
    if (bucket < HM_HISTOGRAM_EXACT)
        return bucket;
    unsigned octave = (bucket - HM_HISTOGRAM_EXACT) / HM_HISTOGRAM_STEPS;
    return (uint64_t)(HM_HISTOGRAM_STEPS + bucket % HM_HISTOGRAM_STEPS) << ((octave + 1) & 63);
}

static inline void hm_histogram_count(struct hm_histogram *histogram, uint64_t parts) {
    histogram->counts[hm_histogram_bucket(parts)]++;
    if (parts > histogram->greatest)
        histogram->greatest = parts;
}

/** Add what another one has counted. */
void hm_histogram_add(struct hm_histogram *into, const struct hm_histogram *other);

/** How many latencies it has. */
uint64_t hm_histogram_total(const struct hm_histogram *histogram);

/** The least latency that a share of all is not above (nearest rank), in ns.
 *  @param share in (0, 1)
 *  @param step_ns of the clock; where buckets are finer than that, a latency stands for all within
 *  half a step of it, and the quantile is that of the sum. 0: they never are
 *  @return NAN when fewer than 10 latencies lie above that rank: 20 are needed for 0.5, 1000 for 0.99,
 *  100000 for 0.9999 */
double hm_histogram_quantile_ns(const struct hm_histogram *histogram, double share, double step_ns);

/** The greatest latency in ns, exact; NAN when there is none. */
double hm_histogram_greatest_ns(const struct hm_histogram *histogram);

#endif

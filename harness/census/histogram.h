/* Counts of blocks by a quantity: four buckets to each power of two, small values by themselves.
 *
 * Bucket b < 8 holds the value b. Above, a power of two 2^e is cut in four: bucket 4 (e - 1) + k holds
 * the values from (4 + k) 2^(e-2) on, up to the next bucket. So a bucket's low end is at most a fifth
 * below any of its values. */
#ifndef HM_HARNESS_CENSUS_HISTOGRAM_H
#define HM_HARNESS_CENSUS_HISTOGRAM_H

#include <stdint.h>

enum {
    HM_CENSUS_BUCKETS = 256,
};

struct hm_census_histogram {
    uint64_t blocks[HM_CENSUS_BUCKETS];
    uint64_t bytes[HM_CENSUS_BUCKETS]; /* of those blocks, as requested */
};

static inline unsigned hm_census_bucket(uint64_t value) {
    if (value < 8)
        return (unsigned)value;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    return 4 * (exponent - 1) + (unsigned)(value >> (exponent - 2) & 3);
}

/** The least value of a bucket. @param bucket at most that of UINT64_MAX */
static inline uint64_t hm_census_low(unsigned bucket) {
    return bucket < 8 ? bucket : (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

/** The greatest value of a bucket. */
static inline uint64_t hm_census_high(unsigned bucket) {
    return bucket < hm_census_bucket(UINT64_MAX) ? hm_census_low(bucket + 1) - 1 : UINT64_MAX;
}

static inline void hm_census_count(struct hm_census_histogram *histogram, uint64_t value,
                                   uint64_t bytes) {
    histogram->blocks[hm_census_bucket(value)]++;
    histogram->bytes[hm_census_bucket(value)] += bytes;
}

#endif

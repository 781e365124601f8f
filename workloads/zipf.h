/* Zipf's law: the k-th of n things comes up as often as 1/k says. */
#ifndef HM_WORKLOADS_ZIPF_H
#define HM_WORKLOADS_ZIPF_H

#include "workloads/scratch.h"

/** @param sums for n weights: of all things up to each one */
static inline void hm_zipf_sums(uint64_t *sums, uint32_t n) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sums[i] = sum += (UINT64_C(1) << 40) / (i + 1);
}

/** @param sums as from hm_zipf_sums, or of any other weights  @return 0 .. n-1 */
static inline uint32_t hm_zipf_draw(struct hm_random *random, const uint64_t *sums, uint32_t n) {
    uint64_t target = hm_random_below(random, sums[n - 1]);
    uint32_t low = 0;
    for (uint32_t high = n - 1; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

#endif

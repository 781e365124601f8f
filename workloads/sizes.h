/* Sizes of blocks, in bytes, drawn before the clock starts. */
#ifndef HM_WORKLOADS_SIZES_H
#define HM_WORKLOADS_SIZES_H

#include "workloads/scratch.h"

#include <stdbool.h>

/* The words of a parameter that chooses a distribution, in the order of enum hm_sizes_kind. */
#define HM_SIZES_KINDS "uniform|pow2|power"

enum hm_sizes_kind {
    HM_SIZES_UNIFORM, /* each size as likely */
    HM_SIZES_POW2,    /* each power of two as likely, from that below min on; then clamped */
    HM_SIZES_POWER,   /* density falls with the square, as in glibc's bench-malloc-thread.c */
};

struct hm_sizes {
    enum hm_sizes_kind kind;
    uint32_t min;
    uint32_t max;
};

/** @return whether there is a size to draw: 1 <= min <= max */
static inline bool hm_sizes_valid(const struct hm_sizes *sizes) {
    return sizes->min >= 1 && sizes->min <= sizes->max;
}

/** For a workload's conflict().  @return NULL, or what two bounds contradict each other in */
static inline const char *hm_sizes_conflict(int64_t min, int64_t max) {
    return min > max ? "min is above max" : NULL;
}

static inline uint32_t hm_size_clamp_(const struct hm_sizes *sizes, uint64_t size) {
    if (size < sizes->min)
        return sizes->min;
    return size > sizes->max ? sizes->max : (uint32_t)size;
}

static inline uint32_t hm_size_draw_pow2_(const struct hm_sizes *sizes, struct hm_random *random) {
    unsigned low = 31u - (unsigned)__builtin_clz(sizes->min);
    unsigned high = 31u - (unsigned)__builtin_clz(sizes->max);
    return hm_size_clamp_(sizes, (uint64_t)1 << (low + hm_random_below(random, high - low + 1)));
}

/* The inverse of the distribution function of a density ~ x^-2 on [min, max + 1). */
static inline uint32_t hm_size_draw_power_(const struct hm_sizes *sizes, struct hm_random *random) {
    double first = 1.0 / (double)sizes->min;
    double last = 1.0 / ((double)sizes->max + 1.0);
    double uniform = (double)(hm_random_next(random) >> 11) * 0x1p-53;
    return hm_size_clamp_(sizes, (uint64_t)(1.0 / (first - uniform * (first - last))));
}

/** One size in min .. max of valid sizes. Untimed. */
static inline uint32_t hm_size_draw(const struct hm_sizes *sizes, struct hm_random *random) {
    switch (sizes->kind) {
    case HM_SIZES_POW2:
        return hm_size_draw_pow2_(sizes, random);
    case HM_SIZES_POWER:
        return hm_size_draw_power_(sizes, random);
    default:
        return sizes->min + (uint32_t)hm_random_below(random, sizes->max - sizes->min + 1ull);
    }
}

#endif

/* The bootstrap of two runs. */
#include "harness/stats/bootstrap.h"

#include "harness/stats/order.h"

#include <string.h>

/* splitmix64 (Vigna): one state, and no seed is a bad one. */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number below n, which is below 2^32: the bias is below n / 2^32. */
static size_t below(uint64_t *state, size_t n) {
    return (size_t)((next(state) >> 32) * n >> 32);
}

/* The value at a rank of what was drawn, counted from 0. */
static double at_rank(const double *sorted, const size_t *counts, size_t rank) {
    size_t i = 0;
    for (size_t passed = counts[0]; passed <= rank; passed += counts[i])
        i++;
    return sorted[i];
}

/* Of sorted values it is enough to know how often each was drawn. */
static double drawn_median(uint64_t *state, const double *sorted, size_t n, size_t *counts) {
    memset(counts, 0, n * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[below(state, n)]++;
    double upper = at_rank(sorted, counts, n / 2);
    return n % 2 ? upper : (at_rank(sorted, counts, n / 2 - 1) + upper) / 2;
}

bool hm_bootstrap_interval(const struct hm_bootstrap *how, const double *base, size_t base_count,
                           const double *arm, size_t arm_count, double confidence, double *low,
                           double *high) {
    if (base_count < HM_BOOTSTRAP_ROUNDS_MIN || arm_count < HM_BOOTSTRAP_ROUNDS_MIN)
        return false;
    uint64_t state = how->seed;
    for (size_t i = 0; i < how->draws; i++) {
        double drawn_base = drawn_median(&state, base, base_count, how->counts);
        double drawn_arm = drawn_median(&state, arm, arm_count, how->counts);
        how->differences[i] = drawn_arm - drawn_base;
    }
    hm_sort(how->differences, how->draws);
    double tail = (1 - confidence) / 2;
    *low = hm_quantile(how->differences, how->draws, tail);
    *high = hm_quantile(how->differences, how->draws, 1 - tail);
    return true;
}

/* Draws for simulations, the same in each run: set draw_state first. */
#ifndef HM_TESTS_STATS_NOISE_H
#define HM_TESTS_STATS_NOISE_H

#include <math.h>
#include <stdint.h>

/* splitmix64 (Vigna) */
static uint64_t draw_state;

static inline double uniform(void) {
    uint64_t z = draw_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller */
static inline double normal(void) {
    double radius = sqrt(-2 * log(uniform()));
    return radius * cos(2 * M_PI * uniform());
}

/* ---- what one process measures, of a true time of 1 ---- */

static inline double lognormal(void) {
    return exp(0.03 * normal());
}

/* Never faster than 1, a long tail of interference, and one process of 20 up to 4 times as slow. */
static inline double skewed(void) {
    double time = 1 - 0.02 * log(uniform());
    return uniform() < 0.05 ? time * (1 + 3 * uniform()) : time;
}

/* One process of ten is unlucky from its start to its end. */
static inline double bimodal(void) {
    double time = exp(0.01 * normal());
    return uniform() < 0.1 ? time * (1.5 + 0.5 * uniform()) : time;
}

/* Two layouts, equally likely: the worst that exchangeable arms do to a t-test, as verdict.h says. */
static inline double two_modes(void) {
    double time = exp(0.005 * normal());
    return uniform() < 0.5 ? time * 1.3 : time;
}

#endif

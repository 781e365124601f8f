/* Which differences can be told: runs drawn from the noise of equal arms. */
#include "harness/stats/resolution.h"

#include "harness/stats/order.h"
#include "harness/stats/verdict.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

enum {
    RUNS = 400,
    FOUND = RUNS * 9 / 10,
    HALVINGS = 14, /* of a factor of 8, in logarithms */
    MAX_ROUNDS = 64,
    MAX_LOGS = 256,
    MIN_LOGS = 6,
};

/* Marsaglia's xorshift64* by Vigna (ACM TOMS 42, 2016). */
static uint64_t next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static void draw(uint64_t *state, const double *from, size_t count, double *to, unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t random = next(state) >> 16;
        to[i] = from[(random >> 1) % count] * (random & 1 ? 1 : -1);
    }
}

/* One run, in which one arm is slower by a logarithm of `shift`. */
static bool tells(uint64_t *state, const double *from, size_t count, unsigned rounds, double margin,
                  double shift) {
    double logs[MAX_ROUNDS];
    double again[MAX_ROUNDS];
    double scratch[MAX_ROUNDS];
    struct hm_test *order[1];
    draw(state, from, count, logs, rounds);
    draw(state, from, count, again, rounds);
    for (unsigned i = 0; i < rounds; i++)
        logs[i] += shift;
    double ratio = hm_paired_of(again, rounds, scratch).ratio;
    struct hm_comparison one = {
        .logs = logs, .rounds = rounds, .margin = margin, .noise = hm_noise_floor(&ratio, 1)};
    hm_judge(&one, 1, order, scratch);
    return one.verdict == HM_SLOWER;
}

/* The same runs for every shift, so that more of it is never found less often by chance. */
static int found(const double *from, size_t count, unsigned rounds, double margin, double shift) {
    uint64_t state = 0x9e3779b97f4a7c15u;
    int runs = 0;
    for (int i = 0; i < RUNS; i++)
        runs += tells(&state, from, count, rounds, margin, shift);
    return runs;
}

double hm_resolution(const double *logs, size_t count, unsigned rounds, double margin) {
    double from[MAX_LOGS];
    double few = 0;
    double enough = log(8);
    assert(rounds <= MAX_ROUNDS);
    size_t n = hm_finite(logs, count < MAX_LOGS ? count : MAX_LOGS, from);
    if (n < MIN_LOGS)
        return NAN;
    if (found(from, n, rounds, margin, enough) < FOUND)
        return INFINITY;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (few + enough) / 2;
        if (found(from, n, rounds, margin, middle) < FOUND)
            few = middle;
        else
            enough = middle;
    }
    return expm1(enough);
}

/* Two runs without pairs: the bootstrap against values computed elsewhere, verdicts, and error rates by
 * simulation with fixed seeds.
 *
 * labels: plain */
#include "harness/stats/order.h"
#include "harness/stats/unpaired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    MAX_ROUNDS = 30,
    MAX_COMPARISONS = 60,
    SIMULATION_DRAWS = 400,
};

static double differences[HM_BOOTSTRAP_DRAWS];
static size_t counts[MAX_ROUNDS];
static double scratch[2 * MAX_ROUNDS];
static const struct hm_bootstrap ten_thousand = {1, HM_BOOTSTRAP_DRAWS, differences, counts};

static void expect_near(double value, double expected, double error) {
    if (!(fabs(value - expected) <= error))
        fail_msg("%.17g is not %.17g within %g", value, expected, error);
}

/* ---- known values ---- */

static const double twelve[] = {0.02, 0.05, 0.11, 0.14, 0.18, 0.23,
                                0.31, 0.36, 0.44, 0.57, 0.83, 1.90};
static const double nine[] = {0.61, 0.66, 0.72, 0.93, 1.02, 1.17, 1.31, 2.05, 2.90};

/* The exact bootstrap distribution: all 12^12 and 9^9 resamples, counted by a Python script as multisets
 * with their multinomial weights, and its quantiles three standard errors of 10000 draws to
 * both sides of 2.5 and 97.5 %. */
static void test_interval_lies_in_the_exact_bootstrap_distribution(void **state) {
    (void)state;
    double low = NAN;
    double high = NAN;
    assert_true(hm_bootstrap_interval(&ten_thousand, twelve, 12, nine, 9, 0.95, &low, &high));
    print_message("[%.17g, %.17g]\n", low, high);
    assert_true(low >= 0.32 && low <= 0.345);
    assert_true(high >= 1.545 && high <= 1.74);
}

static void test_interval_is_the_same_each_time_and_needs_six_rounds(void **state) {
    (void)state;
    double first[2] = {0};
    double second[2] = {0};
    assert_true(
        hm_bootstrap_interval(&ten_thousand, twelve, 12, nine, 9, 0.95, &first[0], &first[1]));
    assert_true(
        hm_bootstrap_interval(&ten_thousand, twelve, 12, nine, 9, 0.95, &second[0], &second[1]));
    assert_true(first[0] == second[0] && first[1] == second[1]);
    assert_true(
        hm_bootstrap_interval(&ten_thousand, twelve, 6, nine, 6, 0.95, &first[0], &first[1]));
    assert_false(
        hm_bootstrap_interval(&ten_thousand, twelve, 5, nine, 9, 0.95, &second[0], &second[1]));
    assert_false(
        hm_bootstrap_interval(&ten_thousand, twelve, 12, nine, 5, 0.95, &second[0], &second[1]));
}

/* ---- verdicts ---- */

static struct hm_unpaired judge_one(const double *base, const double *arm, size_t rounds,
                                    double margin, double noise, bool higher_is_better) {
    struct hm_test *order[1];
    struct hm_unpaired one = {.base = base,
                              .arm = arm,
                              .base_rounds = rounds,
                              .arm_rounds = rounds,
                              .margin = margin,
                              .noise = noise,
                              .higher_is_better = higher_is_better};
    hm_unpaired_judge(&one, 1, &ten_thousand, order, scratch);
    return one;
}

static void test_each_verdict_is_given(void **state) {
    (void)state;
    const double base[] = {0.001, 0.002, 0.003, 0.004, 0.005, 0.006};
    const double more[] = {0.101, 0.102, 0.103, 0.104, 0.105, 0.106};
    const double wild[] = {-0.3, 0.3, -0.2, 0.25, 0.1, 0.05};
    struct hm_unpaired slower = judge_one(base, more, 6, 0.02, NAN, false);
    assert_int_equal(slower.verdict, HM_SLOWER);
    expect_near(slower.ratio, exp(0.1), 1e-12);
    assert_int_equal(slower.rounds_needed, 0);
    assert_int_equal(judge_one(base, more, 6, 0.02, NAN, true).verdict, HM_FASTER);
    assert_int_equal(judge_one(more, base, 6, 0.02, NAN, false).verdict, HM_FASTER);
    assert_int_equal(judge_one(base, base, 6, 0.02, NAN, false).verdict, HM_EQUIVALENT);
    struct hm_unpaired open = judge_one(base, wild, 6, 0.02, NAN, false);
    assert_int_equal(open.verdict, HM_INCONCLUSIVE);
}

static void test_noise_hides_a_difference_and_makes_nothing_equivalent(void **state) {
    (void)state;
    const double base[] = {0.001, 0.002, 0.003, 0.004, 0.005, 0.006};
    const double more[] = {0.101, 0.102, 0.103, 0.104, 0.105, 0.106};
    struct hm_unpaired one = judge_one(base, more, 6, 0.02, 0.15, false);
    assert_int_equal(one.verdict, HM_INCONCLUSIVE);
    assert_int_equal(one.rounds_needed, 0); /* no number of them settles it */
}

static void test_few_rounds_give_a_ratio_and_no_verdict(void **state) {
    (void)state;
    const double base[] = {0, 0, 0, 0, 0};
    const double more[] = {1, 1, 1, 1, 1};
    struct hm_unpaired one = judge_one(base, more, 5, 0.02, NAN, false);
    assert_int_equal(one.verdict, HM_INCONCLUSIVE);
    assert_false(one.has_interval);
    expect_near(one.ratio, exp(1), 1e-12);
    assert_true(isnan(one.low) && isnan(one.test.p));
}

/* Of 10 % and 12 % more at 1 and 2 rounds, the range is 10 to 12 %. */
static void test_counts_are_judged_by_their_range_from_one_round_on(void **state) {
    (void)state;
    const double base[] = {0};
    const double more[] = {log(1.10), log(1.12)};
    struct hm_test *order[2];
    struct hm_unpaired all[2];
    for (int i = 0; i < 2; i++)
        all[i] = (struct hm_unpaired){.base = base,
                                      .arm = i ? base : more,
                                      .base_rounds = 1,
                                      .arm_rounds = i ? 1 : 2,
                                      .margin = 0.02,
                                      .noise = NAN,
                                      .counted = true};
    hm_unpaired_judge(all, 2, &ten_thousand, order, scratch);
    assert_int_equal(all[0].verdict, HM_SLOWER);
    expect_near(all[0].low, 1.10, 1e-12);
    expect_near(all[0].high, 1.12, 1e-12);
    assert_true(isnan(all[0].test.p));
    assert_int_equal(all[1].verdict, HM_EQUIVALENT);
}

/* ---- error rates ---- */

/* splitmix64 (Vigna) */
static uint64_t draw_state;

static double uniform(void) {
    uint64_t z = draw_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller */
static double normal(void) {
    double radius = sqrt(-2 * log(uniform()));
    return radius * cos(2 * M_PI * uniform());
}

/* Logarithms of what one process measures: lognormal; a long tail with one process of 20 up to 4 times as
 * slow; and one process of ten unlucky from start to end. */
static double lognormal(void) {
    return 0.03 * normal();
}

static double skewed(void) {
    double time = 1 - 0.02 * log(uniform());
    return log(uniform() < 0.05 ? time * (1 + 3 * uniform()) : time);
}

static double bimodal(void) {
    double time = exp(0.01 * normal());
    return log(uniform() < 0.1 ? time * (1.5 + 0.5 * uniform()) : time);
}

typedef double noise_fn(void);
static const struct noise {
    const char *name;
    noise_fn *draw;
} noises[] = {{"lognormal", lognormal}, {"skewed", skewed}, {"bimodal", bimodal}};

static const struct hm_bootstrap quick = {1, SIMULATION_DRAWS, differences, counts};

/* One matrix of equal arms, of which the first is `shift` slower in the second run. All values of the second
 * run are `drift` slower; with_reference takes a baseline arm of each round off.
 * @return how many are called faster or slower, as bit 0 the first and bit 1 any other */
static unsigned simulate(size_t count, size_t rounds, noise_fn *draw, double shift, double drift,
                         bool with_reference) {
    static double base[MAX_COMPARISONS][MAX_ROUNDS];
    static double arm[MAX_COMPARISONS][MAX_ROUNDS];
    static struct hm_unpaired all[MAX_COMPARISONS];
    struct hm_test *order[MAX_COMPARISONS];
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < rounds; r++) {
            base[i][r] = draw() - (with_reference ? draw() : 0);
            arm[i][r] =
                draw() + drift + (i == 0 ? shift : 0) - (with_reference ? draw() + drift : 0);
        }
        all[i] = (struct hm_unpaired){.base = base[i],
                                      .arm = arm[i],
                                      .base_rounds = rounds,
                                      .arm_rounds = rounds,
                                      .margin = 0.02,
                                      .noise = NAN};
    }
    hm_unpaired_judge(all, count, &quick, order, scratch);
    unsigned called = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].verdict == HM_FASTER || all[i].verdict == HM_SLOWER)
            called |= i == 0 ? 1 : 2;
    return called;
}

static void test_equal_runs_seldom_get_a_verdict(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 400}, {20, 40}}; /* comparisons, trials */
    draw_state = 1;
    for (size_t n = 0; n < sizeof noises / sizeof *noises; n++)
        for (size_t s = 0; s < 2; s++)
            for (size_t rounds = 6; rounds <= 12; rounds += 6) {
                size_t wrong = 0;
                for (size_t trial = 0; trial < sizes[s][1]; trial++)
                    wrong += simulate(sizes[s][0], rounds, noises[n].draw, 0, 0, trial % 2) != 0;
                double rate = (double)wrong / (double)sizes[s][1];
                print_message("%s, %zu comparisons, %zu rounds: %.4f with a false verdict\n",
                              noises[n].name, sizes[s][0], rounds, rate);
                assert_true(rate <= 0.05);
            }
}

/* A machine that is 10 % slower on the second day: the values say so of every cell, the ratios to an arm of
 * the same rounds do not, and still find a change of 10 %. */
static void test_a_reference_takes_the_drift_out(void **state) {
    (void)state;
    enum {
        TRIALS = 200
    };
    size_t by_value = 0;
    size_t by_ratio = 0;
    size_t found = 0;
    draw_state = 2;
    for (int trial = 0; trial < TRIALS; trial++) {
        by_value += simulate(4, 12, lognormal, 0, 0.0953, false) != 0;
        by_ratio += simulate(4, 12, lognormal, 0, 0.0953, true) != 0;
        found += simulate(4, 12, lognormal, 0.0953, 0.0953, true) & 1;
    }
    print_message(
        "drift of 10 %%: false verdicts %.3f by value, %.3f by ratio; change found %.3f\n",
        (double)by_value / TRIALS, (double)by_ratio / TRIALS, (double)found / TRIALS);
    assert_true(by_value >= TRIALS * 9 / 10);
    assert_true(by_ratio <= TRIALS / 20);
    assert_true(found >= TRIALS / 2);
}

/* Both are drawn from the same distribution: the ratio of the medians is 1. */
static void test_interval_covers_the_ratio_of_the_medians(void **state) {
    (void)state;
    enum {
        TRIALS = 1000
    };
    draw_state = 3;
    for (size_t n = 0; n < sizeof noises / sizeof *noises; n++)
        for (size_t rounds = 6; rounds <= 12; rounds += 6) {
            size_t covered = 0;
            for (int trial = 0; trial < TRIALS; trial++) {
                double base[MAX_ROUNDS];
                double arm[MAX_ROUNDS];
                for (size_t r = 0; r < rounds; r++) {
                    base[r] = noises[n].draw();
                    arm[r] = noises[n].draw();
                }
                struct hm_unpaired one = {
                    .base = base, .arm = arm, .base_rounds = rounds, .arm_rounds = rounds};
                hm_unpaired_summarise(&one, &quick, scratch);
                covered += one.low <= 1 && one.high >= 1;
            }
            double rate = (double)covered / TRIALS;
            print_message("%s, %zu rounds: the interval covers in %.3f\n", noises[n].name, rounds,
                          rate);
            assert_true(rate >= 0.93);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval_lies_in_the_exact_bootstrap_distribution),
        cmocka_unit_test(test_interval_is_the_same_each_time_and_needs_six_rounds),
        cmocka_unit_test(test_each_verdict_is_given),
        cmocka_unit_test(test_noise_hides_a_difference_and_makes_nothing_equivalent),
        cmocka_unit_test(test_few_rounds_give_a_ratio_and_no_verdict),
        cmocka_unit_test(test_counts_are_judged_by_their_range_from_one_round_on),
        cmocka_unit_test(test_equal_runs_seldom_get_a_verdict),
        cmocka_unit_test(test_a_reference_takes_the_drift_out),
        cmocka_unit_test(test_interval_covers_the_ratio_of_the_medians),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

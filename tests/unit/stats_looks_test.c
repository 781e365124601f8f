/* Looks: when they are, what they settle, and how often a run that stops by them is wrong: by simulation with
 * fixed seeds.
 *
 * Each bound of a rate allows three standard errors of the simulation on top of the promise. The observed rates
 * are printed. HM_LOOKS_TRIALS=N in the environment takes N times as many trials, as docs/method.md had it.
 *
 * labels: plain */
#include "harness/stats/looks.h"
#include "harness/stats/verdict.h"

#include "tests/unit/stats_noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MAX_ROUNDS = 141,
    MAX_COMPARISONS = 60,
};

/* ---- The plan ---- */

static void expect_rounds(unsigned count, const unsigned *rounds) {
    struct hm_looks looks = hm_looks_plan(count);
    assert_int_equal(looks.count, count);
    assert_int_equal(looks.held, 0);
    for (unsigned k = 0; k < count; k++)
        assert_int_equal(looks.rounds[k], rounds[k]);
}

/* The first look by hand: 2 / 2^8 = 0.78 % fits into 5 % / 4 and 5 % / 6, not into 5 % / 8; 2 / 2^9 does. */
static void test_looks_begin_where_there_is_an_interval_and_grow_by_half(void **state) {
    (void)state;
    expect_rounds(1, (const unsigned[]){6});
    expect_rounds(4, (const unsigned[]){8, 12, 18, 27});
    expect_rounds(6, (const unsigned[]){8, 12, 18, 27, 40, 60});
    expect_rounds(8, (const unsigned[]){9, 13, 19, 28, 42, 63, 94, 141});
}

static void test_levels_add_up_to_five_percent(void **state) {
    (void)state;
    for (unsigned count = 1; count <= HM_LOOKS_MAX; count++) {
        struct hm_looks looks = hm_looks_plan(count);
        assert_true(fabs(hm_looks_level(&looks) * count - 0.05) < 1e-15);
    }
    assert_true(isnan(hm_looks_level(&(struct hm_looks){0})));
}

static void test_every_look_has_an_interval(void **state) {
    (void)state;
    double logs[MAX_ROUNDS];
    for (unsigned i = 0; i < MAX_ROUNDS; i++)
        logs[i] = i;
    for (unsigned count = 1; count <= HM_LOOKS_MAX; count++) {
        double scratch[MAX_ROUNDS];
        struct hm_looks looks = hm_looks_plan(count);
        double confidence = 1 - hm_looks_level(&looks);
        assert_true(hm_paired_at(logs, looks.rounds[0], confidence, scratch).has_interval);
        assert_false(hm_paired_at(logs, looks.rounds[0] - 1, confidence, scratch).has_interval);
    }
}

static void test_end_of_the_budget_moves_the_next_look(void **state) {
    (void)state;
    struct hm_looks looks = hm_looks_plan(6);
    assert_false(hm_looks_move(&looks, 7)); /* no interval */
    assert_int_equal(looks.rounds[0], 8);
    looks.held = 2;
    assert_false(hm_looks_move(&looks, 12)); /* nothing new */
    assert_true(hm_looks_move(&looks, 14));
    const unsigned moved[] = {8, 12, 14, 27, 40, 60};
    assert_memory_equal(looks.rounds, moved, sizeof moved);
    looks.held = 6;
    assert_false(hm_looks_move(&looks, 100)); /* none left */
}

/* ---- What a look settles ---- */

/* Ratios of about e^level, in a narrow spread around it. */
static void put_logs(double *logs, size_t rounds, double log_ratio) {
    for (size_t i = 0; i < rounds; i++)
        logs[i] = log_ratio + 0.001 * ((double)(i % 5) - 2);
}

static void test_what_is_settled_stays_whatever_comes_later(void **state) {
    (void)state;
    double logs[24];
    double scratch[24];
    struct hm_test *order[1];
    put_logs(logs, 12, 0.5);
    put_logs(logs + 12, 12, -0.5);
    struct hm_comparison c = {.logs = logs, .rounds = 8, .margin = 0.02, .noise = NAN};
    hm_judge_look(&c, 1, 0.05 / 6, order, scratch);
    assert_int_equal(c.verdict, HM_SLOWER);
    assert_int_equal(c.settled_after, 8);
    struct hm_comparison then = c;
    c.rounds = 24;
    hm_judge_look(&c, 1, 0.05 / 6, order, scratch);
    assert_int_equal(c.verdict, HM_SLOWER);
    assert_int_equal(c.settled_after, 8);
    assert_memory_equal(&c.paired, &then.paired, sizeof c.paired);
    hm_judge(&c, 1, order, scratch); /* which knows no looks, and sees all of it */
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
    assert_int_equal(c.settled_after, 0);
}

/* The interval of 8 rounds at 95 % is from the second value to the seventh, at 1 - 5 % / 6 from the first to the
 * last (P(X <= 1) = 9 / 256 for each side). */
static void test_interval_is_as_wide_as_the_level_of_the_look(void **state) {
    (void)state;
    double logs[8];
    double scratch[8];
    struct hm_test *order[1];
    for (int i = 0; i < 8; i++)
        logs[i] = 0.01 * (i + 1);
    struct hm_comparison c = {.logs = logs, .rounds = 8, .margin = 0.02, .noise = NAN};
    hm_judge_look(&c, 1, 0.05 / 6, order, scratch);
    assert_true(fabs(c.paired.low - exp(0.01)) < 1e-12);
    assert_true(fabs(c.paired.high - exp(0.08)) < 1e-12);
}

/* p of the open one is 0.004, by its t of 4.1 at 7 degrees of freedom: enough alone at 5 % / 6, not enough as one
 * of three. */
static void test_equivalent_ones_stay_in_the_correction_and_others_leave_it(void **state) {
    (void)state;
    double logs[3][8];
    double scratch[8];
    struct hm_test *order[3];
    for (int equivalent = 0; equivalent < 2; equivalent++) {
        struct hm_comparison all[3];
        put_logs(logs[0], 8, equivalent ? 0 : 0.5);
        put_logs(logs[1], 8, equivalent ? 0 : -0.5);
        for (int i = 0; i < 8; i++)
            logs[2][i] = 0.30 + 0.20 * (i - 3.5) / 3.5;
        for (int i = 0; i < 3; i++)
            all[i] = (struct hm_comparison){
                .logs = logs[i], .rounds = i < 2 ? 8 : 0, .margin = 0.02, .noise = NAN};
        hm_judge_look(all, 3, 0.05 / 6, order, scratch); /* the third has no rounds yet */
        assert_int_equal(all[0].verdict, equivalent ? HM_EQUIVALENT : HM_SLOWER);
        assert_int_equal(all[1].verdict, equivalent ? HM_EQUIVALENT : HM_FASTER);
        assert_int_equal(all[2].verdict, HM_INCONCLUSIVE);
        all[2].rounds = 8;
        hm_judge_look(all, 3, 0.05 / 6, order, scratch);
        assert_true(fabs(all[2].test.adjusted / all[2].test.p - (equivalent ? 3 : 1)) < 1e-12);
    }
}

/* ---- Simulation ---- */

typedef double noise_fn(void);

static const struct noise {
    const char *name;
    noise_fn *draw;
} noises[] = {
    {"lognormal", lognormal}, {"skewed", skewed}, {"bimodal", bimodal}, {"two-mode", two_modes}};

static size_t trials_of(size_t few) {
    const char *times = getenv("HM_LOOKS_TRIALS");
    return few * (times ? (size_t)atol(times) : 1);
}

static double standard_error(double rate, size_t trials) {
    return sqrt(rate * (1 - rate) / (double)trials);
}

struct matrix {
    struct hm_comparison all[MAX_COMPARISONS];
    double logs[MAX_COMPARISONS][MAX_ROUNDS];
};

static bool all_settled(const struct matrix *m, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!m->all[i].settled_after)
            return false;
    return true;
}

/* A run with these looks, each with this level. Every arm takes `rest` times as long as its base, the first one
 * `first` times. */
static void simulate(struct matrix *m, size_t count, struct hm_looks looks, double level,
                     noise_fn *draw, double margin, double first, double rest) {
    struct hm_test *order[MAX_COMPARISONS];
    double scratch[MAX_ROUNDS];
    unsigned rounds = 0;
    for (size_t i = 0; i < count; i++)
        m->all[i] = (struct hm_comparison){.logs = m->logs[i], .margin = margin, .noise = NAN};
    for (unsigned k = 0; k < looks.count && !(k && all_settled(m, count)); k++) {
        for (size_t i = 0; i < count; i++) {
            for (unsigned r = rounds; r < looks.rounds[k]; r++)
                m->logs[i][r] = log(draw() * (i == 0 ? first : rest) / draw());
            m->all[i].rounds = looks.rounds[k];
        }
        rounds = looks.rounds[k];
        hm_judge_look(m->all, count, level, order, scratch);
    }
}

static bool is_conclusion(enum hm_verdict verdict) {
    return verdict == HM_FASTER || verdict == HM_SLOWER;
}

static double level_of_six(void) {
    struct hm_looks looks = hm_looks_plan(6);
    return hm_looks_level(&looks);
}

static double wrong_rate(size_t count, size_t trials, noise_fn *draw, double margin, double level) {
    static struct matrix m;
    struct hm_looks looks = hm_looks_plan(6);
    size_t wrong = 0;
    for (size_t trial = 0; trial < trials; trial++) {
        bool any = false;
        simulate(&m, count, looks, level, draw, margin, 1 + margin, 1 + margin);
        for (size_t i = 0; i < count; i++)
            any = any || is_conclusion(m.all[i].verdict);
        wrong += any;
    }
    return (double)wrong / (double)trials;
}

static const struct {
    size_t comparisons;
    size_t trials;
} sizes[] = {{1, 2000}, {9, 400}, {60, 50}};

/* Without a margin: with one, equal arms are safe by themselves, and nothing is learnt of the rule. */
static void test_equal_arms_are_told_apart_in_at_most_five_percent(void **state) {
    (void)state;
    draw_state = 11;
    for (size_t i = 0; i < sizeof noises / sizeof *noises; i++)
        for (size_t size = 0; size < 3; size++) {
            size_t trials = trials_of(sizes[size].trials);
            double rate =
                wrong_rate(sizes[size].comparisons, trials, noises[i].draw, 0, level_of_six());
            print_message("false verdicts, no margin, %s noise, %zu arms: %.4f\n", noises[i].name,
                          sizes[size].comparisons, rate);
            assert_true(rate <= 0.05 + 3 * standard_error(0.05, trials));
        }
}

static void test_arms_that_differ_by_the_margin_keep_the_rate(void **state) {
    (void)state;
    draw_state = 12;
    for (size_t size = 0; size < 2; size++) {
        size_t trials = trials_of(sizes[size].trials);
        double rate = wrong_rate(sizes[size].comparisons, trials, lognormal, 0.02, level_of_six());
        print_message("false verdicts, arms apart by the margin, %zu comparisons: %.4f\n",
                      sizes[size].comparisons, rate);
        assert_true(rate <= 0.05 + 3 * standard_error(0.05, trials));
    }
}

/* What the shares are for: each look at 5 % breaks the promise. */
static void test_looks_without_shares_would_be_wrong_too_often(void **state) {
    (void)state;
    draw_state = 13;
    size_t trials = trials_of(400);
    double rate = wrong_rate(9, trials, lognormal, 0, 0.05);
    print_message("false verdicts, each look at 5 %%, 9 comparisons: %.4f\n", rate);
    assert_true(rate > 0.05 + 3 * standard_error(0.05, trials));
}

/* A skewed ratio whose true median is 1.05 or 1: exponential on the logarithms. */
static double skewed_ratio(void) {
    return exp(0.04 * (-log(uniform()) - M_LN2));
}

static double one(void) {
    return 1;
}

static noise_fn *const pair_of[] = {skewed_ratio, one};
static int turn;

/* simulate() draws the arm first, then its base. */
static double skewed_pair(void) {
    return pair_of[turn++ % 2]();
}

static void test_widened_intervals_cover_when_the_run_stops(void **state) {
    (void)state;
    static struct matrix m;
    static const double ratios[] = {1, 1.01, 1.02, 1.05, 1.1};
    draw_state = 14;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        size_t trials = trials_of(1000);
        size_t covered = 0;
        for (size_t trial = 0; trial < trials; trial++) {
            turn = 0;
            simulate(&m, 1, hm_looks_plan(6), level_of_six(), skewed_pair, 0.02, ratios[i], 1);
            covered += m.all[0].paired.low <= ratios[i] && ratios[i] <= m.all[0].paired.high;
        }
        double rate = (double)covered / (double)trials;
        print_message("coverage at the end, skewed ratios around %.2f: %.4f\n", ratios[i], rate);
        assert_true(rate >= 0.95 - 3 * standard_error(0.95, trials));
    }
}

/* What became of one arm of nine that differs: how often it was found, after how many rounds on average (60 where
 * it was not), and as which ratio. */
struct found {
    double rate, rounds, ratio;
};

static struct found find(double ratio, size_t trials) {
    static struct matrix m;
    struct found sum = {0};
    for (size_t trial = 0; trial < trials; trial++) {
        simulate(&m, 9, hm_looks_plan(6), level_of_six(), lognormal, 0.02, ratio, 1);
        sum.rate += m.all[0].verdict == HM_SLOWER;
        sum.rounds += m.all[0].settled_after ? m.all[0].settled_after : 60;
        sum.ratio += log(m.all[0].paired.ratio);
    }
    double n = (double)trials;
    return (struct found){sum.rate / n, sum.rounds / n, exp(sum.ratio / n)};
}

/* A run that stops at a striking look shows somewhat more than the truth. */
static void test_large_effects_are_found_early(void **state) {
    (void)state;
    static const double ratios[] = {1.5, 1.2, 1.1, 1.05};
    double before = 0;
    draw_state = 15;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        struct found found = find(ratios[i], trials_of(120));
        print_message(
            "a difference of %2.0f %%, 3 %% noise of each process, 9 comparisons: found in "
            "%.3f, after %.1f rounds, as %.4f\n",
            (ratios[i] - 1) * 100, found.rate, found.rounds, found.ratio);
        assert_true(found.rate >= (ratios[i] > 1.06 ? 0.98 : 0.5));
        assert_true(found.rounds >= before);
        assert_true(fabs(found.ratio / ratios[i] - 1) < 0.01);
        before = found.rounds;
    }
    assert_true(before > 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks_begin_where_there_is_an_interval_and_grow_by_half),
        cmocka_unit_test(test_levels_add_up_to_five_percent),
        cmocka_unit_test(test_every_look_has_an_interval),
        cmocka_unit_test(test_end_of_the_budget_moves_the_next_look),
        cmocka_unit_test(test_what_is_settled_stays_whatever_comes_later),
        cmocka_unit_test(test_interval_is_as_wide_as_the_level_of_the_look),
        cmocka_unit_test(test_equivalent_ones_stay_in_the_correction_and_others_leave_it),
        cmocka_unit_test(test_equal_arms_are_told_apart_in_at_most_five_percent),
        cmocka_unit_test(test_arms_that_differ_by_the_margin_keep_the_rate),
        cmocka_unit_test(test_looks_without_shares_would_be_wrong_too_often),
        cmocka_unit_test(test_widened_intervals_cover_when_the_run_stops),
        cmocka_unit_test(test_large_effects_are_found_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

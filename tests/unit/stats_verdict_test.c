/* Verdicts and their correction, against published values and exact ones.
 *
 * "Exact" in a comment means: computed with rational arithmetic of unlimited size, from the sum that
 * defines the value, and rounded once. */
#include "harness/stats/special.h"
#include "harness/stats/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_near(double value, double expected, double error) {
    if (!(fabs(value - expected) <= error))
        fail_msg("%.17g is not %.17g within %g", value, expected, error);
}

static void expect_relative(double value, double expected, double error) {
    expect_near(value, expected, error * fabs(expected));
}

/* Student 1908, as R's data set `sleep`: hours of sleep gained with drug 2 over drug 1, 10 patients. */
static const double sleep_gain[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};

/* ---- Holm ---- */

static void expect_adjusted(const double *p, const double *adjusted, size_t count) {
    struct hm_test tests[8];
    struct hm_test *order[8];
    for (size_t i = 0; i < count; i++) {
        tests[i] = (struct hm_test){p[i], NAN};
        order[i] = &tests[i];
    }
    hm_holm(order, count);
    for (size_t i = 0; i < count; i++)
        expect_near(tests[i].adjusted, adjusted[i], 1e-15);
}

/* The p values of the examples in Wikipedia's article on the method and in the manual of R's package
 * HDLSSkST; adjusted by hand from Holm's definition. The second manual rejects the third and the
 * seventh hypothesis at 5%. */
static void test_holm_agrees_with_worked_examples(void **state) {
    (void)state;
    const double four[] = {0.01, 0.04, 0.03, 0.005};
    const double four_adjusted[] = {0.03, 0.06, 0.06, 0.02};
    expect_adjusted(four, four_adjusted, 4);
    const double seven[] = {0.5, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025};
    const double seven_adjusted[] = {1, 0.05, 0.007, 1, 0.08, 0.15, 0.015};
    expect_adjusted(seven, seven_adjusted, 7);
}

static void test_holm_of_ties_one_and_none_is_defined(void **state) {
    (void)state;
    const double ties[] = {0.02, 0.02, 0.02};
    const double ties_adjusted[] = {0.06, 0.06, 0.06};
    expect_adjusted(ties, ties_adjusted, 3);
    expect_adjusted(&ties[0], &ties[0], 1);
    hm_holm(NULL, 0);
}

/* ---- verdicts ---- */

static struct hm_comparison judge_one(const double *logs, size_t rounds, double margin) {
    struct hm_test *order[1];
    double scratch[64];
    struct hm_comparison comparison = {.logs = logs, .rounds = rounds, .margin = margin};
    hm_judge(&comparison, 1, order, scratch);
    return comparison;
}

/* The first 9 pairs of R's `sleep`, of which nothing is trimmed. SciPy: ttest_1samp(gain, 0) gives
 * t = 3.6841418709760143 and p = 0.006182145173983769. The interval is of ranks 2 and 8. */
static void test_p_without_a_margin_is_that_of_the_paired_t_test(void **state) {
    (void)state;
    struct hm_comparison c = judge_one(sleep_gain, 9, 0);
    expect_near(c.test.p, 0.006182145173983769, 1e-12);
    assert_true(c.test.adjusted == c.test.p);
    expect_relative(c.paired.low, exp(0.8), 1e-14);
    expect_relative(c.paired.high, exp(2.4), 1e-14);
    assert_int_equal(c.verdict, HM_SLOWER);
}

/* A margin of e - 1 moves the hypothesis to a mean of 1. SciPy: ttest_1samp(gain, 1) gives
 * t = 1.3815532016160055 and p = 0.20446362963499343. */
static void test_p_is_shifted_by_the_margin(void **state) {
    (void)state;
    struct hm_comparison c = judge_one(sleep_gain, 9, expm1(1));
    expect_near(c.test.p, 0.20446362963499343, 1e-12);
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
}

/* From 12 rounds on one round in five is left out at each end: a wild one changes nothing. */
static void test_a_wild_round_does_not_hide_a_difference(void **state) {
    (void)state;
    double logs[12] = {0.05, 0.06, 0.04, 0.05, 0.055, 0.045, 0.05, 0.06, 0.05, 0.048, 0.052, 0.07};
    struct hm_comparison tame = judge_one(logs, 12, 0.02);
    assert_int_equal(tame.verdict, HM_SLOWER);
    logs[11] = 0.9;
    struct hm_comparison wild = judge_one(logs, 12, 0.02);
    assert_int_equal(wild.verdict, HM_SLOWER);
    assert_true(wild.test.p == tame.test.p);
}

static void test_direction_follows_what_is_better(void **state) {
    (void)state;
    const double up[] = {0.10, 0.11, 0.12, 0.10, 0.11, 0.12};
    double down[6];
    struct hm_comparison all[4];
    struct hm_test *order[4];
    double scratch[6];
    for (int i = 0; i < 6; i++)
        down[i] = -up[i];
    for (int i = 0; i < 4; i++)
        all[i] = (struct hm_comparison){
            .logs = i & 1 ? down : up, .rounds = 6, .margin = 0.02, .higher_is_better = i >= 2};
    hm_judge(all, 4, order, scratch);
    assert_int_equal(all[0].verdict, HM_SLOWER);
    assert_int_equal(all[1].verdict, HM_FASTER);
    assert_int_equal(all[2].verdict, HM_FASTER);
    assert_int_equal(all[3].verdict, HM_SLOWER);
    expect_relative(all[0].paired.ratio, exp(0.11), 1e-14);
    expect_near(all[0].test.p, all[1].test.p, 1e-15);
    assert_int_equal(all[0].rounds_needed, 0);
}

static void test_identical_values_are_equivalent(void **state) {
    (void)state;
    const double bytes[] = {4096, 4096, 4096, 4096, 4096, 4096};
    double logs[6];
    assert_int_equal(hm_log_ratios(bytes, bytes, 6, logs), 6);
    struct hm_comparison c = judge_one(logs, 6, 0.02);
    assert_int_equal(c.verdict, HM_EQUIVALENT);
    assert_true(c.paired.ratio == 1 && c.test.p == 1);
    assert_int_equal(judge_one(logs, 6, 0).verdict, HM_EQUIVALENT);
}

static void test_constant_difference_beyond_the_margin_is_found(void **state) {
    (void)state;
    const double base[] = {1000, 2000, 3000, 4000, 5000, 7000};
    double arm[6];
    double logs[6];
    static const struct {
        double ratio;
        enum hm_verdict verdict;
    } table[] = {
        {1.05, HM_SLOWER}, {0.95, HM_FASTER}, {1.01, HM_EQUIVALENT}, {0.99, HM_EQUIVALENT}};
    for (size_t i = 0; i < COUNT(table); i++) {
        for (int round = 0; round < 6; round++)
            arm[round] = base[round] * table[i].ratio;
        assert_int_equal(hm_log_ratios(base, arm, 6, logs), 6);
        assert_int_equal(judge_one(logs, 6, 0.02).verdict, table[i].verdict);
    }
    const double exact[] = {0.125, 0.125, 0.125, 0.125, 0.125, 0.125};
    assert_true(judge_one(exact, 6, 0.02).test.p == 0);
    assert_int_equal(judge_one(exact, 6, 0.02).verdict, HM_SLOWER);
}

/* Five rounds say 10% with hardly any noise, but no interval exists. */
static void test_few_rounds_are_inconclusive_and_do_not_count_as_tested(void **state) {
    (void)state;
    const double big[] = {0.1, 0.1001, 0.1, 0.1, 0.1002, 0.1001};
    struct hm_comparison all[2] = {{.logs = big, .rounds = 5, .margin = 0.02},
                                   {.logs = big, .rounds = 6, .margin = 0.02}};
    struct hm_test *order[2];
    double scratch[6];
    hm_judge(all, 2, order, scratch);
    assert_int_equal(all[0].verdict, HM_INCONCLUSIVE);
    assert_true(isnan(all[0].test.p) && isnan(all[0].test.adjusted));
    assert_int_equal(all[0].rounds_needed, 0);
    assert_true(all[1].test.adjusted == all[1].test.p);
    assert_int_equal(all[1].verdict, HM_SLOWER);
}

static void test_missing_rounds_and_margins_are_inconclusive(void **state) {
    (void)state;
    const double logs[] = {0.1, NAN, 0.1, NAN, 0.1, 0.1, 0.1};
    assert_int_equal(judge_one(logs, 7, 0.02).verdict, HM_INCONCLUSIVE);
    assert_int_equal(judge_one(logs, 7, 0.02).paired.n, 5);
    assert_int_equal(judge_one(NULL, 0, 0.02).verdict, HM_INCONCLUSIVE);
    assert_int_equal(judge_one(logs, 1, 0.02).verdict, HM_INCONCLUSIVE);
    const double zeros[6] = {0};
    assert_int_equal(judge_one(zeros, 6, NAN).verdict, HM_INCONCLUSIVE);
    assert_int_equal(judge_one(zeros, 6, -0.1).verdict, HM_INCONCLUSIVE);
    assert_true(isnan(judge_one(zeros, 6, -0.1).test.p));
    hm_judge(NULL, 0, NULL, NULL);
}

/* 6 rounds of one effect pass alone; among 60 others without an effect, Holm asks for more. */
static void test_more_comparisons_ask_for_more_evidence(void **state) {
    (void)state;
    enum {
        OTHERS = 60
    };
    const double effect[] = {0.06, 0.12, 0.09, 0.05, 0.14, 0.08};
    const double nothing[] = {0.01, -0.03, 0.02, -0.01, 0.03, -0.02};
    static struct hm_comparison all[OTHERS + 1];
    struct hm_test *order[OTHERS + 1];
    double scratch[6];
    all[0] = (struct hm_comparison){.logs = effect, .rounds = 6, .margin = 0.02};
    for (int i = 1; i <= OTHERS; i++)
        all[i] = (struct hm_comparison){.logs = nothing, .rounds = 6, .margin = 0.02};
    hm_judge(all, 1, order, scratch);
    assert_int_equal(all[0].verdict, HM_SLOWER);
    hm_judge(all, OTHERS + 1, order, scratch);
    expect_relative(all[0].test.adjusted, (OTHERS + 1) * all[0].test.p, 1e-13);
    assert_int_equal(all[0].verdict, HM_INCONCLUSIVE);
    double t = (0.09 - log1p(0.02)) / 0.034641; /* mean, margin and deviation of `effect` */
    double n = (double)all[0].rounds_needed;
    assert_true(hm_student_both(t * sqrt(n), n - 1) * (OTHERS + 1) <= 0.05);
    assert_true(hm_student_both(t * sqrt(n - 1), n - 2) * (OTHERS + 1) > 0.05);
}

/* 21 rounds a little above the margin and 9 far below: the interval (ranks 10 and 21) says slower, and
 * the mean, although trimmed, says faster. */
static void test_mean_and_median_that_disagree_are_inconclusive(void **state) {
    (void)state;
    double logs[30];
    for (int i = 0; i < 30; i++)
        logs[i] = i < 21 ? 0.03 + 1e-4 * i : -1 - 1e-4 * i;
    struct hm_comparison c = judge_one(logs, 30, 0.02);
    assert_true(c.paired.low > 1.02);
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
    assert_int_equal(c.rounds_needed, 0);
}

/* Three rounds of 12 see nothing: the t-test is content, but the interval's end is the third. */
static void test_interval_that_reaches_into_the_margin_is_inconclusive(void **state) {
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        double logs[12];
        for (int i = 0; i < 12; i++)
            logs[i] = i < 3 ? 0 : 0.1 * sign;
        struct hm_comparison c = judge_one(logs, 12, 0.02);
        assert_true(c.test.adjusted <= 0.05);
        assert_int_equal(c.verdict, HM_INCONCLUSIVE);
    }
}

/* Eleven rounds without a difference and a wild one: the interval keeps its head. */
static void test_one_wild_round_does_not_change_an_equivalence(void **state) {
    (void)state;
    double logs[12];
    for (int i = 0; i < 12; i++)
        logs[i] = i == 5 ? 3 : 0.001 * (i % 3 - 1);
    assert_int_equal(judge_one(logs, 12, 0.02).verdict, HM_EQUIVALENT);
}

/* The 12 quantiles (i - 0.5) / 12 of a normal sample of deviation 0.04 around 0. The interval, of ranks
 * 3 and 10, reaches to 0.04 * 0.8122; the margin to ln 1.02: 12 * (0.03249 / 0.01980)^2 = 32.3. (A
 * large normal sample needs (1.96 * 1.2533 * 0.04 / 0.0198)^2 = 25.) */
static void test_rounds_needed_bring_the_interval_to_the_margin(void **state) {
    (void)state;
    const double half[] = {0.1046, 0.3186, 0.5485, 0.8122, 1.1503, 1.7317};
    double logs[12];
    for (int i = 0; i < 6; i++) {
        logs[i] = 0.04 * half[i];
        logs[6 + i] = -logs[i];
    }
    struct hm_comparison c = judge_one(logs, 12, 0.02);
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
    assert_int_equal(c.rounds_needed, 33);
    c.noise = 0.1;
    struct hm_test *order[1];
    double scratch[12];
    hm_judge(&c, 1, order, scratch);
    assert_int_equal(c.rounds_needed, 33);
    for (int i = 0; i < 12; i++)
        logs[i] += log1p(0.02);
    assert_int_equal(judge_one(logs, 12, 0.02).rounds_needed, 0);
}

/* With noise of 10%: a difference has to exceed it, while to be equivalent still asks for 2%. */
static void test_noise_raises_the_bar_for_a_difference_only(void **state) {
    (void)state;
    const double spread[] = {-0.002, -0.001, 0.001, 0.002, 0, 0};
    static const struct {
        double shift;
        double noise;
        enum hm_verdict verdict;
    } table[] = {{0.05, NAN, HM_SLOWER},       {0.05, 0.01, HM_SLOWER},
                 {0.05, 0.1, HM_INCONCLUSIVE}, {-0.05, 0.1, HM_INCONCLUSIVE},
                 {0.15, 0.1, HM_SLOWER},       {-0.15, 0.1, HM_FASTER},
                 {0, 0.1, HM_EQUIVALENT}};
    for (size_t i = 0; i < COUNT(table); i++) {
        double logs[6];
        struct hm_test *order[1];
        double scratch[6];
        for (int round = 0; round < 6; round++)
            logs[round] = spread[round] + table[i].shift;
        struct hm_comparison c = {
            .logs = logs, .rounds = 6, .margin = 0.02, .noise = table[i].noise};
        hm_judge(&c, 1, order, scratch);
        assert_int_equal(c.verdict, table[i].verdict);
        assert_int_equal(c.rounds_needed, 0);
    }
}

static void test_verdicts_have_their_words(void **state) {
    (void)state;
    assert_string_equal(hm_verdict_name(HM_FASTER), "faster");
    assert_string_equal(hm_verdict_name(HM_SLOWER), "slower");
    assert_string_equal(hm_verdict_name(HM_EQUIVALENT), "equivalent");
    assert_string_equal(hm_verdict_name(HM_INCONCLUSIVE), "inconclusive");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holm_agrees_with_worked_examples),
        cmocka_unit_test(test_holm_of_ties_one_and_none_is_defined),
        cmocka_unit_test(test_p_without_a_margin_is_that_of_the_paired_t_test),
        cmocka_unit_test(test_p_is_shifted_by_the_margin),
        cmocka_unit_test(test_a_wild_round_does_not_hide_a_difference),
        cmocka_unit_test(test_direction_follows_what_is_better),
        cmocka_unit_test(test_identical_values_are_equivalent),
        cmocka_unit_test(test_constant_difference_beyond_the_margin_is_found),
        cmocka_unit_test(test_few_rounds_are_inconclusive_and_do_not_count_as_tested),
        cmocka_unit_test(test_missing_rounds_and_margins_are_inconclusive),
        cmocka_unit_test(test_more_comparisons_ask_for_more_evidence),
        cmocka_unit_test(test_mean_and_median_that_disagree_are_inconclusive),
        cmocka_unit_test(test_interval_that_reaches_into_the_margin_is_inconclusive),
        cmocka_unit_test(test_one_wild_round_does_not_change_an_equivalence),
        cmocka_unit_test(test_rounds_needed_bring_the_interval_to_the_margin),
        cmocka_unit_test(test_noise_raises_the_bar_for_a_difference_only),
        cmocka_unit_test(test_verdicts_have_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

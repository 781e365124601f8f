/* The statistics, against published values and exact ones.
 *
 * "Exact" in a comment means: computed with rational arithmetic of unlimited size, from the sum that
 * defines the value, and rounded once. */
#include "harness/stats/family.h"
#include "harness/stats/order.h"
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

/* ---- order ---- */

static void test_values_that_are_not_finite_are_left_out(void **state) {
    (void)state;
    double values[] = {NAN, 3, INFINITY, 1, -INFINITY, 2};
    assert_int_equal(hm_finite(values, COUNT(values), values), 3);
    hm_sort(values, 3);
    assert_true(values[0] == 1 && values[1] == 2 && values[2] == 3);
    assert_int_equal(hm_finite(NULL, 0, NULL), 0);
    hm_sort(NULL, 0);
}

/* By hand from type 7's definition; R prints the same for quantile(1:10). */
static void test_quantiles_are_of_type_7(void **state) {
    (void)state;
    const double ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const double four[] = {1, 2, 4, 8};
    expect_near(hm_quantile(ten, 10, 0.25), 3.25, 1e-15);
    expect_near(hm_quantile(ten, 10, 0.5), 5.5, 1e-15);
    expect_near(hm_quantile(ten, 10, 0.75), 7.75, 1e-15);
    expect_near(hm_quantile(ten, 10, 0.9), 9.1, 1e-14);
    expect_near(hm_quantile(four, 4, 1.0 / 3), 2, 1e-15);
    expect_near(hm_quantile(four, 4, 0.5), 3, 1e-15);
    assert_true(hm_quantile(ten, 10, 0) == 1);
    assert_true(hm_quantile(ten, 10, 1) == 10);
}

static void test_quantile_of_empty_sample_is_absent(void **state) {
    (void)state;
    const double one[] = {7};
    assert_true(isnan(hm_quantile(NULL, 0, 0.5)));
    assert_true(isnan(hm_quantile(one, 1, -0.1)));
    assert_true(isnan(hm_quantile(one, 1, 1.1)));
    assert_true(isnan(hm_quantile(one, 1, NAN)));
    assert_true(hm_quantile(one, 1, 0.3) == 7);
}

/* Exact: the ranks are the largest k with 2 P(X < k) <= 5%, X binomial (n, 1/2). Coverage: 96.9% for 6,
 * 99.2% for 8, 96.1% for 9 and 12, 95.9% for 20, 95.7% for 30, 96.5% for 100. */
static void test_median_interval_has_the_ranks_of_the_binomial_table(void **state) {
    (void)state;
    static const struct {
        size_t n;
        int low;
        int high;
    } table[] = {{6, 1, 6},   {7, 1, 7},   {8, 1, 8},    {9, 2, 8},
                 {12, 3, 10}, {20, 6, 15}, {30, 10, 21}, {100, 40, 61}};
    double ranks[100];
    for (int i = 0; i < 100; i++)
        ranks[i] = i + 1;
    for (size_t i = 0; i < COUNT(table); i++) {
        double low = 0;
        double high = 0;
        assert_true(hm_median_interval(ranks, table[i].n, 0.95, &low, &high));
        assert_int_equal(low, table[i].low);
        assert_int_equal(high, table[i].high);
    }
}

static void test_median_interval_of_few_values_is_absent(void **state) {
    (void)state;
    const double values[] = {1, 2, 3, 4, 5, 6, 7};
    double low = -1;
    double high = -1;
    for (size_t n = 0; n < 6; n++)
        assert_false(hm_median_interval(values, n, 0.95, &low, &high));
    assert_false(hm_median_interval(values, 7, 0.99, &low, &high));
    assert_false(hm_median_interval(values, 7, NAN, &low, &high));
    assert_true(low == -1 && high == -1);
    assert_true(hm_median_interval(values, 5, 0.9, &low, &high));
}

/* ---- special ---- */

/* Exact, from the binomial sum that I_x(a, b) is for whole a and b. */
static void test_beta_has_its_exact_values(void **state) {
    (void)state;
    expect_relative(hm_beta(2, 3, 0.25), 0.26171875, 1e-14);
    expect_relative(hm_beta(5, 2, 0.9), 0.885735, 1e-14);
    expect_relative(hm_beta(10, 10, 0.5), 0.5, 1e-13);
    expect_relative(hm_beta(20, 5, 0.7), 0.11107522326092227, 1e-13);
    expect_relative(hm_beta(1, 30, 0.01), 0.26029962661171957, 1e-13);
    assert_true(hm_beta(3, 4, 0) == 0);
    assert_true(hm_beta(3, 4, 1) == 1);
}

static void test_beta_out_of_range_is_absent(void **state) {
    (void)state;
    assert_true(isnan(hm_beta(0, 1, 0.5)));
    assert_true(isnan(hm_beta(1, -1, 0.5)));
    assert_true(isnan(hm_beta(1, 1, 1.5)));
    assert_true(isnan(hm_beta(1, 1, -0.5)));
    assert_true(isnan(hm_beta(1, 1, NAN)));
}

/* Exact. */
static void test_binomial_tail_has_its_exact_values(void **state) {
    (void)state;
    expect_relative(hm_binomial_lower(0, 6, 0.5), 1.0 / 64, 1e-14);
    expect_relative(hm_binomial_lower(2, 10, 0.5), 0.0546875, 1e-14);
    expect_relative(hm_binomial_lower(3, 20, 0.1), 0.8670466765656649, 1e-14);
    expect_relative(hm_binomial_lower(469, 1000, 0.5), 0.026838924822505102, 1e-11);
    expect_relative(hm_binomial_lower(9900, 20000, 0.5), 0.07969171799266889, 1e-10);
    assert_true(hm_binomial_lower(6, 6, 0.5) == 1);
    assert_true(hm_binomial_lower(2, 6, 0) == 1);
    assert_true(hm_binomial_lower(2, 6, 1) == 0);
    assert_true(isnan(hm_binomial_lower(2, 6, 2)));
}

/* The printed table of Student's t, three decimals. */
static void test_student_tail_agrees_with_the_printed_table(void **state) {
    (void)state;
    static const struct {
        double freedom;
        double t;
        double upper;
    } table[] = {{1, 12.706, 0.025}, {5, 2.571, 0.025},  {5, 6.869, 0.0005}, {9, 2.262, 0.025},
                 {10, 1.812, 0.05},  {10, 2.228, 0.025}, {11, 3.106, 0.005}, {29, 2.045, 0.025},
                 {30, 2.042, 0.025}, {120, 1.980, 0.025}};
    for (size_t i = 0; i < COUNT(table); i++) {
        expect_relative(hm_student_upper(table[i].t, table[i].freedom), table[i].upper, 1.5e-3);
        expect_relative(hm_student_both(-table[i].t, table[i].freedom), 2 * table[i].upper, 1.5e-3);
    }
}

/* The closed forms for 1, 2 and 4 degrees of freedom. */
static void test_student_tail_agrees_with_its_closed_forms(void **state) {
    (void)state;
    static const double ts[] = {1e-9, 1e-3, 0.3, 1, 1.4, 2, 3.5, 10};
    for (size_t i = 0; i < COUNT(ts); i++) {
        double t = ts[i];
        double w = 1 + t * t / 4;
        expect_near(hm_student_upper(t, 1), atan2(1, t) / M_PI, 1e-14);
        expect_near(hm_student_upper(t, 2), 0.5 - t / (2 * sqrt(2 + t * t)), 1e-14);
        expect_near(hm_student_upper(t, 4), 0.5 - 0.375 * t / sqrt(w) * (1 - t * t / (12 * w)),
                    1e-14);
        expect_near(hm_student_upper(-t, 4) + hm_student_upper(t, 4), 1, 1e-15);
    }
    expect_relative(hm_student_upper(1e6, 1), atan2(1, 1e6) / M_PI, 1e-12);
}

static void test_student_tail_at_the_ends_is_defined(void **state) {
    (void)state;
    assert_true(hm_student_upper(0, 5) == 0.5);
    assert_true(hm_student_upper(INFINITY, 5) == 0);
    assert_true(hm_student_upper(-INFINITY, 5) == 1);
    assert_true(hm_student_upper(1e200, 5) == 0);
    assert_true(isnan(hm_student_upper(NAN, 5)));
    assert_true(isnan(hm_student_upper(1, 0)));
    assert_true(isnan(hm_student_both(1, -1)));
}

/* ---- paired ---- */

static void test_ratio_is_arm_over_base_by_round(void **state) {
    (void)state;
    const double base[] = {10, 20, 40, 80, 160, 320, 640};
    const double arm[] = {20, 10, 80, 240, 320, 640, 1280};
    double logs[7];
    assert_int_equal(hm_log_ratios(base, arm, 7, logs), 7);
    struct hm_paired paired = hm_paired_of(logs, 7, logs);
    assert_int_equal(paired.n, 7);
    assert_true(paired.has_interval);
    expect_relative(paired.ratio, 2, 1e-14);
    expect_relative(paired.low, 0.5, 1e-14);
    expect_relative(paired.high, 3, 1e-14);
}

static void test_median_of_even_rounds_is_the_geometric_middle(void **state) {
    (void)state;
    const double base[] = {1, 1};
    const double arm[] = {2, 8};
    double logs[2];
    assert_int_equal(hm_log_ratios(base, arm, 2, logs), 2);
    struct hm_paired paired = hm_paired_of(logs, 2, logs);
    expect_relative(paired.ratio, 4, 1e-14);
    assert_false(paired.has_interval);
    assert_true(isnan(paired.low) && isnan(paired.high));
}

static void test_round_that_one_arm_misses_is_dropped(void **state) {
    (void)state;
    const double base[] = {1, NAN, 1, INFINITY, 1};
    const double arm[] = {2, 2, NAN, 2, 4};
    double logs[5];
    double scratch[5];
    assert_int_equal(hm_log_ratios(base, arm, 5, logs), 2);
    assert_true(isnan(logs[1]) && isnan(logs[2]) && isnan(logs[3]));
    expect_relative(logs[4], log(4), 1e-15);
    struct hm_paired paired = hm_paired_of(logs, 5, scratch);
    assert_int_equal(paired.n, 2);
    assert_true(isnan(logs[1]) && logs[4] > logs[0]);
}

static void test_ratio_of_values_that_reach_zero_is_absent(void **state) {
    (void)state;
    const double fine[] = {1, 1, 1};
    const double zero[] = {1, 0, 1};
    const double negative[] = {1, 1, -1};
    double logs[3];
    assert_int_equal(hm_log_ratios(fine, zero, 3, logs), 0);
    assert_true(isnan(logs[0]) && isnan(logs[1]) && isnan(logs[2]));
    assert_int_equal(hm_log_ratios(negative, fine, 3, logs), 0);
    struct hm_paired paired = hm_paired_of(logs, 3, logs);
    assert_int_equal(paired.n, 0);
    assert_true(isnan(paired.ratio));
    assert_false(paired.has_interval);
}

static void test_ratio_of_no_and_of_one_round_is_defined(void **state) {
    (void)state;
    const double two = 2;
    const double six = 6;
    double log_ratio;
    assert_int_equal(hm_log_ratios(NULL, NULL, 0, NULL), 0);
    assert_true(isnan(hm_paired_of(NULL, 0, NULL).ratio));
    assert_int_equal(hm_log_ratios(&two, &six, 1, &log_ratio), 1);
    expect_relative(hm_paired_of(&log_ratio, 1, &log_ratio).ratio, 3, 1e-14);
}

static void test_ratio_of_extreme_values_does_not_overflow(void **state) {
    (void)state;
    const double tiny = 1e-300;
    const double huge = 1e300;
    double log_ratio;
    assert_int_equal(hm_log_ratios(&tiny, &huge, 1, &log_ratio), 1);
    expect_relative(log_ratio, 600 * M_LN10, 1e-14);
}

static void test_noise_floor_is_the_largest_deviation_to_either_side(void **state) {
    (void)state;
    const double ratios[] = {1.01, 1 / 1.03, NAN, 0, -5, INFINITY, 1.02};
    expect_relative(hm_noise_floor(ratios, COUNT(ratios)), 0.03, 1e-13);
    assert_true(isnan(hm_noise_floor(ratios, 0)));
    assert_true(isnan(hm_noise_floor(ratios + 2, 4)));
    const double one = 1;
    assert_true(hm_noise_floor(&one, 1) == 0);
}

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

/* R: t.test(extra ~ group, data = sleep, paired = TRUE) gives t = 4.0621 and p = 0.002833. The
 * interval is of ranks 2 and 9. */
static void test_p_without_a_margin_is_that_of_the_paired_t_test(void **state) {
    (void)state;
    struct hm_comparison c = judge_one(sleep_gain, 10, 0);
    expect_near(c.test.p, 0.002833, 5e-7);
    assert_true(c.test.adjusted == c.test.p);
    expect_relative(c.paired.low, exp(0.8), 1e-14);
    expect_relative(c.paired.high, exp(2.4), 1e-14);
    assert_int_equal(c.verdict, HM_SLOWER);
}

/* A margin of e - 1 moves the hypothesis to a mean of 1: t = (1.58 - 1) / (1.22995 / sqrt(10)) =
 * 1.4912, and P(T > 1.4912) with 9 degrees of freedom lies between the table's 0.1 (1.383) and 0.05
 * (1.833). */
static void test_p_is_shifted_by_the_margin(void **state) {
    (void)state;
    struct hm_comparison c = judge_one(sleep_gain, 10, expm1(1));
    expect_relative(c.test.p, hm_student_both(1.4912, 9), 1e-4);
    assert_true(c.test.p > 0.1 && c.test.p < 0.2);
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
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
 * the mean, which the t-test would believe, says faster. */
static void test_mean_and_median_that_disagree_are_inconclusive(void **state) {
    (void)state;
    double logs[30];
    for (int i = 0; i < 30; i++)
        logs[i] = i < 21 ? 0.03 + 1e-4 * i : -1 - 1e-4 * i;
    struct hm_comparison c = judge_one(logs, 30, 0.02);
    assert_true(c.test.adjusted <= 0.05);
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

/* ---- family ---- */

static void test_family_is_the_geometric_mean_of_each_round(void **state) {
    (void)state;
    const double a[] = {log(2), log(4), NAN, log(2), log(2), log(2), log(2)};
    const double b[] = {log(8), log(4), log(9), log(8), log(8), log(8), log(2)};
    const double *const cells[] = {a, b};
    double scratch[7];
    struct hm_paired family;
    assert_true(hm_family_of(cells, 2, 7, scratch, &family));
    assert_int_equal(family.n, 6);
    assert_true(family.has_interval);
    expect_relative(family.ratio, 4, 1e-14);
    expect_relative(family.low, 2, 1e-14);
    expect_relative(family.high, 4, 1e-14);
}

static void test_family_with_a_failed_cell_is_refused(void **state) {
    (void)state;
    const double fine[] = {1, NAN};
    const double failed[] = {NAN, NAN};
    const double other[] = {NAN, 1};
    const double *const with_failed[] = {fine, failed};
    const double *const disjoint[] = {fine, other};
    double scratch[2];
    struct hm_paired family = {.n = 99};
    assert_false(hm_family_of(with_failed, 2, 2, scratch, &family));
    assert_false(hm_family_of(disjoint, 2, 2, scratch, &family));
    assert_false(hm_family_of(with_failed, 0, 2, scratch, &family));
    assert_false(hm_family_of(with_failed, 1, 0, scratch, &family));
    assert_int_equal(family.n, 99);
    assert_true(hm_family_of(with_failed, 1, 2, scratch, &family));
    assert_int_equal(family.n, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_that_are_not_finite_are_left_out),
        cmocka_unit_test(test_quantiles_are_of_type_7),
        cmocka_unit_test(test_quantile_of_empty_sample_is_absent),
        cmocka_unit_test(test_median_interval_has_the_ranks_of_the_binomial_table),
        cmocka_unit_test(test_median_interval_of_few_values_is_absent),
        cmocka_unit_test(test_beta_has_its_exact_values),
        cmocka_unit_test(test_beta_out_of_range_is_absent),
        cmocka_unit_test(test_binomial_tail_has_its_exact_values),
        cmocka_unit_test(test_student_tail_agrees_with_the_printed_table),
        cmocka_unit_test(test_student_tail_agrees_with_its_closed_forms),
        cmocka_unit_test(test_student_tail_at_the_ends_is_defined),
        cmocka_unit_test(test_ratio_is_arm_over_base_by_round),
        cmocka_unit_test(test_median_of_even_rounds_is_the_geometric_middle),
        cmocka_unit_test(test_round_that_one_arm_misses_is_dropped),
        cmocka_unit_test(test_ratio_of_values_that_reach_zero_is_absent),
        cmocka_unit_test(test_ratio_of_no_and_of_one_round_is_defined),
        cmocka_unit_test(test_ratio_of_extreme_values_does_not_overflow),
        cmocka_unit_test(test_noise_floor_is_the_largest_deviation_to_either_side),
        cmocka_unit_test(test_holm_agrees_with_worked_examples),
        cmocka_unit_test(test_holm_of_ties_one_and_none_is_defined),
        cmocka_unit_test(test_p_without_a_margin_is_that_of_the_paired_t_test),
        cmocka_unit_test(test_p_is_shifted_by_the_margin),
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
        cmocka_unit_test(test_family_is_the_geometric_mean_of_each_round),
        cmocka_unit_test(test_family_with_a_failed_cell_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

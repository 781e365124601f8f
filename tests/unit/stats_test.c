/* The statistics, against published values and exact ones.
 *
 * "Exact" in a comment means: computed with rational arithmetic of unlimited size, from the sum that
 * defines the value, and rounded once. */
#include "harness/stats/family.h"
#include "harness/stats/order.h"
#include "harness/stats/special.h"

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
        cmocka_unit_test(test_family_is_the_geometric_mean_of_each_round),
        cmocka_unit_test(test_family_with_a_failed_cell_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

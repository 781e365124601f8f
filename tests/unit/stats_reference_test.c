/* The statistics against R and SciPy, and against examples in print.
 *
 * stats_r.h and stats_scipy.h hold what those programs computed, with their versions and calls; the scripts that
 * write them are tests/reference/stats.R and stats.py. Here nothing is computed twice the same way. */
#include "harness/stats/family.h"
#include "harness/stats/histogram.h"
#include "harness/stats/order.h"
#include "harness/stats/special.h"
#include "harness/stats/trimmed.h"
#include "harness/stats/unpaired.h"
#include "harness/stats/verdict.h"

#include "tests/unit/stats_r.h"
#include "tests/unit/stats_scipy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_relative(double value, double expected, double error) {
    if (!(fabs(value - expected) <= error * fabs(expected)))
        fail_msg("%.17g is not %.17g within %g of it", value, expected, error);
}

/* ---- special functions ---- */

static void test_student_tail_is_that_of_r_and_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(r_student); i++)
        expect_relative(hm_student_upper(r_student[i].t, r_student[i].freedom), r_student[i].upper,
                        1e-11);
    for (size_t i = 0; i < COUNT(py_student); i++)
        expect_relative(hm_student_upper(py_student[i].t, py_student[i].freedom),
                        py_student[i].upper, 1e-10);
}

static void test_beta_is_that_of_r_and_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(r_beta); i++)
        expect_relative(hm_beta(r_beta[i].a, r_beta[i].b, r_beta[i].x), r_beta[i].value, 1e-10);
    for (size_t i = 0; i < COUNT(py_beta); i++)
        expect_relative(hm_beta(py_beta[i].a, py_beta[i].b, py_beta[i].x), py_beta[i].value, 1e-9);
}

static void test_binomial_tail_is_that_of_r(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(r_binomial); i++)
        expect_relative(hm_binomial_lower(r_binomial[i].k, r_binomial[i].n, r_binomial[i].p),
                        r_binomial[i].value, 1e-10);
}

/* C. Zaiontz, Real Statistics Using Excel, "Confidence Intervals for Order Statistics, Medians and
 * Percentiles": of 35 values, x(17) and x(19) have the median between them with probability 0.264121. */
static void test_binomial_tail_agrees_with_a_printed_interval(void **state) {
    (void)state;
    double between = hm_binomial_lower(18, 35, 0.5) - hm_binomial_lower(16, 35, 0.5);
    assert_true(fabs(between - 0.264121) < 5e-7);
}

/* ---- order statistics ---- */

static void test_ranks_of_the_medians_interval_are_those_of_r(void **state) {
    (void)state;
    double ranks[250];
    for (int i = 0; i < 250; i++)
        ranks[i] = i + 1;
    for (size_t i = 0; i < COUNT(r_ranks); i++) {
        double low = 0;
        double high = r_ranks[i].n + 1;
        bool found = hm_median_interval(ranks, r_ranks[i].n, r_ranks[i].confidence, &low, &high);
        assert_int_equal(found, r_ranks[i].low > 0);
        assert_int_equal(low, r_ranks[i].low);
        assert_int_equal(high, r_ranks[i].n + 1 - r_ranks[i].low);
    }
}

static void test_medians_intervals_are_those_of_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(py_median); i++) {
        double low = NAN;
        double high = NAN;
        assert_true(hm_median_interval(py_thirty, py_median[i].n, 0.95, &low, &high));
        assert_true(low == py_median[i].low && high == py_median[i].high);
    }
}

static void test_quantiles_are_those_of_r(void **state) {
    (void)state;
    double sorted[COUNT(r_many)];
    hm_sort(sorted, hm_finite(r_many, COUNT(r_many), sorted));
    for (size_t i = 0; i < COUNT(r_shares); i++)
        expect_relative(hm_quantile(sorted, COUNT(sorted), r_shares[i]), r_quantiles[i], 1e-12);
}

/* ---- tests ---- */

enum {
    MOST = 64, /* values of any list here */
};

/* With nothing trimmed: of one list, and of the difference of two. */
static double paired_p(const double *logs, size_t rounds, double beyond) {
    double scratch[MOST];
    struct hm_trimmed all = hm_trimmed_of(logs, rounds, 0, scratch);
    return hm_trimmed_p(&all, beyond, 1);
}

static double yuen_p(const double *base, size_t base_n, const double *arm, size_t arm_n,
                     double share, double beyond) {
    double scratch[MOST];
    struct hm_trimmed a = hm_trimmed_of(base, base_n, share, scratch);
    struct hm_trimmed b = hm_trimmed_of(arm, arm_n, share, scratch);
    return hm_trimmed_difference_p(&a, &b, beyond, 1);
}

static double welch_p(const double *base, size_t base_n, const double *arm, size_t arm_n,
                      double beyond) {
    return yuen_p(base, base_n, arm, arm_n, 0, beyond);
}

static void test_paired_p_is_that_of_r_at_each_margin(void **state) {
    (void)state;
    double gain[COUNT(r_sleep_1)];
    for (size_t i = 0; i < COUNT(gain); i++)
        gain[i] = r_sleep_2[i] - r_sleep_1[i];
    expect_relative(paired_p(gain, COUNT(gain), 0), r_sleep_p[1], 1e-9);
    for (size_t i = 0; i < COUNT(r_beyond); i++) {
        expect_relative(paired_p(r_few, COUNT(r_few), r_beyond[i]), r_paired_few[i], 1e-9);
        expect_relative(paired_p(r_many, COUNT(r_many), r_beyond[i]), r_paired_many[i], 1e-9);
    }
}

static void test_p_of_trimmed_means_is_that_of_scipy(void **state) {
    double arm[COUNT(py_twelve)];
    (void)state;
    for (size_t i = 0; i < COUNT(py_yuen); i++) {
        for (size_t k = 0; k < COUNT(arm); k++)
            arm[k] = py_twelve[k] + py_yuen[i].shift;
        expect_relative(yuen_p(py_thirty, COUNT(py_thirty), arm, COUNT(arm), py_yuen[i].share, 0),
                        py_yuen[i].p, 1e-9);
    }
}

static void test_welchs_p_is_that_of_r_at_each_margin(void **state) {
    (void)state;
    size_t sleepers = COUNT(r_sleep_1);
    expect_relative(welch_p(r_sleep_1, sleepers, r_sleep_2, sleepers, 0), r_sleep_p[0], 1e-9);
    for (size_t i = 0; i < COUNT(r_beyond); i++) {
        expect_relative(welch_p(r_few, COUNT(r_few), r_many, COUNT(r_many), r_beyond[i]),
                        r_welch[i], 1e-9);
        expect_relative(welch_p(r_many, COUNT(r_many), r_few, COUNT(r_few), r_beyond[i]),
                        r_welch[i], 1e-9);
        expect_relative(welch_p(r_sleep_1, sleepers, r_sleep_2, sleepers, r_beyond[i]),
                        r_welch_sleep[i], 1e-9);
    }
}

static void expect_holm(const double *p, const double *adjusted, size_t count) {
    struct hm_test tests[16];
    struct hm_test *order[16];
    for (size_t i = 0; i < count; i++) {
        tests[i] = (struct hm_test){p[i], NAN};
        order[i] = &tests[i];
    }
    hm_holm(order, count);
    for (size_t i = 0; i < count; i++)
        expect_relative(tests[i].adjusted, adjusted[i], 1e-12);
}

/* The second: the example of the manual of Pingouin (R. Vallat, JOSS 3, 2018), pingouin.holm. */
static void test_holms_p_is_that_of_r_and_of_a_manual(void **state) {
    (void)state;
    const double p[] = {0.50, 0.003, 0.32, 0.054, 0.0003};
    const double adjusted[] = {0.64, 0.012, 0.64, 0.162, 0.0015};
    expect_holm(r_p, r_holm, COUNT(r_p));
    expect_holm(p, adjusted, COUNT(p));
}

/* ---- bootstrap, family, histogram ---- */

static void expect_bootstrap(const double *base, size_t base_count, const double *arm,
                             size_t arm_count, const double limits[4]) {
    static double differences[HM_BOOTSTRAP_DRAWS];
    size_t counts[32];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const struct hm_bootstrap how = {seed, HM_BOOTSTRAP_DRAWS, differences, counts};
        double low = NAN;
        double high = NAN;
        assert_true(
            hm_bootstrap_interval(&how, base, base_count, arm, arm_count, 0.95, &low, &high));
        if (!(low >= limits[0] && low <= limits[1] && high >= limits[2] && high <= limits[3]))
            fail_msg("[%g, %g]: low is not in %g .. %g, or high not in %g .. %g", low, high,
                     limits[0], limits[1], limits[2], limits[3]);
    }
}

static void test_bootstrap_intervals_are_those_of_numpys_resampling(void **state) {
    (void)state;
    expect_bootstrap(py_twelve, 12, py_nine, 9, py_boot_twelve_nine);
    expect_bootstrap(py_six, 6, py_nine, 9, py_boot_six_nine);
    expect_bootstrap(py_thirty, 30, py_six, 6, py_boot_thirty_six);
    expect_bootstrap(py_thirty, 30, py_thirty, 30, py_boot_thirty_thirty);
}

static void test_family_is_the_geometric_mean_of_scipy(void **state) {
    (void)state;
    enum {
        ROUNDS = COUNT(py_cell_0)
    };
    const double *const values[] = {py_cell_0, py_cell_1, py_cell_2};
    double logs[3][ROUNDS];
    double ones[ROUNDS];
    double scratch[ROUNDS];
    const double *const cells[] = {logs[0], logs[1], logs[2]};
    struct hm_paired family;
    for (size_t r = 0; r < ROUNDS; r++)
        ones[r] = 1;
    for (size_t i = 0; i < 3; i++)
        hm_log_ratios(ones, values[i], ROUNDS, logs[i]);
    assert_true(hm_family_of(cells, 3, ROUNDS, scratch, &family));
    /* The median of an even number is the middle of the logarithms: the geometric one. */
    expect_relative(family.ratio, py_family[0], 2e-3);
    expect_relative(family.low, py_family[1], 1e-13);
    expect_relative(family.high, py_family[2], 1e-13);
}

/* Within the buckets' 1/128. */
static void test_percentiles_of_a_histogram_are_those_of_numpy(void **state) {
    (void)state;
    static struct hm_histogram histogram;
    for (uint64_t i = 1; i <= 2000; i++) {
        double share = (double)(i * 2654435761u % 4294967296u) / 4294967296.0;
        hm_histogram_count(&histogram, (uint64_t)(100 + floor(pow(share, 8) * 1e6)));
    }
    for (size_t i = 0; i < COUNT(py_shares); i++)
        expect_relative(hm_histogram_quantile_ns(&histogram, py_shares[i], 0) * HM_HISTOGRAM_PARTS,
                        py_percentiles[i], 1.0 / 128);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student_tail_is_that_of_r_and_scipy),
        cmocka_unit_test(test_beta_is_that_of_r_and_scipy),
        cmocka_unit_test(test_binomial_tail_is_that_of_r),
        cmocka_unit_test(test_binomial_tail_agrees_with_a_printed_interval),
        cmocka_unit_test(test_ranks_of_the_medians_interval_are_those_of_r),
        cmocka_unit_test(test_medians_intervals_are_those_of_scipy),
        cmocka_unit_test(test_quantiles_are_those_of_r),
        cmocka_unit_test(test_paired_p_is_that_of_r_at_each_margin),
        cmocka_unit_test(test_welchs_p_is_that_of_r_at_each_margin),
        cmocka_unit_test(test_p_of_trimmed_means_is_that_of_scipy),
        cmocka_unit_test(test_holms_p_is_that_of_r_and_of_a_manual),
        cmocka_unit_test(test_bootstrap_intervals_are_those_of_numpys_resampling),
        cmocka_unit_test(test_family_is_the_geometric_mean_of_scipy),
        cmocka_unit_test(test_percentiles_of_a_histogram_are_those_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

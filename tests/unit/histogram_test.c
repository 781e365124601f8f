/* The histogram of latencies, against sorted copies of what went into it. */
#include "harness/stats/histogram.h"
#include "harness/stats/order.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    COUNT = 200000,
};

static const double shares[] = {0.5, 0.9, 0.99, 0.999, 0.9999};

static struct hm_histogram histogram, other;
static double sorted[COUNT];

static int empty_both(void **state) {
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    memset(&other, 0, sizeof other);
    srand(11);
    return 0;
}

/* From a sixteenth of a nanosecond to some minutes, on a log scale. */
static uint64_t draw_parts(void) {
    return (uint64_t)exp2(42.0 * rand() / RAND_MAX);
}

static void test_every_value_is_within_one_percent_of_its_buckets_middle(void **state) {
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        uint64_t parts = draw_parts();
        unsigned b = hm_histogram_bucket(parts);
        uint64_t low = hm_histogram_low(b), end = hm_histogram_low(b + 1);
        assert_true(low <= parts && parts < end);
        double middle = (double)(low + end - 1) / 2;
        assert_true(fabs(middle - (double)parts) <= 0.0079 * (double)parts);
    }
}

static void test_buckets_follow_each_other_without_a_gap(void **state) {
    (void)state;
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++) {
        assert_int_equal(hm_histogram_bucket(hm_histogram_low(b)), b);
        assert_int_equal(hm_histogram_bucket(hm_histogram_low(b + 1) - 1), b);
    }
    assert_int_equal(hm_histogram_bucket(UINT64_MAX), HM_HISTOGRAM_BUCKETS - 1);
}

static void test_quantiles_are_those_of_the_sorted_values_but_for_one_percent(void **state) {
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        uint64_t parts = draw_parts();
        sorted[i] = (double)parts / HM_HISTOGRAM_PARTS;
        hm_histogram_count(&histogram, parts);
    }
    hm_sort(sorted, COUNT);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double exact = sorted[(size_t)ceil(shares[i] * COUNT - 1e-6) - 1];
        double found = hm_histogram_quantile_ns(&histogram, shares[i], 0);
        assert_true(fabs(found - exact) <= 0.0079 * exact);
    }
    assert_true(hm_histogram_greatest_ns(&histogram) == sorted[COUNT - 1]);
}

static void test_two_histograms_add_up_to_that_of_all_values(void **state) {
    static struct hm_histogram all;
    (void)state;
    memset(&all, 0, sizeof all);
    for (int i = 0; i < 1000; i++) {
        uint64_t parts = draw_parts();
        hm_histogram_count(i % 3 ? &histogram : &other, parts);
        hm_histogram_count(&all, parts);
    }
    hm_histogram_add(&histogram, &other);
    assert_memory_equal(&histogram, &all, sizeof all);
    assert_int_equal(hm_histogram_total(&histogram), 1000);
}

static void test_quantiles_of_an_empty_histogram_are_absent(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        assert_true(isnan(hm_histogram_quantile_ns(&histogram, shares[i], 0)));
    assert_true(isnan(hm_histogram_greatest_ns(&histogram)));
}

static void test_a_quantile_needs_ten_values_above_it(void **state) {
    static const uint64_t needed[] = {20, 100, 1000, 10000, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        memset(&histogram, 0, sizeof histogram);
        histogram.counts[80] = needed[i] - 1;
        histogram.greatest = 80;
        assert_true(isnan(hm_histogram_quantile_ns(&histogram, shares[i], 0)));
        histogram.counts[80]++;
        assert_true(hm_histogram_quantile_ns(&histogram, shares[i], 0) == 5);
    }
}

/* A clock that goes in steps of 10 ns reads what takes 13 ns as 10 or 20, by when it began. */
static void test_a_quantile_between_two_steps_of_the_clock_is_found(void **state) {
    (void)state;
    for (int halves = 0; halves < 80; halves++) {
        double exact_ns = halves / 2.0;
        memset(&histogram, 0, sizeof histogram);
        for (int i = 0; i < 10000; i++) {
            int begin = i % 100; /* tenths of a step */
            double end = begin / 10.0 + exact_ns;
            hm_histogram_count(&histogram, (uint64_t)(floor(end / 10) * 10 * HM_HISTOGRAM_PARTS));
        }
        double found = hm_histogram_quantile_ns(&histogram, 0.5, 10);
        assert_true(fabs(found - exact_ns) <= 1.5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_value_is_within_one_percent_of_its_buckets_middle,
                               empty_both),
        cmocka_unit_test_setup(test_buckets_follow_each_other_without_a_gap, empty_both),
        cmocka_unit_test_setup(test_quantiles_are_those_of_the_sorted_values_but_for_one_percent,
                               empty_both),
        cmocka_unit_test_setup(test_two_histograms_add_up_to_that_of_all_values, empty_both),
        cmocka_unit_test_setup(test_quantiles_of_an_empty_histogram_are_absent, empty_both),
        cmocka_unit_test_setup(test_a_quantile_needs_ten_values_above_it, empty_both),
        cmocka_unit_test_setup(test_a_quantile_between_two_steps_of_the_clock_is_found, empty_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The clock of single operations: what it takes for a counter to be trusted. */
#include "harness/cell/ticks.h"

#include "harness/stats/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_the_rate_is_the_clocks_time_over_the_counters(void **state) {
    const struct hm_ticks_pair from = {1000, 500}, to = {3000, 1300};
    (void)state;
    assert_true(hm_ticks_rate(&from, &to) == 0.4);
}

static void test_a_counter_or_clock_that_stands_or_goes_back_has_no_rate(void **state) {
    const struct hm_ticks_pair from = {1000, 500};
    const struct hm_ticks_pair bad[] = {{1000, 600}, {999, 600}, {1100, 500}, {1100, 499}};
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(isnan(hm_ticks_rate(&from, &bad[i])));
}

static void test_rates_a_thousandth_apart_are_steady_and_others_are_not(void **state) {
    (void)state;
    assert_true(hm_ticks_steady(0.385, 0.385));
    assert_true(hm_ticks_steady(1, 1.0009));
    assert_false(hm_ticks_steady(1, 1.002));
    assert_false(hm_ticks_steady(1.002, 1));
    assert_false(hm_ticks_steady(NAN, 1));
    assert_false(hm_ticks_steady(1, NAN));
}

/* At 2.6 GHz, counted at 100 MHz: multiples of 25.96, rounded either way. */
static void test_the_step_of_a_scaled_counter_is_found(void **state) {
    bool seen[256] = {false};
    (void)state;
    for (int k = 0; k < 8; k++)
        seen[(int)(25.96 * k)] = seen[(int)(25.96 * k + 1)] = true;
    uint64_t step = hm_ticks_step(seen, 256);
    assert_true(step >= 24 && step <= 26);
}

static void test_a_counter_of_single_ticks_has_no_step(void **state) {
    bool seen[256] = {false};
    (void)state;
    assert_int_equal(hm_ticks_step(seen, 256), 1);
    for (int i = 22; i < 100; i += 2)
        seen[i] = true;
    assert_int_equal(hm_ticks_step(seen, 256), 1);
    for (int i = 21; i < 100; i += 2)
        seen[i] = true;
    assert_int_equal(hm_ticks_step(seen, 256), 1);
}

static void test_the_cost_of_reading_is_taken_off_and_nothing_is_below_zero(void **state) {
    (void)state;
    hm_ticks_open();
    uint64_t pair = hm_ticks.pair_ticks;
    assert_int_equal(hm_ticks_parts(1000, 1000), 0);
    assert_int_equal(hm_ticks_parts(1000, 1000 + pair), 0);
    assert_int_equal(hm_ticks_parts(1000, 990), 0);
    double ns = (double)hm_ticks_parts(1000, 1000 + pair + 1000000) / HM_HISTOGRAM_PARTS;
    assert_true(fabs(ns - 1e6 * hm_ticks.ns_per_tick) < 1);
}

static void test_what_is_read_agrees_with_the_clock(void **state) {
    (void)state;
    hm_ticks_open();
    uint64_t clock = hm_ticks_clock(), begin = hm_ticks_begin();
    while (hm_ticks_clock() < clock + 3000000)
        ;
    double ns = (double)hm_ticks_parts(begin, hm_ticks_end()) / HM_HISTOGRAM_PARTS;
    assert_true(ns > 2.9e6);
    assert_true(!hm_ticks.counter || fabs(hm_ticks_ratio() - 1) < 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rate_is_the_clocks_time_over_the_counters),
        cmocka_unit_test(test_a_counter_or_clock_that_stands_or_goes_back_has_no_rate),
        cmocka_unit_test(test_rates_a_thousandth_apart_are_steady_and_others_are_not),
        cmocka_unit_test(test_the_step_of_a_scaled_counter_is_found),
        cmocka_unit_test(test_a_counter_of_single_ticks_has_no_step),
        cmocka_unit_test(test_the_cost_of_reading_is_taken_off_and_nothing_is_below_zero),
        cmocka_unit_test(test_what_is_read_agrees_with_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a measured process reports: read without trust. */
#include "harness/cell/outcome.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hm_outcome outcome;
static bool ended;

static int set_up(void **state) {
    (void)state;
    outcome = (struct hm_outcome){.status = HM_STATUS_OK};
    ended = false;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hm_outcome_free(&outcome);
    return 0;
}

static int take(const char *line) {
    return hm_outcome_take(&outcome, line, "nonce1", &ended);
}

static void test_values_are_found_by_metric_and_thread(void **state) {
    (void)state;
    assert_int_equal(take("value time_ns -1 12.5"), 0);
    assert_int_equal(take("value time_ns 1 13"), 0);
    assert_true(hm_outcome_value(&outcome, "time_ns", -1) == 12.5);
    assert_true(hm_outcome_value(&outcome, "time_ns", 1) == 13);
    assert_true(isnan(hm_outcome_value(&outcome, "time_ns", 2)));
    assert_true(isnan(hm_outcome_value(&outcome, "cpu_ns", -1)));
}

static void test_what_a_machine_does_not_tell_is_a_value_that_is_not_known(void **state) {
    (void)state;
    assert_int_equal(take("unknown cpu_cycles_per_op"), 0);
    assert_int_equal(outcome.value_count, 1);
    assert_string_equal(outcome.values[0].metric, "cpu_cycles_per_op");
    assert_true(isnan(hm_outcome_value(&outcome, "cpu_cycles_per_op", -1)));
    assert_string_equal(outcome.values[0].reason, "");
    assert_int_equal(take("unknown footprint_bytes nobody tells, here"), 0);
    assert_string_equal(outcome.values[1].reason, "nobody tells, here");
    assert_int_equal(take("unknown Cycles"), EINVAL);
    assert_int_equal(take("unknown "), EINVAL);
}

static void test_many_values_are_kept(void **state) {
    char line[64];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "point pause_ns 0 %d %d", i, 2 * i);
        assert_int_equal(take(line), 0);
    }
    assert_int_equal(outcome.point_count, 1000);
    assert_int_equal(outcome.points[999].t_ns, 999);
    assert_true(outcome.points[999].value == 1998);
}

static void test_buckets_are_kept(void **state) {
    (void)state;
    assert_int_equal(take("bucket latency_free_small_ns 2559 18446744073709551615"), 0);
    assert_int_equal(take("bucket latency_free_small_ns 0 1"), 0);
    assert_int_equal(outcome.bucket_count, 2);
    assert_int_equal(outcome.buckets[0].bucket, 2559);
    assert_true(outcome.buckets[0].count == UINT64_MAX);
    assert_string_equal(outcome.buckets[1].metric, "latency_free_small_ns");
}

static void test_hostile_lines_are_refused(void **state) {
    static const char *const bad[] = {"value",
                                      "value time_ns",
                                      "bucket latency_free_small_ns 2560 1",
                                      "bucket latency_free_small_ns -1 1",
                                      "bucket latency_free_small_ns 1",
                                      "bucket ../x 1 1",
                                      "value time_ns -1 nan",
                                      "value time_ns -1 inf",
                                      "value time_ns -1 x",
                                      "value ../../x -1 1",
                                      "value =cmd -1 1",
                                      "point live_bytes -1 5",
                                      "checksum zz",
                                      "pin 0",
                                      "fail nonsense because",
                                      "fail ok fine"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (take(bad[i]) == 0)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(outcome.value_count, 0);
    assert_int_equal(outcome.status, HM_STATUS_OK);
}

static void test_only_the_right_nonce_ends_a_process(void **state) {
    (void)state;
    assert_int_equal(take("end nonce2"), 0);
    assert_false(ended);
    assert_int_equal(take("end nonce1"), 0);
    assert_true(ended);
}

static void test_failure_carries_its_status_and_reason(void **state) {
    (void)state;
    assert_int_equal(take("fail wrong-allocator malloc comes from libc"), 0);
    assert_int_equal(outcome.status, HM_STATUS_WRONG_ALLOCATOR);
    assert_string_equal(outcome.reason, "malloc comes from libc");
}

static void test_overlong_texts_are_cut(void **state) {
    static char line[4000];
    (void)state;
    memset(line, 'a', sizeof line - 1);
    memcpy(line, "fail oom ", 9);
    assert_int_equal(take(line), 0);
    assert_int_equal(strlen(outcome.reason), sizeof outcome.reason - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_are_found_by_metric_and_thread, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_what_a_machine_does_not_tell_is_a_value_that_is_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_values_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_buckets_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_lines_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_right_nonce_ends_a_process, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_failure_carries_its_status_and_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_overlong_texts_are_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

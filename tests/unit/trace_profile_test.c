/* Rows of a profile: what merging keeps, and how near whole blocks come. */
#include "harness/trace/profile_rows.h"
#include "harness/trace/sites.h"
#include "tests/unit/random_trace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    ROWS = 400,
};

static struct hm_profile_row rows[ROWS];
static struct hm_profile_row before[ROWS];
static struct random_trace draws;

static double sum_of(const struct hm_profile_row *list, size_t count,
                     double (*of)(const struct hm_profile_row *)) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += of(&list[i]);
    return sum;
}

static double rate(const struct hm_profile_row *row) {
    return row->rate;
}

static double live(const struct hm_profile_row *row) {
    return row->live;
}

static double live_bytes(const struct hm_profile_row *row) {
    return row->live_bytes;
}

/* Sizes and rates as programs have them: many small ones that live, a few large ones that do not. */
static void draw_rows(uint64_t seed, double most_live) {
    draws.state = seed;
    uint64_t size = 0;
    for (size_t i = 0; i < ROWS; i++) {
        size += 1 + random_below(&draws, 1 + i * i / 16);
        double mean = most_live * exp(-(double)random_below(&draws, 1000) / 100);
        rows[i] = (struct hm_profile_row){size, 1 + (double)random_below(&draws, 1000), mean,
                                          mean * (double)size};
    }
    memcpy(before, rows, sizeof rows);
}

static bool is_near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void test_merging_keeps_rates_live_blocks_and_bytes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        draw_rows(seed, 20);
        struct hm_profile_rule rule = {(double)(seed % 8),
                                       seed % 3 ? 50000.0 / (double)seed : INFINITY};
        size_t count = hm_profile_merge(rows, ROWS, &rule);
        assert_in_range(count, 1, ROWS);
        assert_true(is_near(sum_of(rows, count, rate), sum_of(before, ROWS, rate)));
        assert_true(is_near(sum_of(rows, count, live), sum_of(before, ROWS, live)));
        assert_true(is_near(sum_of(rows, count, live_bytes), sum_of(before, ROWS, live_bytes)));
        for (size_t i = 0; i < count; i++) {
            assert_true(rows[i].live >= rule.least_live || count == 1);
            assert_true(i == 0 || rows[i].size > rows[i - 1].size);
            assert_true(fabs((double)rows[i].size - rows[i].live_bytes / rows[i].live) <= 0.5);
        }
    }
}

/* What the workload does with a row is written down here once more. */
static double held_bytes(const struct hm_profile_row *list, size_t count) {
    double bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += (double)list[i].size * (list[i].live < 0.5 ? 1 : floor(list[i].live + 0.5));
    return bytes;
}

static void test_fitted_rows_hold_the_live_bytes_within_one_percent(void **state) {
    (void)state;
    size_t fewest = ROWS;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        draw_rows(seed, seed % 2 ? 50 : 1000);
        struct hm_profile_rule rule;
        size_t count = hm_profile_fit(rows, ROWS, &rule);
        double truth = sum_of(before, ROWS, live_bytes);
        assert_true(fabs(held_bytes(rows, count) - truth) <= 0.0101 * truth);
        assert_true(is_near(hm_profile_hold(rows, count).bytes, held_bytes(rows, count)));
        fewest = count < fewest ? count : fewest;
    }
    assert_true(fewest > 20 && fewest < ROWS);
}

static void test_rows_that_are_good_stay_as_they_are(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = before[i] =
            (struct hm_profile_row){i + 1, 5, (double)(i + 3), (double)((i + 1) * (i + 3))};
    struct hm_profile_rule rule;
    assert_int_equal(hm_profile_fit(rows, ROWS, &rule), ROWS);
    assert_memory_equal(rows, before, sizeof rows);
}

static void test_more_rows_than_the_workload_takes_are_merged(void **state) {
    (void)state;
    enum {
        MANY = 3 * HM_PROFILE_ROWS_MAX
    };
    struct hm_profile_row *many = calloc(MANY, sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i < MANY; i++)
        many[i] = (struct hm_profile_row){i + 1, 1, 1, (double)(i + 1)};
    struct hm_profile_rule rule;
    size_t count = hm_profile_fit(many, MANY, &rule);
    assert_in_range(count, HM_PROFILE_ROWS_MAX / 4, HM_PROFILE_ROWS_MAX);
    assert_true(is_near(sum_of(many, count, live), MANY));
    assert_true(fabs(hm_profile_hold(many, count).bytes_error) <= 0.01);
    free(many);
}

static void test_a_single_block_that_hardly_lives_is_one_row(void **state) {
    (void)state;
    struct hm_profile_row one = {1000, 3, 0.001, 1};
    struct hm_profile_rule rule;
    assert_int_equal(hm_profile_fit(&one, 1, &rule), 1);
    assert_int_equal(one.size, 1000);
    assert_true(hm_profile_hold(&one, 1).bytes_error > 900);
}

/* ---- Little's law ---- */

/* The mean of what is live, looked at before each operation; inherited blocks come first, and are no
 * operation. */
static double mean_live(const struct random_trace *t, int site) {
    double sum = 0;
    double operations = 0;
    for (int i = 0; i < RANDOM_EVENTS; i++) {
        if (!is_operation(&t->events[i]))
            continue;
        operations++;
        for (int k = 0; k < t->count; k++)
            sum += t->stays[k].site == (uint32_t)site && is_live(&t->stays[k], i - 1);
    }
    return sum / operations;
}

static void test_lives_over_operations_are_the_mean_of_what_is_live(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 130; seed++) {
        random_trace(&draws, seed, 4);
        struct hm_sites *sites = hm_sites_new(1);
        double operations = 0;
        assert_non_null(sites);
        for (int i = 0; i < RANDOM_EVENTS; i++) {
            assert_int_equal(hm_sites_add(sites, &draws.events[i], draws.sites[i]), 0);
            operations += is_operation(&draws.events[i]);
        }
        hm_sites_end(sites);
        for (int i = 0; i < 4; i++) {
            double mean = hm_sites_at(sites, (size_t)i)->life_operations / operations;
            assert_true(fabs(mean - mean_live(&draws, i)) < 1e-9);
        }
        hm_sites_free(sites);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging_keeps_rates_live_blocks_and_bytes),
        cmocka_unit_test(test_fitted_rows_hold_the_live_bytes_within_one_percent),
        cmocka_unit_test(test_rows_that_are_good_stay_as_they_are),
        cmocka_unit_test(test_more_rows_than_the_workload_takes_are_merged),
        cmocka_unit_test(test_a_single_block_that_hardly_lives_is_one_row),
        cmocka_unit_test(test_lives_over_operations_are_the_mean_of_what_is_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

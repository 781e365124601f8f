/* How measured work is cut into slices, and the order of turns. */
#include "harness/cell/slices.h"
#include "harness/measure/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    ARMS = 3,
    ORDERS = 6,
    TURNS = 6000,
};

static void test_slices_are_as_long_as_asked_for(void **state) {
    (void)state;
    assert_int_equal(hm_slices_count(30000, 1000, 5e6), 6);
    assert_int_equal(hm_slices_count(30000, 1000, 4.1e6), 7);
    assert_int_equal(hm_slices_count(30000, 1000, 1e9), 1);
}

static void test_a_slice_has_at_least_one_unit(void **state) {
    (void)state;
    assert_int_equal(hm_slices_count(3, 1e7, 1e6), 3);
    assert_int_equal(hm_slices_count(1, 1e9, 1e6), 1);
    assert_int_equal(hm_slices_count(0, 1e9, 1e6), 1);
    assert_true(hm_slices_count(UINT64_MAX, 1e9, 1e5) <= 10000);
}

static void check_shares(uint64_t units, unsigned slices) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < slices; i++) {
        uint64_t share = hm_slices_units(units, slices, i);
        assert_in_range(share, units / slices, units / slices + 1);
        sum += share;
    }
    assert_true(sum == units);
}

static void test_slices_are_all_of_the_work_in_equal_shares(void **state) {
    (void)state;
    for (unsigned slices = 1; slices < 40; slices++)
        for (uint64_t units = slices; units < 200; units++)
            check_shares(units, slices);
    check_shares(UINT64_MAX, 7);
}

/* How much is skipped depends on no draw, and draws are not all used up before the end. */
static void check_leads(uint64_t units, unsigned slices, uint64_t seed) {
    uint64_t all = hm_slices_leads(units, slices);
    units -= all;
    uint64_t left = all;
    for (unsigned i = 0; i < slices; i++) {
        uint64_t share = hm_slices_units(units, slices, i);
        uint64_t lead = hm_slices_lead(share, hm_turns_draw(seed, i), left);
        if (i + 1 < slices)
            assert_true(lead >= share / 8);
        assert_true(lead <= (share * 3 + 7) / 8);
        left -= lead;
    }
    assert_true(left <= all / slices);
}

static void test_slices_are_led_in_by_a_fifth_of_the_work(void **state) {
    (void)state;
    assert_true(hm_slices_leads(5000, 10) == 1000);
    assert_true(hm_slices_leads(4000, 4000) == 0);
    for (uint64_t seed = 0; seed < 200; seed++) {
        check_leads(5000, 10, seed);
        check_leads(4007, 15, seed);
        check_leads(123456789, 1, seed);
    }
}

static void test_draws_differ_and_pairs_of_them_come_to_the_same(void **state) {
    unsigned low = 0;
    (void)state;
    for (unsigned turn = 0; turn < 1000; turn += 2) {
        assert_int_equal(hm_turns_draw(3, turn) + hm_turns_draw(3, turn + 1), 255);
        low += hm_turns_draw(3, turn) < 128;
    }
    assert_in_range(low, 250 - 68, 250 + 68);
}

/* The number of a permutation of three. */
static unsigned rank(const size_t *order) {
    assert_int_equal(order[0] + order[1] + order[2], 3);
    assert_int_equal(order[0] * order[1] * order[2], 0);
    assert_int_not_equal(order[0], order[1]);
    return (unsigned)(2 * order[0] + (order[1] > order[2]));
}

/* Each order about as often, and each after each other about as often: within six deviations. */
static void test_every_turn_has_a_fresh_order(void **state) {
    unsigned counts[ORDERS] = {0};
    unsigned follows[ORDERS][ORDERS] = {0};
    unsigned before = 0;
    (void)state;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        size_t order[ARMS];
        hm_turns_order(77, turn, order, ARMS);
        unsigned now = rank(order);
        counts[now]++;
        follows[before][now] += turn > 0;
        before = now;
    }
    for (unsigned i = 0; i < ORDERS; i++) {
        assert_in_range(counts[i], 1000 - 173, 1000 + 173);
        for (unsigned k = 0; k < ORDERS; k++)
            assert_in_range(follows[i][k], 167 - 76, 167 + 76);
    }
}

static void test_the_order_is_that_of_the_seed(void **state) {
    size_t one[20], two[20], other[20];
    (void)state;
    hm_turns_order(5, 3, one, 20);
    hm_turns_order(5, 3, two, 20);
    hm_turns_order(6, 3, other, 20);
    assert_memory_equal(one, two, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
}

/* A group of two cells on this machine, whose processes hold so much each. */
static struct hm_group plan_of(double turn_ms, double peak_bytes) {
    struct hm_cell cells[2] = {{.ns_per_unit = 1000, .peak_bytes = peak_bytes},
                               {.ns_per_unit = 3000, .peak_bytes = peak_bytes}};
    struct hm_group group = {.first = 0, .count = 2, .units = 30000};
    struct hm_plan plan = {.cells = cells, .cell_count = 2, .turn_ms = turn_ms, .all_turns = true};
    hm_turns_plan(&plan, &group);
    return group;
}

static void test_what_does_not_fit_into_memory_together_takes_no_turns(void **state) {
    (void)state;
    struct hm_group fits = plan_of(5, 1 << 20);
    assert_int_equal(fits.slices, 6);
    assert_string_equal(fits.no_turns, "");
    struct hm_group large = plan_of(5, 1e15);
    assert_int_equal(large.slices, 0);
    assert_non_null(strstr(large.no_turns, "available"));
    struct hm_group off = plan_of(0, 1e15);
    assert_int_equal(off.slices, 0);
    assert_string_equal(off.no_turns, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_are_as_long_as_asked_for),
        cmocka_unit_test(test_a_slice_has_at_least_one_unit),
        cmocka_unit_test(test_slices_are_all_of_the_work_in_equal_shares),
        cmocka_unit_test(test_slices_are_led_in_by_a_fifth_of_the_work),
        cmocka_unit_test(test_draws_differ_and_pairs_of_them_come_to_the_same),
        cmocka_unit_test(test_what_does_not_fit_into_memory_together_takes_no_turns),
        cmocka_unit_test(test_every_turn_has_a_fresh_order),
        cmocka_unit_test(test_the_order_is_that_of_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

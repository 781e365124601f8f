/* What the other policies of `generational` change. */
#include "tests/unit/generational_open.h"

static void set_thresholds(int64_t a, int64_t b, int64_t c) {
    control()->set_threshold(fixture.gc, (int64_t[]){a, b, c});
    control()->enable(fixture.gc, true);
}

static void expect_thresholds(enum hm_generational_policy policy, int64_t a, int64_t b, int64_t c) {
    int64_t got[3];
    open_policy(policy);
    control()->get_threshold(fixture.gc, got);
    assert_int_equal(got[0], a);
    assert_int_equal(got[1], b);
    assert_int_equal(got[2], c);
    fixture_close(&fixture);
}

static void test_thresholds_are_those_of_the_version(void **state) {
    (void)state;
    expect_thresholds(HM_POLICY_311, 700, 10, 10);
    expect_thresholds(HM_POLICY_FULL, 700, 10, 10);
    expect_thresholds(HM_POLICY_313, 2000, 10, 10);
    expect_thresholds(HM_POLICY_INCREMENTAL, 2000, 10, 0);
}

/* ---- One generation ---- */

static void test_every_collection_of_one_generation_is_full(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_FULL);
    set_thresholds(10, 10, 10);
    struct hm_object *ring = new_ring(m, 5);
    for (int i = 1; i < 20; i++) {
        leak_self_cycles(m, i == 1 ? 6 : 11);
        assert_int_equal(fixture.pauses, i);
        assert_int_equal(fixture.generation, 2);
        assert_true(fixture.visited >= 10);
    }
    assert_int_equal(generation_of(ring), 2);
    hm_release(m, ring);
    assert_int_equal(hm_collect(m, 0), 6);
    fixture_close(&fixture);
}

/* ---- Immortal objects ---- */

static void check_immortal_container(enum hm_generational_policy policy, int expected) {
    struct hm_mutator *m = open_policy(policy);
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    struct hm_object *held = new_self_cycle(m);
    hm_init_store(m, list, 0, held);
    assert_true(hm_immortalize(m, list));
    hm_release(m, list);
    assert_int_equal(generation_of(list), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(generation_of(list), expected);
    assert_int_equal(generation_of(held), 2);
    control()->unfreeze(fixture.gc);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(generation_of(list), expected);
    hm_store(m, list, 0, NULL);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static void test_immortal_containers_become_permanent_from_3_13_on(void **state) {
    (void)state;
    check_immortal_container(HM_POLICY_311, 2);
    check_immortal_container(HM_POLICY_313, 3);
    check_immortal_container(HM_POLICY_INCREMENTAL, 3);
}

/* ---- Increments ---- */

static uint64_t visited_by(struct hm_mutator *m, int generation) {
    hm_collect(m, generation);
    return fixture.visited;
}

static void test_a_round_begins_with_a_call_that_only_marks(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    leak_self_cycles(m, 100);
    assert_int_equal(hm_collect(m, 1), 0);
    assert_int_equal(fixture.visited, 0);
    assert_int_equal(fixture_stats(&fixture).collections[1], 0);
    assert_int_equal(hm_collect(m, 1), 100);
    assert_int_equal(fixture_stats(&fixture).collections[1], 1);
    fixture_close(&fixture);
}

/* Old rings, each found wholly by one increment, however small the budget is. The live objects see to it
 * that there is one: a hundredth of less than 100 is nothing. */
static void test_no_cycle_is_split_by_an_increment(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    struct hm_object *rings[20], *live[200];
    for (int i = 0; i < 200; i++)
        live[i] = new_self_cycle(m);
    for (int i = 0; i < 20; i++)
        rings[i] = new_ring(m, 50);
    hm_collect(m, 0);
    assert_int_equal(generation_of(rings[7]), 2);
    for (int i = 0; i < 20; i++)
        hm_release(m, rings[i]);
    uint64_t found = 0;
    hm_collect(m, 1);
    m->scavenge.work = 0;
    for (int i = 0; i < 1000 && found < 1000; i++) {
        leak_self_cycles(m, 10);
        uint64_t cycles = (uint64_t)hm_collect(m, 1);
        uint64_t old = cycles - (cycles % 50);
        found += old;
        assert_true(fixture.visited < 1000);
    }
    assert_int_equal(found, 1000);
    assert_true(is_live(live[0]));
    fixture_close(&fixture);
}

/* new + min(heap / 10 / threshold1, 1.5 new), and the same share of the heap on top afterwards. */
static void test_budget_is_new_objects_and_a_share_of_the_heap(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    struct hm_object *list = hm_new_array(m, &list_type, 4999);
    for (uint32_t i = 0; i < 4999; i++)
        hm_init_store(m, list, i, hm_new_array(m, &list_type, 0));
    hm_collect(m, 2);
    hm_collect(m, 1);
    assert_int_equal(m->scavenge.work, 0);
    leak_self_cycles(m, 10);
    m->scavenge.work = -1000;
    assert_int_equal(visited_by(m, 1), 10);
    assert_int_equal(m->scavenge.work, -1000 + 10 + 15 - 10 + 50);
    leak_self_cycles(m, 100);
    m->scavenge.work = -1000;
    assert_int_equal(visited_by(m, 1), 100);
    assert_int_equal(m->scavenge.work, -1000 + 100 + 51 - 100 + 50);
    set_thresholds(0, 1, 0);
    leak_self_cycles(m, 1000);
    m->scavenge.work = -10000;
    assert_int_equal(visited_by(m, 1), 1000);
    assert_int_equal(m->scavenge.work, -10000 + 1000 + 300 - 1000 + 250);
    hm_release(m, list);
    fixture_close(&fixture);
}

static void test_increments_go_through_the_heap_once_a_round(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    struct hm_object *lists[300];
    for (int i = 0; i < 300; i++)
        lists[i] = new_self_cycle(m);
    hm_collect(m, 2);
    for (int round = 0; round < 3; round++) {
        uint64_t seen = 0;
        assert_int_equal(visited_by(m, 1), 0);
        while (m->scavenge.collecting) {
            m->scavenge.work = 7;
            seen += visited_by(m, 1);
        }
        assert_int_equal(seen, 300);
        if (round == 1)
            control()->freeze(fixture.gc);
        if (round == 1)
            break;
    }
    assert_int_equal(control()->freeze_count(fixture.gc), 300);
    for (int i = 0; i < 300; i++)
        hm_release(m, lists[i]);
    assert_int_equal(hm_collect(m, 2), 0);
    control()->unfreeze(fixture.gc);
    assert_int_equal(hm_collect(m, 2), 300);
    fixture_close(&fixture);
}

/* With something permanent the spaces do not change their names, but their contents. */
static void test_rounds_go_on_beside_permanent_objects(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    struct hm_object *frozen = new_self_cycle(m);
    control()->freeze(fixture.gc);
    struct hm_object *holder = hm_new_array(m, &list_type, 1);
    hm_store(m, holder, 0, frozen);
    for (int round = 0; round < 4; round++) {
        struct hm_object *ring = new_ring(m, 100);
        hm_store(m, frozen, 0, ring);
        hm_collect(m, 0);
        assert_int_equal(generation_of(ring), 2);
        hm_release(m, ring);
        hm_store(m, frozen, 0, frozen);
        uint64_t found = 0;
        for (int i = 0; i < 10; i++) {
            m->scavenge.work = 30;
            found += (uint64_t)hm_collect(m, 1);
        }
        assert_int_equal(found, 100);
        assert_int_equal(generation_of(frozen), 3);
    }
    fixture_close(&fixture);
}

static void test_allocations_above_the_threshold_collect_an_increment(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    set_thresholds(10, 10, 0);
    int64_t count[3];
    leak_self_cycles(m, 11);
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(fixture.generation, 1);
    leak_self_cycles(m, 11);
    assert_int_equal(fixture.pauses, 2);
    assert_int_equal(fixture.freed, 21);
    hm_collect(m, 0);
    control()->get_count(fixture.gc, count);
    assert_int_equal(count[0], 0);
    assert_int_equal(count[1], 1);
    assert_int_equal(count[2], 0);
    fixture_close(&fixture);
}

/* Whatever the policy, all that lives is counted: by deaths in any order, and from any count. */
static void test_size_of_the_heap_is_known(void **state) {
    (void)state;
    struct hm_mutator *m = open_policy(HM_POLICY_INCREMENTAL);
    struct hm_object *ring = new_ring(m, 30);
    hm_collect(m, 0);
    struct hm_object *list = hm_new_array(m, &list_type, 0);
    struct hm_object *old[5];
    for (int i = 0; i < 5; i++)
        old[i] = hm_new_array(m, &list_type, 0);
    hm_collect(m, 2);
    hm_release(m, list);
    for (int i = 0; i < 5; i++)
        hm_release(m, old[i]);
    assert_int_equal(m->counted + m->generations[0].count, 30);
    hm_release(m, ring);
    assert_int_equal(hm_collect(m, 2), 30);
    assert_int_equal(m->counted + m->generations[0].count, 0);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_are_those_of_the_version),
        cmocka_unit_test(test_every_collection_of_one_generation_is_full),
        cmocka_unit_test(test_immortal_containers_become_permanent_from_3_13_on),
        cmocka_unit_test(test_a_round_begins_with_a_call_that_only_marks),
        cmocka_unit_test(test_no_cycle_is_split_by_an_increment),
        cmocka_unit_test(test_budget_is_new_objects_and_a_share_of_the_heap),
        cmocka_unit_test(test_increments_go_through_the_heap_once_a_round),
        cmocka_unit_test(test_rounds_go_on_beside_permanent_objects),
        cmocka_unit_test(test_allocations_above_the_threshold_collect_an_increment),
        cmocka_unit_test(test_size_of_the_heap_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

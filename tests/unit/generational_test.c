/* The rules of CPython 3.11's cycle collector, one by one; the numbers are those that it gives
 * itself. */
#include "tests/unit/generational_open.h"

/* ---- When it collects ---- */

static void test_allocation_above_the_threshold_collects(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(10, 10, 10, ON);
    leak_self_cycles(m, 10);
    assert_int_equal(fixture.pauses, 0);
    expect_counts(m, 10, 0, 0);
    leak_self_cycles(m, 1);
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(fixture.generation, 0);
    assert_int_equal(fixture.visited, 10);
    assert_int_equal(fixture.freed, 10);
    expect_counts(m, 0, 1, 0);
    fixture_close(&fixture);
}

static void test_count_falls_with_deaths_but_not_below_zero(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *lists[5];
    for (int i = 0; i < 5; i++)
        lists[i] = hm_new_array(m, &list_type, 0);
    expect_counts(m, 5, 0, 0);
    hm_release(m, lists[0]);
    expect_counts(m, 4, 0, 0);
    hm_collect(m, 0);
    for (int i = 1; i < 4; i++)
        hm_release(m, lists[i]);
    expect_counts(m, 0, 1, 0);
    hm_release(m, hm_new_array(m, &list_type, 1));
    expect_counts(m, 0, 1, 0);
    hm_release(m, lists[4]);
    fixture_close(&fixture);
}

static void test_leaves_are_not_counted(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *leaf = hm_new(m, &leaf_type);
    expect_counts(m, 0, 0, 0);
    assert_int_equal(fixture_stats(&fixture).allocated_bytes, sizeof *leaf + 8);
    hm_release(m, leaf);
    fixture_close(&fixture);
}

/* Each collection counts in the next older generation, and zeroes its own and the younger ones. */
static void test_collect_generations(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    hm_collect(m, 2);
    struct hm_object *list = hm_new_array(m, &list_type, 0);
    hm_collect(m, 0);
    expect_counts(m, 0, 1, 0);
    hm_collect(m, 1);
    expect_counts(m, 0, 0, 1);
    hm_collect(m, 2);
    expect_counts(m, 0, 0, 0);
    const struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.collections[0], 1);
    assert_int_equal(s.collections[1], 1);
    assert_int_equal(s.collections[2], 2);
    hm_release(m, list);
    fixture_close(&fixture);
}

static void test_oldest_generation_above_its_threshold_is_chosen(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(1, 2, 1, ON);
    static const int expected[] = {0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1};
    for (int i = 0; i < 13; i++) {
        leak_self_cycles(m, 2);
        assert_int_equal(fixture.pauses, i + 1);
        assert_int_equal(fixture.generation, expected[i]);
    }
    fixture_close(&fixture);
}

static void test_nothing_collects_by_itself_when_automatic_is_off(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    leak_self_cycles(m, 1000);
    fixture.heap.allowed = 0;
    assert_null(hm_new(m, &leaf_type));
    assert_int_equal(fixture.pauses, 0);
    assert_int_equal(hm_collect(m, 2), 1000);
    fixture_close(&fixture);
}

static void test_threshold_zero_stops_automatic_collection(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(0, 10, 10, ON);
    leak_self_cycles(m, 1000);
    assert_int_equal(fixture.pauses, 0);
    fixture_close(&fixture);
}

/* Survivors of generation 1 are pending. A quarter of what the last full collection left is needed. */
static void full_collection_with_pending(int pending, int expected_generation) {
    struct hm_mutator *m = open_with(0, 0, 0, ON);
    struct hm_object *old = new_ring(m, 100);
    hm_collect(m, 2);
    struct hm_object *young = new_ring(m, pending);
    hm_collect(m, 1);
    assert_int_equal(m->long_lived_total, 100);
    assert_int_equal(m->long_lived_pending, pending);
    hm_collect(m, 0);
    hm_generational_overflow(m);
    assert_int_equal(fixture.generation, expected_generation);
    hm_release(m, old);
    hm_release(m, young);
    fixture_close(&fixture);
}

static void test_full_collection_waits_for_a_quarter_of_new_objects(void **state) {
    (void)state;
    full_collection_with_pending(24, 1);
    full_collection_with_pending(25, 2);
}

static void test_full_collection_starts_the_quarter_anew(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *ring = new_ring(m, 7);
    leak_self_cycles(m, 3);
    hm_collect(m, 1);
    assert_int_equal(m->long_lived_pending, 7);
    hm_collect(m, 2);
    assert_int_equal(m->long_lived_pending, 0);
    assert_int_equal(m->long_lived_total, 7);
    hm_release(m, ring);
    assert_int_equal(hm_collect(m, 2), 7);
    assert_int_equal(m->long_lived_total, 0);
    fixture_close(&fixture);
}

/* ---- What it finds ---- */

static void test_collect_returns_the_objects_found(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    leak_self_cycles(m, 1);
    assert_int_equal(hm_collect(m, 2), 1);
    hm_release(m, new_ring(m, 17));
    assert_int_equal(hm_collect(m, 2), 17);
    struct hm_object *ring = new_ring(m, 5);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(fixture.visited, 5);
    hm_release(m, ring);
    assert_int_equal(hm_collect(m, 2), 5);
    assert_int_equal(fixture.freed, 5);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 23);
    fixture_close(&fixture);
}

static void test_leaf_of_garbage_dies_uncounted(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *list = hm_new_array(m, &list_type, 2);
    struct hm_object *leaf = hm_new(m, &leaf_type);
    hm_store(m, list, 0, list);
    hm_init_store(m, list, 1, leaf);
    hm_release(m, list);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_false(is_live(leaf));
    fixture_close(&fixture);
}

static void test_survivors_move_up(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    static const int expected[] = {1, 2, 2};
    assert_int_equal(generation_of(list), 0);
    for (int g = 0; g < HM_GENERATIONS; g++) {
        hm_collect(m, g);
        assert_int_equal(generation_of(list), expected[g]);
    }
    hm_release(m, list);
    fixture_close(&fixture);
}

static void test_garbage_is_not_found_by_younger_collections(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *ring = new_ring(m, 3);
    hm_collect(m, 1);
    hm_release(m, ring);
    assert_int_equal(hm_collect(m, 0), 0);
    assert_int_equal(hm_collect(m, 1), 0);
    assert_int_equal(hm_collect(m, 2), 3);
    fixture_close(&fixture);
}

/* An object that is moved to a generation by collections before others exist. */
static struct hm_object *new_in_generation(struct hm_mutator *m, int generation) {
    struct hm_object *list = hm_new_array(m, &list_type, 2);
    for (int g = 0; g < generation; g++)
        hm_collect(m, g);
    assert_int_equal(generation_of(list), generation);
    return list;
}

static void older_holds_younger(int older, int younger) {
    struct hm_mutator *m = open_manual();
    struct hm_object *holder = new_in_generation(m, older);
    struct hm_object *held = new_in_generation(m, younger);
    hm_store(m, held, 0, held);
    hm_store(m, holder, 0, held);
    hm_release(m, held);
    assert_int_equal(hm_collect(m, younger), 0);
    assert_true(is_live(held));
    hm_store(m, holder, 0, NULL);
    assert_int_equal(hm_collect(m, 2), 1);
    hm_release(m, holder);
    fixture_close(&fixture);
}

/* While an older one of the cycle is not looked at, it counts as a root. */
static void cycle_across(int older, int younger) {
    struct hm_mutator *m = open_manual();
    struct hm_object *a = new_in_generation(m, older);
    struct hm_object *b = new_in_generation(m, younger);
    hm_store(m, a, 0, b);
    hm_store(m, b, 0, a);
    hm_release(m, a);
    hm_release(m, b);
    for (int g = younger; g < older; g++)
        assert_int_equal(hm_collect(m, g), 0);
    assert_int_equal(hm_collect(m, older), 2);
    fixture_close(&fixture);
}

static void test_older_objects_keep_younger_ones_for_every_pair(void **state) {
    (void)state;
    for (int older = 1; older < HM_GENERATIONS; older++)
        for (int younger = 0; younger < older; younger++) {
            older_holds_younger(older, younger);
            cycle_across(older, younger);
        }
}

/* ---- Finalizers ---- */

static struct hm_object *saved[2];
static int finalizer_runs;

static void save(struct hm_mutator *m, struct hm_object *object) {
    assert_true(finalizer_runs < 2);
    hm_retain(m, object);
    saved[finalizer_runs++] = object;
}

static const struct hm_type saved_type = {.name = "saved", .slots = 1, .finalize = save};

static struct hm_object *new_saved_cycle(struct hm_mutator *m) {
    struct hm_object *object = hm_new(m, &saved_type);
    hm_store(m, object, 0, object);
    return object;
}

/* test_gc.py of the same name: 100, 0, 100, 2. */
static void test_resurrection_does_not_block_cleanup(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    finalizer_runs = 0;
    leak_self_cycles(m, 100);
    assert_int_equal(hm_collect(m, 2), 100);
    hm_release(m, new_saved_cycle(m));
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(fixture_stats(&fixture).collected, 100);
    leak_self_cycles(m, 100);
    hm_release(m, new_saved_cycle(m));
    assert_int_equal(hm_collect(m, 2), 100);
    for (int i = 0; i < 2; i++)
        hm_release(m, saved[i]);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_int_equal(finalizer_runs, 2);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 202);
    fixture_close(&fixture);
}

static void test_resurrected_by_a_collection_is_in_the_older_generation(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    finalizer_runs = 0;
    struct hm_object *object = new_saved_cycle(m);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 0), 0);
    assert_int_equal(generation_of(object), 1);
    hm_release(m, saved[0]);
    assert_int_equal(hm_collect(m, 1), 1);
    fixture_close(&fixture);
}

static void test_resurrected_by_counting_is_in_the_youngest_generation(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    finalizer_runs = 0;
    struct hm_object *object = hm_new(m, &saved_type);
    hm_collect(m, 1);
    hm_release(m, object);
    assert_ptr_equal(saved[0], object);
    assert_int_equal(generation_of(object), 0);
    hm_release(m, object);
    assert_int_equal(finalizer_runs, 1);
    fixture_close(&fixture);
}

/* Breaks its own cycle, so that it dies while the collection still has it on a list. */
static void break_cycle(struct hm_mutator *m, struct hm_object *object) {
    finalizer_runs++;
    hm_store(m, object, 0, NULL);
}

static void test_what_dies_in_a_finalizer_is_not_counted(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "breaker", .slots = 1, .finalize = break_cycle};
    struct hm_mutator *m = open_manual();
    finalizer_runs = 0;
    struct hm_object *a = hm_new(m, &type);
    struct hm_object *b = hm_new(m, &type);
    hm_init_store(m, a, 0, b);
    hm_store(m, b, 0, a);
    hm_release(m, a);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(finalizer_runs, 2);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 2);
    fixture_close(&fixture);
}

static void collect_and_leak(struct hm_mutator *m, struct hm_object *object) {
    (void)object;
    finalizer_runs++;
    assert_int_equal(hm_collect(m, 2), 0);
    leak_self_cycles(m, 20);
}

static void test_collection_within_a_collection_does_nothing(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "collecting", .slots = 1, .finalize = collect_and_leak};
    struct hm_mutator *m = open_with(10, 10, 10, ON);
    finalizer_runs = 0;
    struct hm_object *object = hm_new(m, &type);
    hm_store(m, object, 0, object);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(finalizer_runs, 1);
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(hm_collect(m, 2), 20);
    fixture_close(&fixture);
}

/* ---- Types with passes of their own ---- */

static int traverse_first(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    struct hm_object *first = hm_load(object, 0);
    return first ? visit(first, arg) : 0;
}

static void test_slot_that_traverse_leaves_out_counts_as_outside(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "half", .slots = 2, .traverse = traverse_first};
    struct hm_mutator *m = open_manual();
    struct hm_object *object = hm_new(m, &type);
    hm_store(m, object, 0, object);
    hm_store(m, object, 1, object);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 0);
    hm_store(m, object, 1, NULL);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
}

static void clear_nothing(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static void test_what_clear_does_not_kill_moves_to_the_older_generation(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "frozen", .slots = 1, .clear = clear_nothing};
    struct hm_mutator *m = open_manual();
    struct hm_object *object = hm_new(m, &type);
    hm_store(m, object, 0, object);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 0), 1);
    assert_int_equal(generation_of(object), 1);
    assert_int_equal(hm_collect(m, 1), 1);
    assert_int_equal(generation_of(object), 2);
    hm_store(m, object, 0, NULL);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocation_above_the_threshold_collects),
        cmocka_unit_test(test_count_falls_with_deaths_but_not_below_zero),
        cmocka_unit_test(test_leaves_are_not_counted),
        cmocka_unit_test(test_collect_generations),
        cmocka_unit_test(test_oldest_generation_above_its_threshold_is_chosen),
        cmocka_unit_test(test_nothing_collects_by_itself_when_automatic_is_off),
        cmocka_unit_test(test_threshold_zero_stops_automatic_collection),
        cmocka_unit_test(test_full_collection_waits_for_a_quarter_of_new_objects),
        cmocka_unit_test(test_full_collection_starts_the_quarter_anew),
        cmocka_unit_test(test_collect_returns_the_objects_found),
        cmocka_unit_test(test_leaf_of_garbage_dies_uncounted),
        cmocka_unit_test(test_survivors_move_up),
        cmocka_unit_test(test_garbage_is_not_found_by_younger_collections),
        cmocka_unit_test(test_older_objects_keep_younger_ones_for_every_pair),
        cmocka_unit_test(test_resurrection_does_not_block_cleanup),
        cmocka_unit_test(test_resurrected_by_a_collection_is_in_the_older_generation),
        cmocka_unit_test(test_resurrected_by_counting_is_in_the_youngest_generation),
        cmocka_unit_test(test_what_dies_in_a_finalizer_is_not_counted),
        cmocka_unit_test(test_collection_within_a_collection_does_nothing),
        cmocka_unit_test(test_slot_that_traverse_leaves_out_counts_as_outside),
        cmocka_unit_test(test_what_clear_does_not_kill_moves_to_the_older_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

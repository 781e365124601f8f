/* What a program may ask of `generational`, what it may keep, and what it never frees. Numbers are those
 * of CPython 3.11.7's gc module. */
#include "tests/unit/generational_open.h"

static void expect_three(const int64_t got[3], int64_t a, int64_t b, int64_t c) {
    assert_int_equal(got[0], a);
    assert_int_equal(got[1], b);
    assert_int_equal(got[2], c);
}

static void expect_control_counts(int64_t a, int64_t b, int64_t c) {
    int64_t counts[3];
    control()->get_count(fixture.gc, counts);
    expect_three(counts, a, b, c);
}

/* ---- When it collects ---- */

static void test_counts_are_those_of_the_generations(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *ring = new_ring(m, 3);
    expect_control_counts(3, 0, 0);
    hm_collect(m, 0);
    expect_control_counts(0, 1, 0);
    hm_collect(m, 1);
    expect_control_counts(0, 0, 1);
    hm_collect(m, 2);
    expect_control_counts(0, 0, 0);
    hm_release(m, ring);
    fixture_close(&fixture);
}

static void test_thresholds_can_be_changed_while_it_runs(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(-1, -1, -1, ON);
    int64_t thresholds[3];
    control()->get_threshold(fixture.gc, thresholds);
    expect_three(thresholds, 700, 10, 10);
    control()->set_threshold(fixture.gc, (int64_t[]){5, 6, 7});
    control()->get_threshold(fixture.gc, thresholds);
    expect_three(thresholds, 5, 6, 7);
    leak_self_cycles(m, 5);
    assert_int_equal(fixture.pauses, 0);
    leak_self_cycles(m, 1);
    assert_int_equal(fixture.pauses, 1);
    control()->set_threshold(fixture.gc, (int64_t[]){0, 6, 7});
    leak_self_cycles(m, 100);
    assert_int_equal(fixture.pauses, 1);
    fixture_close(&fixture);
}

static void test_disabled_collector_collects_when_told(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(5, 10, 10, ON);
    assert_true(control()->is_enabled(fixture.gc));
    control()->enable(fixture.gc, false);
    assert_false(control()->is_enabled(fixture.gc));
    leak_self_cycles(m, 100);
    assert_int_equal(fixture.pauses, 0);
    expect_control_counts(100, 0, 0);
    control()->enable(fixture.gc, true);
    leak_self_cycles(m, 1);
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(fixture.freed, 100);
    control()->enable(fixture.gc, false);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
}

/* ---- Freezing ---- */

static void test_frozen_objects_are_not_looked_at(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *ring = new_ring(m, 3);
    hm_collect(m, 1);
    hm_release(m, new_ring(m, 4));
    control()->freeze(fixture.gc);
    expect_control_counts(0, 0, 0);
    assert_int_equal(control()->freeze_count(fixture.gc), 7);
    assert_int_equal(generation_of(ring), 3);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(fixture.visited, 0);
    control()->unfreeze(fixture.gc);
    assert_int_equal(control()->freeze_count(fixture.gc), 0);
    assert_int_equal(generation_of(ring), 2);
    assert_int_equal(hm_collect(m, 1), 0);
    assert_int_equal(hm_collect(m, 2), 4);
    hm_release(m, ring);
    fixture_close(&fixture);
}

static void test_frozen_object_dies_of_its_count(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    control()->freeze(fixture.gc);
    hm_release(m, list);
    assert_int_equal(control()->freeze_count(fixture.gc), 0);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1);
    fixture_close(&fixture);
}

static void test_close_frees_what_is_frozen_or_kept_as_garbage(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *ring = new_ring(m, 3);
    hm_init_store(m, hm_load(ring, 0), 0, hm_new(m, &leaf_type));
    control()->freeze(fixture.gc);
    control()->save_all(fixture.gc, true);
    leak_self_cycles(m, 3);
    assert_int_equal(hm_collect(m, 2), 3);
    struct hm_object *leaf = hm_load(hm_load(ring, 0), 0);
    assert_true(leaf->leaf);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

/* ---- Garbage that is kept ---- */

/* test_saveall; what is kept is reachable, and not found again. */
static void test_saved_garbage_is_counted_and_stays(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    control()->save_all(fixture.gc, true);
    struct hm_object *list = new_self_cycle(m);
    hm_release(m, list);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(control()->garbage_count(fixture.gc), 1);
    assert_ptr_equal(hm_load(list, 0), list);
    assert_int_equal(list->count, 2);
    assert_int_equal(hm_collect(m, 2), 0);
    control()->save_all(fixture.gc, false);
    assert_ptr_equal(control()->pop_garbage(fixture.gc), list);
    assert_null(control()->pop_garbage(fixture.gc));
    assert_int_equal(control()->garbage_count(fixture.gc), 0);
    hm_release(m, list);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1);
    fixture_close(&fixture);
}

static void test_garbage_that_can_not_be_noted_is_found_again(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    control()->save_all(fixture.gc, true);
    leak_self_cycles(m, 2);
    fixture.heap.allowed = 1;
    assert_int_equal(hm_collect(m, 2), 2);
    fixture.heap.allowed = UINT64_MAX;
    assert_int_equal(control()->garbage_count(fixture.gc), 1);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(control()->garbage_count(fixture.gc), 2);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

/* ---- Legacy finalizers ---- */

static int legacy_runs;
static struct hm_object *legacy_kept;
static struct hm_object *legacy_weak;
static int legacy_calls;

static void count_call(struct hm_mutator *m, struct hm_object *reference) {
    (void)reference;
    legacy_calls++;
    assert_int_equal(hm_collect(m, 2), 0);
}

static void run_legacy(struct hm_mutator *m, struct hm_object *object) {
    legacy_runs++;
    assert_int_equal(legacy_calls, 1);
    assert_int_equal(hm_collect(m, 2), 0);
    if (legacy_runs == 1) {
        hm_retain(m, object);
        legacy_kept = object;
    } else {
        legacy_weak = hm_weak_new(m, object, count_call);
    }
}

static const struct hm_type legacy_type = {.name = "legacy",
                                           .slots = 1,
                                           .weakable = true,
                                           .finalize = run_legacy,
                                           .legacy_finalizer = true};

/* GCCallbackTests.test_collect_garbage: 1 collected, 4 uncollectable, 4 in the list; then 0 and 2. */
static void test_what_legacy_finalizers_need_is_uncollectable(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "legacy", .slots = 2, .finalize = run_legacy, .legacy_finalizer = true};
    struct hm_mutator *m = open_manual();
    struct hm_gc_generation_stats stats[3];
    leak_self_cycles(m, 1);
    for (int i = 0; i < 2; i++) {
        struct hm_object *object = hm_new(m, &type);
        hm_store(m, object, 0, object);
        hm_init_store(m, object, 1, hm_new_array(m, &list_type, 0));
        hm_release(m, object);
    }
    assert_int_equal(hm_collect(m, 0), 1 + 4);
    control()->get_stats(fixture.gc, stats);
    assert_int_equal(stats[0].collections, 1);
    assert_int_equal(stats[0].collected, 1);
    assert_int_equal(stats[0].uncollectable, 4);
    assert_int_equal(control()->garbage_count(fixture.gc), 2);
    assert_int_equal(generation_of(hm_load(control()->pop_garbage(fixture.gc), 1)), 1);
    assert_int_equal(fixture.freed, 1);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static void test_saving_all_keeps_what_legacy_finalizers_reach(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    control()->save_all(fixture.gc, true);
    struct hm_object *object = hm_new(m, &legacy_type);
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    hm_store(m, list, 0, object);
    hm_init_store(m, object, 0, list);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_int_equal(control()->garbage_count(fixture.gc), 2);
    fixture_close(&fixture);
}

/* It runs at every death; the weak references go before it, and those that it makes without a call. */
static void test_legacy_finalizer_runs_at_each_death_after_the_callbacks(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    legacy_runs = legacy_calls = 0;
    struct hm_object *object = hm_new(m, &legacy_type);
    struct hm_object *w = hm_weak_new(m, object, count_call);
    hm_collect(m, 2);
    hm_release(m, object);
    assert_int_equal(legacy_runs, 1);
    assert_ptr_equal(legacy_kept, object);
    assert_int_equal(generation_of(object), 2);
    hm_release(m, object);
    assert_int_equal(legacy_runs, 2);
    assert_null(hm_weak_get(m, legacy_weak));
    assert_int_equal(legacy_calls, 1);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1);
    hm_release(m, w);
    hm_release(m, legacy_weak);
    fixture_close(&fixture);
}

/* ---- Telling ---- */

static struct {
    int calls;
    int generation;
    uint64_t collected;
    uint64_t uncollectable;
} told[2];

static void tell(void *arg, bool stop, int generation, uint64_t collected, uint64_t uncollectable) {
    told[stop].calls++;
    told[stop].generation = generation;
    told[stop].collected = collected;
    told[stop].uncollectable = uncollectable;
    struct hm_mutator *m = arg;
    assert_int_equal(fixture.pausing, 0);
    assert_int_equal(hm_collect(m, 2), 0);
    leak_self_cycles(m, 1);
}

static void test_callback_is_told_of_each_collection_before_and_after(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    memset(told, 0, sizeof told);
    control()->set_callback(fixture.gc, tell, m);
    leak_self_cycles(m, 3);
    assert_int_equal(hm_collect(m, 1), 4);
    for (int stop = 0; stop < 2; stop++) {
        assert_int_equal(told[stop].calls, 1);
        assert_int_equal(told[stop].generation, 1);
        assert_int_equal(told[stop].collected, stop ? 4 : 0);
        assert_int_equal(told[stop].uncollectable, 0);
    }
    control()->set_callback(fixture.gc, NULL, NULL);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(told[0].calls, 1);
    fixture_close(&fixture);
}

static void save_it(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
}

static void test_finalized_objects_are_known(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "saved", .slots = 1, .finalize = save_it};
    struct hm_mutator *m = open_manual();
    struct hm_object *object = hm_new(m, &type);
    assert_false(control()->is_finalized(fixture.gc, object));
    hm_release(m, object);
    assert_true(control()->is_finalized(fixture.gc, object));
    hm_release(m, object);
    assert_false(is_live(object));
    fixture_close(&fixture);
}

/* ---- Untracking ---- */

static const struct hm_type tuple_type = {.name = "tuple", .variable = true, .immutable = true};

static struct hm_object *new_tuple(struct hm_mutator *m, struct hm_object *first,
                                   struct hm_object *second) {
    struct hm_object *tuple = hm_new_array(m, &tuple_type, 2);
    hm_init_store(m, tuple, 0, first);
    hm_init_store(m, tuple, 1, second);
    return tuple;
}

/* test_tuple.py, check_track_dynamic: (1, 2) and ((1, 2), 3) are untracked by the first collection that
 * sees them in this order, ([], 1) never. */
static void test_immutable_containers_of_leaves_are_untracked(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *inner = new_tuple(m, hm_new(m, &leaf_type), hm_new(m, &leaf_type));
    struct hm_object *outer = new_tuple(m, inner, hm_new(m, &leaf_type));
    struct hm_object *full = new_tuple(m, hm_new_array(m, &list_type, 0), hm_new(m, &leaf_type));
    struct hm_object *empty = new_tuple(m, hm_new(m, &leaf_type), NULL);
    hm_retain(m, inner);
    assert_int_equal(generation_of(inner), 0);
    hm_collect(m, 0);
    assert_int_equal(generation_of(inner), -1);
    assert_int_equal(generation_of(outer), -1);
    assert_int_equal(generation_of(full), 1);
    assert_int_equal(generation_of(empty), 1);
    struct hm_object *young = new_tuple(m, hm_new(m, &leaf_type), hm_new(m, &leaf_type));
    hm_collect(m, 2);
    assert_int_equal(fixture.visited, 3 + 1);
    assert_int_equal(m->long_lived_total, 3);
    hm_release(m, young);
    hm_release(m, outer);
    hm_release(m, inner);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 3 + 5);
    hm_release(m, full);
    hm_release(m, empty);
    fixture_close(&fixture);
}

static void test_holder_that_is_seen_before_what_it_holds_takes_two_collections(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *outer = hm_new_array(m, &tuple_type, 1);
    struct hm_object *inner = new_tuple(m, hm_new(m, &leaf_type), hm_new(m, &leaf_type));
    hm_init_store(m, outer, 0, inner);
    hm_collect(m, 0);
    assert_int_equal(generation_of(inner), -1);
    assert_int_equal(generation_of(outer), 1);
    hm_collect(m, 1);
    assert_int_equal(generation_of(outer), -1);
    hm_release(m, outer);
    fixture_close(&fixture);
}

static void test_close_finds_untracked_objects(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    struct hm_object *tuple = new_tuple(m, hm_new(m, &leaf_type), hm_new(m, &leaf_type));
    hm_init_store(m, list, 0, new_tuple(m, tuple, hm_new(m, &leaf_type)));
    hm_collect(m, 2);
    assert_int_equal(generation_of(tuple), -1);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_those_of_the_generations),
        cmocka_unit_test(test_thresholds_can_be_changed_while_it_runs),
        cmocka_unit_test(test_disabled_collector_collects_when_told),
        cmocka_unit_test(test_frozen_objects_are_not_looked_at),
        cmocka_unit_test(test_frozen_object_dies_of_its_count),
        cmocka_unit_test(test_close_frees_what_is_frozen_or_kept_as_garbage),
        cmocka_unit_test(test_saved_garbage_is_counted_and_stays),
        cmocka_unit_test(test_garbage_that_can_not_be_noted_is_found_again),
        cmocka_unit_test(test_what_legacy_finalizers_need_is_uncollectable),
        cmocka_unit_test(test_saving_all_keeps_what_legacy_finalizers_reach),
        cmocka_unit_test(test_legacy_finalizer_runs_at_each_death_after_the_callbacks),
        cmocka_unit_test(test_callback_is_told_of_each_collection_before_and_after),
        cmocka_unit_test(test_finalized_objects_are_known),
        cmocka_unit_test(test_immutable_containers_of_leaves_are_untracked),
        cmocka_unit_test(test_holder_that_is_seen_before_what_it_holds_takes_two_collections),
        cmocka_unit_test(test_close_finds_untracked_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

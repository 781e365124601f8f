/* Free lists and immortal objects of the collectors that count references.
 *
 * collectors: refcount generational */
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

#include "workloads/workload.h"

static struct fixture fixture;

static const struct hm_type box_type = {
    .name = "box", .payload_bytes = 8, .free_list = 1, .kept = 3};
static const struct hm_type pair_type = {
    .name = "pair", .slots = 2, .payload_bytes = 8, .free_list = HM_FREE_LISTS, .kept = 2};
static const struct hm_type plain_type = {.name = "plain", .payload_bytes = 8};
static const struct hm_type list_type = {.name = "list", .variable = true};

static struct hm_mutator *open_it(void) {
    fixture_prepare(&fixture, hm_collector_find(HM_WORKLOAD_STRING(HM_COLLECTOR)));
    fixture_open(&fixture);
    return fixture.m;
}

static uint64_t blocks(void) {
    return fixture.heap.live_blocks;
}

static void check_kept(const struct hm_type *type) {
    struct hm_mutator *m = open_it();
    struct hm_object *o[6];
    uint64_t before = blocks();
    for (int i = 0; i < 6; i++)
        o[i] = hm_new(m, type);
    for (int i = 0; i < 6; i++)
        hm_release(m, o[i]);
    assert_int_equal(blocks(), before + type->kept);
    for (int i = type->kept - 1; i >= 0; i--) {
        struct hm_object *again = hm_new(m, type);
        assert_ptr_equal(again, o[i]);
        for (uint32_t slot = 0; slot < type->slots; slot++)
            assert_null(hm_load(again, slot));
        assert_int_equal(*(uint64_t *)hm_payload(again), 0);
        assert_int_equal(again->count, 1);
        *(uint64_t *)hm_payload(again) = UINT64_MAX;
    }
    assert_int_equal(blocks(), before + type->kept);
    struct hm_object *fresh = hm_new(m, type);
    assert_int_equal(blocks(), before + type->kept + 1);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.allocated_objects, 6u + type->kept + 1);
    assert_int_equal(s.freed_objects, 6);
    assert_int_equal(s.allocated_bytes, s.freed_bytes / 6 * s.allocated_objects);
    hm_release(m, fresh);
    for (int i = 0; i < type->kept; i++)
        hm_release(m, o[i]);
    fixture_close(&fixture);
    assert_int_equal(blocks(), 0);
}

static void test_as_many_as_are_kept_come_back_newest_first(void **state) {
    (void)state;
    check_kept(&box_type);
    check_kept(&pair_type);
}

static void test_a_list_gives_only_its_own_type(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *box = hm_new(m, &box_type);
    hm_release(m, box);
    struct hm_object *pair = hm_new(m, &pair_type);
    struct hm_object *plain = hm_new(m, &plain_type);
    assert_ptr_not_equal(pair, box);
    assert_ptr_not_equal(plain, box);
    hm_release(m, plain);
    assert_false(is_live(plain));
    hm_release(m, pair);
    fixture_close(&fixture);
    assert_int_equal(blocks(), 0);
}

/* A kept object has let go of all that it held. */
static void test_what_a_kept_object_held_is_freed(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *pair = hm_new(m, &pair_type);
    struct hm_object *plain = hm_new(m, &plain_type);
    hm_init_store(m, pair, 0, hm_new(m, &pair_type));
    hm_init_store(m, pair, 1, plain);
    uint64_t before = blocks();
    hm_release(m, pair);
    assert_false(is_live(plain));
    assert_int_equal(blocks(), before - 1);
    fixture_close(&fixture);
}

#ifdef HM_COLLECTORS_GENERATIONAL_H
/* PyList_New: neither the death of one that is kept nor its new life is counted, until it is freed. */
static void test_reuse_is_not_counted(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *lists[9];
    for (int i = 0; i < 9; i++)
        lists[i] = hm_new_array(m, &list_type, 0);
    struct hm_object *pairs[3];
    for (int i = 0; i < 3; i++)
        pairs[i] = hm_new(m, &pair_type);
    assert_int_equal(m->generations[0].count, 12);
    for (int i = 0; i < 3; i++)
        hm_release(m, pairs[i]);
    assert_int_equal(m->generations[0].count, 11);
    pairs[0] = hm_new(m, &pair_type);
    assert_int_equal(m->generations[0].count, 11);
    hm_release(m, pairs[0]);
    for (int i = 0; i < 9; i++)
        hm_release(m, lists[i]);
    assert_int_equal(m->generations[0].count, 2);
    fixture_close(&fixture);
}

static void test_full_collection_empties_the_lists(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    uint64_t before = blocks();
    hm_release(m, hm_new(m, &pair_type));
    hm_release(m, hm_new(m, &box_type));
    hm_collect(m, 1);
    assert_int_equal(blocks(), before + 2);
    hm_collect(m, 2);
    assert_int_equal(blocks(), before);
    assert_int_equal(m->counted + m->generations[0].count, 0);
    fixture_close(&fixture);
}
#endif

static void test_what_is_kept_is_freed_before_memory_runs_out(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    for (int i = 0; i < 2; i++)
        hm_release(m, hm_new(m, &box_type));
    fixture.heap.room = blocks();
    struct hm_object *plain = hm_new(m, &plain_type);
    assert_non_null(plain);
    hm_release(m, plain);
    fixture_close(&fixture);
}

/* ---- Immortal objects ---- */

static void test_immortal_outlives_its_references_and_goes_at_close(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *leaf = hm_new(m, &plain_type);
    struct hm_object *list = hm_new_array(m, &list_type, 2);
    assert_true(hm_immortalize(m, leaf));
    assert_true(hm_immortalize(m, leaf));
    assert_true(hm_immortalize(m, list));
    struct hm_object *pair = hm_new(m, &pair_type);
    hm_store(m, pair, 0, leaf);
    hm_store(m, pair, 1, leaf);
    hm_release(m, pair);
    hm_release(m, leaf);
    hm_release(m, list);
    hm_store(m, list, 0, list);
    hm_store(m, list, 1, leaf);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_true(is_live(leaf));
    assert_true(is_live(list));
    assert_ptr_equal(hm_load(list, 1), leaf);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1);
    fixture_close(&fixture);
    assert_int_equal(blocks(), 0);
}

/* Not by one reference more than were counted down before. */
static void test_count_of_an_immortal_is_exact_above_its_bit(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *leaf = hm_new(m, &plain_type);
    for (int i = 0; i < 1000; i++)
        hm_retain(m, leaf);
    hm_immortalize(m, leaf);
    for (int i = 0; i < 1001; i++)
        hm_release(m, leaf);
    assert_int_equal(leaf->count, 1u << 31);
    fixture_close(&fixture);
}

static void test_without_memory_an_object_stays_mortal(void **state) {
    (void)state;
    struct hm_mutator *m = open_it();
    struct hm_object *leaf = hm_new(m, &plain_type);
    fixture.heap.allowed = 0;
    errno = 0;
    assert_false(hm_immortalize(m, leaf));
    assert_int_equal(errno, ENOMEM);
    hm_release(m, leaf);
    assert_false(is_live(leaf));
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_as_are_kept_come_back_newest_first),
        cmocka_unit_test(test_a_list_gives_only_its_own_type),
        cmocka_unit_test(test_what_a_kept_object_held_is_freed),
#ifdef HM_COLLECTORS_GENERATIONAL_H
        cmocka_unit_test(test_reuse_is_not_counted),
        cmocka_unit_test(test_full_collection_empties_the_lists),
#endif
        cmocka_unit_test(test_what_is_kept_is_freed_before_memory_runs_out),
        cmocka_unit_test(test_immortal_outlives_its_references_and_goes_at_close),
        cmocka_unit_test(test_count_of_an_immortal_is_exact_above_its_bit),
        cmocka_unit_test(test_without_memory_an_object_stays_mortal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

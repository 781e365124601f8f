/* A collection of `generational` leaves alone what is not on the list that it looks at: untracked and
 * frozen containers, and leaves. It may take the references to them for references within, as its pass over
 * a whole heap asks for less of each object. */
#include "tests/unit/generational_open.h"

static const struct hm_type tuple_type = {.name = "tuple", .variable = true, .immutable = true};

/* A tuple of one leaf. */
static struct hm_object *new_tuple(struct hm_mutator *m) {
    struct hm_object *tuple = hm_new_array(m, &tuple_type, 1);
    hm_init_store(m, tuple, 0, hm_new(m, &leaf_type));
    return tuple;
}

/* A cycle of one, which holds something twice. */
static struct hm_object *new_holder(struct hm_mutator *m, struct hm_object *held) {
    struct hm_object *list = hm_new_array(m, &list_type, 3);
    for (uint32_t i = 0; i < 2; i++)
        hm_store(m, list, i, held);
    hm_store(m, list, 2, list);
    return list;
}

static void expect_untouched(struct hm_object *object, struct hm_gc_head before, uint32_t count) {
    assert_int_equal(hm_gc_head_of(object)->next, before.next);
    assert_int_equal(hm_gc_head_of(object)->prev, before.prev);
    assert_int_equal(object->count, count);
}

static void test_untracked_containers(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *tuple = new_tuple(m);
    hm_collect(m, 2);
    assert_int_equal(generation_of(tuple), -1);
    struct hm_gc_head before = *hm_gc_head_of(tuple);
    struct hm_object *holder = new_holder(m, tuple);
    assert_int_equal(hm_collect(m, 2), 0);
    expect_untouched(tuple, before, 3);
    hm_release(m, holder);
    assert_int_equal(hm_collect(m, 2), 1);
    expect_untouched(tuple, before, 1);
    hm_release(m, tuple);
    fixture_close(&fixture);
}

static void test_frozen_containers(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *frozen = hm_new_array(m, &list_type, 1);
    control()->freeze(fixture.gc);
    struct hm_gc_head before = *hm_gc_head_of(frozen);
    struct hm_object *holder = new_holder(m, frozen);
    assert_int_equal(hm_collect(m, 2), 0);
    expect_untouched(frozen, before, 3);
    hm_release(m, holder);
    assert_int_equal(hm_collect(m, 2), 1);
    expect_untouched(frozen, before, 1);
    hm_release(m, frozen);
    assert_int_equal(control()->freeze_count(fixture.gc), 0);
    fixture_close(&fixture);
}

static void test_leaves(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *leaf = hm_new(m, &leaf_type);
    struct hm_object *holder = new_holder(m, leaf), *other = new_holder(m, leaf);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(leaf->count, 5);
    hm_release(m, holder);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(leaf->count, 3);
    hm_release(m, leaf);
    hm_release(m, other);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untracked_containers),
        cmocka_unit_test(test_frozen_containers),
        cmocka_unit_test(test_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

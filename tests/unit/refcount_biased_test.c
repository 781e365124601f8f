/* Biased counts, state by state: two mutators driven by one thread, so that each step comes when it is
 * told to. */
#define HM_COLLECTOR_HEADER "collectors/refcount_biased.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

static struct fixture fixture;
static struct hm_mutator *owner, *other;

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};
static const struct hm_type pair_type = {.name = "pair", .slots = 2};

static int set_up(void **state) {
    (void)state;
    fixture_prepare(&fixture, hm_collector_compiled("refcount_biased"));
    const struct hm_gc_options options = {.params = fixture.params,
                                          .memory = &fixture.memory,
                                          .events = &fixture.events,
                                          .mutators = 2,
                                          .threading = HM_FREE};
    assert_int_equal(fixture.collector->open(&fixture.gc, &options), 0);
    owner = fixture.collector->attach(fixture.gc);
    other = fixture.collector->attach(fixture.gc);
    assert_non_null(owner);
    assert_non_null(other);
    assert_null(fixture.collector->attach(fixture.gc));
    return 0;
}

/* Close; all objects were freed. */
static void shut(void) {
    if (owner)
        fixture.collector->detach(owner);
    fixture.collector->detach(other);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    fixture.collector->close(fixture.gc);
    heap_close(&fixture.heap);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static void end_owner(void) {
    fixture.collector->detach(owner);
    owner = NULL;
}

static void check(struct hm_object *object, uint64_t state, int local, int shared) {
    uint64_t word = hm_biased_word(object);
    assert_true(is_live(object));
    assert_int_equal(word & HM_BIASED_STATE, state);
    assert_int_equal((int32_t)object->count, local);
    assert_int_equal(hm_biased_shared(word), shared);
    assert_int_equal(hm_rc_count(object), local + shared);
    bool owned = state == HM_BIASED_OWNED || state == HM_BIASED_QUEUED;
    assert_int_equal((word & HM_BIASED_OWNER) != 0, owned);
}

static void test_the_owner_counts_locally_and_others_share(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    check(object, HM_BIASED_OWNED, 1, 0);
    hm_retain(owner, object);
    check(object, HM_BIASED_OWNED, 2, 0);
    hm_retain(other, object);
    check(object, HM_BIASED_OWNED, 2, 1);
    hm_release(other, object);
    check(object, HM_BIASED_OWNED, 2, 0);
    hm_release(owner, object);
    hm_release(owner, object);
    assert_false(is_live(object));
    shut();
}

static void test_an_object_is_merged_when_its_owner_has_no_reference_left(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_retain(other, object);
    hm_release(owner, object);
    check(object, HM_BIASED_MERGED, 0, 1);
    hm_retain(owner, object);
    check(object, HM_BIASED_MERGED, 0, 2);
    hm_release(other, object);
    check(object, HM_BIASED_MERGED, 0, 1);
    hm_release(owner, object);
    assert_false(is_live(object));
    shut();
}

static void test_what_another_thread_releases_waits_for_its_owner(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_release(other, object);
    check(object, HM_BIASED_QUEUED, 1, -1);
    hm_safepoint(other);
    check(object, HM_BIASED_QUEUED, 1, -1);
    hm_safepoint(owner);
    assert_false(is_live(object));
    shut();
}

static void test_a_queued_object_that_is_still_referred_to_is_merged_and_lives(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_retain(owner, object);
    hm_retain(owner, object);
    hm_release(other, object);
    check(object, HM_BIASED_QUEUED, 3, -1);
    hm_release(other, object);
    check(object, HM_BIASED_QUEUED, 3, -2);
    hm_safepoint(owner);
    check(object, HM_BIASED_MERGED, 0, 1);
    hm_release(owner, object);
    assert_false(is_live(object));
    shut();
}

/* Its link is in use: nobody may free it before it is taken from the queue. */
static void test_a_queued_object_is_not_freed_by_its_last_release(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_retain(owner, object);
    hm_release(other, object);
    check(object, HM_BIASED_QUEUED, 2, -1);
    hm_retain(other, object);
    check(object, HM_BIASED_QUEUED, 2, 0);
    hm_release(owner, object);
    hm_release(owner, object);
    check(object, HM_BIASED_QUEUED, 0, 0);
    hm_safepoint(owner);
    assert_false(is_live(object));
    shut();
}

static void test_a_local_count_below_zero_is_made_good_by_the_merging(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_release(other, object);
    hm_retain(owner, object);
    for (int i = 0; i < 3; i++)
        hm_retain(other, object);
    for (int i = 0; i < 3; i++)
        hm_release(owner, object);
    check(object, HM_BIASED_QUEUED, -1, 2);
    hm_safepoint(owner);
    check(object, HM_BIASED_MERGED, 0, 1);
    hm_release(other, object);
    assert_false(is_live(object));
    shut();
}

static void test_many_objects_wait_in_one_queue(void **state) {
    (void)state;
    enum {
        MANY = 100
    };
    struct hm_object *objects[MANY];
    for (int i = 0; i < MANY; i++) {
        objects[i] = hm_new(owner, &leaf_type);
        hm_release(other, objects[i]);
    }
    hm_safepoint(owner);
    for (int i = 0; i < MANY; i++)
        assert_false(is_live(objects[i]));
    shut();
}

/* The death of the first one takes a reference off the second, which waits in the same queue. */
static void test_an_object_in_the_queue_can_be_held_by_another_one_there(void **state) {
    (void)state;
    struct hm_object *pair = hm_new(owner, &pair_type);
    struct hm_object *leaf = hm_new(owner, &leaf_type);
    hm_store(owner, pair, 1, leaf);
    hm_release(other, leaf);
    hm_release(other, pair);
    check(leaf, HM_BIASED_QUEUED, 2, -1);
    hm_safepoint(owner);
    assert_false(is_live(pair));
    assert_false(is_live(leaf));
    shut();
}

static void test_the_queue_is_emptied_when_its_thread_ends(void **state) {
    (void)state;
    struct hm_object *dead = hm_new(owner, &leaf_type);
    struct hm_object *held = hm_new(owner, &leaf_type);
    hm_retain(owner, held);
    hm_release(other, dead);
    hm_release(other, held);
    end_owner();
    assert_false(is_live(dead));
    check(held, HM_BIASED_MERGED, 0, 1);
    hm_release(other, held);
    assert_false(is_live(held));
    shut();
}

static void test_objects_of_a_thread_that_has_ended_are_merged_by_who_releases_them(void **state) {
    (void)state;
    struct hm_object *one = hm_new(owner, &leaf_type);
    struct hm_object *two = hm_new(owner, &leaf_type);
    hm_retain(owner, two);
    end_owner();
    check(one, HM_BIASED_OWNED, 1, 0);
    hm_release(other, one);
    assert_false(is_live(one));
    hm_release(other, two);
    check(two, HM_BIASED_MERGED, 0, 1);
    hm_release(other, two);
    assert_false(is_live(two));
    shut();
}

static void test_a_thread_that_comes_later_owns_nothing_of_one_that_has_ended(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    unsigned number = owner->number;
    end_owner();
    owner = fixture.collector->attach(fixture.gc);
    assert_non_null(owner);
    assert_int_not_equal(owner->number, number);
    hm_retain(owner, object);
    check(object, HM_BIASED_OWNED, 1, 1);
    hm_release(owner, object);
    hm_release(owner, object);
    assert_false(is_live(object));
    shut();
}

static void test_an_immortal_is_not_written(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    assert_true(hm_immortalize(other, object));
    assert_true(hm_immortalize(owner, object));
    uint64_t word = hm_biased_word(object);
    uint32_t count = object->count;
    hm_retain(owner, object);
    hm_retain(other, object);
    for (int i = 0; i < 5; i++) {
        hm_release(other, object);
        hm_release(owner, object);
    }
    assert_int_equal(hm_biased_word(object), word);
    assert_int_equal(object->count, count);
    fixture.collector->detach(owner);
    fixture.collector->detach(other);
    fixture.collector->close(fixture.gc);
    heap_close(&fixture.heap);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static void test_an_object_can_become_immortal_in_the_queue(void **state) {
    (void)state;
    struct hm_object *object = hm_new(owner, &leaf_type);
    hm_retain(owner, object);
    hm_release(other, object);
    check(object, HM_BIASED_QUEUED, 2, -1);
    assert_true(hm_immortalize(owner, object));
    hm_safepoint(owner);
    hm_release(owner, object);
    assert_true(is_live(object));
    fixture.collector->detach(owner);
    fixture.collector->detach(other);
    fixture.collector->close(fixture.gc);
    heap_close(&fixture.heap);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static struct hm_object *kept;
static int finalized;

static void keep(struct hm_mutator *m, struct hm_object *object) {
    assert_ptr_equal(m, other);
    check(object, HM_BIASED_OWNED, 1, 0);
    finalized++;
    hm_retain(m, object);
    kept = object;
}

static const struct hm_type kept_type = {.name = "kept", .finalize = keep};

static void test_who_finalizes_an_object_that_comes_back_owns_it(void **state) {
    (void)state;
    finalized = 0;
    struct hm_object *object = hm_new(owner, &kept_type);
    hm_retain(other, object);
    hm_release(owner, object);
    hm_release(other, object);
    assert_int_equal(finalized, 1);
    check(object, HM_BIASED_OWNED, 1, 0);
    assert_int_equal(hm_biased_word(object) & HM_BIASED_OWNER, other->number);
    hm_release(other, kept);
    assert_int_equal(finalized, 1);
    assert_false(is_live(object));
    shut();
}

static void test_out_of_memory_frees_what_waits_in_the_queue_first(void **state) {
    (void)state;
    struct hm_object *waiting = hm_new(owner, &leaf_type);
    fixture.heap.room = fixture.heap.live_blocks;
    assert_null(hm_new(owner, &leaf_type));
    hm_release(other, waiting);
    struct hm_object *object = hm_new(owner, &leaf_type);
    assert_non_null(object);
    assert_false(is_live(waiting));
    fixture.heap.room = UINT64_MAX;
    hm_release(owner, object);
    shut();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_owner_counts_locally_and_others_share, set_up),
        cmocka_unit_test_setup(test_an_object_is_merged_when_its_owner_has_no_reference_left,
                               set_up),
        cmocka_unit_test_setup(test_what_another_thread_releases_waits_for_its_owner, set_up),
        cmocka_unit_test_setup(test_a_queued_object_that_is_still_referred_to_is_merged_and_lives,
                               set_up),
        cmocka_unit_test_setup(test_a_queued_object_is_not_freed_by_its_last_release, set_up),
        cmocka_unit_test_setup(test_a_local_count_below_zero_is_made_good_by_the_merging, set_up),
        cmocka_unit_test_setup(test_many_objects_wait_in_one_queue, set_up),
        cmocka_unit_test_setup(test_an_object_in_the_queue_can_be_held_by_another_one_there,
                               set_up),
        cmocka_unit_test_setup(test_the_queue_is_emptied_when_its_thread_ends, set_up),
        cmocka_unit_test_setup(
            test_objects_of_a_thread_that_has_ended_are_merged_by_who_releases_them, set_up),
        cmocka_unit_test_setup(test_a_thread_that_comes_later_owns_nothing_of_one_that_has_ended,
                               set_up),
        cmocka_unit_test_setup(test_an_immortal_is_not_written, set_up),
        cmocka_unit_test_setup(test_an_object_can_become_immortal_in_the_queue, set_up),
        cmocka_unit_test_setup(test_who_finalizes_an_object_that_comes_back_owns_it, set_up),
        cmocka_unit_test_setup(test_out_of_memory_frees_what_waits_in_the_queue_first, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

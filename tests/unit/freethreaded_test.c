/* Two mutators of freethreaded, driven by one thread, so that each step comes when it is told to: what is dead
 * in a queue when a collection comes, and who waits for one. */
#define HM_COLLECTOR_HEADER "collectors/freethreaded.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

enum {
    PARAM_THRESHOLD,
    BATCHES = 3,
};

static struct fixture fixture;
static struct hm_mutator *owner, *other;
static int finalized, collections_before;

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};
static const struct hm_type pair_type = {.name = "pair", .slots = 2};

static void count_call(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    assert_true(is_live(hm_load(object, 0)));
    finalized++;
}

static const struct hm_type legacy_type = {
    .name = "legacy", .slots = 1, .legacy_finalizer = true, .finalize = count_call};

static int set_up(void **state) {
    (void)state;
    fixture_prepare(&fixture, hm_collector_compiled("freethreaded"));
    fixture.params[PARAM_THRESHOLD].number = 1;
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
    finalized = 0;
    return 0;
}

/* Close; all objects were freed. */
static void shut(void) {
    fixture.collector->detach(owner);
    fixture.collector->detach(other);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    fixture.collector->close(fixture.gc);
    heap_close(&fixture.heap);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

/* An object whose only reference another mutator has given up: dead, and in the queue of its owner. */
static struct hm_object *queue_dead(const struct hm_type *type) {
    struct hm_object *object = hm_new(owner, type);
    if (!hm_is_leaf(type))
        hm_init_store(owner, object, 0, hm_new(owner, &leaf_type));
    hm_release(other, object);
    assert_true(is_live(object));
    return object;
}

static void test_the_dead_in_a_queue_die_in_a_collection(void **state) {
    (void)state;
    struct hm_object *leaf = queue_dead(&leaf_type), *pair = queue_dead(&pair_type);
    assert_int_equal(hm_collect(other, 2), 1);
    assert_false(is_live(leaf));
    assert_false(is_live(pair));
    shut();
}

static void test_a_legacy_finalizer_runs_for_what_was_dead_in_a_queue(void **state) {
    (void)state;
    struct hm_object *object = queue_dead(&legacy_type), *held = hm_load(object, 0);
    assert_int_equal(hm_collect(other, 2), 0);
    assert_int_equal(finalized, 1);
    assert_false(is_live(object));
    hm_safepoint(owner); /* what it held waited for its owner in turn */
    assert_false(is_live(held));
    shut();
}

/* More than the threshold, and than a batch. */
static void allocate_much(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    finalized++;
    for (int i = 0; i < BATCHES * HM_FREETHREADED_BATCH; i++) {
        struct hm_object *pair = hm_new(other, &pair_type);
        hm_store(other, pair, 0, pair);
        hm_release(other, pair);
    }
    assert_int_equal(fixture_stats(&fixture).collections[2], collections_before);
}

static const struct hm_type busy_type = {.name = "busy", .slots = 1, .finalize = allocate_much};

static void test_an_allocation_does_not_wait_for_the_collection_of_another_mutator(void **state) {
    (void)state;
    struct hm_object *ring = hm_new(owner, &busy_type);
    hm_store(owner, ring, 0, ring);
    hm_release(owner, ring);
    collections_before = (int)fixture_stats(&fixture).collections[2];
    assert_int_equal(hm_collect(owner, 2), 1);
    assert_int_equal(finalized, 1);
    assert_int_equal(hm_collect(owner, 2), BATCHES * HM_FREETHREADED_BATCH);
    shut();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_dead_in_a_queue_die_in_a_collection, set_up),
        cmocka_unit_test_setup(test_a_legacy_finalizer_runs_for_what_was_dead_in_a_queue, set_up),
        cmocka_unit_test_setup(
            test_an_allocation_does_not_wait_for_the_collection_of_another_mutator, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

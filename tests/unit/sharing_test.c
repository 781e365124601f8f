/* The workload `sharing`: the same work in every way that threads can have collectors, and all objects
 * freed in the end.
 *
 * labels: threads */
#include "tests/unit/object_world.h"

enum {
    UNITS = 20000, /* of a thread */
};

enum {
    PARAM_SHARE,
    PARAM_SHARED,
    PARAM_SKEW,
    PARAM_IMMORTAL,
    PARAM_PRIVATE,
    PARAM_FRESH,
    PARAM_HAND,
};

static void open_sharing(struct world *w, const struct way *way, unsigned threads) {
    open_world(w, "sharing", way->collector, way->threading, threads);
    w->values[PARAM_HAND].number = 20;
    w->values[PARAM_SHARED].number = 50;
    w->values[PARAM_PRIVATE].number = 100;
    w->piece = UNITS / PIECES;
}

static uint64_t run_way(const struct way *way, unsigned threads) {
    struct world world;
    open_sharing(&world, way, threads);
    uint64_t checksum = run_world(&world);
    assert_int_equal(close_world(&world), 0);
    return checksum;
}

static void test_the_work_is_the_same_in_every_way_and_all_objects_are_freed(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= MOST; threads++) {
        uint64_t expected = run_way(&ways[0], threads);
        assert_int_not_equal(expected, 0);
        for (size_t i = 1; i < WAYS; i++)
            assert_int_equal(run_way(&ways[i], threads), expected);
    }
}

static void test_immortal_shared_objects_are_all_that_is_left(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        struct world world;
        open_sharing(&world, &ways[i], 2);
        world.values[PARAM_IMMORTAL].number = 1;
        run_world(&world);
        if (strcmp(ways[i].collector, "manual") ==
            0) { /* is told that they are not looked at again */
            assert_int_equal(close_world(&world), 0);
            continue;
        }
        uint64_t sets = ways[i].threading == HM_ISOLATED ? 2 : 1;
        uint64_t shared = (uint64_t)world.values[PARAM_SHARED].number;
        assert_int_equal(close_world(&world), sets * shared);
    }
}

/* Every parameter at its ends. */
static void test_extremes_lose_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++)
        for (int extreme = 0; extreme < 2; extreme++) {
            struct world world;
            open_sharing(&world, &ways[i], 3);
            world.values[PARAM_SHARE].number = extreme ? 100 : 0;
            world.values[PARAM_FRESH].number = extreme ? 100 : 0;
            world.values[PARAM_HAND].number = extreme ? 100 : 0;
            world.values[PARAM_SHARED].number = 1;
            world.values[PARAM_PRIVATE].number = 1;
            world.values[PARAM_SKEW].number = extreme;
            run_world(&world);
            assert_int_equal(close_world(&world), 0);
        }
}

/* Between two units, what is allocated and not freed is what the workload says it uses. */
static void test_live_objects_are_those_that_are_not_freed(void **state) {
    (void)state;
    struct world w;
    struct hm_gc_stats s;
    open_sharing(&w, &ways[0], 1);
    w.shared_bytes = w.workload->shared_bytes(w.values, 1);
    void *shared = hm_scratch(w.shared_bytes);
    w.threads[0].gc = open_gc(&w, 1);
    struct hm_run run = {.params = w.values, .threads = 1, .shared = shared};
    run.mutator = w.collector.part->attach(w.threads[0].gc);
    assert_int_equal(w.workload->setup(&run), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(w.workload->run(&run, 1), 1);
        w.collector.part->stats(w.threads[0].gc, &s);
        assert_int_equal(w.workload->live_objects(&run), s.allocated_objects - s.freed_objects);
    }
    w.workload->teardown(&run);
    w.collector.part->detach(run.mutator);
    assert_int_equal(close_world(&w), 0);
    hm_scratch_free(shared, w.shared_bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_work_is_the_same_in_every_way_and_all_objects_are_freed),
        cmocka_unit_test(test_immortal_shared_objects_are_all_that_is_left),
        cmocka_unit_test(test_extremes_lose_nothing),
        cmocka_unit_test(test_live_objects_are_those_that_are_not_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

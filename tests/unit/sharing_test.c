/* The workload `sharing`: the same work in every way that threads can have collectors, and all objects
 * freed in the end.
 *
 * labels: threads */
#include "collectors/safepoint.h"
#include "harness/plan/registry.h"
#include "harness/plan/spec.h"
#include "harness/sim/mutators.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    MOST = 4,
    PARAMS = 8,
    PIECES = 5,
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

struct world;

struct thread {
    struct world *world;
    pthread_t id;
    struct hm_gc *gc;
    struct hm_run run;
};

struct world {
    struct hm_collector_spec collector;
    const struct hm_workload *workload;
    struct hm_value values[PARAMS];
    struct hm_memory memory;
    enum hm_threading threading;
    unsigned count;
    pthread_barrier_t barrier;
    size_t shared_bytes;
    struct thread threads[MOST];
};

static void on_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void on_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static struct hm_gc *open_gc(struct world *w, unsigned mutators) {
    static const struct hm_gc_events events = {on_begin, on_end, NULL};
    const struct hm_gc_options options = {.params = w->collector.params.values,
                                          .memory = &w->memory,
                                          .events = &events,
                                          .mutators = mutators,
                                          .threading = w->threading};
    struct hm_gc *gc = NULL;
    assert_int_equal(w->collector.part->open(&gc, &options), 0);
    return gc;
}

static void open_world(struct world *w, const char *collector, enum hm_threading threading,
                       unsigned count) {
    struct hm_error error;
    *w = (struct world){.threading = threading, .count = count};
    assert_int_equal(hm_collector_spec_parse(collector, &w->collector, &error), 0);
    const struct hm_heap_options options = {.threads = count};
    assert_int_equal(hm_allocator_find("system")->open(&w->memory, &options), 0);
    w->workload = hm_workload_variant("sharing", 0, w->collector.part->name);
    assert_non_null(w->workload);
    for (size_t i = 0; w->workload->params[i].name; i++)
        w->values[i] = (struct hm_value){w->workload->params[i].initial, ""};
    w->values[PARAM_HAND].number = 20;
    w->values[PARAM_SHARED].number = 50;
    w->values[PARAM_PRIVATE].number = 100;
    w->shared_bytes = w->workload->shared_bytes(w->values, count);
    hm_mutators_open(threading);
}

/* The end of a step, which all take together. */
static void end_turn(struct world *w) {
    hm_mutators_leave();
    pthread_barrier_wait(&w->barrier);
}

static void *work(void *arg) {
    struct thread *t = arg;
    struct world *w = t->world;
    hm_mutators_enter();
    t->run.mutator = w->collector.part->attach(t->gc);
    if (w->workload->setup(&t->run))
        abort();
    end_turn(w);
    for (int i = 0; i < PIECES; i++) {
        hm_mutators_enter();
        if (w->workload->run(&t->run, UNITS / PIECES) != UNITS / PIECES)
            abort();
        end_turn(w);
    }
    hm_mutators_enter();
    const char *broken = w->workload->verify(&t->run);
    if (broken)
        fail_msg("%s", broken);
    end_turn(w);
    hm_mutators_enter();
    w->workload->teardown(&t->run);
    end_turn(w);
    hm_mutators_enter();
    hm_sim_mutator_find(w->collector.part)->collect(t->run.mutator, 2);
    w->collector.part->detach(t->run.mutator);
    end_turn(w);
    return NULL;
}

static bool owns_collector(const struct world *w, unsigned i) {
    return i == 0 || w->threading == HM_ISOLATED;
}

static void start(struct world *w, unsigned i, void *shared) {
    struct thread *t = &w->threads[i];
    bool together = w->threading != HM_ISOLATED;
    *t = (struct thread){.world = w};
    t->gc = owns_collector(w, i) ? open_gc(w, together ? w->count : 1) : w->threads[0].gc;
    t->run = (struct hm_run){.params = w->values,
                             .seed = 3,
                             .thread = i,
                             .threads = w->count,
                             .together = together,
                             .shared = shared};
    assert_int_equal(pthread_create(&t->id, NULL, work, t), 0);
}

/* @return a digest of the checksums of all threads */
static uint64_t run_world(struct world *w) {
    uint64_t sum = 0;
    void *shared = hm_scratch(w->shared_bytes);
    assert_non_null(shared);
    pthread_barrier_init(&w->barrier, NULL, w->count);
    for (unsigned i = 0; i < w->count; i++)
        start(w, i, shared);
    for (unsigned i = 0; i < w->count; i++) {
        pthread_join(w->threads[i].id, NULL);
        sum += hm_mix(w->threads[i].run.checksum + i);
    }
    pthread_barrier_destroy(&w->barrier);
    hm_scratch_free(shared, w->shared_bytes);
    return sum;
}

/* @return objects that were not freed before close */
static uint64_t close_world(struct world *w) {
    uint64_t unfreed = 0;
    for (unsigned i = 0; i < w->count; i++) {
        struct hm_gc_stats s;
        if (!owns_collector(w, i))
            continue;
        w->collector.part->stats(w->threads[i].gc, &s);
        unfreed += s.allocated_objects - s.freed_objects;
        w->collector.part->close(w->threads[i].gc);
    }
    return unfreed;
}

static const struct way {
    const char *collector;
    enum hm_threading threading;
} ways[] = {
    {"refcount", HM_ISOLATED},
    {"refcount", HM_GIL},
    {"refcount:count=atomic", HM_ISOLATED},
    {"refcount:count=atomic", HM_GIL},
    {"refcount:count=atomic", HM_FREE},
    {"refcount:count=biased", HM_ISOLATED},
    {"refcount:count=biased", HM_GIL},
    {"refcount:count=biased", HM_FREE},
    {"generational", HM_ISOLATED},
    {"generational", HM_GIL},
    {"marksweep:min=16K", HM_ISOLATED},
    {"marksweep:min=16K", HM_GIL},
    {"marksweep:min=16K", HM_FREE},
    {"manual", HM_ISOLATED},
    {"manual", HM_GIL},
};
enum {
    WAYS = sizeof ways / sizeof *ways,
};

static uint64_t run_way(const struct way *way, unsigned threads) {
    struct world world;
    open_world(&world, way->collector, way->threading, threads);
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
        open_world(&world, ways[i].collector, ways[i].threading, 2);
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
            open_world(&world, ways[i].collector, ways[i].threading, 3);
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
    open_world(&w, "refcount", HM_ISOLATED, 1);
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

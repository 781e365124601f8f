/* What tests of object workloads with threads share: a world of threads, and every way in which they can have
 * collectors. */
#ifndef HM_TESTS_UNIT_OBJECT_WORLD_H
#define HM_TESTS_UNIT_OBJECT_WORLD_H

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
    uint64_t piece; /* units that a thread does, PIECES times */
    pthread_barrier_t barrier;
    size_t shared_bytes;
    struct thread threads[MOST];
};

static inline void on_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static inline void on_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static inline struct hm_gc *open_gc(struct world *w, unsigned mutators) {
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

/* With the workload's defaults, of which the caller may change some. */
static inline void open_world(struct world *w, const char *workload, const char *collector,
                              enum hm_threading threading, unsigned count) {
    struct hm_error error;
    *w = (struct world){.threading = threading, .count = count};
    assert_int_equal(hm_collector_spec_parse(collector, &w->collector, &error), 0);
    const struct hm_heap_options options = {.threads = count};
    assert_int_equal(hm_allocator_find("system")->open(&w->memory, &options), 0);
    w->workload = hm_workload_variant(workload, 0, w->collector.part->name);
    assert_non_null(w->workload);
    for (size_t i = 0; w->workload->params[i].name; i++)
        w->values[i] = (struct hm_value){w->workload->params[i].initial, ""};
    hm_mutators_open(threading);
}

/* The end of a step, which all take together. */
static inline void end_turn(struct world *w) {
    hm_mutators_leave();
    pthread_barrier_wait(&w->barrier);
}

static inline void *work(void *arg) {
    struct thread *t = arg;
    struct world *w = t->world;
    hm_mutators_enter();
    t->run.mutator = w->collector.part->attach(t->gc);
    if (w->workload->setup(&t->run))
        abort();
    end_turn(w);
    for (int i = 0; i < PIECES; i++) {
        hm_mutators_enter();
        if (w->workload->run(&t->run, w->piece) != w->piece)
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

static inline bool owns_collector(const struct world *w, unsigned i) {
    return i == 0 || w->threading == HM_ISOLATED;
}

static inline void start(struct world *w, unsigned i, void *shared) {
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
static inline uint64_t run_world(struct world *w) {
    uint64_t sum = 0;
    if (w->workload->shared_bytes)
        w->shared_bytes = w->workload->shared_bytes(w->values, w->count);
    void *shared = w->shared_bytes ? hm_scratch(w->shared_bytes) : NULL;
    assert_true(shared || !w->shared_bytes);
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
static inline uint64_t close_world(struct world *w) {
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
    {"freethreaded:threshold=600", HM_ISOLATED},
    {"freethreaded:threshold=600", HM_GIL},
    {"freethreaded:threshold=600", HM_FREE},
    {"marksweep:min=16K", HM_ISOLATED},
    {"marksweep:min=16K", HM_GIL},
    {"marksweep:min=16K", HM_FREE},
    {"manual", HM_ISOLATED},
    {"manual", HM_GIL},
};
enum {
    WAYS = sizeof ways / sizeof *ways,
};

#endif

/* What tests of object workloads share: a workload with its parameters, on a collector of its own. */
#ifndef HM_TESTS_UNIT_OBJECT_CELL_H
#define HM_TESTS_UNIT_OBJECT_CELL_H

#include "collectors/collector.h"
#include "harness/plan/registry.h"
#include "tests/unit/counting_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    PARAMS = 16,
};

struct setting {
    const char *name;
    int64_t number;
};

struct example {
    const char *workload;
    struct setting settings[6];
};

struct cell {
    const struct hm_workload *workload;
    const struct hm_collector *collector;
    struct hm_value values[PARAMS];
    struct hm_value collector_values[PARAMS];
    struct hm_memory memory;
    struct hm_gc *gc;
    size_t shared_bytes;
    struct hm_run run;
};

static inline void on_pause_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static inline void on_pause_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static inline void set_defaults(struct hm_value *values, const struct hm_param *params) {
    for (size_t i = 0; params && params[i].name; i++) {
        assert_in_range(i, 0, PARAMS - 1);
        values[i] = (struct hm_value){.number = params[i].initial, .text = ""};
    }
}

static inline void set_value(struct hm_value *values, const struct hm_param *params,
                             const char *name, int64_t number) {
    size_t at = 0;
    while (params[at].name && strcmp(params[at].name, name) != 0)
        at++;
    assert_non_null(params[at].name);
    values[at].number = number;
}

/* The workload's parameters, and the collector's own defaults. */
static inline void prepare_cell(struct cell *cell, const struct example *example,
                                const struct hm_collector *collector) {
    *cell = (struct cell){.collector = collector, .memory = counted_memory(HM_SHAPE_HEAP)};
    cell->workload = hm_workload_variant(example->workload, 0, collector->name);
    assert_non_null(cell->workload);
    set_defaults(cell->values, cell->workload->params);
    for (size_t i = 0; i < 6 && example->settings[i].name; i++)
        set_value(cell->values, cell->workload->params, example->settings[i].name,
                  example->settings[i].number);
    if (cell->workload->conflict)
        assert_null(cell->workload->conflict(cell->values));
    set_defaults(cell->collector_values, collector->params);
}

/* A collector, with a mutator, but nothing of the workload. */
static inline void open_prepared(struct cell *cell) {
    static const struct hm_gc_events events = {on_pause_begin, on_pause_end, NULL};
    const struct hm_gc_options options = {.params = cell->collector_values,
                                          .memory = &cell->memory,
                                          .events = &events,
                                          .mutators = 1};
    assert_int_equal(cell->collector->open(&cell->gc, &options), 0);
    cell->run = (struct hm_run){.memory = &cell->memory,
                                .mutator = cell->collector->attach(cell->gc),
                                .params = cell->values,
                                .seed = 7,
                                .threads = 1};
    assert_non_null(cell->run.mutator);
    if (cell->workload->shared_bytes)
        cell->shared_bytes = cell->workload->shared_bytes(cell->values, 1);
    if (cell->shared_bytes)
        assert_non_null(cell->run.shared = hm_scratch(cell->shared_bytes));
}

static inline void open_collector(struct cell *cell, const struct example *example,
                                  const struct hm_collector *collector) {
    prepare_cell(cell, example, collector);
    open_prepared(cell);
}

static inline void open_cell(struct cell *cell, const struct example *example,
                             const struct hm_collector *collector) {
    open_collector(cell, example, collector);
    assert_int_equal(cell->workload->setup(&cell->run), 0);
}

static inline void close_collector(struct cell *cell) {
    cell->collector->detach(cell->run.mutator);
    cell->collector->close(cell->gc);
    hm_scratch_free(cell->run.shared, cell->shared_bytes);
    count_close();
}

static inline void close_cell(struct cell *cell) {
    cell->workload->teardown(&cell->run);
    close_collector(cell);
}

static inline struct hm_gc_stats stats_of(const struct cell *cell) {
    struct hm_gc_stats stats;
    cell->collector->stats(cell->gc, &stats);
    return stats;
}

/* Objects that are not freed, and that the workload does not use. */
static inline uint64_t unfreed(const struct cell *cell) {
    struct hm_gc_stats stats = stats_of(cell);
    uint64_t live = cell->workload->live_objects ? cell->workload->live_objects(&cell->run) : 0;
    return stats.allocated_objects - stats.freed_objects - live;
}

/* Whether a figure is one of the cell's workload, and what it is. */
static inline double figure_of(struct cell *cell, const char *name) {
    double values[PARAMS];
    size_t at = PARAMS;
    for (size_t i = 0; cell->workload->figures[i].name; i++) {
        values[i] = __builtin_nan("");
        if (strcmp(cell->workload->figures[i].name, name) == 0)
            at = i;
    }
    assert_in_range(at, 0, PARAMS - 1);
    cell->workload->measure(&cell->run, values);
    return values[at < PARAMS ? at : 0];
}

/* What a failed test has left behind. */
static inline int start_afresh(void **state) {
    (void)state;
    count_close();
    count_clear();
    return 0;
}

#endif

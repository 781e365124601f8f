/* What the tests of workloads without a heap share: a cell of them, with real threads. */
#ifndef HM_TESTS_UNIT_THREAD_CELL_H
#define HM_TESTS_UNIT_THREAD_CELL_H

#include "harness/plan/spec.h"
#include "workloads/scratch.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    THREADS_MAX = 8,
    FIGURES_MAX = 16,
};

struct cell {
    struct hm_workload_spec spec;
    const struct hm_workload *workload;
    unsigned threads;
    uint64_t units; /* that each thread is asked for next */
    size_t shared_bytes;
    pthread_barrier_t start;
    struct hm_run runs[THREADS_MAX];
};

struct errand {
    struct cell *cell;
    unsigned thread;
};

static inline void open_cell(struct cell *cell, const char *text, unsigned threads) {
    struct hm_error error = {""};
    *cell = (struct cell){.threads = threads};
    if (hm_workload_spec_parse(text, &cell->spec, &error))
        fail_msg("%s", error.line);
    cell->workload = cell->spec.part;
    const struct hm_value *values = cell->spec.params.values;
    if (cell->workload->shared_bytes)
        cell->shared_bytes = cell->workload->shared_bytes(values, threads);
    void *shared = cell->shared_bytes ? hm_scratch(cell->shared_bytes) : NULL;
    for (unsigned i = 0; i < threads; i++) {
        cell->runs[i] = (struct hm_run){
            .params = values, .seed = 7, .thread = i, .threads = threads, .shared = shared};
        assert_int_equal(cell->workload->setup(&cell->runs[i]), 0);
    }
    pthread_barrier_init(&cell->start, NULL, threads);
}

static inline void close_cell(struct cell *cell) {
    for (unsigned i = 0; i < cell->threads; i++)
        cell->workload->teardown(&cell->runs[i]);
    pthread_barrier_destroy(&cell->start);
    hm_scratch_free(cell->runs[0].shared, cell->shared_bytes);
}

static inline void *do_errand(void *arg) {
    const struct errand *errand = arg;
    struct cell *cell = errand->cell;
    pthread_barrier_wait(&cell->start);
    uint64_t done = cell->workload->run(&cell->runs[errand->thread], cell->units);
    return done == cell->units ? NULL : cell;
}

/* All threads at once. */
static inline void run_cell(struct cell *cell, uint64_t units) {
    pthread_t threads[THREADS_MAX];
    struct errand errands[THREADS_MAX];
    cell->units = units;
    for (unsigned i = 0; i < cell->threads; i++) {
        errands[i] = (struct errand){cell, i};
        assert_int_equal(pthread_create(&threads[i], NULL, do_errand, &errands[i]), 0);
    }
    for (unsigned i = 0; i < cell->threads; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

/* What any thread complains of. */
static inline const char *verdict_of(struct cell *cell) {
    const char *broken = NULL;
    for (unsigned i = 0; i < cell->threads && !broken; i++)
        broken = cell->workload->verify(&cell->runs[i]);
    return broken;
}

static inline void assert_sound(struct cell *cell) {
    const char *broken = verdict_of(cell);
    if (broken)
        fail_msg("%s, %u threads: %s", cell->spec.text, cell->threads, broken);
}

static inline void measure_cell(struct cell *cell, double values[][FIGURES_MAX]) {
    for (unsigned i = 0; i < cell->threads; i++) {
        for (unsigned f = 0; f < FIGURES_MAX; f++)
            values[i][f] = NAN;
        if (cell->workload->measure)
            cell->workload->measure(&cell->runs[i], values[i]);
    }
}

/* A figure of all threads, of what came since the last call for any of them. */
static inline double figure_of(struct cell *cell, const char *name) {
    double values[THREADS_MAX][FIGURES_MAX];
    unsigned f = 0;
    while (strcmp(cell->workload->figures[f].name, name) != 0)
        f++;
    measure_cell(cell, values);
    double all = NAN;
    for (unsigned i = 0; i < cell->threads; i++) {
        double value = values[i][f];
        if (isnan(all))
            all = value;
        else if (!isnan(value))
            all = cell->workload->figures[f].over_threads == HM_FIGURE_SUM ? all + value
                                                                           : fmax(all, value);
    }
    return all;
}

#endif

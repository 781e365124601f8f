/* What the tests of heap workloads share: small cells of each workload, on a heap that counts. */
#ifndef HM_TESTS_UNIT_HEAP_CELL_H
#define HM_TESTS_UNIT_HEAP_CELL_H

#include "allocators/libc.h"
#include "harness/plan/registry.h"
#include "tests/unit/counting_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    PARAMS = 8,
    THREADS = 2,
};

struct setting {
    const char *name;
    int64_t number;
};

struct example {
    const char *workload;
    struct setting settings[PARAMS];
    uint64_t units;
    uint64_t live_blocks; /* of one thread, between two units */
};

static const struct example examples[] = {
    {"churn", {{"live", 30}, {"min", 3}, {"max", 300}, {"touch", 0}}, 100, 30},
    {"churn", {{"live", 30}, {"min", 3}, {"max", 300}, {"touch", 1}, {"dist", 1}}, 100, 30},
    {"churn", {{"live", 30}, {"min", 3}, {"max", 300}, {"touch", 2}, {"dist", 2}}, 100, 30},
    {"churn", {{"live", 1}, {"min", 7}, {"max", 7}}, 100, 1},
    {"batch", {{"count", 30}, {"min", 3}, {"max", 300}, {"order", 0}}, 10, 0},
    {"batch", {{"count", 30}, {"min", 3}, {"max", 300}, {"order", 1}}, 10, 0},
    {"batch", {{"count", 30}, {"min", 3}, {"max", 300}, {"order", 2}}, 10, 0},
    {"server", {{"slots", 20}, {"min", 3}, {"max", 300}, {"rounds", 2}}, 100, 20},
    {"server", {{"slots", 20}, {"min", 3}, {"max", 300}, {"rounds", 2}, {"successor", 1}}, 100, 20},
    {"xthread", {{"batch", 30}, {"min", 3}, {"max", 300}, {"queue", 2}}, 10, 0},
};
enum {
    EXAMPLES = sizeof examples / sizeof *examples,
};

/* A workload with its parameters, and the threads of a cell that run it. */
struct cell {
    const struct hm_workload *workload;
    struct hm_value values[PARAMS];
    struct hm_memory memory;
    size_t shared_bytes;
    struct hm_run runs[THREADS];
    uint64_t done[THREADS];
};

static inline struct hm_value *value_of(struct cell *cell, const char *name) {
    size_t i = 0;
    while (cell->workload->params[i].name && strcmp(cell->workload->params[i].name, name) != 0)
        i++;
    assert_non_null(cell->workload->params[i].name);
    return &cell->values[i];
}

static inline void open_cell(struct cell *cell, const struct example *example,
                             struct hm_memory memory, unsigned threads, uint64_t seed) {
    *cell = (struct cell){.workload = hm_workload_variant(example->workload, memory.shape, NULL),
                          .memory = memory};
    assert_non_null(cell->workload);
    for (size_t i = 0; cell->workload->params[i].name; i++)
        cell->values[i].number = cell->workload->params[i].initial;
    for (size_t i = 0; i < PARAMS && example->settings[i].name; i++)
        value_of(cell, example->settings[i].name)->number = example->settings[i].number;
    void *shared = NULL;
    if (cell->workload->shared_bytes)
        cell->shared_bytes = cell->workload->shared_bytes(cell->values, threads);
    if (cell->shared_bytes)
        shared = hm_scratch(cell->shared_bytes);
    for (unsigned i = 0; i < threads; i++)
        cell->runs[i] = (struct hm_run){.memory = &cell->memory,
                                        .params = cell->values,
                                        .seed = seed,
                                        .thread = i,
                                        .threads = threads,
                                        .shared = shared};
}

static inline void close_cell(struct cell *cell) {
    if (cell->shared_bytes)
        hm_scratch_free(cell->runs[0].shared, cell->shared_bytes);
}

/* Set up, run all units in pieces, verify and tear down. @return the checksum */
static inline uint64_t run_whole(const struct example *example, struct hm_memory memory,
                                 uint64_t seed, unsigned thread, uint64_t piece) {
    struct cell cell;
    open_cell(&cell, example, memory, 1, seed);
    struct hm_run *run = &cell.runs[0];
    run->thread = thread;
    assert_int_equal(cell.workload->setup(run), 0);
    run->checksum = 0;
    for (uint64_t done = 0; done < example->units; done += piece) {
        uint64_t asked = example->units - done < piece ? example->units - done : piece;
        assert_int_equal(cell.workload->run(run, asked), asked);
    }
    uint64_t checksum = run->checksum;
    assert_null(cell.workload->verify(run));
    assert_int_equal(run->checksum, checksum);
    cell.workload->teardown(run);
    close_cell(&cell);
    return checksum;
}

static inline struct hm_memory glibc_memory(void) {
    static const struct hm_allocator glibc = {.name = "glibc"};
    struct hm_memory memory;
    hm_libc_open(&memory, &glibc);
    return memory;
}

/* What a failed test has left behind. */
static inline int start_afresh(void **state) {
    (void)state;
    count_close();
    count_clear();
    return 0;
}

#endif

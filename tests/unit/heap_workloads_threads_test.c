/* Threads of a heap workload: each does the same work as alone; those of server pass their blocks on,
 * and stop together.
 *
 * labels: threads */
#include "tests/unit/heap_cell.h"

struct errand {
    struct cell *cell;
    unsigned thread;
    uint64_t units;
};

static void *do_errand(void *arg) {
    const struct errand *errand = arg;
    struct cell *cell = errand->cell;
    cell->done[errand->thread] = cell->workload->run(&cell->runs[errand->thread], errand->units);
    return NULL;
}

static void run_threads(struct cell *cell, uint64_t units) {
    pthread_t threads[THREADS];
    struct errand errands[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        errands[i] = (struct errand){cell, i, units};
        assert_int_equal(pthread_create(&threads[i], NULL, do_errand, &errands[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void set_up_threads(struct cell *cell, const struct example *example) {
    open_cell(cell, example, counted_memory(HM_SHAPE_HEAP), THREADS, 7);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(cell->workload->setup(&cell->runs[i]), 0);
        cell->runs[i].checksum = 0;
    }
}

static void tear_down_threads(struct cell *cell) {
    for (unsigned i = 0; i < THREADS; i++)
        cell->workload->teardown(&cell->runs[i]);
    close_cell(cell);
    assert_int_equal(counted.live_blocks, 0);
}

/* Half of a pair has no work that it could do alone: see xthread_test.c. */
static bool works_alone(const struct example *example) {
    return strcmp(example->workload, "xthread") != 0;
}

/* Each thread's checksum is what it is alone: only the blocks change hands. */
static void test_threads_do_the_same_work_together_as_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct cell cell;
        set_up_threads(&cell, &examples[i]);
        run_threads(&cell, examples[i].units);
        uint64_t live = 0;
        for (unsigned t = 0; t < THREADS; t++) {
            assert_int_equal(cell.done[t], examples[i].units);
            assert_null(cell.workload->verify(&cell.runs[t]));
            live += cell.workload->live_bytes(&cell.runs[t]);
        }
        assert_int_equal(live, counted.live_bytes);
        assert_int_equal(counted.live_blocks, THREADS * examples[i].live_blocks);
        for (unsigned t = 0; t < THREADS && works_alone(&examples[i]); t++)
            assert_int_equal(cell.runs[t].checksum,
                             run_whole(&examples[i], glibc_memory(), 7, t, 100));
        tear_down_threads(&cell);
    }
}

/* Frees by another thread in 40 operations of each thread, after a stretch of which the slots have
 * changed hands. */
static uint64_t foreign_frees_after(uint64_t stretches) {
    struct cell cell;
    set_up_threads(&cell, &examples[7]);
    run_threads(&cell, 40); /* blocks of set-up are gone from most slots */
    run_threads(&cell, 40 * stretches);
    uint64_t before = counted.foreign_frees;
    tear_down_threads(&cell);
    return before;
}

static void test_server_threads_free_each_others_blocks(void **state) {
    (void)state;
    count_clear();
    uint64_t one = foreign_frees_after(1);
    count_clear();
    assert_in_range(foreign_frees_after(20), one + 19 * 10, one + 19 * 40);
}

static void test_successor_is_a_fresh_thread_that_the_heap_is_told_of(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, &examples[8], counted_memory(HM_SHAPE_HEAP), 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    count_clear();
    unsigned threads = counted.threads;
    assert_int_equal(cell.workload->run(run, 120), 120); /* three stretches */
    assert_int_equal(counted.threads - threads, 3);
    assert_int_equal(counted.entered, 3);
    assert_int_equal(counted.left, 3);
    assert_in_range(counted.foreign_frees, 20, 60); /* each slot once or, untouched, never */
    cell.workload->teardown(run);
    close_cell(&cell);
}

static void test_server_thread_without_memory_stops_the_others(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 200; n += 3) {
        struct cell cell;
        count_clear();
        set_up_threads(&cell, &examples[7]);
        count_fail(n, 1);
        run_threads(&cell, 100000);
        assert_true(cell.done[0] < 100000 && cell.done[1] < 100000);
        assert_int_equal(cell.workload->run(&cell.runs[0], 1), 0);
        for (unsigned t = 0; t < THREADS; t++)
            assert_null(cell.workload->verify(&cell.runs[t]));
        tear_down_threads(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_threads_do_the_same_work_together_as_alone, start_afresh),
        cmocka_unit_test_setup(test_server_threads_free_each_others_blocks, start_afresh),
        cmocka_unit_test_setup(test_successor_is_a_fresh_thread_that_the_heap_is_told_of,
                               start_afresh),
        cmocka_unit_test_setup(test_server_thread_without_memory_stops_the_others, start_afresh),
    };
    return cmocka_run_group_tests_name("heap_workloads_threads", tests, NULL, NULL);
}

/* trace on several threads: no block is freed before it is there or used after it is gone, whatever thread
 * has to do with it; nobody waits for ever, also when memory runs out; the same work each time.
 *
 * labels: threads */
#include "tests/unit/trace_cell.h"

static const struct recording shared_by_all = {.threads = 4, .live = 300, .seed = 5, .leave = 0};
static const struct recording mostly_own = {
    .threads = 4, .live = 500, .seed = 6, .leave = 90, .inherited = 30};
static const struct recording handed_on = {
    .threads = 4, .live = 2, .plain = true, .seed = 8, .leave = 0};

struct errand {
    struct cell *cell;
    unsigned thread;
    pthread_barrier_t *barrier;
    unsigned replays;
    uint64_t checksum;
    bool is_same;
};

static void *do_errand(void *arg) {
    struct errand *errand = arg;
    const struct hm_workload *workload = errand->cell->workload;
    struct hm_run *run = &errand->cell->runs[errand->thread];
    errand->is_same = true;
    for (unsigned i = 0; i < errand->replays; i++) {
        pthread_barrier_wait(errand->barrier);
        bool prepared = workload->prepare(run) == 0;
        pthread_barrier_wait(errand->barrier);
        run->checksum = 0;
        errand->cell->done[errand->thread] += prepared ? workload->run(run, 1) : 0;
        errand->is_same = errand->is_same && (i == 0 || run->checksum == errand->checksum);
        errand->checksum = run->checksum;
    }
    return NULL;
}

static void run_threads(struct cell *cell, unsigned replays, struct errand errands[WORKERS]) {
    pthread_t threads[WORKERS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, cell->threads);
    for (unsigned i = 0; i < cell->threads; i++) {
        errands[i] = (struct errand){cell, i, &barrier, replays, 0, false};
        assert_int_equal(pthread_create(&threads[i], NULL, do_errand, &errands[i]), 0);
    }
    for (unsigned i = 0; i < cell->threads; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&barrier);
}

static uint64_t blocks_at_end(void) {
    return known_count;
}

static void check_replays(const struct recording *kind, unsigned threads, unsigned replays) {
    struct cell cell;
    struct errand errands[WORKERS];
    draw_trace(kind, EVENTS / 2);
    note_afresh();
    open_cell(&cell, noted_memory(), threads, TOUCH_ALL);
    run_threads(&cell, replays, errands);
    assert_int_equal(noted.live_blocks, blocks_at_end());
    uint64_t live = 0;
    for (unsigned i = 0; i < threads; i++) {
        assert_int_equal(cell.done[i], replays);
        assert_true(errands[i].is_same);
        assert_null(cell.runs[i].failed);
        assert_null(cell.workload->verify(&cell.runs[i]));
        live += cell.workload->live_bytes(&cell.runs[i]);
    }
    assert_int_equal(live, noted.live_bytes);
    uint64_t frees = (replays - 1) * blocks_at_end(); /* before the next replay */
    uint64_t calls = kind->inherited + cell.workload->ops_per_unit(cell.values);
    assert_int_equal(noted.calls, frees + replays * calls);
    close_cell(&cell);
}

static void test_blocks_cross_threads_in_the_recorded_order(void **state) {
    (void)state;
    for (unsigned threads = 2; threads <= WORKERS; threads++) {
        check_replays(&shared_by_all, threads, 3);
        check_replays(&mostly_own, threads, 5);
        check_replays(&handed_on, threads, 3);
    }
}

static void test_all_threads_stop_when_memory_runs_out(void **state) {
    (void)state;
    struct errand errands[WORKERS];
    size_t scratch = hm_scratch_bytes();
    draw_trace(&shared_by_all, 4000);
    for (uint64_t at = 3; at < 2000; at += 331) {
        struct cell cell;
        note_afresh();
        noted.fail_at = at;
        open_cell(&cell, noted_memory(), WORKERS, TOUCH_FIRST);
        run_threads(&cell, 1, errands);
        uint64_t done = 0;
        for (unsigned i = 0; i < WORKERS; i++)
            done += cell.done[i];
        assert_true(done < WORKERS);
        close_cell(&cell);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_cross_threads_in_the_recorded_order),
        cmocka_unit_test(test_all_threads_stop_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, remove_trace);
}

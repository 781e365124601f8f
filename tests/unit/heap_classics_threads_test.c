/* The re-created benchmarks in several threads: each thread's work depends on nothing but its seed,
 * blocks are freed by others where the origin says so, and nobody waits for who ran out of memory.
 *
 * labels: threads */
#include "tests/unit/heap_classics.h"

enum {
    MOST = 5, /* threads */
};

struct crowd {
    struct cell cell; /* of one thread: the parameters */
    unsigned threads;
    void *shared;
    size_t shared_bytes;
    struct hm_run runs[MOST];
    bool ready[MOST];
    uint64_t asked;
    uint64_t done[MOST];
};

static void open_crowd(struct crowd *crowd, const struct example *example, struct hm_memory memory,
                       unsigned threads) {
    *crowd = (struct crowd){.threads = threads};
    open_cell(&crowd->cell, example, memory, 1, 7);
    const struct hm_workload *workload = crowd->cell.workload;
    close_cell(&crowd->cell);
    if (workload->shared_bytes)
        crowd->shared_bytes = workload->shared_bytes(crowd->cell.values, threads);
    if (crowd->shared_bytes)
        crowd->shared = hm_scratch(crowd->shared_bytes);
    for (unsigned i = 0; i < threads; i++)
        crowd->runs[i] = (struct hm_run){.memory = &crowd->cell.memory,
                                         .params = crowd->cell.values,
                                         .seed = 7,
                                         .thread = i,
                                         .threads = threads,
                                         .shared = crowd->shared};
}

/* All threads try, as in a real cell. @return whether all had memory */
static bool set_up(struct crowd *crowd) {
    bool all = true;
    for (unsigned i = 0; i < crowd->threads; i++) {
        int bad = crowd->cell.workload->setup(&crowd->runs[i]);
        assert_true(bad == 0 || bad == ENOMEM);
        all = all && !bad;
        crowd->ready[i] = !bad;
        crowd->runs[i].checksum = 0;
    }
    return all;
}

static void close_crowd(struct crowd *crowd) {
    for (unsigned i = 0; i < crowd->threads; i++)
        if (crowd->ready[i])
            crowd->cell.workload->teardown(&crowd->runs[i]);
    hm_scratch_free(crowd->shared, crowd->shared_bytes);
    assert_int_equal(counted.live_blocks, 0);
}

struct errand {
    struct crowd *crowd;
    unsigned thread;
};

static void *do_errand(void *arg) {
    const struct errand *errand = arg;
    struct crowd *crowd = errand->crowd;
    crowd->done[errand->thread] =
        crowd->cell.workload->run(&crowd->runs[errand->thread], crowd->asked);
    return NULL;
}

static void run_crowd(struct crowd *crowd, uint64_t units) {
    pthread_t threads[MOST];
    struct errand errands[MOST];
    crowd->asked = units;
    for (unsigned i = 0; i < crowd->threads; i++) {
        errands[i] = (struct errand){crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, do_errand, &errands[i]), 0);
    }
    for (unsigned i = 0; i < crowd->threads; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void verify_crowd(struct crowd *crowd, bool has_memory) {
    uint64_t live = 0;
    for (unsigned i = 0; i < crowd->threads; i++)
        live += crowd->cell.workload->live_bytes(&crowd->runs[i]);
    assert_int_equal(live, counted.live_bytes);
    for (unsigned i = 0; i < crowd->threads; i++) {
        uint64_t checksum = crowd->runs[i].checksum;
        const char *broken = crowd->cell.workload->verify(&crowd->runs[i]);
        assert_true(!broken || (!has_memory && strstr(broken, "memory ran out")));
        assert_int_equal(crowd->runs[i].checksum, checksum);
    }
}

/* @return the threads' checksums, mixed, after `pieces` runs */
static uint64_t checksum_of(const struct classic *classic, unsigned threads, uint64_t pieces) {
    struct crowd crowd;
    uint64_t sum = 0;
    open_crowd(&crowd, &classic->example, counted_memory(HM_SHAPE_HEAP), threads);
    assert_true(set_up(&crowd));
    for (uint64_t i = 0; i < pieces; i++) {
        run_crowd(&crowd, 12 / pieces);
        verify_crowd(&crowd, true);
        for (unsigned t = 0; t < threads; t++)
            assert_int_equal(crowd.done[t], 12 / pieces);
    }
    for (unsigned t = 0; t < threads; t++)
        sum = hm_mix(sum + crowd.runs[t].checksum);
    close_crowd(&crowd);
    return sum;
}

static void test_work_of_each_thread_is_no_matter_of_timing(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++)
        for (unsigned threads = 2; threads <= MOST; threads += 3) {
            uint64_t expected = checksum_of(&classics[i], threads, 1);
            assert_int_equal(checksum_of(&classics[i], threads, 1), expected);
            assert_int_equal(checksum_of(&classics[i], threads, 3), expected);
        }
}

static void test_each_thread_works_as_it_does_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++) {
        struct example example = classics[i].example;
        struct crowd crowd;
        if (classics[i].traits & IN_PAIRS)
            continue;
        example.units = 12;
        open_crowd(&crowd, &example, counted_memory(HM_SHAPE_HEAP), 3);
        assert_true(set_up(&crowd));
        run_crowd(&crowd, 12);
        for (unsigned t = 0; t < 3; t++)
            assert_int_equal(crowd.runs[t].checksum, run_whole(&example, glibc_memory(), 7, t, 12));
        close_crowd(&crowd);
    }
}

/* The main thread has allocated what each thread frees first; and then each has its own. */
static void test_passive_false_sharing_begins_with_one_foreign_block_each(void **state) {
    (void)state;
    for (unsigned passive = 0; passive < 2; passive++) {
        struct crowd crowd;
        count_clear();
        open_crowd(&crowd, &classics[passive].example, counted_memory(HM_SHAPE_HEAP), MOST);
        assert_true(set_up(&crowd));
        assert_int_equal(counted.live_blocks, passive * MOST);
        run_crowd(&crowd, 4);
        assert_int_equal(counted.foreign_frees, passive * MOST);
        assert_int_equal(counted.allocations, passive * MOST + 4 * MOST);
        close_crowd(&crowd);
    }
}

static void test_shbench8_begins_with_foreign_blocks(void **state) {
    (void)state;
    struct crowd crowd;
    const struct example example = {"shbench8", {{"slots", 5}, {"given", 50}}, 0, 0};
    count_clear();
    open_crowd(&crowd, &example, counted_memory(HM_SHAPE_HEAP), MOST);
    assert_true(set_up(&crowd));
    assert_int_equal(counted.live_blocks, 55 * MOST);
    run_crowd(&crowd, 0);
    assert_int_equal(counted.foreign_frees, 50 * MOST);
    assert_int_equal(counted.live_blocks, 5 * MOST);
    close_crowd(&crowd);
}

/* The counting heap, which notes how many blocks ever lived at a time. */
static uint64_t most_live;

static void *noting_malloc(struct hm_heap *heap, size_t size) {
    void *block = counted_heap_malloc(heap, size);
    pthread_mutex_lock(&counted.lock);
    if (counted.live_blocks > most_live)
        most_live = counted.live_blocks;
    pthread_mutex_unlock(&counted.lock);
    return block;
}

/* Each producer may have begun a batch when there was room for one message. */
static void test_messages_are_freed_by_others_and_held_back(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    memory.calls.malloc = noting_malloc;
    for (unsigned threads = 2; threads <= MOST; threads++)
        for (int64_t proxies = 0; proxies < 2; proxies++) {
            struct crowd crowd;
            const struct example example = {
                "msgpass", {{"max_out", 20}, {"max_batch", 4}, {"proxies", proxies}}, 0, 0};
            count_clear();
            most_live = 0;
            open_crowd(&crowd, &example, memory, threads);
            assert_true(set_up(&crowd));
            run_crowd(&crowd, 10);
            assert_int_equal(counted.allocations, 10 * threads * ops_in_unit(&crowd.cell));
            assert_int_equal(counted.foreign_frees, counted.allocations);
            assert_in_range(most_live, 1, 19 + 4 * ((threads + 1) / 2));
            close_crowd(&crowd);
        }
}

static void test_blocks_change_hands(void **state) {
    (void)state;
    const size_t swapping[] = {5, 12};
    for (size_t i = 0; i < sizeof swapping / sizeof *swapping; i++) {
        struct crowd crowd;
        count_clear();
        open_crowd(&crowd, &classics[swapping[i]].example, counted_memory(HM_SHAPE_HEAP), 3);
        assert_true(set_up(&crowd));
        for (unsigned try = 0; try < 1000 && counted.foreign_frees == 0; try++)
            run_crowd(&crowd, 200); /* the threads may come one after the other */
        assert_true(counted.foreign_frees > 0);
        verify_crowd(&crowd, true);
        close_crowd(&crowd);
    }
}

/* From the n-th allocation on `count` of them fail. */
static void run_out_at(const struct example *example, unsigned threads, uint64_t n,
                       uint64_t count) {
    struct crowd crowd;
    count_clear();
    open_crowd(&crowd, example, counted_memory(HM_SHAPE_HEAP), threads);
    count_fail(n, count);
    if (set_up(&crowd)) {
        uint64_t done = 0;
        run_crowd(&crowd, 500);
        verify_crowd(&crowd, false);
        for (unsigned i = 0; i < threads; i++)
            done += crowd.done[i];
        assert_true(done < 500 * threads);
    }
    close_crowd(&crowd);
}

/* Two batches of a unit have 30 + 99 blocks in all, each with a pointer. Thread 0 runs while the other has
 * not begun, which so gets all of them; then that one runs, and keeps none for thread 0, which has ended. */
static void test_rptest_hands_its_batches_to_the_other_thread(void **state) {
    (void)state;
    const struct example example = {"rptest", {{"min", 16}, {"max", 16}}, 0, 0};
    struct crowd crowd;
    open_crowd(&crowd, &example, counted_memory(HM_SHAPE_HEAP), 2);
    const struct hm_workload *workload = crowd.cell.workload;
    assert_true(set_up(&crowd));
    assert_int_equal(workload->run(&crowd.runs[0], 1), 1);
    uint64_t live = workload->live_bytes(&crowd.runs[0]);
    assert_true(workload->live_bytes(&crowd.runs[1]) >= 129 * (16 + sizeof(void *)));
    assert_int_equal(workload->run(&crowd.runs[1], 1), 1);
    assert_int_equal(workload->live_bytes(&crowd.runs[0]), live);
    verify_crowd(&crowd, true);
    close_crowd(&crowd);
}

static void test_nobody_waits_for_a_thread_without_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++)
        for (uint64_t n = 1; n < 200; n += 37) {
            run_out_at(&classics[i].example, 2, n, 1);
            run_out_at(&classics[i].example, 3, n, UINT64_MAX);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_work_of_each_thread_is_no_matter_of_timing, start_afresh),
        cmocka_unit_test_setup(test_each_thread_works_as_it_does_alone, start_afresh),
        cmocka_unit_test_setup(test_passive_false_sharing_begins_with_one_foreign_block_each,
                               start_afresh),
        cmocka_unit_test_setup(test_shbench8_begins_with_foreign_blocks, start_afresh),
        cmocka_unit_test_setup(test_messages_are_freed_by_others_and_held_back, start_afresh),
        cmocka_unit_test_setup(test_blocks_change_hands, start_afresh),
        cmocka_unit_test_setup(test_rptest_hands_its_batches_to_the_other_thread, start_afresh),
        cmocka_unit_test_setup(test_nobody_waits_for_a_thread_without_memory, start_afresh),
    };
    return cmocka_run_group_tests_name("heap_classics_threads", tests, NULL, NULL);
}

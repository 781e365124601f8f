/* xthread: every block is freed by the partner of who allocated it, the work of each thread depends
 * on nothing but its seed, and nobody waits for a partner that ran out of memory.
 *
 * labels: threads */
#include "tests/unit/heap_cell.h"

#include <sched.h>

enum {
    BATCH = 30,
    MOST = 5, /* threads */
};

struct pair_cell {
    const struct hm_workload *workload;
    struct hm_memory memory;
    struct hm_value values[PARAMS];
    size_t shared_bytes;
    unsigned threads;
    struct hm_run runs[MOST];
    uint64_t asked;
    uint64_t done[MOST];
};

static void open_pairs(struct pair_cell *cell, struct hm_memory memory, unsigned threads,
                       int64_t queue) {
    static const struct example small = {
        "xthread", {{"batch", BATCH}, {"min", 3}, {"max", 300}}, 0, 0};
    struct cell one;
    open_cell(&one, &small, memory, 1, 7);
    close_cell(&one);
    value_of(&one, "queue")->number = queue;
    *cell = (struct pair_cell){.workload = one.workload, .memory = memory, .threads = threads};
    memcpy(cell->values, one.values, sizeof cell->values);
    cell->shared_bytes = one.workload->shared_bytes(cell->values, threads);
    void *shared = hm_scratch(cell->shared_bytes);
    assert_non_null(shared);
    for (unsigned i = 0; i < threads; i++) {
        cell->runs[i] = (struct hm_run){.memory = &cell->memory,
                                        .params = cell->values,
                                        .seed = 7,
                                        .thread = i,
                                        .threads = threads,
                                        .shared = shared};
        assert_int_equal(cell->workload->setup(&cell->runs[i]), 0);
    }
}

static void close_pairs(struct pair_cell *cell) {
    for (unsigned i = 0; i < cell->threads; i++)
        cell->workload->teardown(&cell->runs[i]);
    hm_scratch_free(cell->runs[0].shared, cell->shared_bytes);
    assert_int_equal(counted.live_blocks, 0);
}

struct pair_errand {
    struct pair_cell *cell;
    unsigned thread;
};

static void *do_pair_errand(void *arg) {
    const struct pair_errand *errand = arg;
    struct pair_cell *cell = errand->cell;
    cell->done[errand->thread] = cell->workload->run(&cell->runs[errand->thread], cell->asked);
    return NULL;
}

static void run_pairs(struct pair_cell *cell, uint64_t units) {
    pthread_t threads[MOST];
    struct pair_errand errands[MOST];
    cell->asked = units;
    for (unsigned i = 0; i < cell->threads; i++) {
        errands[i] = (struct pair_errand){cell, i};
        assert_int_equal(pthread_create(&threads[i], NULL, do_pair_errand, &errands[i]), 0);
    }
    for (unsigned i = 0; i < cell->threads; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void verify_pairs(struct pair_cell *cell, bool has_memory) {
    for (unsigned i = 0; i < cell->threads; i++) {
        uint64_t checksum = cell->runs[i].checksum;
        const char *broken = cell->workload->verify(&cell->runs[i]);
        assert_true(!broken || (!has_memory && strstr(broken, "memory ran out")));
        assert_int_equal(cell->runs[i].checksum, checksum);
    }
}

/* Of the blocks of pairs all are freed by another thread, of a thread without a partner none. */
static void test_partner_frees_every_block(void **state) {
    (void)state;
    for (unsigned threads = 1; threads <= MOST; threads++) {
        struct pair_cell cell;
        count_clear();
        open_pairs(&cell, counted_memory(HM_SHAPE_HEAP), threads, 2);
        run_pairs(&cell, 20);
        assert_int_equal(counted.allocations, 20 * BATCH * threads);
        assert_int_equal(counted.foreign_frees, 20 * BATCH * (threads / 2 * 2));
        assert_int_equal(counted.live_blocks, 0);
        for (unsigned i = 0; i < threads; i++)
            assert_int_equal(cell.done[i], 20);
        verify_pairs(&cell, true);
        close_pairs(&cell);
    }
}

/* @return the threads' checksums, mixed, after `pieces` runs of 24 units in all */
static uint64_t checksum_of(struct hm_memory memory, int64_t queue, uint64_t pieces) {
    struct pair_cell cell;
    uint64_t sum = 0;
    open_pairs(&cell, memory, 4, queue);
    for (uint64_t i = 0; i < pieces; i++)
        run_pairs(&cell, 24 / pieces);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_not_equal(cell.runs[i].checksum, 0);
        sum = hm_mix(sum + cell.runs[i].checksum);
    }
    close_pairs(&cell);
    return sum;
}

static void test_work_is_the_same_on_every_heap_queue_and_cut(void **state) {
    (void)state;
    uint64_t expected = checksum_of(glibc_memory(), 3, 1);
    for (unsigned try = 0; try < 10; try++)
        assert_int_equal(checksum_of(counted_memory(HM_SHAPE_HEAP), 3, 1), expected);
    assert_int_equal(checksum_of(counted_memory(HM_SHAPE_LIBC), 1, 1), expected);
    assert_int_equal(checksum_of(glibc_memory(), 100, 6), expected);
}

/* A consumer's checksum stands for what its producer passed to it, and so differs between pairs. */
static void test_threads_do_different_work(void **state) {
    (void)state;
    struct pair_cell cell;
    open_pairs(&cell, counted_memory(HM_SHAPE_HEAP), MOST, 2);
    run_pairs(&cell, 5);
    for (unsigned i = 0; i < MOST; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(cell.runs[i].checksum, cell.runs[j].checksum);
    close_pairs(&cell);
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

/* A batch in the making has a place of the queue, and so has one that is being freed. */
static void test_queue_is_bounded(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    memory.calls.malloc = noting_malloc;
    for (int64_t queue = 1; queue <= 3; queue++) {
        struct pair_cell cell;
        most_live = 0;
        open_pairs(&cell, memory, 2, queue);
        run_pairs(&cell, 200);
        assert_in_range(most_live, BATCH, (uint64_t)queue * BATCH);
        close_pairs(&cell);
    }
}

static uint64_t live_bytes_of(const struct pair_cell *cell) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < cell->threads; i++)
        sum += cell->workload->live_bytes(&cell->runs[i]);
    return sum;
}

/* The other pair goes on to its end. */
static void test_consumer_leaves_when_its_producer_has_no_memory(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 20 * BATCH; n += 7) {
        struct pair_cell cell;
        count_clear();
        open_pairs(&cell, counted_memory(HM_SHAPE_HEAP), 4, 2);
        count_fail(n, 1);
        run_pairs(&cell, 100);
        unsigned stopped = cell.done[0] < 100 ? 0 : 2;
        assert_true(cell.done[stopped] < 100);
        assert_int_equal(cell.done[stopped + 1], cell.done[stopped]);
        assert_int_equal(cell.done[2 - stopped], 100);
        assert_int_equal(cell.done[3 - stopped], 100);
        assert_int_equal(counted.live_bytes, live_bytes_of(&cell));
        run_pairs(&cell, 1);
        assert_int_equal(cell.done[stopped] + cell.done[stopped + 1], 0);
        verify_pairs(&cell, true);
        close_pairs(&cell);
    }
}

/* All memory is gone, and comes back only in batches that the consumer frees. */
static void test_no_thread_hangs_on_a_full_heap(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 200; n += 13) {
        struct pair_cell cell;
        count_clear();
        open_pairs(&cell, counted_memory(HM_SHAPE_HEAP), MOST, 2);
        count_fail(n, UINT64_MAX);
        run_pairs(&cell, 1000);
        for (unsigned i = 0; i < MOST; i++)
            assert_true(cell.done[i] < 1000);
        verify_pairs(&cell, false);
        close_pairs(&cell);
    }
}

/* Both on one CPU, and a queue that is full or empty nearly all the time. */
static void test_pair_goes_on_with_one_cpu(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct pair_cell cell;
    open_pairs(&cell, counted_memory(HM_SHAPE_HEAP), 2, 1);
    run_pairs(&cell, 500);
    assert_int_equal(cell.done[0] + cell.done[1], 1000);
    close_pairs(&cell);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_partner_frees_every_block, start_afresh),
        cmocka_unit_test_setup(test_work_is_the_same_on_every_heap_queue_and_cut, start_afresh),
        cmocka_unit_test_setup(test_threads_do_different_work, start_afresh),
        cmocka_unit_test_setup(test_queue_is_bounded, start_afresh),
        cmocka_unit_test_setup(test_consumer_leaves_when_its_producer_has_no_memory, start_afresh),
        cmocka_unit_test_setup(test_no_thread_hangs_on_a_full_heap, start_afresh),
        cmocka_unit_test_setup(test_pair_goes_on_with_one_cpu, start_afresh),
    };
    return cmocka_run_group_tests_name("xthread", tests, NULL, NULL);
}

/* leaky: fresh threads that the heap is told of, blocks that are freed by others than allocated them,
 * and a round that lacks memory is done again.
 *
 * labels: threads */
#include "tests/unit/heap_cell.h"

static const struct example small = {
    "leaky", {{"wave", 3}, {"blocks", 2}, {"size", 40}, {"slots", 20}}, 30, 20};

static struct hm_memory counted_heap(void) {
    return counted_memory(HM_SHAPE_HEAP);
}

static void test_rounds_are_done_by_fresh_threads(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, &small, counted_heap(), 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    assert_int_equal(counted.entered, 0);
    unsigned threads = counted.threads;
    assert_int_equal(cell.workload->run(run, 30), 30);
    assert_int_equal(counted.threads - threads, 30 * 3);
    assert_int_equal(counted.entered, 30 * 3);
    assert_int_equal(counted.left, 30 * 3);
    assert_int_equal(counted.allocations, 30 * cell.workload->ops_per_unit(cell.values));
    assert_in_range(counted.foreign_frees, 30 * 3, 30 * 6 - 20); /* a thread may hit its own */
    assert_int_equal(counted.live_blocks, 20);
    assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
    assert_null(cell.workload->verify(run));
    cell.workload->teardown(run);
    assert_int_equal(counted.live_blocks, 0);
    close_cell(&cell);
}

static void test_checksum_depends_on_seed_and_thread_alone(void **state) {
    (void)state;
    uint64_t expected = run_whole(&small, glibc_memory(), 7, 0, 30);
    assert_int_equal(run_whole(&small, counted_heap(), 7, 0, 7), expected);
    assert_int_not_equal(run_whole(&small, counted_heap(), 8, 0, 30), expected);
    assert_int_not_equal(run_whole(&small, counted_heap(), 7, 1, 30), expected);
}

static void test_round_without_memory_is_done_again(void **state) {
    (void)state;
    uint64_t expected = run_whole(&small, counted_heap(), 7, 0, 30);
    for (uint64_t n = 1; n < 180; n += 11) {
        struct cell cell;
        open_cell(&cell, &small, counted_heap(), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        count_clear();
        count_fail(n, 1);
        uint64_t done = cell.workload->run(run, 30);
        assert_int_equal(done, (n - 1) / 6);
        assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
        assert_int_equal(cell.workload->run(run, 30 - done), 30 - done);
        assert_int_equal(run->checksum, expected);
        assert_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        assert_int_equal(counted.live_blocks, 0);
        close_cell(&cell);
    }
}

static void *dirty_calloc(size_t count, size_t size) {
    char *block = counted_calloc(count, size);
    block[count * size - 1] = 1;
    return block;
}

/* Of the size that callers ask for, so that two of them lie in each other. */
static void *overlapping_calloc(size_t count, size_t size) {
    static char blocks[1 << 12];
    static unsigned next;
    unsigned at = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    return memset(blocks + at % 64 * (count * size / 2), 0, count * size);
}

static void keep_block(void *block) {
    (void)block;
}

static const char *verdict_on(struct hm_memory memory) {
    struct cell cell;
    struct example one = small;
    one.settings[0].number = 1; /* a thread at a time: a heap that is broken races */
    open_cell(&cell, &one, memory, 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    assert_int_equal(cell.workload->run(run, 10), 10);
    const char *broken = cell.workload->verify(run);
    cell.workload->teardown(run);
    close_cell(&cell);
    return broken;
}

static void test_broken_heaps_are_seen(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.calloc = dirty_calloc;
    assert_string_equal(verdict_on(memory), "calloc gave a block that was not zero");
    memory.libc.calloc = overlapping_calloc;
    memory.libc.free = keep_block;
    assert_string_equal(verdict_on(memory), "a live block does not hold what was written to it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rounds_are_done_by_fresh_threads, start_afresh),
        cmocka_unit_test_setup(test_checksum_depends_on_seed_and_thread_alone, start_afresh),
        cmocka_unit_test_setup(test_round_without_memory_is_done_again, start_afresh),
        cmocka_unit_test_setup(test_broken_heaps_are_seen, start_afresh),
    };
    return cmocka_run_group_tests_name("leaky", tests, NULL, NULL);
}

/* churn, batch, server and xthread: the same operations for every allocator and every way of cutting a run
 * into pieces, nothing leaked, and nothing lost when memory runs out. */
#include "tests/unit/heap_cell.h"
#include "workloads/sizes.h"

static void test_checksum_is_the_same_on_every_allocator(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        uint64_t expected = run_whole(&examples[i], glibc_memory(), 7, 0, 100);
        assert_int_not_equal(expected, 0);
        assert_int_equal(run_whole(&examples[i], counted_memory(HM_SHAPE_HEAP), 7, 0, 100),
                         expected);
    }
}

static void test_checksum_differs_between_seeds_and_threads(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    for (size_t i = 0; i < EXAMPLES; i++) {
        if (examples[i].live_blocks == 1)
            continue; /* one slot and one size: nothing to draw */
        uint64_t one = run_whole(&examples[i], memory, 7, 0, 100);
        assert_int_not_equal(run_whole(&examples[i], memory, 8, 0, 100), one);
        assert_int_not_equal(run_whole(&examples[i], memory, 7, 1, 100), one);
    }
}

static void test_operations_are_the_same_in_both_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        count_clear();
        run_whole(&examples[i], counted_memory(HM_SHAPE_LIBC), 7, 0, 100);
        uint64_t digest = counted.digest;
        count_clear();
        run_whole(&examples[i], counted_memory(HM_SHAPE_HEAP), 7, 0, 100);
        assert_int_equal(counted.digest, digest);
    }
}

static void test_operations_do_not_depend_on_how_a_run_is_cut(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    for (size_t i = 0; i < EXAMPLES; i++) {
        count_clear();
        uint64_t checksum = run_whole(&examples[i], memory, 7, 0, 100);
        uint64_t digest = counted.digest;
        const uint64_t pieces[] = {60, 40, 7, 1};
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++) {
            count_clear();
            assert_int_equal(run_whole(&examples[i], memory, 7, 0, pieces[j]), checksum);
            assert_int_equal(counted.digest, digest);
        }
    }
}

static void test_script_goes_round_when_it_ends(void **state) {
    (void)state;
    struct example longer = examples[1];
    longer.units = 3 << 16;
    count_clear();
    uint64_t checksum = run_whole(&longer, counted_memory(HM_SHAPE_HEAP), 7, 0, 3 << 16);
    assert_int_equal(counted.allocations, 30 + longer.units);
    longer.units = 1 << 16;
    assert_int_equal(3 * run_whole(&longer, counted_memory(HM_SHAPE_HEAP), 7, 0, 999), checksum);
}

static void test_live_bytes_are_what_the_heap_holds(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct cell cell;
        count_clear();
        open_cell(&cell, &examples[i], counted_memory(HM_SHAPE_HEAP), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        for (unsigned piece = 0; piece < 5; piece++) {
            assert_int_equal(counted.live_blocks, examples[i].live_blocks);
            assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
            assert_int_equal(cell.workload->run(run, 13), 13);
        }
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

static void test_units_hold_as_many_operations_as_declared(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct cell cell;
        open_cell(&cell, &examples[i], counted_memory(HM_SHAPE_HEAP), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        count_clear();
        cell.workload->run(run, 10);
        uint64_t ops = cell.workload->ops_per_unit ? cell.workload->ops_per_unit(cell.values) : 1;
        assert_int_equal(counted.allocations, 10 * ops);
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

static void test_teardown_leaves_nothing(void **state) {
    (void)state;
    size_t scratch = hm_scratch_bytes();
    for (size_t i = 0; i < EXAMPLES; i++) {
        run_whole(&examples[i], counted_memory(HM_SHAPE_HEAP), 7, 0, 100);
        assert_int_equal(counted.live_blocks, 0);
        assert_int_equal(counted.live_bytes, 0);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

static void test_sizes_fill_their_range_and_stay_in_it(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct example longer = examples[i];
        longer.units = 20000;
        count_clear();
        run_whole(&longer, counted_memory(HM_SHAPE_HEAP), 7, 0, 20000);
        int64_t min = longer.settings[1].number;
        int64_t max = longer.settings[2].number;
        assert_int_equal(counted.smallest, min);
        assert_in_range(counted.largest, min == max ? max : max - max / 3, max);
    }
}

enum {
    DRAWS = 100000,
};

/* @return how many of DRAWS sizes from 16 to 1000 are below `limit` */
static unsigned draws_below(enum hm_sizes_kind kind, uint32_t limit) {
    const struct hm_sizes sizes = {kind, 16, 1000};
    struct hm_random random = hm_random_of(7, 0);
    unsigned below = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t size = hm_size_draw(&sizes, &random);
        assert_in_range(size, 16, 1000);
        assert_true(kind != HM_SIZES_POW2 || (size & (size - 1)) == 0);
        below += size < limit;
    }
    return below;
}

static void test_sizes_follow_their_distribution(void **state) {
    (void)state;
    assert_in_range(draws_below(HM_SIZES_UNIFORM, 508), 49000, 51000);
    assert_in_range(draws_below(HM_SIZES_POW2, 128), 49000, 51000); /* 16 32 64, 128 256 512 */
    /* (1/16 - 1/limit) / (1/16 - 1/1001) */
    assert_in_range(draws_below(HM_SIZES_POWER, 32), 50000, 51600);
    assert_in_range(draws_below(HM_SIZES_POWER, 160), 90400, 92400);
}

static void test_smallest_above_largest_is_refused(void **state) {
    (void)state;
    const char *names[] = {"churn", "batch", "server", "xthread"};
    for (size_t i = 0; i < 4; i++) {
        const struct example upside_down = {names[i], {{"min", 100}, {"max", 99}}, 1, 0};
        struct cell cell;
        size_t scratch = hm_scratch_bytes();
        count_clear();
        open_cell(&cell, &upside_down, counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), EINVAL);
        close_cell(&cell);
        assert_int_equal(counted.allocations, 0);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

/* Numbers of the blocks of the first batch in the order of their frees. */
static const uint32_t *frees_of_batch(const struct example *example) {
    count_clear();
    run_whole(example, counted_memory(HM_SHAPE_HEAP), 7, 0, 1);
    return counted.freed;
}

static void test_batch_is_freed_in_the_order_asked_for(void **state) {
    (void)state;
    const uint32_t *freed = frees_of_batch(&examples[4]);
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(freed[i], i + 1);
    freed = frees_of_batch(&examples[5]);
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(freed[i], 30 - i);
    freed = frees_of_batch(&examples[6]);
    unsigned ascending = 0;
    bool seen[31] = {false};
    for (uint32_t i = 0; i < 30; i++) {
        assert_in_range(freed[i], 1, 30);
        assert_false(seen[freed[i]]);
        seen[freed[i]] = true;
        ascending += i > 0 && freed[i] > freed[i - 1];
    }
    assert_in_range(ascending, 5, 24);
}

/* All allocations fail from the n-th on. @return whether there were fewer than n */
static bool run_out_at(const struct example *example, uint64_t n) {
    struct cell cell;
    size_t scratch = hm_scratch_bytes();
    open_cell(&cell, example, counted_memory(HM_SHAPE_HEAP), 1, 7);
    struct hm_run *run = &cell.runs[0];
    count_clear();
    count_fail(n, UINT64_MAX);
    int bad = cell.workload->setup(run);
    uint64_t done = 0;
    if (bad) {
        assert_int_equal(bad, ENOMEM);
    } else {
        done = cell.workload->run(run, example->units);
        assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
        const char *broken = cell.workload->verify(run);
        assert_true(!broken || strstr(broken, "memory ran out"));
        cell.workload->teardown(run);
    }
    bool enough = counted.allocations < n;
    assert_int_equal(enough && !bad && done == example->units, enough);
    assert_int_equal(counted.live_blocks, 0);
    close_cell(&cell);
    assert_int_equal(hm_scratch_bytes(), scratch);
    return enough;
}

static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        uint64_t n = 1;
        while (!run_out_at(&examples[i], n))
            n++;
        assert_in_range(n, 100, 1000);
    }
}

static void test_run_goes_on_where_memory_ran_out(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        if (strcmp(examples[i].workload, "server") == 0)
            continue; /* a cell of several threads stops for good */
        uint64_t expected = run_whole(&examples[i], counted_memory(HM_SHAPE_HEAP), 7, 0, 100);
        struct cell cell;
        open_cell(&cell, &examples[i], counted_memory(HM_SHAPE_HEAP), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        count_fail(50, 1);
        uint64_t done = cell.workload->run(run, examples[i].units);
        assert_in_range(done, 1, examples[i].units - 1);
        assert_int_equal(cell.workload->run(run, examples[i].units - done),
                         examples[i].units - done);
        assert_int_equal(run->checksum, expected);
        assert_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

/* A heap that hands the same block out again and again. */
static void *same_block(size_t size) {
    static char block[512];
    return size <= sizeof block ? block : NULL;
}

static void keep_block(void *block) {
    (void)block;
}

static void test_verify_sees_blocks_that_overlap(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.malloc = same_block;
    memory.libc.free = keep_block;
    const size_t touching[] = {1, 2, 4, 5, 6, 7, 8, 9};
    for (size_t i = 0; i < sizeof touching / sizeof *touching; i++) {
        struct cell cell;
        open_cell(&cell, &examples[touching[i]], memory, 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        assert_int_equal(cell.workload->run(run, 10), 10);
        assert_non_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_checksum_is_the_same_on_every_allocator, start_afresh),
        cmocka_unit_test_setup(test_checksum_differs_between_seeds_and_threads, start_afresh),
        cmocka_unit_test_setup(test_operations_are_the_same_in_both_shapes, start_afresh),
        cmocka_unit_test_setup(test_operations_do_not_depend_on_how_a_run_is_cut, start_afresh),
        cmocka_unit_test_setup(test_script_goes_round_when_it_ends, start_afresh),
        cmocka_unit_test_setup(test_live_bytes_are_what_the_heap_holds, start_afresh),
        cmocka_unit_test_setup(test_units_hold_as_many_operations_as_declared, start_afresh),
        cmocka_unit_test_setup(test_teardown_leaves_nothing, start_afresh),
        cmocka_unit_test_setup(test_sizes_fill_their_range_and_stay_in_it, start_afresh),
        cmocka_unit_test_setup(test_sizes_follow_their_distribution, start_afresh),
        cmocka_unit_test_setup(test_smallest_above_largest_is_refused, start_afresh),
        cmocka_unit_test_setup(test_batch_is_freed_in_the_order_asked_for, start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start_afresh),
        cmocka_unit_test_setup(test_run_goes_on_where_memory_ran_out, start_afresh),
        cmocka_unit_test_setup(test_verify_sees_blocks_that_overlap, start_afresh),
    };
    return cmocka_run_group_tests_name("heap_workloads", tests, NULL, NULL);
}

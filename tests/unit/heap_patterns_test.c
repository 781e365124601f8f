/* Heap workloads of one thread each: the same operations for every allocator and every way of cutting
 * a run into pieces, nothing leaked, nothing lost when memory runs out, and a broken heap seen. */
#include "tests/unit/heap_cell.h"

/* So few allocations that each of them can be refused. */
static const struct example patterns[] = {
    {"pairs", {{"size", 40}, {"held", 8}}, 100, 8},
    {"pairs", {{"size", 40}, {"held", 0}}, 100, 0},
    {"large", {{"live", 5}, {"min", 100}, {"max", 9000}, {"touch", 2}}, 100, 5},
    {"large", {{"live", 5}, {"min", 100}, {"max", 9000}, {"touch", 1}}, 100, 5},
    {"large", {{"live", 5}, {"min", 100}, {"max", 9000}, {"touch", 0}}, 100, 5},
    {"grow", {{"live", 5}, {"min", 5}, {"max", 3000}, {"factor", 0}}, 200, 5},
    {"grow", {{"live", 5}, {"min", 5}, {"max", 3000}, {"factor", 1}}, 200, 5},
    {"grow", {{"live", 5}, {"min", 50}, {"max", 3000}, {"factor", 2}}, 200, 5},
    {"aligned", {{"live", 20}, {"min", 3}, {"max", 300}, {"from", 16}, {"to", 16}}, 100, 20},
    {"callocs", {{"live", 20}, {"min", 3}, {"max", 300}, {"check", 0}}, 100, 20},
    {"callocs", {{"live", 20}, {"min", 3}, {"max", 300}, {"check", 1}}, 100, 20},
    {"phases", {{"bytes", 2000}, {"count", 40}, {"min", 32}, {"max", 300}, {"keep", 20}}, 12, 3},
    {"burst", {{"count", 30}, {"min", 3}, {"max", 300}, {"keep", 10}, {"gap", 0}}, 10, 3},
    {"startup", {{"min", 10}, {"max", 300}}, 100, 0},
    {"adversary", {{"mode", 0}, {"live", 512}, {"max", 128}}, 4, 10},
    {"adversary", {{"mode", 1}, {"live", 512}, {"max", 128}}, 4, 4},
    {"factor", {{"digits", 0}}, 4, 59},
};
enum {
    PATTERNS = sizeof patterns / sizeof *patterns,
};

static struct hm_memory counted_heap(void) {
    return counted_memory(HM_SHAPE_HEAP);
}

static void test_checksum_is_the_same_on_every_allocator(void **state) {
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        uint64_t expected = run_whole(&patterns[i], glibc_memory(), 7, 0, 100);
        assert_int_not_equal(expected, 0);
        assert_int_equal(run_whole(&patterns[i], counted_heap(), 7, 0, 100), expected);
    }
}

static void test_checksum_differs_between_seeds_and_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        uint64_t one = run_whole(&patterns[i], counted_heap(), 7, 0, 100);
        assert_int_not_equal(run_whole(&patterns[i], counted_heap(), 8, 0, 100), one);
        assert_int_not_equal(run_whole(&patterns[i], counted_heap(), 7, 1, 100), one);
    }
}

static uint64_t digest_of(const struct example *example, int shape, uint64_t piece) {
    count_clear();
    run_whole(example, counted_memory(shape), 7, 0, piece);
    return counted.digest;
}

static void test_operations_depend_on_neither_shape_nor_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        uint64_t expected = digest_of(&patterns[i], HM_SHAPE_LIBC, 1000);
        const uint64_t pieces[] = {1000, 60, 7, 1};
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++)
            assert_int_equal(digest_of(&patterns[i], HM_SHAPE_HEAP, pieces[j]), expected);
    }
}

static void test_live_bytes_are_what_the_heap_holds(void **state) {
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        struct cell cell;
        count_clear();
        open_cell(&cell, &patterns[i], counted_heap(), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        for (unsigned piece = 0; piece < 8; piece++) {
            assert_int_equal(cell.workload->run(run, 7), 7);
            assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
        }
        assert_int_equal(counted.live_blocks, patterns[i].live_blocks);
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

static void test_teardown_leaves_nothing(void **state) {
    (void)state;
    size_t scratch = hm_scratch_bytes();
    for (size_t i = 0; i < PATTERNS; i++) {
        run_whole(&patterns[i], counted_heap(), 7, 0, 100);
        assert_int_equal(counted.live_blocks, 0);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

/* All allocations fail from the n-th on. @return whether there were fewer than n */
static bool run_out_at(const struct example *example, uint64_t n) {
    struct cell cell;
    open_cell(&cell, example, counted_heap(), 1, 7);
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
    return enough;
}

static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    size_t scratch = hm_scratch_bytes();
    for (size_t i = 0; i < PATTERNS; i++) {
        uint64_t n = 1;
        while (!run_out_at(&patterns[i], n))
            n++;
        assert_in_range(n, 50, 1000);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

static void test_run_goes_on_where_memory_ran_out(void **state) {
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        uint64_t expected = run_whole(&patterns[i], counted_heap(), 7, 0, 100);
        struct cell cell;
        open_cell(&cell, &patterns[i], counted_heap(), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        run->checksum = 0;
        count_fail(90, 1);
        uint64_t done = cell.workload->run(run, patterns[i].units);
        assert_in_range(done, 0, patterns[i].units - 1);
        uint64_t left = patterns[i].units - done;
        assert_int_equal(cell.workload->run(run, left), left);
        assert_int_equal(run->checksum, expected);
        assert_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

/* ---- Heaps that are broken ---- */

static _Alignas(4096) char one_block[1 << 16];

static void *same_block(size_t size) {
    return size <= sizeof one_block ? one_block : NULL;
}

static void *same_block_again(void *block, size_t size) {
    (void)block;
    return same_block(size);
}

static void *same_block_zeroed(size_t count, size_t size) {
    return count * size <= sizeof one_block ? memset(one_block, 0, count * size) : NULL;
}

/* As aligned as malloc's, and no more, wherever the linker puts it. */
static void *same_block_aligned(size_t alignment, size_t size) {
    (void)alignment;
    return size + 16 <= sizeof one_block ? one_block + 16 : NULL;
}

static void keep_block(void *block) {
    (void)block;
}

/* @return what the workload says after `units` */
static const char *verdict_on(const struct example *example, struct hm_memory memory,
                              uint64_t units) {
    struct cell cell;
    open_cell(&cell, example, memory, 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    assert_int_equal(cell.workload->run(run, units), units);
    const char *broken = cell.workload->verify(run);
    cell.workload->teardown(run);
    close_cell(&cell);
    return broken;
}

static void test_verify_sees_blocks_that_overlap(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc = (struct hm_libc_calls){same_block,         same_block_zeroed, same_block_again,
                                         same_block_aligned, keep_block,        NULL};
    const size_t touching[] = {0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof touching / sizeof *touching; i++)
        assert_non_null(verdict_on(&patterns[touching[i]], memory, 20));
}

/* One byte in the middle is not 0. */
static void *dirty_calloc(size_t count, size_t size) {
    char *block = counted_calloc(count, size);
    if (block && count * size > 1)
        block[count * size / 2] = 1;
    return block;
}

static void test_callocs_sees_a_byte_that_is_not_zero(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.calloc = dirty_calloc;
    assert_string_equal(verdict_on(&patterns[9], memory, 20),
                        "calloc gave a block that was not zero");
    assert_string_equal(verdict_on(&patterns[10], memory, 20),
                        "calloc gave a block that was not zero");
}

/* A realloc that loses the last byte of what was there. */
static void *forgetful_realloc(void *block, size_t size) {
    size_t old = counted_usable_size(block);
    unsigned char *moved = counted_realloc(block, size);
    if (moved && old && old < size)
        moved[old - 1] ^= 1;
    return moved;
}

static void test_grow_sees_a_byte_that_realloc_lost(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.realloc = forgetful_realloc;
    for (size_t i = 5; i < 8; i++)
        assert_string_equal(verdict_on(&patterns[i], memory, 20),
                            "an array does not hold what was written to it");
}

static void test_aligned_blocks_are_checked(void **state) {
    (void)state;
    struct example pages = patterns[8];
    pages.settings[4].number = 4096;
    assert_null(verdict_on(&pages, glibc_memory(), 100));
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    struct cell cell;
    open_cell(&cell, &pages, memory, 1, 7); /* it knows no alignment but its own */
    assert_int_equal(cell.workload->setup(&cell.runs[0]), EINVAL);
    close_cell(&cell);
    memory.libc.aligned_alloc = same_block_aligned;
    memory.libc.free = keep_block;
    assert_string_equal(verdict_on(&pages, memory, 100),
                        "a block is not aligned as it was asked for");
}

/* ---- What the arrays of grow are like ---- */

static void test_arrays_grow_by_the_factor_and_to_their_last_size(void **state) {
    (void)state;
    const size_t sizes[3][5] = {{5, 10, 20, 40, 80}, {5, 7, 10, 15, 22}, {5, 10, 15, 20, 25}};
    for (int factor = 0; factor < 3; factor++) {
        const struct example one = {
            "grow", {{"live", 1}, {"min", 5}, {"max", 100000}, {"factor", factor}}, 5, 1};
        struct cell cell;
        open_cell(&cell, &one, counted_heap(), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(cell.workload->run(run, 1), 1);
            assert_int_equal(counted.live_bytes, sizes[factor][i]);
        }
        count_clear();
        cell.workload->run(run, 100000);
        assert_in_range(counted.largest, 40000, 100000);
        assert_int_equal(counted.smallest, 5);
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

static void test_bounds_upside_down_are_refused(void **state) {
    (void)state;
    const char *names[] = {"large", "grow", "aligned", "callocs"};
    for (size_t i = 0; i < 4; i++) {
        const struct example upside_down = {names[i], {{"min", 100}, {"max", 99}}, 1, 0};
        struct cell cell;
        open_cell(&cell, &upside_down, counted_heap(), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), EINVAL);
        close_cell(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_checksum_is_the_same_on_every_allocator, start_afresh),
        cmocka_unit_test_setup(test_checksum_differs_between_seeds_and_threads, start_afresh),
        cmocka_unit_test_setup(test_operations_depend_on_neither_shape_nor_pieces, start_afresh),
        cmocka_unit_test_setup(test_live_bytes_are_what_the_heap_holds, start_afresh),
        cmocka_unit_test_setup(test_teardown_leaves_nothing, start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start_afresh),
        cmocka_unit_test_setup(test_run_goes_on_where_memory_ran_out, start_afresh),
        cmocka_unit_test_setup(test_verify_sees_blocks_that_overlap, start_afresh),
        cmocka_unit_test_setup(test_callocs_sees_a_byte_that_is_not_zero, start_afresh),
        cmocka_unit_test_setup(test_grow_sees_a_byte_that_realloc_lost, start_afresh),
        cmocka_unit_test_setup(test_aligned_blocks_are_checked, start_afresh),
        cmocka_unit_test_setup(test_arrays_grow_by_the_factor_and_to_their_last_size, start_afresh),
        cmocka_unit_test_setup(test_bounds_upside_down_are_refused, start_afresh),
    };
    return cmocka_run_group_tests_name("heap_patterns", tests, NULL, NULL);
}

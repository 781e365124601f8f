/* The re-created benchmarks, one thread of each: the same operations on every heap and however a run
 * is cut, nothing lost when memory runs out, damage seen; and what is known of each from its origin. */
#include "tests/unit/heap_classics.h"

/* ---- All of them ---- */

static uint64_t digest_after(const struct example *example, int shape, uint64_t piece,
                             uint64_t checksum) {
    count_clear();
    assert_int_equal(run_whole(example, counted_memory(shape), 7, 0, piece), checksum);
    assert_int_equal(counted.live_blocks, 0);
    return counted.digest;
}

static void test_work_is_the_same_on_every_heap_and_cut(void **state) {
    (void)state;
    size_t scratch = hm_scratch_bytes();
    for (size_t i = 0; i < CLASSICS; i++) {
        const struct example *example = &classics[i].example;
        uint64_t checksum = run_whole(example, glibc_memory(), 7, 0, example->units);
        assert_int_not_equal(checksum, 0);
        uint64_t digest = digest_after(example, HM_SHAPE_HEAP, example->units, checksum);
        assert_int_equal(digest_after(example, HM_SHAPE_LIBC, example->units, checksum), digest);
        assert_int_equal(digest_after(example, HM_SHAPE_HEAP, 7, checksum), digest);
        assert_int_equal(digest_after(example, HM_SHAPE_HEAP, 1, checksum), digest);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

static void test_work_differs_between_seeds_and_threads(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    for (size_t i = 0; i < CLASSICS; i++) {
        const struct example *example = &classics[i].example;
        uint64_t one = run_whole(example, memory, 7, 0, 100);
        bool same = classics[i].traits & DRAWS_NOTHING;
        assert_int_equal(run_whole(example, memory, 8, 0, 100) == one, same);
        assert_int_equal(run_whole(example, memory, 7, 1, 100) == one, same);
    }
}

static void check_unit(const struct classic *classic, struct cell *cell) {
    struct hm_run *run = &cell->runs[0];
    uint64_t live = counted.live_blocks;
    count_clear();
    assert_int_equal(cell->workload->run(run, 1), 1);
    assert_int_equal(cell->workload->live_bytes(run), counted.live_bytes);
    uint64_t ops = ops_in_unit(cell);
    if (classic->traits & OP_IS_A_WRITE)
        assert_int_equal(counted.allocations, 1);
    else if (classic->traits & FEWER_ALLOCS)
        assert_int_equal(2 * counted.allocations, ops + counted.live_blocks - live);
    else if (classic->traits & MORE_ALLOCS)
        assert_in_range(counted.allocations, ops, 2 * ops);
    else
        assert_int_equal(counted.allocations, ops);
}

static void test_units_hold_their_operations_and_live_bytes_are_true(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++) {
        struct cell cell;
        open_cell(&cell, &classics[i].example, counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
        assert_int_equal(cell.workload->live_bytes(&cell.runs[0]), counted.live_bytes);
        for (unsigned unit = 0; unit < 10; unit++)
            check_unit(&classics[i], &cell);
        cell.workload->teardown(&cell.runs[0]);
        close_cell(&cell);
        assert_int_equal(counted.live_blocks, 0);
    }
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
    for (size_t i = 0; i < CLASSICS; i++) {
        uint64_t n = 1;
        while (!run_out_at(&classics[i].example, n))
            n += n < 150 ? 1 : 17;
        assert_in_range(n, 40, 5000);
    }
}

static void test_run_goes_on_where_memory_ran_out(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++) {
        const struct example *example = &classics[i].example;
        uint64_t expected = run_whole(example, counted_memory(HM_SHAPE_HEAP), 7, 0, 100);
        for (uint64_t n = 5; n < 60; n++) {
            struct cell cell;
            open_cell(&cell, example, counted_memory(HM_SHAPE_HEAP), 1, 7);
            struct hm_run *run = &cell.runs[0];
            assert_int_equal(cell.workload->setup(run), 0);
            run->checksum = 0;
            count_fail(n, 1);
            uint64_t done = cell.workload->run(run, example->units);
            assert_true(done < example->units);
            assert_int_equal(cell.workload->run(run, example->units - done), example->units - done);
            assert_int_equal(run->checksum, expected);
            assert_null(cell.workload->verify(run));
            cell.workload->teardown(run);
            close_cell(&cell);
        }
    }
}

/* ---- A heap that hands the same block out again and again ---- */

static void *same_block(size_t size) {
    static _Alignas(16) char block[512];
    return size <= sizeof block ? block : NULL;
}

static void *same_calloc(size_t count, size_t size) {
    return same_block(count * size);
}

static void *same_aligned(size_t alignment, size_t size) {
    (void)alignment;
    return same_block(size);
}

static void *same_realloc(void *block, size_t size) {
    (void)block;
    return same_block(size);
}

static void keep_block(void *block) {
    (void)block;
}

static void test_verify_sees_blocks_that_overlap(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.malloc = same_block;
    memory.libc.calloc = same_calloc;
    memory.libc.aligned_alloc = same_aligned;
    memory.libc.realloc = same_realloc;
    memory.libc.free = keep_block;
    for (size_t i = 0; i < CLASSICS; i++) {
        struct cell cell;
        if (classics[i].traits & (NO_OVERLAP | NOT_IN_ONE_BLOCK))
            continue;
        open_cell(&cell, &classics[i].example, memory, 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        cell.workload->run(run, 3);
        assert_non_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        close_cell(&cell);
    }
}

/* @return of how many live blocks it is seen that their first byte is another one */
static uint64_t damage_seen(struct cell *cell) {
    uint64_t seen = 0;
    for (struct block_header *block = counted.blocks.newer; block != &counted.blocks;
         block = block->newer) {
        unsigned char *byte = (unsigned char *)(block + 1);
        *byte ^= 0xff;
        seen += cell->workload->verify(&cell->runs[0]) != NULL;
        *byte ^= 0xff;
    }
    return seen;
}

/* rptest looks at the blocks of a batch when it frees them, and not at the batch itself. */
static void test_verify_sees_a_block_that_was_written_to(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSICS; i++) {
        struct cell cell;
        if (classics[i].traits & NO_OVERLAP)
            continue;
        open_cell(&cell, &classics[i].example, counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
        cell.workload->run(&cell.runs[0], 5);
        bool batched = strcmp(cell.workload->name, "rptest") == 0;
        uint64_t seen = damage_seen(&cell);
        assert_in_range(seen, batched ? counted.live_blocks / 2 : counted.live_blocks,
                        counted.live_blocks);
        assert_null(cell.workload->verify(&cell.runs[0]));
        cell.workload->teardown(&cell.runs[0]);
        close_cell(&cell);
    }
}

static bool is_live(uint32_t number) {
    const struct block_header *block = counted.blocks.newer;
    while (block != &counted.blocks && block->number != number)
        block = block->newer;
    return block != &counted.blocks;
}

/* The oldest block is written to, and then goes its way. */
static void test_damage_to_a_block_is_remembered_when_it_is_freed(void **state) {
    (void)state;
    const size_t remembering[] = {1, 3, 6, 16};
    for (size_t i = 0; i < sizeof remembering / sizeof *remembering; i++) {
        struct cell cell;
        count_clear();
        open_cell(&cell, &classics[remembering[i]].example, counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
        struct block_header *oldest = counted.blocks.newer;
        uint32_t number = oldest->number;
        *(unsigned char *)(oldest + 1) ^= 0xff;
        for (unsigned units = 0; is_live(number); units++) {
            assert_in_range(units, 0, 10000);
            cell.workload->run(&cell.runs[0], 1);
        }
        assert_non_null(cell.workload->verify(&cell.runs[0]));
        cell.workload->teardown(&cell.runs[0]);
        close_cell(&cell);
    }
}

/* ---- What is known of each ---- */

enum {
    NOTED = 100000,
};
static uint32_t noted_sizes[NOTED];
static uint32_t noted_alignments[NOTED];
static size_t noted;

static void note(size_t alignment, size_t size) {
    if (noted < NOTED) {
        noted_alignments[noted] = (uint32_t)alignment;
        noted_sizes[noted++] = (uint32_t)size;
    }
}

static void *sized_malloc(struct hm_heap *heap, size_t size) {
    note(0, size);
    return counted_heap_malloc(heap, size);
}

static void *sized_calloc(struct hm_heap *heap, size_t count, size_t size) {
    note(0, count * size);
    return counted_heap_calloc(heap, count, size);
}

static void *sized_aligned(struct hm_heap *heap, size_t alignment, size_t size) {
    note(alignment, size);
    return counted_heap_aligned_alloc(heap, alignment, size);
}

/* Run with all sizes noted, those of set-up as well if `with_setup`. */
static void note_sizes(const struct example *example, bool with_setup) {
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    struct cell cell;
    memory.calls.malloc = sized_malloc;
    memory.calls.calloc = sized_calloc;
    memory.calls.aligned_alloc = sized_aligned;
    noted = 0;
    open_cell(&cell, example, memory, 1, 7);
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    if (!with_setup)
        noted = 0;
    count_clear();
    assert_int_equal(cell.workload->run(&cell.runs[0], example->units), example->units);
    cell.workload->teardown(&cell.runs[0]);
    close_cell(&cell);
}

/* How many of the noted sizes are in low .. high, in thousandths. */
static uint64_t share(uint32_t low, uint32_t high) {
    uint64_t count = 0;
    for (size_t i = 0; i < noted; i++)
        count += noted_sizes[i] >= low && noted_sizes[i] <= high;
    assert_true(noted > 0);
    return 1000 * count / (noted ? noted : 1);
}

/* The noted sizes are a piece of the endless cycle of these stocks, {size, count} by {size, count}. */
static void assert_cycle(const uint32_t (*stocks)[2], size_t count) {
    size_t begin = 1;
    while (noted_sizes[begin] == noted_sizes[begin - 1])
        begin++;
    for (size_t first = 0; first < count; first++) {
        size_t stock = first;
        size_t at = begin;
        while (at < noted) {
            size_t end = at;
            while (end < noted && end - at < stocks[stock][1] &&
                   noted_sizes[end] == stocks[stock][0])
                end++;
            if (end < noted && end - at < stocks[stock][1])
                break;
            at = end;
            stock = (stock + 1) % count;
        }
        if (at == noted)
            return;
    }
    fail_msg("%s", "no piece of the cycle");
}

static void test_shbench6_walks_its_sizes(void **state) {
    (void)state;
    static const uint32_t stocks[][2] = {
        {1, 250},  {2, 250},  {1, 250},  {4, 250},  {2, 250},  {1, 250},  {7, 250},  {3, 250},
        {1, 250},  {11, 250}, {5, 250},  {2, 250},  {1, 250},  {17, 250}, {8, 250},  {4, 250},
        {2, 250},  {1, 250},  {26, 250}, {13, 250}, {6, 250},  {3, 250},  {1, 250},  {40, 250},
        {20, 250}, {10, 250}, {5, 250},  {2, 250},  {1, 250},  {61, 250}, {30, 250}, {15, 250},
        {7, 250},  {3, 250},  {1, 250},  {92, 250}, {46, 250}, {23, 250}, {11, 250}, {5, 250},
        {2, 250},  {1, 250},  {139, 50}, {69, 250}, {34, 250}, {17, 250}, {8, 250},  {4, 250},
        {2, 250},  {1, 250},  {209, 50}, {104, 50}, {52, 250}, {26, 250}, {13, 250}, {6, 250},
        {3, 250},  {1, 250},  {314, 50}, {157, 50}, {78, 250}, {39, 250}, {19, 250}, {9, 250},
        {4, 250},  {2, 250},  {1, 250},  {472, 50}, {236, 50}, {118, 50}, {59, 250}, {29, 250},
        {14, 250}, {7, 250},  {3, 250},  {1, 250},  {709, 50}, {354, 50}, {177, 50}, {88, 250},
        {44, 250}, {22, 250}, {11, 250}, {5, 250},  {2, 250},  {1, 250},
    };
    note_sizes(&(struct example){"shbench6", {{"slots", 1000}}, 100, 0}, true);
    assert_int_equal(noted, 1000 + 100 * 800);
    assert_cycle(stocks, sizeof stocks / sizeof *stocks);
}

static void test_shbench8_walks_its_sizes(void **state) {
    (void)state;
    static const uint32_t stocks[][2] = {
        {8, 1000}, {16, 5000}, {48, 1000}, {72, 100}, {148, 100}, {200, 100},
        {520, 10}, {1056, 5},  {4096, 3},  {9162, 1}, {34562, 1}, {168524, 1},
    };
    note_sizes(&(struct example){"shbench8", {{"slots", 1000}, {"given", 0}}, 40, 0}, true);
    assert_int_equal(noted, 1000 + 40 * 800);
    assert_cycle(stocks, sizeof stocks / sizeof *stocks);
}

/* Blocks 1 to 10 in set-up; then 3 to 10 go, last one first, and 11 to 18 come into slots 2 to 9; then
 * slots 0 and 1 as they came, and 9 to 4 in reverse. */
static void test_shbench_frees_below_the_window_in_order_above_in_reverse(void **state) {
    (void)state;
    static const uint32_t expected[] = {10, 9, 8, 7, 6, 5, 4, 3, 1, 2, 18, 17, 16, 15, 14, 13};
    struct cell cell;
    const struct example example = {"shbench6", {{"slots", 10}}, 2, 0};
    count_clear();
    open_cell(&cell, &example, counted_memory(HM_SHAPE_HEAP), 1, 7);
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    assert_int_equal(cell.workload->run(&cell.runs[0], 2), 2);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(counted.freed[i], expected[i]);
    cell.workload->teardown(&cell.runs[0]);
    close_cell(&cell);
}

static void test_mixed_sizes_follow_their_power_law(void **state) {
    (void)state;
    note_sizes(&(struct example){"mixed", {{"slots", 2000}}, 60000, 0}, false);
    assert_in_range(share(5, 8), 490, 510);
    assert_in_range(share(9, 16), 240, 260);
    assert_in_range(share(17, 32), 115, 135);
    assert_in_range(share(257, 512), 5, 11);
    assert_in_range(share(513, 1024), 5, 11);
    assert_int_equal(share(5, 1024), 1000);
}

static void test_tcached_walks_8000_sizes_of_a_power_law(void **state) {
    (void)state;
    note_sizes(&(struct example){"tcached", {{NULL, 0}}, 20000, 0}, false);
    for (size_t i = 8000; i < noted; i++)
        assert_int_equal(noted_sizes[i], noted_sizes[i - 8000]);
    assert_in_range(share(4, 7), 480, 520); /* (1/4 - 1/8) / (1/4 - 1/32769) */
    assert_in_range(share(4, 39), 885, 915);
}

/* Batches' own blocks are the only ones aligned to 16 of a size that is 24 and 8 for each block. */
static void test_rptest_sizes_fall_off_and_small_ones_are_aligned(void **state) {
    (void)state;
    note_sizes(&(struct example){"rptest", {{NULL, 0}}, 100, 0}, false);
    assert_int_equal(noted, 100 * (3 * 129 + 2));
    uint64_t aligned[3] = {0};
    for (size_t i = 0; i < noted; i++) {
        assert_in_range(noted_sizes[i], 8, 16000);
        assert_true(noted_sizes[i] <= 4096 || noted_alignments[i] == 0);
        assert_true(!noted_alignments[i] || noted_sizes[i] % noted_alignments[i] == 0);
        if (noted_sizes[i] < 4096)
            aligned[noted_alignments[i] / 8]++;
    }
    assert_in_range(share(8, 4003), 425, 455);    /* 1 - (3/4)^2 */
    assert_in_range(share(12004, 16000), 50, 75); /* (1/4)^2 */
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(aligned[i], noted / 9, noted / 5);
}

static void test_mstress_blocks_are_as_large_as_the_original_says(void **state) {
    (void)state;
    note_sizes(&(struct example){"mstress", {{NULL, 0}}, 4, 0}, false);
    assert_int_equal(noted, 4 * 7500);
    assert_in_range(share(8, 512), 980, 995);
    assert_in_range(share(513, 6400 * 8), 4, 15);
    assert_in_range(counted.largest, 6400 * 8, 64 * 10000 * 8);
    note_sizes(&(struct example){"mstress", {{"large", 0}}, 4, 0}, false);
    assert_in_range(counted.largest, 1000, 6400 * 8);
}

static void test_mstress_rounds_are_done_by_fresh_threads(void **state) {
    (void)state;
    note_sizes(&(struct example){"mstress", {{"large", 0}}, 4, 0}, false);
    assert_int_equal(counted.entered, 4);
    assert_int_equal(counted.left, 4);
}

static void test_simple_frees_half_in_order_half_in_reverse(void **state) {
    (void)state;
    count_clear();
    run_whole(&(struct example){"simple", {{"count", 1}}, 1, 0}, counted_memory(HM_SHAPE_HEAP), 7,
              0, 1);
    assert_int_equal(counted.allocations, 1600 + 25); /* the round for verification needs no more */
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(counted.freed[i], i + 1);
    for (uint32_t i = 12; i < 25; i++)
        assert_int_equal(counted.freed[i], 25 - (i - 12));
    count_clear();
    run_whole(&(struct example){"simple", {{"count", 1}, {"order", 1}}, 1, 0},
              counted_memory(HM_SHAPE_HEAP), 7, 0, 1);
    for (uint32_t i = 0; i < 25; i++)
        assert_int_equal(counted.freed[i], i + 1);
}

static void *forgetful_realloc(struct hm_heap *heap, void *block, size_t size) {
    unsigned char *moved = counted_heap_realloc(heap, block, size);
    if (moved && size > 1)
        moved[size / 3] ^= 0xff, moved[0] ^= (unsigned char)(size % 7 == 0);
    return moved;
}

static void test_phong_sees_a_realloc_that_loses_bytes(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    struct cell cell;
    memory.calls.realloc = forgetful_realloc;
    open_cell(&cell, &(struct example){"phong", {{NULL, 0}}, 5, 0}, memory, 1, 7);
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    assert_int_equal(cell.workload->run(&cell.runs[0], 5), 5);
    assert_non_null(cell.workload->verify(&cell.runs[0]));
    cell.workload->teardown(&cell.runs[0]);
    close_cell(&cell);
}

/* After a pair of stretches half of half of the blocks and half of the new ones are left. */
static void test_phong_frees_half_in_each_sweep(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, &(struct example){"phong", {{"p", 1000}, {"q", 1000}}, 1, 0},
              counted_memory(HM_SHAPE_HEAP), 1, 7);
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    assert_in_range(counted.live_blocks, 420, 580);
    assert_int_equal(cell.workload->run(&cell.runs[0], 10), 10);
    assert_in_range(counted.live_blocks, 850, 1150);
    assert_in_range(counted.smallest, 10, 12);
    assert_in_range(counted.largest, 900, 1024);
    cell.workload->teardown(&cell.runs[0]);
    close_cell(&cell);
}

/* Somebody who writes to a block of another, without end. */
static volatile unsigned char *trodden;
static int treading;

static void *tread(void *arg) {
    (void)arg;
    while (__atomic_load_n(&treading, __ATOMIC_RELAXED))
        *trodden = 0;
    return NULL;
}

static void test_falsesharing_sees_another_writer(void **state) {
    (void)state;
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    struct cell cell;
    pthread_t treader;
    memory.libc.malloc = same_block;
    memory.libc.free = keep_block;
    open_cell(&cell, &(struct example){"falsesharing", {{"writes", 1000000}}, 1, 0}, memory, 1, 7);
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    trodden = same_block(1);
    treading = 1;
    assert_int_equal(pthread_create(&treader, NULL, tread, NULL), 0);
    for (unsigned try = 0; try < 10000 && !cell.workload->verify(&cell.runs[0]); try++)
        cell.workload->run(&cell.runs[0], 1);
    __atomic_store_n(&treading, 0, __ATOMIC_RELAXED);
    pthread_join(treader, NULL);
    assert_non_null(cell.workload->verify(&cell.runs[0]));
    cell.workload->teardown(&cell.runs[0]);
    close_cell(&cell);
}

static void test_contradictions_are_refused(void **state) {
    (void)state;
    static const struct example wrong[] = {
        {"tcached", {{"min", 100}, {"max", 99}}, 1, 0},
        {"rptest", {{"min", 100}, {"max", 99}}, 1, 0},
        {"rptest", {{"loops", 6}}, 1, 0},
        {"phong", {{"min", 100}, {"max", 99}}, 1, 0},
        {"phong", {{"p", 100}, {"q", 99}}, 1, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct cell cell;
        open_cell(&cell, &wrong[i], counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_non_null(cell.workload->conflict(cell.values));
        assert_int_equal(cell.workload->setup(&cell.runs[0]), EINVAL);
        close_cell(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_work_is_the_same_on_every_heap_and_cut, start_afresh),
        cmocka_unit_test_setup(test_work_differs_between_seeds_and_threads, start_afresh),
        cmocka_unit_test_setup(test_units_hold_their_operations_and_live_bytes_are_true,
                               start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start_afresh),
        cmocka_unit_test_setup(test_run_goes_on_where_memory_ran_out, start_afresh),
        cmocka_unit_test_setup(test_verify_sees_blocks_that_overlap, start_afresh),
        cmocka_unit_test_setup(test_verify_sees_a_block_that_was_written_to, start_afresh),
        cmocka_unit_test_setup(test_damage_to_a_block_is_remembered_when_it_is_freed, start_afresh),
        cmocka_unit_test_setup(test_falsesharing_sees_another_writer, start_afresh),
        cmocka_unit_test_setup(test_shbench6_walks_its_sizes, start_afresh),
        cmocka_unit_test_setup(test_shbench8_walks_its_sizes, start_afresh),
        cmocka_unit_test_setup(test_shbench_frees_below_the_window_in_order_above_in_reverse,
                               start_afresh),
        cmocka_unit_test_setup(test_mixed_sizes_follow_their_power_law, start_afresh),
        cmocka_unit_test_setup(test_tcached_walks_8000_sizes_of_a_power_law, start_afresh),
        cmocka_unit_test_setup(test_rptest_sizes_fall_off_and_small_ones_are_aligned, start_afresh),
        cmocka_unit_test_setup(test_mstress_blocks_are_as_large_as_the_original_says, start_afresh),
        cmocka_unit_test_setup(test_mstress_rounds_are_done_by_fresh_threads, start_afresh),
        cmocka_unit_test_setup(test_simple_frees_half_in_order_half_in_reverse, start_afresh),
        cmocka_unit_test_setup(test_phong_sees_a_realloc_that_loses_bytes, start_afresh),
        cmocka_unit_test_setup(test_phong_frees_half_in_each_sweep, start_afresh),
        cmocka_unit_test_setup(test_contradictions_are_refused, start_afresh),
    };
    return cmocka_run_group_tests_name("heap_classics", tests, NULL, NULL);
}

/* pool: where its bytes are, what it keeps, what it gives back and what it leaves to the inner heap.
 *
 * That it has the pools and arenas of CPython is for pool_pymalloc_test.c.
 * labels: threads */
#include "allocators/pool.h"
#include "tests/unit/counting_heap.h"
#include "tests/unit/pool_walked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

enum {
    SLOTS = 20000,
    OPERATIONS = 200000,
    ARENA_BYTES = 1 << 20,
    POOL_BYTES = 16 << 10,
    LOCK_NONE = 1,
    LOCK_THREAD = 5,
};

static struct hm_memory opened(struct pool_setting setting) {
    struct hm_memory memory;
    assert_int_equal(pool_open(&memory, &setting), 0);
    return memory;
}

static void closed(const struct hm_memory *memory) {
    pool_allocator()->close(memory->heap);
}

static struct hm_pool_account account_of(const struct hm_memory *memory) {
    struct hm_pool_account account;
    hm_pool_check(memory->heap, &account, NULL);
    return account;
}

static struct hm_heap_stats stats_of(const struct hm_memory *memory) {
    struct hm_heap_stats stats;
    pool_allocator()->stats(memory->heap, &stats);
    return stats;
}

/* ---- Accounting ---- */

struct slot {
    unsigned char *block;
    size_t size;
};

static void assert_balanced(const struct hm_memory *memory, const struct slot *slots) {
    struct hm_pool_account account = account_of(memory);
    struct hm_heap_stats stats = stats_of(memory);
    uint64_t blocks = 0, bytes = 0;
    for (int i = 0; i < SLOTS; i++) {
        blocks += slots[i].block != NULL;
        bytes += hm_usable_size(memory, slots[i].block);
    }
    assert_true(account.intact);
    assert_int_equal(account.arena_bytes, account.used_bytes + account.free_bytes +
                                              account.unused_pool_bytes + account.header_bytes +
                                              account.tail_bytes + account.alignment_bytes);
    assert_int_equal(account.used_blocks, blocks);
    assert_int_equal(account.used_bytes, bytes);
    assert_int_equal(stats.live_blocks, blocks);
    assert_int_equal(stats.live_bytes, bytes);
    assert_int_equal(stats.arenas, account.arenas);
    assert_true(stats.footprint_bytes >= account.arena_bytes + stats.metadata_bytes);
    assert_walked(memory, &account, &stats, 0);
}

/* Allocate into an empty slot; free or resize a full one. A block that is handed out twice is
 * found by its first and last byte. */
static void step(const struct hm_memory *memory, struct slot *slot, size_t size, bool resizes) {
    if (slot->block) {
        assert_int_equal(slot->block[0], slot->size % 251);
        assert_int_equal(slot->block[slot->size - 1], slot->size % 251);
    }
    if (slot->block && !resizes) {
        hm_free(memory, slot->block);
        slot->block = NULL;
        return;
    }
    slot->block = hm_realloc(memory, slot->block, size);
    slot->size = size;
    assert_non_null(slot->block);
    assert_int_equal((uintptr_t)slot->block % 16, 0);
    assert_true(hm_usable_size(memory, slot->block) >= size);
    slot->block[0] = slot->block[size - 1] = (unsigned char)(size % 251);
}

static void play(struct pool_setting setting, unsigned seed) {
    static struct slot slots[SLOTS];
    struct hm_memory memory = opened(setting);
    struct hm_random random = hm_random_of(seed, 0);
    size_t max = setting.max ? (size_t)setting.max : 512;
    uint64_t span = 1;
    for (int i = 0; i < OPERATIONS; i++) {
        if (i % 20000 == 0)
            span = 1 + hm_random_below(&random, SLOTS);
        struct slot *slot = &slots[hm_random_below(&random, span)];
        step(&memory, slot, 1 + hm_random_below(&random, max), i % 5 == 0);
        if (i % 1000 == 0)
            assert_balanced(&memory, slots);
    }
    for (int i = 0; i < SLOTS; i++) {
        hm_free(&memory, slots[i].block);
        slots[i].block = NULL;
    }
    assert_balanced(&memory, slots);
    pool_allocator()->leave(memory.heap);
    assert_int_equal(account_of(&memory).pools, 0);
    closed(&memory);
}

static void test_every_byte_of_the_arenas_is_accounted_for(void **state) {
    (void)state;
    play((struct pool_setting){.threads = 1}, 1);
    play((struct pool_setting){.arena = 256 << 10, .pool = 4 << 10, .max = 256}, 2);
    play((struct pool_setting){.arena = 4 << 20, .pool = 64 << 10, .max = 4096}, 3);
    for (int64_t lock = LOCK_NONE + 1; lock <= LOCK_THREAD; lock++)
        play((struct pool_setting){.lock = lock, .max = 512}, 4);
}

/* ---- Blocks ---- */

static void test_block_freed_last_is_handed_out_first(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = hm_malloc(&memory, 100);
    for (int i = 0; i < 100; i++)
        hm_free(&memory, blocks[i]);
    for (int i = 99; i >= 0; i--)
        assert_ptr_equal(hm_malloc(&memory, 97), blocks[i]);
    closed(&memory);
}

static size_t resident_pages(const void *start, size_t bytes) {
    unsigned char pages[POOL_BYTES >> 12];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)start, bytes, pages), 0);
    for (size_t i = 0; i < bytes >> 12; i++)
        count += pages[i] & 1;
    return count;
}

static void test_pool_is_carved_only_as_blocks_are_asked_for(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    char *first = hm_malloc(&memory, 512);
    first[0] = 1;
    char *pool = (char *)((uintptr_t)first & -(uintptr_t)POOL_BYTES);
    assert_int_equal(resident_pages(pool, POOL_BYTES), 1);
    char *second = hm_malloc(&memory, 512);
    assert_ptr_equal(second, first - 512);
    hm_free(&memory, second);
    assert_ptr_equal(hm_malloc(&memory, 512), second);
    assert_int_equal(resident_pages(pool, POOL_BYTES), 1);
    closed(&memory);
}

static void test_realloc_stays_unless_it_shrinks_by_a_quarter(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    char *block = hm_malloc(&memory, 400);
    memset(block, 7, 400);
    assert_ptr_equal(hm_realloc(&memory, block, 400), block);
    assert_ptr_equal(hm_realloc(&memory, block, 301), block);
    char *smaller = hm_realloc(&memory, block, 300);
    assert_ptr_not_equal(smaller, block);
    assert_int_equal(hm_usable_size(&memory, smaller), 304);
    char *larger = hm_realloc(&memory, smaller, 305);
    assert_ptr_not_equal(larger, smaller);
    for (int i = 0; i < 300; i++)
        assert_int_equal(larger[i], 7);
    assert_int_equal(account_of(&memory).used_blocks, 1);
    closed(&memory);
}

static void test_calloc_clears_a_dirty_block_and_checks_its_product(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    char *dirty = hm_malloc(&memory, 256);
    memset(dirty, 0xff, 256);
    hm_free(&memory, dirty);
    char *clean = hm_calloc(&memory, 16, 16);
    assert_ptr_equal(clean, dirty);
    for (int i = 0; i < 256; i++)
        assert_int_equal(clean[i], 0);
    errno = 0;
    assert_null(hm_calloc(&memory, (size_t)1 << 60, 16));
    assert_int_equal(errno, ENOMEM);
    closed(&memory);
}

/* ---- Arenas ---- */

static bool is_mapped(const void *block) {
    return msync((void *)((uintptr_t)block & -(uintptr_t)4096), 4096, MS_ASYNC) == 0;
}

static void test_arenas_are_given_back_when_all_is_freed(void **state) {
    (void)state;
    static void *blocks[SLOTS];
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    for (int i = 0; i < SLOTS; i++)
        blocks[i] = hm_malloc(&memory, 512);
    assert_true(is_mapped(blocks[SLOTS / 2]));
    struct hm_heap_stats full = stats_of(&memory);
    assert_int_equal(full.arenas, (SLOTS / 31 + 64) / 64);
    for (int i = 0; i < SLOTS; i++)
        hm_free(&memory, blocks[i]);
    struct hm_heap_stats empty = stats_of(&memory);
    assert_int_equal(empty.arenas, 1);
    assert_true(empty.footprint_bytes + (full.arenas - 1) * ARENA_BYTES <= full.footprint_bytes);
    assert_false(is_mapped(blocks[SLOTS / 2]));
    closed(&memory);
}

static uint64_t footprint_after_cycle(const struct hm_memory *memory) {
    static void *blocks[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        blocks[i] = hm_malloc(memory, 512);
    for (int i = 0; i < SLOTS; i++)
        hm_free(memory, blocks[i]);
    assert_int_equal(stats_of(memory).arenas, 1);
    return stats_of(memory).footprint_bytes >> 20;
}

static void test_arenas_that_the_heap_comes_back_for_stay_mapped(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.spare = 2});
    assert_int_equal(footprint_after_cycle(&memory), 1);
    assert_int_equal(footprint_after_cycle(&memory), 3);
    assert_int_equal(footprint_after_cycle(&memory), 3);
    assert_true(account_of(&memory).intact);
    closed(&memory);
}

static void test_pool_whose_last_block_came_back_is_unused(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    for (size_t size = 16; size <= 512; size += 16) {
        hm_free(&memory, hm_malloc(&memory, size));
        assert_int_equal(account_of(&memory).pools, 0);
        assert_true(account_of(&memory).intact);
    }
    assert_int_equal(account_of(&memory).arenas, 1);
    closed(&memory);
}

/* ---- The inner heap ---- */

static void test_other_requests_go_to_the_inner_heap(void **state) {
    (void)state;
    for (int shape = HM_SHAPE_LIBC; shape <= HM_SHAPE_HEAP; shape++) {
        struct hm_memory inner = counted_memory(shape);
        struct hm_memory memory = opened((struct pool_setting){.inner = &inner});
        count_clear();
        void *largest = hm_malloc(&memory, 512);
        assert_int_equal(counted.allocations, 0);
        void *large = hm_malloc(&memory, 513);
        void *cleared = hm_calloc(&memory, 1, 1000);
        void *nothing = hm_malloc(&memory, 0);
        assert_non_null(nothing);
        assert_int_equal(counted.allocations, 3);
        assert_int_equal(hm_usable_size(&memory, large), 513);
        large = hm_realloc(&memory, large, 10);
        assert_int_equal(counted.allocations, 4);
        largest = hm_realloc(&memory, largest, 600);
        assert_int_equal(counted.allocations, 5);
        assert_int_equal(account_of(&memory).used_blocks, 0);
        void *all[] = {largest, large, cleared, nothing};
        for (int i = 0; i < 4; i++)
            hm_free(&memory, all[i]);
        assert_int_equal(counted.live_blocks, 0);
        closed(&memory);
    }
}

static void test_failing_realloc_leaves_the_block(void **state) {
    (void)state;
    struct hm_memory inner = counted_memory(HM_SHAPE_LIBC);
    struct hm_memory memory = opened((struct pool_setting){.inner = &inner});
    char *block = hm_malloc(&memory, 512);
    memset(block, 3, 512);
    count_fail(1, 1);
    errno = 0;
    assert_null(hm_realloc(&memory, block, 4096));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(block[511], 3);
    assert_int_equal(account_of(&memory).used_blocks, 1);
    count_clear();
    closed(&memory);
}

static void test_wide_alignment_goes_to_the_inner_heap(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 1});
    errno = 0;
    assert_null(hm_aligned_alloc(&memory, 24, 100));
    assert_int_equal(errno, EINVAL);
    void *wide = hm_aligned_alloc(&memory, 4096, 4096);
    assert_int_equal((uintptr_t)wide % 4096, 0);
    assert_int_equal(account_of(&memory).used_blocks, 0);
    void *narrow = hm_aligned_alloc(&memory, 16, 100);
    assert_int_equal(account_of(&memory).used_blocks, 1);
    hm_free(&memory, wide);
    hm_free(&memory, narrow);
    closed(&memory);
}

/* An inner heap that gives a page at a planned address. */
static struct {
    char *address;
    size_t freed;
} planned;

static void *planned_malloc(size_t size) {
    (void)size;
    void *page = mmap(planned.address, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

static size_t planned_usable_size(void *block) {
    (void)block;
    return 4096;
}

static void planned_free(void *block) {
    planned.freed++;
    munmap(block, 4096);
}

static void test_inner_block_is_never_taken_for_one_of_the_pools(void **state) {
    (void)state;
    static char *blocks[SLOTS];
    struct hm_memory inner = {.shape = HM_SHAPE_LIBC,
                              .libc = {.malloc = planned_malloc,
                                       .free = planned_free,
                                       .usable_size = planned_usable_size}};
    struct hm_memory memory = opened((struct pool_setting){.inner = &inner});
    for (int i = 0; i < SLOTS; i++)
        blocks[i] = hm_malloc(&memory, 512);
    uintptr_t last = (uintptr_t)blocks[SLOTS - 1] & -(uintptr_t)ARENA_BYTES;
    planned.freed = 0;
    planned.address = (char *)(last + ARENA_BYTES + 4096); /* right behind the headers */
    hm_free(&memory, hm_malloc(&memory, 4000));
    planned.address = (char *)(last - 4096); /* right before an arena, unless something is there */
    hm_free(&memory, hm_malloc(&memory, 4000));
    size_t around = planned.freed;
    assert_true(around >= 1);
    for (int i = 0; i < SLOTS; i++)
        hm_free(&memory, blocks[i]);
    assert_int_equal(stats_of(&memory).arenas, 1);
    uintptr_t released = (uintptr_t)blocks[SLOTS / 2] & -(uintptr_t)POOL_BYTES;
    planned.address = (char *)released; /* where an arena was */
    void *block = hm_malloc(&memory, 4000);
    assert_non_null(block);
    hm_free(&memory, block);
    assert_int_equal(planned.freed, around + 1);
    closed(&memory);
}

/* ---- Threads and parameters ---- */

static void *work(void *arg) {
    const struct hm_memory *memory = arg;
    struct hm_random random = hm_random_of(7, 0);
    unsigned char *blocks[64] = {NULL};
    for (int i = 0; i < 100000; i++) {
        unsigned char **slot = &blocks[hm_random_below(&random, 64)];
        if (*slot && (*slot)[0] != (unsigned char)(slot - blocks))
            return "a block was handed out twice";
        hm_free(memory, *slot);
        *slot = hm_malloc(memory, 1 + hm_random_below(&random, 600));
        (*slot)[0] = (unsigned char)(slot - blocks);
    }
    for (int i = 0; i < 64; i++)
        hm_free(memory, blocks[i]);
    return NULL;
}

static void test_two_threads_share_a_heap(void **state) {
    (void)state;
    struct hm_memory memory = opened((struct pool_setting){.threads = 2});
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &memory), 0);
    for (int i = 0; i < 2; i++) {
        void *fault;
        pthread_join(threads[i], &fault);
        assert_null(fault);
    }
    assert_true(account_of(&memory).intact);
    assert_int_equal(account_of(&memory).used_blocks, 0);
    closed(&memory);
}

static void test_impossible_parameters_are_refused(void **state) {
    (void)state;
    const struct pool_setting impossible[] = {
        {.arena = 3 << 20},
        {.pool = 5000},
        {.arena = 256 << 10, .pool = 128 << 10},
        {.pool = 4096, .max = 2048},
        {.lock = LOCK_NONE, .threads = 2},
    };
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        struct hm_memory memory;
        assert_int_equal(pool_open(&memory, &impossible[i]), EINVAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_of_the_arenas_is_accounted_for),
        cmocka_unit_test(test_block_freed_last_is_handed_out_first),
        cmocka_unit_test(test_pool_is_carved_only_as_blocks_are_asked_for),
        cmocka_unit_test(test_realloc_stays_unless_it_shrinks_by_a_quarter),
        cmocka_unit_test(test_calloc_clears_a_dirty_block_and_checks_its_product),
        cmocka_unit_test(test_arenas_are_given_back_when_all_is_freed),
        cmocka_unit_test(test_arenas_that_the_heap_comes_back_for_stay_mapped),
        cmocka_unit_test(test_pool_whose_last_block_came_back_is_unused),
        cmocka_unit_test(test_other_requests_go_to_the_inner_heap),
        cmocka_unit_test(test_failing_realloc_leaves_the_block),
        cmocka_unit_test(test_wide_alignment_goes_to_the_inner_heap),
        cmocka_unit_test(test_inner_block_is_never_taken_for_one_of_the_pools),
        cmocka_unit_test(test_two_threads_share_a_heap),
        cmocka_unit_test(test_impossible_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

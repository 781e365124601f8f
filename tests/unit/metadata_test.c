/* What allocators say that their tables take, against the kernel's count of what is resident beyond their
 * blocks.
 *
 * labels: plain */
#include "harness/cell/memory.h"
#include "workloads/footprint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sys/prctl.h>

enum {
    BLOCKS = 1 << 20,
    BYTES = 32,
    POOL_BYTES = 4 << 10,
    POOL_BLOCKS = (POOL_BYTES - 48) / BYTES,
    NOISE = 128 << 10, /* what the library itself maps meanwhile, and the last pages of tables */
};

static struct hm_memory_stack stack;

static void open_stack(const char *text) {
    struct hm_allocator_spec spec;
    struct hm_error error;
    if (hm_allocator_spec_parse(text, &spec, &error))
        fail_msg("%s", error.line);
    assert_int_equal(hm_memory_stack_open(&stack, &spec, 1), 0);
}

/* @return what is resident then, of blocks that were all written to and of everything else */
static uint64_t fill(const char *text) {
    uint64_t before = hm_footprint_resident();
    open_stack(text);
    const struct hm_memory *memory = hm_memory_stack_top(&stack);
    for (int i = 0; i < BLOCKS; i++) {
        char *block = hm_malloc(memory, BYTES);
        assert_non_null(block);
        block[0] = 1;
    }
    return hm_footprint_resident() - before;
}

static void assert_near(uint64_t told, uint64_t found) {
    if (told > found + NOISE || found > told + NOISE)
        fail_msg("%llu bytes of tables are told, %llu were found", (unsigned long long)told,
                 (unsigned long long)found);
}

/* A bit for each byte, and the tree: more than a quarter of the blocks themselves. */
static void test_first_fit_tells_of_its_bitmaps_and_its_index(void **state) {
    (void)state;
    uint64_t resident = fill("first-fit:size=64M:align=1");
    uint64_t told = hm_memory_stack_metadata(&stack);
    hm_memory_stack_close(&stack);
    assert_true(told > (uint64_t)BLOCKS * BYTES / 8);
    assert_near(told, resident - (uint64_t)BLOCKS * BYTES);
}

/* In small arenas of small pools. */
static void test_pool_tells_of_its_headers(void **state) {
    (void)state;
    uint64_t resident = fill("pool:arena=256K:pool=4K");
    uint64_t told = hm_memory_stack_metadata(&stack);
    hm_memory_stack_close(&stack);
    uint64_t pools = (BLOCKS + POOL_BLOCKS - 1) / POOL_BLOCKS;
    assert_true(told > 2 * NOISE);
    assert_near(told, resident - pools * POOL_BYTES);
}

/* A layer's tables are told with those beneath it, or not at all. */
static void test_of_half_a_stack_nothing_is_told(void **state) {
    (void)state;
    open_stack("traced+system");
    assert_true(hm_memory_stack_metadata(&stack) == HM_UNKNOWN);
    hm_memory_stack_close(&stack);
    open_stack("pool");
    uint64_t alone = hm_memory_stack_metadata(&stack);
    hm_memory_stack_close(&stack);
    open_stack("traced+pool");
    assert_true(hm_memory_stack_metadata(&stack) > alone);
    hm_memory_stack_close(&stack);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_fit_tells_of_its_bitmaps_and_its_index),
        cmocka_unit_test(test_pool_tells_of_its_headers),
        cmocka_unit_test(test_of_half_a_stack_nothing_is_told),
    };
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a huge page holds more than is used of it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

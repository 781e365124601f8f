/* region: scopes and the last block. objects: where objects lie, and what goes to the inner heap. */
#include "allocators/region.h"
#include "tests/unit/layer_open.h"

static uint64_t footprint_of(const struct layer *layer) {
    return layer_stats(layer).footprint_bytes;
}

static void fill(const struct hm_memory *m, void *block, int value) {
    memset(block, value, hm_usable_size(m, block));
}

static void assert_filled(const struct hm_memory *m, const unsigned char *block, int value) {
    for (size_t i = 0; i < hm_usable_size(m, (void *)(uintptr_t)block); i++)
        assert_int_equal(block[i], value);
}

/* ---- region ---- */

static void blocks_of_a_region_lie_one_behind_the_other(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region", 1, &inner);
    char *a = hm_malloc(&layer.memory, 24);
    char *b = hm_malloc(&layer.memory, 25);
    char *c = hm_malloc(&layer.memory, 0);
    assert_int_equal(hm_usable_size(&layer.memory, a), 24);
    assert_int_equal(b - a, 32);
    assert_int_equal(hm_usable_size(&layer.memory, b), 40);
    assert_int_equal(c - b, 48);
    layer_close(&layer);
}

static void only_the_last_block_gives_its_memory_back(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region", 1, &inner);
    char *first = hm_malloc(&layer.memory, 100);
    char *last = hm_malloc(&layer.memory, 100);
    hm_free(&layer.memory, last);
    assert_ptr_equal(hm_malloc(&layer.memory, 50), last);
    hm_free(&layer.memory, first);
    assert_true((char *)hm_malloc(&layer.memory, 50) > last);
    hm_free(&layer.memory, first); /* nothing was freed: nothing is freed twice */
    layer_close(&layer);
}

static void the_last_block_is_resized_where_it_is(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=64K", 1, &inner);
    char *block = hm_malloc(&layer.memory, 10);
    fill(&layer.memory, block, 1);
    assert_ptr_equal(hm_realloc(&layer.memory, block, 30000), block);
    assert_ptr_equal(hm_realloc(&layer.memory, block, 20), block);
    char *other = hm_malloc(&layer.memory, 10);
    assert_int_equal(other - block, 32);
    fill(&layer.memory, block, 2);
    char *moved = hm_realloc(&layer.memory, block, 100);
    assert_true(moved > other);
    for (int i = 0; i < 20; i++)
        assert_int_equal(moved[i], 2);
    char *large = hm_realloc(&layer.memory, moved, 1 << 20); /* more than the chunk has */
    assert_int_equal(large[19], 2);
    fill(&layer.memory, large, 3);
    layer_close(&layer);
}

static void a_release_frees_what_is_younger_than_its_mark(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=4K", 1, &inner);
    const struct hm_memory *m = &layer.memory;
    unsigned char *old = hm_malloc(m, 1000);
    fill(m, old, 1);
    struct hm_region_mark outer = hm_region_mark(m->heap);
    unsigned char *first = hm_malloc(m, 100);
    for (int i = 0; i < 100; i++)
        fill(m, hm_malloc(m, 500), 2);
    struct hm_region_mark nested = hm_region_mark(m->heap);
    unsigned char *second = hm_malloc(m, 100);
    fill(m, hm_malloc(m, 100000), 3);
    hm_region_release(m->heap, nested);
    assert_ptr_equal(hm_malloc(m, 100), second);
    hm_region_release(m->heap, outer);
    assert_ptr_equal(hm_malloc(m, 100), first);
    assert_filled(m, old, 1);
    layer_close(&layer);
}

static void scopes_that_end_need_no_more_memory(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=4K", 1, &inner);
    uint64_t footprint = 0;
    for (int scope = 0; scope < 50; scope++) {
        struct hm_region_mark mark = hm_region_mark(layer.memory.heap);
        for (int i = 0; i < 100; i++)
            fill(&layer.memory, hm_malloc(&layer.memory, 300), 1);
        assert_non_null(hm_malloc(&layer.memory, 50000)); /* in a chunk of its own, which goes */
        if (scope == 0)
            footprint = footprint_of(&layer);
        assert_int_equal(footprint_of(&layer), footprint);
        hm_region_release(layer.memory.heap, mark);
        assert_true(footprint_of(&layer) + 50000 <= footprint);
    }
    layer_close(&layer);
}

static void a_reset_region_starts_again(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=4K", 1, &inner);
    char *only = hm_malloc(&layer.memory, 10);
    layer.spec.parts[0]->reset(layer.memory.heap);
    assert_ptr_equal(hm_malloc(&layer.memory, 10), only);
    layer.spec.parts[0]->reset(layer.memory.heap);
    layer.spec.parts[0]->reset(layer.memory.heap);
    assert_ptr_equal(hm_malloc(&layer.memory, 10), only);
    layer_close(&layer);
}

static void a_region_keeps_to_its_limit(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=64K:limit=256K", 1, &inner);
    int blocks = 0;
    errno = 0;
    while (hm_malloc(&layer.memory, 1000))
        blocks++;
    assert_int_equal(errno, ENOMEM);
    assert_in_range(blocks, 250, 262);
    assert_null(hm_malloc(&layer.memory, 300000));
    layer.spec.parts[0]->reset(layer.memory.heap);
    assert_non_null(hm_malloc(&layer.memory, 1000));
    layer_close(&layer);
}

static void a_region_aligns_beyond_its_chunk(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "region:chunk=4K", 1, &inner);
    for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
        unsigned char *block = hm_aligned_alloc(&layer.memory, alignment, 40);
        assert_int_equal((uintptr_t)block % alignment, 0);
        fill(&layer.memory, block, 1);
    }
    assert_null(hm_aligned_alloc(&layer.memory, (size_t)1 << 63, 40));
    assert_int_equal(errno, ENOMEM);
    layer_close(&layer);
}

/* ---- objects ---- */

static void objects_lie_side_by_side_without_headers(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "objects:size=40:chunk=4K", 1, &inner);
    char *first = hm_malloc(&layer.memory, 40);
    for (int i = 1; i < 1000; i++)
        assert_ptr_equal(hm_malloc(&layer.memory, (size_t)i % 49), first + 48 * i);
    assert_int_equal(hm_usable_size(&layer.memory, first), 48);
    assert_int_equal(counted.allocations, 0);
    assert_int_equal(layer_stats(&layer).live_blocks, 1000);
    assert_true(footprint_of(&layer) < 48 * 1000 + 8192);
    layer_close(&layer);
}

static void the_last_freed_object_is_the_next_one(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "objects", 1, &inner);
    char *a = hm_malloc(&layer.memory, 64);
    char *b = hm_malloc(&layer.memory, 64);
    hm_free(&layer.memory, a);
    hm_free(&layer.memory, b);
    assert_ptr_equal(hm_malloc(&layer.memory, 1), b);
    unsigned char *clean = hm_calloc(&layer.memory, 8, 8);
    assert_ptr_equal(clean, a);
    assert_filled(&layer.memory, clean, 0);
    layer_close(&layer);
}

static void larger_requests_go_through(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "objects", 1, &inner);
    const struct hm_memory *m = &layer.memory;
    char *large = hm_malloc(m, 65);
    assert_int_equal(counted.live_bytes, 65);
    assert_int_equal(hm_usable_size(m, large), 65);
    char *zeroed = hm_calloc(m, 10, 10);
    assert_int_equal(counted.live_bytes, 165);
    hm_free(m, zeroed);
    large = hm_realloc(m, large, 20); /* it stays where it is served */
    assert_int_equal(counted.live_bytes, 20);
    hm_free(m, large);
    assert_int_equal(counted.live_blocks, 0);
    assert_null(hm_aligned_alloc(m, 64, 64)); /* the inner heap's answer */
    layer_close(&layer);
}

static void an_object_that_outgrows_its_size_moves_out(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "objects:size=32", 1, &inner);
    const struct hm_memory *m = &layer.memory;
    unsigned char *block = hm_malloc(m, 1);
    fill(m, block, 9);
    assert_ptr_equal(hm_realloc(m, block, 32), block);
    count_fail(1, 1);
    assert_null(hm_realloc(m, block, 33));
    assert_filled(m, block, 9);
    unsigned char *moved = hm_realloc(m, block, 33);
    assert_int_equal(counted.live_blocks, 1);
    for (int i = 0; i < 32; i++)
        assert_int_equal(moved[i], 9);
    assert_ptr_equal(hm_malloc(m, 1), block);
    hm_free(m, moved);
    layer_close(&layer);
}

static void a_full_pool_lets_the_inner_heap_serve(void **state) {
    enum {
        OBJECTS = 8192 / 64
    };
    struct layer layer;
    void *blocks[OBJECTS + 3];
    (void)state;
    layer_open(&layer, "objects:chunk=4K:reserve=8K", 1, &inner);
    for (int i = 0; i < OBJECTS + 3; i++)
        blocks[i] = hm_malloc(&layer.memory, 64);
    assert_int_equal(counted.live_blocks, 3);
    hm_free(&layer.memory, blocks[5]);
    assert_ptr_equal(hm_malloc(&layer.memory, 10), blocks[5]);
    for (int i = 0; i < OBJECTS + 3; i++)
        hm_free(&layer.memory, blocks[i]);
    assert_int_equal(counted.live_blocks, 0);
    assert_int_equal(layer_stats(&layer).live_blocks, 0);
    layer_close(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LAYER_TEST(blocks_of_a_region_lie_one_behind_the_other),
        LAYER_TEST(only_the_last_block_gives_its_memory_back),
        LAYER_TEST(the_last_block_is_resized_where_it_is),
        LAYER_TEST(a_release_frees_what_is_younger_than_its_mark),
        LAYER_TEST(scopes_that_end_need_no_more_memory),
        LAYER_TEST(a_reset_region_starts_again),
        LAYER_TEST(a_region_keeps_to_its_limit),
        LAYER_TEST(a_region_aligns_beyond_its_chunk),
        LAYER_TEST(objects_lie_side_by_side_without_headers),
        LAYER_TEST(the_last_freed_object_is_the_next_one),
        LAYER_TEST(larger_requests_go_through),
        LAYER_TEST(an_object_that_outgrows_its_size_moves_out),
        LAYER_TEST(a_full_pool_lets_the_inner_heap_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

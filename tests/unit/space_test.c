/* The layer of the space pass: its sums, against blocks whose sizes are known here.
 *
 * labels: threads */
#include "harness/cell/space.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    THREADS = 3,
    BLOCKS = 500,
};

static struct hm_memory memory;

/* A heap whose blocks are 24 bytes larger than asked for. */
static void *more_malloc(size_t size) {
    return malloc(size + 24);
}

static void *more_calloc(size_t count, size_t size) {
    return calloc(1, count * size + 24);
}

static void *more_realloc(void *block, size_t size) {
    return size == 7777 ? NULL : realloc(block, size + 24);
}

static void *more_aligned_alloc(size_t alignment, size_t size) {
    return aligned_alloc(alignment, (size + 24 + alignment - 1) & -alignment);
}

static size_t sizes_of_live;

static size_t always_1000(void *block) {
    (void)block;
    return sizes_of_live;
}

static int open_it(void **state) {
    static const struct hm_allocator more = {.abi = HM_ALLOCATOR_ABI, .name = "more"};
    static const struct hm_memory inner = {
        .allocator = &more,
        .shape = HM_SHAPE_LIBC,
        .libc = {more_malloc, more_calloc, more_realloc, more_aligned_alloc, free, always_1000}};
    const struct hm_heap_options options = {.threads = THREADS, .inner = &inner};
    (void)state;
    sizes_of_live = 1000;
    return hm_space_layer.open(&memory, &options);
}

static int close_it(void **state) {
    (void)state;
    hm_space_layer.close(memory.heap);
    return 0;
}

static struct hm_space_now now(void) {
    struct hm_space_now read;
    hm_space_read(&read);
    return read;
}

static void test_each_call_adds_what_it_asked_for_and_takes_it_back(void **state) {
    (void)state;
    void *a = hm_malloc(&memory, 100);
    void *b = hm_calloc(&memory, 10, 30);
    void *c = hm_aligned_alloc(&memory, 64, 128);
    void *d = hm_realloc(&memory, NULL, 50);
    void *e = hm_malloc(&memory, 0);
    assert_int_equal(now().requested, 578);
    assert_int_equal(now().blocks, 5);
    assert_int_equal(now().usable, 5000);
    d = hm_realloc(&memory, d, 40);
    assert_int_equal(now().requested, 568);
    assert_int_equal(now().blocks, 5);
    assert_null(hm_realloc(&memory, a, 7777));
    assert_int_equal(now().requested, 568);
    hm_free(&memory, NULL);
    hm_free(&memory, b);
    hm_free(&memory, c);
    hm_free(&memory, d);
    assert_int_equal(now().requested, 100);
    hm_free(&memory, a);
    hm_free(&memory, e);
    assert_int_equal(now().requested, 0);
    assert_int_equal(now().usable, 0);
    assert_int_equal(now().blocks, 0);
    assert_int_equal(now().calls, 13);
    assert_true(now().known);
}

static void test_the_peak_counts_from_the_begin(void **state) {
    (void)state;
    void *a = hm_malloc(&memory, 1000);
    void *b = hm_malloc(&memory, 500);
    hm_free(&memory, a);
    hm_space_begin(0, NULL, NULL);
    assert_int_equal(now().peak, 500);
    a = hm_malloc(&memory, 20);
    hm_free(&memory, b);
    assert_int_equal(now().peak, 520);
    hm_free(&memory, a);
}

static unsigned looks;

static void look(void *arg) {
    (void)arg;
    looks++;
}

static void test_it_is_looked_at_every_so_many_calls(void **state) {
    (void)state;
    looks = 0;
    hm_space_begin(10, look, NULL);
    for (int i = 0; i < 50; i++)
        hm_free(&memory, hm_malloc(&memory, 8));
    assert_int_equal(looks, 10);
    hm_space_begin(0, NULL, NULL);
    hm_free(&memory, hm_malloc(&memory, 8));
    assert_int_equal(looks, 10);
}

/* Blocks of sizes that only their thread has; every other one is left to be freed by the test. */
static void *work(void *arg) {
    void **kept = arg;
    for (size_t i = 0; i < BLOCKS; i++) {
        void *block = hm_malloc(&memory, i + 1);
        if (i % 2)
            hm_free(&memory, block);
        else
            kept[i / 2] = block;
    }
    return NULL;
}

static void test_threads_add_up_and_free_each_others_blocks(void **state) {
    static void *kept[THREADS][BLOCKS / 2];
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, kept[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(now().blocks, THREADS * BLOCKS / 2);
    assert_int_equal(now().requested, THREADS * (BLOCKS / 2) * (BLOCKS / 2)); /* odd numbers */
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < BLOCKS / 2; k++)
            hm_free(&memory, kept[i][k]);
    assert_int_equal(now().requested, 0);
    assert_int_equal(now().blocks, 0);
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_it, close_it)
    const struct CMUnitTest tests[] = {
        TEST(test_each_call_adds_what_it_asked_for_and_takes_it_back),
        TEST(test_the_peak_counts_from_the_begin),
        TEST(test_it_is_looked_at_every_so_many_calls),
        TEST(test_threads_add_up_and_free_each_others_blocks),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

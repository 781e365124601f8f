/* What all layers promise, and what locked, handicap and faulty do, on an inner heap that counts
 * everything.
 *
 * labels: threads */
#include "allocators/handicap.h"
#include "harness/cell/memory.h"
#include "tests/unit/layer_open.h"

#include <sched.h>
#include <time.h>

/* ---- All ---- */

/* A little of every call; what each answers goes into the inner heap's digest. */
static void call_everything(const struct hm_memory *m) {
    char *blocks[6] = {hm_malloc(m, 100), hm_calloc(m, 3, 7), hm_realloc(m, NULL, 30),
                       hm_aligned_alloc(m, 16, 48)};
    for (int i = 0; i < 4; i++)
        assert_true(hm_usable_size(m, blocks[i]) >= 21);
    assert_int_equal(blocks[1][20], 0);
    memset(blocks[0], 'x', 100);
    blocks[0] = hm_realloc(m, blocks[0], 5000);
    assert_int_equal(blocks[0][99], 'x');
    assert_null(hm_aligned_alloc(m, 24, 48));
    assert_int_equal(errno, EINVAL);
    hm_free(m, NULL);
    for (int i = 0; i < 4; i++)
        hm_free(m, blocks[i]);
}

static void layers_that_only_look_on_pass_every_call_through_once(void **state) {
    static const char *const layers[] = {
        "locked",          "locked:lock=spin", "locked:lock=ticket",
        "locked:lock=gil", "handicap:ns=10",   "handicap:ns=0:every=7",
        "faulty",          "traced",           "traced:frames=8"};
    (void)state;
    for (int shape = HM_SHAPE_LIBC; shape <= HM_SHAPE_HEAP; shape++) {
        const struct hm_memory direct = counted_memory(shape);
        count_clear();
        char *blocks[4] = {hm_malloc(&direct, 100), hm_calloc(&direct, 3, 7),
                           hm_realloc(&direct, NULL, 30), hm_aligned_alloc(&direct, 16, 48)};
        blocks[0] = hm_realloc(&direct, blocks[0], 5000);
        for (int i = 0; i < 4; i++)
            hm_free(&direct, blocks[i]);
        uint64_t expected = counted.digest;
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            struct layer layer;
            layer_open(&layer, layers[i], 1, &direct);
            count_clear();
            call_everything(&layer.memory);
            assert_int_equal(counted.digest, expected);
            layer_close(&layer);
        }
    }
}

/* ---- locked ---- */

/* A heap that breaks when two threads are inside. */
static struct {
    uint64_t calls;
    int inside;
    bool broken;
} fragile;

static void *fragile_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    fragile.broken |= fragile.inside++ != 0;
    if (++fragile.calls % 8 == 0)
        sched_yield(); /* here whoever is let in finds it */
    fragile.inside--;
    errno = ENOMEM;
    return size ? NULL : &fragile;
}

static void *call_locked(void *arg) {
    struct layer *layer = arg;
    for (int i = 0; i < CALLS; i++)
        if (hm_malloc(&layer->memory, 1) || errno != ENOMEM)
            return arg;
    return NULL;
}

static void every_lock_lets_one_thread_in_and_all_get_their_turns(void **state) {
    static const char *const locks[] = {"locked:lock=mutex", "locked:lock=spin",
                                        "locked:lock=ticket", "locked:lock=gil"};
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    memory.calls.malloc = fragile_malloc;
    (void)state;
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        struct layer layer;
        memset(&fragile, 0, sizeof fragile);
        layer_open(&layer, locks[i], THREADS, &memory);
        run_threads(call_locked, &layer);
        layer_close(&layer);
        assert_int_equal(fragile.calls, THREADS * CALLS);
        assert_false(fragile.broken);
    }
}

/* Holds the lock for longer than a switch interval, once. */
static void *slow_malloc(struct hm_heap *heap, size_t size) {
    const struct timespec long_time = {.tv_nsec = 12000000};
    (void)heap;
    if (size == 2)
        nanosleep(&long_time, NULL);
    fragile.calls++;
    return NULL;
}

static void *call_slowly(void *arg) {
    struct layer *layer = arg;
    hm_malloc(&layer->memory, 2);
    hm_malloc(&layer->memory, 1);
    return NULL;
}

static void a_gil_that_was_asked_for_is_handed_over(void **state) {
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    struct layer layer;
    (void)state;
    memory.calls.malloc = slow_malloc;
    memset(&fragile, 0, sizeof fragile);
    layer_open(&layer, "locked:lock=gil", THREADS, &memory);
    run_threads(call_slowly, &layer);
    layer_close(&layer);
    assert_int_equal(fragile.calls, 2 * THREADS);
}

static void what_lies_under_a_lock_may_be_for_one_thread(void **state) {
    static const struct {
        const char *text, *alone;
    } stacks[] = {
        {"region", "region"},
        {"traced+region", "region"},
        {"locked+region", NULL},
        {"traced+locked+objects+region", NULL},
        {"objects+locked+region", "objects"},
        {"traced+system", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        struct hm_allocator_spec spec;
        struct hm_memory_stack stack;
        struct hm_error error;
        assert_int_equal(hm_allocator_spec_parse(stacks[i].text, &spec, &error), 0);
        const struct hm_allocator *alone = hm_allocator_spec_alone(&spec);
        assert_string_equal(alone ? alone->name : "none",
                            stacks[i].alone ? stacks[i].alone : "none");
        int bad = hm_memory_stack_open(&stack, &spec, 2);
        assert_int_equal(bad, alone ? ENOTSUP : 0);
        if (!bad)
            hm_memory_stack_close(&stack);
        assert_int_equal(hm_memory_stack_open(&stack, &spec, 1), 0);
        hm_memory_stack_close(&stack);
    }
}

/* ---- handicap ---- */

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t turns_of(const char *text) {
    struct layer layer;
    layer_open(&layer, text, 1, &inner);
    uint64_t turns = hm_handicap_turns(layer.memory.heap);
    layer_close(&layer);
    return turns;
}

/* The bounds leave room for a machine that changes its frequency between two openings. */
static void a_handicap_is_in_proportion_to_its_time(void **state) {
    (void)state;
    assert_int_equal(turns_of("handicap:ns=0"), 0);
    uint64_t some = turns_of("handicap:ns=10K");
    uint64_t more = turns_of("handicap:ns=100K");
    assert_in_range(more, 3 * some, 33 * some);
}

static void a_handicap_takes_at_least_about_its_time(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "handicap:ns=20K", 1, &inner);
    double begin = now_ns();
    for (int i = 0; i < 100; i++)
        hm_free(&layer.memory, hm_malloc(&layer.memory, 10));
    assert_true(now_ns() - begin > 0.4 * 200 * 20000);
    layer_close(&layer);
}

/* Which of these calls waited: one bit for each, the first one lowest. */
static unsigned waits_of(const char *text, unsigned calls) {
    struct layer layer;
    unsigned waited = 0;
    layer_open(&layer, text, 1, &inner);
    for (unsigned i = 0; i < calls; i++) {
        uint64_t before = hm_handicap_waits(layer.memory.heap);
        hm_free(&layer.memory, NULL);
        waited |= (unsigned)(hm_handicap_waits(layer.memory.heap) - before) << i;
    }
    layer_close(&layer);
    return waited;
}

static void a_handicap_of_every_third_call_is_of_those_only(void **state) {
    (void)state;
    assert_int_equal(waits_of("handicap:turns=5:every=3", 10), 0x249);
    assert_int_equal(waits_of("handicap:ns=0:every=3", 10), 0x249);
    assert_int_equal(waits_of("handicap:ns=0:every=100", 10), 1);
}

static void a_handicap_in_turns_is_not_measured(void **state) {
    (void)state;
    assert_int_equal(turns_of("handicap:turns=777"), 777);
    assert_int_equal(turns_of("handicap:turns=777:ns=10K:every=9"), 777);
    assert_int_equal(turns_of("handicap:turns=0:ns=0"), 0);
}

static void *five_frees(void *arg) {
    const struct hm_memory *memory = arg;
    for (int i = 0; i < 5; i++)
        hm_free(memory, NULL);
    return (void *)(uintptr_t)hm_handicap_waits(memory->heap); // NOLINT(performance-no-int-to-ptr)
}

static void every_thread_counts_for_itself(void **state) {
    struct layer layer;
    pthread_t thread;
    (void)state;
    layer_open(&layer, "handicap:turns=1:every=4", 2, &inner);
    for (int i = 0; i < 3; i++)
        hm_free(&layer.memory, NULL);
    assert_int_equal(pthread_create(&thread, NULL, five_frees, &layer.memory), 0);
    void *waited = NULL;
    assert_int_equal(pthread_join(thread, &waited), 0);
    assert_int_equal((uintptr_t)waited, 2);
    assert_int_equal(hm_handicap_waits(layer.memory.heap), 1);
    layer_close(&layer);
}

/* ---- faulty ---- */

/* One bit for each of the first 64 allocations: 1 failed. */
static uint64_t failures_of(const char *text) {
    struct layer layer;
    uint64_t failures = 0;
    layer_open(&layer, text, 1, &inner);
    for (int i = 0; i < 64; i++) {
        uint64_t before = counted.allocations;
        errno = 0;
        void *block = hm_malloc(&layer.memory, 10);
        if (!block) {
            assert_int_equal(errno, ENOMEM);
            failures |= UINT64_C(1) << i;
        }
        assert_int_equal(counted.allocations, before + (block != NULL));
        hm_free(&layer.memory, block);
    }
    layer_close(&layer);
    return failures;
}

static void faulty_fails_exactly_the_named_allocations(void **state) {
    (void)state;
    assert_int_equal(failures_of("faulty"), 0);
    assert_int_equal(failures_of("faulty:nth=1"), 1);
    assert_int_equal(failures_of("faulty:nth=6"), 1 << 5);
    assert_int_equal(failures_of("faulty:nth=65"), 0);
    assert_int_equal(failures_of("faulty:every=1"), UINT64_MAX);
    assert_int_equal(failures_of("faulty:every=4"), UINT64_C(0x8888888888888888));
    assert_int_equal(failures_of("faulty:nth=1:every=32"), UINT64_C(0x8000000080000001));
}

static void faulty_draws_from_its_seed(void **state) {
    (void)state;
    uint64_t half = failures_of("faulty:percent=50:seed=7");
    assert_int_equal(failures_of("faulty:percent=50:seed=7"), half);
    assert_int_not_equal(failures_of("faulty:percent=50:seed=8"), half);
    assert_in_range(__builtin_popcountll(half), 20, 44);
    assert_int_equal(failures_of("faulty:percent=100"), UINT64_MAX);
    uint64_t few = failures_of("faulty:percent=10:seed=7");
    assert_int_equal(few & ~half, 0); /* the less likely ones are among the more likely ones */
}

static void faulty_counts_every_kind_of_allocation(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "faulty:nth=4", 1, &inner);
    const struct hm_memory *m = &layer.memory;
    char *a = hm_malloc(m, 1);
    char *b = hm_calloc(m, 1, 1);
    char *c = hm_aligned_alloc(m, 16, 16);
    *a = 'a';
    assert_null(hm_realloc(m, a, 1000));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(*a, 'a');
    a = hm_realloc(m, a, 1000);
    assert_int_equal(*a, 'a');
    hm_free(m, a);
    hm_free(m, b);
    hm_free(m, c);
    layer_close(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LAYER_TEST(layers_that_only_look_on_pass_every_call_through_once),
        LAYER_TEST(every_lock_lets_one_thread_in_and_all_get_their_turns),
        LAYER_TEST(a_gil_that_was_asked_for_is_handed_over),
        LAYER_TEST(what_lies_under_a_lock_may_be_for_one_thread),
        LAYER_TEST(a_handicap_is_in_proportion_to_its_time),
        LAYER_TEST(a_handicap_takes_at_least_about_its_time),
        LAYER_TEST(a_handicap_of_every_third_call_is_of_those_only),
        LAYER_TEST(a_handicap_in_turns_is_not_measured),
        LAYER_TEST(every_thread_counts_for_itself),
        LAYER_TEST(faulty_fails_exactly_the_named_allocations),
        LAYER_TEST(faulty_draws_from_its_seed),
        LAYER_TEST(faulty_counts_every_kind_of_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

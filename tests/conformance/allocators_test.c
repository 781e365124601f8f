/* One suite over every allocator that the registry holds: what the contract in
 * allocators/allocator.h promises, each promise on each arm.
 *
 * Vocabulary
 *   arm     an allocator, its parameters and a number of threads: heap_arms.h
 *   shadow  what a script knows of its live blocks: shadow_heap.h
 *
 * An allocator that is a library is tested only in a process that has it as its malloc:
 * LD_PRELOAD=libNAME.so.N allocators_test.
 *
 * With --memcheck the suite suits valgrind's memcheck: our own allocators only, and no request that
 * memcheck's malloc reports by itself, since nobody can have so much.
 *
 * timeout: 300
 * labels: threads */
#include "tests/conformance/heap_arms.h"
#include "tests/conformance/shadow_heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The sanitizers' mallocs stop the process at too large a request, unless told otherwise. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

/* ---- Heaps ---- */

struct heap {
    struct hm_memory system, memory;
};

static void open_heap(struct heap *heap, const struct arm *arm) {
    const struct hm_heap_options plain = {.threads = arm->threads};
    assert_int_equal(find_allocator("system")->open(&heap->system, &plain), 0);
    const struct hm_heap_options options = {
        .params = arm->values, .threads = arm->threads, .inner = &heap->system};
    assert_int_equal(arm->allocator->open(&heap->memory, &options), 0);
    assert_ptr_equal(heap->memory.allocator, arm->allocator);
    if (arm->allocator->enter)
        assert_int_equal(arm->allocator->enter(heap->memory.heap), 0);
    errno = 0;
}

static void close_heap(struct heap *heap) {
    const struct hm_allocator *allocator = heap->memory.allocator;
    if (allocator->leave)
        allocator->leave(heap->memory.heap);
    if (allocator->close)
        allocator->close(heap->memory.heap);
}

static bool has(const struct arm *arm, unsigned cap) {
    return arm->allocator->caps & cap;
}

static struct shadow *new_shadow(const struct heap *heap, unsigned thread) {
    struct shadow *shadow = map_shadow(&heap->memory, thread);
    assert_non_null(shadow);
    return shadow;
}

static void assert_sound(const char *broken) {
    if (broken)
        fail_msg("%s", broken);
}

/* ---- Promises ---- */

/* jemalloc 5.3, mimalloc 2.0 and gperftools 2.10 each have a path that leaves errno alone:
 * of a library only the NULL is asked. */
static void assert_out_of_memory(const struct heap *heap, const void *block) {
    assert_null(block);
    if (!heap->memory.allocator->library && !heap->memory.allocator->needs)
        assert_int_equal(errno, ENOMEM);
    errno = 0;
}

static void blocks_of_a_random_script_are_sound(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct worker workers[MAX_THREADS] = {{0}};
    open_heap(&heap, arm);
    for (unsigned i = 0; i < arm->threads; i++)
        workers[i] = (struct worker){.shadow = new_shadow(&heap, i), .body = script_body};
    assert_sound(run_workers(workers, arm->threads));
    for (unsigned i = 0; i < arm->threads; i++) {
        assert_sound(free_all(workers[i].shadow)); /* by a thread that did not allocate them */
        drop_shadow(workers[i].shadow);
    }
    close_heap(&heap);
}

static void blocks_freed_by_another_thread_are_sound(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct worker workers[MAX_THREADS] = {{0}};
    struct exchange exchanges[MAX_THREADS / 2];
    if (arm->threads < 2)
        skip();
    memset(exchanges, 0, sizeof exchanges);
    open_heap(&heap, arm);
    for (unsigned i = 0; i < arm->threads; i++)
        workers[i] = (struct worker){.shadow = new_shadow(&heap, i),
                                     .exchange = &exchanges[i / 2],
                                     .body = exchange_body,
                                     .index = i};
    assert_sound(run_workers(workers, arm->threads));
    for (unsigned i = 0; i < arm->threads; i++)
        drop_shadow(workers[i].shadow);
    close_heap(&heap);
}

static void empty_blocks_are_unique(void **state) {
    enum {
        COUNT = 100
    };
    void *blocks[COUNT];
    struct heap heap;
    open_heap(&heap, *state);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = hm_malloc(&heap.memory, 0);
        assert_non_null(blocks[i]);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (int i = 0; i < COUNT; i++)
        hm_free(&heap.memory, blocks[i]);
    close_heap(&heap);
}

static void null_is_freed_and_resized(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    hm_free(&heap.memory, NULL);
    unsigned char *block = hm_realloc(&heap.memory, NULL, 100);
    assert_non_null(block);
    assert_true(has(*state, HM_CAP_NO_USABLE) || hm_usable_size(&heap.memory, block) >= 100);
    hm_free(&heap.memory, block);
    close_heap(&heap);
}

static void reused_memory_is_zeroed_by_calloc(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    for (size_t size = 1; size < 70000; size = size * 3 + 1) {
        unsigned char *dirty = hm_malloc(&heap.memory, size);
        assert_non_null(dirty);
        memset(dirty, 0xa5, size);
        hm_free(&heap.memory, dirty);
        unsigned char *clean = hm_calloc(&heap.memory, size, 1);
        assert_non_null(clean);
        assert_true(is_zero(clean, size));
        hm_free(&heap.memory, clean);
    }
    close_heap(&heap);
}

static void impossible_sizes_are_out_of_memory(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    const struct hm_memory *m = &heap.memory;
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_out_of_memory(&heap, hm_malloc(m, sizes[i]));
        assert_out_of_memory(&heap, hm_realloc(m, NULL, sizes[i]));
        assert_out_of_memory(&heap, hm_calloc(m, 1, sizes[i]));
        assert_out_of_memory(&heap, hm_aligned_alloc(m, 4096, sizes[i] & ~(size_t)4095));
    }
    close_heap(&heap);
}

static void overflowing_products_are_out_of_memory(void **state) {
    const size_t half = (size_t)1 << 32;
    const struct {
        size_t count, size;
    } products[] = {{half, half},  {half * 2, half / 2}, {half + 1, half},
                    {SIZE_MAX, 2}, {SIZE_MAX, SIZE_MAX}, {3, SIZE_MAX / 3 + 2}};
    struct heap heap;
    open_heap(&heap, *state);
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        assert_out_of_memory(&heap, hm_calloc(&heap.memory, products[i].count, products[i].size));
        assert_out_of_memory(&heap, hm_calloc(&heap.memory, products[i].size, products[i].count));
    }
    close_heap(&heap);
}

static void a_failing_realloc_leaves_the_block(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    struct shadow *shadow = new_shadow(&heap, 0);
    for (size_t size = 1; size < 40000; size = size * 5 + 1) {
        struct slot *slot = &shadow->slots[0];
        assert_sound(adopt(shadow, slot, hm_malloc(&heap.memory, size), size));
        assert_out_of_memory(&heap, hm_realloc(&heap.memory, slot->block, (size_t)PTRDIFF_MAX + 1));
        assert_sound(step_free(shadow, slot));
    }
    drop_shadow(shadow);
    close_heap(&heap);
}

static void bad_alignments_are_refused(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    if (heap.memory.shape == HM_SHAPE_LIBC) { /* each C library has a policy of its own */
        close_heap(&heap);
        skip();
    }
    const size_t bad[] = {0, 3, 24, 48, 4095, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(hm_aligned_alloc(&heap.memory, bad[i], 96));
        assert_int_equal(errno, EINVAL);
    }
    close_heap(&heap);
}

static void every_alignment_is_kept_by_small_blocks(void **state) {
    struct heap heap;
    if (has(*state, HM_CAP_NO_ALIGNED))
        skip();
    open_heap(&heap, *state);
    bool multiple = wants_multiple();
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        void *blocks[20];
        for (size_t i = 0; i < 20; i++) {
            blocks[i] = hm_aligned_alloc(&heap.memory, alignment, multiple ? alignment : 1 + i);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
            memset(blocks[i], 1, hm_usable_size(&heap.memory, blocks[i]));
        }
        for (size_t i = 0; i < 20; i++)
            hm_free(&heap.memory, blocks[i]);
    }
    close_heap(&heap);
}

static void a_heap_with_live_blocks_can_be_closed(void **state) {
    for (int i = 0; i < 3; i++) {
        struct heap heap;
        open_heap(&heap, *state);
        void *keep = hm_malloc(&heap.memory, 100);
        assert_non_null(keep);
        if (heap.memory.allocator->close == NULL || has(*state, HM_CAP_LAYER))
            hm_free(&heap.memory, keep); /* the process's heap is never closed */
        else
            for (size_t j = 0; j < 1000; j++)
                assert_non_null(hm_malloc(&heap.memory, 1 + j % 255));
        close_heap(&heap);
    }
}

/* Fill up, give every second block back, and fill half of that again. */
static void exhaust(struct shadow *shadow) {
    const struct hm_memory *m = shadow->memory;
    unsigned count = 0;
    errno = 0;
    for (; count < SLOTS; count++) {
        size_t size = 500 + draw(shadow, 1000);
        void *block = hm_malloc(m, size);
        if (!block)
            break;
        assert_sound(adopt(shadow, &shadow->slots[count], block, size));
    }
    assert_true(count > 0 && count < SLOTS);
    assert_int_equal(errno, ENOMEM);
    for (unsigned i = 0; i < count; i += 2)
        assert_sound(step_free(shadow, &shadow->slots[i]));
    for (unsigned i = 0; i < count; i += 4) {
        void *block = hm_malloc(m, 400);
        assert_non_null(block);
        assert_sound(adopt(shadow, &shadow->slots[i], block, 400));
    }
    assert_sound(free_all(shadow));
}

static void an_exhausted_arena_recovers(void **state) {
    struct arm arm = *(const struct arm *)*state;
    struct heap heap;
    if (!has(&arm, HM_CAP_BOUNDED))
        skip();
    shrink_arena(&arm);
    open_heap(&heap, &arm);
    struct shadow *shadow = new_shadow(&heap, 0);
    for (int cycle = 0; cycle < 3; cycle++)
        exhaust(shadow);
    drop_shadow(shadow);
    close_heap(&heap);
}

struct walked {
    uint64_t end, used_bytes;
    unsigned used_runs;
};

static void visit(void *arg, const struct hm_block *block) {
    struct walked *walked = arg;
    assert_int_equal(block->offset, walked->end);
    assert_true(block->bytes > 0);
    walked->end += block->bytes;
    walked->used_bytes += block->used ? block->bytes : 0;
    walked->used_runs += block->used;
}

static struct walked walk(const struct heap *heap) {
    struct walked walked = {0};
    heap->memory.allocator->walk(heap->memory.heap, visit, &walked);
    return walked;
}

static void a_walk_finds_every_block(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    if (!has(arm, HM_CAP_WALK))
        skip();
    open_heap(&heap, arm);
    struct walked before = walk(&heap);
    struct shadow *shadow = new_shadow(&heap, 0);
    assert_sound(run_script(shadow));
    unsigned live = 0;
    size_t bytes = 0;
    for (int i = 0; i < LIVE; i++) {
        live += shadow->slots[i].block != NULL;
        bytes += shadow->slots[i].block ? hm_usable_size(&heap.memory, shadow->slots[i].block) : 0;
    }
    struct walked during = walk(&heap);
    assert_int_equal(during.end, before.end);
    assert_int_equal(during.used_runs, before.used_runs + live);
    assert_int_equal(during.used_bytes, before.used_bytes + bytes);
    assert_sound(free_all(shadow));
    struct walked after = walk(&heap);
    assert_int_equal(after.used_bytes, before.used_bytes);
    drop_shadow(shadow);
    close_heap(&heap);
}

static bool is_at_most(uint64_t known, uint64_t limit) {
    return known == HM_UNKNOWN || known <= limit;
}

/* An allocator that hands large requests on counts only what is its own. */
static void statistics_follow_what_is_live(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct hm_heap_stats stats;
    if (!arm->allocator->stats)
        skip();
    open_heap(&heap, arm);
    struct shadow *shadow = new_shadow(&heap, 0);
    assert_sound(run_script(shadow));
    uint64_t live = 0;
    for (int i = 0; i < LIVE; i++)
        live += shadow->slots[i].block != NULL;
    arm->allocator->stats(heap.memory.heap, &stats);
    assert_true(is_at_most(stats.live_blocks, live));
    assert_true(is_at_most(stats.live_bytes, stats.footprint_bytes));
    assert_true(is_at_most(stats.metadata_bytes, stats.footprint_bytes));
    assert_true(is_at_most(stats.bad_frees, 0));
    assert_true(stats.live_blocks > 0); /* or unknown */
    assert_sound(free_all(shadow));
    arm->allocator->stats(heap.memory.heap, &stats);
    assert_true(is_at_most(stats.live_blocks, 0));
    assert_true(is_at_most(stats.live_bytes, 0));
    drop_shadow(shadow);
    close_heap(&heap);
}

/* ---- The matrix ---- */

static const struct promise {
    const char *name;
    CMUnitTestFunction test;
    bool threaded;   /* worth more than one thread */
    bool impossible; /* asks for more than there can be */
} promises[] = {
    {.name = "blocks_of_a_random_script_are_sound",
     .test = blocks_of_a_random_script_are_sound,
     .threaded = true},
    {.name = "blocks_freed_by_another_thread_are_sound",
     .test = blocks_freed_by_another_thread_are_sound,
     .threaded = true},
    {.name = "empty_blocks_are_unique", .test = empty_blocks_are_unique},
    {.name = "null_is_freed_and_resized", .test = null_is_freed_and_resized},
    {.name = "reused_memory_is_zeroed_by_calloc", .test = reused_memory_is_zeroed_by_calloc},
    {.name = "impossible_sizes_are_out_of_memory",
     .test = impossible_sizes_are_out_of_memory,
     .impossible = true},
    {.name = "overflowing_products_are_out_of_memory",
     .test = overflowing_products_are_out_of_memory,
     .impossible = true},
    {.name = "a_failing_realloc_leaves_the_block",
     .test = a_failing_realloc_leaves_the_block,
     .impossible = true},
    {.name = "bad_alignments_are_refused", .test = bad_alignments_are_refused},
    {.name = "every_alignment_is_kept_by_small_blocks",
     .test = every_alignment_is_kept_by_small_blocks},
    {.name = "a_heap_with_live_blocks_can_be_closed",
     .test = a_heap_with_live_blocks_can_be_closed},
    {.name = "an_exhausted_arena_recovers", .test = an_exhausted_arena_recovers},
    {.name = "a_walk_finds_every_block", .test = a_walk_finds_every_block},
    {.name = "statistics_follow_what_is_live", .test = statistics_follow_what_is_live},
};

enum {
    PROMISES = sizeof promises / sizeof *promises
};

static struct CMUnitTest tests[MAX_ARMS * PROMISES];
static char names[MAX_ARMS * PROMISES][192];

/* What a bounded arena is asked for does not reach another malloc. */
static bool is_worth(const struct arm *arm, const struct promise *promise, bool memcheck) {
    if (arm->threads > 1 && !promise->threaded)
        return false;
    return !memcheck || !promise->impossible || has(arm, HM_CAP_BOUNDED);
}

static size_t fill_tests(bool memcheck) {
    size_t count = 0;
    for (unsigned i = 0; i < arm_count; i++) {
        for (size_t j = 0; j < PROMISES; j++) {
            if (!is_worth(&arms[i], &promises[j], memcheck))
                continue;
            snprintf(names[count], sizeof names[count], "%s [%s]", promises[j].name, arms[i].label);
            tests[count] = (struct CMUnitTest){
                .name = names[count], .test_func = promises[j].test, .initial_state = &arms[i]};
            count++;
        }
    }
    return count;
}

static bool is_own(const struct hm_allocator *allocator) {
    return !allocator->library && !allocator->needs && strcmp(allocator->name, "system") != 0;
}

int main(int argc, char **argv) {
    bool memcheck = argc > 1 && strcmp(argv[1], "--memcheck") == 0;
    for (const struct hm_allocator *const *part = __start_hm_allocator_parts;
         part < __stop_hm_allocator_parts; part++)
        if (!memcheck || is_own(*part))
            add_arms(*part);
    return _cmocka_run_group_tests("allocators", tests, fill_tests(memcheck), NULL, NULL);
}

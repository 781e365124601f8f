/* first-fit against a model that shares no code with it: first_fit_model.h.
 *
 * The same random script runs on both, and every block must lie at the same offset, in each index,
 * each fit and several granules. The indexes are also compared below the front, where the vector
 * version of the tree and the plain one can both be reached. */
#include "allocators/allocator.h"
#include "allocators/first-fit.h"
#include "allocators/first-fit_index.h"
#include "tests/unit/first_fit_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct hm_allocator *const __start_hm_allocator_parts[];
extern const struct hm_allocator *const __stop_hm_allocator_parts[];

enum {
    SLOTS = 6000,
};

/* ---- Helpers ---- */

static uint64_t random_state;

static int draw(int n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (unsigned)n);
}

struct setting {
    int64_t size, align, index, fit;
};

static int try_open(struct hm_memory *out, struct setting s) {
    const struct hm_value values[] = {{s.size, ""}, {s.align, ""}, {s.index, ""},
                                      {s.fit, ""},  {0, ""},       {0, ""}};
    const struct hm_heap_options options = {.params = values, .threads = 1};
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (part < __stop_hm_allocator_parts && strcmp((*part)->name, "first-fit") != 0)
        part++;
    assert_true(part < __stop_hm_allocator_parts);
    return (*part)->open(out, &options);
}

static struct hm_memory open_heap(struct setting s) {
    struct hm_memory memory;
    assert_int_equal(try_open(&memory, s), 0);
    return memory;
}

static void close_heap(struct hm_memory *m) {
    m->allocator->close(m->heap);
}

/* Where the array starts: first-fit in an empty one. */
static char *base_of(struct hm_memory *m) {
    char *base = hm_malloc(m, 1);
    hm_free(m, base);
    return base;
}

static struct hm_heap_stats stats_of(struct hm_memory *m) {
    struct hm_heap_stats stats;
    m->allocator->stats(m->heap, &stats);
    return stats;
}

struct walked {
    uint64_t end;
    int runs, used_runs;
    bool as_model;
    int64_t align;
};

static void visit(void *arg, const struct hm_block *block) {
    struct walked *w = arg;
    assert_true(block->bytes > 0);
    assert_int_equal(block->offset, w->end);
    w->end += block->bytes;
    w->runs++;
    w->used_runs += block->used;
    if (w->as_model) {
        for (uint64_t at = block->offset; at < w->end; at += (uint64_t)w->align)
            assert_int_equal(model.used[at / (uint64_t)w->align], block->used);
    }
}

static struct walked walk(struct hm_memory *m) {
    struct walked w = {.as_model = false};
    m->allocator->walk(m->heap, visit, &w);
    return w;
}

static void assert_as_model(struct hm_memory *m, struct setting s) {
    struct walked w = {.as_model = true, .align = s.align};
    m->allocator->walk(m->heap, visit, &w);
    assert_int_equal(w.end, (s.size / s.align) * s.align);
}

/* ---- Random scripts ---- */

static struct {
    char *block;
    int offset, length; /* granules */
} slots[SLOTS];

static void assert_placed(char *base, const char *block, int expected, int64_t align) {
    if (expected == NOWHERE)
        assert_null(block);
    else
        assert_ptr_equal(block, base + expected * align);
}

static int granules_of(int bytes, int64_t align) {
    return bytes == 0 ? 1 : (int)((bytes + align - 1) / align);
}

static void step_empty(struct hm_memory *m, char *base, int64_t align, int slot, int bytes) {
    int length = granules_of(bytes, align), steps = 1;
    char *block;
    if (draw(8) == 0) {
        size_t alignment = (size_t)1 << draw(9);
        steps = (int64_t)alignment > align ? (int)((int64_t)alignment / align) : 1;
        block = hm_aligned_alloc(m, alignment, (size_t)bytes);
    } else if (draw(8) == 0) {
        block = hm_calloc(m, 1, (size_t)bytes);
    } else {
        block = hm_malloc(m, (size_t)bytes);
    }
    int expected = model_take(length, steps);
    assert_placed(base, block, expected, align);
    slots[slot].block = block;
    slots[slot].offset = expected;
    slots[slot].length = length;
    if (block)
        assert_int_equal(hm_usable_size(m, block), length * align);
}

static void step_full(struct hm_memory *m, char *base, int64_t align, int slot, int bytes) {
    int offset = slots[slot].offset, old = slots[slot].length;
    if (draw(4) > 0) {
        hm_free(m, slots[slot].block);
        model_give(offset, old);
        slots[slot].block = NULL;
        return;
    }
    int length = granules_of(bytes, align);
    int expected = model_resize(offset, old, length);
    char *block = hm_realloc(m, slots[slot].block, (size_t)bytes);
    assert_placed(base, block, expected, align);
    if (block) {
        slots[slot].block = block;
        slots[slot].offset = expected;
        slots[slot].length = length;
    }
}

static void run_script(struct setting s, int live, int max_bytes, int steps, uint64_t seed) {
    struct hm_memory m = open_heap(s);
    char *base = base_of(&m);
    random_state = seed;
    memset(slots, 0, sizeof slots);
    model_open((int)(s.size / s.align), (enum fit)s.fit);
    model_give(model_take(1, 1), 1); /* as base_of did */
    for (int i = 0; i < steps; i++) {
        int slot = draw(live), bytes = draw(max_bytes + 1);
        if (slots[slot].block)
            step_full(&m, base, s.align, slot, bytes);
        else
            step_empty(&m, base, s.align, slot, bytes);
    }
    assert_as_model(&m, s);
    assert_int_equal(stats_of(&m).bad_frees, 0);
    for (int slot = 0; slot < live; slot++)
        hm_free(&m, slots[slot].block);
    assert_int_equal(walk(&m).runs, 1);
    assert_int_equal(stats_of(&m).live_bytes, 0);
    assert_int_equal(stats_of(&m).live_blocks, 0);
    close_heap(&m);
}

static void test_every_index_and_fit_places_as_the_model(void **state) {
    (void)state;
    for (int64_t index = 0; index < 3; index++) {
        for (int64_t fit = 0; fit < 4; fit++) {
            run_script((struct setting){1024, 1, index, fit}, 12, 200, 3000, 1);
            run_script((struct setting){4096, 1, index, fit}, 300, 30, 6000, 2);
            run_script((struct setting){16384, 16, index, fit}, 100, 300, 3000, 3);
            run_script((struct setting){100000, 8, index, fit}, 500, 400, 3000, 4);
        }
    }
}

static void test_tree_of_several_levels_places_as_the_model(void **state) {
    (void)state;
    for (int64_t fit = 0; fit < 2; fit++)
        run_script((struct setting){16000, 1, 2, fit}, SLOTS, 3, 25000, 5);
}

static void test_an_array_that_is_always_full_places_as_the_model(void **state) {
    (void)state;
    for (int64_t index = 0; index < 3; index++) {
        for (int64_t fit = 0; fit < 4; fit++)
            run_script((struct setting){600, 1, index, fit}, 200, 9, 6000, 6);
    }
}

/* ---- Indexes below the front ---- */

static void assert_same_run(const struct hm_runs_calls *calls, struct hm_runs *runs, int from,
                            int length) {
    struct hm_run run;
    int start = 0, end = 0;
    bool expected = false;
    for (start = 0; start < model.granules && !expected; start = end + 1) {
        end = model_run_end(start);
        expected = end > from && end - start >= length;
        if (expected)
            break;
    }
    assert_int_equal(calls->find(runs, (uint32_t)from, (uint32_t)length, &run), expected);
    if (expected) {
        assert_int_equal(run.offset, start);
        assert_int_equal(run.length, end - start);
    }
}

static unsigned model_given(int at, int length) {
    unsigned given = 0;
    if (at > 0 && !model.used[at - 1])
        given |= HM_GIVEN_LEFT;
    if (at + length < model.granules && !model.used[at + length])
        given |= HM_GIVEN_RIGHT;
    return given;
}

/* Single granules given back everywhere make as many runs as there can be. */
static void give_granules(const struct hm_runs_calls *calls, struct hm_runs *runs, int start,
                          int stride) {
    for (int at = start; at < model.granules; at += stride) {
        unsigned expected = model.used[at] ? model_given(at, 1) : HM_GIVEN_REFUSED;
        assert_int_equal(calls->give(runs, (uint32_t)at, 1), expected);
        model_give(at, 1);
    }
}

static void claim_somewhere(const struct hm_runs_calls *calls, struct hm_runs *runs) {
    int at = draw(model.granules);
    int end = model_run_end(at);
    if (end == at)
        return;
    int length = 1 + draw(end - at);
    calls->claim(runs, (uint32_t)at, (uint32_t)length);
    memset(model.used + at, 1, (size_t)length);
}

/* Half of the array, or what is left of it, without any run: leaves and inner nodes go, and come
 * back elsewhere. */
static void claim_half(const struct hm_runs_calls *calls, struct hm_runs *runs) {
    int at = draw(2) ? draw(model.granules) : 0, stop = at + model.granules / 2;
    for (int end; at < stop && at < model.granules; at = end + 1) {
        end = model_run_end(at);
        if (end == at)
            continue;
        calls->claim(runs, (uint32_t)at, (uint32_t)(end - at));
        memset(model.used + at, 1, (size_t)(end - at));
    }
}

static void run_index(const struct hm_runs_calls *calls, int granules, int steps) {
    struct hm_runs *runs = calls->open((uint32_t)granules, HM_BACKING_PRIVATE);
    assert_non_null(runs);
    model_open(granules, FIRST);
    random_state = 7;
    assert_int_equal(calls->take(runs, (uint32_t)granules), model_take(granules, 1));
    assert_int_equal(calls->take(runs, 1), HM_NO_RUN);
    give_granules(calls, runs, 0, 2);
    give_granules(calls, runs, 1, 6);
    for (int i = 0; i < steps; i++) {
        int length = 1 + draw(i % 9 + 1);
        if (i % 3000 == 2999) {
            claim_half(calls, runs);
        } else if (draw(4)) {
            int at = draw(granules);
            unsigned expected = model.used[at] ? model_given(at, 1) : HM_GIVEN_REFUSED;
            assert_int_equal(calls->give(runs, (uint32_t)at, 1), expected);
            model_give(at, 1);
        } else if (draw(4) == 0) {
            claim_somewhere(calls, runs);
        } else {
            int expected = model_take(length, 1);
            uint32_t at = calls->take(runs, (uint32_t)length);
            assert_int_equal(at, expected == NOWHERE ? HM_NO_RUN : (uint32_t)expected);
        }
        assert_same_run(calls, runs, draw(granules + 1), 1 + draw(8));
    }
    give_granules(calls, runs, 0, 1);
    assert_same_run(calls, runs, 0, granules);
    calls->close(runs);
}

static void test_indexes_answer_as_the_model(void **state) {
    (void)state;
    const struct hm_runs_calls *indexes[] = {&hm_runs_scan, &hm_runs_bitmap, &hm_runs_tree_plain,
                                             hm_runs_tree()};
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        run_index(indexes[i], 1, 100);
        run_index(indexes[i], 64, 2000);
        run_index(indexes[i], 1000, 4000);
    }
}

static void test_trees_of_several_levels_answer_as_the_model(void **state) {
    (void)state;
    run_index(&hm_runs_tree_plain, 30000, 30000);
    run_index(hm_runs_tree(), 30000, 30000);
}

/* ---- Scenarios ---- */

static void test_freed_block_is_reused_and_a_larger_one_does_not_fit(void **state) {
    (void)state;
    for (int64_t index = 0; index < 3; index++) {
        struct hm_memory m = open_heap((struct setting){1024, 1, index, 0});
        char *first = hm_malloc(&m, 256), *second = hm_malloc(&m, 256);
        assert_ptr_equal(second, first + 256);
        hm_free(&m, first);
        errno = 0;
        assert_null(hm_malloc(&m, 1024));
        assert_int_equal(errno, ENOMEM);
        assert_ptr_equal(hm_malloc(&m, 256), first);
        close_heap(&m);
    }
}

static void test_bad_frees_are_told_apart_and_change_nothing(void **state) {
    (void)state;
    for (int64_t index = 0; index < 3; index++) {
        struct hm_memory m = open_heap((struct setting){4096, 16, index, 0});
        char *a = hm_malloc(&m, 64), *b = hm_malloc(&m, 64), *c = hm_malloc(&m, 64);
        const struct {
            void *pointer;
            enum hm_bad_free why;
        } bad[] = {
            {a, HM_BAD_FREE_DOUBLE},       {a + 16, HM_BAD_FREE_DOUBLE},
            {b + 16, HM_BAD_FREE_INSIDE},  {b + 1, HM_BAD_FREE_INSIDE},
            {c + 64, HM_BAD_FREE_DOUBLE},  {a + 4096, HM_BAD_FREE_FOREIGN},
            {a - 16, HM_BAD_FREE_FOREIGN}, {&m, HM_BAD_FREE_FOREIGN},
        };
        hm_free(&m, a);
        struct walked before = walk(&m);
        uint64_t count = 0;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            hm_free(&m, bad[i].pointer);
            assert_int_equal(hm_first_fit_last_bad(m.heap), bad[i].why);
            assert_int_equal(hm_first_fit_last_bad(m.heap), HM_BAD_FREE_NONE);
            assert_null(hm_realloc(&m, bad[i].pointer, 100));
            assert_int_equal(hm_first_fit_last_bad(m.heap), bad[i].why);
            assert_int_equal(hm_usable_size(&m, bad[i].pointer), 0);
            count += 2;
        }
        assert_int_equal(stats_of(&m).bad_frees, count);
        assert_int_equal(stats_of(&m).live_blocks, 2);
        assert_int_equal(stats_of(&m).live_bytes, 128);
        struct walked after = walk(&m);
        assert_int_equal(before.runs, 4);
        assert_int_equal(before.used_runs, 2);
        assert_int_equal(after.runs, 4);
        assert_int_equal(after.used_runs, 2);
        close_heap(&m);
    }
}

static void test_full_array_freed_in_any_order_is_one_run(void **state) {
    (void)state;
    enum {
        BLOCKS = 4096
    };
    static char *blocks[BLOCKS];
    for (int64_t index = 0; index < 3; index++) {
        struct hm_memory m = open_heap((struct setting){BLOCKS * 16, 16, index, 0});
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = hm_malloc(&m, 16);
        assert_non_null(blocks[BLOCKS - 1]);
        assert_null(hm_malloc(&m, 0));
        assert_int_equal(walk(&m).used_runs, BLOCKS);
        for (int i = 0; i < BLOCKS; i++)
            hm_free(&m, blocks[(i * 1001) % BLOCKS]);
        assert_int_equal(walk(&m).runs, 1);
        assert_ptr_equal(hm_malloc(&m, BLOCKS * 16), blocks[0]);
        close_heap(&m);
    }
}

static void test_impossible_arrays_are_refused(void **state) {
    (void)state;
    struct hm_memory m;
    assert_int_equal(try_open(&m, (struct setting){1024, 24, 2, 0}), EINVAL);
    assert_int_equal(try_open(&m, (struct setting){64, 128, 2, 0}), EINVAL);
    assert_int_equal(try_open(&m, (struct setting){INT64_C(4) << 30, 1, 2, 0}), EINVAL);
}

static void test_largest_array_works_at_both_ends(void **state) {
    (void)state;
    struct hm_memory m;
    int status = try_open(&m, (struct setting){(INT64_C(64) << 30) - 32, 16, 2, 0});
    if (status == ENOMEM) /* an address space that is limited, as valgrind's */
        skip();
    assert_int_equal(status, 0);
    char *low = hm_malloc(&m, ((size_t)64 << 30) - 48), *high = hm_malloc(&m, 16);
    assert_ptr_equal(high, low + ((size_t)64 << 30) - 48);
    assert_null(hm_malloc(&m, 1));
    hm_free(&m, low);
    hm_free(&m, high);
    assert_int_equal(walk(&m).runs, 1);
    close_heap(&m);
}

static void test_alignment_above_the_page_is_kept(void **state) {
    (void)state;
    struct hm_memory m = open_heap((struct setting){8 << 20, 1, 2, 0});
    hm_malloc(&m, 1);
    char *block = hm_aligned_alloc(&m, 1 << 20, 5);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % (1 << 20), 0);
    assert_null(hm_aligned_alloc(&m, (size_t)1 << 62, 5));
    close_heap(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_and_fit_places_as_the_model),
        cmocka_unit_test(test_tree_of_several_levels_places_as_the_model),
        cmocka_unit_test(test_an_array_that_is_always_full_places_as_the_model),
        cmocka_unit_test(test_indexes_answer_as_the_model),
        cmocka_unit_test(test_trees_of_several_levels_answer_as_the_model),
        cmocka_unit_test(test_freed_block_is_reused_and_a_larger_one_does_not_fit),
        cmocka_unit_test(test_bad_frees_are_told_apart_and_change_nothing),
        cmocka_unit_test(test_full_array_freed_in_any_order_is_one_run),
        cmocka_unit_test(test_impossible_arrays_are_refused),
        cmocka_unit_test(test_largest_array_works_at_both_ends),
        cmocka_unit_test(test_alignment_above_the_page_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

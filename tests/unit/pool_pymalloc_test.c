/* pool beside the real pymalloc of libpython 3.11: the same requests must give the same pools in each
 * class and the same arenas.
 *
 * The interpreter is never started, so that nothing but this test uses its allocator; and its arenas
 * come from here, aligned as ours, since one that is not loses a pool.
 * needs: python-3.11-embed */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "allocators/pool.h"
#include "allocators/pool_heap.h"
#include "tests/unit/pool_open.h"
#include "workloads/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

extern int _PyObject_DebugMallocStats(FILE *out);

enum {
    CLASSES = 32,
    SLOTS = 40000,
    OPERATIONS = 1000000,
    PHASE = 8000,  /* operations between two changes of the script's habits */
    LARGEST = 540, /* some requests are not for the pools */
};

static uint64_t python_arenas;

static void *python_map(void *context, size_t bytes) {
    (void)context;
    python_arenas++;
    return aligned_alloc(bytes, bytes);
}

static void python_unmap(void *context, void *arena, size_t bytes) {
    (void)context;
    (void)bytes;
    python_arenas--;
    free(arena);
}

/* The table of used classes, as CPython prints it: class, size, pools, blocks, free blocks. */
static void read_census(struct hm_pool_census census[CLASSES]) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    _PyObject_DebugMallocStats(out);
    fclose(out);
    memset(census, 0, CLASSES * sizeof *census);
    char *save, *line = strtok_r(text, "\n", &save);
    for (; line && !strstr(line, "# arenas allocated"); line = strtok_r(NULL, "\n", &save)) {
        unsigned class;
        unsigned long size, pools, used, unused;
        if (sscanf(line, "%u %lu %lu %lu %lu", &class, &size, &pools, &used, &unused) == 5) {
            assert_true(class < CLASSES && size == (class + 1) * 16);
            census[class] = (struct hm_pool_census){pools, used, unused};
        }
    }
    free(text);
}

static void assert_same_census(const struct hm_memory *memory) {
    struct hm_pool_account account;
    struct hm_pool_census ours[CLASSES], theirs[CLASSES];
    hm_pool_check(memory->heap, &account, ours);
    assert_true(account.intact);
    read_census(theirs);
    for (int i = 0; i < CLASSES; i++) {
        assert_int_equal(ours[i].pools, theirs[i].pools);
        assert_int_equal(ours[i].used_blocks, theirs[i].used_blocks);
        assert_int_equal(ours[i].free_blocks, theirs[i].free_blocks);
    }
}

struct pair {
    void *ours;
    void *theirs;
};

static void take(const struct hm_memory *memory, struct pair *pair, size_t size) {
    pair->ours = hm_malloc(memory, size);
    pair->theirs = PyObject_Malloc(size);
}

static void give(const struct hm_memory *memory, struct pair *pair) {
    hm_free(memory, pair->ours);
    PyObject_Free(pair->theirs);
    *pair = (struct pair){NULL, NULL};
}

static void resize(const struct hm_memory *memory, struct pair *pair, size_t size) {
    pair->ours = hm_realloc(memory, pair->ours, size);
    pair->theirs = PyObject_Realloc(pair->theirs, size);
}

/* What a phase of the script does: with which slots and sizes, and how often it takes and gives.
 * Slots that are worked through in order lie side by side in the heap, and so empty whole arenas. */
struct habits {
    uint64_t first;
    uint64_t span;
    bool in_order;
    size_t smallest;
    size_t sizes;
    uint64_t take_percent;
    uint64_t give_percent;
};

static uint64_t some_percent(struct hm_random *random) {
    const uint64_t percents[] = {0, 50, 100, 100};
    return percents[hm_random_below(random, 4)];
}

static struct habits new_habits(struct hm_random *random) {
    const uint64_t spans[] = {1, 3, 100, PHASE / 2, PHASE, SLOTS};
    struct habits habits = {
        .span = spans[hm_random_below(random, 6)],
        .in_order = hm_random_below(random, 2),
        .smallest = hm_random_below(random, LARGEST),
        .take_percent = some_percent(random),
        .give_percent = some_percent(random),
    };
    habits.first = hm_random_below(random, SLOTS - habits.span + 1);
    habits.sizes = 1 + hm_random_below(random, LARGEST - habits.smallest);
    return habits;
}

static void step(const struct hm_memory *memory, struct pair *slots, const struct habits *habits,
                 struct hm_random *random, uint64_t i) {
    uint64_t index = habits->in_order ? i % habits->span : hm_random_below(random, habits->span);
    struct pair *slot = &slots[habits->first + index];
    size_t size = habits->smallest + hm_random_below(random, habits->sizes);
    uint64_t chance = hm_random_below(random, 100);
    if (!slot->ours && chance < habits->take_percent)
        take(memory, slot, size);
    else if (slot->ours && chance < habits->give_percent)
        give(memory, slot);
    else if (slot->ours && chance % 8 == 0)
        resize(memory, slot, size);
}

static void play(const struct hm_memory *memory, struct pair *slots, uint64_t seed) {
    struct hm_random random = hm_random_of(seed, 0);
    struct habits habits = {0};
    for (uint64_t i = 0; i < OPERATIONS; i++) {
        if (i % PHASE == 0)
            habits = new_habits(&random);
        step(memory, slots, &habits, &random, i);
        assert_int_equal(memory->heap->arenas, python_arenas);
        if (i % 997 == 0)
            assert_same_census(memory);
    }
    for (int i = 0; i < SLOTS; i++) {
        give(memory, &slots[i]);
        assert_int_equal(memory->heap->arenas, python_arenas);
    }
    assert_same_census(memory);
}

static struct hm_memory opened(void) {
    PyObjectArenaAllocator arenas = {NULL, python_map, python_unmap};
    PyObject_SetArenaAllocator(&arenas);
    struct hm_memory memory;
    assert_int_equal(pool_open(&memory, &(struct pool_setting){.threads = 1}), 0);
    return memory;
}

static void test_same_requests_give_the_same_pools_and_arenas(void **state) {
    (void)state;
    static struct pair slots[SLOTS];
    struct hm_memory memory = opened();
    for (uint64_t seed = 1; seed <= 4; seed++)
        play(&memory, slots, seed);
    pool_allocator()->close(memory.heap);
}

/* The random script does not come by this: a pool lingers, fills up, returns to the front of its class
 * and drains there, before a pool that has a free block. */
static void test_pool_that_drains_before_another_one_is_given_back(void **state) {
    (void)state;
    enum {
        BLOCKS = 31,
    };
    struct pair first[BLOCKS], second[BLOCKS], last;
    struct hm_memory memory = opened();
    for (int i = 0; i < BLOCKS; i++)
        take(&memory, &first[i], 512);
    take(&memory, &last, 512);
    give(&memory, &last);
    for (int i = 0; i < BLOCKS; i++)
        take(&memory, &second[i], 512);
    give(&memory, &first[0]);
    for (int i = 0; i < BLOCKS; i++)
        give(&memory, &second[i]);
    take(&memory, &last, 512);
    assert_same_census(&memory);
    give(&memory, &last);
    for (int i = 1; i < BLOCKS; i++)
        give(&memory, &first[i]);
    assert_same_census(&memory);
    pool_allocator()->close(memory.heap);
}

static void give_all(const struct hm_memory *memory, struct pair *pairs, int count) {
    for (int i = 0; i < count; i++)
        if (pairs[i].ours)
            give(memory, &pairs[i]);
}

/* Nor by this: an arena, the first of two with one free pool, gets another one. A pool for a new
 * class then comes from the other arena, which so stays when all that it held before goes. The third arena
 * has nothing but free pools: CPython keeps the last such one. */
static void test_pool_comes_from_the_fullest_arena_after_another_one_drained(void **state) {
    (void)state;
    enum {
        POOL_BLOCKS = 31,
        ARENA_BLOCKS = 64 * POOL_BLOCKS,
    };
    static struct pair blocks[2 * ARENA_BLOCKS + 1];
    struct pair *first = blocks, *second = blocks + ARENA_BLOCKS;
    struct pair other;
    struct hm_memory memory = opened();
    for (int i = 0; i < 2 * ARENA_BLOCKS + 1; i++)
        take(&memory, &blocks[i], 512);
    give(&memory, &blocks[2 * ARENA_BLOCKS]);
    give_all(&memory, first, POOL_BLOCKS);
    give_all(&memory, second, 2 * POOL_BLOCKS);
    take(&memory, &other, 16);
    give_all(&memory, first, ARENA_BLOCKS);
    assert_int_equal(python_arenas, 3);
    assert_int_equal(memory.heap->arenas, python_arenas);
    assert_same_census(&memory);
    give_all(&memory, second, ARENA_BLOCKS);
    give(&memory, &other);
    assert_int_equal(memory.heap->arenas, python_arenas);
    pool_allocator()->close(memory.heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_requests_give_the_same_pools_and_arenas),
        cmocka_unit_test(test_pool_that_drains_before_another_one_is_given_back),
        cmocka_unit_test(test_pool_comes_from_the_fullest_arena_after_another_one_drained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A process that dies at any instruction of an operation on a shared first-fit heap: the operation has
 * happened or it has not, and the heap works on.
 *
 * A debugger's single steps (ptrace) cut a child off where wanted. Where processes can not be traced
 * the test is skipped.
 *
 * labels: plain
 * timeout: 240 */
#include "tests/unit/first_fit_shared.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BLOCKS = 3000, /* most of a heap's, every third of them is free: a tree of two levels */
    BLOCK_BYTES = 12,
    TAIL_BYTES = 500, /* free behind them */
    TREE_POINTS = 24, /* where each operation is cut off */
    POINTS = 10,
};

static char *blocks[BLOCKS];
static int block_count;

static struct hm_memory open_worn(int64_t index) {
    struct hm_memory m = open_shared(block_count * BLOCK_BYTES + TAIL_BYTES, index);
    for (int i = 0; i < block_count; i++)
        blocks[i] = hm_malloc(&m, BLOCK_BYTES);
    for (int i = 0; i < block_count; i += 3)
        hm_free(&m, blocks[i]);
    return m;
}

/* Of two neighbours in the middle, the one with free bytes on its left or on its right. */
static char *left_block(void) {
    return blocks[block_count / 6 * 3 + 1];
}

static char *right_block(void) {
    return blocks[block_count / 6 * 3 + 2];
}

static void do_malloc(struct hm_memory *m) {
    hm_malloc(m, 5);
}

static void do_malloc_long(struct hm_memory *m) {
    hm_malloc(m, 40);
}

static void do_aligned(struct hm_memory *m) {
    hm_aligned_alloc(m, 16, 3);
}

static void do_free(struct hm_memory *m) {
    hm_free(m, left_block());
}

static void do_shrink(struct hm_memory *m) {
    hm_realloc(m, right_block(), 3);
}

static void do_grow(struct hm_memory *m) {
    hm_realloc(m, right_block(), BLOCK_BYTES + 7);
}

static void do_move(struct hm_memory *m) {
    hm_realloc(m, left_block(), 30);
}

typedef void act_fn(struct hm_memory *m);

/* Let a child act, and kill it after this many instructions.
 * @return how many it made; -1: processes can not be traced here */
static long act_and_die(struct hm_memory *m, act_fn *act, long most) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(1);
        raise(SIGSTOP);
        act(m);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status))
        return -1;
    long made = 0;
    while (made < most && WIFSTOPPED(status)) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        made++;
    }
    if (WIFSTOPPED(status)) {
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    return made;
}

/* What may be found after an operation that was cut off: nothing done, all done, or, when a block
 * moves, its new place taken and the old one not yet given back. */
struct outcomes {
    uint64_t before, after;
    int between; /* how many blocks then; their digest is not known beforehand */
};

static struct outcomes expect(int64_t index, act_fn *act) {
    struct hm_memory m = open_worn(index);
    struct outcomes o = {.before = map_of(&m)->digest, .between = -1};
    if (act == do_move)
        o.between = map_of(&m)->used + 1;
    act(&m);
    o.after = map_of(&m)->digest;
    close_heap(&m);
    return o;
}

/* Every block can be given back, and the whole is one run again: the index is sound. */
static void free_all(struct hm_memory *m) {
    const struct map *map = map_of(m);
    char *base = blocks[0];
    for (int i = 0, used = map->used; i < used; i++)
        hm_free(m, base + map->offsets[i]);
    assert_int_equal(stats_of(m).bad_frees, 0);
    assert_int_equal(map_of(m)->used, 0);
    assert_int_equal(map_of(m)->runs, 1);
    assert_ptr_equal(hm_malloc(m, (size_t)block_count * BLOCK_BYTES + TAIL_BYTES), base);
}

/* @return whether the dead one had to be mended after */
static bool check_point(int64_t index, act_fn *act, const struct outcomes *o, long instructions) {
    struct hm_memory m = open_worn(index);
    act_and_die(&m, act, instructions);
    const struct map *map = map_of(&m);
    bool expected = map->digest == o->before || map->digest == o->after;
    assert_true(expected || map->used == o->between);
    bool mended = hm_first_fit_mends(m.heap) > 0;
    free_all(&m);
    close_heap(&m);
    return mended;
}

static void check_act(int64_t index, act_fn *act, int points) {
    struct outcomes o = expect(index, act);
    struct hm_memory m = open_worn(index);
    long all = act_and_die(&m, act, LONG_MAX);
    close_heap(&m);
    if (all < 0)
        skip();
    int mends = 0;
    for (long at = 1; at < all; at += all / points + 1)
        mends += check_point(index, act, &o, at);
    assert_true(mends > 0);
}

static void test_death_at_any_instruction_leaves_the_heap_whole(void **state) {
    (void)state;
    act_fn *const acts[] = {do_malloc, do_malloc_long, do_aligned, do_free,
                            do_shrink, do_grow,        do_move};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        block_count = BLOCKS;
        check_act(TREE, acts[i], TREE_POINTS);
        block_count = 60;
        check_act(BITMAP, acts[i], POINTS);
        check_act(SCAN, acts[i], POINTS);
    }
}

/* A step is two switches between us and the child: on one processor they cost half of what they do on two. */
static void stay_here(void) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death_at_any_instruction_leaves_the_heap_whole),
    };
    alarm(200);
    stay_here();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One first-fit heap in several processes: blocks that go from one to the other, and processes that are
 * killed while they are inside.
 *
 *   table   slots in shared memory, one block in each. A process takes a slot's block by an atomic
 *           exchange, so that at any time it is the slot's or one process's
 *   stain   what a block is filled with: its size in front, and then a byte that depends on it
 *
 * A killed process may take with it the block that it had in hand and the one that it was about to
 * get; all others must be in the table, unharmed.
 *
 * timeout: 240 */
#include "tests/unit/first_fit_shared.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SLOTS = 256,
    CHILDREN = 3,
    MAX_BYTES = 300,
    LOST_PER_KILL = 2,
    DEADLINE_S = 200,
};

static int draw(uint64_t *state, int n) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int)((*state >> 33) % (unsigned)n);
}

/* ---- The table ---- */

static char **table;

static int make_table(void **state) {
    (void)state;
    alarm(DEADLINE_S);
    table = mmap(NULL, SLOTS * sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    return table == MAP_FAILED;
}

static int drop_table(void **state) {
    (void)state;
    munmap(table, SLOTS * sizeof *table);
    return 0;
}

static void stain(char *block, int bytes) {
    memcpy(block, &bytes, sizeof bytes);
    memset(block + sizeof bytes, bytes * 7 + 1, (size_t)bytes - sizeof bytes);
}

static bool is_stained(const char *block) {
    int bytes;
    memcpy(&bytes, block, sizeof bytes);
    if (bytes < (int)sizeof bytes || bytes > MAX_BYTES)
        return false;
    for (int i = sizeof bytes; i < bytes; i++) {
        if (block[i] != (char)(bytes * 7 + 1))
            return false;
    }
    return true;
}

/* Replace the block of a slot, or make it longer or shorter. @return false: it was harmed */
static bool replace(struct hm_memory *m, uint64_t *random) {
    char **slot = &table[draw(random, SLOTS)];
    int bytes = (int)sizeof(int) + draw(random, MAX_BYTES - (int)sizeof(int));
    char *block = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
    if (block && !is_stained(block))
        return false;
    if (block && draw(random, 4) == 0) {
        block = hm_realloc(m, block, (size_t)bytes);
    } else {
        hm_free(m, block);
        block = hm_malloc(m, (size_t)bytes);
    }
    if (!block)
        return false;
    stain(block, bytes);
    hm_free(m, __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL));
    return true;
}

static void nap_us(int us) {
    nanosleep(&(struct timespec){0, us * 1000L}, NULL);
}

/* The lock is not fair: whoever never stops lets hardly anybody else in. */
static bool churn(struct hm_memory *m, uint64_t seed, int count) {
    for (int i = 0; i < count; i++) {
        if (!replace(m, &seed))
            return false;
        if (i % 64 == 63)
            nap_us(20);
    }
    return true;
}

static pid_t start_child(struct hm_memory *m, uint64_t seed, int count) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(churn(m, seed, count) ? 0 : 1);
    }
    return child;
}

static int free_table(struct hm_memory *m) {
    int freed = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (!table[i])
            continue;
        assert_true(is_stained(table[i]));
        hm_free(m, table[i]);
        table[i] = NULL;
        freed++;
    }
    return freed;
}

/* ---- Living processes ---- */

static void test_blocks_go_from_parent_to_child_and_back(void **state) {
    (void)state;
    for (int64_t index = SCAN; index <= TREE; index++) {
        struct hm_memory m = open_shared(1 << 16, index);
        table[0] = hm_malloc(&m, 100);
        stain(table[0], 100);
        pid_t child = fork();
        if (child == 0) {
            bool whole = is_stained(table[0]);
            table[1] = hm_malloc(&m, 50);
            hm_free(&m, table[0]);
            stain(table[1], 50);
            close_heap(&m);
            _exit(whole ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_ptr_equal(table[1], table[0] + 100);
        assert_int_equal(stats_of(&m).live_blocks, 1);
        assert_true(is_stained(table[1]));
        assert_ptr_equal(hm_malloc(&m, 100), table[0]);
        hm_free(&m, table[0]);
        hm_free(&m, table[1]);
        assert_int_equal(map_of(&m)->runs, 1);
        assert_int_equal(hm_first_fit_mends(m.heap), 0);
        close_heap(&m);
        table[0] = table[1] = NULL;
    }
}

static void test_private_heap_is_the_childs_own(void **state) {
    (void)state;
    struct hm_memory m = open_heap(1 << 16, TREE, LOCK_MUTEX, PRIVATE, 2);
    pid_t child = fork();
    if (child == 0)
        _exit(hm_malloc(&m, 100) ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stats_of(&m).live_blocks, 0);
    close_heap(&m);
}

static void test_processes_replace_each_others_blocks(void **state) {
    (void)state;
    for (int64_t index = SCAN; index <= TREE; index++) {
        struct hm_memory m = open_shared(1 << 18, index);
        int count = index == SCAN ? 300 : 30000;
        pid_t children[CHILDREN];
        for (uint64_t i = 0; i < CHILDREN; i++)
            children[i] = start_child(&m, i + 1, count);
        assert_true(churn(&m, 99, count));
        for (int i = 0; i < CHILDREN; i++) {
            int status;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        map_of(&m);
        int live = (int)stats_of(&m).live_blocks;
        assert_int_equal(free_table(&m), live);
        assert_int_equal(map_of(&m)->runs, 1);
        assert_int_equal(stats_of(&m).bad_frees, 0);
        assert_int_equal(hm_first_fit_mends(m.heap), 0);
        close_heap(&m);
    }
}

/* ---- Threads that fork ---- */

struct forker {
    struct hm_memory memory;
    bool stop;
};

static void *allocate_forever(void *arg) {
    struct forker *f = arg;
    while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
        hm_free(&f->memory, hm_malloc(&f->memory, 10));
    return NULL;
}

static void fork_between_phases(struct hm_memory *m) {
    int status;
    m->allocator->fork(m->heap, HM_FORK_PREPARE);
    pid_t child = fork();
    if (child == 0) {
        m->allocator->fork(m->heap, HM_FORK_CHILD);
        hm_free(m, hm_malloc(m, 100));
        _exit(0);
    }
    m->allocator->fork(m->heap, HM_FORK_PARENT);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_fork_beside_threads_that_allocate(void **state) {
    (void)state;
    for (int64_t backing = PRIVATE; backing <= SHARED; backing++) {
        struct forker f = {open_heap(1 << 16, TREE, LOCK_AUTO, backing, 2), false};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, allocate_forever, &f), 0);
        for (int i = 0; i < 100; i++)
            fork_between_phases(&f.memory);
        __atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        assert_int_equal(map_of(&f.memory)->runs, 1);
        assert_int_equal(hm_first_fit_mends(f.memory.heap), 0);
        close_heap(&f.memory);
    }
}

/* ---- Killed processes ---- */

/* Kill and replace children at random, while the parent works, too. */
static int kill_some(struct hm_memory *m, pid_t *children, int kills) {
    uint64_t random = 5;
    for (int i = 0; i < kills; i++) {
        int victim = draw(&random, CHILDREN), status;
        nap_us(draw(&random, 500));
        kill(children[victim], SIGKILL);
        assert_true(churn(m, (uint64_t)i, 50));
        assert_int_equal(waitpid(children[victim], &status, 0), children[victim]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        children[victim] = start_child(m, (uint64_t)i + 1000, INT_MAX);
    }
    return kills;
}

static void run_kills(int64_t index, int kills) {
    struct hm_memory m = open_shared(1 << 19, index);
    pid_t children[CHILDREN];
    for (uint64_t i = 0; i < CHILDREN; i++)
        children[i] = start_child(&m, i + 1, INT_MAX);
    int killed = 0;
    while (hm_first_fit_mends(m.heap) < 3)
        killed += kill_some(&m, children, kills);
    for (int i = 0; i < CHILDREN; i++, killed++) {
        int status;
        kill(children[i], SIGKILL);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    map_of(&m);
    int live = (int)stats_of(&m).live_blocks, known = free_table(&m);
    assert_in_range(live, known, known + LOST_PER_KILL * killed);
    assert_int_equal(map_of(&m)->used, live - known);
    assert_int_equal(stats_of(&m).bad_frees, 0);
    close_heap(&m);
}

static void test_killed_processes_harm_nobody_else(void **state) {
    (void)state;
    for (int64_t index = SCAN; index <= TREE; index++)
        run_kills(index, index == SCAN ? 20 : 100);
}

/* ---- Parameters ---- */

static int status_of_threads(int64_t lock, int64_t backing, unsigned threads) {
    const struct hm_value values[] = {{4096, ""}, {1, ""},    {TREE, ""},
                                      {0, ""},    {lock, ""}, {backing, ""}};
    const struct hm_heap_options options = {.params = values, .threads = threads};
    struct hm_memory m;
    int status = first_fit()->open(&m, &options);
    bool too_many = threads > 1 && first_fit()->alone(values);
    assert_int_equal(first_fit()->conflict(values) != NULL || too_many, status != 0);
    if (status == 0)
        close_heap(&m);
    return status;
}

static int status_of(int64_t lock, int64_t backing) {
    return status_of_threads(lock, backing, 1);
}

static void test_several_threads_need_a_lock(void **state) {
    (void)state;
    assert_int_equal(status_of_threads(LOCK_NONE, PRIVATE, 1), 0);
    assert_int_equal(status_of_threads(LOCK_NONE, PRIVATE, 2), EINVAL);
    assert_int_equal(status_of_threads(LOCK_NONE, SHARED, 2), 0);
    assert_int_equal(status_of_threads(LOCK_AUTO, PRIVATE, 2), 0);
    assert_int_equal(status_of_threads(LOCK_MUTEX, PRIVATE, 2), 0);
}

static void test_locks_that_can_not_do_their_work_are_refused(void **state) {
    (void)state;
    assert_int_equal(status_of(LOCK_PROCESS, PRIVATE), EINVAL);
    assert_int_equal(status_of(LOCK_MUTEX, SHARED), EINVAL);
    assert_int_equal(status_of(LOCK_PROCESS, SHARED), 0);
    assert_int_equal(status_of(LOCK_NONE, SHARED), 0);
    assert_int_equal(status_of(LOCK_AUTO, SHARED), 0);
    assert_int_equal(status_of(LOCK_MUTEX, PRIVATE), 0);
    assert_true(first_fit()->caps & HM_CAP_SHARED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_go_from_parent_to_child_and_back),
        cmocka_unit_test(test_private_heap_is_the_childs_own),
        cmocka_unit_test(test_processes_replace_each_others_blocks),
        cmocka_unit_test(test_fork_beside_threads_that_allocate),
        cmocka_unit_test(test_killed_processes_harm_nobody_else),
        cmocka_unit_test(test_several_threads_need_a_lock),
        cmocka_unit_test(test_locks_that_can_not_do_their_work_are_refused),
    };
    return cmocka_run_group_tests(tests, make_table, drop_table);
}

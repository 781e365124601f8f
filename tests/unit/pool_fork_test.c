/* pool, forked while other threads are inside: with each lock the child's heap is whole, and its
 * threads can use it. Not under the sanitizers: the address sanitizer's own allocator is not whole
 * in such a child, and the thread sanitizer lets it start no threads.
 *
 * labels: plain */
#include "allocators/pool.h"
#include "tests/unit/pool_open.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LOCK_GIL = 2,
    LOCK_MUTEX,
    LOCK_SPIN,
    LOCK_THREAD,
    CHURNERS = 3,
    KEPT = 64,
    CHILDREN = 30,
    HANGS_AFTER_S = 20,
};

static struct {
    struct hm_memory memory;
    bool stop;
    unsigned next_seed;
    unsigned turns;
} forked;

static void *churn(void *arg) {
    (void)arg;
    void *kept[KEPT] = {NULL};
    struct hm_random random =
        hm_random_of(__atomic_add_fetch(&forked.next_seed, 1, __ATOMIC_RELAXED), 0);
    while (!__atomic_load_n(&forked.stop, __ATOMIC_RELAXED)) {
        void **slot = &kept[hm_random_below(&random, KEPT)];
        hm_free(&forked.memory, *slot);
        *slot = hm_malloc(&forked.memory, 1 + hm_random_below(&random, 512));
        __atomic_fetch_add(&forked.turns, 1, __ATOMIC_RELAXED);
    }
    for (int i = 0; i < KEPT; i++)
        hm_free(&forked.memory, kept[i]);
    return NULL;
}

/* @return NULL when every block was the thread's own */
static void *use(void *arg) {
    (void)arg;
    unsigned char *blocks[KEPT];
    void *spoilt = NULL;
    for (size_t i = 0; i < KEPT; i++) {
        blocks[i] = hm_malloc(&forked.memory, 8 * (i + 1));
        memset(blocks[i], (int)i, 8 * (i + 1));
    }
    for (size_t i = 0; i < KEPT; i++) {
        for (size_t at = 0; at < 8 * (i + 1); at++)
            if (blocks[i][at] != i)
                spoilt = blocks[i];
        hm_free(&forked.memory, blocks[i]);
    }
    return spoilt;
}

static void *use_by_another(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, use, NULL))
        return forked.memory.heap;
    void *spoilt = use(NULL);
    void *theirs;
    pthread_join(thread, &theirs);
    return spoilt ? spoilt : theirs;
}

/* With lock=thread the others' own heaps stay as they were in the middle of a call, for good; nobody
 * will touch them. */
__attribute__((noreturn)) static void be_child(int64_t lock) {
    struct hm_pool_account account = {.intact = true};
    alarm(HANGS_AFTER_S);
    if (lock != LOCK_THREAD)
        hm_pool_check(forked.memory.heap, &account, NULL);
    bool is_sound = account.intact && !use(NULL) && !use_by_another();
    _exit(is_sound ? 0 : 1);
}

static void fork_once(int64_t lock) {
    const struct hm_allocator *allocator = pool_allocator();
    allocator->fork(forked.memory.heap, HM_FORK_PREPARE);
    pid_t child = fork();
    if (child == 0) {
        allocator->fork(forked.memory.heap, HM_FORK_CHILD);
        be_child(lock);
    }
    allocator->fork(forked.memory.heap, HM_FORK_PARENT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_null(use(NULL));
}

static void test_child_of_a_busy_process_can_use_its_heap(void **state) {
    (void)state;
    for (int64_t lock = LOCK_GIL; lock <= LOCK_THREAD; lock++) {
        const struct pool_setting setting = {.lock = lock, .threads = CHURNERS + 1};
        pthread_t threads[CHURNERS];
        forked.stop = false;
        assert_int_equal(pool_open(&forked.memory, &setting), 0);
        for (int i = 0; i < CHURNERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
        for (int i = 0; i < CHILDREN; i++) {
            unsigned turns = __atomic_load_n(&forked.turns, __ATOMIC_RELAXED);
            while (__atomic_load_n(&forked.turns, __ATOMIC_RELAXED) < turns + 1000)
                sched_yield();
            fork_once(lock);
        }
        __atomic_store_n(&forked.stop, true, __ATOMIC_RELAXED);
        for (int i = 0; i < CHURNERS; i++)
            pthread_join(threads[i], NULL);
        struct hm_pool_account account;
        hm_pool_check(forked.memory.heap, &account, NULL);
        assert_true(account.intact);
        assert_int_equal(account.used_blocks, 0);
        pool_allocator()->close(forked.memory.heap);
    }
}

/* Only the thread that forked is there to be asked. */
static void test_holder_of_the_global_lock_does_not_outlive_a_fork(void **state) {
    (void)state;
    const struct pool_setting setting = {.lock = LOCK_GIL, .threads = 2};
    assert_int_equal(pool_open(&forked.memory, &setting), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, use, NULL), 0); /* keeps the lock as it ends */
    pthread_join(thread, NULL);
    fork_once(LOCK_GIL);
    pool_allocator()->close(forked.memory.heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_of_a_busy_process_can_use_its_heap),
        cmocka_unit_test(test_holder_of_the_global_lock_does_not_outlive_a_fork),
    };
    return cmocka_run_group_tests_name("pool_fork", tests, NULL, NULL);
}

/* pool with several threads, in each way to keep them apart: who frees what another thread allocated,
 * threads that end while their blocks live, and where all bytes are when everything is quiet.
 *
 * labels: threads */
#include "allocators/pool.h"
#include "allocators/pool_remote.h"
#include "tests/unit/pool_walked.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

enum {
    LOCK_GIL = 2,
    LOCK_MUTEX,
    LOCK_SPIN,
    LOCK_THREAD,
    BLOCKS = 20000,
    THREADS = 4,
    SLOTS = 1000,
};

static struct hm_memory opened(int64_t lock) {
    struct hm_memory memory;
    const struct pool_setting setting = {.lock = lock, .threads = THREADS};
    assert_int_equal(pool_open(&memory, &setting), 0);
    return memory;
}

static void closed(const struct hm_memory *memory) {
    pool_allocator()->close(memory->heap);
}

static struct hm_heap_stats stats_of(const struct hm_memory *memory) {
    struct hm_heap_stats stats;
    pool_allocator()->stats(memory->heap, &stats);
    return stats;
}

static struct hm_pool_account assert_balanced(const struct hm_memory *memory) {
    struct hm_pool_account account;
    hm_pool_check(memory->heap, &account, NULL);
    assert_true(account.intact);
    assert_int_equal(account.arena_bytes, account.used_bytes + account.free_bytes +
                                              account.unused_pool_bytes + account.header_bytes +
                                              account.tail_bytes + account.alignment_bytes);
    struct hm_heap_stats stats = stats_of(memory);
    assert_walked(memory, &account, &stats, stats.live_bytes - account.used_bytes);
    return account;
}

static void assert_empty(const struct hm_memory *memory) {
    assert_int_equal(assert_balanced(memory).used_blocks, 0);
    assert_int_equal(stats_of(memory).live_blocks, 0);
    assert_int_equal(stats_of(memory).live_bytes, 0);
}

typedef void *thread_body(void *arg);

static void run_thread(thread_body *body, void *arg) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    pthread_join(thread, NULL);
}

/* A block tells its own size and address, at both ends. */
struct mark {
    size_t size;
    void *self;
};

static void *marked(const struct hm_memory *memory, size_t size) {
    struct mark mark = {size, hm_malloc(memory, size)};
    if (!mark.self)
        return NULL;
    memcpy(mark.self, &mark, sizeof mark);
    memcpy((char *)mark.self + size - sizeof mark, &mark, sizeof mark);
    return mark.self;
}

/* @return whether the block was whole, or NULL */
static bool unmarked(const struct hm_memory *memory, void *block) {
    struct mark first, last;
    if (!block)
        return true;
    memcpy(&first, block, sizeof first);
    bool is_whole = first.self == block && first.size >= sizeof first && first.size < 10000;
    if (is_whole) {
        memcpy(&last, (char *)block + first.size - sizeof last, sizeof last);
        is_whole = memcmp(&first, &last, sizeof first) == 0;
    }
    hm_free(memory, block);
    return is_whole;
}

static size_t some_size(struct hm_random *random) {
    return 2 * sizeof(struct mark) + hm_random_below(random, 1200);
}

/* ---- Blocks of other threads ---- */

struct shop {
    struct hm_memory memory;
    void *_Atomic shelf[64]; /* NULL: empty */
    bool is_spoilt;
};

static void *consume(void *arg) {
    struct shop *shop = arg;
    for (unsigned i = 0; i < BLOCKS; i++) {
        void *block;
        while (!(block = atomic_exchange(&shop->shelf[i % 64], NULL)))
            sched_yield();
        if (!unmarked(&shop->memory, block))
            shop->is_spoilt = true;
    }
    return NULL;
}

static void produce(struct shop *shop) {
    struct hm_random random = hm_random_of(3, 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        void *block = marked(&shop->memory, some_size(&random));
        while (atomic_load(&shop->shelf[i % 64]))
            sched_yield();
        atomic_store(&shop->shelf[i % 64], block);
    }
}

static void test_consumer_frees_what_the_producer_allocates(void **state) {
    (void)state;
    for (int64_t lock = LOCK_GIL; lock <= LOCK_THREAD; lock++) {
        struct shop shop = {.memory = opened(lock)};
        pthread_t consumer;
        assert_int_equal(pthread_create(&consumer, NULL, consume, &shop), 0);
        produce(&shop);
        pthread_join(consumer, NULL);
        assert_false(shop.is_spoilt);
        assert_empty(&shop.memory);
        assert_true(stats_of(&shop.memory).arenas <= 4); /* of some 12 MB that went through */
        closed(&shop.memory);
    }
}

struct crowd {
    struct hm_memory memory;
    void *_Atomic slots[SLOTS];
    pthread_barrier_t start;
    atomic_uint next_seed;
    atomic_bool is_spoilt;
};

static void *mingle(void *arg) {
    struct crowd *crowd = arg;
    struct hm_random random = hm_random_of(atomic_fetch_add(&crowd->next_seed, 1), 0);
    pthread_barrier_wait(&crowd->start);
    for (unsigned i = 0; i < 4 * BLOCKS; i++) {
        void *block = marked(&crowd->memory, some_size(&random));
        void *_Atomic *slot = &crowd->slots[hm_random_below(&random, SLOTS)];
        if (!block || !unmarked(&crowd->memory, atomic_exchange(slot, block)))
            crowd->is_spoilt = true;
    }
    return NULL;
}

static void test_four_threads_mingle_their_blocks(void **state) {
    (void)state;
    for (int64_t lock = LOCK_GIL; lock <= LOCK_THREAD; lock++) {
        static struct crowd crowd;
        pthread_t threads[THREADS];
        memset(&crowd, 0, sizeof crowd);
        crowd.memory = opened(lock);
        pthread_barrier_init(&crowd.start, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, mingle, &crowd), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_false(crowd.is_spoilt);
        struct hm_heap_stats stats = stats_of(&crowd.memory);
        uint64_t bytes = 0;
        for (int i = 0; i < SLOTS; i++)
            bytes += hm_usable_size(&crowd.memory, crowd.slots[i]);
        assert_int_equal(stats.live_blocks, SLOTS);
        assert_int_equal(stats.live_bytes, bytes);
        for (int i = 0; i < SLOTS; i++)
            assert_true(unmarked(&crowd.memory, crowd.slots[i]));
        assert_empty(&crowd.memory);
        pthread_barrier_destroy(&crowd.start);
        closed(&crowd.memory);
    }
}

/* ---- Threads that end ---- */

struct legacy {
    struct hm_memory memory;
    void *blocks[BLOCKS];
    unsigned count;
};

static struct legacy legacy;

static void *allocate_all(void *arg) {
    (void)arg;
    for (unsigned i = 0; i < legacy.count; i++)
        legacy.blocks[i] = marked(&legacy.memory, 500);
    return NULL;
}

static void *free_all(void *arg) {
    (void)arg;
    for (unsigned i = 0; i < legacy.count; i++)
        if (!unmarked(&legacy.memory, legacy.blocks[i]))
            return NULL;
    legacy.count = 0;
    return NULL;
}

static void inherit(unsigned count) {
    legacy.memory = opened(LOCK_THREAD);
    legacy.count = count;
}

static void test_blocks_of_an_ended_thread_go_back_to_the_system_when_freed(void **state) {
    (void)state;
    inherit(BLOCKS);
    hm_free(&legacy.memory, hm_malloc(&legacy.memory, 500)); /* so that we do not adopt the heap */
    run_thread(allocate_all, NULL);
    struct hm_heap_stats full = stats_of(&legacy.memory);
    assert_int_equal(full.live_blocks, BLOCKS);
    free_all(NULL);
    assert_int_equal(legacy.count, 0);
    assert_int_equal(assert_balanced(&legacy.memory).used_blocks, 0);
    assert_true(full.arenas >= 9);
    assert_true(stats_of(&legacy.memory).arenas <= 3);
    closed(&legacy.memory);
}

static void *free_one(void *block) {
    hm_free(&legacy.memory, block);
    return NULL;
}

static void test_thread_that_only_frees_gets_no_heap(void **state) {
    const size_t sizes[] = {100, 100000}; /* of the pool, and of the inner heap */
    (void)state;
    inherit(0);
    for (size_t i = 0; i < 2; i++) {
        void *block = hm_malloc(&legacy.memory, sizes[i]);
        uint64_t before = stats_of(&legacy.memory).metadata_bytes;
        run_thread(free_one, block);
        assert_int_equal(stats_of(&legacy.memory).metadata_bytes, before);
    }
    closed(&legacy.memory);
}

static void test_heap_of_an_ended_thread_is_adopted(void **state) {
    (void)state;
    inherit(100);
    run_thread(allocate_all, NULL);
    char *first = legacy.blocks[0];
    assert_int_equal(stats_of(&legacy.memory).arenas, 1);
    run_thread(free_all, NULL);
    legacy.count = 100;
    run_thread(allocate_all, NULL);
    assert_int_equal((uintptr_t)first >> 20, (uintptr_t)legacy.blocks[0] >> 20);
    assert_int_equal(stats_of(&legacy.memory).arenas, 1);
    closed(&legacy.memory);
}

/* A thread that replaces two thirds of the blocks that it finds. */
static void *live_a_generation(void *arg) {
    const bool *enters = arg;
    const struct hm_allocator *allocator = pool_allocator();
    if (*enters)
        allocator->enter(legacy.memory.heap);
    for (unsigned i = 0; i < legacy.count; i++) {
        if (i % 3 == 0 && legacy.blocks[i])
            continue;
        if (!unmarked(&legacy.memory, legacy.blocks[i]))
            return NULL;
        legacy.blocks[i] = marked(&legacy.memory, 32 + i % 1000);
    }
    if (*enters)
        allocator->leave(legacy.memory.heap);
    return NULL;
}

static void test_generations_of_threads_have_a_bounded_footprint(void **state) {
    (void)state;
    inherit(1000);
    memset(legacy.blocks, 0, sizeof legacy.blocks);
    uint64_t early = 0;
    for (int generation = 0; generation < 1000; generation++) {
        bool enters = generation % 2;
        run_thread(live_a_generation, &enters);
        if (generation == 20)
            early = stats_of(&legacy.memory).footprint_bytes;
    }
    assert_balanced(&legacy.memory);
    assert_true(stats_of(&legacy.memory).footprint_bytes <= early + (1 << 20));
    legacy.count = 1000;
    free_all(NULL);
    assert_empty(&legacy.memory);
    closed(&legacy.memory);
}

static void test_owner_that_runs_dry_takes_back_what_others_freed(void **state) {
    (void)state;
    inherit(BLOCKS);
    allocate_all(NULL);
    uint64_t arenas = stats_of(&legacy.memory).arenas;
    run_thread(free_all, NULL);
    assert_int_equal(assert_balanced(&legacy.memory).pending_blocks, BLOCKS);
    assert_int_equal(stats_of(&legacy.memory).live_blocks, 0);
    legacy.count = BLOCKS;
    allocate_all(NULL);
    assert_int_equal(assert_balanced(&legacy.memory).pending_blocks, 0);
    assert_true(stats_of(&legacy.memory).arenas <= arenas);
    closed(&legacy.memory);
}

/* ---- Hints of a chain ---- */

/* The block of the hint is HM_POOL_AHEAD further on, be it in the same batch or in an older one. */
static void test_chain_hints_at_later_blocks_across_batches(void **state) {
    (void)state;
    enum {
        COUNT = 150,
        BATCH = 37
    };
    static void *blocks[COUNT][2];
    struct hm_pool_remote queue = {NULL};
    struct hm_pool_batch batch = {.first = NULL};
    for (int i = 0; i < COUNT; i++) {
        hm_pool_batch_add(&batch, blocks[i]);
        if (batch.count < BATCH && i + 1 < COUNT)
            continue;
        hm_pool_remote_push(&queue, batch.first, batch.last);
        batch.first = NULL;
        batch.count = 0;
    }
    void **block = hm_pool_remote_take(&queue);
    for (int i = COUNT; i-- > 0; block = hm_pool_chain_next(block)) {
        assert_ptr_equal(block, blocks[i]);
        assert_ptr_equal(block[1], i < HM_POOL_AHEAD ? NULL : blocks[i - HM_POOL_AHEAD]);
    }
    assert_null(block);
}

/* ---- More threads than heaps ---- */

enum {
    MANY = 300
};

static struct {
    struct hm_memory memory;
    pthread_barrier_t all_allocated;
    atomic_uint index;
    void *blocks[MANY];
    atomic_uint whole;
} many;

static void *be_one_of_many(void *arg) {
    (void)arg;
    unsigned i = atomic_fetch_add(&many.index, 1);
    many.blocks[i] = marked(&many.memory, 100);
    pthread_barrier_wait(&many.all_allocated);
    many.whole += unmarked(&many.memory, many.blocks[(i + 7) % MANY]);
    return NULL;
}

static void test_more_threads_than_there_are_heaps_are_served(void **state) {
    (void)state;
    pthread_t threads[MANY];
    many.memory = opened(LOCK_THREAD);
    pthread_barrier_init(&many.all_allocated, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_one_of_many, NULL), 0);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(many.whole, MANY);
    assert_empty(&many.memory);
    pthread_barrier_destroy(&many.all_allocated);
    closed(&many.memory);
}

/* ---- Several heaps, and other requests ---- */

static void test_thread_that_uses_heaps_in_turn_has_one_of_its_own_in_each(void **state) {
    (void)state;
    struct hm_memory memories[3];
    void *blocks[3][100];
    for (int i = 0; i < 3; i++)
        memories[i] = opened(LOCK_THREAD);
    for (int j = 0; j < 100; j++)
        for (int i = 0; i < 3; i++)
            blocks[i][j] = marked(&memories[i], 64);
    closed(&memories[1]);
    memories[1] = opened(LOCK_THREAD); /* most likely where the old one was */
    assert_empty(&memories[1]);
    for (int j = 0; j < 100; j++)
        blocks[1][j] = marked(&memories[1], 64);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stats_of(&memories[i]).live_blocks, 100);
        assert_int_equal(stats_of(&memories[i]).arenas, 1);
        for (int j = 0; j < 100; j++)
            assert_true(unmarked(&memories[i], blocks[i][j]));
        assert_empty(&memories[i]);
        closed(&memories[i]);
    }
}

static void *free_block(void *arg) {
    hm_free(&legacy.memory, arg);
    return NULL;
}

static void test_blocks_of_the_inner_heap_are_counted(void **state) {
    (void)state;
    for (int64_t lock = LOCK_GIL - 1; lock <= LOCK_THREAD; lock++) {
        const struct pool_setting setting = {.lock = lock};
        assert_int_equal(pool_open(&legacy.memory, &setting), 0);
        void *large = hm_malloc(&legacy.memory, 5000);
        void *cleared = hm_calloc(&legacy.memory, 3, 2000);
        void *wide = hm_aligned_alloc(&legacy.memory, 4096, 4096);
        void *small = hm_malloc(&legacy.memory, 10);
        large = hm_realloc(&legacy.memory, large, 50000);
        small = hm_realloc(&legacy.memory, small, 0);
        void *all[] = {large, cleared, wide, small};
        uint64_t bytes = 0;
        for (int i = 0; i < 4; i++)
            bytes += hm_usable_size(&legacy.memory, all[i]);
        assert_int_equal(stats_of(&legacy.memory).live_blocks, 4);
        assert_int_equal(stats_of(&legacy.memory).live_bytes, bytes);
        assert_true(stats_of(&legacy.memory).footprint_bytes >= bytes);
        for (int i = 0; i < 4; i++)
            run_thread(free_block, all[i]);
        assert_empty(&legacy.memory);
        closed(&legacy.memory);
    }
}

/* ---- The global lock ---- */

static void test_holder_of_the_global_lock_that_waits_elsewhere_does_not_stop_others(void **state) {
    (void)state;
    legacy.memory = opened(LOCK_GIL);
    legacy.count = 1000;
    hm_free(&legacy.memory, hm_malloc(&legacy.memory, 10));
    run_thread(allocate_all, NULL); /* we hold the lock, and wait for the thread */
    run_thread(free_all, NULL);
    assert_int_equal(legacy.count, 0);
    assert_empty(&legacy.memory);
    closed(&legacy.memory);
}

static atomic_bool is_done;

static void *allocate_once(void *arg) {
    (void)arg;
    hm_free(&legacy.memory, hm_malloc(&legacy.memory, 10));
    is_done = true;
    return NULL;
}

static void test_busy_holder_of_the_global_lock_gives_up_when_asked(void **state) {
    (void)state;
    pthread_t thread;
    legacy.memory = opened(LOCK_GIL);
    is_done = false;
    hm_free(&legacy.memory, hm_malloc(&legacy.memory, 10));
    assert_int_equal(pthread_create(&thread, NULL, allocate_once, NULL), 0);
    while (!is_done)
        hm_free(&legacy.memory, hm_malloc(&legacy.memory, 10));
    pthread_join(thread, NULL);
    closed(&legacy.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consumer_frees_what_the_producer_allocates),
        cmocka_unit_test(test_four_threads_mingle_their_blocks),
        cmocka_unit_test(test_blocks_of_an_ended_thread_go_back_to_the_system_when_freed),
        cmocka_unit_test(test_thread_that_only_frees_gets_no_heap),
        cmocka_unit_test(test_heap_of_an_ended_thread_is_adopted),
        cmocka_unit_test(test_generations_of_threads_have_a_bounded_footprint),
        cmocka_unit_test(test_owner_that_runs_dry_takes_back_what_others_freed),
        cmocka_unit_test(test_chain_hints_at_later_blocks_across_batches),
        cmocka_unit_test(test_more_threads_than_there_are_heaps_are_served),
        cmocka_unit_test(test_thread_that_uses_heaps_in_turn_has_one_of_its_own_in_each),
        cmocka_unit_test(test_blocks_of_the_inner_heap_are_counted),
        cmocka_unit_test(test_holder_of_the_global_lock_that_waits_elsewhere_does_not_stop_others),
        cmocka_unit_test(test_busy_holder_of_the_global_lock_gives_up_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

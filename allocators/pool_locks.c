/* A `pool` heap for several threads under one lock: a mutex, a spin lock, or a global interpreter lock.
 *
 * mutex   POSIX's, around each use of the pools.
 * spin    test-and-test-and-set; who waits for long lets other threads run.
 * gil     CPython's: a thread that has the lock keeps it from call to call. One that wants it waits
 *         for an interval, and then asks; the holder gives up at its next call, and lets another
 *         one go first. A thread here does not say when it blocks elsewhere, as an interpreter does;
 *         so a holder that is in none of its calls when an interval is over loses the lock.
 *         Source: CPython 3.11, Python/ceval_gil.h.
 *
 * Invariants
 *   `gil` is 0 or names one thread, by an address that is its own; the lowest bit is set exactly
 *   while that thread is inside, and only it clears the bit. */
#include "allocators/pool_blocks.h"

#include <sched.h>
#include <time.h>

enum {
    INTERVAL_NS = 5000000, /* sys.getswitchinterval() */
    SPINS = 100,
};

static void shared_count(struct hm_heap *heap, uint64_t blocks, uint64_t bytes) {
    __atomic_fetch_add(&heap->inner_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_fetch_add(&heap->inner_bytes, bytes, __ATOMIC_RELAXED);
}

__attribute__((noinline)) static void *take_first(struct hm_heap *heap,
                                                  struct hm_pool_class *class) {
    return start_and_take(heap, class, shared_count);
}

/* ---- The locks ---- */

static inline void mutex_enter(struct hm_heap *heap) {
    pthread_mutex_lock(&heap->lock.mutex);
}

static inline void mutex_exit(struct hm_heap *heap) {
    pthread_mutex_unlock(&heap->lock.mutex);
}

static inline void relax(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static inline void spin_enter(struct hm_heap *heap) {
    while (__atomic_exchange_n(&heap->lock.spin, true, __ATOMIC_ACQUIRE))
        for (unsigned i = 0; __atomic_load_n(&heap->lock.spin, __ATOMIC_RELAXED); i++) {
            if (i < SPINS)
                relax();
            else
                sched_yield();
        }
}

static inline void spin_exit(struct hm_heap *heap) {
    __atomic_store_n(&heap->lock.spin, false, __ATOMIC_RELEASE);
}

static inline uintptr_t own_name(void) {
    static __thread uint64_t anchor;
    return (uintptr_t)&anchor;
}

static bool change_gil(struct hm_pool_lock *lock, uintptr_t from, uintptr_t to) {
    return __atomic_compare_exchange_n(&lock->gil, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* @return whether the whole interval went by */
static bool wait_interval(struct hm_pool_lock *lock) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += INTERVAL_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&lock->changed, &lock->mutex, &until) == ETIMEDOUT;
}

/* It is another thread's, free, or ours while somebody asks for it. */
__attribute__((noinline)) static void wait_for_gil(struct hm_pool_lock *lock) {
    uintptr_t own = own_name();
    bool is_over = false;
    pthread_mutex_lock(&lock->mutex);
    if (change_gil(lock, own, 0)) {
        pthread_cond_signal(&lock->changed);
        is_over = wait_interval(lock);
    }
    for (;;) {
        uintptr_t holder = __atomic_load_n(&lock->gil, __ATOMIC_RELAXED);
        bool is_to_have = !holder || (is_over && !(holder & 1));
        if (is_to_have && change_gil(lock, holder, own | 1))
            break;
        if (is_over)
            __atomic_store_n(&lock->is_asked, true, __ATOMIC_RELAXED);
        is_over = wait_interval(lock);
    }
    __atomic_store_n(&lock->is_asked, false, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock->mutex);
}

static inline void gil_enter(struct hm_heap *heap) {
    uintptr_t own = own_name();
    if (HM_UNLIKELY(__atomic_load_n(&heap->lock.is_asked, __ATOMIC_RELAXED) ||
                    !change_gil(&heap->lock, own, own | 1)))
        wait_for_gil(&heap->lock);
}

static inline void gil_exit(struct hm_heap *heap) {
    __atomic_store_n(&heap->lock.gil, own_name(), __ATOMIC_RELEASE);
}

void hm_pool_drop_gil(struct hm_heap *heap) {
    pthread_mutex_lock(&heap->lock.mutex);
    if (change_gil(&heap->lock, own_name(), 0))
        pthread_cond_signal(&heap->lock.changed);
    pthread_mutex_unlock(&heap->lock.mutex);
}

void hm_pool_open_lock(struct hm_heap *heap) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&heap->lock.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&heap->lock.mutex, NULL);
}

void hm_pool_close_lock(struct hm_heap *heap) {
    pthread_cond_destroy(&heap->lock.changed);
    pthread_mutex_destroy(&heap->lock.mutex);
}

/* Whichever lock it is, the others are free. In the child there is no thread that holds or waits. */
void hm_pool_fork_lock(struct hm_heap *heap, enum hm_fork_phase phase) {
    if (phase == HM_FORK_PREPARE) {
        spin_enter(heap);
        gil_enter(heap);
        pthread_mutex_lock(&heap->lock.mutex);
        return;
    }
    spin_exit(heap);
    __atomic_store_n(&heap->lock.gil, 0, __ATOMIC_RELEASE);
    if (phase == HM_FORK_PARENT) {
        pthread_cond_signal(&heap->lock.changed);
        pthread_mutex_unlock(&heap->lock.mutex);
    } else {
        heap->lock.is_asked = false;
        hm_pool_open_lock(heap);
    }
}

/* ---- The calls ---- */

/* The inner heap keeps threads apart by itself. */
#define LOCKED_CALLS(LOCK)                                                                         \
    static void *LOCK##_malloc(struct hm_heap *heap, size_t size) {                                \
        if (!is_small(heap, size))                                                                 \
            return take_inner(heap, size, shared_count);                                           \
        LOCK##_enter(heap);                                                                        \
        void *block = take(heap, size, take_first);                                                \
        LOCK##_exit(heap);                                                                         \
        return block;                                                                              \
    }                                                                                              \
    static void LOCK##_free(struct hm_heap *heap, void *block) {                                   \
        if (!is_ours(heap, block, heap->arena_bits)) {                                             \
            put_inner(heap, block, shared_count);                                                  \
            return;                                                                                \
        }                                                                                          \
        LOCK##_enter(heap);                                                                        \
        put(heap, block, heap->arena_bits, heap->pool_bits);                                       \
        LOCK##_exit(heap);                                                                         \
    }                                                                                              \
    HM_POOL_FAMILY(LOCK, shared_count)                                                             \
    struct hm_heap_calls hm_pool_##LOCK##_calls(void) {                                            \
        return HM_POOL_CALLS(LOCK);                                                                \
    }

LOCKED_CALLS(mutex)
LOCKED_CALLS(spin)
LOCKED_CALLS(gil)

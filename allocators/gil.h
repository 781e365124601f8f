/* CPython's global interpreter lock: a flag under a mutex with a condition.
 *
 * Who has waited for one switch interval asks the holder to drop it, and a holder that was asked waits
 * after its drop until another thread has taken it. A clock is read only by who already waits.
 *
 * Source: CPython 3.11, Python/ceval_gil.h, take_gil() and drop_gil(). */
#ifndef HM_ALLOCATORS_GIL_H
#define HM_ALLOCATORS_GIL_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define HM_SWITCH_INTERVAL_NS 5000000 /* sys.getswitchinterval() */

struct hm_gil {
    pthread_mutex_t mutex;
    pthread_cond_t dropped;
    bool held;
    unsigned long switches;
    long interval_ns; /* less than a second */
    pthread_mutex_t switch_mutex;
    pthread_cond_t switched;
    const void *last_holder; /* atomic */
    bool drop_request;       /* atomic */
};

/* A name of the thread. */
static inline const void *hm_gil_self(void) {
    return (const void *)(uintptr_t)pthread_self();
}

/** Open, with nobody holding it and CPython's interval, which may be changed before the first use. The
 *  structure stays where it is until hm_gil_close(), which needs that nobody holds it or waits. */
static inline void hm_gil_open(struct hm_gil *gil) {
    pthread_condattr_t monotonic;
    *gil = (struct hm_gil){.interval_ns = HM_SWITCH_INTERVAL_NS};
    pthread_mutex_init(&gil->mutex, NULL);
    pthread_mutex_init(&gil->switch_mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&gil->dropped, &monotonic);
    pthread_cond_init(&gil->switched, NULL);
    pthread_condattr_destroy(&monotonic);
}

static inline void hm_gil_close(struct hm_gil *gil) {
    pthread_mutex_destroy(&gil->mutex);
    pthread_mutex_destroy(&gil->switch_mutex);
    pthread_cond_destroy(&gil->dropped);
    pthread_cond_destroy(&gil->switched);
}

/* Wait for one interval. @return whether it went by */
static inline bool hm_gil_wait(struct hm_gil *gil) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += gil->interval_ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&gil->dropped, &gil->mutex, &until) == ETIMEDOUT;
}

/** Wait for the lock, and hold it. Any thread that does not hold it. */
static inline void hm_gil_take(struct hm_gil *gil) {
    pthread_mutex_lock(&gil->mutex);
    while (gil->held) {
        unsigned long seen = gil->switches;
        if (hm_gil_wait(gil) && gil->held && gil->switches == seen)
            __atomic_store_n(&gil->drop_request, true, __ATOMIC_RELAXED);
    }
    pthread_mutex_lock(&gil->switch_mutex);
    gil->held = true;
    if (__atomic_load_n(&gil->last_holder, __ATOMIC_RELAXED) != hm_gil_self()) {
        __atomic_store_n(&gil->last_holder, hm_gil_self(), __ATOMIC_RELAXED);
        gil->switches++;
    }
    pthread_cond_signal(&gil->switched);
    pthread_mutex_unlock(&gil->switch_mutex);
    __atomic_store_n(&gil->drop_request, false, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&gil->mutex);
}

/** Let go of the lock; if somebody asked for it, not before another thread has it. The holder. */
static inline void hm_gil_drop(struct hm_gil *gil) {
    pthread_mutex_lock(&gil->mutex);
    __atomic_store_n(&gil->last_holder, hm_gil_self(), __ATOMIC_RELAXED);
    gil->held = false;
    pthread_cond_signal(&gil->dropped);
    pthread_mutex_unlock(&gil->mutex);
    if (!__atomic_load_n(&gil->drop_request, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&gil->switch_mutex);
    if (__atomic_load_n(&gil->last_holder, __ATOMIC_RELAXED) == hm_gil_self()) {
        __atomic_store_n(&gil->drop_request, false, __ATOMIC_RELAXED);
        pthread_cond_wait(&gil->switched, &gil->switch_mutex);
    }
    pthread_mutex_unlock(&gil->switch_mutex);
}

/** Whether another thread has waited for long enough. Hot; the holder. */
static inline bool hm_gil_is_asked(const struct hm_gil *gil) {
    return __atomic_load_n(&gil->drop_request, __ATOMIC_RELAXED);
}

#endif

/* Locks of the textbooks, each around a short piece of work.
 *
 *   mutex      the C library's: a futex word; waiters sleep
 *   spin       test, and test-and-set; whoever comes first gets it
 *   ticket     first come, first served (Mellor-Crummey and Scott, 1991)
 *   semaphore  POSIX, initially 1
 *   condvar    a flag under a mutex with a condition: waiters sleep until it is signalled
 *   rwlock     the C library's, taken for writing
 *
 * Who spins yields the processor after a while (spin.h). All lie in one structure, which may be in memory
 * that several threads map; each part that is written is on lines of its own. */
#ifndef HM_WORKLOADS_LOCKS_H
#define HM_WORKLOADS_LOCKS_H

#include "workloads/spin.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#define HM_LOCKS "mutex|spin|ticket|semaphore|condvar|rwlock"

enum hm_lock_kind {
    HM_LOCK_MUTEX,
    HM_LOCK_SPIN,
    HM_LOCK_TICKET,
    HM_LOCK_SEMAPHORE,
    HM_LOCK_CONDVAR,
    HM_LOCK_RWLOCK,
    HM_LOCK_KINDS,
};

struct hm_locks {
    pthread_mutex_t mutex; /* also the condition's */
    pthread_cond_t freed;
    bool held; /* of the condition */
    sem_t semaphore;
    pthread_rwlock_t rwlock;
    _Alignas(HM_SPIN_APART) uint32_t word; /* spin: 1 while held; ticket: the next one */
    _Alignas(HM_SPIN_APART) uint32_t serving;
};

static inline void hm_locks_open(struct hm_locks *locks) {
    pthread_mutex_init(&locks->mutex, NULL);
    pthread_cond_init(&locks->freed, NULL);
    sem_init(&locks->semaphore, 0, 1);
    pthread_rwlock_init(&locks->rwlock, NULL);
}

static inline void hm_locks_close(struct hm_locks *locks) {
    pthread_mutex_destroy(&locks->mutex);
    pthread_cond_destroy(&locks->freed);
    sem_destroy(&locks->semaphore);
    pthread_rwlock_destroy(&locks->rwlock);
}

static inline void hm_lock_take_spin(uint32_t *word) {
    unsigned spins = 0;
    while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(word, __ATOMIC_RELAXED))
            hm_spin_wait(&spins);
}

static inline void hm_lock_drop_spin(uint32_t *word) {
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static inline void hm_lock_take_ticket(struct hm_locks *locks) {
    uint32_t mine = __atomic_fetch_add(&locks->word, 1, __ATOMIC_RELAXED);
    unsigned spins = 0;
    while (__atomic_load_n(&locks->serving, __ATOMIC_ACQUIRE) != mine)
        hm_spin_wait(&spins);
}

static inline void hm_lock_take_condition(struct hm_locks *locks) {
    pthread_mutex_lock(&locks->mutex);
    while (locks->held)
        pthread_cond_wait(&locks->freed, &locks->mutex);
    locks->held = true;
    pthread_mutex_unlock(&locks->mutex);
}

static inline void hm_lock_drop_condition(struct hm_locks *locks) {
    pthread_mutex_lock(&locks->mutex);
    locks->held = false;
    pthread_cond_signal(&locks->freed);
    pthread_mutex_unlock(&locks->mutex);
}

static inline void hm_lock_take_semaphore(sem_t *semaphore) {
    while (sem_wait(semaphore) && errno == EINTR)
        ;
}

/** Hot: the kind is a constant where it is called. */
__attribute__((always_inline)) static inline void hm_lock_take(struct hm_locks *locks,
                                                               const enum hm_lock_kind kind) {
    if (kind == HM_LOCK_MUTEX)
        pthread_mutex_lock(&locks->mutex);
    else if (kind == HM_LOCK_SPIN)
        hm_lock_take_spin(&locks->word);
    else if (kind == HM_LOCK_TICKET)
        hm_lock_take_ticket(locks);
    else if (kind == HM_LOCK_SEMAPHORE)
        hm_lock_take_semaphore(&locks->semaphore);
    else if (kind == HM_LOCK_CONDVAR)
        hm_lock_take_condition(locks);
    else
        pthread_rwlock_wrlock(&locks->rwlock);
}

__attribute__((always_inline)) static inline void hm_lock_drop(struct hm_locks *locks,
                                                               const enum hm_lock_kind kind) {
    if (kind == HM_LOCK_MUTEX)
        pthread_mutex_unlock(&locks->mutex);
    else if (kind == HM_LOCK_SPIN)
        hm_lock_drop_spin(&locks->word);
    else if (kind == HM_LOCK_TICKET) /* only the holder writes it */
        __atomic_store_n(&locks->serving, locks->serving + 1, __ATOMIC_RELEASE);
    else if (kind == HM_LOCK_SEMAPHORE)
        sem_post(&locks->semaphore);
    else if (kind == HM_LOCK_CONDVAR)
        hm_lock_drop_condition(locks);
    else
        pthread_rwlock_unlock(&locks->rwlock);
}

#endif

/* A mutex across fork(): what an allocator's `fork` does with each of its locks. */
#ifndef HM_ALLOCATORS_FORK_H
#define HM_ALLOCATORS_FORK_H

#include "allocators/allocator.h"

#include <pthread.h>

/** Hold the mutex while the process forks, so that the child finds what it guards whole. */
static inline void hm_fork_mutex(pthread_mutex_t *mutex, enum hm_fork_phase phase) {
    if (phase == HM_FORK_PREPARE)
        pthread_mutex_lock(mutex);
    else if (phase == HM_FORK_PARENT)
        pthread_mutex_unlock(mutex);
    else
        pthread_mutex_init(mutex, NULL);
}

#endif

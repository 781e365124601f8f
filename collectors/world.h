/* Stopping the world: of all threads that run mutators at the same time (HM_FREE), one gets the heap for
 * itself.
 *
 * Vocabulary
 *   running    a thread between its enter and its leave: it may be looking at objects.
 *   at rest    a thread that is not: before, after, or while it waits at a safepoint. A thread that
 *              waits for anything else leaves first, and enters again behind it.
 *   stopped    from the moment when a thread asks for it: no other one begins to run, and the one that
 *              asked goes on when it is the only one.
 *
 * Invariants
 *   `running` is the number of running threads; the one that has stopped the world is one of them.
 *   While the world is stopped `running` only falls.
 *   `*asked` is set while it is stopped, and is all that a running thread looks at.
 *
 * Everything but `*asked` is under the mutex; so what a thread did before it came to rest comes before what
 * is done while the world is stopped, and that before what any of them does next. A clock is never read.
 *
 * Model: tests/model/world.pml. */
#ifndef HM_COLLECTORS_WORLD_H
#define HM_COLLECTORS_WORLD_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

struct hm_world {
    pthread_mutex_t mutex;
    pthread_cond_t rested;  /* fewer threads run */
    pthread_cond_t resumed; /* the world is not stopped any more */
    unsigned running;
    bool stopped;
    bool *asked; /* atomic */
};

/** @param asked what the threads poll at their safepoints; stays as long as the world */
static inline void hm_world_open(struct hm_world *world, bool *asked) {
    *world = (struct hm_world){.asked = asked};
    __atomic_store_n(asked, false, __ATOMIC_RELAXED);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->rested, NULL);
    pthread_cond_init(&world->resumed, NULL);
}

/* With the mutex. */
static inline void hm_world_begin(struct hm_world *world) {
    while (world->stopped)
        pthread_cond_wait(&world->resumed, &world->mutex);
    world->running++;
}

static inline void hm_world_end(struct hm_world *world) {
    assert(world->running);
    world->running--;
    pthread_cond_signal(&world->rested); /* nobody waits for it but who has stopped the world */
}

/** The thread runs from here on. Waits while the world is stopped. */
static inline void hm_world_enter(struct hm_world *world) {
    pthread_mutex_lock(&world->mutex);
    hm_world_begin(world);
    pthread_mutex_unlock(&world->mutex);
}

/** The thread is at rest from here on: it looks at no object. */
static inline void hm_world_leave(struct hm_world *world) {
    pthread_mutex_lock(&world->mutex);
    hm_world_end(world);
    pthread_mutex_unlock(&world->mutex);
}

/** Stop the world. The caller runs, and this is a safepoint of it: another one may stop the world before.
 *  When it returns nobody else runs, until the caller calls hm_world_resume(). */
static inline void hm_world_stop(struct hm_world *world) {
    pthread_mutex_lock(&world->mutex);
    if (world->stopped) {
        hm_world_end(world);
        hm_world_begin(world);
    }
    world->stopped = true;
    __atomic_store_n(world->asked, true, __ATOMIC_RELAXED);
    while (world->running > 1)
        pthread_cond_wait(&world->rested, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static inline void hm_world_resume(struct hm_world *world) {
    pthread_mutex_lock(&world->mutex);
    world->stopped = false;
    __atomic_store_n(world->asked, false, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&world->resumed);
    pthread_mutex_unlock(&world->mutex);
}

#endif

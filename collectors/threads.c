/* The mutators' threads: their global lock, and their world. */
#include "collectors/safepoint.h"
#include "collectors/world.h"

struct hm_gil hm_mutators_gil;
static struct hm_world world;
static enum hm_threading way;

void hm_mutators_open(enum hm_threading threading) {
    way = threading;
    hm_gil_open(&hm_mutators_gil);
    hm_world_open(&world, &hm_mutators_gil.drop_request);
}

void hm_mutators_enter(void) {
    if (way == HM_GIL)
        hm_gil_take(&hm_mutators_gil);
    else if (way == HM_FREE)
        hm_world_enter(&world);
}

void hm_mutators_leave(void) {
    if (way == HM_GIL)
        hm_gil_drop(&hm_mutators_gil);
    else if (way == HM_FREE)
        hm_world_leave(&world);
}

void hm_mutators_yield(void) {
    hm_mutators_leave();
    hm_mutators_enter();
}

void hm_mutators_stop(void) {
    if (way == HM_FREE)
        hm_world_stop(&world);
}

void hm_mutators_resume(void) {
    if (way == HM_FREE)
        hm_world_resume(&world);
}

void hm_mutators_lock(pthread_mutex_t *mutex) {
    if (!pthread_mutex_trylock(mutex))
        return;
    hm_mutators_leave();
    pthread_mutex_lock(mutex);
    hm_mutators_enter();
}

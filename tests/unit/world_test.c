/* Stopping the world: who has stopped it is alone, whoever comes and goes meanwhile, and who is at rest
 * keeps nobody waiting. That nobody looks at what another one writes is for the thread sanitizer to say.
 *
 * labels: threads */
#include "collectors/world.h"

#include "workloads/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    THREADS = 4,
    ROUNDS = 30000,
    STAY = 20,    /* rounds between an enter and a leave */
    STOPPER = 30, /* one of so many rounds stops the world */
};

static struct {
    struct hm_world world;
    bool asked;
    volatile uint64_t seen;          /* nobody's own: by who has stopped the world */
    volatile uint64_t done[THREADS]; /* of one thread each, while it runs */
    uint64_t stops[THREADS];
} shared;

static pthread_barrier_t barrier;

static void poll(void) {
    if (!__atomic_load_n(&shared.asked, __ATOMIC_RELAXED))
        return;
    hm_world_leave(&shared.world);
    hm_world_enter(&shared.world);
}

static uint64_t done_by_all(void) {
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++)
        sum += shared.done[i];
    return sum;
}

/* Nobody does anything while the world is stopped, and before that nothing was lost. */
static void look_alone(unsigned self) {
    hm_world_stop(&shared.world);
    uint64_t sum = done_by_all();
    shared.stops[self]++;
    if (sum < shared.seen || shared.world.running != 1)
        abort();
    for (int i = 0; i < 100; i++)
        if (done_by_all() != sum)
            abort();
    shared.seen = sum;
    hm_world_resume(&shared.world);
}

static void *come_and_go(void *arg) {
    unsigned self = (unsigned)(uintptr_t)arg;
    struct hm_random random = hm_random_of(7, self);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % STAY == 0)
            hm_world_enter(&shared.world);
        poll();
        shared.done[self]++;
        if (hm_random_below(&random, STOPPER) == 0)
            look_alone(self);
        if (i % STAY == STAY - 1)
            hm_world_leave(&shared.world);
    }
    return NULL;
}

static void test_who_stops_the_world_is_alone(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint64_t stops = 0;
    hm_world_open(&shared.world, &shared.asked);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        stops += shared.stops[i];
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(done_by_all(), THREADS * ROUNDS);
    assert_in_range(stops, THREADS * ROUNDS / STOPPER / 2, THREADS * ROUNDS);
    assert_int_equal(shared.world.running, 0);
    assert_false(shared.asked);
}

/* ---- At rest ---- */

/* Waits for the other one where no safepoint is: it has left before that. */
static void *wait_outside(void *arg) {
    (void)arg;
    hm_world_enter(&shared.world);
    hm_world_leave(&shared.world);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    hm_world_enter(&shared.world);
    shared.seen++;
    hm_world_leave(&shared.world);
    return NULL;
}

static void test_a_thread_at_rest_keeps_nobody_waiting_and_joins_after_the_stop(void **state) {
    (void)state;
    pthread_t thread;
    shared.seen = 0;
    hm_world_open(&shared.world, &shared.asked);
    pthread_barrier_init(&barrier, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, wait_outside, NULL), 0);
    pthread_barrier_wait(&barrier);
    hm_world_enter(&shared.world);
    hm_world_stop(&shared.world);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 100; i++) {
        sched_yield();
        assert_int_equal(shared.seen, 0);
    }
    hm_world_resume(&shared.world);
    hm_world_leave(&shared.world);
    pthread_join(thread, NULL);
    assert_int_equal(shared.seen, 1);
    pthread_barrier_destroy(&barrier);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_stops_the_world_is_alone),
        cmocka_unit_test(test_a_thread_at_rest_keeps_nobody_waiting_and_joins_after_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Counting under threads that run at the same time: no object is lost, and none dies while somebody holds it,
 * also where one of them stops the others to collect.
 *
 * labels: threads
 * collectors: refcount_atomic refcount_biased freethreaded */
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

#include <pthread.h>

enum {
    THREADS = 4,
    ROUNDS = 150000,
    CELLS = 32,
    LINKS = 3,
    SET = 10,
};

static const struct hm_type node_type = {.name = "node", .slots = 1, .payload_bytes = 16};
static const struct hm_type set_type = {.name = "set", .variable = true};

struct thread {
    pthread_t id;
    unsigned number;
    struct hm_mutator *m;
};

static struct {
    const struct hm_collector *collector;
    struct hm_gc *gc;
    pthread_barrier_t barrier;
    struct hm_object *set;
    struct hm_object *cells[CELLS]; /* atomic; each owns a reference, or is NULL */
    struct thread threads[THREADS];
} world;

static void open_world(unsigned mutators, const struct hm_memory *memory) {
    static struct fixture told;
    static struct hm_gc_events events = {note_begin, note_end, &told};
    static const struct hm_value params[PARAMS_MAX] = {
        {.number = 600}}; /* freethreaded: its threshold */
    const struct hm_gc_options options = {.params = params,
                                          .memory = memory,
                                          .events = &events,
                                          .mutators = mutators,
                                          .threading = HM_FREE};
    memset(&world, 0, sizeof world);
    hm_mutators_open(HM_FREE);
    world.collector = hm_collector_compiled(HM_WORKLOAD_STRING(HM_COLLECTOR));
    assert_int_equal(world.collector->open(&world.gc, &options), 0);
}

static struct hm_memory system_memory(void) {
    struct hm_memory memory;
    const struct hm_heap_options options = {.threads = THREADS};
    assert_int_equal(hm_allocator_find("system")->open(&memory, &options), 0);
    return memory;
}

/* At rest, until all are. */
static void meet(void) {
    hm_mutators_leave();
    pthread_barrier_wait(&world.barrier);
    hm_mutators_enter();
}

static void run_threads(void *(*work)(void *)) {
    pthread_barrier_init(&world.barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        world.threads[i].number = i;
        assert_int_equal(pthread_create(&world.threads[i].id, NULL, work, &world.threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(world.threads[i].id, NULL);
    pthread_barrier_destroy(&world.barrier);
}

/* All is freed. */
static void close_world(void) {
    struct hm_gc_stats s;
    world.collector->stats(world.gc, &s);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    world.collector->close(world.gc);
}

static struct hm_object *new_node(struct hm_mutator *m, uint64_t value, struct hm_object *next) {
    struct hm_object *object = hm_new(m, &node_type);
    uint64_t *payload = hm_payload(object);
    hm_init_store(m, object, 0, next);
    payload[0] = value;
    payload[1] = ~value;
    return object;
}

/* What is dead has another payload, sooner or later. */
static bool is_whole(struct hm_object *object) {
    const uint64_t *payload = hm_payload(object);
    return payload[0] == ~payload[1];
}

/* The look comes as late as it may: only the release keeps it before the object's end. */
static void look_and_release(struct hm_mutator *m, struct hm_object *object) {
    if (object && !is_whole(object))
        abort();
    hm_release(m, object);
}

/* Acquire and release: who takes an object out sees all that was done to it before. */
static struct hm_object *exchange(unsigned cell, struct hm_object *object) {
    return __atomic_exchange_n(&world.cells[cell], object, __ATOMIC_ACQ_REL);
}

/* @return a reference for a cell: to a list of its own, to an object of the set or to the one that it
 *  has kept, or NULL */
static struct hm_object *offer(struct thread *t, struct hm_random *random, struct hm_object *kept) {
    struct hm_object *object = NULL;
    switch (hm_random_below(random, 4)) {
    case 0:
        for (int j = 0; j < LINKS; j++)
            object = new_node(t->m, hm_random_next(random), object);
        return object;
    case 1:
        object = hm_load(world.set, (uint32_t)hm_random_below(random, SET));
        break;
    case 2:
        object = kept;
        break;
    default:
        break;
    }
    hm_retain(t->m, object);
    return object;
}

static void make_set(struct hm_mutator *m) {
    world.set = hm_new_array(m, &set_type, SET);
    for (uint32_t i = 0; i < SET; i++)
        hm_init_store(m, world.set, i, new_node(m, i, NULL));
}

static void empty_cells(struct hm_mutator *m) {
    for (unsigned i = 0; i < CELLS; i++)
        hm_release(m, exchange(i, NULL));
}

/* Puts references into the cells, and what was there it gives up, now or after the next one. */
static void *trade(void *arg) {
    struct thread *t = arg;
    struct hm_random random = hm_random_of(5, t->number);
    struct hm_object *kept = NULL;
    hm_mutators_enter();
    t->m = world.collector->attach(world.gc);
    assert_non_null(t->m);
    if (t->number == 0)
        make_set(t->m);
    meet();
    for (int i = 0; i < ROUNDS; i++) {
        hm_safepoint(t->m);
        unsigned cell = (unsigned)hm_random_below(&random, CELLS);
        struct hm_object *object = exchange(cell, offer(t, &random, kept));
        if (hm_random_below(&random, 2)) {
            struct hm_object *before = kept;
            kept = object;
            object = before;
        }
        look_and_release(t->m, object);
        if (i % 1000 == 0)
            hm_collect(t->m, 2);
    }
    look_and_release(t->m, kept);
    meet();
    if (t->number == 0)
        empty_cells(t->m);
    if (t->number == THREADS - 1)
        hm_release(t->m, world.set);
    world.collector->detach(t->m);
    hm_mutators_leave();
    return NULL;
}

static void test_traded_objects_all_die_in_the_end(void **state) {
    (void)state;
    const struct hm_memory memory = system_memory();
    open_world(THREADS, &memory);
    run_threads(trade);
    close_world();
}

/* What a thread puts into a cell, it looks at after that, too; then the last reference goes here or there,
 * while the thread that made the object is at work, or has ended, and another one has come. */
static void *come_and_go(void *arg) {
    struct thread *t = arg;
    hm_mutators_enter();
    for (int i = 0; i < ROUNDS / 600; i++) {
        struct hm_mutator *m = world.collector->attach(world.gc);
        assert_non_null(m);
        for (unsigned j = 0; j < 2 * CELLS; j++) {
            struct hm_object *object = new_node(m, j + t->number, NULL);
            hm_retain(m, object);
            look_and_release(m, exchange(j % CELLS, object));
            look_and_release(m, object);
            if (j % 16 == 0)
                hm_safepoint(m);
            if (j == CELLS && i % 8 == 0)
                hm_collect(m, 2);
        }
        world.collector->detach(m);
    }
    hm_mutators_leave();
    return NULL;
}

static void test_threads_that_end_leave_objects_that_others_free(void **state) {
    (void)state;
    const struct hm_memory memory = system_memory();
    open_world(THREADS, &memory);
    run_threads(come_and_go);
    struct hm_mutator *m = world.collector->attach(world.gc);
    empty_cells(m);
    world.collector->detach(m);
    close_world();
}

/* All at once; close must free it once. */
static void *make_immortal(void *arg) {
    struct thread *t = arg;
    hm_mutators_enter();
    t->m = world.collector->attach(world.gc);
    for (int i = 0; i < 200; i++) {
        if (t->number == 0)
            world.set = new_node(t->m, (uint64_t)i, NULL);
        meet();
        hm_retain(t->m, world.set);
        hm_release(t->m, world.set);
        if (!hm_immortalize(t->m, world.set))
            abort();
        hm_release(t->m, world.set);
        hm_release(t->m, world.set);
        meet();
        if (!is_whole(world.set))
            abort();
        meet();
    }
    world.collector->detach(t->m);
    hm_mutators_leave();
    return NULL;
}

static void test_one_object_is_made_immortal_by_all(void **state) {
    (void)state;
    const struct hm_memory memory = system_memory();
    open_world(THREADS, &memory);
    run_threads(make_immortal);
    struct hm_gc_stats s;
    world.collector->stats(world.gc, &s);
    assert_int_equal(s.allocated_objects, 200);
    assert_int_equal(s.freed_objects, 0);
    world.collector->close(world.gc);
}

/* Of each mutator there is a structure until close, and no more than were announced at a time. */
static void test_mutators_beyond_the_announced_ones_are_refused(void **state) {
    (void)state;
    struct hm_heap heap;
    struct hm_memory memory;
    heap_open(&heap, &memory);
    open_world(2, &memory);
    struct hm_mutator *a = world.collector->attach(world.gc);
    struct hm_mutator *b = world.collector->attach(world.gc);
    assert_ptr_not_equal(a, b);
    assert_null(world.collector->attach(world.gc));
    world.collector->detach(a);
    heap.allowed = 0;
    assert_null(world.collector->attach(world.gc));
    heap.allowed = UINT64_MAX;
    struct hm_object *object = hm_new(b, &node_type);
    a = world.collector->attach(world.gc);
    assert_non_null(a);
    hm_release(a, object);
    world.collector->detach(a);
    world.collector->detach(b);
    close_world();
    heap_close(&heap);
    assert_int_equal(heap.live_blocks, 0);
}

static void test_an_immortal_is_not_written(void **state) {
    (void)state;
    const struct hm_memory memory = system_memory();
    open_world(2, &memory);
    struct hm_mutator *a = world.collector->attach(world.gc);
    struct hm_mutator *b = world.collector->attach(world.gc);
    struct hm_object *object = new_node(a, 1, NULL);
    assert_true(hm_immortalize(b, object));
    const struct hm_object before = *object;
    hm_retain(a, object);
    hm_retain(b, object);
    for (int i = 0; i < 10; i++)
        hm_release(i % 2 ? a : b, object);
    assert_memory_equal(object, &before, sizeof before);
    world.collector->detach(a);
    world.collector->detach(b);
    world.collector->close(world.gc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traded_objects_all_die_in_the_end),
        cmocka_unit_test(test_threads_that_end_leave_objects_that_others_free),
        cmocka_unit_test(test_one_object_is_made_immortal_by_all),
        cmocka_unit_test(test_mutators_beyond_the_announced_ones_are_refused),
        cmocka_unit_test(test_an_immortal_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Mutators that run at the same time on one heap, each on a graph of its own with references into the
 * others', while any of them collects: whatever a naive mark over all of them reaches is alive and as it was
 * made, and after a collection nothing else is.
 *
 * A round is a random program of each thread. Between two rounds all threads are at rest: one of them
 * collects, everything is compared, and references to the others' objects are dealt out.
 *
 * labels: threads
 * collectors: marksweep freethreaded */
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

#include <pthread.h>
#include <sched.h>

enum {
    THREADS = 3,
    ROUNDS = 36,
    STEPS = 800,
    ROOTS = 6,    /* variables of a thread, for objects of its own */
    GUESTS = 3,   /* and for those of others */
    NODES = 9000, /* of a thread, in all rounds */
    SLOTS = 3,
    COLLECT = 100, /* one of so many steps collects */
};

struct node {
    struct hm_object *object;
    struct node *slots[SLOTS];
    bool reached, gone;
};

struct thread {
    pthread_t id;
    unsigned number;
    struct hm_mutator *m;
    struct node nodes[NODES];
    int used;
    struct node *roots[ROOTS + GUESTS];
    struct hm_object *variables[ROOTS + GUESTS];
};

static struct {
    const struct hm_collector *collector;
    struct hm_heap heap;
    pthread_mutex_t heap_lock;
    struct hm_gc *gc;
    struct hm_gc_events events;
    int pauses, pausing;
    pthread_barrier_t barrier;
    struct thread threads[THREADS];
} world;

static const struct hm_type node_type = {.name = "node", .slots = SLOTS, .payload_bytes = 8};

/* ---- A heap for several threads ---- */

static void *locked_malloc(struct hm_heap *heap, size_t size) {
    pthread_mutex_lock(&world.heap_lock);
    void *p = heap_malloc(heap, size);
    pthread_mutex_unlock(&world.heap_lock);
    return p;
}

static void *locked_calloc(struct hm_heap *heap, size_t count, size_t size) {
    void *p = locked_malloc(heap, count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

static void locked_free(struct hm_heap *heap, void *p) {
    pthread_mutex_lock(&world.heap_lock);
    heap_free(heap, p);
    pthread_mutex_unlock(&world.heap_lock);
}

/* A pause is told to be one, and never during another. */
static void pause_begins(void *arg, int generation) {
    (void)arg;
    (void)generation;
    if (__atomic_fetch_add(&world.pausing, 1, __ATOMIC_RELAXED))
        abort();
    __atomic_fetch_add(&world.pauses, 1, __ATOMIC_RELAXED);
}

static void pause_ends(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
    __atomic_fetch_sub(&world.pausing, 1, __ATOMIC_RELAXED);
}

/* Small limits, so that allocations collect, too. */
static void open_world(unsigned mutators) {
    static struct hm_value params[PARAMS_MAX];
    struct hm_memory memory;
    memset(&world, 0, sizeof world);
    pthread_mutex_init(&world.heap_lock, NULL);
    heap_open(&world.heap, &memory);
    memory.calls.malloc = locked_malloc;
    memory.calls.calloc = locked_calloc;
    memory.calls.free = locked_free;
    world.collector = hm_collector_compiled(HM_WORKLOAD_STRING(HM_COLLECTOR));
    for (int i = 0; world.collector->params[i].name; i++) {
        params[i].number = world.collector->params[i].initial;
        if (!strcmp(world.collector->params[i].name, "min"))
            params[i].number = 32 << 10;
        if (!strcmp(world.collector->params[i].name, "threshold"))
            params[i].number = 600;
    }
    world.events = (struct hm_gc_events){.pause_begin = pause_begins, .pause_end = pause_ends};
    const struct hm_gc_options options = {.params = params,
                                          .memory = &memory,
                                          .events = &world.events,
                                          .mutators = mutators,
                                          .threading = HM_FREE};
    hm_mutators_open(HM_FREE);
    assert_int_equal(world.collector->open(&world.gc, &options), 0);
}

static void close_world(void) {
    assert_int_equal(world.pausing, 0);
    world.collector->close(world.gc);
    assert_int_equal(world.heap.live_blocks, 0);
    heap_close(&world.heap);
    hm_mutators_open(HM_ISOLATED);
}

/* At rest, until all are. */
static void meet(void) {
    hm_mutators_leave();
    pthread_barrier_wait(&world.barrier);
    hm_mutators_enter();
}

/* ---- One thread's program ---- */

static void put(struct thread *t, int variable, struct node *node, struct hm_object *owned) {
    struct hm_object *before = t->variables[variable];
    t->variables[variable] = owned;
    t->roots[variable] = node;
    hm_release(t->m, before);
}

static uint64_t mark_of(const struct thread *t, const struct node *node) {
    return hm_mix((uint64_t)(node - t->nodes) * THREADS + t->number);
}

/* A node whose first slot takes over what is in the variable that it goes to. */
static void step_new(struct thread *t, int variable) {
    if (t->used == NODES)
        return;
    struct node *node = &t->nodes[t->used++];
    struct hm_object *object = hm_new(t->m, &node_type);
    uint64_t number = mark_of(t, node);
    memcpy(hm_payload(object), &number, sizeof number);
    *node = (struct node){.object = object, .slots = {t->roots[variable]}};
    hm_init_store(t->m, object, 0, t->variables[variable]);
    t->roots[variable] = node;
    t->variables[variable] = object;
}

static void step(struct thread *t, struct hm_random *random) {
    int to = (int)hm_random_below(random, ROOTS);
    int from = (int)hm_random_below(random, ROOTS + GUESTS);
    uint32_t slot = (uint32_t)hm_random_below(random, SLOTS);
    uint64_t dice = hm_random_below(random, 10);
    struct node *node = t->roots[to];
    if (dice < 3 || !node) {
        step_new(t, to);
    } else if (dice < 6) {
        hm_store(t->m, node->object, slot, t->variables[from]);
        node->slots[slot] = t->roots[from];
    } else if (dice < 7 && from >= ROOTS) {
        put(t, from, NULL, NULL);
    } else if (dice < 8 && node->slots[slot] && !node->slots[slot]->gone) {
        struct node *next = node->slots[slot];
        if (next >= t->nodes && next < t->nodes + NODES) { /* others' are not to be led to */
            hm_retain(t->m, next->object);
            put(t, to, next, next->object);
        }
    } else if (dice < 9) {
        put(t, to, NULL, NULL);
    }
}

static void run_round(struct thread *t, unsigned round) {
    struct hm_random random = hm_random_of(round, t->number);
    for (int i = 0; i < STEPS; i++) {
        hm_safepoint(t->m);
        step(t, &random);
        if (hm_random_below(&random, COLLECT) == 0)
            hm_collect(t->m, 2);
    }
}

/* ---- The naive model ---- */

static void reach(struct node *node) {
    if (!node || node->reached)
        return;
    node->reached = true;
    for (int i = 0; i < SLOTS; i++)
        reach(node->slots[i]);
}

static void check_node(const struct thread *t, struct node *node) {
    uint64_t number;
    if (node->gone)
        return;
    assert_int_equal(is_live(node->object), node->reached);
    node->gone = !node->reached;
    if (node->gone)
        return;
    memcpy(&number, hm_payload(node->object), sizeof number);
    assert_int_equal(number, mark_of(t, node));
    for (uint32_t i = 0; i < SLOTS; i++)
        assert_ptr_equal(hm_load(node->object, i), node->slots[i] ? node->slots[i]->object : NULL);
}

static void compare_all(void) {
    for (struct thread *t = world.threads; t < world.threads + THREADS; t++)
        for (int i = 0; i < t->used; i++)
            t->nodes[i].reached = false;
    for (struct thread *t = world.threads; t < world.threads + THREADS; t++)
        for (int i = 0; i < ROOTS + GUESTS; i++)
            reach(t->roots[i]);
    for (struct thread *t = world.threads; t < world.threads + THREADS; t++)
        for (int i = 0; i < t->used; i++)
            check_node(t, &t->nodes[i]);
}

/* Each thread gets references to the next one's objects, from the one that runs now. */
static void deal_out(struct thread *self) {
    for (int i = 0; i < THREADS; i++) {
        struct thread *t = &world.threads[i], *other = &world.threads[(i + 1) % THREADS];
        for (int guest = 0; guest < GUESTS; guest++) {
            struct hm_object *before = t->variables[ROOTS + guest];
            hm_retain(self->m, other->variables[guest]);
            t->variables[ROOTS + guest] = other->variables[guest];
            t->roots[ROOTS + guest] = other->roots[guest];
            hm_release(self->m, before);
        }
    }
}

static void *work(void *arg) {
    struct thread *t = arg;
    hm_mutators_enter();
    t->m = world.collector->attach(world.gc);
    assert_non_null(t->m);
    for (int i = 0; i < ROOTS + GUESTS; i++)
        hm_root(t->m, &t->variables[i]);
    for (unsigned round = 0; round < ROUNDS; round++) {
        meet();
        run_round(t, round);
        meet();
        if (round % THREADS == t->number) {
            hm_collect(t->m, 2);
            compare_all();
            deal_out(t);
        }
    }
    meet();
    for (int i = 0; i < ROOTS + GUESTS; i++)
        put(t, i, NULL, NULL);
    meet();
    if (t->number == 0) {
        hm_collect(t->m, 2);
        compare_all();
    }
    meet();
    hm_unroot(t->m, ROOTS + GUESTS);
    world.collector->detach(t->m);
    hm_mutators_leave();
    return NULL;
}

static void run_threads(void *(*program)(void *)) {
    pthread_barrier_init(&world.barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        world.threads[i].number = i;
        assert_int_equal(pthread_create(&world.threads[i].id, NULL, program, &world.threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(world.threads[i].id, NULL);
    pthread_barrier_destroy(&world.barrier);
}

static void test_what_a_naive_mark_reaches_is_what_is_alive(void **state) {
    (void)state;
    open_world(THREADS);
    run_threads(work);
    struct hm_gc_stats s;
    world.collector->stats(world.gc, &s);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    assert_in_range(s.collections[2], ROUNDS + 1, INT32_MAX);
    assert_in_range(world.pauses, s.collections[2], INT32_MAX);
    close_world();
}

/* ---- What the program wrote ---- */

enum {
    RINGS = 200, /* of a thread */
    ALL_RINGS =
        RINGS * (THREADS - 1), /* thread 0 makes none: it comes to safepoints, and nothing else */
};

static struct {
    int finalized, over, called; /* atomic: begun and ended, and callbacks */
    int passed;                  /* atomic: safepoints of thread 0 */
} ends;

/* While a finalizer runs the others do: some wait for thread 0. Every second one breaks its ring. */
static void finalize(struct hm_mutator *m, struct hm_object *object) {
    uint64_t number;
    memcpy(&number, hm_payload(object), sizeof number);
    int seen = __atomic_load_n(&ends.passed, __ATOMIC_RELAXED);
    if (__atomic_fetch_add(&ends.finalized, 1, __ATOMIC_RELAXED) % 16 == 0)
        while (__atomic_load_n(&ends.passed, __ATOMIC_RELAXED) == seen)
            sched_yield();
    if (number % 2)
        hm_store(m, object, 0, NULL);
    __atomic_fetch_add(&ends.over, 1, __ATOMIC_RELAXED);
}

static void call(struct hm_mutator *m, struct hm_object *reference) {
    if (hm_weak_get(m, reference))
        abort();
    __atomic_fetch_add(&ends.called, 1, __ATOMIC_RELAXED);
}

static const struct hm_type ring_type = {
    .name = "ring", .slots = 2, .payload_bytes = 8, .weakable = true, .finalize = finalize};

/* A ring of two, of which a weak reference outside of it tells the end. */
static void drop_ring(struct thread *t, uint64_t number) {
    struct hm_object *first = NULL, *second = NULL, *weak = NULL;
    hm_root(t->m, &first);
    hm_root(t->m, &second);
    hm_root(t->m, &weak);
    first = hm_new(t->m, &ring_type);
    memcpy(hm_payload(first), &number, sizeof number);
    second = hm_new(t->m, &node_type);
    hm_store(t->m, first, 0, second);
    hm_store(t->m, second, 0, first);
    weak = hm_weak_new(t->m, first, call);
    hm_store(t->m, weak, 0, t->variables[0]);
    put(t, 0, NULL, weak); /* kept, in a list */
    hm_release(t->m, first);
    hm_release(t->m, second);
    hm_unroot(t->m, 3);
}

static void *drop_rings(void *arg) {
    struct thread *t = arg;
    hm_mutators_enter();
    t->m = world.collector->attach(world.gc);
    hm_root(t->m, &t->variables[0]);
    meet();
    for (uint64_t i = 0; i < RINGS && t->number; i++) {
        hm_safepoint(t->m);
        drop_ring(t, i);
        if (i % 50 == t->number)
            hm_collect(t->m, 2);
    }
    while (t->number == 0 && __atomic_load_n(&ends.over, __ATOMIC_RELAXED) < ALL_RINGS) {
        hm_safepoint(t->m);
        __atomic_fetch_add(&ends.passed, 1, __ATOMIC_RELAXED);
        sched_yield();
    }
    if (t->number)
        hm_collect(t->m, 2);
    put(t, 0, NULL, NULL);
    meet();
    if (t->number == 1) {
        hm_collect(t->m, 2);
        assert_int_equal(hm_collect(t->m, 2), 0);
    }
    meet();
    hm_unroot(t->m, 1);
    world.collector->detach(t->m);
    hm_mutators_leave();
    return NULL;
}

static void test_callbacks_and_finalizers_run_once_while_others_go_on(void **state) {
    (void)state;
    memset(&ends, 0, sizeof ends);
    open_world(THREADS);
    run_threads(drop_rings);
    assert_int_equal(ends.called, ALL_RINGS);
    assert_int_equal(ends.finalized, ALL_RINGS);
    struct hm_gc_stats s;
    world.collector->stats(world.gc, &s);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    close_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_naive_mark_reaches_is_what_is_alive),
        cmocka_unit_test(test_callbacks_and_finalizers_run_once_while_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What trial promises beyond the conformance suite: whom it suspects and looks at, when it collects, and
 * what happens to finalizers, weak references and types with passes of their own. */
#define HM_COLLECTOR_HEADER "collectors/trial.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

enum {
    PARAM_ROOTS,
    PARAM_AUTO,
};

/* The indexes of the words of `auto`. */
enum automatic {
    ON,
    OFF,
};

static struct fixture fixture;

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};
static const struct hm_type list_type = {.name = "list", .variable = true};
static const struct hm_type target_type = {.name = "target", .slots = 1, .weakable = true};

static struct hm_mutator *open_with(int64_t roots, enum automatic automatic) {
    fixture_prepare(&fixture, hm_collector_find("trial"));
    fixture.params[PARAM_ROOTS].number = roots;
    fixture.params[PARAM_AUTO].number = automatic;
    fixture_open(&fixture);
    return fixture.m;
}

static struct hm_mutator *open_quiet(void) {
    return open_with(0, OFF);
}

/* Close, and nothing is left. */
static void shut(void) {
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static struct hm_object *new_self_cycle(struct hm_mutator *m, const struct hm_type *type) {
    struct hm_object *object = type->variable ? hm_new_array(m, type, 1) : hm_new(m, type);
    hm_store(m, object, 0, object);
    return object;
}

static void leak_self_cycles(struct hm_mutator *m, int count) {
    while (count--)
        hm_release(m, new_self_cycle(m, &list_type));
}

/* A ring without suspects, whose first element the caller owns; each has a slot to spare. */
static struct hm_object *new_ring(struct hm_mutator *m, int count) {
    struct hm_object *last = hm_new_array(m, &list_type, 2);
    struct hm_object *first = last;
    while (--count) {
        struct hm_object *object = hm_new_array(m, &list_type, 2);
        hm_init_store(m, object, 0, first);
        first = object;
    }
    hm_store(m, last, 0, first);
    return first;
}

/* Lose a reference, and live on. */
static void touch(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
    hm_release(m, object);
}

static void expect_collection(struct hm_mutator *m, uint64_t visited, uint64_t found) {
    assert_int_equal(hm_collect(m, 2), found);
    assert_int_equal(fixture.visited, visited);
    assert_int_equal(fixture.freed, found);
}

/* ---- Whom it looks at ---- */

static void test_only_what_suspects_reach_is_looked_at(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *a = new_ring(m, 100), *b = new_ring(m, 10);
    expect_collection(m, 0, 0);
    touch(m, b);
    expect_collection(m, 10, 0);
    expect_collection(m, 0, 0);
    hm_store(m, b, 1, a);
    touch(m, b);
    expect_collection(m, 110, 0);
    hm_release(m, b);
    expect_collection(m, 110, 10);
    assert_int_equal(a->count, 2);
    hm_release(m, a);
    expect_collection(m, 100, 100);
    shut();
}

static void test_suspect_that_gains_a_reference_is_not_looked_at(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *ring = new_ring(m, 5);
    touch(m, ring);
    hm_retain(m, ring);
    expect_collection(m, 0, 0);
    hm_release(m, ring);
    expect_collection(m, 5, 0);
    hm_release(m, ring);
    expect_collection(m, 5, 5);
    shut();
}

static void test_suspect_that_dies_is_freed_at_once(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    touch(m, list);
    assert_int_equal(m->suspected, 1);
    hm_release(m, list);
    assert_false(is_live(list));
    assert_int_equal(m->suspected, 0);
    expect_collection(m, 0, 0);
    shut();
}

static void test_leaves_are_no_suspects(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *leaf = hm_new(m, &leaf_type);
    touch(m, leaf);
    assert_int_equal(m->suspected, 0);
    hm_release(m, leaf);
    shut();
}

/* The last reference from outside goes with the death of who had it. */
static void test_child_that_outlives_its_holder_is_a_suspect(void **state) {
    (void)state;
    for (uint32_t length = 1; length < 4; length++) {
        struct hm_mutator *m = open_quiet();
        struct hm_object *holder = hm_new_array(m, &list_type, length);
        hm_init_store(m, holder, length - 1, new_ring(m, 3));
        hm_release(m, holder);
        expect_collection(m, 3, 3);
        shut();
    }
}

static void test_cycle_that_is_closed_by_handing_over_is_found(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *self = hm_new_array(m, &list_type, 1);
    hm_init_store(m, self, 0, self);
    expect_collection(m, 1, 1);
    struct hm_object *a = hm_new_array(m, &list_type, 1), *b = hm_new_array(m, &list_type, 1);
    hm_init_store(m, a, 0, b);
    hm_init_store(m, b, 0, a);
    expect_collection(m, 2, 2);
    shut();
}

static void test_what_is_handed_over_to_a_fresh_object_is_no_suspect(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *list = NULL;
    for (int i = 0; i < 100; i++) {
        struct hm_object *next = hm_new_array(m, &list_type, 2);
        hm_init_store(m, next, 0, list);
        hm_init_store(m, next, 1, hm_new_array(m, &list_type, 1));
        list = next;
    }
    assert_int_equal(m->suspected, 0);
    hm_release(m, list);
    shut();
}

/* ---- When it collects ---- */

static void test_allocation_above_the_limit_collects(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(10, ON);
    leak_self_cycles(m, 11);
    assert_int_equal(fixture.pauses, 0);
    leak_self_cycles(m, 1);
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(fixture.generation, 2);
    assert_int_equal(fixture.freed, 11);
    assert_int_equal(hm_collect(m, 0), 1);
    shut();
}

static void test_limit_is_a_quarter_of_what_was_kept_but_not_below_a_thousand(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(0, ON);
    assert_int_equal(m->limit, 1000);
    struct hm_object *ring = new_ring(m, 8000);
    touch(m, ring);
    leak_self_cycles(m, 10);
    expect_collection(m, 8010, 10);
    assert_int_equal(m->limit, 2000);
    leak_self_cycles(m, 2001);
    assert_int_equal(fixture.pauses, 1);
    leak_self_cycles(m, 1);
    assert_int_equal(fixture.pauses, 2);
    assert_int_equal(m->limit, 1000);
    struct hm_object *small = new_ring(m, 3999);
    touch(m, small);
    hm_collect(m, 2);
    assert_int_equal(m->limit, 1000);
    hm_release(m, small);
    hm_release(m, ring);
    expect_collection(m, 11999, 11999);
    shut();
}

static void test_nothing_collects_by_itself_when_automatic_is_off(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    const struct hm_gc_control *control = fixture.collector->control;
    leak_self_cycles(m, 2000);
    fixture.heap.allowed = 0;
    assert_null(hm_new(m, &leaf_type));
    assert_int_equal(fixture.pauses, 0);
    assert_false(control->is_enabled(fixture.gc));
    control->enable(fixture.gc, true);
    fixture.heap.allowed = 1;
    hm_release(m, hm_new(m, &leaf_type));
    assert_int_equal(fixture.freed, 2000);
    shut();
}

/* ---- What it finds ---- */

enum {
    NODES = 2000,
    SLOTS = 4,
};

/* A random graph, and what a naive mark and count say of it. */
static struct {
    struct hm_object *nodes[NODES];
    int slots[NODES][SLOTS]; /* -1: nothing */
    bool held[NODES], reachable[NODES];
} graph;

static void naive_mark(int n) {
    if (n < 0 || graph.reachable[n])
        return;
    graph.reachable[n] = true;
    for (int i = 0; i < SLOTS; i++)
        naive_mark(graph.slots[n][i]);
}

static void build_graph(struct hm_mutator *m, unsigned seed) {
    struct hm_random random = hm_random_of(seed, 0);
    for (int n = 0; n < NODES; n++)
        graph.nodes[n] = hm_new_array(m, &list_type, SLOTS);
    for (int n = 0; n < NODES; n++)
        for (uint32_t i = 0; i < SLOTS; i++) {
            bool set = hm_random_below(&random, 4) == 0;
            int to = set ? (int)hm_random_below(&random, NODES) : -1;
            graph.slots[n][i] = to;
            hm_store(m, graph.nodes[n], i, set ? graph.nodes[to] : NULL);
        }
}

static void release_but(struct hm_mutator *m, int step) {
    memset(graph.reachable, 0, sizeof graph.reachable);
    for (int n = 0; n < NODES; n++) {
        graph.held[n] = n % step == 0;
        if (!graph.held[n])
            hm_release(m, graph.nodes[n]);
    }
    for (int n = 0; n < NODES; n++)
        if (graph.held[n])
            naive_mark(n);
}

static void check_graph(void) {
    static uint32_t counts[NODES];
    for (int n = 0; n < NODES; n++)
        counts[n] = graph.held[n];
    for (int n = 0; n < NODES; n++)
        for (int i = 0; i < SLOTS; i++)
            if (graph.reachable[n] && graph.slots[n][i] >= 0)
                counts[graph.slots[n][i]]++;
    for (int n = 0; n < NODES; n++) {
        assert_int_equal(is_live(graph.nodes[n]), graph.reachable[n]);
        if (graph.reachable[n])
            assert_int_equal(graph.nodes[n]->count, counts[n]);
    }
}

/* The collections get no memory. */
static void test_random_graphs_are_collected_without_memory(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 12; seed++) {
        struct hm_mutator *m = open_quiet();
        build_graph(m, seed);
        release_but(m, seed % 3 ? 7 : NODES);
        fixture.heap.allowed = 0;
        hm_collect(m, 2);
        check_graph();
        expect_collection(m, 0, 0);
        for (int n = 0; n < NODES; n++)
            if (graph.held[n])
                hm_release(m, graph.nodes[n]);
        hm_collect(m, 2);
        shut();
    }
}

static void test_garbage_lets_go_of_leaves_and_of_what_is_held(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *own = hm_new(m, &leaf_type), *shared = hm_new(m, &leaf_type);
    struct hm_object *held = new_ring(m, 3), *garbage = new_ring(m, 2);
    struct hm_object *list = hm_new_array(m, &list_type, 3);
    hm_init_store(m, list, 0, own);
    hm_store(m, list, 1, shared);
    hm_store(m, list, 2, held);
    hm_init_store(m, garbage, 1, list);
    hm_release(m, garbage);
    expect_collection(m, 6, 3);
    assert_false(is_live(own));
    assert_int_equal(shared->count, 1);
    assert_int_equal(held->count, 2);
    assert_int_equal(m->suspected, 0);
    hm_release(m, shared);
    hm_release(m, held);
    expect_collection(m, 3, 3);
    shut();
}

static void test_immortal_object_is_held(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = new_self_cycle(m, &list_type);
    assert_true(hm_immortalize(m, object));
    hm_release(m, object);
    expect_collection(m, 1, 0);
    assert_true(is_live(object));
    shut();
}

static void test_block_of_garbage_may_be_kept_for_the_next_of_its_type(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "kept", .slots = 1, .free_list = 1, .kept = 1};
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = new_self_cycle(m, &type);
    hm_release(m, object);
    hm_release(m, new_self_cycle(m, &type));
    expect_collection(m, 2, 2);
    assert_int_equal(fixture.heap.live_blocks, 2);
    assert_ptr_equal(hm_new(m, &type), object);
    hm_release(m, object);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.allocated_objects, 3);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    shut();
}

static void test_close_frees_garbage_that_is_not_collected_yet(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *ring = new_ring(m, 5);
    struct hm_object *leaf = hm_new(m, &leaf_type);
    hm_store(m, ring, 1, leaf);
    hm_store(m, hm_load(ring, 0), 1, leaf);
    hm_release(m, leaf);
    hm_release(m, ring);
    assert_int_equal(fixture.heap.live_blocks, 1 + 6);
    shut();
}

/* ---- Types with passes of their own ---- */

static int traverse_first(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    struct hm_object *first = hm_load(object, 0);
    return first ? visit(first, arg) : 0;
}

static void test_slot_that_traverse_leaves_out_counts_as_outside(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "half", .slots = 2, .traverse = traverse_first};
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = new_self_cycle(m, &type), *ring = new_ring(m, 2);
    hm_store(m, object, 1, object);
    hm_release(m, object);
    expect_collection(m, 1, 0);
    hm_store(m, object, 1, ring);
    expect_collection(m, 1, 1);
    assert_int_equal(ring->count, 2);
    hm_release(m, ring);
    expect_collection(m, 2, 2);
    shut();
}

static int clears;

static void clear_second_time(struct hm_mutator *m, struct hm_object *object) {
    if (clears++)
        hm_store(m, object, 0, NULL);
}

static void test_what_clear_does_not_kill_is_looked_at_again(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "stubborn", .slots = 1, .clear = clear_second_time};
    struct hm_mutator *m = open_quiet();
    clears = 0;
    struct hm_object *object = new_self_cycle(m, &type);
    hm_release(m, object);
    expect_collection(m, 1, 1);
    assert_true(is_live(object));
    assert_int_equal(object->count, 1);
    expect_collection(m, 1, 1);
    assert_false(is_live(object));
    shut();
}

/* ---- Weak references ---- */

static struct {
    int calls;
    int finalizers;
    struct hm_object *called;
    struct hm_object *kept;
    struct hm_object *weak;
} seen;

static void note_call(struct hm_mutator *m, struct hm_object *reference) {
    assert_null(hm_weak_get(m, reference));
    assert_int_equal(seen.finalizers, 0);
    assert_int_equal(hm_collect(m, 2), 0);
    seen.calls++;
    seen.called = reference;
    leak_self_cycles(m, 2);
}

static struct hm_mutator *open_seeing(void) {
    memset(&seen, 0, sizeof seen);
    return open_quiet();
}

static void test_weak_reference_to_garbage_is_cleared_and_called(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    struct hm_object *object = new_self_cycle(m, &target_type);
    struct hm_object *weak = hm_weak_new(m, object, note_call);
    touch(m, object);
    expect_collection(m, 1, 0);
    assert_ptr_equal(hm_weak_get(m, weak), object);
    hm_release(m, object);
    hm_release(m, object);
    expect_collection(m, 1, 1);
    assert_int_equal(seen.calls, 1);
    assert_ptr_equal(seen.called, weak);
    assert_int_equal(weak->count, 1);
    hm_release(m, weak);
    assert_int_equal(hm_collect(m, 2), 2);
    shut();
}

/* A ring of target and weak reference. */
static void test_callback_of_a_reference_that_is_garbage_does_not_run(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    struct hm_object *target = hm_new(m, &target_type), *live = hm_new(m, &target_type);
    struct hm_object *weak = hm_weak_new(m, target, note_call);
    struct hm_object *other = hm_weak_new(m, live, note_call);
    hm_init_store(m, target, 0, weak);
    hm_init_store(m, weak, 0, other);
    hm_store(m, other, 0, target);
    hm_release(m, target);
    expect_collection(m, 3, 3);
    assert_int_equal(seen.calls, 0);
    assert_null(*hm_weak_list(live));
    hm_release(m, live);
    shut();
}

/* ---- Finalizers ---- */

static void keep(struct hm_mutator *m, struct hm_object *object) {
    seen.finalizers++;
    hm_retain(m, object);
    seen.kept = object;
    assert_int_equal(hm_collect(m, 2), 0);
    assert_true(!seen.weak || !hm_weak_get(m, seen.weak));
}

static const struct hm_type keeping_type = {
    .name = "keeping", .slots = 2, .weakable = true, .finalize = keep};

static void test_resurrected_object_keeps_what_it_reaches_and_nothing_else(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    struct hm_object *object = new_self_cycle(m, &keeping_type), *cargo = new_ring(m, 3);
    seen.weak = hm_weak_new(m, object, note_call);
    hm_init_store(m, object, 1, cargo);
    leak_self_cycles(m, 7);
    hm_release(m, object);
    expect_collection(m, 11, 7);
    assert_ptr_equal(seen.kept, object);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(object->count, 2);
    assert_int_equal(cargo->count, 2);
    assert_int_equal(hm_collect(m, 2), 2);
    hm_release(m, object);
    expect_collection(m, 4, 4);
    assert_int_equal(seen.finalizers, 1);
    hm_release(m, seen.weak);
    shut();
}

static void keep_weak(struct hm_mutator *m, struct hm_object *object) {
    seen.finalizers++;
    hm_retain(m, hm_load(object, 0));
    seen.kept = hm_load(object, 0);
}

static const struct hm_type weak_keeping_type = {
    .name = "weak keeping", .slots = 2, .finalize = keep_weak};

/* Though its target is alive. */
static void test_weak_reference_that_was_garbage_is_cleared_if_it_comes_back(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    struct hm_object *target = hm_new(m, &target_type), *object = hm_new(m, &weak_keeping_type);
    hm_init_store(m, object, 0, hm_weak_new(m, target, note_call));
    hm_store(m, object, 1, object);
    hm_release(m, object);
    expect_collection(m, 2, 1);
    assert_int_equal(seen.finalizers, 1);
    assert_null(hm_weak_get(m, seen.kept));
    assert_null(*hm_weak_list(target));
    hm_release(m, seen.kept);
    hm_release(m, target);
    shut();
}

/* Nobody lets go of the new object: it goes from the finalizer's hands into the old one. */
static void hang_on_new_garbage(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    seen.finalizers++;
    hm_store(m, list, 0, object);
    hm_init_store(m, object, 1, list);
}

static void test_garbage_that_hangs_on_new_garbage_is_found_later(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "hanging", .slots = 2, .finalize = hang_on_new_garbage};
    struct hm_mutator *m = open_seeing();
    hm_release(m, new_self_cycle(m, &type));
    expect_collection(m, 1, 0);
    expect_collection(m, 2, 2);
    assert_int_equal(seen.finalizers, 1);
    shut();
}

static void touch_neighbours(struct hm_mutator *m, struct hm_object *object) {
    seen.finalizers++;
    touch(m, hm_load(object, 0));
    touch(m, hm_load(object, 1));
}

static void test_garbage_that_finalizers_touch_stays_garbage(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "touching", .slots = 2, .finalize = touch_neighbours};
    struct hm_mutator *m = open_seeing();
    struct hm_object *a = hm_new(m, &type), *b = hm_new(m, &type);
    hm_store(m, a, 0, b);
    hm_store(m, a, 1, a);
    hm_init_store(m, b, 0, a);
    hm_release(m, b);
    hm_store(m, b, 1, b);
    touch(m, a);
    expect_collection(m, 2, 2);
    assert_int_equal(seen.finalizers, 2);
    shut();
}

static void break_cycle(struct hm_mutator *m, struct hm_object *object) {
    seen.finalizers++;
    hm_store(m, object, 0, NULL);
}

static void test_what_dies_in_a_finalizer_is_not_counted(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "breaker", .slots = 1, .finalize = break_cycle};
    struct hm_mutator *m = open_seeing();
    struct hm_object *a = hm_new(m, &type), *b = hm_new(m, &type);
    hm_init_store(m, a, 0, b);
    hm_store(m, b, 0, a);
    hm_release(m, a);
    expect_collection(m, 2, 0);
    assert_int_equal(seen.finalizers, 2);
    shut();
}

static void hold_oneself(struct hm_mutator *m, struct hm_object *object) {
    seen.finalizers++;
    hm_store(m, object, 0, object);
}

static void test_cycle_that_a_finalizer_makes_of_a_dying_object_is_found(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "selfish", .slots = 1, .finalize = hold_oneself};
    struct hm_mutator *m = open_seeing();
    struct hm_object *object = hm_new(m, &type);
    hm_release(m, object);
    assert_true(is_live(object));
    expect_collection(m, 1, 1);
    assert_int_equal(seen.finalizers, 1);
    shut();
}

static void test_legacy_finalizers_keep_what_they_need(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "legacy", .slots = 2, .legacy_finalizer = true, .finalize = break_cycle};
    struct hm_mutator *m = open_seeing();
    struct hm_gc_generation_stats stats[3];
    struct hm_object *object = new_self_cycle(m, &type);
    hm_init_store(m, object, 1, new_ring(m, 2));
    leak_self_cycles(m, 5);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 5 + 3);
    assert_int_equal(seen.finalizers, 0);
    fixture.collector->control->get_stats(fixture.gc, stats);
    assert_int_equal(stats[2].collected, 5);
    assert_int_equal(stats[2].uncollectable, 3);
    hm_store(m, object, 0, NULL);
    assert_int_equal(seen.finalizers, 1);
    assert_int_equal(hm_collect(m, 2), 2);
    shut();
}

/* ---- Telling ---- */

static void tell(void *arg, bool stop, int generation, uint64_t collected, uint64_t uncollectable) {
    assert_int_equal(generation, 2);
    assert_int_equal(collected, stop ? 3 : 0);
    assert_int_equal(uncollectable, 0);
    assert_int_equal(fixture.pausing, 0);
    assert_int_equal(hm_collect(fixture.m, 2), 0);
    ++*(int *)arg;
}

static void test_callback_is_told_before_and_after(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    int calls = 0;
    fixture.collector->control->set_callback(fixture.gc, tell, &calls);
    leak_self_cycles(m, 3);
    assert_int_equal(hm_collect(m, 0), 3);
    assert_int_equal(calls, 2);
    fixture.collector->control->set_callback(fixture.gc, NULL, NULL);
    assert_int_equal(hm_collect(m, 1), 0);
    assert_int_equal(calls, 2);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.collections[2], 2);
    assert_int_equal(s.collected, 3);
    assert_int_equal(s.visited, 3);
    shut();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_suspects_reach_is_looked_at),
        cmocka_unit_test(test_suspect_that_gains_a_reference_is_not_looked_at),
        cmocka_unit_test(test_suspect_that_dies_is_freed_at_once),
        cmocka_unit_test(test_leaves_are_no_suspects),
        cmocka_unit_test(test_child_that_outlives_its_holder_is_a_suspect),
        cmocka_unit_test(test_cycle_that_is_closed_by_handing_over_is_found),
        cmocka_unit_test(test_what_is_handed_over_to_a_fresh_object_is_no_suspect),
        cmocka_unit_test(test_allocation_above_the_limit_collects),
        cmocka_unit_test(test_limit_is_a_quarter_of_what_was_kept_but_not_below_a_thousand),
        cmocka_unit_test(test_nothing_collects_by_itself_when_automatic_is_off),
        cmocka_unit_test(test_random_graphs_are_collected_without_memory),
        cmocka_unit_test(test_garbage_lets_go_of_leaves_and_of_what_is_held),
        cmocka_unit_test(test_immortal_object_is_held),
        cmocka_unit_test(test_block_of_garbage_may_be_kept_for_the_next_of_its_type),
        cmocka_unit_test(test_close_frees_garbage_that_is_not_collected_yet),
        cmocka_unit_test(test_slot_that_traverse_leaves_out_counts_as_outside),
        cmocka_unit_test(test_what_clear_does_not_kill_is_looked_at_again),
        cmocka_unit_test(test_weak_reference_to_garbage_is_cleared_and_called),
        cmocka_unit_test(test_callback_of_a_reference_that_is_garbage_does_not_run),
        cmocka_unit_test(test_resurrected_object_keeps_what_it_reaches_and_nothing_else),
        cmocka_unit_test(test_weak_reference_that_was_garbage_is_cleared_if_it_comes_back),
        cmocka_unit_test(test_garbage_that_hangs_on_new_garbage_is_found_later),
        cmocka_unit_test(test_garbage_that_finalizers_touch_stays_garbage),
        cmocka_unit_test(test_what_dies_in_a_finalizer_is_not_counted),
        cmocka_unit_test(test_cycle_that_a_finalizer_makes_of_a_dying_object_is_found),
        cmocka_unit_test(test_legacy_finalizers_keep_what_they_need),
        cmocka_unit_test(test_callback_is_told_before_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

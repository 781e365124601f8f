/* What marksweep promises beyond the conformance suite: when it collects, that marking needs no memory,
 * and what happens to finalizers and weak references, in which order. */
#define HM_COLLECTOR_HEADER "collectors/marksweep.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

enum {
    PARAM_HEAP,
    PARAM_MIN,
    PARAM_AUTO,
};

/* The indexes of the words of `auto`. */
enum automatic {
    ON,
    OFF,
};

static struct fixture fixture;

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};
static const struct hm_type pair_type = {.name = "pair", .slots = 2};
static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type target_type = {.name = "target", .slots = 1, .weakable = true};

/* What a pair takes of the heap. */
#define PAIR_BYTES (sizeof(struct hm_object) + 3 * sizeof(void *))

static struct hm_mutator *open_with(int64_t heap, int64_t min, enum automatic automatic) {
    fixture_prepare(&fixture, hm_collector_find("marksweep"));
    fixture.params[PARAM_HEAP].number = heap;
    fixture.params[PARAM_MIN].number = min;
    fixture.params[PARAM_AUTO].number = automatic;
    fixture_open(&fixture);
    return fixture.m;
}

static struct hm_mutator *open_quiet(void) {
    return open_with(2, 1 << 20, OFF);
}

/* Close, and nothing is left. */
static void shut(void) {
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static struct hm_object *push_pair(struct hm_mutator *m, struct hm_object *list) {
    hm_root(m, &list);
    struct hm_object *pair = hm_new(m, &pair_type);
    assert_non_null(pair);
    hm_init_store(m, pair, 0, list);
    hm_unroot(m, 1);
    return pair;
}

static struct hm_object *new_list(struct hm_mutator *m, int length) {
    struct hm_object *list = NULL;
    while (length--)
        list = push_pair(m, list);
    return list;
}

/* ---- When it collects ---- */

/* @return pairs that can be allocated before one collects */
static int pairs_until_collection(struct hm_mutator *m) {
    int pauses = fixture.pauses, pairs = 0;
    for (;; pairs++) {
        assert_non_null(hm_new(m, &pair_type));
        if (fixture.pauses > pauses)
            return pairs;
    }
}

static void test_no_collection_is_due_below_the_least_size(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(2, 100 * PAIR_BYTES, ON);
    assert_int_equal(pairs_until_collection(m), 100);
    assert_int_equal(fixture.freed, 100);
    assert_int_equal(fixture.generation, 2);
    assert_int_equal(fixture_stats(&fixture).freed_bytes, 100 * PAIR_BYTES);
    shut();
}

static void heap_may_grow(int64_t factor) {
    struct hm_mutator *m = open_with(factor, 100 * PAIR_BYTES, ON);
    struct hm_object *list = new_list(m, 99);
    hm_root(m, &list);
    assert_int_equal(fixture.pauses, 0);
    assert_int_equal(hm_collect(m, 2), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pairs_until_collection(m), 99 * (factor - 1) - (i ? 1 : 0));
        assert_int_equal(fixture.visited, 99 * factor);
        assert_int_equal(fixture.freed, 99 * (factor - 1));
    }
    hm_unroot(m, 1);
    shut();
}

static void test_heap_may_grow_to_a_multiple_of_what_is_live(void **state) {
    (void)state;
    heap_may_grow(2);
    heap_may_grow(5);
}

static void test_object_larger_than_the_limit_is_allocated(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(2, 0, ON);
    struct hm_object *array = hm_new_array(m, &array_type, 10000);
    assert_non_null(array);
    hm_root(m, &array);
    assert_non_null(hm_new(m, &pair_type));
    assert_true(is_live(array));
    hm_unroot(m, 1);
    shut();
}

static void test_nothing_collects_by_itself_when_automatic_is_off(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(2, 0, OFF);
    const struct hm_gc_control *control = fixture.collector->control;
    new_list(m, 1000);
    fixture.heap.allowed = 0;
    assert_null(hm_new(m, &pair_type));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(fixture.pauses, 0);
    assert_false(control->is_enabled(fixture.gc));
    control->enable(fixture.gc, true);
    fixture.heap.allowed = 1;
    assert_non_null(hm_new(m, &pair_type));
    assert_int_equal(fixture.pauses, 1);
    assert_int_equal(fixture.freed, 1000);
    shut();
}

static void test_collect_returns_all_unreachable_objects_whatever_generation(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    for (int generation = 0; generation < 3; generation++) {
        struct hm_object *list = new_list(m, 10);
        hm_root(m, &list);
        hm_store(m, list, 1, hm_new(m, &leaf_type));
        assert_int_equal(hm_collect(m, generation), 0);
        assert_int_equal(fixture.visited, 11);
        list = NULL;
        assert_int_equal(hm_collect(m, generation), 11);
        assert_int_equal(fixture.freed, 11);
        hm_unroot(m, 1);
    }
    struct hm_gc_generation_stats stats[3];
    fixture.collector->control->get_stats(fixture.gc, stats);
    assert_int_equal(stats[2].collections, 6);
    assert_int_equal(stats[2].collected, 33);
    assert_int_equal(stats[0].collections + stats[1].collections, 0);
    shut();
}

/* ---- The log ---- */

static void test_log_shrinks_and_grows_with_the_objects(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *array = hm_new_array(m, &array_type, 5000);
    hm_root(m, &array);
    for (unsigned step = 1; step < 6; step++) {
        for (uint32_t i = 0; i < hm_length(array); i++) {
            struct hm_object *leaf = hm_new(m, &leaf_type);
            if (i % step == 0)
                hm_store(m, array, i, leaf);
        }
        hm_collect(m, 2);
        struct hm_gc_stats s = fixture_stats(&fixture);
        uint64_t objects = s.allocated_objects - s.freed_objects;
        uint64_t pages = objects / HM_LOG_OBJECTS + 1;
        assert_int_equal(objects, 5001);
        assert_in_range(fixture.heap.live_blocks, objects + 2, objects + 2 + pages);
    }
    hm_unroot(m, 1);
    shut();
}

/* ---- Roots ---- */

static void deep_roots(struct hm_mutator *m, int depth) {
    struct hm_object *pair = hm_new(m, &pair_type);
    hm_root(m, &pair);
    if (depth > 1)
        deep_roots(m, depth - 1);
    else
        assert_int_equal(hm_collect(m, 2), 0);
    assert_true(is_live(pair));
    hm_unroot(m, 1);
}

static void test_there_may_be_any_number_of_roots(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    deep_roots(m, 1000);
    assert_int_equal(fixture.visited, 1000);
    assert_int_equal(hm_collect(m, 2), 1000);
    shut();
}

static void test_nothing_is_collected_while_a_root_is_lost(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(2, 0, ON);
    struct hm_object *variables[HM_MARKSWEEP_FEW + 2] = {NULL};
    for (int i = 1; i < HM_MARKSWEEP_FEW; i++)
        hm_root(m, &variables[i]);
    struct hm_object *held = variables[HM_MARKSWEEP_FEW] = new_list(m, 1);
    hm_root(m, &variables[0]);
    fixture.heap.allowed = 0;
    hm_root(m, &variables[HM_MARKSWEEP_FEW]);
    fixture.heap.allowed = 1000;
    hm_root(m, &variables[HM_MARKSWEEP_FEW + 1]);
    int pauses = fixture.pauses;
    assert_int_equal(hm_collect(m, 2), 0);
    variables[0] = new_list(m, 10);
    assert_int_equal(fixture.pauses, pauses);
    assert_true(is_live(held));
    hm_unroot(m, 2);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_false(is_live(held));
    hm_unroot(m, HM_MARKSWEEP_FEW);
    shut();
}

static void test_immortal_object_and_what_it_holds_stay(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *list = new_list(m, 3);
    fixture.heap.allowed = 0;
    assert_false(hm_immortalize(m, list));
    fixture.heap.allowed = UINT64_MAX;
    assert_true(hm_immortalize(m, list));
    assert_int_equal(hm_collect(m, 2), 0);
    hm_store(m, list, 0, NULL);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_true(is_live(list));
    shut();
}

/* ---- Marking without memory ---- */

enum {
    NODES = 3000,
    SLOTS = 4,
};

/* A random graph, and what a naive mark says of it. */
static struct {
    struct hm_object *nodes[NODES];
    int slots[NODES][SLOTS]; /* -1: nothing */
    bool reachable[NODES];
} graph;

static void naive_mark(int n) {
    if (n < 0 || graph.reachable[n])
        return;
    graph.reachable[n] = true;
    for (int i = 0; i < SLOTS; i++)
        naive_mark(graph.slots[n][i]);
}

/* All nodes are held by the hub while it is built. */
static void build_graph(struct hm_mutator *m, struct hm_object *hub, unsigned seed) {
    struct hm_random random = hm_random_of(seed, 0);
    for (int n = 0; n < NODES; n++) {
        graph.nodes[n] = hm_new_array(m, &array_type, SLOTS);
        hm_store(m, hub, (uint32_t)n, graph.nodes[n]);
    }
    for (int n = 0; n < NODES; n++)
        for (uint32_t i = 0; i < SLOTS; i++) {
            bool set = hm_random_below(&random, 4) == 0;
            int to = set ? (int)hm_random_below(&random, NODES) : -1;
            graph.slots[n][i] = to;
            hm_store(m, graph.nodes[n], i, set ? graph.nodes[to] : NULL);
        }
}

/* Let go of some: the hub keeps every `step`-th. */
static void thin_out(struct hm_mutator *m, struct hm_object *hub, int step) {
    memset(graph.reachable, 0, sizeof graph.reachable);
    for (int n = 0; n < NODES; n++)
        if (n % step == 0)
            naive_mark(n);
        else
            hm_store(m, hub, (uint32_t)n, NULL);
}

static void check_graph(void) {
    for (int n = 0; n < NODES; n++) {
        assert_int_equal(is_live(graph.nodes[n]), graph.reachable[n]);
        for (uint32_t i = 0; i < SLOTS && graph.reachable[n]; i++) {
            int to = graph.slots[n][i];
            assert_ptr_equal(hm_load(graph.nodes[n], i), to < 0 ? NULL : graph.nodes[to]);
        }
    }
}

/* @param allowed pages that the stack gets */
static void mark_random_graph(unsigned seed, int step, uint64_t allowed) {
    struct hm_mutator *m = open_quiet();
    struct hm_object *hub = hm_new_array(m, &array_type, NODES);
    hm_root(m, &hub);
    build_graph(m, hub, seed);
    thin_out(m, hub, step);
    fixture.heap.allowed = allowed;
    hm_collect(m, 2);
    check_graph();
    assert_int_equal(hm_collect(m, 2), 0);
    check_graph();
    hub = NULL;
    hm_collect(m, 2);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    hm_unroot(m, 1);
    shut();
}

static void test_marking_finds_the_same_with_any_memory(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 6; seed++)
        for (uint64_t allowed = 0; allowed < 8; allowed++)
            mark_random_graph(seed, seed % 2 ? 1 : 5, allowed);
}

/* So wide that the stack is full, and each slot leads to a deep list, which goes back to the start. */
static void test_deep_structures_are_marked_without_memory(void **state) {
    (void)state;
    enum {
        WIDE = 600,
        DEEP = 60000,
    };
    struct hm_mutator *m = open_quiet();
    struct hm_object *array = hm_new_array(m, &array_type, WIDE);
    hm_root(m, &array);
    for (uint32_t i = 0; i < WIDE; i++)
        hm_store(m, array, i, new_list(m, i % 200 == 199 ? DEEP : 1));
    hm_store(m, hm_load(array, WIDE - 1), 1, array);
    fixture.heap.allowed = 0;
    assert_int_equal(hm_collect(m, 2), 0);
    array = NULL;
    assert_int_equal(hm_collect(m, 2), 1 + WIDE - 3 + 3 * DEEP);
    hm_unroot(m, 1);
    shut();
}

/* ---- Weak references ---- */

static struct {
    int calls;
    int finalizers;
    struct hm_object *called[4];
    struct hm_object *kept; /* rooted */
    struct hm_object *weak; /* rooted */
} seen;

static void note_call(struct hm_mutator *m, struct hm_object *reference) {
    assert_null(hm_weak_get(m, reference));
    assert_int_equal(seen.finalizers, 0);
    assert_int_equal(hm_collect(m, 2), 0);
    seen.called[seen.calls++] = reference;
    assert_non_null(hm_new(m, &pair_type));
}

static struct hm_mutator *open_seeing(void) {
    struct hm_mutator *m = open_quiet();
    memset(&seen, 0, sizeof seen);
    hm_root(m, &seen.kept);
    hm_root(m, &seen.weak);
    return m;
}

static void shut_seeing(struct hm_mutator *m) {
    hm_unroot(m, 2);
    shut();
}

static void test_weak_reference_to_garbage_is_cleared_and_called(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &target_type);
    seen.weak = hm_weak_new(m, seen.kept, note_call);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_ptr_equal(hm_weak_get(m, seen.weak), seen.kept);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.calls, 1);
    assert_ptr_equal(seen.called[0], seen.weak);
    assert_null(hm_weak_get(m, seen.weak));
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.calls, 1);
    shut_seeing(m);
}

static void test_callbacks_run_for_the_newest_reference_first(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    struct hm_object *array = hm_new_array(m, &array_type, 3);
    hm_root(m, &array);
    seen.kept = hm_new(m, &target_type);
    for (uint32_t i = 0; i < 3; i++)
        hm_store(m, array, i, hm_weak_new(m, seen.kept, note_call));
    seen.kept = NULL;
    hm_collect(m, 2);
    assert_int_equal(seen.calls, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_ptr_equal(seen.called[i], hm_load(array, 2 - i));
    hm_unroot(m, 1);
    shut_seeing(m);
}

static void test_callback_of_a_reference_that_is_garbage_does_not_run(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &target_type);
    hm_weak_new(m, seen.kept, note_call);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 2);
    assert_int_equal(seen.calls, 0);
    shut_seeing(m);
}

static void test_garbage_references_leave_the_list_of_a_live_target(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &target_type);
    hm_weak_new(m, seen.kept, note_call);
    seen.weak = hm_weak_new(m, seen.kept, note_call);
    hm_weak_new(m, seen.kept, note_call);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_ptr_equal(*hm_weak_list(seen.kept), seen.weak);
    assert_null(hm_weak_of(seen.weak)->older);
    assert_null(hm_weak_of(seen.weak)->newer);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.calls, 1);
    shut_seeing(m);
}

/* ---- Finalizers ---- */

static void note_finalizer(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *other = hm_load(object, 0);
    seen.finalizers++;
    assert_true(is_live(other));
    assert_ptr_equal(hm_load(other, 0), object);
    assert_true(!seen.weak || !hm_weak_get(m, seen.weak));
}

static void test_finalizers_see_whole_garbage_after_the_callbacks(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "seeing", .slots = 1, .weakable = true, .finalize = note_finalizer};
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &type);
    struct hm_object *other = hm_new(m, &type);
    hm_store(m, other, 0, seen.kept);
    hm_store(m, seen.kept, 0, other);
    seen.weak = hm_weak_new(m, other, note_call);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 2);
    assert_int_equal(seen.finalizers, 2);
    assert_int_equal(seen.calls, 1);
    assert_false(is_live(other));
    shut_seeing(m);
}

static void keep(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    seen.finalizers++;
    seen.kept = object;
}

static const struct hm_type keeping_type = {
    .name = "keeping", .slots = 1, .weakable = true, .finalize = keep};

static void test_resurrected_object_keeps_what_it_reaches_and_nothing_else(void **state) {
    (void)state;
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &keeping_type);
    hm_store(m, seen.kept, 0, new_list(m, 3));
    seen.weak = hm_weak_new(m, seen.kept, NULL);
    new_list(m, 7);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 7);
    assert_non_null(seen.kept);
    assert_true(fixture.collector->control->is_finalized(fixture.gc, seen.kept));
    assert_null(hm_weak_get(m, seen.weak));
    int length = 0;
    for (struct hm_object *o = hm_load(seen.kept, 0); o; o = hm_load(o, 0))
        length++;
    assert_int_equal(length, 3);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 4);
    assert_int_equal(seen.finalizers, 1);
    shut_seeing(m);
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
    struct hm_object *target = hm_new(m, &target_type), *object = NULL;
    hm_root(m, &target);
    hm_root(m, &object);
    object = hm_new(m, &weak_keeping_type);
    hm_store(m, object, 0, hm_weak_new(m, target, note_call));
    object = NULL;
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.finalizers, 1);
    assert_non_null(seen.kept);
    assert_null(hm_weak_get(m, seen.kept));
    assert_null(*hm_weak_list(target));
    hm_unroot(m, 2);
    shut_seeing(m);
}

static void make_garbage(struct hm_mutator *m, struct hm_object *object) {
    (void)object;
    seen.finalizers++;
    for (int i = 0; i < 1000; i++)
        assert_non_null(hm_new(m, &pair_type));
    assert_non_null(hm_new(m, &keeping_type));
    assert_int_equal(hm_collect(m, 2), 0);
}

static void test_what_finalizers_make_is_not_counted_and_finalized_in_its_turn(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "making", .finalize = make_garbage};
    struct hm_mutator *m = open_seeing();
    hm_new(m, &type);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.finalizers, 1);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 1001);
    assert_null(seen.kept);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_int_equal(seen.finalizers, 2);
    assert_ptr_equal(seen.kept->type, &keeping_type);
    shut_seeing(m);
}

static void watch_itself(struct hm_mutator *m, struct hm_object *object) {
    hm_store(m, seen.kept, 0, hm_weak_new(m, object, note_call));
}

static void test_weak_reference_made_by_a_finalizer_is_cleared_too(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "watching", .slots = 1, .weakable = true, .finalize = watch_itself};
    struct hm_mutator *m = open_seeing();
    seen.kept = hm_new(m, &target_type);
    hm_new(m, &type);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(seen.calls, 1);
    assert_null(hm_weak_get(m, hm_load(seen.kept, 0)));
    shut_seeing(m);
}

static void test_legacy_finalizers_keep_what_they_need(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "legacy", .slots = 1, .legacy_finalizer = true, .finalize = keep};
    struct hm_mutator *m = open_seeing();
    struct hm_gc_generation_stats stats[3];
    struct hm_object *object = hm_new(m, &type);
    seen.kept = object;
    hm_store(m, object, 0, new_list(m, 2));
    new_list(m, 5);
    seen.kept = NULL;
    assert_int_equal(hm_collect(m, 2), 5 + 3);
    assert_true(is_live(object));
    assert_int_equal(seen.finalizers, 0);
    fixture.collector->control->get_stats(fixture.gc, stats);
    assert_int_equal(stats[2].collected, 5);
    assert_int_equal(stats[2].uncollectable, 3);
    shut_seeing(m);
}

/* ---- Telling ---- */

struct told {
    struct hm_mutator *m;
    int calls;
    bool stopped;
    uint64_t collected;
};

static void tell(void *arg, bool stop, int generation, uint64_t collected, uint64_t uncollectable) {
    struct told *told = arg;
    told->calls++;
    told->stopped = stop;
    told->collected = collected;
    assert_int_equal(generation, 2);
    assert_int_equal(uncollectable, 0);
    assert_int_equal(fixture.pausing, 0);
    assert_int_equal(hm_collect(told->m, 2), 0);
    assert_non_null(hm_new(told->m, &pair_type));
}

static void test_callback_is_told_before_and_after(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct told told = {.m = m};
    fixture.collector->control->set_callback(fixture.gc, tell, &told);
    new_list(m, 3);
    assert_int_equal(hm_collect(m, 2), 4);
    assert_int_equal(told.calls, 2);
    assert_true(told.stopped);
    assert_int_equal(told.collected, 4);
    fixture.collector->control->set_callback(fixture.gc, NULL, NULL);
    assert_int_equal(hm_collect(m, 2), 1);
    assert_int_equal(told.calls, 2);
    shut();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_collection_is_due_below_the_least_size),
        cmocka_unit_test(test_heap_may_grow_to_a_multiple_of_what_is_live),
        cmocka_unit_test(test_object_larger_than_the_limit_is_allocated),
        cmocka_unit_test(test_nothing_collects_by_itself_when_automatic_is_off),
        cmocka_unit_test(test_collect_returns_all_unreachable_objects_whatever_generation),
        cmocka_unit_test(test_log_shrinks_and_grows_with_the_objects),
        cmocka_unit_test(test_there_may_be_any_number_of_roots),
        cmocka_unit_test(test_nothing_is_collected_while_a_root_is_lost),
        cmocka_unit_test(test_immortal_object_and_what_it_holds_stay),
        cmocka_unit_test(test_marking_finds_the_same_with_any_memory),
        cmocka_unit_test(test_deep_structures_are_marked_without_memory),
        cmocka_unit_test(test_weak_reference_to_garbage_is_cleared_and_called),
        cmocka_unit_test(test_callbacks_run_for_the_newest_reference_first),
        cmocka_unit_test(test_callback_of_a_reference_that_is_garbage_does_not_run),
        cmocka_unit_test(test_garbage_references_leave_the_list_of_a_live_target),
        cmocka_unit_test(test_finalizers_see_whole_garbage_after_the_callbacks),
        cmocka_unit_test(test_resurrected_object_keeps_what_it_reaches_and_nothing_else),
        cmocka_unit_test(test_weak_reference_that_was_garbage_is_cleared_if_it_comes_back),
        cmocka_unit_test(test_what_finalizers_make_is_not_counted_and_finalized_in_its_turn),
        cmocka_unit_test(test_weak_reference_made_by_a_finalizer_is_cleared_too),
        cmocka_unit_test(test_legacy_finalizers_keep_what_they_need),
        cmocka_unit_test(test_callback_is_told_before_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

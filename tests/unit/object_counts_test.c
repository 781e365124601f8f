/* What is known of object workloads beforehand: how many objects a unit makes, how many are alive after a
 * full collection, how much garbage is never found, and what their figures come to. */
#include "harness/plan/arm.h"
#include "harness/sim/mutators.h"
#include "tests/unit/object_cell.h"

#include <math.h>
#include <stdlib.h>

struct known {
    struct example example;
    uint64_t made; /* objects, by a unit */
    uint64_t lost; /* of these, where cyclic garbage is not found */
};

/* A tree of depth 3 and four children a node has 85 nodes, a cut of depth 2 and three children 13. A splay
 * node has 3 + 2 x 2 objects of payload at depth 1: inner node, leaves, and their integers and texts. */
static const struct known knowns[] = {
    {{"quads", {{"depth", 4}, {"heap", 10}}}, .made = 5 * 85},
    {{"splay", {{"keys", 30}, {"depth", 1}}}, .made = UINT64_C(80) * (1 + 3 + 4)},
    {{"traversal", {{"lists", 20}}}, .made = 0},
    {{"window", {{"window", 30}, {"size", 0}}}, .made = 2},
    {{"dom", {{"fanout", 3}, {"depth", 4}}}, .made = 13, .lost = 13},
    {{"dom", {{"fanout", 3}, {"depth", 4}, {"parent", 1}}}, .made = 13 + 4},
    {{"dom", {{"fanout", 3}, {"depth", 4}, {"parent", 2}}}, .made = 13},
    {{"dom", {{"fanout", 2}, {"depth", 3}, {"cut", 0}}}, .made = 1},
    {{"cyclic", {{"length", 10}, {"live", 50}}}, .made = 11, .lost = 11},
    {{"cyclic", {{"length", 10}, {"live", 50}, {"cyclic", 0}}}, .made = 11},
    {{"queue", {{"length", 20}, {"payload", 1}}}, .made = 2, .lost = 2},
    {{"fastcycles", {{"old", 30}}}, .made = 420, .lost = 420},
};
enum {
    KNOWNS = sizeof knowns / sizeof *knowns,
    UNITS = 25,
};

typedef void check_fn(const struct known *known, const struct hm_collector *collector);

static void for_each_pair(check_fn *check) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    assert_in_range(count, 1, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < KNOWNS; j++)
            check(&knowns[j], all[i]);
}

static bool is(const struct hm_collector *collector, const char *name) {
    return strcmp(collector->name, name) == 0;
}

static const struct hm_sim_mutator *functions_of(const struct cell *cell) {
    const struct hm_sim_mutator *functions = hm_sim_mutator_find(cell->collector);
    assert_non_null(functions);
    return functions;
}

static void collect(const struct cell *cell) {
    functions_of(cell)->collect(cell->run.mutator, 2);
}

/* ---- Objects ---- */

static void check_made(const struct known *known, const struct hm_collector *collector) {
    struct cell cell;
    open_cell(&cell, &known->example, collector);
    uint64_t before = stats_of(&cell).allocated_objects;
    assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
    assert_int_equal(stats_of(&cell).allocated_objects - before, UNITS * known->made);
    close_cell(&cell);
}

static void test_units_make_as_many_objects_as_known(void **state) {
    (void)state;
    for_each_pair(check_made);
}

/* What the collector says that it has left, against what the workload says that it uses. */
static void check_left(const struct known *known, const struct hm_collector *collector) {
    struct cell cell;
    uint64_t lost = 0;
    if (collector->caps & HM_GC_OWN_MEMORY) /* does not know */
        return;
    if (is(collector, "none"))
        lost = UNITS * known->made;
    else if (!(collector->caps & HM_GC_CYCLES) && !is(collector, "manual"))
        lost = UNITS * known->lost;
    open_cell(&cell, &known->example, collector);
    for (uint64_t round = 1; round <= 3; round++) {
        assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
        collect(&cell);
        assert_int_equal(unfreed(&cell), round * lost);
    }
    close_cell(&cell);
}

static void test_full_collection_leaves_what_is_live_and_nothing_else(void **state) {
    (void)state;
    for_each_pair(check_left);
}

static void check_end(const struct known *known, const struct hm_collector *collector) {
    struct cell cell;
    if (!(collector->caps & HM_GC_CYCLES) && !is(collector, "manual"))
        return;
    open_cell(&cell, &known->example, collector);
    assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
    cell.workload->teardown(&cell.run);
    collect(&cell);
    struct hm_gc_stats stats = stats_of(&cell);
    assert_int_equal(stats.allocated_objects, stats.freed_objects);
    close_collector(&cell);
}

static void test_nothing_is_left_after_teardown(void **state) {
    (void)state;
    for_each_pair(check_end);
}

/* ---- What verify sees ---- */

/* The first member of these workloads' states is a rooted object. `none` frees nothing, so that what is
 * taken away can be put back. */
static void check_seen(const struct known *known) {
    struct cell cell;
    open_cell(&cell, &known->example, hm_collector_find("none"));
    assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
    const struct hm_sim_mutator *f = functions_of(&cell);
    struct hm_object *root;
    memcpy(&root, cell.run.state, sizeof root);
    for (uint32_t slot = 0; slot < f->length(root); slot++) {
        struct hm_object *object = f->load(root, slot);
        if (!object)
            continue;
        f->store(cell.run.mutator, root, slot, NULL);
        assert_non_null(cell.workload->verify(&cell.run));
        f->store(cell.run.mutator, root, slot, object);
        assert_null(cell.workload->verify(&cell.run));
    }
    close_cell(&cell);
}

static void test_verify_sees_a_reference_that_is_lost(void **state) {
    (void)state;
    static const struct known cache = {{"lru", {{"capacity", 9}, {"keys", 30}}}, .made = 0};
    for (size_t i = 0; i < KNOWNS; i++)
        check_seen(&knowns[i]);
    check_seen(&cache);
}

/* ---- Figures ---- */

struct trash {
    double most, slope;
};

static struct trash trash_of(const char *collector, int64_t cyclic, uint64_t units) {
    const struct example example = {"cyclic", {{"length", 10}, {"live", 50}, {"cyclic", cyclic}}};
    struct cell cell;
    open_cell(&cell, &example, hm_collector_find(collector));
    figure_of(&cell, "trash_slope"); /* as at the end of the warm-up */
    assert_int_equal(cell.workload->run(&cell.run, units / 2), units / 2);
    assert_int_equal(cell.workload->run(&cell.run, units - units / 2), units - units / 2);
    double values[2] = {NAN, NAN};
    cell.workload->measure(&cell.run, values);
    assert_true(isnan(figure_of(&cell, "trash_max_objects")));
    close_cell(&cell);
    return (struct trash){values[0], values[1]};
}

static void assert_equals(double a, double b) {
    assert_true(fabs(a - b) < 1e-9);
}

static void test_trash_of_cycles_is_all_that_was_dropped_where_they_are_not_found(void **state) {
    (void)state;
    static const char *const blind[] = {"none", "refcount"};
    for (size_t i = 0; i < 2; i++) {
        struct trash trash = trash_of(blind[i], 100, 1000);
        assert_equals(trash.most, 1000 * 10);
        assert_equals(trash.slope, 1);
    }
}

static void test_trash_is_none_where_groups_die_as_they_are_dropped(void **state) {
    (void)state;
    static const char *const at_once[] = {"refcount", "generational", "trial", "cpython"};
    for (size_t i = 0; i < 4; i++) {
        struct trash trash = trash_of(at_once[i], 0, 300);
        assert_equals(trash.most, 0);
        assert_equals(trash.slope, 0);
    }
    assert_equals(trash_of("manual", 100, 300).most, 0);
    assert_equals(trash_of("manual", 100, 300).slope, 0);
}

static void test_trash_grows_by_the_part_that_is_cyclic(void **state) {
    (void)state;
    struct trash trash = trash_of("refcount", 30, 4096); /* the whole script */
    assert_true(trash.slope > 0.28 && trash.slope < 0.32);
    assert_true(trash.most > 0.28 * 40960 && trash.most < 0.32 * 40960);
}

static void test_trash_is_stable_where_cycles_are_found(void **state) {
    (void)state;
    static const char *const finding[] = {"generational", "trial", "marksweep", "cpython"};
    for (size_t i = 0; i < 4; i++) {
        struct trash trash = trash_of(finding[i], 100, 20000);
        assert_true(trash.most > 0 && trash.most < 50000);
        assert_true(fabs(trash.slope) < 0.05);
    }
}

static void test_slope_is_not_known_of_a_run_that_is_too_short(void **state) {
    (void)state;
    assert_equals(trash_of("refcount", 100, 499).most, 4990);
    assert_true(isnan(trash_of("refcount", 100, 499).slope));
    assert_equals(trash_of("refcount", 100, 500).slope, 1);
    assert_equals(trash_of("manual", 100, 20).slope, 0);
}

static void test_trash_is_not_known_where_no_finalizer_runs(void **state) {
    (void)state;
    char why[256];
    if (hm_collector_check(hm_collector_find("boehm"), why, sizeof why))
        skip();
    struct trash trash = trash_of("boehm", 100, 100);
    assert_true(isnan(trash.most));
    assert_true(isnan(trash.slope));
}

static void check_time(const char *workload, const char *figure) {
    const struct example example = {workload, {{NULL, 0}}};
    struct cell cell;
    open_cell(&cell, &example, hm_collector_find("refcount"));
    assert_true(isnan(figure_of(&cell, figure)));
    assert_int_equal(cell.workload->run(&cell.run, 2), 2);
    assert_true(figure_of(&cell, figure) > 0);
    assert_true(isnan(figure_of(&cell, figure)));
    close_cell(&cell);
}

static void test_times_are_of_what_ran_since_they_were_asked_for(void **state) {
    (void)state;
    check_time("window", "longest_insert_ns");
    check_time("splay", "step_rms_ns");
}

/* ---- Known results ---- */

/* The test that CPython had for its incremental collector: the heap may grow by less than 27,000 objects. */
static void check_growth(const char *policy, int64_t number) {
    static const struct example example = {"fastcycles", {{NULL, 0}}};
    const struct hm_collector *generational = hm_collector_find("generational");
    struct cell cell;
    prepare_cell(&cell, &example, generational);
    set_value(cell.collector_values, generational->params, "policy", number);
    set_value(cell.collector_values, generational->params, "threshold0", 200);
    open_prepared(&cell);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    uint64_t most = 0;
    for (int i = 0; i < 20000 / 20; i++) {
        assert_int_equal(cell.workload->run(&cell.run, 1), 1);
        most = unfreed(&cell) > most ? unfreed(&cell) : most;
    }
    if (most >= 27000)
        fail_msg("policy %s has let the heap grow by %llu objects", policy,
                 (unsigned long long)most);
    close_cell(&cell);
}

static void test_fast_cycles_are_found_under_every_policy(void **state) {
    (void)state;
    static const char *const policies[] = {"3.11", "full", "3.13", "incremental"};
    for (int64_t i = 0; i < 4; i++)
        check_growth(policies[i], i);
}

/* As many as two stretch trees have, at each depth, and one hole or none before each node. */
static void test_holes_are_as_often_and_as_large_as_drawn(void **state) {
    (void)state;
    static const struct example example = {"mtgcbench",
                                           {{"stretch", 10}, {"long", 8}, {"min", 4}, {"max", 8}}};
    struct cell cell;
    open_cell(&cell, &example, hm_collector_find("refcount"));
    count_clear();
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    uint64_t nodes = cell.workload->ops_per_unit(cell.values);
    assert_int_equal(nodes, 511 + 2 * (132 * 31 + 32 * 127 + 8 * 511));
    uint64_t holes = stats_of(&cell).allocated_objects - nodes - 1;
    assert_in_range(holes, nodes * 79 / 100, nodes * 91 / 100);
    assert_int_equal(counted.smallest, 16 + 8);
    close_cell(&cell);
}

/* ---- A splay tree without a tree ---- */

enum {
    KEYS = 30,
};

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Put a key into a sorted array, and take out the one in front of it, or itself.
 * @return what was taken out */
static double change(double *keys, double key) {
    size_t at = 0;
    keys[KEYS] = key;
    qsort(keys, KEYS + 1, sizeof *keys, compare);
    while (keys[at] != key)
        at++;
    size_t out = at ? at - 1 : 0;
    double taken = keys[out];
    memmove(keys + out, keys + out + 1, (KEYS - out) * sizeof *keys);
    return taken;
}

static double draw(uint64_t *at) {
    uint64_t seed = hm_mix(7 + UINT64_C(0x632be59bd9b4e019));
    return (double)(hm_mix(seed + (*at)++ * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

static void test_splay_takes_out_what_an_array_would(void **state) {
    (void)state;
    static const struct example example = {"splay", {{"keys", KEYS}, {"depth", 0}}};
    double keys[KEYS + 1];
    uint64_t at = 0;
    uint64_t checksum = 0;
    for (int i = 0; i < KEYS; i++)
        keys[i] = draw(&at);
    for (int i = 0; i < 10 * 80; i++) {
        uint64_t bits;
        double taken = change(keys, draw(&at));
        memcpy(&bits, &taken, sizeof bits);
        checksum = checksum * 31 + bits;
    }
    struct cell cell;
    open_cell(&cell, &example, hm_collector_find("refcount"));
    assert_int_equal(cell.workload->run(&cell.run, 10), 10);
    assert_true(cell.run.checksum == checksum);
    close_cell(&cell);
}

static void test_parameters_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    struct hm_value values[PARAMS];
    const struct hm_workload *dom = hm_workload_find("dom");
    set_defaults(values, dom->params);
    assert_null(dom->conflict(values));
    set_value(values, dom->params, "cut", 5);
    assert_non_null(dom->conflict(values));
    set_value(values, dom->params, "depth", 8);
    assert_null(dom->conflict(values));
    set_value(values, dom->params, "depth", 9);
    assert_non_null(dom->conflict(values));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_units_make_as_many_objects_as_known, start_afresh),
        cmocka_unit_test_setup(test_full_collection_leaves_what_is_live_and_nothing_else,
                               start_afresh),
        cmocka_unit_test_setup(test_nothing_is_left_after_teardown, start_afresh),
        cmocka_unit_test_setup(test_verify_sees_a_reference_that_is_lost, start_afresh),
        cmocka_unit_test_setup(
            test_trash_of_cycles_is_all_that_was_dropped_where_they_are_not_found, start_afresh),
        cmocka_unit_test_setup(test_trash_is_none_where_groups_die_as_they_are_dropped,
                               start_afresh),
        cmocka_unit_test_setup(test_trash_grows_by_the_part_that_is_cyclic, start_afresh),
        cmocka_unit_test_setup(test_trash_is_stable_where_cycles_are_found, start_afresh),
        cmocka_unit_test_setup(test_slope_is_not_known_of_a_run_that_is_too_short, start_afresh),
        cmocka_unit_test_setup(test_trash_is_not_known_where_no_finalizer_runs, start_afresh),
        cmocka_unit_test_setup(test_times_are_of_what_ran_since_they_were_asked_for, start_afresh),
        cmocka_unit_test_setup(test_fast_cycles_are_found_under_every_policy, start_afresh),
        cmocka_unit_test_setup(test_holes_are_as_often_and_as_large_as_drawn, start_afresh),
        cmocka_unit_test_setup(test_splay_takes_out_what_an_array_would, start_afresh),
        cmocka_unit_test_setup(test_parameters_that_contradict_each_other_are_refused,
                               start_afresh),
    };
    return cmocka_run_group_tests_name("object_counts", tests, NULL, NULL);
}

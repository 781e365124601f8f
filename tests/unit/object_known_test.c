/* What is known beforehand of the object workloads in which something special dies: how many finalizers
 * run, who survives, how long weak references have a target, what a stack must not be needed for. */
#include "tests/unit/object_cell.h"

#include <math.h>
#include <pthread.h>

static const struct hm_collector *collector_of(const char *name) {
    const struct hm_collector *collector = hm_collector_find(name);
    assert_non_null(collector);
    return collector;
}

/* Whether it is in this build. */
static bool is_here(const char *name) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->name, name) == 0)
            return true;
    return false;
}

/* @return a figure after some units */
static double figure_after(const struct example *example, const char *collector, uint64_t units,
                           const char *figure) {
    struct cell cell;
    open_cell(&cell, example, collector_of(collector));
    assert_int_equal(cell.workload->run(&cell.run, units), units);
    double value = figure_of(&cell, figure);
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
    return value;
}

static void expect_figure(const struct example *example, const char *collector, uint64_t units,
                          const char *figure, double expected) {
    if (!is_here(collector))
        return;
    double value = figure_after(example, collector, units, figure);
    assert_true(fabs(value - expected) < 1e-9);
}

/* ---- finalizers ---- */

static const char *const finding_cycles[] = {"generational", "trial", "marksweep", "freethreaded",
                                             "cpython"};
static const char *const never_finalizing[] = {"none", "manual", "boehm"};

/* test_finalization.py, check_resurrecting_chain: six calls, two survivors. */
static void test_six_finalizers_run_once_and_two_objects_survive(void **state) {
    (void)state;
    const struct example one = {"finalizers", {{"chains", 1}}};
    for (int i = 0; i < 5; i++) {
        expect_figure(&one, finding_cycles[i], 1, "finalized_percent", 100);
        expect_figure(&one, finding_cycles[i], 1, "resurrected_percent", 100.0 * 2 / 6);
        expect_figure(&one, finding_cycles[i], 7, "finalized_percent", 100);
    }
}

static void test_kinds_survive_or_do_not(void **state) {
    (void)state;
    static const double survivors[] = {NAN, 0, 100, 0, 100.0 * 34 / 100};
    for (int64_t kinds = 1; kinds < 5; kinds++)
        for (int64_t shape = 0; shape < 2; shape++)
            for (int i = 0; i < 5; i++) {
                const struct example all = {
                    "finalizers",
                    {{"kinds", kinds}, {"chains", 5}, {"length", 100}, {"shape", shape}}};
                expect_figure(&all, finding_cycles[i], 2, "finalized_percent", 100);
                expect_figure(&all, finding_cycles[i], 2, "resurrected_percent", survivors[kinds]);
            }
}

static void test_counting_alone_finalizes_chains_but_no_rings(void **state) {
    (void)state;
    const struct example ring = {"finalizers", {{"chains", 5}}};
    const struct example chain = {"finalizers", {{"chains", 5}, {"shape", 1}}};
    expect_figure(&ring, "refcount", 3, "finalized_percent", 0);
    expect_figure(&chain, "refcount", 3, "finalized_percent", 100);
    expect_figure(&chain, "refcount", 3, "resurrected_percent", 100.0 * 2 / 6);
}

static void test_who_offers_no_finalizers_runs_none(void **state) {
    (void)state;
    const struct example chain = {"finalizers", {{"chains", 5}, {"shape", 1}}};
    const struct example none = {"finalizers", {{"chains", 5}, {"kinds", 0}}};
    for (int i = 0; i < 3; i++)
        expect_figure(&chain, never_finalizing[i], 3, "finalized_percent", 0);
    assert_true(isnan(figure_after(&none, "generational", 3, "finalized_percent")));
}

/* ---- weakcache ---- */

enum {
    ASKED = 2000,
};

/* As counts are exact, a value lives just as long as it is used, whoever counts. */
static void test_cache_without_cycles_hits_what_is_used(void **state) {
    (void)state;
    static const char *const exact[] = {"manual", "generational", "trial", "cpython"};
    const struct example plain = {"weakcache", {{"keys", 90}, {"used", 9}, {"cyclic", 0}}};
    const struct example scan = {"weakcache",
                                 {{"keys", 90}, {"used", 9}, {"cyclic", 0}, {"delete", 1}}};
    double hits = figure_after(&plain, "refcount", ASKED, "hit_percent");
    assert_true(hits > 5 && hits < 95);
    for (int i = 0; i < 4; i++) {
        expect_figure(&plain, exact[i], ASKED, "hit_percent", hits);
        expect_figure(&scan, exact[i], ASKED, "hit_percent", hits);
        expect_figure(&scan, exact[i], ASKED, "deleted_percent", 0);
    }
}

/* The value that is made at a miss comes in the place of one that dies. */
static void test_callback_deletes_each_key_whose_value_died(void **state) {
    (void)state;
    static const char *const exact[] = {"manual", "refcount", "generational", "trial", "cpython"};
    const struct example one = {"weakcache", {{"keys", 90}, {"used", 1}, {"cyclic", 0}}};
    for (int i = 0; i < 5; i++) {
        if (!is_here(exact[i]))
            continue;
        double missed = 100 - figure_after(&one, exact[i], ASKED, "hit_percent");
        expect_figure(&one, exact[i], ASKED, "deleted_percent", missed);
    }
}

/* Setup has asked for `used` of them already. */
static void test_what_never_dies_is_made_once_for_each_key(void **state) {
    (void)state;
    const struct example cyclic = {"weakcache", {{"keys", 20}, {"used", 1}, {"cyclic", 100}}};
    const struct example plain = {"weakcache", {{"keys", 20}, {"used", 1}, {"cyclic", 0}}};
    const struct example used = {"weakcache", {{"keys", 20}, {"used", ASKED}}};
    const double all_but_first = 100 - 100.0 * 19 / ASKED;
    expect_figure(&cyclic, "refcount", ASKED, "hit_percent", all_but_first);
    expect_figure(&plain, "none", ASKED, "hit_percent", all_but_first);
    for (int i = 0; i < 5; i++)
        expect_figure(&used, finding_cycles[i], ASKED, "hit_percent", 100);
}

/* ---- ephemerons ---- */

static void expect_collections(const struct example *example, const char *collector,
                               double collections, double kept) {
    expect_figure(example, collector, 2, "collections_to_empty", collections);
    expect_figure(example, collector, 2, "kept_percent", kept);
}

static void test_tracer_needs_a_collection_for_each_link_of_a_weak_table(void **state) {
    (void)state;
    const struct example weak = {"ephemerons", {{"links", 30}}};
    const struct example scan = {"ephemerons", {{"links", 30}, {"delete", 1}}};
    const struct example key = {"ephemerons", {{"links", 30}, {"table", 1}}};
    expect_collections(&weak, "marksweep", 30, 0);
    expect_collections(&scan, "marksweep", 30, 0);
    expect_collections(&key, "marksweep", 1, 0);
    expect_collections(&weak, "none", 1, 100);
    expect_collections(&key, "none", 1, 100);
    expect_collections(&weak, "manual", 0, 0);
}

static void test_chain_through_a_weak_table_dies_of_its_counts(void **state) {
    (void)state;
    static const char *const counting[] = {"refcount", "generational", "trial", "cpython"};
    const struct example weak = {"ephemerons", {{"links", 2000}}};
    const struct example key = {"ephemerons", {{"links", 2000}, {"table", 1}}};
    for (int i = 0; i < 4; i++) {
        expect_collections(&weak, counting[i], 0, 0);
        expect_collections(&key, counting[i], 0, 0);
    }
}

static void test_value_that_refers_to_its_own_key_stays_in_a_weak_table(void **state) {
    (void)state;
    const struct example weak = {"ephemerons", {{"links", 30}, {"refers", 1}}};
    const struct example key = {"ephemerons", {{"links", 30}, {"refers", 1}, {"table", 1}}};
    for (int i = 0; i < 5; i++) {
        expect_collections(&weak, finding_cycles[i], 1, 100);
        expect_collections(&key, finding_cycles[i], 1, 0);
    }
    expect_collections(&weak, "refcount", 1, 100);
    expect_collections(&key, "refcount", 1, 100);
}

/* ---- deep ---- */

enum {
    STACK_BYTES = 256 << 10,
    DEEP = 200000, /* far more than a stack of that size has bytes for, one frame each */
};

/* @return NULL, or what broke */
static void *run_deep(void *arg) {
    const struct example deep = {"deep", {{"links", DEEP}}};
    struct cell cell;
    open_cell(&cell, &deep, arg);
    const char *broken = "memory ran out";
    if (cell.workload->run(&cell.run, 1) == 1)
        broken = cell.workload->verify(&cell.run);
    close_cell(&cell);
    return (void *)(uintptr_t)broken;
}

static void test_long_chain_dies_on_a_small_stack(void **state) {
    (void)state;
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, STACK_BYTES), 0);
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        if (all[i]->caps & HM_GC_ONE)
            continue;
        assert_int_equal(pthread_create(&thread, &attr, run_deep, (void *)(uintptr_t)all[i]), 0);
        void *broken;
        assert_int_equal(pthread_join(thread, &broken), 0);
        assert_null(broken);
    }
    pthread_attr_destroy(&attr);
}

/* ---- btree ---- */

/* Between the lowest and the highest number of nodes that so many records can be in. */
static void test_btree_has_as_many_nodes_as_a_btree_may_have(void **state) {
    (void)state;
    const struct example tree = {"btree", {{"records", 1000}, {"degree", 4}}};
    struct cell cell;
    open_cell(&cell, &tree, collector_of("refcount"));
    for (int i = 0; i < 5; i++) {
        uint64_t nodes = cell.workload->live_objects(&cell.run) - 1000;
        assert_in_range(nodes, 1000 / 7, 1000 / 3);
        assert_int_equal(unfreed(&cell), 0);
        assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    }
    close_cell(&cell);
}

/* Keys are unique, so any change makes one too many or too few, or breaks the check. */
static void test_btree_notices_a_record_that_was_overwritten(void **state) {
    (void)state;
    const struct example tree = {"btree", {{"records", 100}, {"degree", 3}}};
    struct cell cell;
    open_cell(&cell, &tree, collector_of("refcount"));
    assert_null(cell.workload->verify(&cell.run));
    struct block_header *block = &counted.blocks;
    while (block->size != sizeof(struct hm_object) + 2 * sizeof(uint64_t))
        block = block->newer;
    ((char *)(block + 1))[sizeof(struct hm_object)] ^= 1;
    assert_non_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

/* ---- requests ---- */

enum {
    HANDLED = 300,
};

static uint64_t left_of(const struct example *example, const char *collector) {
    struct cell cell;
    open_cell(&cell, example, collector_of(collector));
    assert_int_equal(cell.workload->run(&cell.run, HANDLED), HANDLED);
    uint64_t left = unfreed(&cell);
    close_cell(&cell);
    return left;
}

static void test_scope_leaves_no_cycle_behind(void **state) {
    (void)state;
    const struct example reference = {"requests", {{"cyclic", 50}}};
    const struct example scope = {"requests", {{"cyclic", 50}, {"end", 1}}};
    const struct example pool = {"requests", {{"cyclic", 50}, {"end", 1}, {"pool", 1}}};
    assert_in_range(left_of(&reference, "refcount"), HANDLED / 4 * 32, HANDLED * 128);
    assert_int_equal(left_of(&reference, "manual"), 0);
    assert_int_equal(left_of(&scope, "refcount"), 0);
    assert_int_equal(left_of(&pool, "refcount"), 0);
}

/* @return objects allocated for requests, after a while */
static uint64_t allocated_for(const struct example *example) {
    struct cell cell;
    open_cell(&cell, example, collector_of("refcount"));
    assert_int_equal(cell.workload->run(&cell.run, HANDLED), HANDLED);
    uint64_t before = stats_of(&cell).allocated_objects;
    assert_int_equal(cell.workload->run(&cell.run, HANDLED), HANDLED);
    uint64_t allocated = stats_of(&cell).allocated_objects - before;
    close_cell(&cell);
    return allocated;
}

/* A request of n nodes is n nodes, n texts and a scope; the pool has the nodes. */
static void test_pool_saves_the_nodes(void **state) {
    (void)state;
    const struct example scope = {"requests", {{"end", 1}}};
    const struct example pool = {"requests", {{"end", 1}, {"pool", 1}}};
    uint64_t all = allocated_for(&scope);
    uint64_t texts = (all - HANDLED) / 2;
    assert_in_range(allocated_for(&pool), texts + HANDLED, texts + HANDLED + texts / 20);
}

static void test_pool_without_scopes_is_refused(void **state) {
    (void)state;
    struct hm_value values[PARAMS];
    const struct hm_workload *workload = hm_workload_find("requests");
    set_defaults(values, workload->params);
    assert_null(workload->conflict(values));
    set_value(values, workload->params, "pool", 1);
    assert_non_null(workload->conflict(values));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_six_finalizers_run_once_and_two_objects_survive, start_afresh),
        cmocka_unit_test_setup(test_kinds_survive_or_do_not, start_afresh),
        cmocka_unit_test_setup(test_counting_alone_finalizes_chains_but_no_rings, start_afresh),
        cmocka_unit_test_setup(test_who_offers_no_finalizers_runs_none, start_afresh),
        cmocka_unit_test_setup(test_cache_without_cycles_hits_what_is_used, start_afresh),
        cmocka_unit_test_setup(test_callback_deletes_each_key_whose_value_died, start_afresh),
        cmocka_unit_test_setup(test_what_never_dies_is_made_once_for_each_key, start_afresh),
        cmocka_unit_test_setup(test_tracer_needs_a_collection_for_each_link_of_a_weak_table,
                               start_afresh),
        cmocka_unit_test_setup(test_chain_through_a_weak_table_dies_of_its_counts, start_afresh),
        cmocka_unit_test_setup(test_value_that_refers_to_its_own_key_stays_in_a_weak_table,
                               start_afresh),
        cmocka_unit_test_setup(test_long_chain_dies_on_a_small_stack, start_afresh),
        cmocka_unit_test_setup(test_btree_has_as_many_nodes_as_a_btree_may_have, start_afresh),
        cmocka_unit_test_setup(test_btree_notices_a_record_that_was_overwritten, start_afresh),
        cmocka_unit_test_setup(test_scope_leaves_no_cycle_behind, start_afresh),
        cmocka_unit_test_setup(test_pool_saves_the_nodes, start_afresh),
        cmocka_unit_test_setup(test_pool_without_scopes_is_refused, start_afresh),
    };
    return cmocka_run_group_tests_name("object_known", tests, NULL, NULL);
}

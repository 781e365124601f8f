/* Object workloads in which something special dies, on every collector: the same checksum everywhere,
 * however the run is cut; nothing is left where nothing should be, also when memory runs out. */
#include "tests/unit/object_cell.h"

#include <errno.h>

struct life {
    struct example example;
    bool cyclic;   /* some of the garbage */
    bool collects; /* at the end of each unit */
};

static const struct life lives[] = {
    {{"mtgcbench", {{"stretch", 3}, {"long", 3}, {"min", 1}, {"max", 3}}}, .cyclic = false},
    {{"quads", {{"depth", 2}, {"heap", 100}}}, .cyclic = false},
    {{"splay", {{"keys", 9}, {"depth", 0}}}, .cyclic = false},
    {{"traversal", {{"lists", 12}}}, .cyclic = false},
    {{"window", {{"window", 20}, {"size", 0}}}, .cyclic = false},
    {{"lru", {{"capacity", 10}, {"keys", 30}, {"value", 0}}}, .cyclic = false},
    {{"lru", {{"capacity", 1}, {"keys", 3}, {"skew", 1}}}, .cyclic = false},
    {{"lru", {{"capacity", 40}, {"keys", 7}}}, .cyclic = false},
    {{"dom", {{"fanout", 3}, {"depth", 3}, {"cut", 1}}}, .cyclic = true},
    {{"dom", {{"fanout", 3}, {"depth", 3}, {"cut", 2}, {"parent", 1}}}, .cyclic = false},
    {{"dom", {{"fanout", 3}, {"depth", 3}, {"cut", 0}, {"parent", 1}}}, .cyclic = false},
    {{"dom", {{"fanout", 1}, {"depth", 4}, {"cut", 2}, {"parent", 2}}}, .cyclic = false},
    {{"cyclic", {{"length", 5}, {"live", 20}, {"cyclic", 50}}}, .cyclic = true},
    {{"cyclic", {{"length", 3}, {"live", 1}, {"cyclic", 0}}}, .cyclic = false},
    {{"cyclic", {{"length", 1}, {"live", 4}, {"payload", 1}}}, .cyclic = true},
    {{"queue", {{"length", 10}, {"payload", 0}}}, .cyclic = true},
    {{"fastcycles", {{"old", 10}, {"lists", 3}, {"nodes", 4}}}, .cyclic = true},
    {{"fastcycles", {{"old", 0}, {"lists", 1}, {"nodes", 0}}}, .cyclic = false},
    {{"smallints", {{"held", 40}}}, .cyclic = false},
    {{"smallints", {{"held", 40}, {"cache", 1}, {"freelist", 1}}}, .cyclic = false},
    {{"strings", {{"held", 40}, {"words", 50}}}, .cyclic = false},
    {{"strings", {{"held", 40}, {"words", 50}, {"intern", 1}}}, .cyclic = false},
    {{"deep", {{"links", 100}}}, .collects = true},
    {{"finalizers", {{"chains", 3}}}, .cyclic = true, .collects = true},
    {{"finalizers", {{"chains", 3}, {"length", 7}, {"shape", 1}}}, .collects = true},
    {{"finalizers", {{"chains", 3}, {"kinds", 0}}}, .cyclic = true, .collects = true},
    {{"finalizers", {{"length", 1}, {"kinds", 2}, {"chains", 3}}},
     .cyclic = true,
     .collects = true},
    {{"weakcache", {{"keys", 30}, {"used", 3}}}, .cyclic = true},
    {{"weakcache", {{"keys", 30}, {"used", 3}, {"cyclic", 0}}}, .cyclic = false},
    {{"weakcache", {{"keys", 30}, {"used", 3}, {"cyclic", 0}, {"delete", 1}}}, .cyclic = false},
    {{"weakcache", {{"keys", 5}, {"used", 10}, {"cyclic", 100}, {"delete", 1}}}, .cyclic = true},
    {{"btree", {{"records", 60}, {"degree", 2}}}, .cyclic = false},
    {{"btree", {{"records", 30}, {"degree", 3}, {"churn", 100}, {"collect", 1}}}, .cyclic = false},
    {{"requests", {{"nodes", 9}, {"flight", 2}, {"cyclic", 50}}}, .cyclic = true},
    {{"requests", {{"nodes", 9}, {"flight", 2}, {"cyclic", 0}, {"freelist", 1}}}, .cyclic = false},
    {{"requests", {{"nodes", 9}, {"flight", 2}, {"cyclic", 50}, {"end", 1}}}, .cyclic = false},
    {{"requests", {{"nodes", 9}, {"cyclic", 50}, {"end", 1}, {"pool", 1}}}, .cyclic = false},
    {{"ephemerons", {{"links", 9}}}, .cyclic = false},
    {{"ephemerons", {{"links", 9}, {"delete", 1}}}, .cyclic = false},
    {{"ephemerons", {{"links", 9}, {"refers", 1}}}, .cyclic = false},
    {{"ephemerons", {{"links", 9}, {"table", 1}}}, .cyclic = false},
    {{"ephemerons", {{"links", 9}, {"table", 1}, {"refers", 1}}}, .cyclic = true},
    {{"deep", {{"links", 100}, {"made", 1}, {"freelist", 1}}}, .collects = true},
};
enum {
    LIVES = sizeof lives / sizeof *lives,
    UNITS = 12,
};

typedef void check_fn(const struct life *life, const struct hm_collector *collector);

static void for_each_pair(check_fn *check) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    assert_in_range(count, 1, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < LIVES; j++)
            check(&lives[j], all[i]);
}

/* @return the checksum of all units, done in pieces */
static uint64_t run_pieces(const struct life *life, const struct hm_collector *collector,
                           uint64_t piece) {
    struct cell cell;
    open_cell(&cell, &life->example, collector);
    cell.run.checksum = 0;
    for (uint64_t done = 0; done < UNITS; done += piece)
        assert_int_equal(cell.workload->run(&cell.run, piece), piece);
    uint64_t checksum = cell.run.checksum;
    assert_null(cell.workload->verify(&cell.run));
    assert_int_equal(cell.run.checksum, checksum);
    close_cell(&cell);
    return checksum;
}

static void check_checksum(const struct life *life, const struct hm_collector *collector) {
    size_t count;
    uint64_t expected = run_pieces(life, hm_collectors(&count)[0], UNITS);
    assert_int_not_equal(expected, 0);
    assert_int_equal(run_pieces(life, collector, UNITS), expected);
    assert_int_equal(run_pieces(life, collector, UNITS / 3), expected);
    assert_int_equal(run_pieces(life, collector, 1), expected);
}

static void test_checksum_is_the_same_on_every_collector_and_however_cut(void **state) {
    (void)state;
    for_each_pair(check_checksum);
}

static bool is_manual(const struct hm_collector *collector) {
    return strcmp(collector->name, "manual") == 0;
}

/* Whether nothing but what the workload uses is left between two units. */
static bool leaves_nothing(const struct life *life, const struct hm_collector *collector) {
    if (is_manual(collector) || (!life->cyclic && collector->caps & HM_GC_AT_ONCE))
        return true;
    bool finds_all = collector->caps & HM_GC_CYCLES && !(collector->caps & HM_GC_OWN_MEMORY);
    return life->collects && finds_all;
}

static void check_garbage(const struct life *life, const struct hm_collector *collector) {
    struct cell cell;
    open_cell(&cell, &life->example, collector);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(cell.workload->run(&cell.run, 3), 3);
        if (leaves_nothing(life, collector))
            assert_int_equal(unfreed(&cell), 0);
    }
    assert_null(cell.workload->verify(&cell.run));
    if (leaves_nothing(life, collector))
        assert_int_equal(unfreed(&cell), 0);
    cell.workload->teardown(&cell.run);
    struct hm_gc_stats stats = stats_of(&cell);
    if (is_manual(collector))
        assert_int_equal(stats.allocated_objects, stats.freed_objects);
    close_collector(&cell);
}

static void test_nothing_is_left_of_what_was_dropped(void **state) {
    (void)state;
    for_each_pair(check_garbage);
}

/* Collections, as often as each collector can be told to: all roots and counts must always be right. */
static const struct {
    const char *collector;
    struct setting settings[2];
} eager[] = {
    {"generational", {{"policy", 0}, {"threshold0", 1}}},
    {"generational", {{"policy", 1}, {"threshold0", 1}}},
    {"generational", {{"policy", 2}, {"threshold0", 1}}},
    {"generational", {{"policy", 3}, {"threshold0", 1}}},
    {"trial", {{"roots", 1}}},
    {"marksweep", {{"heap", 1}, {"min", 1}}},
};

static void check_eager(const struct life *life, const struct hm_collector *collector,
                        const struct setting *settings) {
    struct cell cell;
    uint64_t expected = run_pieces(life, collector, UNITS);
    prepare_cell(&cell, &life->example, collector);
    for (int i = 0; i < 2 && settings[i].name; i++)
        set_value(cell.collector_values, collector->params, settings[i].name, settings[i].number);
    open_prepared(&cell);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    cell.run.checksum = 0;
    assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
    assert_int_equal(cell.run.checksum, expected);
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

static void test_collections_at_any_time_change_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof eager / sizeof *eager; i++)
        for (size_t j = 0; j < LIVES; j++)
            check_eager(&lives[j], hm_collector_find(eager[i].collector), eager[i].settings);
}

/* All allocations fail from the n-th on, those of setup included. @return whether there were fewer */
static bool run_out_at(const struct life *life, const struct hm_collector *collector, uint64_t n) {
    struct cell cell;
    open_collector(&cell, &life->example, collector);
    count_clear();
    count_fail(n, UINT64_MAX);
    int bad = cell.workload->setup(&cell.run);
    assert_true(bad == 0 || bad == ENOMEM);
    if (!bad) {
        uint64_t done = cell.workload->run(&cell.run, 3);
        bool enough = counted.allocations < n;
        assert_true(done == 3 || !enough);
        const char *broken = cell.workload->verify(&cell.run);
        assert_true(!broken || strstr(broken, "memory ran out"));
        count_clear();
        assert_int_equal(cell.workload->run(&cell.run, 3), 3);
        assert_null(cell.workload->verify(&cell.run));
        if (leaves_nothing(life, collector))
            assert_int_equal(unfreed(&cell), 0);
        bad = !enough;
        cell.workload->teardown(&cell.run);
    }
    count_clear();
    struct hm_gc_stats stats = stats_of(&cell);
    if (is_manual(collector))
        assert_int_equal(stats.allocated_objects, stats.freed_objects);
    close_collector(&cell);
    return !bad;
}

static void check_running_out(const struct life *life, const struct hm_collector *collector) {
    uint64_t n = 1;
    if (collector->caps & HM_GC_OWN_MEMORY)
        return;
    while (!run_out_at(life, collector, n))
        n += 1 + n / 16 * (n / 16 + 1);
}

static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    for_each_pair(check_running_out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_checksum_is_the_same_on_every_collector_and_however_cut,
                               start_afresh),
        cmocka_unit_test_setup(test_nothing_is_left_of_what_was_dropped, start_afresh),
        cmocka_unit_test_setup(test_collections_at_any_time_change_nothing, start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start_afresh),
    };
    return cmocka_run_group_tests_name("object_life", tests, NULL, NULL);
}

/* CPython itself as the oracle of `generational`: the same program sets off the same collections, and
 * each finds the same garbage; and what else only `cpython` has to keep to. Skipped without libpython. */
#include "allocators/libc.h"
#include "harness/plan/arm.h"
#include "harness/plan/registry.h"
#include "tests/unit/counting_heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    PARAMS = 12,
    EVENTS = 4096,
};

struct setting {
    const char *name;
    int64_t number;
};

struct program {
    const char *workload;
    struct setting settings[PARAMS];
    uint64_t units;
};

static const struct program programs[] = {
    {"trees", {{"depth", 10}}, 2},
    {"rings", {{"collect", 1}}, 30},
    {"rings", {{"rings", 40}, {"nodes", 3}, {"collect", 0}}, 25},
    {"gcbench", {{"stretch", 12}, {"long", 10}, {"min", 4}, {"max", 10}, {"array", 1}}, 2},
    {"graph", {{"shape", 2}, {"order", 1}, {"objects", 20000}, {"what", 1}}, 3},
    {"graph", {{"shape", 1}, {"objects", 50000}, {"what", 2}}, 3},
};

/* One collection, as the collector tells of it. */
struct event {
    int generation;
    uint64_t found;
};

struct record {
    struct event events[EVENTS];
    size_t count;
    struct hm_gc_stats stats;
    int64_t counts[3];
};

static void on_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void on_end(void *arg, int generation, uint64_t visited, uint64_t found) {
    struct record *record = arg;
    (void)visited;
    assert_in_range(record->count, 0, EVENTS - 1);
    record->events[record->count++] = (struct event){generation, found};
}

static void set_values(struct hm_value *values, const struct hm_param *params,
                       const struct setting *settings) {
    for (size_t i = 0; params[i].name; i++)
        values[i] = (struct hm_value){.number = params[i].initial, .text = ""};
    for (; settings && settings->name; settings++) {
        size_t at = 0;
        while (params[at].name && strcmp(params[at].name, settings->name) != 0)
            at++;
        assert_non_null(params[at].name);
        values[at].number = settings->number;
    }
}

static void play(const char *name, const struct program *program, const struct setting *settings,
                 struct record *record) {
    const struct hm_collector *collector = hm_collector_find(name);
    const struct hm_workload *workload = hm_workload_variant(program->workload, 0, name);
    struct hm_value params[PARAMS], values[PARAMS];
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    const struct hm_gc_events events = {on_begin, on_end, record};
    const struct hm_gc_options options = {
        .params = params, .memory = &memory, .events = &events, .mutators = 1};
    struct hm_gc *gc;
    set_values(params, collector->params, settings);
    set_values(values, workload->params, program->settings);
    assert_int_equal(collector->open(&gc, &options), 0);
    *record = (struct record){.count = 0};
    struct hm_run run = {.mutator = collector->attach(gc), .params = values, .threads = 1};
    assert_int_equal(workload->setup(&run), 0);
    assert_int_equal(workload->run(&run, program->units), program->units);
    collector->control->get_count(gc, record->counts);
    workload->teardown(&run);
    collector->stats(gc, &record->stats);
    collector->detach(run.mutator);
    collector->close(gc);
    count_close();
}

static bool is_missing(void) {
    char why[256];
    if (!hm_collector_check(hm_collector_find("cpython"), why, sizeof why))
        return false;
    print_message("left out: %s\n", why);
    return true;
}

static void check_same(const struct program *program, const struct setting *settings) {
    static struct record ours, theirs;
    play("generational", program, settings, &ours);
    play("cpython", program, settings, &theirs);
    print_message("%s: %llu, %llu, %llu collections\n", program->workload,
                  (unsigned long long)theirs.stats.collections[0],
                  (unsigned long long)theirs.stats.collections[1],
                  (unsigned long long)theirs.stats.collections[2]);
    for (size_t i = 0; i < ours.count && i < theirs.count; i++) {
        assert_int_equal(ours.events[i].generation, theirs.events[i].generation);
        assert_int_equal(ours.events[i].found, theirs.events[i].found);
    }
    assert_int_equal(ours.count, theirs.count);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ours.stats.collections[i], theirs.stats.collections[i]);
        assert_int_equal(ours.counts[i], theirs.counts[i]);
    }
    assert_int_equal(ours.stats.collected, theirs.stats.collected);
    assert_int_equal(ours.stats.freed_objects, theirs.stats.freed_objects);
}

static void test_same_program_sets_off_the_same_collections(void **state) {
    (void)state;
    if (is_missing())
        skip();
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        check_same(&programs[i], NULL);
}

static void test_thresholds_mean_the_same(void **state) {
    (void)state;
    static const struct setting other[][4] = {
        {{"threshold0", 50}, {"threshold1", 2}, {"threshold2", 3}},
        {{"threshold0", 1}, {"threshold1", 0}, {"threshold2", 0}},
        {{"threshold0", 0}},
        {{"auto", 1}},
    };
    if (is_missing())
        skip();
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        check_same(&programs[i == 1 ? 2 : 3], other[i]);
}

/* ---- What it takes from the heap, and how many there are ---- */

static void test_the_interpreters_own_memory_is_not_the_heaps(void **state) {
    (void)state;
    static struct record record;
    if (is_missing())
        skip();
    count_clear();
    play("cpython", &programs[0], NULL, &record);
    assert_int_equal(counted.allocations, record.stats.allocated_objects + 1);
}

static void test_second_one_in_a_process_is_refused(void **state) {
    (void)state;
    const struct hm_collector *collector = hm_collector_find("cpython");
    struct hm_value params[PARAMS];
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    static struct record record;
    const struct hm_gc_events events = {on_begin, on_end, &record};
    const struct hm_gc_options options = {
        .params = params, .memory = &memory, .events = &events, .mutators = 1};
    struct hm_gc *first, *second = NULL;
    if (is_missing())
        skip();
    set_values(params, collector->params, NULL);
    assert_int_equal(collector->open(&first, &options), 0);
    assert_int_equal(collector->open(&second, &options), ENOTSUP);
    assert_null(second);
    collector->close(first);
    assert_int_equal(collector->open(&second, &options), 0);
    collector->close(second);
    count_close();
}

/* ---- Where it is missing ---- */

static void test_collector_that_can_not_be_opened_says_which_package_is_missing(void **state) {
    (void)state;
    char why[256];
    struct hm_collector gone = {
        .name = "gone", .needs = "libnowhere.so.7", .package = "libnowhere7"};
    assert_int_equal(hm_collector_check(&gone, why, sizeof why), ENOENT);
    assert_string_equal(why, "gone is not in this build: package libnowhere7 has its headers");
    gone.open = hm_collector_find("none")->open;
    assert_int_equal(hm_collector_check(&gone, why, sizeof why), ENOENT);
    assert_string_equal(why, "gone is not installed: package libnowhere7 has libnowhere.so.7");
    gone.needs = NULL;
    assert_int_equal(hm_collector_check(&gone, why, sizeof why), 0);
    assert_string_equal(why, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_program_sets_off_the_same_collections),
        cmocka_unit_test(test_thresholds_mean_the_same),
        cmocka_unit_test(test_the_interpreters_own_memory_is_not_the_heaps),
        cmocka_unit_test(test_second_one_in_a_process_is_refused),
        cmocka_unit_test(test_collector_that_can_not_be_opened_says_which_package_is_missing),
    };
    return cmocka_run_group_tests_name("cpython", tests, NULL, NULL);
}

/* boxes on every collector: the same values in every mode, and as many objects as the mode says. */
#include "collectors/collector.h"
#include "harness/plan/registry.h"
#include "tests/unit/counting_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    INTS,
    STRINGS,
    FREELIST,
    SMALL,
    WORDS,
    HELD,
    PARAMS,
    COLLECTOR_PARAMS = 16,
    OPS = 5000,
};

/* The workload on a collector of its own. */
struct cell {
    const struct hm_workload *workload;
    const struct hm_collector *collector;
    struct hm_value values[PARAMS];
    struct hm_value collector_values[COLLECTOR_PARAMS];
    struct hm_memory memory;
    struct hm_gc *gc;
    struct hm_run run;
};

static void on_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void on_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static void set_defaults(struct hm_value *values, const struct hm_param *params) {
    for (size_t i = 0; params && params[i].name; i++)
        values[i] = (struct hm_value){.number = params[i].initial, .text = ""};
}

static void open_collector(struct cell *cell, const struct hm_collector *collector) {
    static const struct hm_gc_events events = {on_begin, on_end, NULL};
    *cell = (struct cell){.collector = collector, .memory = counted_memory(HM_SHAPE_HEAP)};
    cell->workload = hm_workload_variant("boxes", 0, collector->name);
    assert_non_null(cell->workload);
    set_defaults(cell->values, cell->workload->params);
    set_defaults(cell->collector_values, collector->params);
    const struct hm_gc_options options = {.params = cell->collector_values,
                                          .memory = &cell->memory,
                                          .events = &events,
                                          .mutators = 1};
    assert_int_equal(collector->open(&cell->gc, &options), 0);
    cell->run = (struct hm_run){.memory = &cell->memory,
                                .mutator = collector->attach(cell->gc),
                                .params = cell->values,
                                .seed = 7,
                                .threads = 1};
    assert_non_null(cell->run.mutator);
    cell->values[WORDS].number = 50;
    cell->values[HELD].number = 40;
}

static void set_mode(struct cell *cell, int ints, int strings, int freelist) {
    cell->values[INTS].number = ints;
    cell->values[STRINGS].number = strings;
    cell->values[FREELIST].number = freelist;
}

static void close_collector(struct cell *cell) {
    cell->collector->detach(cell->run.mutator);
    cell->collector->close(cell->gc);
    count_close();
}

static uint64_t allocated(const struct cell *cell) {
    struct hm_gc_stats stats;
    cell->collector->stats(cell->gc, &stats);
    return stats.allocated_objects;
}

/* @return the checksum */
static uint64_t run_mode(const struct hm_collector *collector, int ints, int strings, int freelist,
                         uint64_t piece) {
    struct cell cell;
    open_collector(&cell, collector);
    set_mode(&cell, ints, strings, freelist);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    for (uint64_t done = 0; done < OPS; done += piece)
        assert_int_equal(cell.workload->run(&cell.run, piece), piece);
    uint64_t checksum = cell.run.checksum;
    assert_null(cell.workload->verify(&cell.run));
    assert_int_equal(cell.run.checksum, checksum);
    struct hm_gc_stats stats;
    collector->stats(cell.gc, &stats);
    if (strcmp(collector->name, "refcount") == 0 || strcmp(collector->name, "generational") == 0)
        assert_int_equal(cell.workload->live_objects(&cell.run),
                         stats.allocated_objects - stats.freed_objects);
    cell.workload->teardown(&cell.run);
    close_collector(&cell);
    return checksum;
}

static void test_values_are_the_same_in_every_mode_on_every_collector(void **state) {
    (void)state;
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    uint64_t expected = run_mode(all[0], 0, 0, 0, OPS);
    assert_int_not_equal(expected, 0);
    assert_int_equal(run_mode(all[0], 0, 0, 0, 100), expected);
    for (size_t i = 0; i < count; i++)
        for (int mode = 0; mode < 12; mode++)
            assert_int_equal(run_mode(all[i], mode % 2, mode / 2 % 2, mode / 4, OPS), expected);
}

/* @return objects that OPS operations make */
static uint64_t made_by(int ints, int strings, int freelist, int64_t small) {
    struct cell cell;
    open_collector(&cell, hm_collector_find("refcount"));
    set_mode(&cell, ints, strings, freelist);
    cell.values[SMALL].number = small;
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    uint64_t before = allocated(&cell);
    assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
    uint64_t made = allocated(&cell) - before;
    cell.workload->teardown(&cell.run);
    close_collector(&cell);
    return made;
}

static void test_shared_values_are_not_made(void **state) {
    (void)state;
    uint64_t integers = made_by(0, 1, 0, 80);
    uint64_t strings = made_by(1, 0, 0, 100);
    assert_int_equal(made_by(0, 0, 0, 80), OPS);
    assert_int_equal(integers + strings, OPS);
    assert_in_range(integers, OPS * 45 / 100, OPS * 55 / 100);
    assert_int_equal(made_by(1, 1, 0, 100), 0);
    assert_int_equal(made_by(1, 1, 0, 0), integers);
    assert_in_range(made_by(1, 1, 0, 80), integers * 15 / 100, integers * 25 / 100);
}

/* Each is given back at its death, and none is made beyond those. */
static void test_free_list_saves_calls_of_the_allocator(void **state) {
    (void)state;
    static const char *const collectors[] = {"refcount", "generational"};
    for (int i = 0; i < 2; i++) {
        for (int freelist = 0; freelist < 2; freelist++) {
            struct cell cell;
            open_collector(&cell, hm_collector_find(collectors[i]));
            set_mode(&cell, 0, 0, freelist);
            assert_int_equal(cell.workload->setup(&cell.run), 0);
            assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
            count_clear();
            assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
            assert_int_equal(counted.allocations, freelist ? 0 : OPS);
            cell.workload->teardown(&cell.run);
            close_collector(&cell);
        }
    }
}

/* All allocations fail from the n-th on. @return whether setup had enough */
static bool run_out_at(const struct hm_collector *collector, uint64_t n) {
    struct cell cell;
    open_collector(&cell, collector);
    set_mode(&cell, 1, 1, 1);
    cell.values[SMALL].number = 10;
    count_clear();
    count_fail(n, UINT64_MAX);
    int bad = cell.workload->setup(&cell.run);
    assert_true(bad == 0 || bad == ENOMEM);
    if (!bad) {
        uint64_t done = cell.workload->run(&cell.run, 300);
        assert_null(cell.workload->verify(&cell.run));
        count_clear();
        assert_int_equal(cell.workload->run(&cell.run, 300 - done), 300 - done);
        assert_null(cell.workload->verify(&cell.run));
        cell.workload->teardown(&cell.run);
    }
    count_clear();
    close_collector(&cell);
    return !bad;
}

/* Not on boehm, which loses a root that it has no memory for. */
static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++) {
        bool enough = false;
        if (strcmp(all[i]->name, "boehm") == 0)
            continue;
        for (uint64_t n = 1; !enough || n < 800; n += 3)
            enough = run_out_at(all[i], n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_the_same_in_every_mode_on_every_collector),
        cmocka_unit_test(test_shared_values_are_not_made),
        cmocka_unit_test(test_free_list_saves_calls_of_the_allocator),
        cmocka_unit_test(test_memory_may_run_out_at_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

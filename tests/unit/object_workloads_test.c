/* trees, rings, gcbench and graph on every collector: the counts that are known, the same checksum
 * everywhere, every reference given up, also when memory runs out. */
#include "allocators/libc.h"
#include "harness/plan/registry.h"
#include "tests/unit/counting_heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    PARAMS = 8,
};

struct setting {
    const char *name;
    int64_t number;
};

struct example {
    const char *workload;
    struct setting settings[PARAMS];
    uint64_t extra; /* objects of a unit that are no nodes */
    bool cyclic;
    bool waits; /* for the collector's thresholds */
    bool keeps; /* what the first unit has made */
};

static const struct example examples[] = {
    {"trees", {{"depth", 6}}, .extra = 0},
    {"trees", {{"depth", 6}, {"freelist", 1}}, .extra = 0},
    {"rings", {{"rings", 10}, {"nodes", 7}, {"payload", 1}}, .extra = 1, .cyclic = true},
    {"rings", {{"nodes", 1}, {"collect", 1}}, .extra = 1, .cyclic = true, .waits = true},
    {"rings", {{"rings", 9}, {"nodes", 5}, {"freelist", 1}}, .extra = 1, .cyclic = true},
    {"gcbench", {{"stretch", 6}, {"long", 5}, {"min", 1}, {"max", 5}, {"array", 2}}, .extra = 1},
    {"graph", {{"shape", 0}, {"order", 1}, {"objects", 100}}, .extra = 1, .keeps = true},
    {"graph", {{"shape", 1}, {"order", 1}, {"objects", 100}}, .extra = 1, .keeps = true},
    {"graph", {{"shape", 2}, {"order", 0}, {"objects", 100}}, 1, .cyclic = true, .keeps = true},
    {"graph", {{"shape", 0}, {"objects", 90}, {"what", 1}}, .extra = 1, .cyclic = true},
    {"graph", {{"shape", 1}, {"objects", 18}, {"what", 1}}, .extra = 1, .cyclic = true},
    {"graph", {{"shape", 1}, {"order", 1}, {"objects", 97}, {"what", 1}}, 1, .cyclic = true},
    {"graph", {{"shape", 2}, {"order", 1}, {"objects", 90}, {"what", 1}}, 1, .cyclic = true},
    {"graph", {{"shape", 0}, {"order", 1}, {"objects", 100}, {"what", 2}}, .extra = 1},
    {"graph", {{"shape", 1}, {"objects", 100}, {"what", 2}}, .extra = 1},
};
enum {
    EXAMPLES = sizeof examples / sizeof *examples,
    UNITS = 10,
};

/* A workload with its parameters, on a collector of its own. */
struct cell {
    const struct hm_workload *workload;
    const struct hm_collector *collector;
    struct hm_value values[PARAMS];
    struct hm_value collector_values[PARAMS];
    struct hm_memory memory;
    struct hm_gc *gc;
    struct hm_run run;
};

static void on_pause_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void on_pause_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static void set_defaults(struct hm_value *values, const struct hm_param *params) {
    for (size_t i = 0; params && params[i].name; i++) {
        assert_in_range(i, 0, PARAMS - 1);
        values[i] = (struct hm_value){.number = params[i].initial, .text = ""};
    }
}

static void set_values(struct cell *cell, const struct example *example) {
    const struct hm_param *params = cell->workload->params;
    set_defaults(cell->values, params);
    for (size_t i = 0; i < PARAMS && example->settings[i].name; i++) {
        size_t at = 0;
        while (params[at].name && strcmp(params[at].name, example->settings[i].name) != 0)
            at++;
        assert_non_null(params[at].name);
        cell->values[at].number = example->settings[i].number;
    }
}

static void open_cell(struct cell *cell, const struct example *example,
                      const struct hm_collector *collector, struct hm_memory memory) {
    static const struct hm_gc_events events = {on_pause_begin, on_pause_end, NULL};
    *cell = (struct cell){.collector = collector, .memory = memory};
    cell->workload = hm_workload_variant(example->workload, 0, collector->name);
    assert_non_null(cell->workload);
    set_values(cell, example);
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
    assert_int_equal(cell->workload->setup(&cell->run), 0);
}

static void close_cell(struct cell *cell) {
    cell->workload->teardown(&cell->run);
    cell->collector->detach(cell->run.mutator);
    cell->collector->close(cell->gc);
    count_close();
}

static struct hm_gc_stats stats_of(const struct cell *cell) {
    struct hm_gc_stats stats;
    cell->collector->stats(cell->gc, &stats);
    return stats;
}

/* Objects that are not freed, and that the workload does not use. */
static uint64_t unfreed(const struct cell *cell) {
    struct hm_gc_stats stats = stats_of(cell);
    uint64_t live = cell->workload->live_objects ? cell->workload->live_objects(&cell->run) : 0;
    return stats.allocated_objects - stats.freed_objects - live;
}

/* Whether all that a unit has dropped is freed by the end of the unit: at once when the workload
 * disposes of it, or when it is acyclic and the collector counts references; by the explicit collection
 * when it is cyclic. */
static bool frees_by_end(const struct cell *cell, const struct example *example) {
    const char *name = cell->collector->name;
    static const char *const counting[] = {"refcount",     "refcount_atomic", "refcount_biased",
                                           "generational", "trial",           "cpython"};
    if (strcmp(name, "manual") == 0)
        return true;
    if (example->cyclic)
        return cell->collector->caps & HM_GC_CYCLES && !example->waits;
    for (size_t i = 0; i < sizeof counting / sizeof *counting; i++)
        if (strcmp(name, counting[i]) == 0)
            return true;
    return false;
}

typedef void check_fn(const struct example *example, const struct hm_collector *collector);

static void for_each_pair(check_fn *check) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    assert_in_range(count, 1, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < EXAMPLES; j++)
            check(&examples[j], all[i]);
}

static uint64_t ops_per_unit(const struct cell *cell) {
    return cell->workload->ops_per_unit(cell->values);
}

/* @return the checksum of all units, done in pieces */
static uint64_t run_pieces(const struct example *example, const struct hm_collector *collector,
                           struct hm_memory memory, uint64_t piece) {
    struct cell cell;
    open_cell(&cell, example, collector, memory);
    for (uint64_t done = 0; done < UNITS; done += piece) {
        uint64_t asked = UNITS - done < piece ? UNITS - done : piece;
        assert_int_equal(cell.workload->run(&cell.run, asked), asked);
    }
    uint64_t checksum = cell.run.checksum;
    assert_null(cell.workload->verify(&cell.run));
    assert_int_equal(cell.run.checksum, checksum);
    close_cell(&cell);
    return checksum;
}

static struct hm_memory glibc_memory(void) {
    static const struct hm_allocator glibc = {.name = "glibc"};
    struct hm_memory memory;
    hm_libc_open(&memory, &glibc);
    return memory;
}

static void check_pieces(const struct example *example, const struct hm_collector *collector) {
    struct hm_memory memory = counted_memory(HM_SHAPE_HEAP);
    uint64_t whole = run_pieces(example, collector, memory, UNITS);
    assert_int_equal(run_pieces(example, collector, memory, 6), whole);
    assert_int_equal(run_pieces(example, collector, memory, 1), whole);
}

static void test_work_does_not_depend_on_how_a_run_is_cut(void **state) {
    (void)state;
    for_each_pair(check_pieces);
}

static void check_same_checksum(const struct example *example,
                                const struct hm_collector *collector) {
    size_t count;
    const struct hm_collector *first = hm_collectors(&count)[0];
    uint64_t expected = run_pieces(example, first, counted_memory(HM_SHAPE_HEAP), UNITS);
    assert_int_not_equal(expected, 0);
    assert_int_equal(run_pieces(example, collector, counted_memory(HM_SHAPE_LIBC), UNITS),
                     expected);
    if (collector->caps & HM_GC_CYCLES) /* the others leak into the allocator */
        assert_int_equal(run_pieces(example, collector, glibc_memory(), UNITS), expected);
}

static void test_checksum_is_the_same_on_every_collector_and_allocator(void **state) {
    (void)state;
    for_each_pair(check_same_checksum);
}

static void check_operations(const struct example *example, const struct hm_collector *collector) {
    struct cell cell;
    open_cell(&cell, example, collector, counted_memory(HM_SHAPE_HEAP));
    uint64_t before = stats_of(&cell).allocated_objects;
    assert_int_equal(cell.workload->run(&cell.run, 3), 3);
    assert_int_equal(stats_of(&cell).allocated_objects - before,
                     (example->keeps ? 1 : 3) * (ops_per_unit(&cell) + example->extra));
    close_cell(&cell);
}

static void test_units_allocate_as_many_nodes_as_declared(void **state) {
    (void)state;
    for_each_pair(check_operations);
}

static void check_all_dropped(const struct example *example, const struct hm_collector *collector) {
    struct cell cell;
    open_cell(&cell, example, collector, counted_memory(HM_SHAPE_HEAP));
    assert_int_equal(cell.workload->run(&cell.run, UNITS), UNITS);
    if (frees_by_end(&cell, example)) {
        assert_int_equal(unfreed(&cell), 0);
        assert_null(cell.workload->verify(&cell.run));
        assert_int_equal(unfreed(&cell), 0);
    }
    close_cell(&cell);
}

static void test_units_drop_all_that_they_make(void **state) {
    (void)state;
    for_each_pair(check_all_dropped);
}

/* All allocations fail from the n-th on. @return whether there were fewer than n */
static bool run_out_at(const struct example *example, const struct hm_collector *collector,
                       uint64_t n) {
    struct cell cell;
    open_cell(&cell, example, collector, counted_memory(HM_SHAPE_HEAP));
    count_clear();
    count_fail(n, UINT64_MAX);
    uint64_t done = cell.workload->run(&cell.run, 2);
    bool enough = counted.allocations < n;
    assert_int_equal(done == 2, enough);
    const char *broken = cell.workload->verify(&cell.run);
    assert_true(!broken || strstr(broken, "memory ran out"));
    count_clear();
    if (!example->cyclic && frees_by_end(&cell, example))
        assert_int_equal(unfreed(&cell), 0);
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    assert_null(cell.workload->verify(&cell.run));
    if (frees_by_end(&cell, example))
        assert_int_equal(unfreed(&cell), 0);
    close_cell(&cell);
    return enough;
}

static void check_running_out(const struct example *example, const struct hm_collector *collector) {
    uint64_t n = 1;
    if (collector->caps & HM_GC_OWN_MEMORY)
        return;
    while (!run_out_at(example, collector, n))
        n += n < 150 ? 1 : 997;
    assert_in_range(n, 20, 30000);
}

static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    for_each_pair(check_running_out);
}

/* One that takes its memory from the heap, and nothing for itself. */
static const struct hm_collector *any_collector(void) {
    return hm_collector_find("refcount");
}

/* The output of the Benchmarks Game's program for argument 10, line by line. */
static void test_trees_count_what_the_reference_output_says(void **state) {
    (void)state;
    const uint64_t lines[] = {4095, 31744, 32512, 32704, 32752, 2047};
    const struct example ten = {"trees", {{"depth", 10}}, .extra = 0};
    uint64_t sum = 0;
    uint64_t checksum = 0;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        sum += lines[i];
        checksum = checksum * 31 + lines[i];
    }
    struct cell cell;
    open_cell(&cell, &ten, any_collector(), counted_memory(HM_SHAPE_HEAP));
    assert_int_equal(ops_per_unit(&cell), sum);
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    assert_int_equal(cell.run.checksum, checksum);
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

/* "Creating 33824 trees of depth 4" and so on, each twice, beside the stretch and long-lived trees. */
static uint64_t gcbench_nodes(void) {
    const uint64_t trees[] = {33824, 8256, 2052, 512, 128, 32, 8};
    uint64_t nodes = ((2u << 18) - 1) + ((2u << 16) - 1);
    for (unsigned i = 0; i < sizeof trees / sizeof *trees; i++)
        nodes += 2 * trees[i] * ((2u << (4 + 2 * i)) - 1);
    return nodes;
}

static void test_defaults_are_those_of_the_origin(void **state) {
    (void)state;
    const struct {
        const char *name;
        uint64_t ops;
    } known[] = {
        {"trees", 135854}, {"rings", 2100}, {"gcbench", gcbench_nodes()}, {"graph", 100000}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct hm_workload *workload = hm_workload_find(known[i].name);
        struct hm_value values[PARAMS];
        assert_non_null(workload);
        set_defaults(values, workload->params);
        assert_int_equal(workload->ops_per_unit(values), known[i].ops);
    }
}

static void test_array_of_gcbench_is_one_block_of_doubles(void **state) {
    (void)state;
    const struct example large = {"gcbench", {{"stretch", 2}, {"long", 2}, {"max", 4}}, .extra = 1};
    struct cell cell;
    open_cell(&cell, &large, any_collector(), counted_memory(HM_SHAPE_HEAP));
    count_clear();
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    assert_in_range(counted.largest, 500000 * sizeof(double), 500000 * sizeof(double) + 64);
    close_cell(&cell);
}

static void test_payload_of_rings_is_in_each_node(void **state) {
    (void)state;
    const size_t payloads[] = {0, 64, 1 << 10, 16 << 10, 256 << 10};
    for (int64_t i = 0; i < 5; i++) {
        const struct example one = {
            "rings", {{"rings", 1}, {"nodes", 2}, {"payload", i}}, .extra = 1};
        struct cell cell;
        open_cell(&cell, &one, any_collector(), counted_memory(HM_SHAPE_HEAP));
        count_clear();
        assert_int_equal(cell.workload->run(&cell.run, 1), 1);
        assert_in_range(counted.largest, payloads[i] + 32, payloads[i] + 64);
        close_cell(&cell);
    }
}

static bool is_graph(const struct example *example, int64_t what) {
    const struct setting *last = &example->settings[PARAMS];
    while (!(--last)->name)
        ;
    int64_t is = strcmp(last->name, "what") == 0 ? last->number : 0;
    return strcmp(example->workload, "graph") == 0 && is == what;
}

/* Only the collection, or the death, is left for the clock. */
static void check_prepared(const struct example *example, const struct hm_collector *collector) {
    if (strcmp(example->workload, "graph") != 0)
        return;
    struct cell cell;
    open_cell(&cell, example, collector, counted_memory(HM_SHAPE_HEAP));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cell.workload->prepare(&cell.run), 0);
        uint64_t before = stats_of(&cell).allocated_objects;
        assert_int_equal(cell.workload->run(&cell.run, 1), 1);
        assert_int_equal(stats_of(&cell).allocated_objects, before);
    }
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

static void test_a_prepared_unit_makes_no_object(void **state) {
    (void)state;
    for_each_pair(check_prepared);
}

/* A tracer finds the array that held the nodes while they were made, too. */
static void check_found(const struct example *example, const struct hm_collector *collector) {
    if (!(collector->caps & HM_GC_CYCLES) || !(is_graph(example, 0) || is_graph(example, 1)))
        return;
    struct cell cell;
    open_cell(&cell, example, collector, counted_memory(HM_SHAPE_HEAP));
    uint64_t garbage = is_graph(example, 1) ? ops_per_unit(&cell) : 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cell.workload->prepare(&cell.run), 0);
        uint64_t before = stats_of(&cell).collected;
        assert_int_equal(cell.workload->run(&cell.run, 1), 1);
        uint64_t found = stats_of(&cell).collected - before;
        assert_in_range(found, garbage, garbage + 1);
        assert_int_equal(unfreed(&cell), 0);
    }
    close_cell(&cell);
}

static void test_collection_of_a_graph_finds_all_of_it_or_nothing(void **state) {
    (void)state;
    for_each_pair(check_found);
}

static void test_list_with_links_back_can_not_die_of_its_counts(void **state) {
    (void)state;
    struct hm_value values[PARAMS];
    const struct hm_workload *workload = hm_workload_variant("graph", 0, any_collector()->name);
    set_defaults(values, workload->params);
    assert_null(workload->conflict(values));
    values[0].number = 2; /* shape=dll */
    assert_null(workload->conflict(values));
    values[3].number = 2; /* what=free */
    assert_non_null(workload->conflict(values));
}

/* What a failed test has left behind. */
static int start(void **state) {
    (void)state;
    count_close();
    count_clear();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_work_does_not_depend_on_how_a_run_is_cut, start),
        cmocka_unit_test_setup(test_checksum_is_the_same_on_every_collector_and_allocator, start),
        cmocka_unit_test_setup(test_units_allocate_as_many_nodes_as_declared, start),
        cmocka_unit_test_setup(test_units_drop_all_that_they_make, start),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start),
        cmocka_unit_test_setup(test_trees_count_what_the_reference_output_says, start),
        cmocka_unit_test_setup(test_defaults_are_those_of_the_origin, start),
        cmocka_unit_test_setup(test_array_of_gcbench_is_one_block_of_doubles, start),
        cmocka_unit_test_setup(test_payload_of_rings_is_in_each_node, start),
        cmocka_unit_test_setup(test_a_prepared_unit_makes_no_object, start),
        cmocka_unit_test_setup(test_collection_of_a_graph_finds_all_of_it_or_nothing, start),
        cmocka_unit_test_setup(test_list_with_links_back_can_not_die_of_its_counts, start),
    };
    return cmocka_run_group_tests_name("object_workloads", tests, NULL, NULL);
}

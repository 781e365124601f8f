/* snapshot: a recorded graph is what it is on every collector; what its counts do not free is found; nothing
 * is left behind, also when memory runs out. */
#include "tests/unit/object_cell.h"
#include "tests/unit/recorded_graph.h"
#include "traces/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILE_AT,
    WHAT_AT,
    WINDOW_AT,
    CYCLIC_AT,
};

enum {
    LIVE,
    GARBAGE,
    CHURN,
    WINDOW = 20,
};

static char path[] = "/tmp/snapshot_test_XXXXXX";

static void open_snapshot(struct cell *cell, const struct hm_collector *collector, int what) {
    *cell = (struct cell){.collector = collector, .memory = counted_memory(HM_SHAPE_HEAP)};
    cell->workload = hm_workload_variant("snapshot", 0, collector->name);
    assert_non_null(cell->workload);
    set_defaults(cell->values, cell->workload->params);
    cell->values[FILE_AT].text = path;
    cell->values[WHAT_AT].number = what;
    cell->values[WINDOW_AT].number = WINDOW;
    assert_null(cell->workload->conflict(cell->values));
    set_defaults(cell->collector_values, collector->params);
    open_prepared(cell);
}

static bool fits(const struct hm_collector *collector, int what) {
    struct hm_value values[PARAMS] = {{0}};
    values[WHAT_AT].number = what;
    unsigned needs = hm_workload_find("snapshot")->needs(values);
    return !(needs & ~collector->caps);
}

typedef void check_fn(const struct hm_collector *collector, int what);

static void for_each_fit(check_fn *check) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        for (int what = LIVE; what <= CHURN; what++)
            if (fits(all[i], what))
                check(all[i], what);
}

/* @return the checksum of 6 units, done in pieces */
static uint64_t run_pieces(const struct hm_collector *collector, int what, uint64_t piece) {
    struct cell cell;
    open_snapshot(&cell, collector, what);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    for (uint64_t done = 0; done < 6; done += piece) {
        assert_int_equal(cell.workload->prepare(&cell.run), 0);
        assert_int_equal(cell.workload->run(&cell.run, piece), piece);
    }
    assert_null(cell.workload->verify(&cell.run));
    uint64_t checksum = cell.run.checksum;
    close_cell(&cell);
    return checksum;
}

static void check_checksum(const struct hm_collector *collector, int what) {
    static uint64_t expected[CHURN + 1];
    if (!expected[what])
        expected[what] = run_pieces(collector, what, 6);
    assert_int_not_equal(expected[what], 0);
    assert_int_equal(run_pieces(collector, what, 6), expected[what]);
    assert_int_equal(run_pieces(collector, what, 1), expected[what]);
}

static void test_checksum_is_the_same_on_every_collector_and_however_cut(void **state) {
    (void)state;
    for_each_fit(check_checksum);
}

static void check_left(const struct hm_collector *collector, int what) {
    struct cell cell;
    open_snapshot(&cell, collector, what);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    uint64_t live = cell.workload->live_objects(&cell.run);
    assert_int_equal(live, KNOWN_OBJECTS + (what == CHURN ? WINDOW + 1 : 0));
    assert_int_equal(cell.workload->run(&cell.run, 3), 3);
    assert_int_equal(cell.workload->live_objects(&cell.run), what == GARBAGE ? 0 : live);
    if (collector->caps & HM_GC_CYCLES) {
        assert_null(cell.workload->verify(&cell.run));
        assert_int_equal(unfreed(&cell), 0);
    }
    close_cell(&cell);
}

static void test_objects_are_those_of_the_graph_and_of_the_window(void **state) {
    (void)state;
    for_each_fit(check_left);
}

/* The ring is all that is left when the roots go: three containers, and their leaf. */
static void check_found(const struct hm_collector *collector, int what) {
    if (what != GARBAGE || !(collector->caps & HM_GC_CYCLES))
        return;
    struct cell cell;
    open_snapshot(&cell, collector, what);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    bool counts = collector->caps & HM_GC_AT_ONCE;
    uint64_t before = stats_of(&cell).collected;
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    uint64_t found = stats_of(&cell).collected - before;
    if (counts)
        assert_in_range(found, 3, 4);
    else
        assert_in_range(found, KNOWN_OBJECTS, KNOWN_OBJECTS + 1); /* with the nursery */
    close_cell(&cell);
}

static void test_a_collection_finds_what_counts_do_not_free(void **state) {
    (void)state;
    for_each_fit(check_found);
}

/* All allocations fail from the n-th on, those of setup included. @return whether there were fewer */
static bool run_out_at(const struct hm_collector *collector, int what, uint64_t n) {
    struct cell cell;
    open_snapshot(&cell, collector, what);
    count_clear();
    size_t scratch = hm_scratch_bytes();
    count_fail(n, UINT64_MAX);
    int bad = cell.workload->setup(&cell.run);
    assert_true(bad == 0 || bad == ENOMEM);
    if (bad) {
        assert_int_equal(hm_scratch_bytes(), scratch);
        count_clear();
        assert_int_equal(cell.workload->setup(&cell.run), 0);
    }
    if (!bad && what != CHURN)
        cell.workload->run(&cell.run, 2);
    bool enough = counted.allocations < n && !bad;
    count_clear();
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    assert_null(cell.workload->verify(&cell.run));
    if (collector->caps & HM_GC_CYCLES)
        assert_int_equal(unfreed(&cell), 0);
    close_cell(&cell);
    return enough;
}

static void check_running_out(const struct hm_collector *collector, int what) {
    if (collector->caps & HM_GC_OWN_MEMORY)
        return;
    uint64_t n = 1;
    while (!run_out_at(collector, what, n))
        n++;
    assert_in_range(n, KNOWN_OBJECTS, 300);
}

static void test_memory_may_run_out_at_any_allocation(void **state) {
    (void)state;
    for_each_fit(check_running_out);
}

/* A unit of churn that does not get through is the next one. */
static void test_a_unit_that_ran_out_of_memory_is_done_again(void **state) {
    (void)state;
    const struct hm_collector *refcount = hm_collector_find("refcount");
    struct cell cell;
    uint64_t whole = run_pieces(refcount, CHURN, 6);
    open_snapshot(&cell, refcount, CHURN);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    assert_int_equal(cell.workload->run(&cell.run, 2), 2);
    count_fail(1000, UINT64_MAX);
    assert_int_equal(cell.workload->run(&cell.run, 4), 0);
    count_clear();
    assert_int_equal(cell.workload->run(&cell.run, 4), 4);
    assert_int_equal(cell.run.checksum, whole);
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

static uint64_t bytes_of_churn(int64_t cyclic) {
    struct cell cell;
    open_snapshot(&cell, hm_collector_find("refcount"), CHURN);
    cell.values[CYCLIC_AT].number = cyclic;
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    uint64_t before = unfreed(&cell);
    assert_int_equal(cell.workload->run(&cell.run, 1), 1);
    uint64_t lost = unfreed(&cell) - before;
    close_cell(&cell);
    return lost;
}

/* Of the containers one of six has no slot; counts do not free the others of that share. */
static void test_cyclic_is_the_share_that_counts_do_not_free(void **state) {
    (void)state;
    assert_int_equal(bytes_of_churn(0), 0);
    assert_in_range(bytes_of_churn(100), 4096 * 5 / 6 - 200, 4096 * 5 / 6 + 200);
    assert_in_range(bytes_of_churn(50), 2048 * 5 / 6 - 200, 2048 * 5 / 6 + 200);
}

/* An object is as large as it was: one of 500 bytes with two slots, and its header and ours. */
static void test_objects_are_as_large_as_they_were(void **state) {
    (void)state;
    struct cell cell;
    open_snapshot(&cell, hm_collector_find("refcount"), LIVE);
    count_clear();
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    assert_in_range(counted.largest, 500 - 16, 500 - 16 + 64);
    close_cell(&cell);
}

/* Verification sees a reference that is not as it was recorded. */
static void test_a_graph_that_has_changed_is_told(void **state) {
    (void)state;
    struct cell cell;
    open_snapshot(&cell, hm_collector_find("manual"), CHURN);
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    assert_null(cell.workload->verify(&cell.run));
    struct block_header *block = counted.blocks.newer;
    struct hm_object *container = NULL;
    for (; block != &counted.blocks && !container; block = block->newer) {
        struct hm_object *object = (struct hm_object *)(void *)(block + 1);
        if (block->size >= sizeof *object + 2 * sizeof object && object->type &&
            object->length == 2)
            container = object;
    }
    assert_non_null(container);
    struct hm_object *was = hm_slots(container)[1];
    hm_slots(container)[1] = NULL;
    assert_non_null(cell.workload->verify(&cell.run));
    hm_slots(container)[1] = was;
    assert_null(cell.workload->verify(&cell.run));
    close_cell(&cell);
}

static void test_a_file_that_is_missing_or_broken_is_told_before_anything_runs(void **state) {
    (void)state;
    const struct hm_workload *workload = hm_workload_find("snapshot");
    struct hm_value values[PARAMS] = {{0, ""}};
    assert_non_null(strstr(workload->conflict(values), "file= is missing"));
    values[FILE_AT].text = "nowhere";
    assert_non_null(strstr(workload->conflict(values), "nowhere: No such file"));
    struct graph_bytes file = begin_file();
    add_facts(&file);
    add_counts(&file, (const uint64_t[5]){0});
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    write_graph(path, file.at, file.count);
    values[FILE_AT].text = path;
    assert_non_null(strstr(workload->conflict(values), "no container"));
    file = known_file();
    write_graph(path, file.at, file.count);
    assert_null(workload->conflict(values));
}

static int make_file(void **state) {
    (void)state;
    int number = mkstemp(path);
    if (number < 0)
        return -1;
    close(number);
    struct graph_bytes file = known_file();
    write_graph(path, file.at, file.count);
    return 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_checksum_is_the_same_on_every_collector_and_however_cut,
                               start_afresh),
        cmocka_unit_test_setup(test_objects_are_those_of_the_graph_and_of_the_window, start_afresh),
        cmocka_unit_test_setup(test_a_collection_finds_what_counts_do_not_free, start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out_at_any_allocation, start_afresh),
        cmocka_unit_test_setup(test_a_unit_that_ran_out_of_memory_is_done_again, start_afresh),
        cmocka_unit_test_setup(test_cyclic_is_the_share_that_counts_do_not_free, start_afresh),
        cmocka_unit_test_setup(test_objects_are_as_large_as_they_were, start_afresh),
        cmocka_unit_test_setup(test_a_graph_that_has_changed_is_told, start_afresh),
        cmocka_unit_test_setup(test_a_file_that_is_missing_or_broken_is_told_before_anything_runs,
                               start_afresh),
    };
    return cmocka_run_group_tests_name("snapshot", tests, make_file, remove_file);
}

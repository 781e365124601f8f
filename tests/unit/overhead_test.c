/* Lower-bound overhead of samples that were made for it: the least that a mutator needs, and what is over that. */
#include "harness/results/csv.h"
#include "harness/results/samples.h"
#include "harness/results/stats_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS = 3,
};

static char root[64];
static struct hm_folder folder;
static struct hm_topology *topology;
static struct hm_plan *plan;
static struct hm_samples *samples;

static void build_plan(void) {
    struct hm_request request;
    struct hm_error error = {""};
    hm_request_init(&request);
    struct hm_matrix *matrix = &request.matrices[0];
    matrix->name = strdup("run");
    request.matrix_count = 1;
    assert_int_equal(hm_matrix_set(matrix, "allocators", "system,pool"), 0);
    assert_int_equal(hm_matrix_set(matrix, "collectors", "none,refcount,generational"), 0);
    assert_int_equal(hm_matrix_set(matrix, "workloads", "rings"), 0);
    assert_int_equal(hm_matrix_set(matrix, "threads", "1"), 0);
    request.rounds = ROUNDS;
    if (hm_plan_build(&plan, &request, topology, &error))
        fail_msg("%s", error.line);
    hm_request_free(&request);
}

static int set_up(void **state) {
    struct hm_error error = {""};
    (void)state;
    snprintf(root, sizeof root, "/tmp/heapmark-overhead-XXXXXX");
    if (!mkdtemp(root) || hm_topology_load(&topology, &error) ||
        hm_folder_create(&folder, root, "run1", &error))
        return -1;
    build_plan();
    return hm_samples_open(&samples, &folder, "run1", plan, &error);
}

static int tear_down(void **state) {
    static const char *const files[] = {"samples.csv", "series.csv", "stats.csv", "histogram.csv",
                                        "heapmap.csv"};
    char path[PATH_MAX];
    (void)state;
    hm_plan_free(plan);
    hm_topology_free(topology);
    hm_folder_close(&folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(hm_folder_file(&folder, files[i], path));
    return rmdir(root);
}

/* What each round of a cell has. */
struct made {
    const char *cell;
    double mutator_ns[ROUNDS], collector_ns, cpu_ns, mutator_cpu_ns;
    enum hm_status status;
};

static void add(const struct made *made) {
    struct hm_error error = {""};
    size_t i = 0;
    while (i < plan->cell_count && strcmp(plan->cells[i].id, made->cell) != 0)
        i++;
    assert_true(i < plan->cell_count);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double time_ns = made->mutator_ns[round] + made->collector_ns;
        struct hm_measured values[] = {{"time_ns", -1, time_ns, ""},
                                       {"mutator_ns", -1, made->mutator_ns[round], ""},
                                       {"cpu_ns", -1, made->cpu_ns, ""},
                                       {"mutator_cpu_ns", -1, made->mutator_cpu_ns, ""}};
        const struct hm_outcome outcome = {
            .status = made->status, .reason = "", .values = values, .value_count = 4};
        const struct hm_sample_place place = {.cell = &plan->cells[i],
                                              .pass = HM_PASS_TIME,
                                              .round = round,
                                              .started_utc = "2026-01-01T00:00:00Z"};
        assert_int_equal(hm_samples_add(samples, &place, &outcome, &error), 0);
    }
}

static void write_stats(const struct made *made, size_t count) {
    struct hm_error error = {""};
    struct hm_noise noise;
    for (size_t i = 0; i < count; i++)
        add(&made[i]);
    assert_int_equal(hm_samples_close(samples), 0);
    if (hm_stats_write(&folder, plan, &noise, &error))
        fail_msg("%s", error.line);
}

/* The median in stats.csv; NAN when the cell has no row. */
static double median_of(const char *cell, const char *metric) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    struct hm_error error = {""};
    double found = NAN;
    assert_int_equal(hm_csv_open(&csv, hm_folder_file(&folder, "stats.csv", path), &error), 0);
    while (hm_csv_next(csv, &error) == 1)
        if (strcmp(hm_csv_field(csv, hm_csv_column(csv, "cell")), cell) == 0 &&
            strcmp(hm_csv_field(csv, hm_csv_column(csv, "metric")), metric) == 0)
            hm_csv_number(csv, hm_csv_column(csv, "median"), &found);
    hm_csv_close(csv);
    return found;
}

static void expect(const char *cell, const char *metric, double value) {
    if (!(fabs(median_of(cell, metric) - value) < 1e-9))
        fail_msg("%s of %s is %g, not %g", metric, cell, median_of(cell, metric), value);
}

static const char none[] = "rings/system/none/t1/core";
static const char refcount[] = "rings/system/refcount/t1/core";
static const char generational[] = "rings/system/generational/t1/core";
static const char elsewhere[] = "rings/pool/none/t1/core";

/* The least median is refcount's; none's least round is less, and pool is another allocator. */
static void test_overhead_is_over_the_least_median_on_the_same_allocator(void **state) {
    (void)state;
    const struct made made[] = {{none, {50, 9, 52}, 0, 60, 60, HM_STATUS_OK},
                                {refcount, {41, 40, 39}, 0, 80, 80, HM_STATUS_OK},
                                {generational, {44, 45, 46}, 35, 100, 64, HM_STATUS_OK},
                                {elsewhere, {1, 1, 1}, 0, 1, 1, HM_STATUS_OK}};
    write_stats(made, 4);
    expect(none, "distilled_minimum_ns", 40);
    expect(generational, "distilled_minimum_ns", 40);
    expect(generational, "lower_bound_overhead", 80.0 / 40);
    expect(refcount, "lower_bound_overhead", 1);
    expect(none, "lower_bound_overhead", 50.0 / 40);
    expect(elsewhere, "distilled_minimum_ns", 1);
    /* In processor time it is none's. */
    expect(generational, "distilled_minimum_cpu_ns", 60);
    expect(generational, "lower_bound_overhead_cpu", 100.0 / 60);
    expect(none, "lower_bound_overhead_cpu", 1);
}

static void test_collector_that_failed_bounds_nothing(void **state) {
    (void)state;
    const struct made made[] = {{refcount, {1, 1, 1}, 0, 1, 1, HM_STATUS_SIGNAL},
                                {generational, {50, 50, 50}, 25, 70, 60, HM_STATUS_OK}};
    write_stats(made, 2);
    expect(generational, "distilled_minimum_ns", 50);
    expect(generational, "lower_bound_overhead", 1.5);
    assert_true(isnan(median_of(refcount, "lower_bound_overhead")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_overhead_is_over_the_least_median_on_the_same_allocator),
        TEST(test_collector_that_failed_bounds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* From samples to stats.csv, through the files of a run. */
#include "harness/results/csv.h"
#include "harness/results/samples.h"
#include "harness/results/stats_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS = 8,
};

static char root[64];
static struct hm_folder folder;
static struct hm_topology *topology;
static struct hm_plan *plan;
static struct hm_samples *samples;

static void build_plan(const char *allocators) {
    struct hm_request request;
    struct hm_error error = {""};
    hm_request_init(&request);
    request.matrices[0].name = strdup("run");
    request.matrix_count = 1;
    assert_int_equal(hm_matrix_set(&request.matrices[0], "allocators", allocators), 0);
    request.rounds = ROUNDS;
    if (hm_plan_build(&plan, &request, topology, &error))
        fail_msg("%s", error.line);
    hm_request_free(&request);
}

static int set_up(void **state) {
    struct hm_error error = {""};
    (void)state;
    snprintf(root, sizeof root, "/tmp/heapmark-results-XXXXXX");
    if (!mkdtemp(root) || hm_topology_load(&topology, &error) ||
        hm_folder_create(&folder, root, "run1", &error))
        return -1;
    build_plan("system,pool");
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

static void add(size_t cell, unsigned round, double time_ns, enum hm_status status) {
    struct hm_error error = {""};
    struct hm_measured values[] = {{"ops_per_second", -1, 1e9 / time_ns, ""},
                                   {"time_ns", -1, time_ns, ""}};
    const struct hm_outcome outcome = {
        .status = status, .reason = "a reason, with a comma", .values = values, .value_count = 2};
    const struct hm_sample_place place = {.cell = &plan->cells[cell],
                                          .pass = HM_PASS_TIME,
                                          .round = round,
                                          .started_utc = "2026-01-01T00:00:00Z"};
    assert_int_equal(hm_samples_add(samples, &place, &outcome, &error), 0);
}

/* Every cell takes 10 ns, with some noise that differs by round and cell; `cell` takes `factor`. */
static void add_rounds(size_t cell, double factor) {
    for (unsigned round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < plan->cell_count; i++) {
            double noise = 1 + 0.002 * (double)((round * 7 + i * 3) % 5);
            add(i, round, 10 * noise * (i == cell ? factor : 1), HM_STATUS_OK);
        }
}

static void write_stats(void) {
    struct hm_error error = {""};
    struct hm_noise noise;
    assert_int_equal(hm_samples_close(samples), 0);
    if (hm_stats_write(&folder, plan, &noise, &error))
        fail_msg("%s", error.line);
}

/* A field of stats.csv, "" when the cell has no row. */
static const char *stat_of(const char *cell, const char *metric, const char *column) {
    static char text[256];
    char path[PATH_MAX];
    struct hm_csv *csv;
    struct hm_error error = {""};
    text[0] = '\0';
    assert_int_equal(hm_csv_open(&csv, hm_folder_file(&folder, "stats.csv", path), &error), 0);
    while (hm_csv_next(csv, &error) == 1)
        if (strcmp(hm_csv_field(csv, hm_csv_column(csv, "cell")), cell) == 0 &&
            strcmp(hm_csv_field(csv, hm_csv_column(csv, "metric")), metric) == 0)
            snprintf(text, sizeof text, "%s", hm_csv_field(csv, hm_csv_column(csv, column)));
    hm_csv_close(csv);
    return text;
}

static const char pool[] = "churn/pool/-/t1/core";
static const char again[] = "churn/system#2/-/t1/core";

static void test_slower_arm_is_slower_in_time_and_in_rate(void **state) {
    (void)state;
    add_rounds(1, 1.5);
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "slower");
    assert_string_equal(stat_of(pool, "ops_per_second", "verdict"), "slower");
    assert_true(fabs(strtod(stat_of(pool, "time_ns", "ratio"), NULL) - 1.5) < 0.02);
    assert_string_equal(stat_of(pool, "time_ns", "n"), "8");
    assert_string_equal(stat_of(pool, "time_ns", "baseline"), "churn/system/-/t1/core");
}

static void test_faster_arm_is_faster(void **state) {
    (void)state;
    add_rounds(1, 1 / 1.5);
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "faster");
}

static void test_equal_arms_are_equivalent(void **state) {
    (void)state;
    add_rounds(1, 1);
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "equivalent");
    assert_string_equal(stat_of(again, "time_ns", "verdict"), "equivalent");
}

/* 5 % slower in every round: a difference, but equal arms differ by 10 %. Nor are the two the same. */
static void test_differences_below_the_noise_are_not_told(void **state) {
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < plan->cell_count; i++) {
            double factor = i == 1 ? 1.05 : plan->cells[i].arm->again ? 1.1 : 1;
            add(i, round, 10 * factor * (1 + 1e-4 * round), HM_STATUS_OK);
        }
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "inconclusive");
    assert_string_equal(stat_of(again, "time_ns", "verdict"), "slower");
}

static void test_controls_and_baselines_have_no_verdict(void **state) {
    (void)state;
    add_rounds(1, 1);
    write_stats();
    assert_string_equal(stat_of("churn/floor/-/t1/core", "time_ns", "verdict"), "NA");
    assert_string_equal(stat_of("churn/system/-/t1/core", "time_ns", "verdict"), "NA");
    assert_string_equal(stat_of("churn/system/-/t1/core", "time_ns", "ratio"), "1");
}

static void test_failed_cell_has_no_row_whatever_its_other_rounds(void **state) {
    (void)state;
    add_rounds(1, 1);
    add(1, 0, NAN, HM_STATUS_SIGNAL);
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "");
    assert_string_equal(stat_of(again, "time_ns", "verdict"), "equivalent");
}

static void test_failed_baseline_leaves_no_ratio(void **state) {
    (void)state;
    add_rounds(1, 1);
    add(0, 0, NAN, HM_STATUS_OOM);
    write_stats();
    assert_string_equal(stat_of(pool, "time_ns", "ratio"), "NA");
    assert_string_equal(stat_of(pool, "time_ns", "verdict"), "NA");
}

static void count_rows(void *arg, size_t cell, const char *metric, unsigned round, double value,
                       const char *status, const char *reason) {
    (void)cell;
    (void)metric;
    (void)round;
    (void)value;
    (void)status;
    (void)reason;
    ++*(int *)arg;
}

static void test_torn_last_line_is_cut_when_a_run_goes_on(void **state) {
    char path[PATH_MAX];
    struct hm_error error = {""};
    int rows = 0;
    (void)state;
    add(0, 0, 10, HM_STATUS_OK);
    assert_int_equal(hm_samples_close(samples), 0);
    int fd = open(hm_folder_file(&folder, "samples.csv", path), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "1,run1,churn/sys", 16), 16);
    close(fd);
    assert_int_equal(hm_samples_open(&samples, &folder, "run1", plan, &error), 0);
    add(1, 0, 10, HM_STATUS_OK);
    assert_int_equal(hm_samples_close(samples), 0);
    assert_int_equal(hm_samples_read(&folder, plan, count_rows, &rows, &error), 0);
    assert_int_equal(rows, 4);
}

static void test_a_folder_with_files_is_not_taken(void **state) {
    struct hm_folder other;
    struct hm_error error = {""};
    (void)state;
    assert_int_equal(hm_folder_create(&other, root, "run2", &error), EEXIST);
    assert_non_null(strstr(error.line, "not empty"));
    assert_int_equal(hm_samples_close(samples), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_slower_arm_is_slower_in_time_and_in_rate),
        TEST(test_faster_arm_is_faster),
        TEST(test_equal_arms_are_equivalent),
        TEST(test_differences_below_the_noise_are_not_told),
        TEST(test_controls_and_baselines_have_no_verdict),
        TEST(test_failed_cell_has_no_row_whatever_its_other_rounds),
        TEST(test_failed_baseline_leaves_no_ratio),
        TEST(test_torn_last_line_is_cut_when_a_run_goes_on),
        TEST(test_a_folder_with_files_is_not_taken),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

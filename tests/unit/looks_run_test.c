/* A run with looks, through its files: what each look saw can be seen again. */
#include "harness/results/csv.h"
#include "harness/results/samples.h"
#include "harness/results/stats_file.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The cells of "system,pool,region", by their place in the plan. */
enum {
    BASE,
    POOL,
    REGION,
};

static char root[64];
static struct hm_folder folder;
static struct hm_topology *topology;
static struct hm_plan *plan;
static struct hm_samples *samples;

static int build_plan(struct hm_error *error) {
    struct hm_request request;
    hm_request_init(&request);
    request.matrices[0].name = strdup("run");
    request.matrix_count = 1;
    int bad = hm_matrix_set(&request.matrices[0], "allocators", "system,pool,region");
    if (!bad)
        bad = hm_request_set(&request, "rounds", "auto", error);
    if (!bad)
        bad = hm_request_set(&request, "mode", "quick", error);
    if (!bad)
        bad = hm_plan_build(&plan, &request, topology, error);
    hm_request_free(&request);
    return bad;
}

static int set_up(void **state) {
    struct hm_error error = {""};
    (void)state;
    snprintf(root, sizeof root, "/tmp/heapmark-looks-XXXXXX");
    if (!mkdtemp(root) || hm_topology_load(&topology, &error) ||
        hm_folder_create(&folder, root, "run1", &error) || build_plan(&error))
        return -1;
    return hm_samples_open(&samples, &folder, "run1", plan, &error);
}

/* Whatever files a run has. */
static void empty_root(void) {
    DIR *dir = opendir(root);
    const struct dirent *entry;
    char path[PATH_MAX];
    while (dir && (entry = readdir(dir)))
        unlink(hm_folder_file(&folder, entry->d_name, path));
    if (dir)
        closedir(dir);
}

static int tear_down(void **state) {
    (void)state;
    hm_samples_close(samples);
    hm_plan_free(plan);
    hm_topology_free(topology);
    hm_folder_close(&folder);
    empty_root();
    return rmdir(root);
}

static void add(size_t cell, enum hm_pass pass, unsigned round, double value,
                enum hm_status status) {
    struct hm_error error = {""};
    struct hm_measured values[] = {{.thread = -1, .value = value}};
    const struct hm_outcome outcome = {
        .status = status, .reason = "", .values = values, .value_count = 1};
    const struct hm_sample_place place = {.cell = &plan->cells[cell],
                                          .pass = pass,
                                          .round = round,
                                          .started_utc = "2026-01-01T00:00:00Z"};
    snprintf(values[0].metric, sizeof values[0].metric, "%s", hm_pass_lead(plan, pass));
    assert_int_equal(hm_samples_add(samples, &place, &outcome, &error), 0);
}

/* ln(ratio) of `pool` to its base is 0.152 beyond the margin of 2 %, give or take 0.1. In 8 rounds that is t = 0.152 /
 * (0.1 sqrt(8 / 7)) sqrt(8) = 4.02 at 7 degrees of freedom, p = 0.0051: too much as one of three at 1.25 %, enough
 * as one of two. Later rounds go up only: in 12, of which 8 are kept, t = 4.6, enough as one of three. `region` goes
 * to and fro; all others are as their base. */
static double time_of(size_t cell, unsigned round) {
    double turn = round % 2 ? 1 : -1;
    double log_ratio = cell == POOL     ? log(1.02) + 0.152 + 0.1 * (round < 8 ? turn : 1)
                       : cell == REGION ? 0.1 * turn
                                        : 0;
    return 10 * exp(log_ratio);
}

static void add_rounds(unsigned from, unsigned to) {
    for (unsigned round = from; round < to; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            add(i, HM_PASS_TIME, round, time_of(i, round), HM_STATUS_OK);
}

static void look(unsigned held) {
    struct hm_error error = {""};
    plan->looks.held = held;
    if (hm_stats_look(&folder, plan, &error))
        fail_msg("%s", error.line);
}

static void write_stats(void) {
    struct hm_error error = {""};
    struct hm_noise noise;
    if (hm_stats_write(&folder, plan, &noise, &error))
        fail_msg("%s", error.line);
}

/* A field of stats.csv, "" when the cell has no row. */
static const char *stat_of(size_t cell, const char *metric, const char *column) {
    static char text[256];
    char path[PATH_MAX];
    struct hm_csv *csv;
    struct hm_error error = {""};
    text[0] = '\0';
    assert_int_equal(hm_csv_open(&csv, hm_folder_file(&folder, "stats.csv", path), &error), 0);
    while (hm_csv_next(csv, &error) == 1)
        if (strcmp(hm_csv_field(csv, hm_csv_column(csv, "cell")), plan->cells[cell].id) == 0 &&
            strcmp(hm_csv_field(csv, hm_csv_column(csv, "metric")), metric) == 0)
            snprintf(text, sizeof text, "%s", hm_csv_field(csv, hm_csv_column(csv, column)));
    hm_csv_close(csv);
    return text;
}

static void test_nothing_is_decided_before_the_first_look(void **state) {
    (void)state;
    for (unsigned round = 0; round < 7; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            add(i, HM_PASS_TIME, round, i == POOL ? 90 + round : 10, HM_STATUS_OK);
    look(0);
    assert_string_equal(plan->cells[POOL].verdict, "inconclusive");
    assert_int_equal(plan->cells[POOL].decided_after, 0);
    write_stats();
    assert_string_equal(stat_of(POOL, "time_ns", "verdict"), "inconclusive");
    assert_string_equal(stat_of(POOL, "time_ns", "n"), "7");
    assert_string_equal(stat_of(POOL, "time_ns", "ratio_low"), "NA");
    assert_string_equal(stat_of(POOL, "time_ns", "decided_after"), "NA");
}

/* Of the A/A arm, which is its base exactly, one look is enough. */
static void test_a_look_decides_and_the_rest_goes_on(void **state) {
    (void)state;
    add_rounds(0, 8);
    look(1);
    assert_int_equal(plan->cells[POOL].decided_after, 0);
    assert_int_equal(plan->cells[REGION].decided_after, 0);
    assert_string_equal(plan->cells[BASE + 3].verdict, "equivalent");
    assert_int_equal(plan->cells[BASE + 3].decided_after, 8);
    assert_null(plan->cells[BASE].verdict);
    add_rounds(8, 12);
    look(2);
    assert_int_equal(plan->cells[POOL].decided_after, 12);
    assert_string_equal(plan->cells[POOL].verdict, "slower");
}

/* What was measured after it does not matter, nor that there is no more of it. */
static void test_verdict_and_interval_are_those_of_the_look_that_decided(void **state) {
    char kept[3][64];
    static const char *const columns[] = {"ratio", "ratio_low", "ratio_high"};
    (void)state;
    add_rounds(0, 12);
    plan->looks.held = 2;
    write_stats();
    for (int i = 0; i < 3; i++)
        snprintf(kept[i], sizeof kept[i], "%s", stat_of(POOL, "time_ns", columns[i]));
    for (unsigned round = 12; round < 18; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            add(i, HM_PASS_TIME, round, i == POOL ? 1 : 10, HM_STATUS_OK);
    plan->looks.held = 3;
    write_stats();
    assert_string_equal(stat_of(POOL, "time_ns", "n"), "18");
    assert_string_equal(stat_of(POOL, "time_ns", "verdict"), "slower");
    assert_string_equal(stat_of(POOL, "time_ns", "decided_after"), "12");
    for (int i = 0; i < 3; i++)
        assert_string_equal(stat_of(POOL, "time_ns", columns[i]), kept[i]);
}

/* At the first look the cell was one of three that were tested, and so it stays one when it fails later: else
 * the other one would have been decided at a look at which it was not. */
static void test_failure_changes_no_look_before_it(void **state) {
    (void)state;
    add_rounds(0, 10);
    add(REGION, HM_PASS_TIME, 10, NAN, HM_STATUS_EXIT);
    for (unsigned round = 10; round < 12; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            if (i != REGION)
                add(i, HM_PASS_TIME, round, time_of(i, round), HM_STATUS_OK);
    plan->looks.held = 2;
    write_stats();
    assert_string_equal(stat_of(REGION, "time_ns", "n"), "");
    assert_int_equal(plan->cells[POOL].decided_after, 12);
    assert_null(plan->cells[REGION].verdict);
}

/* One that fails at once is one less from the first look on. */
static void test_cell_that_failed_before_a_look_has_no_part_in_it(void **state) {
    (void)state;
    for (unsigned round = 0; round < 8; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            if (i != REGION || round == 0)
                add(i, HM_PASS_TIME, round, time_of(i, round),
                    i == REGION ? HM_STATUS_EXIT : HM_STATUS_OK);
    look(1);
    assert_int_equal(plan->cells[POOL].decided_after, 8);
}

static void test_metric_with_a_fixed_number_of_rounds_is_judged_once(void **state) {
    (void)state;
    add_rounds(0, 8);
    for (unsigned round = 0; round < 6; round++)
        for (size_t i = 0; i < plan->cell_count; i++)
            add(i, HM_PASS_SPACE, round, (i == POOL ? 2e6 : 1e6) + 1000 * round, HM_STATUS_OK);
    plan->looks.held = 1;
    write_stats();
    assert_string_equal(stat_of(POOL, "footprint_bytes", "verdict"), "slower");
    assert_string_equal(stat_of(POOL, "footprint_bytes", "decided_after"), "NA");
    assert_true(strtod(stat_of(POOL, "footprint_bytes", "confidence"), NULL) == 0.95);
    assert_true(strtod(stat_of(POOL, "time_ns", "confidence"), NULL) == 0.9875);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_decided_before_the_first_look, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_look_decides_and_the_rest_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_verdict_and_interval_are_those_of_the_look_that_decided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure_changes_no_look_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cell_that_failed_before_a_look_has_no_part_in_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metric_with_a_fixed_number_of_rounds_is_judged_once,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

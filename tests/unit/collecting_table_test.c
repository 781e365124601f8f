/* The table of collectors, of files that were written for it. */
#include "harness/report/collecting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static FILE *open_file(const char *name, const char *head) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fprintf(out, "%s\n", head);
    return out;
}

static void put_stat(FILE *out, const char *allocator, const char *collector, const char *metric,
                     double median) {
    fprintf(out, "trees/%s/%s/t1/core,%s,%s,trees,,1,%s,%.17g\n", allocator, collector, allocator,
            collector, metric, median);
}

static void put_sample(FILE *out, const char *collector, const char *metric, double value) {
    fprintf(out, "trees/system/%s/t1/core,%s,%g\n", collector, metric, value);
}

/* Prints the table. The caller frees. */
static char *print(void) {
    struct hm_error error;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(hm_collecting_print(out, folder, &error), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static const char stats_head[] = "cell,allocator,collector,workload,params,threads,metric,median";

/* What follows the name of a row that has some word in it. */
static void expect_row(const char *text, const char *word, const char *row) {
    for (const char *at = text; (at = strstr(at, "generational on system")); at++) {
        const char *end = strchr(at, '\n');
        if (memmem(at, (size_t)(end - at), word, strlen(word))) {
            char found[128];
            snprintf(found, sizeof found, "%.*s", (int)(end - at), at);
            assert_string_equal(found, row);
            return;
        }
    }
    fail_msg("no row with %s in: %s", word, text);
}

static void put_all(void) {
    FILE *out = open_file("stats.csv", stats_head);
    put_stat(out, "system", "generational", "time_ns", 40);
    put_stat(out, "system#2", "generational", "mutator_ns", 77);
    put_stat(out, "floor", "generational", "mutator_ns", 88);
    put_stat(out, "system", "generational", "mutator_ns", 30);
    put_stat(out, "system", "generational", "collector_ns", 10);
    put_stat(out, "system", "generational", "distilled_minimum_ns", 20);
    put_stat(out, "system", "generational", "lower_bound_overhead", 2);
    put_stat(out, "system", "generational", "pause_max_ns", 12345);
    put_stat(out, "system", "generational", "garbage_peak_objects", 1234567);
    put_stat(out, "system", "generational", "garbage_slope_per_op", 0.25);
    put_stat(out, "system", "generational", "warmup_time_ns", 41);
    fclose(out);
}

static void put_labels(const int *trends, const int *labels) {
    FILE *out = open_file("samples.csv", "cell,metric,value");
    for (int i = 0; i < 3; i++) {
        put_sample(out, "generational", "garbage_peak_objects", 5);
        put_sample(out, "generational", "warmup_time_ns", 41);
        if (trends[i] < 2)
            put_sample(out, "generational", "garbage_trend", trends[i]);
        if (labels[i] < 4)
            put_sample(out, "generational", "warmup_label", labels[i]);
    }
    fclose(out);
}

static void test_row_has_times_garbage_and_labels_that_agree(void **state) {
    (void)state;
    put_all();
    put_labels((const int[]){1, 1, 1}, (const int[]){2, 2, 2});
    char *text = print();
    expect_row(text, " us",
               "generational on system        30        10     20     2     NA   12.3 us    NA");
    expect_row(text, "growing", "generational on system       1234567          0.25  growing");
    expect_row(text, "slow", "generational on system  slow-down");
    assert_non_null(strstr(text, "trees, 1 thread\n"));
    assert_null(strstr(text, "77"));
    assert_null(strstr(text, "88"));
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        assert_true(strcspn(at, "\n") <= 80);
    free(text);
}

static void test_labels_that_differ_are_told_apart(void **state) {
    (void)state;
    put_all();
    put_labels((const int[]){1, 0, 1}, (const int[]){0, 1, 0});
    char *text = print();
    expect_row(text, "0.25", "generational on system       1234567          0.25  mixed");
    expect_row(text, "incons", "generational on system  inconsistent: 2 flat, 1 warm-up");
    free(text);
}

static void test_labels_that_are_not_known_are_said_to_be(void **state) {
    (void)state;
    put_all();
    put_labels((const int[]){2, 2, 2}, (const int[]){4, 4, 4});
    char *text = print();
    expect_row(text, "0.25", "generational on system       1234567          0.25  not known");
    expect_row(text, "fewer", "generational on system  not known: fewer than 20 iterations");
    free(text);
    /* One process that does not know is not one that agrees. */
    put_labels((const int[]){0, 2, 0}, (const int[]){3, 3, 3});
    text = print();
    expect_row(text, "0.25", "generational on system       1234567          0.25  mixed");
    expect_row(text, "steady", "generational on system  no steady state");
    free(text);
}

static void test_run_without_collectors_has_no_table(void **state) {
    (void)state;
    FILE *out = open_file("stats.csv", stats_head);
    put_stat(out, "system", "-", "time_ns", 40);
    fclose(out);
    char *text = print();
    assert_string_equal(text, "");
    free(text);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hm_collecting_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    static const char *const names[] = {"stats.csv", "samples.csv"};
    char path[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_row_has_times_garbage_and_labels_that_agree),
        IN_FOLDER(test_labels_that_differ_are_told_apart),
        IN_FOLDER(test_labels_that_are_not_known_are_said_to_be),
        IN_FOLDER(test_run_without_collectors_has_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

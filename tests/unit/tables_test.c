/* The tables of a run, from result files that are made here: families with their worst cells, and labels
 * that fit.
 *
 * labels: plain */
#include "harness/report/families.h"
#include "harness/report/stalls.h"
#include "harness/report/table.h"
#include "harness/report/words.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS = 6,
    ARMS = 5,
    WORKLOADS = 2,
};

/* One text, which the list below may not break. */
/* clang-format off */
#define LONG "debug:fill=off+handicap:ns=100+pool:arena=4M:pool=64K:lock=none:spare=128:max=2048:name=very-long"
/* clang-format on */

static const char *const arms[ARMS] = {"system", "system#2", "floor", "pool", LONG};
static const char *const workloads[WORKLOADS] = {"churn", "trees"};

/* Of pool against system: 2 and 1/8 in all rounds, a mean of 1/2; of the others 1. */
static double factor(int arm, int workload) {
    return arm == 3 ? workload ? 0.125 : 2 : 1;
}

static char folder[] = "/tmp/heapmark-tables-XXXXXX";

static FILE *create(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    return out;
}

static void write_run(void) {
    FILE *out = create("run.json");
    fputs("{\"schema\": 1, \"margin\": 0.02, \"allocators\": [", out);
    for (int a = 0; a < ARMS; a++)
        fprintf(out, "%s{\"label\": \"%s\", \"again\": %s, \"control\": %s}", a ? ", " : "",
                arms[a], a == 1 ? "true" : "false", a == 2 ? "true" : "false");
    fputs("], \"cells\": [", out);
    for (int i = 0; i < ARMS * WORKLOADS; i++)
        fprintf(out, "%s{\"cell\": \"%s/%s/-/t1/core\", \"baseline\": \"%s/system/-/t1/core\"}",
                i ? ", " : "", workloads[i / ARMS], arms[i % ARMS], workloads[i / ARMS]);
    fputs("]}", out);
    fclose(out);
}

static void write_samples(int rounds) {
    FILE *out = create("samples.csv");
    fputs("schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,"
          "thread,metric,"
          "value,unit,better,ops,status,reason,started_utc\n",
          out);
    for (int i = 0; i < ARMS * WORKLOADS * rounds; i++) {
        int arm = i % ARMS, workload = i / ARMS % WORKLOADS, round = i / ARMS / WORKLOADS;
        fprintf(
            out,
            "1,x,%s/%s/-/t1/core,%s,-,%s,-,1,core,%d,0,0,-1,ops_per_second,%g,op/s,higher,9,ok,,\n",
            workloads[workload], arms[arm], arms[arm], workloads[workload], round,
            1000 * (round + 1) * factor(arm, workload));
    }
    fclose(out);
}

static void write_stats(bool interval) {
    FILE *out = create("stats.csv");
    fputs("cell,allocator,collector,workload,params,threads,metric,unit,better,n,median,q1,q3,ci_"
          "low,ci_high,"
          "baseline,ratio,ratio_low,ratio_high,verdict,confidence,decided_after\n",
          out);
    for (int i = 0; i < ARMS * WORKLOADS; i++) {
        int arm = i % ARMS, workload = i / ARMS;
        double ratio = factor(arm, workload);
        fprintf(out,
                "%s/%s/-/t1/core,%s,-,%s,-,1,ops_per_second,op/s,higher,6,1,1,1,1,1,%s/system/-/t1/"
                "core,",
                workloads[workload], arms[arm], arms[arm], workloads[workload],
                workloads[workload]);
        const char *verdict = arm == 0 || arm == 2 ? "NA"
                              : ratio > 1          ? "faster"
                              : ratio < 1          ? "slower"
                                                   : "equivalent";
        if (interval && arm)
            fprintf(out, "%g,%g,%g,%s,0.95,NA\n", ratio, ratio * 0.99999, ratio * 1.00001, verdict);
        else
            fprintf(out, "%g,NA,NA,%s,0.95,NA\n", ratio, verdict);
    }
    fclose(out);
}

static char *printed(int (*print)(FILE *, const char *, struct hm_error *), int rounds) {
    struct hm_error error;
    char *text = NULL;
    size_t size;
    write_run();
    write_samples(rounds);
    write_stats(rounds >= 6);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(print(out, folder, &error), 0);
    fclose(out);
    return text;
}

static void assert_has(const char *text, const char *line) {
    if (!strstr(text, line))
        fail_msg("no '%s' in:\n%s", line, text);
}

static void assert_fits(const char *text) {
    for (; *text; text += strcspn(text, "\n") + 1)
        if (strcspn(text, "\n") > HM_WORDS_PAGE)
            fail_msg("wider than the page: %.*s", (int)strcspn(text, "\n"), text);
}

static void test_family_has_its_mean_and_its_worst_cell(void **state) {
    (void)state;
    char *text = printed(hm_families_print, ROUNDS);
    assert_has(text, "\n  pool, 2 cells                          0.5 [0.5, 0.5]           mean\n"
                     "    worst: trees, 1 thread               0.125 [0.125, 0.125]     slower\n");
    assert_has(text, "\nspeed, better is higher; Holm over 6 comparisons\n"); /* A/A too */
    assert_has(text, "Margin 2 %");
    assert_null(strstr(text, "A/A:"));
    assert_null(strstr(text, "floor"));
    assert_fits(text);
    free(text);
}

static void test_family_of_few_rounds_has_no_interval(void **state) {
    (void)state;
    char *text = printed(hm_families_print, 2);
    assert_has(text, "too few rounds for a test");
    assert_has(text, "  pool, 2 cells                          0.5 [NA]                 mean\n");
    free(text);
}

static void test_longest_call_says_when_it_was_and_whether_it_was_a_pause(void **state) {
    (void)state;
    FILE *out = create("series.csv");
    fputs("cell,round,thread,t_ns,metric,value,unit\n"
          "churn/pool/-/t1/core,0,0,1000,stall_store_ns,1000000,ns\n"
          "churn/pool/-/t1/core,0,0,1000,stall_paused_ns,1000000,ns\n"
          "churn/pool/-/t1/core,1,1,5000000,stall_new_ns,2000000,ns\n"
          "churn/pool/-/t1/core,1,0,5000000,stall_paused_ns,0,ns\n"
          "churn/pool/-/t1/core,1,1,5000000,stall_paused_ns,1500000,ns\n"
          "churn/pool/-/t1/core,1,1,6000000,stall_paused_ns,0,ns\n"
          "churn/system/-/t1/core,2,-1,7000000,stall_release_ns,3000,ns\n"
          "churn/system/-/t1/core,2,-1,7000000,stall_paused_ns,1000,ns\n",
          out);
    fclose(out);
    char *text = printed(hm_stalls_print, ROUNDS);
    assert_has(text, "\nchurn, 1 thread\n");
    assert_has(text,
               "\n    pool                       2 ms at     5 ms round 2   new, t1, a pause\n");
    assert_has(text, "\n    system                     3 us at     7 ms round 3   release\n");
    assert_null(strstr(text, "store"));
    assert_fits(text);
    free(text);
}

static void test_table_fits_the_page_whatever_the_labels(void **state) {
    (void)state;
    char *text = printed(hm_table_print, ROUNDS);
    assert_fits(text);
    assert_has(text, "\n  debug:fill=off+handicap:ns=100+pool:ar..e=128");
    assert_has(text, "pool, 2 cells");
    free(text);
}

static void test_label_is_cut_in_its_middle(void **state) {
    (void)state;
    char out[HM_WORDS_PAGE + 1];
    assert_string_equal(hm_words_cut("abcdefgh", 8, out), "abcdefgh");
    assert_string_equal(hm_words_cut("abcdefghi", 8, out), "abc..ghi");
    assert_string_equal(hm_words_cut("abcdefghi", 7, out), "abc..hi");
}

static void test_ratio_has_as_many_digits_as_there_is_room_for(void **state) {
    (void)state;
    char out[64];
    assert_string_equal(hm_words_ratio(1.23456, 1.11111, 1.4, 24, out, sizeof out),
                        "1.235 [1.111, 1.4]");
    assert_string_equal(hm_words_ratio(0.123456, 0.00123456, 0.987654, 20, out, sizeof out),
                        "0.12 [0.0012, 0.99]");
    assert_string_equal(hm_words_ratio(2, NAN, NAN, 20, out, sizeof out), "2 [NA]");
    assert_string_equal(hm_words_ratio(NAN, NAN, NAN, 20, out, sizeof out), "NA");
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    static const char *const names[] = {"run.json", "samples.csv", "stats.csv", "series.csv"};
    char path[64];
    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_family_has_its_mean_and_its_worst_cell),
        cmocka_unit_test(test_family_of_few_rounds_has_no_interval),
        cmocka_unit_test(test_longest_call_says_when_it_was_and_whether_it_was_a_pause),
        cmocka_unit_test(test_table_fits_the_page_whatever_the_labels),
        cmocka_unit_test(test_label_is_cut_in_its_middle),
        cmocka_unit_test(test_ratio_has_as_many_digits_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

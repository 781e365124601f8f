/* Which values of a sweep are said to lie on the front of time and space. */
#include "harness/compare/fronts.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROUNDS = 8,
};

static char folder[] = "/tmp/fronts_test.XXXXXX";
static FILE *samples;

static const char *in_folder(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The process of each round goes up and down with the others of its round, and a little by itself. */
static double at_round(double value, int round, double spread) {
    static const double drift[] = {1, 1.3, 0.9, 1.1, 1.02, 0.97, 1.2, 1};
    static const double own[] = {0.3, -0.2, 0.1, -0.4, 0.2, 0, -0.1, 0.15};
    return value * drift[round] * (1 + spread * own[round]);
}

static void put_sample(const char *collector, const char *metric, int round, double value,
                       const char *status) {
    fprintf(
        samples,
        "1,r,rings/system/%s/t1/core,system,%s,rings,-,1,core,%d,0,0,-1,%s,%.9g,x,lower,1,%s,,\n",
        collector, collector, round, metric, value, status);
}

static void put_arm(const char *collector, double ns, double bytes, double spread) {
    for (int round = 0; round < ROUNDS; round++) {
        put_sample(collector, "time_ns", round, at_round(ns, round, spread), "ok");
        put_sample(collector, "footprint_bytes", round, bytes, "ok");
    }
}

/* A sweep of k over v1 to v5, of which v1 is the default. */
static void begin(void) {
    FILE *run = fopen(in_folder("run.json"), "w");
    fputs("{\"margin\": 0.02, \"allocators\": [{\"label\": \"system\", \"again\": false, "
          "\"control\": false}],"
          " \"cells\": [{\"cell\": \"rings/system/v1/t1/core\"}], \"sweeps\": [{\"sweep\": "
          "\"gc:k=1,2,3,4,5\", \"kind\": \"collector\", "
          "\"part\": \"gc\","
          " \"keys\": [\"k\"], \"arms\": [",
          run);
    for (int i = 1; i <= 5; i++)
        fprintf(run,
                "%s{\"label\": \"v%d\", \"unswept\": %s, \"values\": [{\"text\": \"%d\", "
                "\"number\": %d}]}",
                i > 1 ? "," : "", i, i == 1 ? "true" : "false", i, i);
    fputs("]}]}\n", run);
    fclose(run);
    samples = fopen(in_folder("samples.csv"), "w");
    fputs("schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,"
          "thread,metric,"
          "value,unit,better,ops,status,reason,started_utc\n",
          samples);
}

/* What is printed. The caller frees. */
static char *print(void) {
    char *text = NULL;
    size_t size;
    struct hm_error error = {""};
    fclose(samples);
    FILE *out = open_memstream(&text, &size);
    if (hm_fronts_print(out, folder, &error))
        fail_msg("%s", error.line);
    fclose(out);
    for (char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    return text;
}

/* The line of a value ends so. */
static void assert_line(const char *text, const char *value, const char *end) {
    char begin_of[64];
    snprintf(begin_of, sizeof begin_of, "\n  %s ", value);
    const char *line = strstr(text, begin_of);
    assert_non_null(line);
    size_t length = strcspn(line + 1, "\n");
    if (length < strlen(end) || strncmp(line + 1 + length - strlen(end), end, strlen(end)) != 0)
        fail_msg("value %s does not end with '%s':%.*s", value, end, (int)length + 1, line);
}

static void test_values_are_on_the_front_or_behind_one_that_is_better(void **state) {
    (void)state;
    begin();
    put_arm("v1", 100, 10e6, 0.01);
    put_arm("v2", 120, 8e6, 0.01);
    put_arm("v3", 130, 12e6, 0.01);   /* worse than v1 and v2 in both: farther from v2 */
    put_arm("v4", 100.2, 10e6, 0.01); /* as v1 */
    put_arm("v5", 150, 8e6, 0.01);    /* the space of v2, and slower */
    char *text = print();
    assert_line(text, "1 (default)", "  front");
    assert_line(text, "2", "  front");
    assert_line(text, "3", "behind 2: 8.33 % slower, 50 % larger");
    assert_line(text, "4", "  front");
    assert_line(text, "5", "behind 2: 25 % slower, same space");
    assert_non_null(strstr(text, "rings on system, 1 thread"));
    free(text);
}

/* Slower and smaller is a choice, not a defect. */
static void test_exchange_of_time_for_space_is_all_front(void **state) {
    char label[8], value[16];
    (void)state;
    begin();
    for (int i = 1; i <= 5; i++) {
        snprintf(label, sizeof label, "v%d", i);
        put_arm(label, 100 + 10 * i, 20e6 - 2e6 * i, 0.01);
    }
    char *text = print();
    for (int i = 1; i <= 5; i++) {
        snprintf(value, sizeof value, "%d%s", i, i == 1 ? " (default)" : "");
        assert_line(text, value, "  front");
    }
    free(text);
}

/* A difference that the noise explains is none. */
static void test_noise_leaves_the_front_open(void **state) {
    (void)state;
    begin();
    put_arm("v1", 100, 10e6, 0.01);
    put_arm("v2", 104, 10e6, 1);
    char *text = print();
    assert_line(text, "2", "open; by medians behind 1");
    assert_line(text, "3", "not measured");
    free(text);
}

/* What equal arms differ by is not told apart. */
static void test_a_a_arm_tells_the_noise(void **state) {
    (void)state;
    begin();
    FILE *run = fopen(in_folder("run.json"), "r+");
    fputs("{\"margin\": 0.02, \"allocators\": [{\"label\": \"system#2\", \"again\": true, "
          "\"control\":  true}],"
          "\"cells\":[{\"cell\":\"rings/system/v1/t1/core\"},{\"cell\":\"rings/system#2/v1/t1/"
          "core\",\"baseline\":\"rings/system/v1/t1/"
          "core\"}],"
          "\"sweeps\":[{\"sweep\":\"gc:k=1,2\",\"kind\":\"collector\",\"part\":\"gc\",\"keys\":["
          "\"k\"],\"arms\":["
          "{\"label\":\"v1\",\"unswept\":true,\"values\":[{\"text\":\"1\",\"number\":1}]},"
          "{\"label\":\"v2\",\"unswept\":false,\"values\":[{\"text\":\"2\",\"number\":2}]}]}]}",
          run);
    assert_int_equal(ftruncate(fileno(run), ftell(run)), 0);
    fclose(run);
    put_arm("v1", 100, 10e6, 0.01);
    put_arm("v2", 110, 10e6, 0.01);
    for (int round = 0; round < ROUNDS; round++) {
        fprintf(samples,
                "1,r,rings/system#2/v1/t1/core,system#2,v1,rings,-,1,core,%d,0,0,-1,time_ns,%.9g,x,"
                "lower,1,ok,,\n",
                round, at_round(115, round, 0.01));
    }
    char *text = print();
    assert_line(text, "2", "open; by medians behind 1");
    free(text);
}

static void test_failed_value_is_not_measured_and_no_rival(void **state) {
    (void)state;
    begin();
    put_arm("v1", 100, 10e6, 0.01);
    put_arm("v2", 120, 12e6, 0.01);
    put_arm("v3", 50, 5e6, 0.01);
    put_sample("v3", "time_ns", 7, 0, "timeout");
    char *text = print();
    assert_line(text, "1 (default)", "  front");
    assert_line(text, "2", "behind 1: 20 % slower, 20 % larger");
    assert_line(text, "3", "not measured: timeout");
    free(text);
}

static void test_run_without_space_has_no_fronts(void **state) {
    (void)state;
    begin();
    for (int round = 0; round < ROUNDS; round++) {
        put_sample("v1", "time_ns", round, 100, "ok");
        put_sample("v2", "time_ns", round, 110, "ok");
    }
    char *text = print();
    assert_string_equal(text, "");
    free(text);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(in_folder("run.json"));
    unlink(in_folder("samples.csv"));
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_on_the_front_or_behind_one_that_is_better),
        cmocka_unit_test(test_exchange_of_time_for_space_is_all_front),
        cmocka_unit_test(test_noise_leaves_the_front_open),
        cmocka_unit_test(test_a_a_arm_tells_the_noise),
        cmocka_unit_test(test_failed_value_is_not_measured_and_no_rival),
        cmocka_unit_test(test_run_without_space_has_no_fronts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

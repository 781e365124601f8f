/* Sweeps: which arms they make, in a plan and from a job file. */
#include "harness/plan/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct hm_topology *topology;

static int load_topology(void **state) {
    struct hm_error error;
    (void)state;
    setenv("HWLOC_SYNTHETIC", "core:4 pu:1", 1);
    return hm_topology_load(&topology, &error);
}

static int free_topology(void **state) {
    (void)state;
    hm_topology_free(topology);
    return 0;
}

static struct hm_sweep *sweep_of(const char *text) {
    struct hm_request request;
    struct hm_sweep *s = NULL;
    struct hm_error error = {""};
    hm_request_init(&request);
    if (hm_sweep_parse(text, &request, &s, &error))
        fail_msg("no sweep: %s", error.line);
    return s;
}

/* @param labels with a blank behind each, in their order */
static void assert_arms(const struct hm_sweep *s, const char *labels) {
    char found[4096] = "";
    for (size_t i = 0; i < s->arm_count; i++) {
        strcat(found, s->arms[i].label);
        strcat(found, " ");
    }
    assert_string_equal(found, labels);
}

static void test_sweep_makes_an_arm_for_each_value_and_the_unswept_one_first(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("generational:threshold0=100,2K");
    assert_string_equal(s->kind, "collector");
    assert_string_equal(s->unswept, "generational");
    assert_string_equal(s->keys[0].name, "threshold0");
    assert_arms(s, "generational generational:threshold0=100 generational:threshold0=2K ");
    assert_null(s->arms[0].values[0]);
    assert_true(s->arms[0].unswept);
    assert_false(s->arms[2].unswept);
    assert_int_equal(s->arms[2].values[0]->number, 2000); /* a count, not bytes */
    hm_sweep_free(s);
}

static void test_sweep_keeps_other_parameters(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("generational:auto=on:threshold0=100,700:policy=full");
    assert_arms(s, "generational:auto=on:policy=full "
                   "generational:auto=on:threshold0=100:policy=full "
                   "generational:auto=on:threshold0=700:policy=full ");
    hm_sweep_free(s);
}

static void test_sweep_without_a_list_is_over_the_last_key(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("generational:policy=full:threshold0=100");
    assert_arms(s, "generational:policy=full generational:policy=full:threshold0=100 ");
    hm_sweep_free(s);
}

/* The unswept part is its arm: the same work would be measured twice. */
static void test_default_among_the_values_is_the_unswept_arm(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("pool:arena=256K,1024K");
    assert_arms(s, "pool pool:arena=256K ");
    assert_int_equal(s->arms[0].values[0]->number, 1 << 20);
    hm_sweep_free(s);
    s = sweep_of("first-fit:index=scan,bitmap,tree");
    assert_arms(s, "first-fit first-fit:index=scan first-fit:index=bitmap ");
    assert_string_equal(s->arms[0].values[0]->text, "tree");
    hm_sweep_free(s);
}

static void test_several_lists_are_combined_each_with_each(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("handicap:ns=1,2+pool:arena=256K,1M");
    assert_int_equal(s->key_count, 2);
    assert_arms(s, "handicap+pool handicap:ns=1+pool:arena=256K handicap:ns=1+pool:arena=1M "
                   "handicap:ns=2+pool:arena=256K handicap:ns=2+pool:arena=1M ");
    assert_string_equal(s->arms[4].values[0]->text, "2");
    assert_string_equal(s->arms[4].values[1]->text, "1M");
    hm_sweep_free(s);
}

/* A curve goes through it; but not where it stands for another number, as generational's -1 does. */
static void test_unswept_arm_has_the_default_value(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("pool:arena=256K");
    assert_string_equal(s->arms[0].label, "pool");
    assert_string_equal(s->arms[0].values[0]->text, "1M");
    assert_int_equal(s->arms[0].values[0]->number, 1 << 20);
    hm_sweep_free(s);
    s = sweep_of("first-fit:index=scan");
    assert_string_equal(s->arms[0].values[0]->text, "tree");
    assert_false(s->arms[0].values[0]->is_number);
    hm_sweep_free(s);
    s = sweep_of("handicap:ns=1+pool:arena=256K,4M");
    assert_string_equal(s->arms[0].label, "handicap:ns=1+pool");
    assert_string_equal(s->arms[0].values[0]->text, "1M");
    hm_sweep_free(s);
    s = sweep_of("cpython:threshold0=100");
    assert_string_equal(s->arms[0].values[0]->text, "700");
    hm_sweep_free(s);
}

/* They are not compared with each other. */
static void test_workloads_get_no_unswept_arm(void **state) {
    (void)state;
    struct hm_sweep *s = sweep_of("trees:depth=8,9");
    assert_string_equal(s->kind, "workload");
    assert_arms(s, "trees:depth=8 trees:depth=9 ");
    hm_sweep_free(s);
}

static void assert_refused(const char *text, const char *word) {
    struct hm_request request;
    struct hm_sweep *s = NULL;
    struct hm_error error = {""};
    hm_request_init(&request);
    assert_int_equal(hm_sweep_parse(text, &request, &s, &error), EINVAL);
    if (!strstr(error.line, word))
        fail_msg("no '%s' in: %s", word, error.line);
    assert_null(strchr(error.line, '\n'));
}

static void test_bad_sweeps_are_refused(void **state) {
    char long_list[2048] = "pool:arena=1";
    (void)state;
    assert_refused("genrational:threshold0=1", "did you mean 'generational'");
    assert_refused("generational", "PART:KEY=VALUE");
    assert_refused(":threshold0=1", "PART:KEY=VALUE");
    assert_refused("generational:", "PART:KEY=VALUE");
    assert_refused("generational:threshold0", "PART:KEY=VALUE");
    assert_refused("generational:threshold0=", "empty value");
    assert_refused("generational:threshold0=1,", "empty value");
    assert_refused("generational:threshold0=,1", "empty value");
    assert_refused("generational:threshold0=1,2,1", "twice");
    assert_refused("generational:threshold0=1000,1K", "are the same");
    for (int i = 2; i < 256; i++)
        sprintf(long_list + strlen(long_list), ",%d", i);
    assert_refused(long_list, "more than 254 arms");
}

/* ---- In a plan ---- */

/* A job file with these lines behind [run]. @return as hm_plan_build */
static int plan_job(const char *lines, struct hm_plan **out, struct hm_error *error) {
    char path[] = "/tmp/sweep_test.XXXXXX";
    struct hm_request request;
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fprintf(file, "[run]\n%s", lines);
    fclose(file);
    hm_request_init(&request);
    int bad = hm_job_read(&request, path, error);
    if (!bad)
        bad = hm_plan_build(out, &request, topology, error);
    hm_request_free(&request);
    unlink(path);
    return bad;
}

static struct hm_plan *plan_of(const char *lines) {
    struct hm_plan *p = NULL;
    struct hm_error error = {""};
    if (plan_job(lines, &p, &error))
        fail_msg("no plan: %s", error.line);
    return p;
}

static const struct hm_cell *cell(const struct hm_plan *p, const char *id) {
    for (size_t i = 0; i < p->cell_count; i++)
        if (strcmp(p->cells[i].id, id) == 0)
            return &p->cells[i];
    fail_msg("no cell %s", id);
    return NULL;
}

static size_t compared_cells(const struct hm_plan *p) {
    size_t count = 0;
    for (size_t i = 0; i < p->cell_count; i++)
        count += !p->cells[i].arm->control && !p->cells[i].arm->again;
    return count;
}

static void test_swept_arms_are_compared_with_the_unswept_one(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("workloads = churn\nsweep = pool:arena=256K,4M\n");
    const struct hm_cell *swept = cell(p, "churn/pool:arena=4M/-/t1/core");
    assert_int_equal(compared_cells(p), 3);
    assert_string_equal(p->cells[swept->baseline].id, "churn/pool/-/t1/core");
    assert_int_equal(p->sweep_count, 1);
    hm_plan_free(p);
}

static void test_swept_arms_are_added_to_a_list(void **state) {
    (void)state;
    struct hm_plan *p =
        plan_of("collectors = none, generational:threshold0=100\nworkloads = rings\n"
                "sweep = generational:threshold0=100, 200\n");
    assert_int_equal(compared_cells(p), 4);
    assert_string_equal(p->cells[0].id, "rings/system/none/t1/core");
    cell(p, "rings/system/generational/t1/core");
    cell(p, "rings/system/generational:threshold0=200/t1/core");
    hm_plan_free(p);
}

static void test_several_sweeps_add_up(void **state) {
    (void)state;
    struct hm_plan *p =
        plan_of("workloads = rings\nsweep = generational:threshold0=100 marksweep:heap=4,\n"
                "        8\n  pool:arena=256K\nsweep = marksweep:min=1M,2M\n");
    assert_int_equal(p->sweep_count, 4);
    assert_string_equal(p->sweeps[1]->text, "marksweep:heap=4,8");
    assert_int_equal(p->collector_count, 2 + 3 + 1); /* marksweep is unswept in two of them */
    assert_int_equal(compared_cells(p), 2 * 6);
    hm_plan_free(p);
}

static void test_sweep_of_a_configuration_keeps_its_name_and_environment(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("workloads = churn\nsweep = mine:arena=256K,4M\n"
                                "[allocator mine]\nuse = handicap:ns=1+pool:max=256\nenv = A=b\n");
    const struct hm_cell *swept = cell(p, "churn/mine:arena=4M/-/t1/core");
    assert_string_equal(swept->arm->spec.text, "handicap:ns=1+pool:max=256:arena=4M");
    assert_string_equal(swept->arm->env[0], "A=b");
    assert_string_equal(p->cells[swept->baseline].id, "churn/mine/-/t1/core");
    hm_plan_free(p);
    p = plan_of("sweep = mine:threshold0=100 deep:depth=8,9\n"
                "[collector mine]\nuse = generational:policy=full\n"
                "[workload deep]\nuse = trees\n");
    assert_string_equal(
        cell(p, "deep:depth=9/system/mine:threshold0=100/t1/core")->collector->spec.text,
        "generational:policy=full:threshold0=100");
    hm_plan_free(p);
}

static void test_sweep_of_collectors_without_a_workload_takes_one_of_objects(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("sweep = generational:threshold0=100\n");
    cell(p, "trees/system/generational:threshold0=100/t1/core");
    hm_plan_free(p);
}

static void assert_no_plan(const char *lines, const char *word) {
    struct hm_plan *p = NULL;
    struct hm_error error = {""};
    assert_int_equal(plan_job(lines, &p, &error), EINVAL);
    if (!strstr(error.line, word))
        fail_msg("no '%s' in: %s", word, error.line);
}

static void test_sweeps_that_make_no_arms_are_refused(void **state) {
    (void)state;
    assert_no_plan("workloads = rings\nsweep = generational:treshold0=1,2\n", "threshold0");
    assert_no_plan("workloads = rings\nsweep = generational:threshold0=1,x\n",
                   "not a whole number");
    assert_no_plan("workloads = rings\nsweep = generational:threshold0=-9,1\n", "out of range");
    assert_no_plan("workloads = churn\nsweep = generational:threshold0=1,2\n", "objects");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep_makes_an_arm_for_each_value_and_the_unswept_one_first),
        cmocka_unit_test(test_sweep_keeps_other_parameters),
        cmocka_unit_test(test_sweep_without_a_list_is_over_the_last_key),
        cmocka_unit_test(test_default_among_the_values_is_the_unswept_arm),
        cmocka_unit_test(test_several_lists_are_combined_each_with_each),
        cmocka_unit_test(test_unswept_arm_has_the_default_value),
        cmocka_unit_test(test_workloads_get_no_unswept_arm),
        cmocka_unit_test(test_bad_sweeps_are_refused),
        cmocka_unit_test(test_swept_arms_are_compared_with_the_unswept_one),
        cmocka_unit_test(test_swept_arms_are_added_to_a_list),
        cmocka_unit_test(test_several_sweeps_add_up),
        cmocka_unit_test(test_sweep_of_a_configuration_keeps_its_name_and_environment),
        cmocka_unit_test(test_sweep_of_collectors_without_a_workload_takes_one_of_objects),
        cmocka_unit_test(test_sweeps_that_make_no_arms_are_refused),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}

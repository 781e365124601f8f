/* Specs and job files: what is accepted, and what the one line of a refusal says. */
#include "harness/plan/registry.h"
#include "harness/plan/request.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_says(const struct hm_error *error, const char *words) {
    if (!strstr(error->line, words))
        fail_msg("'%s' does not say '%s'", error->line, words);
}

static void assert_allocator_refused(const char *text, const char *words) {
    struct hm_allocator_spec spec;
    struct hm_error error = {""};
    assert_int_equal(hm_allocator_spec_parse(text, &spec, &error), EINVAL);
    assert_says(&error, words);
}

static int64_t first_fit_param(const struct hm_allocator_spec *spec, const char *name) {
    const struct hm_param *table = spec->parts[0]->params;
    for (size_t i = 0; table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return spec->params[0].values[i].number;
    fail_msg("first-fit has no parameter %s", name);
    return 0;
}

static void test_spec_without_parameters_has_all_defaults(void **state) {
    struct hm_allocator_spec spec;
    struct hm_error error;
    (void)state;
    assert_int_equal(hm_allocator_spec_parse("first-fit", &spec, &error), 0);
    for (size_t i = 0; spec.parts[0]->params[i].name; i++)
        assert_int_equal(spec.params[0].values[i].number, spec.parts[0]->params[i].initial);
}

static void test_sizes_take_powers_of_1024(void **state) {
    struct hm_allocator_spec spec;
    struct hm_error error;
    (void)state;
    assert_int_equal(hm_allocator_spec_parse("first-fit:size=3K:align=1", &spec, &error), 0);
    assert_int_equal(first_fit_param(&spec, "size"), 3 * 1024);
    assert_int_equal(first_fit_param(&spec, "align"), 1);
}

static void test_mistyped_part_is_told_the_nearest(void **state) {
    (void)state;
    assert_allocator_refused("jemaloc", "did you mean 'jemalloc'");
    assert_allocator_refused("zzzzzzzz", "heapmark list allocators");
}

static void test_mistyped_parameter_is_told_the_nearest(void **state) {
    (void)state;
    assert_allocator_refused("first-fit:sise=1K", "did you mean 'size'");
}

static void test_value_out_of_range_is_told_the_range(void **state) {
    (void)state;
    assert_allocator_refused("first-fit:align=8K", "from 1 to 4096");
    assert_allocator_refused("first-fit:size=99999999999999999999", "out of range");
}

static void test_values_that_are_no_numbers_are_refused(void **state) {
    static const char *const bad[] = {"1x", "K", "1.5", "0x10", "1KK"};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "first-fit:size=%s", bad[i]);
        assert_allocator_refused(text, "not a whole number");
    }
}

static void test_wrong_choice_is_told_the_choices(void **state) {
    (void)state;
    assert_allocator_refused("first-fit:index=bush", "scan|bitmap|tree");
}

static void test_malformed_specs_are_refused(void **state) {
    (void)state;
    assert_allocator_refused("", "empty");
    assert_allocator_refused("first-fit:size", "key=value");
    assert_allocator_refused("first-fit:=3", "key=value");
    assert_allocator_refused("first-fit:size=", "key=value");
    assert_allocator_refused("first-fit:size=1K:size=2K", "twice");
    assert_allocator_refused("first-fit:size=1K`id`", "character");
    assert_allocator_refused("pool+system", "not a layer");
}

/* A collector of which the file of one value is not in the build; another parameter chooses
 * nothing. */
static const struct hm_param halved_params[] = {
    {.name = "count", .unit = "", .kind = HM_PARAM_CHOICE, .choices = "plain|here|gone"},
    {.name = "auto", .unit = "", .kind = HM_PARAM_CHOICE, .choices = "on|off"},
    {.name = NULL},
};
static const struct hm_collector hm_halved = {
    .name = "halved", .summary = "", .origin = "", .params = halved_params};
HM_REGISTER(hm_collector, hm_halved);
static const struct hm_collector hm_halved_here = {.name = "halved_here",
                                                   .variant_of = "halved",
                                                   .variant = "count=here",
                                                   .summary = "",
                                                   .origin = "",
                                                   .params = halved_params};
HM_REGISTER(hm_collector, hm_halved_here);

static void test_a_variant_that_is_not_in_the_build_is_refused(void **state) {
    (void)state;
    struct hm_collector_spec spec;
    struct hm_error error = {""};
    assert_int_equal(hm_collector_spec_parse("halved:auto=off", &spec, &error), 0);
    assert_ptr_equal(spec.part, &hm_halved);
    assert_int_equal(hm_collector_spec_parse("halved:count=here:auto=off", &spec, &error), 0);
    assert_ptr_equal(spec.part, &hm_halved_here);
    assert_int_equal(hm_collector_spec_parse("halved:count=gone", &spec, &error), EINVAL);
    assert_says(&error, "halved: count=gone is not in this build");
}

static void test_a_parameter_chooses_the_variant_that_is_compiled_for_it(void **state) {
    (void)state;
    static const char *const names[][2] = {{"refcount", "refcount"},
                                           {"refcount:count=plain", "refcount"},
                                           {"refcount:count=atomic", "refcount_atomic"},
                                           {"refcount:count=biased", "refcount_biased"}};
    struct hm_collector_spec spec;
    struct hm_error error = {""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(hm_collector_spec_parse(names[i][0], &spec, &error), 0);
        assert_string_equal(spec.part->name, names[i][1]);
        assert_string_equal(spec.text, names[i][0]);
        assert_ptr_equal(hm_collector_compiled(names[i][1]), spec.part);
    }
    assert_int_equal(hm_collector_spec_parse("refcount_biased", &spec, &error), EINVAL);
    const char *listed[64];
    size_t count = hm_part_names("collector", listed, 64);
    for (size_t i = 0; i < count; i++)
        assert_null(strchr(listed[i], '_'));
}

static void test_overlong_spec_is_refused(void **state) {
    char text[2 * HM_SPEC_BYTES];
    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_allocator_refused(text, "longer than");
}

static void test_all_parameters_are_printed_and_read_again(void **state) {
    struct hm_allocator_spec spec;
    struct hm_allocator_spec again;
    struct hm_error error;
    char params[HM_SPEC_BYTES];
    char text[2 * HM_SPEC_BYTES];
    (void)state;
    assert_int_equal(hm_allocator_spec_parse("first-fit:index=scan:size=1M", &spec, &error), 0);
    hm_params_format(spec.parts[0]->params, &spec.params[0], params, sizeof params);
    snprintf(text, sizeof text, "first-fit:%s", params);
    assert_int_equal(hm_allocator_spec_parse(text, &again, &error), 0);
    for (size_t i = 0; spec.parts[0]->params[i].name; i++)
        assert_int_equal(spec.params[0].values[i].number, again.params[0].values[i].number);
}

/* A job file with the given text; the caller removes it. */
static const char *job_file(const char *text) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/heapmark-job-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void assert_job_refused(const char *text, const char *words) {
    struct hm_request request;
    struct hm_error error = {""};
    const char *path = job_file(text);
    hm_request_init(&request);
    assert_int_equal(hm_job_read(&request, path, &error), EINVAL);
    assert_says(&error, path);
    assert_says(&error, words);
    hm_request_free(&request);
    unlink(path);
}

/* The parameter of this name, or NULL. */
static const struct hm_param *param_of(const struct hm_workload *workload, const char *name) {
    const struct hm_param *param = workload->params;
    while (param && param->name && strcmp(param->name, name) != 0)
        param++;
    return param && param->name ? param : NULL;
}

static void test_a_smallest_size_above_the_largest_is_refused_by_every_heap_workload(void **state) {
    const char *names[128];
    size_t count = hm_part_names("workload", names, 128);
    unsigned tried = 0;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct hm_workload *workload = hm_workload_find(names[i]);
        const struct hm_param *min = param_of(workload, "min");
        const struct hm_param *max = param_of(workload, "max");
        struct hm_workload_spec spec;
        struct hm_error error = {""};
        char text[128];
        if (workload->kind != HM_WORKLOAD_HEAP || !min || !max)
            continue;
        tried++;
        snprintf(text, sizeof text, "%s:min=%" PRId64 ":max=%" PRId64, names[i], min->max,
                 max->min);
        assert_int_equal(hm_workload_spec_parse(text, &spec, &error), EINVAL);
        assert_says(&error, "max");
    }
    assert_true(tried > 10);
}

static void test_job_file_names_configurations_with_their_environment(void **state) {
    struct hm_request request;
    struct hm_error error = {""};
    const char *path = job_file("[run]\nrounds = 7\nallocators = je, system\n"
                                "[allocator je]\nuse = jemalloc\n"
                                "env = MALLOC_CONF=narenas:1,tcache:false\n");
    (void)state;
    hm_request_init(&request);
    assert_int_equal(hm_job_read(&request, path, &error), 0);
    assert_int_equal(request.rounds, 7);
    assert_int_equal(request.matrix_count, 1);
    assert_string_equal(request.matrices[0].allocators, "je, system");
    assert_int_equal(request.config_count, 1);
    assert_string_equal(request.configs[0].use, "jemalloc");
    assert_string_equal(request.configs[0].env[0], "MALLOC_CONF=narenas:1,tcache:false");
    hm_request_free(&request);
    unlink(path);
}

static void test_list_of_a_job_file_goes_on_in_further_lines(void **state) {
    struct hm_request request;
    struct hm_error error = {""};
    const char *path = job_file("[matrix a]\nworkloads = churn, batch,\n  pairs\n  trees\n"
                                "threads = 1\nthreads = 2\n");
    (void)state;
    hm_request_init(&request);
    assert_int_equal(hm_job_read(&request, path, &error), 0);
    assert_string_equal(request.matrices[0].workloads, "churn, batch, pairs, trees");
    assert_string_equal(request.matrices[0].threads, "1, 2");
    assert_int_equal(hm_matrix_set(&request.matrices[0], "threads", "4"), 0);
    assert_string_equal(request.matrices[0].threads, "4");
    hm_request_free(&request);
    unlink(path);
}

static void test_broken_job_files_are_refused_with_the_line(void **state) {
    (void)state;
    assert_job_refused("[run]\nrounds = 7\nnonsense\n", ":3:");
    assert_job_refused("[run]\nrounds = 0\n", ":2: rounds=0");
    assert_job_refused("[runs]\nrounds = 3\n", "unknown section [runs]");
    assert_job_refused("[run]\nlaps = 3\n", "unknown key 'laps'");
    assert_job_refused("[matrix a]\nrounds = 3\n", "unknown key 'rounds'");
    assert_job_refused("[allocator je]\nenv = A=1\n", "does not say what to use");
    assert_job_refused("[allocator je]\nuse = jemalloc\nenv = LD_PRELOAD=x\n", "LD_");
    assert_job_refused("[allocator a b]\nuse = jemalloc\n", "must be 1 to 64");
    assert_job_refused("[collector c]\nuse = refcount\nenv = A=1\n", "unknown key 'env'");
}

static void test_missing_job_file_is_told(void **state) {
    struct hm_request request;
    struct hm_error error = {""};
    (void)state;
    hm_request_init(&request);
    assert_int_equal(hm_job_read(&request, "/nonexistent/job.ini", &error), ENOENT);
    assert_says(&error, "/nonexistent/job.ini");
    hm_request_free(&request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_without_parameters_has_all_defaults),
        cmocka_unit_test(test_sizes_take_powers_of_1024),
        cmocka_unit_test(test_mistyped_part_is_told_the_nearest),
        cmocka_unit_test(test_mistyped_parameter_is_told_the_nearest),
        cmocka_unit_test(test_value_out_of_range_is_told_the_range),
        cmocka_unit_test(test_values_that_are_no_numbers_are_refused),
        cmocka_unit_test(test_wrong_choice_is_told_the_choices),
        cmocka_unit_test(test_malformed_specs_are_refused),
        cmocka_unit_test(test_a_parameter_chooses_the_variant_that_is_compiled_for_it),
        cmocka_unit_test(test_a_variant_that_is_not_in_the_build_is_refused),
        cmocka_unit_test(test_overlong_spec_is_refused),
        cmocka_unit_test(test_all_parameters_are_printed_and_read_again),
        cmocka_unit_test(test_a_smallest_size_above_the_largest_is_refused_by_every_heap_workload),
        cmocka_unit_test(test_job_file_names_configurations_with_their_environment),
        cmocka_unit_test(test_list_of_a_job_file_goes_on_in_further_lines),
        cmocka_unit_test(test_broken_job_files_are_refused_with_the_line),
        cmocka_unit_test(test_missing_job_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Workloads' own figures: declared soundly, and combined over threads. */
#include "harness/cell/figures.h"
#include "harness/plan/registry.h"
#include "harness/results/metrics.h"

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    NAME_MAX_LENGTH = 31, /* as the measured process can tell it */
};

typedef void figure_fn(const struct hm_workload *workload, const struct hm_figure *figure);

static void each_figure(figure_fn *look) {
    size_t count;
    const struct hm_workload *const *all = hm_workloads(&count);
    for (size_t i = 0; i < count; i++)
        for (const struct hm_figure *f = all[i]->figures; f && f->name; f++)
            look(all[i], f);
}

static void is_sound(const struct hm_workload *workload, const struct hm_figure *figure) {
    for (const char *at = figure->name; *at; at++)
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_')
            fail_msg("%s: %s", workload->name, figure->name);
    assert_in_range(strlen(figure->name), 1, NAME_MAX_LENGTH);
    assert_true(*figure->unit && *figure->help);
    assert_null(strchr(figure->help, '\n'));
    assert_non_null(workload->measure);
}

/* Its metric is made from whichever workload comes first. */
static void is_what_others_say(const struct hm_workload *workload, const struct hm_figure *figure) {
    static const enum hm_better better[] = {
        [HM_FIGURE_LOWER_IS_BETTER] = HM_BETTER_LOWER,
        [HM_FIGURE_HIGHER_IS_BETTER] = HM_BETTER_HIGHER,
        [HM_FIGURE_NEITHER_IS_BETTER] = HM_BETTER_NEITHER,
    };
    const struct hm_metric *metric = hm_metric_find(figure->name);
    bool same = metric && hm_metric_is_figure(metric) && strcmp(metric->unit, figure->unit) == 0 &&
                strcmp(metric->summary, figure->help) == 0 &&
                metric->better == better[figure->better];
    if (!same)
        fail_msg("%s: %s means something else elsewhere", workload->name, figure->name);
}

static void test_figures_are_soundly_declared(void **state) {
    (void)state;
    each_figure(is_sound);
}

static void test_a_name_means_the_same_in_all_workloads(void **state) {
    (void)state;
    each_figure(is_what_others_say);
}

static void test_own_metrics_are_no_figures(void **state) {
    (void)state;
    assert_false(hm_metric_is_figure(hm_metric_find("time_ns")));
    assert_false(hm_metric_is_figure(hm_metric_find("unfreed_objects")));
    assert_null(hm_metric_find("no_such_metric"));
}

/* Two figures of three threads. */
static void test_threads_values_are_combined_as_declared(void **state) {
    const double values[] = {1, 10, NAN, NAN, 3, 7};
    const struct hm_figure sum = {.over_threads = HM_FIGURE_SUM};
    const struct hm_figure most = {.over_threads = HM_FIGURE_MAX};
    const struct hm_figure least = {.over_threads = HM_FIGURE_MIN};
    (void)state;
    assert_true(hm_figure_over_threads(&sum, values, 3, 2) == 4);
    assert_true(hm_figure_over_threads(&sum, values + 1, 3, 2) == 17);
    assert_true(hm_figure_over_threads(&most, values, 3, 2) == 3);
    assert_true(hm_figure_over_threads(&least, values + 1, 3, 2) == 7);
    assert_true(isnan(hm_figure_over_threads(&sum, values + 2, 1, 2)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_soundly_declared),
        cmocka_unit_test(test_a_name_means_the_same_in_all_workloads),
        cmocka_unit_test(test_own_metrics_are_no_figures),
        cmocka_unit_test(test_threads_values_are_combined_as_declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

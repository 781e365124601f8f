/* Counts: what is judged without a test, the processor's events, and what is not counted.
 *
 * The memory of sanitizers has faults of its own.
 *
 * labels: plain */
#include "harness/cell/counters.h"
#include "harness/plan/plan.h"
#include "harness/plan/skip.h"
#include "harness/results/metrics.h"
#include "harness/results/samples.h"
#include "harness/stats/verdict.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    PAGES = 200,
};

/* ---- Verdicts ---- */

static struct hm_comparison judged(double first, double second, double noise, bool higher) {
    static double logs[3];
    double scratch[3];
    struct hm_test *order[1];
    logs[0] = log(first);
    logs[1] = log(second);
    logs[2] = NAN;
    struct hm_comparison c = {.logs = logs,
                              .rounds = 3,
                              .margin = 0.02,
                              .noise = noise,
                              .higher_is_better = higher,
                              .counted = true};
    hm_judge(&c, 1, order, scratch);
    return c;
}

static void test_count_is_judged_from_one_round_on(void **state) {
    (void)state;
    struct hm_comparison c = judged(1.03, NAN, NAN, false);
    assert_int_equal(c.verdict, HM_SLOWER);
    assert_true(c.paired.low == c.paired.high && fabs(c.paired.ratio - 1.03) < 1e-12);
    assert_int_equal(judged(0.97, 0.97, NAN, false).verdict, HM_FASTER);
    assert_int_equal(judged(0.97, 0.97, NAN, true).verdict, HM_SLOWER);
    assert_int_equal(judged(1.019, 1.019, NAN, false).verdict, HM_EQUIVALENT);
    assert_int_equal(judged(1, NAN, NAN, false).verdict, HM_EQUIVALENT);
    assert_int_equal(judged(NAN, NAN, NAN, false).verdict, HM_INCONCLUSIVE);
}

static void test_count_that_varies_across_the_margin_is_inconclusive(void **state) {
    (void)state;
    struct hm_comparison c = judged(1.01, 1.03, NAN, false);
    assert_int_equal(c.verdict, HM_INCONCLUSIVE);
    assert_true(fabs(c.paired.low - 1.01) < 1e-12 && fabs(c.paired.high - 1.03) < 1e-12);
    assert_int_equal(judged(1.03, 1.04, 0.05, false).verdict, HM_INCONCLUSIVE);
    assert_int_equal(judged(1.06, 1.07, 0.05, false).verdict, HM_SLOWER);
}

/* A time is none the wiser for standing beside a count: its p is that of a family of one. */
static void test_count_has_no_part_in_the_correction(void **state) {
    (void)state;
    double count[] = {log(2), NAN, NAN, NAN, NAN, NAN};
    double time[] = {0.1, 0.11, 0.1, 0.09, 0.1, 0.1};
    double scratch[6];
    struct hm_test *order[2];
    struct hm_comparison all[] = {{.logs = count, .rounds = 6, .margin = 0.02, .counted = true},
                                  {.logs = time, .rounds = 6, .margin = 0.02}};
    hm_judge(all, 2, order, scratch);
    assert_true(isnan(all[0].test.p));
    assert_true(all[1].test.p > 0 && all[1].test.adjusted == all[1].test.p);
    assert_int_equal(all[0].verdict, HM_SLOWER);
    assert_int_equal(all[1].verdict, HM_SLOWER);
}

static void test_counted_are_callgrinds_metrics_alone(void **state) {
    (void)state;
    size_t count;
    size_t counted = 0;
    const struct hm_metric *all = hm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        counted += hm_metric_is_counted(&all[i]);
    assert_int_equal(counted, 3);
    assert_true(hm_metric_is_counted(hm_metric_find("instructions_per_op")));
    assert_true(hm_metric_is_counted(hm_metric_find("writes_per_op")));
    assert_false(hm_metric_is_counted(hm_metric_find("cpu_instructions_per_op")));
    assert_false(hm_metric_is_counted(hm_metric_find("response_max_ns")));
    for (int i = 0; i < HM_COUNTERS; i++) {
        const struct hm_metric *metric = hm_metric_find(hm_counter_metrics[i]);
        assert_non_null(metric);
        assert_false(hm_metric_is_figure(metric));
    }
}

/* ---- Events ---- */

static char *map_pages(void) {
    size_t bytes = (size_t)PAGES * (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    madvise(pages, bytes, MADV_NOHUGEPAGE);
    return pages;
}

static void *touch(void *arg) {
    volatile char *pages = arg;
    for (long i = 0; i < PAGES; i++)
        pages[i * sysconf(_SC_PAGESIZE)] = 1;
    return NULL;
}

/* A page fault is an event as any other, which every machine has, and this program knows how many there are. */
static void test_event_is_counted_in_all_threads_while_it_runs(void **state) {
    (void)state;
    char *pages[4] = {map_pages(), map_pages(), map_pages(), map_pages()};
    pthread_t thread;
    int fd = hm_counter_open("perf::PAGE-FAULTS");
    if (fd < 0) {
        assert_true(isnan(hm_counter_read(fd)));
        skip();
    }
    touch(pages[0]); /* before */
    assert_true(isnan(hm_counter_read(fd)));
    hm_counter_run(fd, true);
    touch(pages[1]);
    assert_int_equal(pthread_create(&thread, NULL, touch, pages[2]), 0);
    pthread_join(thread, NULL);
    hm_counter_run(fd, false);
    touch(pages[3]); /* after */
    double faults = hm_counter_read(fd);
    close(fd);
    assert_true(faults >= 2 * PAGES);
    assert_true(faults < 3 * PAGES); /* a new thread has some of its own */
}

static void test_event_that_is_unknown_is_an_error_and_no_number(void **state) {
    (void)state;
    errno = 0;
    int fd = hm_counter_open("perf::NO-SUCH-EVENT");
    assert_int_equal(fd, -1);
    assert_true(errno == EINVAL || errno == ENOTSUP);
    assert_true(isnan(hm_counter_read(fd)));
    hm_counter_run(fd, true);
}

/* On a machine without counters the kernel refuses; libpfm4 knows the names in any case. */
static void test_events_of_the_pass_have_names_that_are_known(void **state) {
    (void)state;
    if (hm_counter_open("perf::PAGE-FAULTS") < 0 && errno == ENOTSUP)
        skip();
    for (int i = 0; i < HM_COUNTERS; i++) {
        errno = 0;
        int fd = hm_counter_open(hm_counter_events[i]);
        if (fd < 0 && errno == EINVAL)
            fail_msg("%s is not known", hm_counter_events[i]);
        if (fd >= 0)
            close(fd);
    }
}

/* ---- Plans ---- */

static struct hm_plan *plan_of(const char *workloads, const char *metrics) {
    struct hm_request request;
    struct hm_error error = {""};
    struct hm_topology *topology;
    struct hm_plan *plan = NULL;
    setenv("HWLOC_SYNTHETIC", "core:4 pu:1", 1);
    assert_int_equal(hm_topology_load(&topology, &error), 0);
    hm_request_init(&request);
    request.matrices[0].name = strdup("run");
    request.matrix_count = 1;
    hm_matrix_set(&request.matrices[0], "workloads", workloads);
    hm_matrix_set(&request.matrices[0], "threads", "1,2");
    hm_request_set(&request, "metrics", metrics, &error);
    if (hm_plan_build(&plan, &request, topology, &error))
        fail_msg("no plan: %s", error.line);
    hm_request_free(&request);
    hm_topology_free(topology);
    return plan;
}

static void test_one_thread_is_counted_twice_and_two_are_not(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("churn,counter,shm-heap", "time,instructions");
    p->no_instructions[0] = '\0'; /* as if it were there */
    for (size_t g = 0; g < p->group_count; g++) {
        const struct hm_group *group = p->groups[g];
        bool one = strcmp(group->workload->label, "churn") == 0 && group->threads == 1;
        assert_int_equal(hm_group_rounds(p, group, HM_PASS_INSTRUCTIONS), one ? 2 : 0);
        assert_int_equal(hm_group_rounds(p, group, HM_PASS_COUNTERS), 0);
        assert_int_equal(hm_plan_why_not_counted(group) == NULL, one);
    }
    hm_plan_free(p);
}

static void test_counts_alone_need_no_calibration_and_two_rounds(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("churn", "instructions");
    assert_false(hm_plan_is_timed(p));
    assert_int_equal(p->rounds, 2);
    for (size_t i = 0; i < p->cell_count; i++)
        if (p->cells[i].group->threads == 2)
            assert_int_not_equal(p->cells[i].skip[0], 0);
    if (!p->no_instructions[0]) /* four cells, and how much is enough */
        assert_int_equal(hm_plan_processes(p), 4 * 2 + 1);
    hm_plan_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_is_judged_from_one_round_on),
        cmocka_unit_test(test_count_that_varies_across_the_margin_is_inconclusive),
        cmocka_unit_test(test_count_has_no_part_in_the_correction),
        cmocka_unit_test(test_counted_are_callgrinds_metrics_alone),
        cmocka_unit_test(test_event_is_counted_in_all_threads_while_it_runs),
        cmocka_unit_test(test_event_that_is_unknown_is_an_error_and_no_number),
        cmocka_unit_test(test_events_of_the_pass_have_names_that_are_known),
        cmocka_unit_test(test_one_thread_is_counted_twice_and_two_are_not),
        cmocka_unit_test(test_counts_alone_need_no_calibration_and_two_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

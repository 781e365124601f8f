/* Plans: which cells a matrix has, and what each is compared with. */
#include "harness/measure/shuffle.h"
#include "harness/plan/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

/* A plan of one matrix; NULL keeps a default. The request is freed with the plan's last use. */
static int plan(const char *a, const char *c, const char *w, const char *t, struct hm_plan **out,
                struct hm_error *error) {
    struct hm_request request;
    const char *const keys[] = {"allocators", "collectors", "workloads", "threads"};
    const char *const values[] = {a, c, w, t};
    hm_request_init(&request);
    request.matrices[0].name = strdup("run");
    request.matrix_count = 1;
    for (int i = 0; i < 4; i++)
        if (values[i])
            assert_int_equal(hm_matrix_set(&request.matrices[0], keys[i], values[i]), 0);
    int bad = hm_plan_build(out, &request, topology, error);
    hm_request_free(&request);
    return bad;
}

static struct hm_plan *plan_of(const char *a, const char *c, const char *w, const char *t) {
    struct hm_plan *p = NULL;
    struct hm_error error = {""};
    if (plan(a, c, w, t, &p, &error))
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

static void assert_compared_with(const struct hm_plan *p, const char *id, const char *baseline) {
    assert_string_equal(p->cells[cell(p, id)->baseline].id, baseline);
}

static void test_heap_group_has_its_arms_and_controls(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("system,pool", NULL, "churn", "1");
    assert_int_equal(p->cell_count, 5);
    assert_compared_with(p, "churn/system/-/t1/core", "churn/system/-/t1/core");
    assert_compared_with(p, "churn/pool/-/t1/core", "churn/system/-/t1/core");
    assert_true(cell(p, "churn/system#2/-/t1/core")->arm->again);
    assert_true(cell(p, "churn/floor/-/t1/core")->arm->control);
    assert_true(cell(p, "churn/floor:shape=heap/-/t1/core")->arm->control);
    hm_plan_free(p);
}

static void test_first_allocator_is_the_baseline(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("pool,system", NULL, "churn", "1");
    assert_compared_with(p, "churn/system/-/t1/core", "churn/pool/-/t1/core");
    assert_compared_with(p, "churn/pool#2/-/t1/core", "churn/pool/-/t1/core");
    hm_plan_free(p);
}

static void test_allocators_are_compared_under_the_same_collector(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("system,pool", "none,refcount", "trees", "1");
    assert_compared_with(p, "trees/pool/refcount/t1/core", "trees/system/refcount/t1/core");
    assert_compared_with(p, "trees/system/refcount/t1/core", "trees/system/none/t1/core");
    assert_compared_with(p, "trees/pool/none/t1/core", "trees/system/none/t1/core");
    hm_plan_free(p);
}

/* Whatever the lists name: there is nothing to compare. */
static void test_workload_without_heap_has_one_cell_and_its_again(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("pool,system,floor", "none,refcount", "counter,churn", "2");
    const struct hm_cell *first = cell(p, "counter/-/-/t2/core");
    const struct hm_cell *again = cell(p, "counter/-#2/-/t2/core");
    assert_int_equal(first->group->count, 2);
    assert_null(first->collector);
    assert_string_equal(first->arm->spec.text, "system");
    assert_string_equal(first->arm->library, "");
    assert_true(again->arm->again);
    assert_compared_with(p, again->id, first->id);
    assert_compared_with(p, "churn/system/-/t2/core", "churn/pool/-/t2/core");
    assert_int_equal(p->cell_count, 2 + 5);
    assert_int_equal(hm_group_rounds(p, first->group, HM_PASS_TIME), p->rounds);
    assert_int_equal(hm_group_rounds(p, first->group, HM_PASS_SPACE), 0);
    assert_int_equal(hm_plan_processes(p),
                     2 * (1 + p->rounds) + 5 * (1 + p->rounds + hm_plan_rounds(p, HM_PASS_SPACE)));
    hm_plan_free(p);
}

static void test_heap_of_several_processes_is_compared_over_those_that_can_be_shared(void **state) {
    (void)state;
    struct hm_plan *p =
        plan_of("system,first-fit,first-fit:backing=shared,"
                "first-fit:backing=shared:lock=none,traced+first-fit:backing=shared,"
                "first-fit:backing=shared:index=bitmap",
                "none", "shm-heap", "1");
    const struct hm_cell *first = &p->cells[0];
    assert_string_equal(first->id, "shm-heap/first-fit:backing=shared/-/t1/core");
    assert_compared_with(p, "shm-heap/first-fit:backing=shared#2/-/t1/core", first->id);
    assert_compared_with(p, "shm-heap/first-fit:backing=shared:index=bitmap/-/t1/core", first->id);
    assert_int_equal(p->cell_count, 6 + 1);
    int skipped = 0;
    for (size_t i = 0; i < p->cell_count; i++) {
        bool is_shared = !strstr(p->cells[i].id, "traced") &&
                         !strstr(p->cells[i].id, "lock=none") &&
                         strstr(p->cells[i].id, "backing=shared");
        assert_int_equal(p->cells[i].skip[0] == '\0', is_shared);
        skipped += strstr(p->cells[i].skip, "first-fit:backing=shared") != NULL;
    }
    assert_int_equal(skipped, 4);
    assert_int_equal(hm_group_rounds(p, first->group, HM_PASS_SPACE), 0);
    hm_plan_free(p);
    p = plan_of("system", NULL, "shm-heap", "1");
    assert_int_equal(p->cell_count, 1);
    assert_int_not_equal(p->cells[0].skip[0], 0);
    hm_plan_free(p);
}

/* The cell's own thread waits while they work. */
static void test_processes_have_cpus_of_their_own(void **state) {
    (void)state;
    struct hm_plan *p =
        plan_of("system", NULL, "shm-counter:processes=4,manager:processes=4", "1,2");
    const struct hm_group *g = cell(p, "shm-counter:processes=4/-/-/t1/core")->group;
    assert_int_equal(g->processes, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(g->process_cpus[i], i);
    assert_int_equal(g->cpus[0], 0);
    assert_false(g->oversubscribed);
    g = cell(p, "manager:processes=4/-/-/t1/core")->group;
    assert_int_equal(g->processes, 5);
    assert_true(g->oversubscribed);
    assert_non_null(strstr(cell(p, "manager:processes=4/-/-/t2/core")->skip, "processes"));
    hm_plan_free(p);
}

static void test_floor_that_is_asked_for_stands_once(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("system,floor", NULL, "churn", "1");
    assert_int_equal(p->cell_count, 4);
    hm_plan_free(p);
}

static void test_more_threads_than_cores_are_labelled(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("system", NULL, "churn", "4,5");
    assert_false(cell(p, "churn/system/-/t4/core")->group->oversubscribed);
    assert_true(cell(p, "churn/system/-/t5/core")->group->oversubscribed);
    hm_plan_free(p);
}

static void test_a_path_is_labelled_by_its_file(void **state) {
    (void)state;
    struct hm_plan *p = plan_of("system,libc.so.6", NULL, "churn", "1");
    const struct hm_cell *c = cell(p, "churn/libc.so.6/-/t1/core");
    assert_non_null(strstr(c->arm->library, "libc.so.6"));
    assert_string_equal(c->arm->spec.text, "system");
    hm_plan_free(p);
}

static void assert_refused(const char *a, const char *w, const char *t, const char *words) {
    struct hm_plan *p = NULL;
    struct hm_error error = {""};
    assert_int_equal(plan(a, NULL, w, t, &p, &error), EINVAL);
    assert_null(p);
    if (!strstr(error.line, words))
        fail_msg("'%s' does not say '%s'", error.line, words);
}

static void test_bad_matrices_are_refused(void **state) {
    (void)state;
    assert_refused("system", "churn", "0", "threads=0");
    assert_refused("system", "churn", "two", "threads=two");
    assert_refused("system", "churn", "99999", "from 1 to 4096");
    assert_refused("system,system", "churn", "1", "given twice");
    assert_refused("system,,pool", "churn", "1", "empty item");
    assert_refused("system", "churm", "1", "did you mean 'churn'");
    assert_refused("./no/such/lib.so", "churn", "1", "no/such/lib.so");
}

static void test_every_round_runs_each_cell_once_in_its_own_order(void **state) {
    size_t first[20];
    size_t second[20];
    bool seen[20] = {false};
    (void)state;
    for (size_t i = 0; i < 20; i++)
        first[i] = second[i] = i;
    struct hm_shuffle a = hm_shuffle_of(7, 0);
    struct hm_shuffle b = hm_shuffle_of(7, 1);
    hm_shuffle(&a, first, 20);
    hm_shuffle(&b, second, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_false(seen[first[i]]);
        seen[first[i]] = true;
    }
    assert_memory_not_equal(first, second, sizeof first);
}

static void test_same_seed_gives_the_same_order(void **state) {
    size_t first[20];
    size_t second[20];
    (void)state;
    for (size_t i = 0; i < 20; i++)
        first[i] = second[i] = i;
    struct hm_shuffle a = hm_shuffle_of(7, 3);
    struct hm_shuffle b = hm_shuffle_of(7, 3);
    hm_shuffle(&a, first, 20);
    hm_shuffle(&b, second, 20);
    assert_memory_equal(first, second, sizeof first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_group_has_its_arms_and_controls),
        cmocka_unit_test(test_first_allocator_is_the_baseline),
        cmocka_unit_test(test_allocators_are_compared_under_the_same_collector),
        cmocka_unit_test(test_workload_without_heap_has_one_cell_and_its_again),
        cmocka_unit_test(test_heap_of_several_processes_is_compared_over_those_that_can_be_shared),
        cmocka_unit_test(test_processes_have_cpus_of_their_own),
        cmocka_unit_test(test_floor_that_is_asked_for_stands_once),
        cmocka_unit_test(test_more_threads_than_cores_are_labelled),
        cmocka_unit_test(test_a_path_is_labelled_by_its_file),
        cmocka_unit_test(test_bad_matrices_are_refused),
        cmocka_unit_test(test_every_round_runs_each_cell_once_in_its_own_order),
        cmocka_unit_test(test_same_seed_gives_the_same_order),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}

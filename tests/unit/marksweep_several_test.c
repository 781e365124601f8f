/* Several mutators of marksweep, driven by one thread, so that each step comes when it is told to: what one
 * does while the finalizers of another one's collection run. */
#define HM_COLLECTOR_HEADER "collectors/marksweep.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

static struct fixture fixture;
static struct hm_mutator *collecting, *other;
static struct hm_object *variables[HM_MARKSWEEP_FEW + 1]; /* roots of the other one */

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};

/* What the other one holds goes from its first root to one more, which can not be registered. */
static void lose_root(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    fixture.heap.allowed = 0;
    hm_root(other, &variables[HM_MARKSWEEP_FEW]);
    fixture.heap.allowed = UINT64_MAX;
    variables[HM_MARKSWEEP_FEW] = variables[0];
    variables[0] = NULL;
}

static const struct hm_type losing_type = {.name = "losing", .slots = 1, .finalize = lose_root};

static void open_two(void) {
    fixture_prepare(&fixture, hm_collector_find("marksweep"));
    const struct hm_gc_options options = {.params = fixture.params,
                                          .memory = &fixture.memory,
                                          .events = &fixture.events,
                                          .mutators = 2,
                                          .threading = HM_FREE};
    assert_int_equal(fixture.collector->open(&fixture.gc, &options), 0);
    collecting = fixture.collector->attach(fixture.gc);
    other = fixture.collector->attach(fixture.gc);
    assert_non_null(collecting);
    assert_non_null(other);
    memset(variables, 0, sizeof variables);
    for (int i = 0; i < HM_MARKSWEEP_FEW; i++)
        hm_root(other, &variables[i]);
}

static void test_nothing_is_freed_when_another_mutator_loses_a_root_meanwhile(void **state) {
    (void)state;
    open_two();
    struct hm_object *held = variables[0] = hm_new(other, &leaf_type);
    struct hm_object *dead = hm_new(collecting, &losing_type);
    assert_int_equal(hm_collect(collecting, 2), 0);
    assert_true(is_live(held));
    assert_true(is_live(dead));
    assert_int_equal(hm_collect(other, 2), 0);
    hm_unroot(other, 1);
    assert_int_equal(hm_collect(collecting, 2), 2);
    assert_false(is_live(held));
    assert_false(is_live(dead));
    hm_unroot(other, HM_MARKSWEEP_FEW);
    fixture.collector->detach(other);
    fixture.m = collecting;
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_freed_when_another_mutator_loses_a_root_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

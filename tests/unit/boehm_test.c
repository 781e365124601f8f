/* What boehm promises of roots that it had no memory for. Left out without libgc. */
#define HM_COLLECTOR_HEADER "collectors/boehm.h"
#include "harness/plan/arm.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

enum {
    MANY = 1024, /* what it makes room for at first: the next one would be just behind */
};

static struct fixture fixture;

/* However many were lost: what is registered when there is memory again is written inside the
 * table, and is found once the lost ones have gone. */
static void test_lost_roots_do_no_harm(void **state) {
    (void)state;
    const struct hm_collector *boehm = hm_collector_find("boehm");
    char why[256];
    if (hm_collector_check(boehm, why, sizeof why))
        skip();
    static const struct hm_type type = {.name = "pair", .slots = 2};
    static struct hm_object *lost[MANY], *kept;
    fixture_prepare(&fixture, boehm);
    fixture_open(&fixture);
    struct hm_mutator *m = fixture.m;
    fixture.heap.allowed = 0;
    for (int i = 0; i < MANY; i++)
        hm_root(m, &lost[i]);
    fixture.heap.allowed = UINT64_MAX;
    for (int i = 0; i < MANY; i++)
        hm_root(m, &lost[i]);
    hm_collect(m, 2);
    hm_unroot(m, 2 * MANY);
    for (int i = 0; i < MANY; i++)
        hm_root(m, &kept);
    assert_true(m->roots_used <= m->roots_capacity);
    kept = hm_new(m, &type);
    assert_non_null(kept);
    hm_collect(m, 2);
    assert_ptr_equal(kept->type, &type);
    kept = NULL;
    hm_unroot(m, MANY);
    fixture_close(&fixture); /* and looks behind each block */
    assert_int_equal(fixture.heap.live_blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_roots_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

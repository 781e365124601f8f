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

/* @return collections while 64 MiB die beside 1 MiB that stays */
static uint64_t collections_with(int64_t divisor) {
    static const struct hm_type type = {.name = "kilobyte", .payload_bytes = 1000, .slots = 1};
    struct hm_object *first = NULL;
    struct hm_gc_stats before, after;
    fixture_prepare(&fixture, hm_collector_find("boehm"));
    size_t i = 0;
    while (strcmp(fixture.collector->params[i].name, "divisor") != 0)
        i++;
    fixture.params[i].number = divisor;
    fixture_open(&fixture);
    struct hm_mutator *m = fixture.m;
    hm_root(m, &first);
    fixture.collector->stats(fixture.gc, &before);
    for (int n = 0; n < 64 << 10; n++) {
        struct hm_object *object = hm_new(m, &type);
        assert_non_null(object);
        if (n >= 1 << 10)
            continue;
        hm_store(m, object, 0, first);
        first = object;
    }
    fixture.collector->stats(fixture.gc, &after);
    hm_unroot(m, 1);
    fixture_close(&fixture);
    return after.collections[2] - before.collections[2];
}

static void test_greater_divisor_collects_more_often(void **state) {
    (void)state;
    char why[256];
    if (hm_collector_check(hm_collector_find("boehm"), why, sizeof why))
        skip();
    /* In this order: the heap of the process never shrinks, and a large one collects seldom. */
    uint64_t many = collections_with(12);
    uint64_t few = collections_with(1);
    assert_true(many > 2 * few);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_roots_do_no_harm),
        cmocka_unit_test(test_greater_divisor_collects_more_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Opening `generational` in tests of its rules, and the garbage that they are tried on. */
#ifndef HM_TESTS_UNIT_GENERATIONAL_OPEN_H
#define HM_TESTS_UNIT_GENERATIONAL_OPEN_H

#define HM_COLLECTOR_HEADER "collectors/generational.h"
#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

/* The indexes of the words of `auto`. */
enum automatic {
    ON,
    OFF,
};

static struct fixture fixture;

__attribute__((unused)) static const struct hm_type leaf_type = {.name = "leaf",
                                                                 .payload_bytes = 8};
static const struct hm_type list_type = {.name = "list", .variable = true};

__attribute__((unused)) static const struct hm_type target_type = {
    .name = "target", .slots = 2, .weakable = true};

static inline const struct hm_gc_control *control(void) {
    return fixture.collector->control;
}

static inline struct hm_mutator *open_with(int64_t threshold0, int64_t threshold1,
                                           int64_t threshold2, enum automatic automatic) {
    fixture_prepare(&fixture, hm_collector_find("generational"));
    fixture.params[0].number = threshold0;
    fixture.params[1].number = threshold1;
    fixture.params[2].number = threshold2;
    fixture.params[3].number = automatic;
    fixture_open(&fixture);
    return fixture.m;
}

/* Nothing is collected by itself; with the thresholds of the policy. */
static inline struct hm_mutator *open_policy(enum hm_generational_policy policy) {
    fixture_prepare(&fixture, hm_collector_find("generational"));
    fixture.params[3].number = OFF;
    fixture.params[4].number = policy;
    fixture_open(&fixture);
    return fixture.m;
}

static inline struct hm_mutator *open_manual(void) {
    return open_with(700, 10, 10, OFF);
}

static inline struct hm_object *new_self_cycle(struct hm_mutator *m) {
    struct hm_object *list = hm_new_array(m, &list_type, 1);
    hm_store(m, list, 0, list);
    return list;
}

static inline void leak_self_cycles(struct hm_mutator *m, int count) {
    while (count--)
        hm_release(m, new_self_cycle(m));
}

/* A ring whose first element the caller owns. */
static inline struct hm_object *new_ring(struct hm_mutator *m, int count) {
    struct hm_object *first = hm_new_array(m, &list_type, 1);
    struct hm_object *last = first;
    while (--count) {
        struct hm_object *next = hm_new_array(m, &list_type, 1);
        hm_init_store(m, last, 0, next);
        last = next;
    }
    hm_store(m, last, 0, first);
    return first;
}

/* @return the generation that an object is in, 3: permanent, or -1: untracked */
static inline int generation_of(struct hm_object *object) {
    return control()->generation_of(fixture.gc, object);
}

static inline void expect_counts(const struct hm_mutator *m, int64_t a, int64_t b, int64_t c) {
    assert_int_equal(m->generations[0].count, a);
    assert_int_equal(m->generations[1].count, b);
    assert_int_equal(m->generations[2].count, c);
}

#endif

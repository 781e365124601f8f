/* The census: what it counts of scripts and workloads that were counted by hand.
 *
 * labels: threads */
#include "harness/cell/memory.h"
#include "harness/census/show.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hm_census_record record;
static struct hm_memory_stack stack;
static const struct hm_memory *memory;

static int open_on(const char *base) {
    struct hm_allocator_spec spec = {0};
    struct hm_allocator_spec inner;
    struct hm_error error;
    if (hm_allocator_spec_parse(base, &inner, &error))
        return EINVAL;
    spec.count = 2;
    spec.parts[0] = &hm_census_layer;
    spec.parts[1] = inner.parts[0];
    spec.params[1] = inner.params[0];
    record = (struct hm_census_record){0};
    hm_census_start(&record);
    int bad = hm_memory_stack_open(&stack, &spec, 1);
    memory = hm_memory_stack_top(&stack);
    return bad;
}

static int set_up(void **state) {
    (void)state;
    return open_on("system");
}

static int set_up_small(void **state) {
    (void)state;
    return open_on("first-fit:size=4K");
}

static int tear_down(void **state) {
    (void)state;
    hm_census_stop();
    hm_memory_stack_close(&stack);
    return 0;
}

static uint64_t at(const struct hm_census_histogram *histogram, uint64_t value) {
    return histogram->blocks[hm_census_bucket(value)];
}

static uint64_t sum(const uint64_t *counts) {
    uint64_t all = 0;
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++)
        all += counts[i];
    return all;
}

static void test_buckets_hold_their_values_and_leave_none_out(void **state) {
    (void)state;
    assert_int_equal(hm_census_bucket(0), 0);
    assert_int_equal(hm_census_low(0), 0);
    for (unsigned i = 0; i <= hm_census_bucket(UINT64_MAX); i++) {
        assert_int_equal(hm_census_bucket(hm_census_low(i)), i);
        assert_int_equal(hm_census_bucket(hm_census_high(i)), i);
    }
    assert_in_range(hm_census_bucket(UINT64_MAX), 200, HM_CENSUS_BUCKETS - 1);
    assert_int_equal(hm_census_low(hm_census_bucket(1000)), 896);
    assert_int_equal(hm_census_high(hm_census_bucket(1000)), 1023);
}

/* By hand: before the count 10 bytes; then 20, 30, resized to 100, and the 10 go. */
static void test_births_deaths_and_lifetimes_are_counted(void **state) {
    (void)state;
    void *old = hm_malloc(memory, 10);
    hm_census_count_from_now();
    void *short_lived = hm_malloc(memory, 20);
    hm_free(memory, short_lived);
    void *resized = hm_calloc(memory, 3, 10);
    resized = hm_realloc(memory, resized, 100);
    void *aligned = hm_aligned_alloc(memory, 64, 64);
    hm_free(memory, old);
    hm_free(memory, NULL);
    assert_int_equal(record.counts.mallocs, 1);
    assert_int_equal(record.counts.callocs, 1);
    assert_int_equal(record.counts.aligned, 1);
    assert_int_equal(record.counts.reallocs, 1);
    assert_int_equal(record.counts.frees, 2);
    assert_int_equal(record.counts.crossed, 0);
    assert_int_equal(record.counts.bytes, 20 + 30 + 100 + 64);
    assert_int_equal(hm_census_births(&record.counts), 4);
    assert_int_equal(record.min_bytes, 20);
    assert_int_equal(record.max_bytes, 100);
    assert_int_equal(record.live_blocks, 2);
    assert_int_equal(record.live_bytes, 164);
    assert_int_equal(record.peak_bytes, 10 + 100 + 64);
    assert_int_equal(record.peak_blocks, 3);
    assert_int_equal(record.setup_events, 1);
    assert_int_equal(record.events, 8);
    /* Sizes of births only; deaths: at once (20, and the 30 that were resized), and after 214 bytes. */
    assert_int_equal(sum(record.sizes.blocks), 4);
    assert_int_equal(at(&record.sizes, 10), 0);
    assert_int_equal(at(&record.sizes, 30), 1);
    assert_int_equal(sum(record.life_bytes.blocks), 3);
    assert_int_equal(at(&record.life_bytes, 0), 2);
    assert_int_equal(at(&record.life_bytes, 214), 1);
    assert_int_equal(sum(record.life_bytes.bytes), 20 + 30 + 10);
    assert_int_equal(at(&record.life_births, 4), 1);
    hm_free(memory, resized);
    hm_free(memory, aligned);
}

static void test_a_failed_resize_changes_nothing(void **state) {
    (void)state;
    hm_census_count_from_now();
    void *block = hm_malloc(memory, 10);
    const size_t too_much = 1 << 20;
    assert_null(hm_realloc(memory, block, too_much));
    assert_null(hm_malloc(memory, too_much));
    assert_int_equal(hm_census_births(&record.counts), 1);
    assert_int_equal(record.live_bytes, 10);
    hm_free(memory, block);
    assert_int_equal(record.live_bytes, 0);
    assert_int_equal(record.counts.frees, 1);
}

/* A saw of 3 blocks, long enough to halve the intervals several times. */
static void test_intervals_hold_the_least_and_the_most(void **state) {
    void *blocks[3];
    (void)state;
    hm_census_count_from_now();
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned k = 0; k < 3; k++)
            blocks[k] = hm_malloc(memory, 100);
        for (unsigned k = 0; k < 3; k++)
            hm_free(memory, blocks[k]);
    }
    assert_int_equal(record.events, 6000);
    assert_int_equal(record.interval_events, 64);
    assert_int_equal(record.interval_count, 94);
    for (unsigned i = 0; i < record.interval_count; i++) {
        assert_int_equal(record.intervals[i].low_bytes, 0);
        assert_int_equal(record.intervals[i].high_bytes, 300);
        assert_int_equal(record.intervals[i].high_blocks, 3);
    }
}

static void test_quantiles_are_low_ends_of_buckets(void **state) {
    struct hm_census_histogram histogram = {{0}, {0}};
    (void)state;
    assert_true(hm_census_quantile(&histogram, 0.5) == UINT64_MAX);
    for (unsigned i = 0; i < 10; i++)
        hm_census_count(&histogram, i < 6 ? 5 : 1000, 1);
    assert_int_equal(hm_census_quantile(&histogram, 0.5), 5);
    assert_int_equal(hm_census_quantile(&histogram, 0.6), 5);
    assert_int_equal(hm_census_quantile(&histogram, 0.61), 896);
    assert_int_equal(hm_census_quantile(&histogram, 1), 896);
}

/* ---- Whole workloads ---- */

static struct hm_census taken;

static void take(const char *workload, const char *collector, unsigned threads, uint64_t units) {
    struct hm_error error = {""};
    taken =
        (struct hm_census){.threads = threads, .seed = 1, .asked_units = units, .timeout_s = 60};
    int bad = hm_workload_spec_parse(workload, &taken.workload, &error);
    if (!bad && collector)
        bad = hm_collector_spec_parse(collector, &taken.collector, &error);
    if (!bad)
        bad = hm_census_check(&taken, &error);
    if (!bad)
        bad = hm_census_take(&taken, &error);
    if (bad)
        fail_msg("%s", error.line);
}

/* One block of churn's live set is replaced in each unit. */
static void test_churn_replaces_one_block_in_each_unit(void **state) {
    const struct hm_census_record *r = &taken.record;
    (void)state;
    take("churn:live=10:min=24:max=24", NULL, 1, 500);
    assert_int_equal(taken.units, 500);
    assert_int_equal(r->setup_events, 10);
    assert_int_equal(r->events, 10 + 2 * 500);
    assert_int_equal(r->counts.mallocs, 500);
    assert_int_equal(r->counts.frees, 500);
    assert_int_equal(r->counts.bytes, 24 * 500);
    assert_int_equal(at(&r->sizes, 24), 500);
    assert_int_equal(r->peak_bytes, 240);
    assert_int_equal(r->live_blocks, 10);
    assert_int_equal(sum(r->life_births.blocks), 500);
}

/* In the order of their births: each block lives as long as the whole batch. */
static void test_blocks_of_a_batch_live_as_long_as_it(void **state) {
    const struct hm_census_record *r = &taken.record;
    (void)state;
    take("batch:count=8:min=16:max=16:order=reverse", NULL, 1, 3);
    assert_int_equal(r->counts.mallocs, taken.operations);
    assert_int_equal(r->peak_blocks, 8);
    for (uint64_t life = 0; life < 8; life++)
        assert_int_equal(at(&r->life_births, life), taken.operations / 8);
    assert_int_equal(r->live_blocks, 0);
}

/* One thread of two allocates, the other one frees all of it. */
static void test_frees_of_a_consumer_are_crossed(void **state) {
    const struct hm_census_record *r = &taken.record;
    (void)state;
    take("xthread:batch=16:queue=4", NULL, 2, 10);
    assert_int_equal(r->counts.frees, 2 * taken.operations);
    assert_int_equal(r->counts.mallocs, r->counts.frees);
    assert_int_equal(r->counts.crossed, r->counts.frees);
    assert_true(hm_census_crossed(&r->counts) == 1);
    assert_int_equal(r->thread_count, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_true((r->threads[i].mallocs == 0) != (r->threads[i].frees == 0));
}

/* A tree of depth d has 2^(d+1) - 1 nodes; by hand, they all die. */
static void test_objects_live_as_long_as_the_program_says(void **state) {
    const struct hm_census_record *r = &taken.record;
    (void)state;
    take("trees", "manual", 1, 2);
    uint64_t by_hand = r->counts.frees;
    assert_int_equal(hm_census_births(&r->counts), by_hand);
    take("trees", "none", 1, 2);
    assert_int_equal(r->counts.frees, 0);
    assert_int_equal(at(&r->sizes, 32) > 0, 1);
}

static void test_the_same_question_has_the_same_answer(void **state) {
    (void)state;
    take("churn", NULL, 1, 2000);
    struct hm_census_record first = taken.record;
    take("churn", NULL, 1, 2000);
    assert_memory_equal(&first, &taken.record, sizeof first);
}

static void test_what_can_not_be_counted_is_said(void **state) {
    struct hm_census census = {.threads = 1, .seed = 1, .timeout_s = 60};
    struct hm_error error = {""};
    (void)state;
    assert_int_equal(hm_workload_spec_parse("trees", &census.workload, &error), 0);
    const struct hm_collector own = {
        .name = "own", .caps = HM_GC_OWN_MEMORY, .open = hm_collector_find("manual")->open};
    census.collector.part = &own;
    assert_int_equal(hm_census_check(&census, &error), EINVAL);
    assert_non_null(strstr(error.line, "own takes its memory from the system"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_hold_their_values_and_leave_none_out),
        cmocka_unit_test_setup_teardown(test_births_deaths_and_lifetimes_are_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_resize_changes_nothing, set_up_small,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_intervals_hold_the_least_and_the_most, set_up,
                                        tear_down),
        cmocka_unit_test(test_quantiles_are_low_ends_of_buckets),
        cmocka_unit_test(test_churn_replaces_one_block_in_each_unit),
        cmocka_unit_test(test_blocks_of_a_batch_live_as_long_as_it),
        cmocka_unit_test(test_frees_of_a_consumer_are_crossed),
        cmocka_unit_test(test_objects_live_as_long_as_the_program_says),
        cmocka_unit_test(test_the_same_question_has_the_same_answer),
        cmocka_unit_test(test_what_can_not_be_counted_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

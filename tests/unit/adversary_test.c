/* adversary: its program needs on first fit what Robson's bound says, and no other way of placing
 * blocks is asked for more than `live`. */
#include "tests/unit/heap_cell.h"

enum {
    WORD = 16,
};

/* One whole program on first fit, whose blocks take what was asked for. @return the span's bytes */
static double span_on_first_fit(const struct example *example, uint64_t units) {
    const struct hm_allocator *first_fit = hm_allocator_find("first-fit");
    struct hm_value values[8] = {{0, ""}};
    for (size_t i = 0; first_fit->params[i].name; i++) {
        const char *name = first_fit->params[i].name;
        values[i] = (struct hm_value){first_fit->params[i].initial, ""};
        if (strcmp(name, "size") == 0)
            values[i].number = 32 << 20;
        if (strcmp(name, "align") == 0)
            values[i].number = WORD;
    }
    const struct hm_heap_options options = {.params = values, .threads = 1};
    struct hm_memory memory;
    assert_int_equal(first_fit->open(&memory, &options), 0);
    struct cell cell;
    open_cell(&cell, example, memory, 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    assert_int_equal(cell.workload->run(run, units), units);
    assert_null(cell.workload->verify(run));
    double figures[2];
    cell.workload->measure(run, figures);
    cell.workload->teardown(run);
    close_cell(&cell);
    first_fit->close(memory.heap);
    return figures[1] * (double)example->settings[1].number;
}

/* M (log2(n) / 2 + 1) - n + 1 words, and first fit needs no more than M log2(n) + M of them. */
static void test_first_fit_needs_what_robson_proved(void **state) {
    (void)state;
    const int64_t live_bytes[] = {1 << 14, 1 << 16, 1 << 20};
    for (size_t i = 0; i < 3; i++)
        for (int log = 2; log <= 10; log += 2) {
            double m = (double)live_bytes[i] / WORD;
            double n = (double)((int64_t)1 << log);
            const struct example bad = {
                "adversary",
                {{"mode", 0}, {"live", live_bytes[i]}, {"max", (int64_t)n * WORD}},
                1,
                0};
            double words = span_on_first_fit(&bad, 1) / WORD;
            assert_true(words >= m * (log / 2.0 + 1) - n + 1);
            assert_true(words <= m * (log + 1));
            assert_true(words == span_on_first_fit(&bad, 3) / WORD); /* it leaves nothing behind */
        }
}

/* Holes of a heap that merges neighbours are good for the next class. */
static void test_first_fit_stands_the_program_against_classes(void **state) {
    (void)state;
    const struct example classes = {
        "adversary", {{"mode", 1}, {"live", 1 << 20}, {"max", 2048}}, 1, 0};
    assert_true(span_on_first_fit(&classes, 1) < 2 * (1 << 20));
}

/* ---- How much is live ---- */

static uint64_t most_live;

static void *watched_malloc(size_t size) {
    void *block = counted_malloc(size);
    most_live = counted.live_bytes > most_live ? counted.live_bytes : most_live;
    return block;
}

static void test_live_bytes_reach_the_limit_and_do_not_pass_it(void **state) {
    (void)state;
    for (int64_t mode = 0; mode < 2; mode++) {
        const struct example bad = {
            "adversary", {{"mode", mode}, {"live", 10000}, {"max", 512}}, 2, 0};
        struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
        memory.libc.malloc = watched_malloc;
        most_live = 0;
        count_clear();
        run_whole(&bad, memory, 7, 0, 1);
        assert_int_equal(most_live, 10000);
        assert_int_equal(counted.smallest, 16);
        assert_int_equal(counted.largest, 512);
    }
}

static void test_operations_are_the_mallocs(void **state) {
    (void)state;
    for (int64_t mode = 0; mode < 2; mode++) {
        const struct example bad = {
            "adversary", {{"mode", mode}, {"live", 10000}, {"max", 512}}, 1, 0};
        struct cell cell;
        count_clear();
        open_cell(&cell, &bad, counted_memory(HM_SHAPE_HEAP), 1, 7);
        assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
        assert_int_equal(cell.workload->run(&cell.runs[0], 3), 3);
        assert_int_equal(counted.allocations, 3 * cell.workload->ops_per_unit(cell.values));
        cell.workload->teardown(&cell.runs[0]);
        close_cell(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_fit_needs_what_robson_proved, start_afresh),
        cmocka_unit_test_setup(test_first_fit_stands_the_program_against_classes, start_afresh),
        cmocka_unit_test_setup(test_live_bytes_reach_the_limit_and_do_not_pass_it, start_afresh),
        cmocka_unit_test_setup(test_operations_are_the_mallocs, start_afresh),
    };
    return cmocka_run_group_tests_name("adversary", tests, NULL, NULL);
}

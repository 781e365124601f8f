/* smallints and strings: the same values in every mode, and as many objects as the mode says. */
#include "tests/unit/object_cell.h"

enum {
    OPS = 5000,
};

/* Parameters: the first is what is shared, the second the free list. */
static const struct example modes[2][4] = {
    {
        {"smallints", {{"held", 40}}},
        {"smallints", {{"held", 40}, {"cache", 1}}},
        {"smallints", {{"held", 40}, {"freelist", 1}}},
        {"smallints", {{"held", 40}, {"cache", 1}, {"freelist", 1}}},
    },
    {
        {"strings", {{"held", 40}, {"words", 50}}},
        {"strings", {{"held", 40}, {"words", 50}, {"intern", 1}}},
        {"strings", {{"held", 40}, {"words", 50}, {"freelist", 1}}},
        {"strings", {{"held", 40}, {"words", 50}, {"intern", 1}, {"freelist", 1}}},
    },
};

static uint64_t run_mode(const struct example *mode, const struct hm_collector *collector) {
    struct cell cell;
    open_cell(&cell, mode, collector);
    assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
    assert_null(cell.workload->verify(&cell.run));
    if (collector->caps & HM_GC_AT_ONCE)
        assert_int_equal(unfreed(&cell), 0);
    uint64_t checksum = cell.run.checksum;
    close_cell(&cell);
    return checksum;
}

static void test_values_are_the_same_in_every_mode_on_every_collector(void **state) {
    (void)state;
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (int workload = 0; workload < 2; workload++) {
        uint64_t expected = run_mode(&modes[workload][0], all[0]);
        for (size_t i = 0; i < count; i++)
            for (int mode = 0; mode < 4; mode++)
                assert_int_equal(run_mode(&modes[workload][mode], all[i]), expected);
    }
}

/* @return objects that OPS operations make */
static uint64_t made_by(const struct example *mode, const char *setting, int64_t number) {
    struct cell cell;
    struct example example = *mode;
    if (setting)
        example.settings[5] = (struct setting){setting, number};
    for (size_t i = 0; setting && i < 5; i++)
        if (!example.settings[i].name)
            example.settings[i] = example.settings[5];
    open_cell(&cell, &example, hm_collector_find("refcount"));
    uint64_t before = stats_of(&cell).allocated_objects;
    assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
    uint64_t made = stats_of(&cell).allocated_objects - before;
    close_cell(&cell);
    return made;
}

static void test_shared_values_are_not_made(void **state) {
    (void)state;
    assert_int_equal(made_by(&modes[0][0], NULL, 0), OPS);
    assert_int_equal(made_by(&modes[0][1], "small", 0), OPS);
    assert_int_equal(made_by(&modes[0][1], "small", 100), 0);
    assert_in_range(made_by(&modes[0][1], "small", 80), OPS * 17 / 100, OPS * 23 / 100);
    assert_int_equal(made_by(&modes[1][0], NULL, 0), OPS);
    assert_int_equal(made_by(&modes[1][1], NULL, 0), 0);
}

/* Each is given back at its death, and none is made beyond those. */
static void test_free_list_saves_calls_of_the_allocator(void **state) {
    (void)state;
    static const char *const collectors[] = {"refcount", "generational", "trial"};
    for (int i = 0; i < 12; i++) {
        struct cell cell;
        int kept = i % 2;
        open_cell(&cell, &modes[i / 2 % 2][2 * kept], hm_collector_find(collectors[i / 4]));
        assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
        count_clear();
        assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
        assert_int_equal(counted.allocations, kept ? 0 : OPS);
        close_cell(&cell);
    }
}

static void test_value_that_was_overwritten_is_noticed(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct cell cell;
        open_cell(&cell, &modes[i][0], hm_collector_find("refcount"));
        assert_int_equal(cell.workload->run(&cell.run, OPS), OPS);
        struct block_header *block = counted.blocks.older; /* the newest */
        ((char *)(block + 1))[sizeof(struct hm_object)] ^= 1;
        assert_non_null(cell.workload->verify(&cell.run));
        close_cell(&cell);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_values_are_the_same_in_every_mode_on_every_collector,
                               start_afresh),
        cmocka_unit_test_setup(test_shared_values_are_not_made, start_afresh),
        cmocka_unit_test_setup(test_free_list_saves_calls_of_the_allocator, start_afresh),
        cmocka_unit_test_setup(test_value_that_was_overwritten_is_noticed, start_afresh),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}

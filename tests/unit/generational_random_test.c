/* Random programs under each policy of `generational`: what is reachable is never lost, and a full
 * collection leaves no garbage.
 *
 * collectors: generational */
#include "tests/conformance/object_mirror.h"

enum {
    PARAM_AUTO = 3,
    PARAM_POLICY = 4,
    POLICIES = 4,
    SEEDS = 40,
};

static void run_policy(int64_t policy, unsigned seed) {
    struct fixture f;
    fixture_prepare(&f, collector());
    assert_string_equal(f.collector->params[PARAM_POLICY].name, "policy");
    f.params[PARAM_AUTO].number = 1;
    f.params[PARAM_POLICY].number = policy;
    fixture_open(&f);
    run_random_program(f.m, seed);
    struct hm_gc_stats s = fixture_stats(&f);
    assert_int_equal(s.allocated_objects, mirror.used);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    assert_int_equal(s.freed_bytes, s.allocated_bytes);
    assert_int_equal(f.m->counted + f.m->generations[0].count, 0);
    fixture_close(&f);
}

static void test_no_policy_loses_an_object_or_keeps_garbage(void **state) {
    (void)state;
    for (int64_t policy = 0; policy < POLICIES; policy++)
        for (unsigned seed = 0; seed < SEEDS; seed++)
            run_policy(policy, seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_policy_loses_an_object_or_keeps_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

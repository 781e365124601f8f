/* What verify excuses: the declared line, of the declared property, in the declared version, and
 * nothing beside it. */
#include "harness/plan/registry.h"
#include "harness/verify/known.h"
#include "harness/verify/property.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *installed = "1.2.3";

static void version(char *out) {
    snprintf(out, HM_VERSION_BYTES, "%s", installed);
}

static const struct hm_deviation deviations[] = {
    {.properties = "enomem",
     .fault = "malloc(*) gave NULL with errno 0 and not ENOMEM",
     .versions = "1.2.*"},
    {.properties = "alignment|random",
     .fault = "aligned_alloc(256, 256) is not aligned|aligned_alloc(512, 512) is not aligned",
     .versions = "1.0|1.2.3"},
    {.fault = NULL},
};

static const struct hm_allocator part = {
    .name = "part", .deviations = deviations, .version = version};
static const struct hm_property enomem = {.name = "enomem"};
static const struct hm_property alignment = {.name = "alignment"};
static const struct hm_property random_scripts = {.name = "random"};
static const struct hm_property random_threads = {.name = "random-threads"};

static struct hm_board board;

static struct hm_verify looking_at(const struct hm_property *property) {
    memset(&board, 0, sizeof board);
    return (struct hm_verify){.property = property, .known = &part, .board = &board};
}

static const char declared[] = "malloc(9223372036854775808) gave NULL with errno 0 and not ENOMEM";

static void test_declared_line_is_known_and_noted(void **state) {
    (void)state;
    struct hm_verify v = looking_at(&enomem);
    assert_true(hm_verify_is_known(&v, declared));
    assert_int_equal(board.deviated, 1);
    assert_string_equal(board.version, "1.2.3");
}

static void test_other_lines_are_not_known(void **state) {
    (void)state;
    static const char *const others[] = {
        "", "malloc(1) gave a block", "malloc(1) gave NULL with errno 22 and not ENOMEM",
        "calloc(1, 9) gave NULL with errno 0 and not ENOMEM",
        "malloc(1) gave NULL with errno 0 and not ENOMEM, and changed a block"};
    struct hm_verify v = looking_at(&enomem);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(hm_verify_is_known(&v, others[i]));
    assert_int_equal(board.deviated, 0);
}

static void test_declared_line_of_another_property_is_not_known(void **state) {
    (void)state;
    struct hm_verify v = looking_at(&alignment);
    assert_false(hm_verify_is_known(&v, declared));
    v = looking_at(&random_threads);
    assert_false(hm_verify_is_misaligned(&v, "aligned_alloc(256, 256)"));
    v = looking_at(&random_scripts);
    assert_true(hm_verify_is_misaligned(&v, "aligned_alloc(256, 256)"));
    assert_int_equal(board.deviated, 2);
}

static void test_each_alternative_is_known_and_none_between(void **state) {
    (void)state;
    struct hm_verify v = looking_at(&alignment);
    assert_true(hm_verify_is_misaligned(&v, "aligned_alloc(256, 256)"));
    assert_true(hm_verify_is_misaligned(&v, "aligned_alloc(512, 512)"));
    assert_false(hm_verify_is_misaligned(&v, "aligned_alloc(256, 512)"));
    assert_false(hm_verify_is_misaligned(&v, "aligned_alloc(256, 255)"));
    assert_false(hm_verify_is_misaligned(&v, "malloc(256)"));
}

static void test_another_version_is_not_excused(void **state) {
    (void)state;
    static const char *const others[] = {"1.3.0", "1.2", "11.2.3", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct hm_verify v = looking_at(&enomem);
        installed = others[i];
        assert_false(hm_verify_is_known(&v, declared));
        v = looking_at(&alignment);
        assert_false(hm_verify_is_misaligned(&v, "aligned_alloc(256, 256)"));
    }
    installed = "1.2.3";
}

static void test_what_is_no_part_is_not_excused(void **state) {
    (void)state;
    struct hm_verify v = looking_at(&enomem);
    v.known = NULL;
    assert_false(hm_verify_is_known(&v, declared));
}

static void test_verdict_of_what_deviated_is_never_passed(void **state) {
    (void)state;
    struct hm_verify v = looking_at(&enomem);
    hm_verify_conclude(&v, HM_CONFORM_PASSED);
    assert_int_equal(board.verdict, HM_CONFORM_PASSED);
    v = looking_at(&enomem);
    hm_verify_fault(&v, "%s", declared);
    hm_verify_conclude(&v, HM_CONFORM_PASSED);
    assert_int_equal(board.verdict, HM_CONFORM_DEVIATES);
    v = looking_at(&enomem);
    hm_verify_fault(&v, "%s", declared);
    hm_verify_conclude(&v, HM_CONFORM_FAILED);
    assert_int_equal(board.verdict, HM_CONFORM_FAILED);
}

/* What CPython is known for is one crash, in one function, at one address. */
static void test_a_crash_elsewhere_is_not_the_one_that_cpython_is_known_for(void **state) {
    (void)state;
    static const char crash[] = "killed by SIGSEGV in PyObject_ClearWeakRefs of "
                                "libpython3.11.so.1.0, at address 0: script 7 of seed 1";
    static const char *const others[] = {
        "killed by SIGSEGV: script 7 of seed 1",
        "killed by SIGSEGV in PyObject_ClearWeakRefs of libpython3.11.so.1.0: script 7 of seed 1",
        "killed by SIGSEGV in PyObject_Free of libpython3.11.so.1.0, at address 0: script 7",
        "killed by SIGABRT in PyObject_ClearWeakRefs of libpython3.11.so.1.0, at address 0: s"};
    const struct hm_deviation *list = hm_collector_compiled("cpython")->deviations;
    assert_int_equal(hm_deviation_find(list, "random", crash, "3.11.2"), 0);
    assert_int_equal(hm_deviation_find(list, "random", crash, "3.12.1"), -1);
    assert_int_equal(hm_deviation_find(list, "reachable", crash, "3.11.2"), -1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(hm_deviation_find(list, "random", others[i], "3.11.2"), -1);
    assert_int_equal(hm_deviation_find(NULL, "random", crash, "3.11.2"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declared_line_is_known_and_noted),
        cmocka_unit_test(test_other_lines_are_not_known),
        cmocka_unit_test(test_declared_line_of_another_property_is_not_known),
        cmocka_unit_test(test_each_alternative_is_known_and_none_between),
        cmocka_unit_test(test_another_version_is_not_excused),
        cmocka_unit_test(test_what_is_no_part_is_not_excused),
        cmocka_unit_test(test_verdict_of_what_deviated_is_never_passed),
        cmocka_unit_test(test_a_crash_elsewhere_is_not_the_one_that_cpython_is_known_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

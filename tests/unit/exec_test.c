/* What `heapmark exec` makes of texts: commands, environments, and the lines of its witness. */
#include "harness/exec/environment.h"
#include "harness/exec/program.h"
#include "harness/exec/witness.h"
#include "harness/exec/words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Commands ---- */

static void expect_words(const char *text, const char *const *expected) {
    struct hm_error error;
    char **words;
    size_t i = 0;
    assert_int_equal(hm_words_split(text, &words, &error), 0);
    for (; expected[i]; i++) {
        assert_non_null(words[i]);
        assert_string_equal(words[i], expected[i]);
    }
    assert_null(words[i]);
    hm_words_free(words);
}

static void test_words_are_split_at_blanks(void **state) {
    (void)state;
    expect_words("  a\tb  c ", (const char *const[]){"a", "b", "c", NULL});
}

static void test_quotes_keep_blanks_and_each_other(void **state) {
    (void)state;
    expect_words("sh -c 'a \"b\" \\n' \"it's\" x' 'y",
                 (const char *const[]){"sh", "-c", "a \"b\" \\n", "it's", "x y", NULL});
}

static void test_an_empty_word_is_a_word(void **state) {
    (void)state;
    expect_words("a '' \"\" b", (const char *const[]){"a", "", "", "b", NULL});
}

static void test_a_backslash_takes_the_next_character(void **state) {
    (void)state;
    expect_words("a\\ b \"c\\\"d\\\\e\\n\" \\'",
                 (const char *const[]){"a b", "c\"d\\e\\n", "'", NULL});
}

static void test_an_open_quote_and_an_empty_command_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"a 'b", "\"", "a \"b\\\"", "", "  "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hm_error error = {""};
        char **words = (char **)&error;
        assert_int_equal(hm_words_split(texts[i], &words, &error), EINVAL);
        assert_ptr_equal(words, (char **)&error);
        assert_true(error.line[0]);
    }
}

static void test_joined_words_are_split_into_themselves(void **state) {
    (void)state;
    const char *const words[] = {
        "sh", "-c", "echo 'a'  \"b\" $c \\", "", "-x=1,2:%@+", "'", "*?", "\xc3\xa4", NULL};
    char *text = hm_words_join((char *const *)words);
    assert_non_null(text);
    expect_words(text, words);
    free(text);
}

static void test_joined_words_are_one_line(void **state) {
    (void)state;
    const char *const words[] = {"sh", "a\nb\tc\r\x7f", NULL};
    char *text = hm_words_join((char *const *)words);
    assert_string_equal(text, "sh 'a?b?c?"
                              "?'");
    free(text);
}

static void test_a_place_is_filled_wherever_it_stands(void **state) {
    (void)state;
    static const struct {
        const char *word, *filled;
    } cases[] = {
        {"{dir}/x", "/a b/x"}, {"-I{dir}{dir}", "-I/a b/a b"}, {"{di}{dirx}{", "{di}{dirx}{"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *filled = hm_word_fill(cases[i].word, "dir", "/a b");
        assert_string_equal(filled, cases[i].filled);
        free(filled);
    }
}

static void test_two_programs_of_one_name_are_refused(void **state) {
    (void)state;
    struct hm_programs programs = {.count = 0};
    struct hm_error error;
    assert_non_null(hm_programs_add(&programs, "a", &error));
    assert_null(hm_programs_add(&programs, "a", &error));
    assert_null(hm_programs_add(&programs, "", &error));
    assert_null(hm_programs_add(&programs, "a/b", &error));
    assert_int_equal(programs.count, 1);
    hm_programs_free(&programs);
}

/* ---- Environments ---- */

static const char *value_of(char **env, const char *name) {
    const char *found = NULL;
    size_t length = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') {
            assert_null(found); /* twice */
            found = *env + length + 1;
        }
    return found;
}

static char *const inherited[] = {"HOME=/home",          "LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/lib",
                                  "MALLOC_ARENA_MAX=1",  "MALLOC_CONF=a:b",  "GLIBC_TUNABLES=g",
                                  "HEAPMARK_WITNESS=no", "COLOUR=red",       NULL};

static void test_an_arm_has_its_library_and_no_foreign_tuning(void **state) {
    (void)state;
    static struct hm_arm arm = {.library = "/lib/liba.so"};
    char *own[] = {"MALLOC_CONF=mine"};
    struct hm_program program = {.env = {"COLOUR=blue"}, .env_count = 1};
    arm.env = own;
    arm.env_count = 1;
    char **env = hm_environment_build(inherited, &program, &arm, "/libc", "/w.so", "/file", 7);
    assert_non_null(env);
    assert_string_equal(value_of(env, "LD_PRELOAD"), "/w.so:/lib/liba.so");
    assert_string_equal(value_of(env, "HEAPMARK_WITNESS"), "/file");
    assert_string_equal(value_of(env, "MALLOC_CONF"), "mine");
    assert_string_equal(value_of(env, "COLOUR"), "blue");
    assert_string_equal(value_of(env, "HOME"), "/home");
    assert_string_equal(value_of(env, "LD_LIBRARY_PATH"), "/lib");
    assert_null(value_of(env, "MALLOC_ARENA_MAX"));
    assert_null(value_of(env, "GLIBC_TUNABLES"));
    hm_words_free(env);
}

static void test_a_process_that_is_not_measured_has_no_library(void **state) {
    (void)state;
    struct hm_program program = {.env_count = 0};
    char **env = hm_environment_build(inherited, &program, NULL, NULL, NULL, NULL, 0);
    assert_non_null(env);
    assert_null(value_of(env, "LD_PRELOAD"));
    assert_null(value_of(env, "HEAPMARK_WITNESS"));
    assert_string_equal(value_of(env, "COLOUR"), "red");
    hm_words_free(env);
}

static void test_the_c_library_stands_in_for_an_arm_without_one(void **state) {
    (void)state;
    static struct hm_arm arm;
    struct hm_program program = {.env_count = 0};
    char **env = hm_environment_build(inherited, &program, &arm, "/libc", "/w.so", "/file", 0);
    assert_string_equal(value_of(env, "LD_PRELOAD"), "/w.so:/libc");
    hm_words_free(env);
}

static void test_what_is_dropped_is_named(void **state) {
    (void)state;
    char names[256];
    hm_environment_dropped(inherited, names, sizeof names);
    assert_string_equal(
        names, "LD_PRELOAD, MALLOC_ARENA_MAX, MALLOC_CONF, GLIBC_TUNABLES, HEAPMARK_WITNESS");
    hm_environment_dropped(inherited, names, 12); /* what does not fit is cut */
    assert_true(strlen(names) < 12);
}

/* ---- Witnesses ---- */

static int judge(const char *text, bool any_child, struct hm_error *error) {
    const struct hm_witness_case about = {
        .command = 10, .library = "/lib/a.so", .build_id = "abcd", .any_child = any_child};
    char *copy = strdup(text);
    FILE *in = *copy ? fmemopen(copy, strlen(copy), "r") : fopen("/dev/null", "re");
    int bad = hm_witness_judge(in, &about, error);
    fclose(in);
    free(copy);
    return bad;
}

static void test_witnesses_are_judged(void **state) {
    (void)state;
#define GOOD  "10\t/lib/a.so\tabcd\t-\t-\t/bin/x\n"
#define CHILD "11\t/lib/libc.so\tffff\t-\t-\t/bin/y\n"
    static const struct {
        const char *text, *says;
        int strict, any;
    } cases[] = {
        {GOOD, "", 0, 0},
        {"", "took no preload", ENOENT, ENOENT},
        {"11\t/lib/a.so\tabcd\t-\t-\t/bin/y\n", "took no preload", ENOENT, ENOENT},
        {GOOD CHILD, "malloc of y comes from /lib/libc.so, not from /lib/a.so", EXDEV, 0},
        {CHILD GOOD, "malloc of y", EXDEV, 0},
        {"10\t/lib/b.so\tabcd\t-\t-\t/bin/x\n", "malloc of x comes from /lib/b.so", EXDEV, EXDEV},
        {"10\t/lib/a.so\tabcd\tfree\t/lib/c.so\t/bin/x\n", "free of x comes from /lib/c.so", EXDEV,
         EXDEV},
        {"10\t/lib/a.so\tabce\t-\t-\t/bin/x\n", "build id abce", EXDEV, EXDEV},
        {GOOD "10\t/lib/b.so\tabcd\t-\t-\t/bin/x\n", "malloc of x", EXDEV, EXDEV}, /* exec */
        {GOOD "rubbish\n", "something else", EINVAL, EINVAL},
        {"10\t/lib/a.so\tabcd\t-\t-\t/bin/x\t\n", "something else", EINVAL, EINVAL},
        {"10\t/lib/a.so\tab", "something else", EINVAL, EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hm_error error = {""};
        assert_int_equal(judge(cases[i].text, false, &error), cases[i].strict);
        assert_non_null(strstr(error.line, cases[i].says));
        assert_int_equal(judge(cases[i].text, true, &error), cases[i].any);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_split_at_blanks),
        cmocka_unit_test(test_quotes_keep_blanks_and_each_other),
        cmocka_unit_test(test_an_empty_word_is_a_word),
        cmocka_unit_test(test_a_backslash_takes_the_next_character),
        cmocka_unit_test(test_an_open_quote_and_an_empty_command_are_refused),
        cmocka_unit_test(test_joined_words_are_split_into_themselves),
        cmocka_unit_test(test_joined_words_are_one_line),
        cmocka_unit_test(test_a_place_is_filled_wherever_it_stands),
        cmocka_unit_test(test_two_programs_of_one_name_are_refused),
        cmocka_unit_test(test_an_arm_has_its_library_and_no_foreign_tuning),
        cmocka_unit_test(test_a_process_that_is_not_measured_has_no_library),
        cmocka_unit_test(test_the_c_library_stands_in_for_an_arm_without_one),
        cmocka_unit_test(test_what_is_dropped_is_named),
        cmocka_unit_test(test_witnesses_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

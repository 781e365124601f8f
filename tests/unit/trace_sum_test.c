/* Traces summed by what their stacks, sizes and threads are called: files with the addresses of this
 * program, which knows its functions and lines.
 * needs: libdw */
#include "harness/trace/sum.h"
#include "tests/unit/this_program.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    FRAMES = 4,
};

static char folder[] = "/tmp/trace_sum_test.XXXXXX";
static char path[64];
static int wrapper_line;
static int caller_line;
static int other_line;

/* ---- Places ---- */

/* A wrapper, as xmalloc is one. */
__attribute__((noinline)) static uint64_t wrap_here(void) {
    wrapper_line = __LINE__ + 1;
    uint64_t place = this_program_here();
    __asm__ volatile("" ::: "memory");
    return place;
}

__attribute__((noinline)) static uint64_t caller_place(void) {
    caller_line = __LINE__ + 1;
    uint64_t place = this_program_here();
    __asm__ volatile("" ::: "memory");
    return place;
}

__attribute__((noinline)) static uint64_t other_place(void) {
    other_line = __LINE__ + 1;
    uint64_t place = this_program_here();
    __asm__ volatile("" ::: "memory");
    return place;
}

/* ---- The trace ---- */

static struct hm_trace_writer *begin(bool has_stacks) {
    const struct hm_trace_facts facts = {.program = this_program.path,
                                         .command = "this",
                                         .recorder = "test",
                                         .machine = "",
                                         .page_bytes = 4096,
                                         .has_stacks = has_stacks};
    struct hm_trace_writer *writer;
    unlink(path);
    assert_int_equal(hm_trace_create(path, &facts, &writer), 0);
    return writer;
}

static void add(struct hm_trace_writer *writer, uint8_t kind, uint64_t block, uint64_t size,
                uint32_t stack, uint32_t thread) {
    const struct hm_trace_event event = {
        .kind = kind, .block = block, .count = 1, .size = size, .stack = stack, .thread = thread};
    assert_int_equal(hm_trace_add(writer, &event), 0);
}

/* Stack 1: the wrapper, called by one; 2: the same by another; 3: nowhere; 4: the wrapper alone. */
static void add_stacks(struct hm_trace_writer *writer) {
    uint32_t mine = hm_trace_add_module(writer, this_program.path, this_program.build_id);
    uint32_t gone = hm_trace_add_module(writer, "/nowhere/lib;x.so", "0123");
    const struct hm_trace_address wrapper = {mine, wrap_here()};
    const struct hm_trace_address caller = {mine, caller_place()};
    const struct hm_trace_address other = {mine, other_place()};
    const struct hm_trace_address lost[] = {{gone, 0x1234}, {UINT32_MAX, 0xabc}};
    assert_int_equal(hm_trace_add_stack(writer, (struct hm_trace_address[]){wrapper, caller}, 2),
                     1);
    assert_int_equal(hm_trace_add_stack(writer, (struct hm_trace_address[]){wrapper, other}, 2), 2);
    assert_int_equal(hm_trace_add_stack(writer, lost, 2), 3);
    assert_int_equal(hm_trace_add_stack(writer, &wrapper, 1), 4);
}

static void write_trace(void) {
    struct hm_trace_writer *writer = begin(true);
    add_stacks(writer);
    add(writer, HM_TRACE_MALLOC, 1, 100, 1, 0);
    add(writer, HM_TRACE_MALLOC, 2, 20, 2, 1);
    add(writer, HM_TRACE_MALLOC, 3, 3, 3, 0);
    add(writer, HM_TRACE_MALLOC, 4, 7, 4, 0);
    add(writer, HM_TRACE_MALLOC, 5, 3, 0, 1);
    add(writer, HM_TRACE_FREE, 2, 0, 3, 0);
    add(writer, HM_TRACE_REALLOC, 1, 9000, 2, 1);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
}

/* ---- Sums ---- */

static struct hm_sum sum;

static void take(enum hm_by by, const char *skip) {
    struct hm_error error = {""};
    const struct hm_sum_options options = {
        .by = by, .by_given = true, .with_lines = true, .skip = skip, .temporary_calls = 1};
    memset(&sum, 0, sizeof sum);
    assert_int_equal(hm_sum_take(&sum, path, &options, &error), 0);
}

static void expect_site(const char *name, uint64_t blocks, uint64_t bytes) {
    for (uint32_t i = 0; i < hm_groups_count(sum.groups); i++)
        if (strcmp(hm_groups_name(sum.groups, i), name) == 0) {
            assert_int_equal(hm_sites_at(sum.sites, i)->blocks, blocks);
            assert_int_equal(hm_sites_at(sum.sites, i)->bytes, bytes);
            return;
        }
    print_error("no site %s\n", name);
    fail();
}

static void expect_sites(size_t count) {
    assert_int_equal(hm_groups_count(sum.groups), count);
    hm_sum_close(&sum);
}

static const char *at(const char *function, int line) {
    static char text[4][128];
    static unsigned next;
    char *out = text[next++ % 4];
    snprintf(out, sizeof text[0], "%s trace_sum_test.c:%d", function, line);
    return out;
}

static const char *stack_of(const char *outer, const char *inner) {
    static char text[256];
    snprintf(text, sizeof text, "%s;%s", outer, inner);
    return text;
}

/* ---- Tests ---- */

static int make_trace(void **state) {
    (void)state;
    if (!mkdtemp(folder) || this_program_find())
        return -1;
    snprintf(path, sizeof path, "%s/t", folder);
    return 0;
}

static int remove_trace(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_site_is_the_innermost_function_and_line(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_SITE, "");
    expect_site(at("wrap_here", wrapper_line), 4, 100 + 20 + 7 + 9000);
    expect_site("lib\\x3bx.so+0x1234", 1, 3);
    expect_site("(no stack)", 1, 3);
    expect_sites(3);
}

static void test_skipped_wrappers_leave_it_to_their_callers(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_SITE, "nothing,wrap_*,,");
    expect_site(at("caller_place", caller_line), 1, 100);
    expect_site(at("other_place", other_line), 2, 20 + 9000);
    expect_site(at("wrap_here", wrapper_line), 1, 7);
    expect_site("lib\\x3bx.so+0x1234", 1, 3);
    expect_site("(no stack)", 1, 3);
    expect_sites(5);
}

static void test_stack_is_all_frames_outermost_first(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_STACK, "");
    expect_site(stack_of(at("caller_place", caller_line), at("wrap_here", wrapper_line)), 1, 100);
    expect_site(stack_of(at("other_place", other_line), at("wrap_here", wrapper_line)), 2, 9020);
    expect_site(at("wrap_here", wrapper_line), 1, 7);
    expect_site("0xabc;lib\\x3bx.so+0x1234", 1, 3);
    const char *frame = at("wrap_here", wrapper_line);
    assert_string_equal(hm_groups_module(sum.groups, frame, strlen(frame)), this_program.path);
    assert_string_equal(hm_groups_module(sum.groups, "nobody", 6), "");
    expect_sites(5);
}

static void test_function_and_module_are_told_apart_by_name(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_FUNCTION, "");
    expect_site("wrap_here", 4, 9127);
    expect_sites(3);
    take(HM_BY_MODULE, "");
    expect_site("trace_sum_test", 4, 9127);
    expect_site("lib\\x3bx.so", 1, 3);
    expect_site("(no stack)", 1, 3);
    expect_sites(3);
}

static void test_size_and_thread_are_numbers(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_SIZE, "");
    expect_site("3", 2, 6);
    expect_site("9000", 1, 9000);
    expect_sites(5);
    take(HM_BY_THREAD, "");
    expect_site("0", 3, 110);
    expect_site("1", 3, 9023);
    expect_sites(2);
}

static void test_totals_are_the_reader_s(void **state) {
    (void)state;
    write_trace();
    take(HM_BY_SITE, "");
    const struct hm_trace_totals *totals = hm_trace_totals(sum.reader);
    const struct hm_site *all = hm_sites_all(sum.sites);
    assert_int_equal(all->blocks, totals->allocations);
    assert_int_equal(all->bytes, totals->bytes);
    assert_int_equal(all->peak_bytes, totals->peak_bytes);
    hm_sum_close(&sum);
}

static void test_without_stacks_size_is_the_default(void **state) {
    (void)state;
    struct hm_error error = {""};
    struct hm_trace_writer *writer = begin(false);
    add(writer, HM_TRACE_MALLOC, 1, 64, 0, 0);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
    struct hm_sum_options options = {.by = HM_BY_SITE, .skip = "", .temporary_calls = 1};
    memset(&sum, 0, sizeof sum);
    assert_int_equal(hm_sum_take(&sum, path, &options, &error), 0);
    assert_int_equal(sum.by, HM_BY_SIZE);
    expect_site("64", 1, 64);
    expect_sites(1);
    options.by_given = true;
    assert_int_equal(hm_sum_take(&sum, path, &options, &error), EINVAL);
    assert_non_null(strstr(error.line, "--stacks"));
    hm_sum_close(&sum);
}

static void test_broken_trace_is_one_line(void **state) {
    (void)state;
    struct hm_error error = {""};
    const struct hm_sum_options options = {.by = HM_BY_SIZE, .skip = "", .temporary_calls = 1};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("no trace\n", file);
    assert_int_equal(fclose(file), 0);
    memset(&sum, 0, sizeof sum);
    assert_int_equal(hm_sum_take(&sum, path, &options, &error), EINVAL);
    assert_non_null(strstr(error.line, path));
    hm_sum_close(&sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_is_the_innermost_function_and_line),
        cmocka_unit_test(test_skipped_wrappers_leave_it_to_their_callers),
        cmocka_unit_test(test_stack_is_all_frames_outermost_first),
        cmocka_unit_test(test_function_and_module_are_told_apart_by_name),
        cmocka_unit_test(test_size_and_thread_are_numbers),
        cmocka_unit_test(test_totals_are_the_reader_s),
        cmocka_unit_test(test_without_stacks_size_is_the_default),
        cmocka_unit_test(test_broken_trace_is_one_line),
    };
    return cmocka_run_group_tests(tests, make_trace, remove_trace);
}

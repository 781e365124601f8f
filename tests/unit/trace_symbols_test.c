/* Names of addresses: this program asks for its own, whose functions and lines it knows.
 * needs: libdw */
#include "harness/trace/symbols.h"
#include "tests/unit/this_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct hm_symbols *symbols;

static int find_program(void **state) {
    (void)state;
    symbols = hm_symbols_open();
    return symbols ? this_program_find() : -1;
}

static int close_symbols(void **state) {
    (void)state;
    hm_symbols_close(symbols);
    return 0;
}

/* ---- Places in it ---- */

static int inner_line;
static int outer_line;

static inline __attribute__((always_inline)) uint64_t inlined_place(void) {
    inner_line = __LINE__ + 1;
    return this_program_here() + 0 * (uint64_t)inner_line;
}

__attribute__((noinline)) static uint64_t outer_place(void) {
    outer_line = __LINE__ + 1;
    uint64_t place = inlined_place();
    __asm__ volatile("" ::: "memory"); /* no tail call */
    return place;
}

static const struct hm_symbol *only(const struct hm_trace_frame *frame) {
    const struct hm_symbol *found;
    assert_int_equal(hm_symbols_at(symbols, frame, &found), 1);
    return found;
}

static char *notes(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    hm_symbols_put_notes(symbols, out, "who");
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool ends_in(const char *text, const char *end) {
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* ---- Tests ---- */

static void test_address_has_function_file_and_line(void **state) {
    (void)state;
    struct hm_trace_frame frame = {this_program.path, this_program.build_id, outer_place()};
    const struct hm_symbol *found;
    assert_int_equal(hm_symbols_at(symbols, &frame, &found), 2);
    assert_string_equal(found[0].function, "inlined_place");
    assert_int_equal(found[0].line, inner_line);
    assert_true(ends_in(found[0].file, "/trace_symbols_test.c"));
    assert_string_equal(found[1].function, "outer_place");
    assert_int_equal(found[1].line, outer_line);
    assert_true(ends_in(found[1].file, "/trace_symbols_test.c"));
    assert_string_equal(found[1].module, this_program.path);
}

static void test_second_time_gives_the_same(void **state) {
    (void)state;
    struct hm_trace_frame frame = {this_program.path, this_program.build_id, outer_place()};
    const struct hm_symbol *first;
    const struct hm_symbol *second;
    assert_int_equal(hm_symbols_at(symbols, &frame, &first), 2);
    for (uint64_t i = 1; i < 1000; i++) {
        struct hm_trace_frame other = {this_program.path, this_program.build_id, i};
        assert_true(hm_symbols_at(symbols, &other, &second) >= 1);
    }
    assert_int_equal(hm_symbols_at(symbols, &frame, &second), 2);
    assert_ptr_equal(first, second);
}

static void test_changed_module_has_no_names_and_a_note(void **state) {
    (void)state;
    struct hm_trace_frame frame = {this_program.path, "00112233", outer_place()};
    const struct hm_symbol *found = only(&frame);
    assert_string_equal(found->function, "");
    assert_string_equal(found->file, "");
    assert_int_equal(found->line, 0);
    assert_int_equal(found->offset, frame.offset);
    char *text = notes();
    assert_non_null(strstr(text, "has changed since the recording"));
    assert_non_null(strstr(text, this_program.path));
    free(text);
}

static void test_file_that_is_gone_or_no_file_has_no_names(void **state) {
    (void)state;
    char fifo[] = "/tmp/trace_symbols_test.XXXXXX";
    assert_non_null(mkdtemp(fifo));
    const char *const paths[] = {"/nowhere/at/all", "/dev/zero", "/", "/etc/passwd", "", "[vdso]"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct hm_trace_frame frame = {paths[i], "", 4096};
        assert_string_equal(only(&frame)->function, "");
    }
    rmdir(fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct hm_trace_frame frame = {fifo, "", 4096};
    assert_string_equal(only(&frame)->function, "");
    unlink(fifo);
    char *text = notes();
    assert_non_null(strstr(text, "who: /nowhere/at/all can not be read"));
    assert_null(strstr(text, "vdso"));
    free(text);
}

static void test_address_outside_of_all_functions_has_no_name(void **state) {
    (void)state;
    struct hm_trace_frame frame = {this_program.path, this_program.build_id, UINT64_MAX / 2};
    assert_string_equal(only(&frame)->function, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_has_function_file_and_line),
        cmocka_unit_test(test_second_time_gives_the_same),
        cmocka_unit_test(test_changed_module_has_no_names_and_a_note),
        cmocka_unit_test(test_file_that_is_gone_or_no_file_has_no_names),
        cmocka_unit_test(test_address_outside_of_all_functions_has_no_name),
    };
    return cmocka_run_group_tests(tests, find_program, close_symbols);
}

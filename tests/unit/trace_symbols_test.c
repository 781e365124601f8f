/* Names of addresses: this program asks for its own, whose functions and lines it knows.
 * needs: libdw */
#include "harness/trace/symbols.h"

#include <link.h>
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
static char program[4096];
static char build_id[256];
static uintptr_t base;

/* ---- This program ---- */

static void read_build_id(const char *at, size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        const char *name = at + sizeof *note;
        size_t name_bytes = (note->n_namesz + 3u) & ~3u;
        const unsigned char *bytes = (const unsigned char *)name + name_bytes;
        if (note->n_type == NT_GNU_BUILD_ID && strcmp(name, "GNU") == 0)
            for (size_t i = 0; i < note->n_descsz && i < 64; i++)
                snprintf(build_id + 2 * i, 3, "%02x", bytes[i]);
        size_t whole = sizeof *note + name_bytes + ((note->n_descsz + 3u) & ~3u);
        if (whole > size)
            return;
        at += whole;
        size -= whole;
    }
}

/* The first object is the program. */
static int take_program(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    (void)arg;
    base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            read_build_id((const char *)(base + info->dlpi_phdr[i].p_vaddr),
                          info->dlpi_phdr[i].p_memsz);
    return 1;
}

static int find_program(void **state) {
    (void)state;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    dl_iterate_phdr(take_program, NULL);
    symbols = hm_symbols_open();
    return length > 0 && symbols ? 0 : -1;
}

static int close_symbols(void **state) {
    (void)state;
    hm_symbols_close(symbols);
    return 0;
}

/* ---- Places in it ---- */

/* Inside the call that this returns from. */
__attribute__((noinline)) static uint64_t here(void) {
    return (uint64_t)((uintptr_t)__builtin_return_address(0) - 1 - base);
}

static int inner_line;
static int outer_line;

static inline __attribute__((always_inline)) uint64_t inlined_place(void) {
    inner_line = __LINE__ + 1;
    return here() + 0 * (uint64_t)inner_line;
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
    struct hm_trace_frame frame = {program, build_id, outer_place()};
    const struct hm_symbol *found;
    assert_int_equal(hm_symbols_at(symbols, &frame, &found), 2);
    assert_string_equal(found[0].function, "inlined_place");
    assert_int_equal(found[0].line, inner_line);
    assert_true(ends_in(found[0].file, "/trace_symbols_test.c"));
    assert_string_equal(found[1].function, "outer_place");
    assert_int_equal(found[1].line, outer_line);
    assert_true(ends_in(found[1].file, "/trace_symbols_test.c"));
    assert_string_equal(found[1].module, program);
}

static void test_second_time_gives_the_same(void **state) {
    (void)state;
    struct hm_trace_frame frame = {program, build_id, outer_place()};
    const struct hm_symbol *first;
    const struct hm_symbol *second;
    assert_int_equal(hm_symbols_at(symbols, &frame, &first), 2);
    for (uint64_t i = 1; i < 1000; i++) {
        struct hm_trace_frame other = {program, build_id, i};
        assert_true(hm_symbols_at(symbols, &other, &second) >= 1);
    }
    assert_int_equal(hm_symbols_at(symbols, &frame, &second), 2);
    assert_ptr_equal(first, second);
}

static void test_changed_module_has_no_names_and_a_note(void **state) {
    (void)state;
    struct hm_trace_frame frame = {program, "00112233", outer_place()};
    const struct hm_symbol *found = only(&frame);
    assert_string_equal(found->function, "");
    assert_string_equal(found->file, "");
    assert_int_equal(found->line, 0);
    assert_int_equal(found->offset, frame.offset);
    char *text = notes();
    assert_non_null(strstr(text, "has changed since the recording"));
    assert_non_null(strstr(text, program));
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
    struct hm_trace_frame frame = {program, build_id, UINT64_MAX / 2};
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

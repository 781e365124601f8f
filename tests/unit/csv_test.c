/* The CSV reader and writers: RFC 4180, torn files, hostile files, locales. */
#include "harness/results/csv.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/csv_test.XXXXXX";
static char path[64];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/t.csv", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

#define CSV(literal) open_bytes(literal, sizeof(literal) - 1)

static struct hm_csv *open_bytes(const char *bytes, size_t size) {
    struct hm_csv *csv = NULL;
    struct hm_error error = {""};
    write_file(bytes, size);
    assert_int_equal(hm_csv_open(&csv, path, &error), 0);
    return csv;
}

static void expect_row(struct hm_csv *csv, const char *first, const char *second) {
    struct hm_error error = {""};
    assert_int_equal(hm_csv_next(csv, &error), 1);
    assert_string_equal(hm_csv_field(csv, 0), first);
    assert_string_equal(hm_csv_field(csv, 1), second);
}

/* The end of the file; closes. */
static void expect_end(struct hm_csv *csv, bool torn) {
    struct hm_error error = {""};
    assert_int_equal(hm_csv_next(csv, &error), 0);
    assert_int_equal(hm_csv_next(csv, &error), 0);
    assert_int_equal(hm_csv_torn(csv), torn);
    assert_string_equal(hm_csv_field(csv, 0), "");
    hm_csv_close(csv);
}

/* A row that is malformed, on that line; closes. */
static void expect_malformed(struct hm_csv *csv, long line, const char *what) {
    struct hm_error error = {""};
    char expected[512];
    snprintf(expected, sizeof expected, "%s:%ld: %s", path, line, what);
    assert_int_equal(hm_csv_next(csv, &error), -1);
    assert_string_equal(error.line, expected);
    assert_null(strchr(error.line, '\n'));
    error.line[0] = '\0';
    assert_int_equal(hm_csv_next(csv, &error), -1);
    assert_string_equal(error.line, expected);
    hm_csv_close(csv);
}

static void expect_refused(const char *bytes, size_t size, const char *what) {
    struct hm_csv *csv = NULL;
    struct hm_error error = {""};
    char expected[512];
    snprintf(expected, sizeof expected, "%s:1: %s", path, what);
    write_file(bytes, size);
    assert_int_equal(hm_csv_open(&csv, path, &error), EINVAL);
    assert_string_equal(error.line, expected);
    assert_null(csv);
}

static void test_columns_are_found_by_name(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("cell,\"a, b\",value\n1,2,3\n");
    assert_int_equal(hm_csv_column(csv, "cell"), 0);
    assert_int_equal(hm_csv_column(csv, "a, b"), 1);
    assert_int_equal(hm_csv_column(csv, "value"), 2);
    assert_int_equal(hm_csv_column(csv, "Value"), -1);
    expect_row(csv, "1", "2");
    assert_int_equal(hm_csv_column(csv, "value"), 2);
    assert_string_equal(hm_csv_field(csv, -1), "");
    assert_string_equal(hm_csv_field(csv, 3), "");
    expect_end(csv, false);
}

static void test_rows_know_the_line_on_which_they_begin(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("a,\"b\nb\"\n1,\"x\ny\"\n2,z\n");
    assert_int_equal(hm_csv_column(csv, "b\nb"), 1);
    expect_row(csv, "1", "x\ny");
    assert_int_equal(hm_csv_line(csv), 3);
    expect_row(csv, "2", "z");
    assert_int_equal(hm_csv_line(csv), 5);
    expect_end(csv, false);
}

static void test_quotes_commas_and_empty_fields_are_unquoted(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("a,b\n\"1,2\",\"say \"\"hi\"\"\"\n,\"\"\n\"\"\"\",x\"y\n");
    expect_row(csv, "1,2", "say \"hi\"");
    expect_row(csv, "", "");
    expect_malformed(csv, 4, "a quote inside a field that does not begin with one");
}

static void test_crlf_and_byte_order_mark_are_accepted(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("\xEF\xBB\xBF"
                             "a,b\r\n1,2\r\n\"3\",\"4\r\n5\"\r\n");
    assert_int_equal(hm_csv_column(csv, "a"), 0);
    assert_int_equal(hm_csv_column(csv, "b"), 1);
    expect_row(csv, "1", "2");
    expect_row(csv, "3", "4\r\n5");
    expect_end(csv, false);
}

static void test_header_without_rows_ends_at_once(void **state) {
    (void)state;
    expect_end(CSV("a,b\n"), false);
}

/* Every prefix of a file is what a killed writer may leave: whole rows are read, the rest is
 * dropped. */
static void test_last_line_torn_at_any_byte_is_dropped(void **state) {
    (void)state;
    static const char whole[] = "a,b\n1,2\n33,\"4\"\"4\"\r\n";
    for (size_t cut = 1; cut < sizeof whole - 1; cut++) {
        if (cut < 4) {
            expect_refused(whole, cut, "the file has no header row");
            continue;
        }
        struct hm_csv *csv = open_bytes(whole, cut);
        if (cut >= 8)
            expect_row(csv, "1", "2");
        expect_end(csv, cut != 4 && cut != 8);
    }
}

static void test_torn_line_is_dropped_even_when_it_looks_complete(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("a,b\n1,2\n3,4");
    expect_row(csv, "1", "2");
    expect_end(csv, true);
}

static void test_wrong_number_of_fields_is_malformed(void **state) {
    (void)state;
    struct hm_csv *csv = CSV("a,b\n1,2\n3\n");
    expect_row(csv, "1", "2");
    expect_malformed(csv, 3, "fewer fields than the header has columns");
    expect_malformed(CSV("a,b\n1,2,3\n"), 2, "more fields than the header has columns");
    expect_malformed(CSV("a,b\n\n1,2\n"), 2, "fewer fields than the header has columns");
    expect_malformed(CSV("a,b\n,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n"), 2,
                     "more fields than the header has columns");
}

static void test_stray_quotes_are_malformed(void **state) {
    (void)state;
    expect_malformed(CSV("a,b\n1,x\"y\n"), 2,
                     "a quote inside a field that does not begin with one");
    expect_malformed(CSV("a,b\n1,\"x\"y\n"), 2, "text after a closing quote");
    expect_malformed(CSV("a,b\n1,\"x\" \n"), 2, "text after a closing quote");
}

static void test_quote_that_is_never_closed_does_not_swallow_the_rows_after_it(void **state) {
    (void)state;
    expect_malformed(CSV("a,b\n1,\"2\n3,4\n"), 2, "a quoted field is never closed");
    expect_malformed(CSV("a,b\n1,\"2\n3,4\n5,"), 2, "a quoted field is never closed");
}

static void test_bare_carriage_return_is_malformed(void **state) {
    (void)state;
    expect_malformed(CSV("a,b\n1\r2,3\n"), 2, "a carriage return inside a field without quotes");
    expect_malformed(CSV("a,b\n1,\"2\"\r\r\n"), 2,
                     "a carriage return inside a field without quotes");
}

static void test_nul_bytes_are_malformed_wherever_they_are(void **state) {
    (void)state;
    expect_malformed(CSV("a,b\n1,\0\n"), 2, "a NUL byte");
    expect_malformed(CSV("a,b\n1,\"x\0y\"\n"), 2, "a NUL byte");
    expect_malformed(CSV("a,b\n1,\"x\"\0\n"), 2, "a NUL byte");
    expect_malformed(CSV("a,b\n\0\0\0\0"), 2, "a NUL byte");
    expect_refused("a\0b\n", 4, "a NUL byte");
}

static void test_file_without_a_good_header_is_refused(void **state) {
    (void)state;
    expect_refused("", 0, "the file has no header row");
    expect_refused("\xEF\xBB\xBF", 3, "the file has no header row");
    expect_refused("a,b\"\n", 5, "a quote inside a field that does not begin with one");
}

static void test_what_is_not_a_regular_file_is_refused_without_waiting(void **state) {
    (void)state;
    struct hm_csv *csv = NULL;
    struct hm_error error = {""};
    unlink(path);
    assert_int_equal(hm_csv_open(&csv, path, &error), ENOENT);
    assert_non_null(strstr(error.line, path));
    assert_int_equal(hm_csv_open(&csv, folder, &error), EINVAL);
    assert_int_equal(hm_csv_open(&csv, "/dev/zero", &error), EINVAL);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(hm_csv_open(&csv, path, &error), EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_null(csv);
}

static void test_header_of_many_columns_is_read(void **state) {
    (void)state;
    enum {
        COLUMNS = 1000
    };
    static char bytes[2 * 8 * COLUMNS];
    size_t size = 0;
    for (int line = 0; line < 2; line++)
        for (int i = 0; i < COLUMNS; i++)
            size += (size_t)sprintf(bytes + size, "%d%c", i, i + 1 < COLUMNS ? ',' : '\n');
    struct hm_csv *csv = open_bytes(bytes, size);
    expect_row(csv, "0", "1");
    assert_string_equal(hm_csv_field(csv, hm_csv_column(csv, "999")), "999");
    expect_end(csv, false);
}

/* Bytes drawn from the alphabet that the parser looks at: it must end, and stay inside the buffer.
 */
static void test_random_bytes_end_without_harm(void **state) {
    (void)state;
    static const char alphabet[] = "ab,,\"\"\n\n\r\0";
    uint64_t draw = 1;
    for (int file = 0; file < 2000; file++) {
        char bytes[64] = "a,b\n";
        for (size_t i = 4; i < sizeof bytes; i++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = alphabet[(draw >> 33) % (sizeof alphabet - 1)];
        }
        struct hm_csv *csv = open_bytes(bytes, sizeof bytes);
        struct hm_error error = {""};
        int rows = 0;
        while (hm_csv_next(csv, &error) == 1) {
            assert_true(strlen(hm_csv_field(csv, 0)) + strlen(hm_csv_field(csv, 1)) < sizeof bytes);
            rows++;
        }
        assert_in_range(rows, 0, sizeof bytes);
        hm_csv_close(csv);
    }
}

static void test_number_takes_decimals_only(void **state) {
    (void)state;
    static const char *const numbers[] = {"1", "-2.5e-3", "+7", "1.7976931348623157e308", "0"};
    static const char *const others[] = {"",    "NA",    "nan",   "inf", "0x10", " 1",   "1 ",
                                         "1,5", "1.2.3", "1e999", "-",   "e5",   "12abc"};
    struct hm_error error = {""};
    double value = 42;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char bytes[64];
        int size = snprintf(bytes, sizeof bytes, "a\n\"%s\"\n", numbers[i]);
        struct hm_csv *csv = open_bytes(bytes, (size_t)size);
        assert_int_equal(hm_csv_next(csv, &error), 1);
        assert_true(hm_csv_number(csv, 0, &value));
        assert_true(value == strtod(numbers[i], NULL));
        hm_csv_close(csv);
    }
    value = 42;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char bytes[64];
        int size = snprintf(bytes, sizeof bytes, "a\n\"%s\"\n", others[i]);
        struct hm_csv *csv = open_bytes(bytes, (size_t)size);
        assert_int_equal(hm_csv_next(csv, &error), 1);
        assert_false(hm_csv_number(csv, 0, &value));
        assert_false(hm_csv_number(csv, -1, &value));
        hm_csv_close(csv);
    }
    assert_true(value == 42);
}

static const char *put_text(const char *text) {
    static char out[256];
    FILE *file = fmemopen(out, sizeof out, "w");
    out[0] = '\0';
    hm_csv_put_text(file, text);
    fclose(file);
    return out;
}

static const char *put_number(double value) {
    static char out[64];
    FILE *file = fmemopen(out, sizeof out, "w");
    out[0] = '\0';
    hm_csv_put_number(file, value);
    fclose(file);
    return out;
}

static void test_texts_are_quoted_where_they_must_be(void **state) {
    (void)state;
    assert_string_equal(put_text("pool:arena=1M"), "pool:arena=1M");
    assert_string_equal(put_text(""), "");
    assert_string_equal(put_text("a,b"), "\"a,b\"");
    assert_string_equal(put_text("a\"b"), "\"a\"\"b\"");
    assert_string_equal(put_text("a\r\nb"), "\"a\r\nb\"");
}

static void test_texts_that_a_spreadsheet_would_run_are_defused(void **state) {
    (void)state;
    assert_string_equal(put_text("=1+1"), "'=1+1");
    assert_string_equal(put_text("+1"), "'+1");
    assert_string_equal(put_text("-1"), "'-1");
    assert_string_equal(put_text("-#2"), "-#2"); /* the A/A arm where there is no allocator */
    assert_string_equal(put_text("@x"), "'@x");
    assert_string_equal(put_text("\tx"), "'\tx");
    assert_string_equal(put_text("=\"a\",b"), "\"'=\"\"a\"\",b\"");
    assert_string_equal(put_text("a=b"), "a=b");
}

static void test_numbers_that_are_absent_are_na(void **state) {
    (void)state;
    assert_string_equal(put_number(NAN), "NA");
    assert_string_equal(put_number(INFINITY), "NA");
    assert_string_equal(put_number(-INFINITY), "NA");
    assert_string_equal(put_number(0), "0");
}

static void test_numbers_survive_the_way_out_and_in(void **state) {
    (void)state;
    static const double values[] = {0.1, -1.0 / 3, 5e-324, 1.7976931348623157e308, 1e15 + 0.125};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(strtod(put_number(values[i]), NULL) == values[i]);
    assert_string_equal(put_number(0.1), "0.10000000000000001");
}

/* A locale with a decimal comma, if this machine has one. */
static void test_numbers_ignore_the_locale(void **state) {
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    const char *found = NULL;
    for (size_t i = 0; i < 4 && !found; i++)
        found = setlocale(LC_ALL, commas[i]);
    if (!found)
        skip();
    char plain[16];
    snprintf(plain, sizeof plain, "%.1f", 0.5);
    assert_string_equal(plain, "0,5");
    assert_string_equal(put_number(0.5), "0.5");
    struct hm_csv *csv = CSV("a,b\n0.5,\"0,5\"\n");
    double value = 0;
    expect_row(csv, "0.5", "0,5");
    assert_true(hm_csv_number(csv, 0, &value));
    assert_true(value == 0.5);
    assert_false(hm_csv_number(csv, 1, &value));
    expect_end(csv, false);
    snprintf(plain, sizeof plain, "%.1f", 0.5);
    setlocale(LC_ALL, "C");
    assert_string_equal(plain, "0,5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_found_by_name),
        cmocka_unit_test(test_rows_know_the_line_on_which_they_begin),
        cmocka_unit_test(test_quotes_commas_and_empty_fields_are_unquoted),
        cmocka_unit_test(test_crlf_and_byte_order_mark_are_accepted),
        cmocka_unit_test(test_header_without_rows_ends_at_once),
        cmocka_unit_test(test_last_line_torn_at_any_byte_is_dropped),
        cmocka_unit_test(test_torn_line_is_dropped_even_when_it_looks_complete),
        cmocka_unit_test(test_wrong_number_of_fields_is_malformed),
        cmocka_unit_test(test_stray_quotes_are_malformed),
        cmocka_unit_test(test_quote_that_is_never_closed_does_not_swallow_the_rows_after_it),
        cmocka_unit_test(test_bare_carriage_return_is_malformed),
        cmocka_unit_test(test_nul_bytes_are_malformed_wherever_they_are),
        cmocka_unit_test(test_file_without_a_good_header_is_refused),
        cmocka_unit_test(test_what_is_not_a_regular_file_is_refused_without_waiting),
        cmocka_unit_test(test_header_of_many_columns_is_read),
        cmocka_unit_test(test_random_bytes_end_without_harm),
        cmocka_unit_test(test_number_takes_decimals_only),
        cmocka_unit_test(test_texts_are_quoted_where_they_must_be),
        cmocka_unit_test(test_texts_that_a_spreadsheet_would_run_are_defused),
        cmocka_unit_test(test_numbers_that_are_absent_are_na),
        cmocka_unit_test(test_numbers_survive_the_way_out_and_in),
        cmocka_unit_test(test_numbers_ignore_the_locale),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

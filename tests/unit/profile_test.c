/* profile: live blocks and rates are those of the table, lifetimes follow Little's law, and a table
 * with anything wrong in it is refused with its line. */
#include "tests/unit/heap_cell.h"

#include <stdio.h>
#include <unistd.h>

#define HEAD "size_bytes,allocations_per_second,live_blocks\n"

static char path[] = "/tmp/profile_test_XXXXXX";

static void write_bytes(const char *bytes, size_t count) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void write_table(const char *text) {
    write_bytes(text, strlen(text));
}

static void open_profile(struct cell *cell, struct hm_memory memory) {
    static const struct example plain = {.workload = "profile"};
    open_cell(cell, &plain, memory, 1, 7);
    cell->values[0].text = path;
}

/* What the workload says about a table. */
static const char *told(const char *file) {
    struct hm_value values[PARAMS] = {{0, file}};
    return hm_workload_variant("profile", HM_SHAPE_HEAP, NULL)->conflict(values);
}

static void refuse(const char *text, const char *what) {
    write_table(text);
    const char *line = told(path);
    assert_non_null(line);
    if (!strstr(line, what))
        fail_msg("'%s' does not say '%s'", line, what);
    assert_null(strchr(line, '\n'));
    struct cell cell;
    size_t scratch = hm_scratch_bytes();
    open_profile(&cell, counted_memory(HM_SHAPE_HEAP));
    assert_int_equal(cell.workload->setup(&cell.runs[0]), EINVAL);
    assert_int_equal(hm_scratch_bytes(), scratch);
}

static void test_bad_tables_are_refused_with_their_line(void **state) {
    (void)state;
    refuse("", "there is no row");
    refuse(HEAD, "there is no row");
    refuse("# nothing\n\n", "there is no row");
    refuse("size,rate,live\n1,1,1\n", "line 1: the head is not 'size_bytes,");
    refuse("16,1,1\n", "line 1: the head is not");
    refuse("# a\n\n" HEAD "16,1,1\n0,1,1\n", "line 5: the size is not");
    refuse(HEAD "1073741825,1,1\n", "line 2: the size is not");
    refuse(HEAD "16.5,1,1\n", "line 2: the size is not");
    refuse(HEAD "-16,1,1\n", "line 2: the size is not");
    refuse(HEAD "0x10,1,1\n", "line 2: the size is not");
    refuse(HEAD "16;1;1\n", "line 2: the size is not");
    refuse(HEAD "16\n", "line 2: the size is not");
    refuse(HEAD "16,0,1\n", "line 2: the rate is not");
    refuse(HEAD "16,nan,1\n", "line 2: the rate is not");
    refuse(HEAD "16,1e999,1\n", "line 2: the rate is not");
    refuse(HEAD "16,,1\n", "line 2: the rate is not");
    refuse(HEAD "16,1\n", "line 2: the rate is not");
    refuse(HEAD "16,1,\n", "line 2: the live blocks are not");
    refuse(HEAD "16,1,inf\n", "line 2: the live blocks are not");
    refuse(HEAD "16,1,1,1\n", "line 2: the live blocks are not");
    refuse(HEAD "16,1,4000001\n", "line 2: the live blocks are not");
    refuse(HEAD "16,1,3999999\n16,1,2\n", "line 3: more than 4000000 live blocks");
}

static void test_files_that_are_no_table_are_refused(void **state) {
    (void)state;
    assert_non_null(strstr(told(""), "file= is missing"));
    assert_non_null(strstr(told("/nowhere/table.csv"), "No such file"));
    assert_non_null(strstr(told("/dev/null"), "not a file"));
    assert_non_null(strstr(told("/"), "not a file"));
    write_bytes(HEAD "16,1\0,1\n", sizeof HEAD + 8);
    assert_non_null(strstr(told(path), "not a text"));
    static char large[(4 << 20) + 1];
    memset(large, '#', sizeof large);
    write_bytes(large, sizeof large);
    assert_non_null(strstr(told(path), "larger than 4 MiB"));
    write_bytes(large, sizeof large - 1);
    assert_non_null(strstr(told(path), "there is no row"));
    memcpy(large, HEAD, sizeof HEAD - 1);
    for (size_t at = sizeof HEAD - 1; at + 6 < sizeof large; at += 6)
        memcpy(large + at, "1,1,0\n", 6);
    write_bytes(large, sizeof HEAD - 1 + 65537 * 6);
    assert_non_null(strstr(told(path), "line 65538: more than 65536 rows"));
}

/* Comments, empty lines, either end of line, none at the end, exponents, a size twice. */
static void test_good_tables_are_read(void **state) {
    (void)state;
    write_table("# a\r\n\r\n" HEAD "16,1.5e3,2.4\r\n#b\n16,.5,0\n48,1,2.6");
    assert_null(told(path));
    struct cell cell;
    open_profile(&cell, counted_memory(HM_SHAPE_HEAP));
    assert_int_equal(cell.workload->setup(&cell.runs[0]), 0);
    assert_int_equal(counted.live_blocks, 2 + 1 + 3);
    assert_int_equal(counted.live_bytes, 3 * 16 + 3 * 48);
    cell.workload->teardown(&cell.runs[0]);
    assert_int_equal(counted.live_blocks, 0);
}

/* ---- Little's law ---- */

enum {
    OPS = 200000,
};

static uint64_t born[2], now;
static double lived[2];

static void *watched_malloc(size_t size) {
    uint64_t *block = counted_malloc(size);
    now++;
    born[size == 100]++;
    *(block + 1) = now;
    return block;
}

static void watched_free(void *block) {
    if (!block)
        return;
    lived[counted_usable_size(block) == 100] += (double)(now + 1 - *((uint64_t *)block + 1));
    counted_free(block);
}

static void test_lifetimes_follow_littles_law(void **state) {
    (void)state;
    write_table(HEAD "50,300,20\n100,100,400\n");
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.malloc = watched_malloc;
    memory.libc.free = watched_free;
    struct cell cell;
    open_profile(&cell, memory);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    assert_int_equal(cell.workload->live_bytes(run), 50 * 20 + 100 * 400);
    cell.workload->run(run, OPS); /* the script goes round: the first blocks are gone */
    memset(born, 0, sizeof born);
    memset(lived, 0, sizeof lived);
    assert_int_equal(cell.workload->run(run, OPS), OPS);
    assert_int_equal(cell.workload->live_bytes(run), counted.live_bytes);
    assert_int_equal(counted.live_blocks, 420);
    assert_in_range(born[0], OPS * 0.74, OPS * 0.76);
    /* W = L / rate, of 400 allocations a second: 26.7 and 1600 operations */
    assert_in_range(lived[0] / (double)born[0] * 100, 2600, 2734);
    assert_in_range(lived[1] / (double)born[1], 1560, 1640);
    assert_null(cell.workload->verify(run));
    cell.workload->teardown(run);
}

static void test_memory_may_run_out(void **state) {
    (void)state;
    write_table(HEAD "50,300,20\n100,100,40\n");
    for (uint64_t n = 1; n < 100; n += 7) {
        struct cell cell;
        open_profile(&cell, counted_memory(HM_SHAPE_HEAP));
        struct hm_run *run = &cell.runs[0];
        count_clear();
        count_fail(n, 1);
        int bad = cell.workload->setup(run);
        assert_int_equal(bad, n <= 60 ? ENOMEM : 0);
        if (!bad) {
            assert_int_equal(cell.workload->run(run, 100), n - 61);
            assert_int_equal(cell.workload->run(run, 100), 100);
            assert_null(cell.workload->verify(run));
            cell.workload->teardown(run);
        }
        assert_int_equal(counted.live_blocks, 0);
    }
}

static int make_file(void **state) {
    (void)state;
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bad_tables_are_refused_with_their_line, start_afresh),
        cmocka_unit_test_setup(test_files_that_are_no_table_are_refused, start_afresh),
        cmocka_unit_test_setup(test_good_tables_are_read, start_afresh),
        cmocka_unit_test_setup(test_lifetimes_follow_littles_law, start_afresh),
        cmocka_unit_test_setup(test_memory_may_run_out, start_afresh),
    };
    return cmocka_run_group_tests_name("profile", tests, make_file, remove_file);
}

/* Scripts for one heap: which lines are refused, what is answered, how a heap is drawn; and that the
 * offsets are those of a heap of bytes that is searched one by one. */
#include "harness/sim/heap.h"
#include "harness/sim/map.h"
#include "harness/sim/script.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A script that was played, with its answer. */
struct played {
    int bad;
    long line; /* the last one that was read */
    struct hm_error error;
    char *rows;
    size_t bytes;
};

static struct played play_bytes(const char *allocator, const char *script, size_t bytes,
                                enum hm_sim_map map) {
    struct played p = {.error = {""}};
    struct hm_allocator_spec spec;
    struct hm_memory_stack stack;
    struct hm_sim_script lines = {.file = fmemopen((void *)(uintptr_t)script, bytes, "r")};
    assert_non_null(lines.file);
    FILE *out = open_memstream(&p.rows, &p.bytes);
    assert_int_equal(hm_allocator_spec_parse(allocator, &spec, &p.error), 0);
    assert_int_equal(hm_memory_stack_open(&stack, &spec, 1), 0);
    assert_int_equal(hm_memory_stack_enter(&stack), 0);
    const struct hm_sim_heap_options options = {.map = map, .width = 80, .out = out};
    p.bad = hm_sim_heap_play(&stack, &lines, &options, &p.error);
    p.line = lines.number;
    hm_memory_stack_leave(&stack);
    hm_memory_stack_close(&stack);
    fclose(lines.file);
    fclose(out);
    return p;
}

static struct played play(const char *script) {
    return play_bytes("first-fit:size=1024:align=1", script, strlen(script), HM_SIM_MAP_NONE);
}

#define HEAD "op,id,size,offset,status\n"

static void assert_answer(const char *script, const char *rows) {
    struct played p = play(script);
    assert_string_equal(p.error.line, "");
    assert_int_equal(p.bad, 0);
    assert_string_equal(p.rows, rows);
    free(p.rows);
}

static void assert_bad_bytes(const char *script, size_t bytes, long line, const char *words) {
    struct played p = play_bytes("first-fit:size=1024:align=1", script, bytes, HM_SIM_MAP_NONE);
    assert_int_equal(p.bad, EINVAL);
    assert_int_equal(p.line, line);
    if (!strstr(p.error.line, words))
        fail_msg("'%s' does not say '%s'", p.error.line, words);
    for (const char *at = p.error.line; *at; at++)
        assert_in_range(*at, ' ', '~');
    free(p.rows);
}

static void assert_bad(const char *script, long line, const char *words) {
    assert_bad_bytes(script, strlen(script), line, words);
}

/* ---- Lines ---- */

static void test_blank_lines_comments_and_carriage_returns_are_no_lines(void **state) {
    (void)state;
    assert_answer("# nothing\n\n  \t\r\n\tmalloc  a\t8 # eight\r\nfree a#",
                  HEAD "malloc,a,8,0,ok\nfree,a,8,0,ok\n");
    assert_answer("\n", HEAD);
}

static void test_bad_line_is_told_with_its_number(void **state) {
    (void)state;
    assert_bad("malloc a 8\n\n# x\nmaloc b 8\n", 4, "did you mean 'malloc'");
    assert_bad("\033[2Jx a\n", 1, "unknown verb '?[2Jx'");
}

static void test_missing_and_extra_words_are_refused(void **state) {
    (void)state;
    assert_bad("malloc\n", 1, "missing");
    assert_bad("malloc a\n", 1, "missing");
    assert_bad("malloc a 8 8\n", 1, "too many");
    assert_bad("free a b\n", 1, "too many");
    assert_bad("calloc a 1\n", 1, "calloc ID N SIZE");
    assert_bad("free a b c d e f g h i j k l\n", 1, "too many");
}

static void test_what_is_no_number_is_refused(void **state) {
    static const char *const words[] = {"x", "-1", "+1", "0x10", "1.5", "1e3", "8K8", "8KB", "K"};
    char script[64];
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(script, sizeof script, "malloc a %s\n", words[i]);
        assert_bad(script, 1, "not a whole number");
    }
}

static void test_sizes_of_2_to_63_and_more_are_refused(void **state) {
    (void)state;
    assert_answer("malloc a 9223372036854775807\n", HEAD "malloc,a,9223372036854775807,NA,oom\n");
    assert_bad("malloc a 9223372036854775808\n", 1, "too large");
    assert_bad("malloc a 99999999999999999999999999\n", 1, "too large");
    assert_bad("calloc a 1 9999999999G\n", 1, "too large");
}

static void test_ids_of_more_than_64_letters_are_refused(void **state) {
    char script[128];
    (void)state;
    snprintf(script, sizeof script, "malloc %064d 8\n", 7);
    struct played p = play(script);
    assert_int_equal(p.bad, 0);
    free(p.rows);
    snprintf(script, sizeof script, "malloc %065d 8\n", 7);
    assert_bad(script, 1, "64 at most");
}

static void test_ids_have_letters_digits_and_three_signs(void **state) {
    (void)state;
    assert_answer("malloc A-z_0.9 8\n", HEAD "malloc,A-z_0.9,8,0,ok\n");
    assert_bad("malloc a,b 8\n", 1, "no ID");
    assert_bad("malloc a+1 8\n", 1, "no ID");
    assert_bad("malloc \xc3\xa9 8\n", 1, "no ID");
    assert_bad("free \"a\"\n", 1, "no ID");
    assert_bad("free +1\n", 1, "no ID");
}

static void test_lines_of_1024_bytes_are_refused(void **state) {
    char script[1100];
    (void)state;
    memset(script, '#', sizeof script);
    assert_bad_bytes(script, 1024, 1, "longer than 1023");
    assert_bad_bytes(script, sizeof script, 1, "longer than 1023");
    struct played p = play_bytes("first-fit:size=64", script, 1023, HM_SIM_MAP_NONE);
    assert_int_equal(p.bad, 0);
    free(p.rows);
}

static void test_nul_bytes_are_refused(void **state) {
    static const char script[] = "malloc a 8\nmalloc b\0 8\n";
    (void)state;
    assert_bad_bytes(script, sizeof script - 1, 2, "NUL");
}

static void test_rows_before_a_bad_line_stay(void **state) {
    (void)state;
    struct played p = play("malloc a 8\nmalloc a 8\n");
    assert_int_equal(p.bad, EINVAL);
    assert_string_equal(p.error.line, "a is allocated already");
    assert_string_equal(p.rows, HEAD "malloc,a,8,0,ok\n");
    free(p.rows);
}

/* ---- Answers ---- */

static void test_fragmented_heap_has_no_room_for_what_is_free_in_sum(void **state) {
    (void)state;
    assert_answer("malloc a 256\nmalloc b 256\nfree a\nmalloc c 1024\nmalloc d 256\n",
                  HEAD "malloc,a,256,0,ok\nmalloc,b,256,256,ok\nfree,a,256,0,ok\n"
                       "malloc,c,1024,NA,oom\nmalloc,d,256,0,ok\n");
}

static void test_failed_realloc_leaves_the_block(void **state) {
    (void)state;
    assert_answer("malloc a 500\nrealloc a 2000\nfree a\nrealloc b 1\n",
                  HEAD "malloc,a,500,0,ok\nrealloc,a,2000,NA,oom\nfree,a,500,0,ok\n"
                       "realloc,b,NA,NA,not-allocated\n");
}

static void test_calloc_of_more_than_an_address_space_is_out_of_memory(void **state) {
    (void)state;
    assert_answer("calloc a 4G 4G\ncalloc b 3 5\n", HEAD "calloc,a,NA,NA,oom\ncalloc,b,15,0,ok\n");
}

static void test_alignment_must_be_a_power_of_two(void **state) {
    (void)state;
    assert_answer("malloc a 1\naligned b 64 8\n", HEAD "malloc,a,1,0,ok\naligned,b,8,64,ok\n");
    assert_bad("aligned a 0 8\n", 1, "power of two");
    assert_bad("aligned a 24 8\n", 1, "power of two");
}

static void test_bad_frees_are_told_apart_and_harm_nothing(void **state) {
    (void)state;
    assert_answer(
        "malloc a 100\nmalloc b 100\nfree a\nfree a\nfree b+10\nfree !foreign\n"
        "free never\nmalloc c 300\nfree c+50\nmalloc d 100\nfree a\nmalloc e 100\nfree b\n",
        HEAD "malloc,a,100,0,ok\nmalloc,b,100,100,ok\nfree,a,100,0,ok\n"
             "free,a,NA,NA,double-free\nfree,b+10,NA,NA,inside-block\n"
             "free,!foreign,NA,NA,foreign\nfree,never,NA,NA,not-allocated\n"
             "malloc,c,300,200,ok\nfree,c+50,NA,NA,inside-block\nmalloc,d,100,0,ok\n"
             "free,a,NA,NA,double-free\nmalloc,e,100,500,ok\nfree,b,100,100,ok\n");
    assert_bad("malloc a 10\nfree a+10\n", 2, "not inside");
    assert_bad("malloc a 10\nfree a+0\n", 2, "not inside");
}

static void test_heap_without_a_walk_answers_without_offsets(void **state) {
    static const char script[] = "malloc a 10\nfree a\nfree a\nmalloc b 10\nrealloc b 0\n";
    (void)state;
    struct played p = play_bytes("system", script, strlen(script), HM_SIM_MAP_END);
    assert_int_equal(p.bad, 0);
    assert_string_equal(p.rows, HEAD "malloc,a,10,NA,ok\nfree,a,10,NA,ok\n"
                                     "free,a,NA,NA,double-free\nmalloc,b,10,NA,ok\n"
                                     "realloc,b,0,NA,ok\n");
    free(p.rows);
}

/* ---- The map ---- */

static void assert_map(const struct hm_sim_run *runs, size_t count, const char *expected) {
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    hm_sim_map_draw(out, runs, count, 80);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_map_shows_names_and_shared_cells(void **state) {
    static const struct hm_sim_run runs[] = {
        {0, 320, true, "first"}, {320, 40, true, "b"}, {360, 664, false, NULL}};
    (void)state;
    assert_map(runs, 3,
               "1024 bytes, one character is 16\n"
               "used 360 in 2 blocks\n"
               "free 664 in 1 run, the largest 664\n"
               "   0 |[first#############]"
               "[]+.........................................|\n"
               "offset   bytes  block\n"
               "     0     320  first\n"
               "   320      40  b\n"
               "   360     664  (free)\n");
}

static void test_map_of_a_small_heap_has_a_character_for_each_byte(void **state) {
    static const struct hm_sim_run runs[] = {
        {0, 1, true, "a"}, {1, 4, true, "long-name"}, {5, 2, false, NULL}, {7, 3, true, NULL}};
    (void)state;
    assert_map(runs, 4,
               "10 bytes, one character is 1\n"
               "used 8 in 3 blocks\n"
               "free 2 in 1 run, the largest 2\n"
               " 0 |#[##]..[#]|\n"
               "offset   bytes  block\n"
               "     0       1  a\n"
               "     1       4  long-name\n"
               "     5       2  (free)\n"
               "     7       3  (no name)\n");
}

static void test_map_leaves_a_large_free_end_out(void **state) {
    static const struct hm_sim_run runs[] = {{0, 4096, true, "a"}, {4096, 1044480, false, NULL}};
    (void)state;
    assert_map(runs, 2,
               "1048576 bytes, one character is 1024\n"
               "used 4096 in 1 block\n"
               "free 1044480 in 1 run, the largest 1044480\n"
               "      0 |[a#]............................................................|\n"
               "        all from 65536 on is free\n"
               " offset    bytes  block\n"
               "      0     4096  a\n"
               "   4096  1044480  (free)\n");
}

static void test_map_never_passes_the_page(void **state) {
    char name[HM_SIM_ID_BYTES];
    struct hm_sim_run runs[500];
    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < 500; i++)
        runs[i] = (struct hm_sim_run){i * 128000000, 128000000, i % 3 != 0, name};
    for (unsigned width = HM_SIM_WIDTH_MIN; width <= HM_SIM_WIDTH_MAX; width += 7) {
        char *text;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        hm_sim_map_draw(out, runs, 500, width);
        fclose(out);
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= width);
        free(text);
    }
}

/* ---- A naive heap ---- */

enum {
    NAIVE_BYTES = 4096,
    NAIVE_NAMES = 64,
    NAIVE_LINES = 100000,
};

struct naive {
    unsigned char used[NAIVE_BYTES];
    struct {
        bool live;
        size_t offset, size, length;
    } blocks[NAIVE_NAMES];
    uint64_t state;
    FILE *script, *rows;
};

static size_t draw(struct naive *n, size_t below) {
    n->state = n->state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(n->state >> 33) % below;
}

static bool is_free(const struct naive *n, size_t offset, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (offset + i >= NAIVE_BYTES || n->used[offset + i])
            return false;
    return true;
}

/* @return NAIVE_BYTES: nowhere */
static size_t naive_take(struct naive *n, size_t alignment, size_t length) {
    for (size_t at = 0; at < NAIVE_BYTES; at += alignment)
        if (is_free(n, at, length)) {
            memset(n->used + at, 1, length);
            return at;
        }
    return NAIVE_BYTES;
}

static size_t naive_resize(struct naive *n, size_t id, size_t length) {
    size_t offset = n->blocks[id].offset, old = n->blocks[id].length;
    bool in_place = length <= old || is_free(n, offset + old, length - old);
    size_t to = in_place ? offset : naive_take(n, 1, length);
    if (to == NAIVE_BYTES)
        return to;
    memset(n->used + offset, 0, old);
    memset(n->used + to, 1, length);
    return to;
}

static void naive_answer(struct naive *n, const char *verb, size_t id, size_t size, size_t at) {
    fprintf(n->rows, "%s,n%zu,%zu,", verb, id, size);
    if (at == NAIVE_BYTES) {
        fputs("NA,oom\n", n->rows);
        return;
    }
    fprintf(n->rows, "%zu,ok\n", at);
    n->blocks[id].live = true;
    n->blocks[id].offset = at;
    n->blocks[id].size = size;
    n->blocks[id].length = size ? size : 1;
}

static void naive_allocate(struct naive *n, size_t id) {
    size_t size = draw(n, 4) ? draw(n, 100) : draw(n, 1000);
    size_t length = size ? size : 1;
    size_t alignment = (size_t)1 << draw(n, 8);
    switch (draw(n, 3)) {
    case 0:
        fprintf(n->script, "malloc n%zu %zu\n", id, size);
        naive_answer(n, "malloc", id, size, naive_take(n, 1, length));
        break;
    case 1:
        fprintf(n->script, "calloc n%zu 1 %zu\n", id, size);
        naive_answer(n, "calloc", id, size, naive_take(n, 1, length));
        break;
    default:
        fprintf(n->script, "aligned n%zu %zu %zu\n", id, alignment, size);
        naive_answer(n, "aligned", id, size, naive_take(n, alignment, length));
    }
}

static void naive_free(struct naive *n, size_t id) {
    fprintf(n->script, "free n%zu\n", id);
    fprintf(n->rows, "free,n%zu,%zu,%zu,ok\n", id, n->blocks[id].size, n->blocks[id].offset);
    memset(n->used + n->blocks[id].offset, 0, n->blocks[id].length);
    n->blocks[id].live = false;
}

static void naive_line(struct naive *n) {
    size_t id = draw(n, NAIVE_NAMES);
    size_t size = draw(n, 300);
    if (!n->blocks[id].live) {
        naive_allocate(n, id);
    } else if (draw(n, 3)) {
        naive_free(n, id);
    } else {
        fprintf(n->script, "realloc n%zu %zu\n", id, size);
        naive_answer(n, "realloc", id, size, naive_resize(n, id, size ? size : 1));
    }
}

static void test_offsets_are_those_of_a_naive_heap(void **state) {
    static struct naive n = {.state = 1};
    static const char *const indexes[] = {"scan", "bitmap", "tree"};
    char spec[64], *script, *rows;
    size_t script_bytes, row_bytes;
    (void)state;
    n.script = open_memstream(&script, &script_bytes);
    n.rows = open_memstream(&rows, &row_bytes);
    fputs(HEAD, n.rows);
    for (int i = 0; i < NAIVE_LINES; i++)
        naive_line(&n);
    fclose(n.script);
    fclose(n.rows);
    for (size_t i = 0; i < 3; i++) {
        snprintf(spec, sizeof spec, "first-fit:size=%d:align=1:index=%s", NAIVE_BYTES, indexes[i]);
        struct played p = play_bytes(spec, script, script_bytes, HM_SIM_MAP_NONE);
        assert_int_equal(p.bad, 0);
        assert_int_equal(p.bytes, row_bytes);
        assert_memory_equal(p.rows, rows, row_bytes);
        free(p.rows);
    }
    free(script);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank_lines_comments_and_carriage_returns_are_no_lines),
        cmocka_unit_test(test_bad_line_is_told_with_its_number),
        cmocka_unit_test(test_missing_and_extra_words_are_refused),
        cmocka_unit_test(test_what_is_no_number_is_refused),
        cmocka_unit_test(test_sizes_of_2_to_63_and_more_are_refused),
        cmocka_unit_test(test_ids_of_more_than_64_letters_are_refused),
        cmocka_unit_test(test_ids_have_letters_digits_and_three_signs),
        cmocka_unit_test(test_lines_of_1024_bytes_are_refused),
        cmocka_unit_test(test_nul_bytes_are_refused),
        cmocka_unit_test(test_rows_before_a_bad_line_stay),
        cmocka_unit_test(test_fragmented_heap_has_no_room_for_what_is_free_in_sum),
        cmocka_unit_test(test_failed_realloc_leaves_the_block),
        cmocka_unit_test(test_calloc_of_more_than_an_address_space_is_out_of_memory),
        cmocka_unit_test(test_alignment_must_be_a_power_of_two),
        cmocka_unit_test(test_bad_frees_are_told_apart_and_harm_nothing),
        cmocka_unit_test(test_heap_without_a_walk_answers_without_offsets),
        cmocka_unit_test(test_map_shows_names_and_shared_cells),
        cmocka_unit_test(test_map_of_a_small_heap_has_a_character_for_each_byte),
        cmocka_unit_test(test_map_leaves_a_large_free_end_out),
        cmocka_unit_test(test_map_never_passes_the_page),
        cmocka_unit_test(test_offsets_are_those_of_a_naive_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

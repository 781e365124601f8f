/* Traces: what is written is what is read; what can not be is refused; and no damage of a file goes
 * unnoticed. */
#include "tests/unit/trace_files.h"
#include "traces/format.h"

#include <xxhash.h>

enum {
    EVENTS = 300000, /* several blocks of them */
    SMALL = 40,
};

static struct hm_trace_event events[EVENTS];

/* ---- The hash, from its description ---- */

static uint64_t hash_of(const struct hm_trace_event *all, size_t count) {
    uint8_t *bytes = malloc(count * 48);
    for (size_t i = 0; i < count; i++) {
        const struct hm_trace_event *e = &all[i];
        const uint64_t words[] = {(uint64_t)e->thread << 32 | (e->failed ? 0x10000u : 0u) |
                                      (uint64_t)e->alignment_log2 << 8 | e->kind,
                                  e->stack,
                                  e->block,
                                  e->count,
                                  e->size,
                                  e->time_ns};
        for (size_t k = 0; k < 48; k++)
            bytes[48 * i + k] = (uint8_t)(words[k / 8] >> k % 8 * 8);
    }
    uint64_t hash = XXH3_64bits(bytes, count * 48);
    free(bytes);
    return hash;
}

/* ---- Round trips ---- */

static void add_all(struct hm_trace_writer *writer, const struct hm_trace_event *all,
                    size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_int_equal(hm_trace_add(writer, &all[i]), 0);
}

static void expect_all(struct hm_trace_reader *reader, const struct hm_trace_event *all,
                       size_t count) {
    struct hm_trace_event event;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(hm_trace_next(reader, &event), 1);
        assert_same_event(&event, &all[i]);
    }
    assert_int_equal(hm_trace_next(reader, &event), 0);
    assert_int_equal(hm_trace_next(reader, &event), 0);
}

static const struct hm_trace_event every_kind[] = {
    {.kind = HM_TRACE_THREAD_BEGIN, .count = 1},
    {.kind = HM_TRACE_INHERITED, .block = 1, .count = 1, .size = 1000, .alignment_log2 = 12},
    {.kind = HM_TRACE_MALLOC, .block = 2, .count = 1, .size = 0, .stack = 2, .time_ns = 7},
    {.kind = HM_TRACE_CALLOC, .block = 3, .count = 9, .size = 11, .stack = 1, .time_ns = 7},
    {.kind = HM_TRACE_ALIGNED_ALLOC,
     .block = 4,
     .count = 1,
     .size = 64,
     .alignment_log2 = 6,
     .time_ns = 8},
    {.kind = HM_TRACE_POSIX_MEMALIGN,
     .block = 5,
     .count = 1,
     .size = 65,
     .alignment_log2 = 63,
     .time_ns = 8},
    {.kind = HM_TRACE_MEMALIGN,
     .block = 6,
     .count = 1,
     .size = 66,
     .alignment_log2 = 1,
     .time_ns = 8},
    {.kind = HM_TRACE_VALLOC,
     .block = 7,
     .count = 1,
     .size = 67,
     .alignment_log2 = 12,
     .time_ns = 8},
    {.kind = HM_TRACE_PVALLOC,
     .block = 8,
     .count = 1,
     .size = 68,
     .alignment_log2 = 12,
     .time_ns = 8},
    {.kind = HM_TRACE_MALLOC, .failed = true, .count = 1, .size = UINT64_MAX, .time_ns = 8},
    {.kind = HM_TRACE_THREAD_BEGIN, .thread = 1, .count = 1, .time_ns = 8},
    {.kind = HM_TRACE_REALLOC, .thread = 1, .block = 2, .count = 1, .size = 40, .time_ns = 9},
    {.kind = HM_TRACE_REALLOCARRAY, .block = 3, .count = 3, .size = 5, .time_ns = 9},
    {.kind = HM_TRACE_REALLOC,
     .block = 3,
     .failed = true,
     .count = 1,
     .size = 1u << 30,
     .time_ns = 9},
    {.kind = HM_TRACE_REALLOC, .block = HM_TRACE_FOREIGN, .count = 1, .size = 77, .time_ns = 9},
    {.kind = HM_TRACE_USABLE, .block = 8, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_USABLE, .block = HM_TRACE_NULL, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_FREE, .block = 2, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_FREE, .block = HM_TRACE_NULL, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_FREE, .block = HM_TRACE_FOREIGN, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_FREE, .block = 1, .count = 1, .time_ns = 9},
    {.kind = HM_TRACE_THREAD_END, .thread = 1, .count = 1, .time_ns = UINT64_MAX},
};
enum {
    EVERY_KIND = sizeof every_kind / sizeof *every_kind,
};

static void expect_facts(const struct hm_trace_facts *facts) {
    assert_string_equal(facts->program, trace_facts.program);
    assert_string_equal(facts->command, trace_facts.command);
    assert_string_equal(facts->recorder, trace_facts.recorder);
    assert_string_equal(facts->machine, trace_facts.machine);
    assert_int_equal(facts->pid, 4711);
    assert_int_equal(facts->started_utc, -3);
    assert_int_equal(facts->page_bytes, 4096);
    assert_true(facts->has_times && facts->has_stacks);
}

/* The two stacks of the test below. */
static void expect_stacks(const struct hm_trace_reader *reader) {
    struct hm_trace_frame read[4];
    assert_int_equal(hm_trace_stack(reader, 1, read, 4), 2);
    assert_string_equal(read[0].module, "/lib/libc.so");
    assert_string_equal(read[0].build_id, "00ff");
    assert_int_equal(read[0].offset, 0x1234);
    assert_string_equal(read[1].module, "");
    assert_int_equal(read[1].offset, UINT64_MAX);
    assert_int_equal(hm_trace_stack(reader, 1, read, 1), 2);
    assert_int_equal(hm_trace_stack(reader, 2, read, 4), 0);
    assert_int_equal(hm_trace_stack(reader, 0, read, 4), 0);
    assert_int_equal(hm_trace_stack(reader, 3, read, 4), 0);
}

static void test_every_kind_comes_back_with_all_its_fields(void **state) {
    (void)state;
    const struct hm_trace_totals by_hand = {
        .operations = 18,
        .allocations = 10, /* 7, and 3 reallocations */
        .frees = 6,
        .bytes = 0 + 99 + 64 + 65 + 66 + 67 + 68 + 40 + 15 + 77,
        .peak_bytes = 1000 + 0 + 99 + 64 + 65 + 66 + 67 + 68 + 40,
        .peak_blocks = 8,
        .blocks = 8,
        .threads = 2,
        .stacks = 2,
        .failed = 2,
        .null_frees = 1,
        .foreign = 2,
        .inherited = 1,
        .cross_thread_frees = 2, /* block 2 by thread 1, and then by 0 */
        .duration_ns = UINT64_MAX,
        .dropped = 3,
        .hash = hash_of(every_kind, EVERY_KIND),
        .end = HM_TRACE_END_SIGNAL,
        .status = 11,
    };
    struct hm_trace_totals totals;
    struct hm_trace_writer *writer = new_trace(&trace_facts);
    uint32_t module = hm_trace_add_module(writer, "/lib/libc.so", "00ff");
    assert_int_equal(module, 0);
    const struct hm_trace_address frames[] = {{module, 0x1234}, {UINT32_MAX, UINT64_MAX}};
    assert_int_equal(hm_trace_add_stack(writer, frames, 2), 1);
    assert_int_equal(hm_trace_add_stack(writer, frames, 0), 2);
    add_all(writer, every_kind, EVERY_KIND);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_SIGNAL, 11, 3, &totals), 0);
    assert_memory_equal(&totals, &by_hand, sizeof totals);

    struct hm_trace_reader *reader = open_trace();
    expect_facts(hm_trace_facts(reader));
    for (int times = 0; times < 2; times++) {
        expect_all(reader, every_kind, EVERY_KIND);
        assert_memory_equal(hm_trace_totals(reader), &by_hand, sizeof by_hand);
        assert_int_equal(hm_trace_rewind(reader), 0);
    }
    expect_stacks(reader);
    hm_trace_close(reader);
}

static void round_trip(bool has_times, bool has_stacks) {
    struct trace_random random = {.state = 1};
    struct hm_trace_facts facts = trace_facts;
    struct hm_trace_totals totals;
    facts.has_times = has_times;
    facts.has_stacks = has_stacks;
    struct hm_trace_writer *writer = new_trace(&facts);
    uint32_t module = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        if (i % 100 == 0)
            module = hm_trace_add_module(writer, i % 300 ? "a module" : "", "");
        if (i % 10 == 0) {
            const struct hm_trace_address frames[] = {{module, i}, {0, i * i}, {UINT32_MAX, i}};
            random.stacks = hm_trace_add_stack(writer, frames, i % 4);
            assert_int_equal(random.stacks, i / 10 + 1);
        }
        events[i] = trace_draw_event(&random);
        events[i].stack = has_stacks ? events[i].stack : 0;
        events[i].time_ns = has_times ? events[i].time_ns : 0;
        assert_int_equal(hm_trace_add(writer, &events[i]), 0);
    }
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, &totals), 0);
    assert_int_equal(totals.hash, hash_of(events, EVENTS));
    struct hm_trace_reader *reader = open_trace();
    expect_all(reader, events, EVENTS);
    assert_memory_equal(hm_trace_totals(reader), &totals, sizeof totals);
    struct hm_trace_frame frames[3];
    assert_int_equal(hm_trace_stack(reader, EVENTS / 10, frames, 3), (EVENTS - 10) % 4);
    assert_int_equal(frames[0].offset, EVENTS - 10);
    hm_trace_close(reader);
}

static void test_many_blocks_come_back_the_same(void **state) {
    (void)state;
    round_trip(false, false);
    round_trip(true, true);
}

static void test_a_thread_lasts_over_blocks(void **state) {
    (void)state;
    struct hm_trace_facts facts = {0};
    struct hm_trace_writer *writer = new_trace(&facts);
    for (size_t i = 0; i < EVENTS; i++) {
        events[i] = (struct hm_trace_event){.kind = HM_TRACE_MALLOC,
                                            .thread = i > 0,
                                            .failed = true,
                                            .count = 1,
                                            .size = UINT64_MAX};
        assert_int_equal(hm_trace_add(writer, &events[i]), 0);
    }
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
    struct hm_trace_reader *reader = open_trace();
    expect_all(reader, events, EVENTS);
    hm_trace_close(reader);
}

static void test_an_empty_trace_is_whole(void **state) {
    (void)state;
    struct hm_trace_facts facts = {0}; /* not even texts */
    struct hm_trace_writer *writer = new_trace(&facts);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_UNKNOWN, 0, 0, NULL), 0);
    struct hm_trace_reader *reader = open_trace();
    assert_string_equal(hm_trace_facts(reader)->command, "");
    expect_all(reader, NULL, 0);
    hm_trace_close(reader);
}

static void test_texts_too_long_are_cut(void **state) {
    (void)state;
    char *text = malloc(200001);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    struct hm_trace_facts facts = {text, text, text, text, 1, 1, 1, false, true};
    struct hm_trace_writer *writer = new_trace(&facts);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(hm_trace_add_module(writer, text, text), i);
    const struct hm_trace_address frame = {99, 1};
    assert_int_equal(hm_trace_add_stack(writer, &frame, 1), 1);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_UNKNOWN, 0, 0, NULL), 0);
    struct hm_trace_reader *reader = open_trace();
    struct hm_trace_frame read;
    expect_all(reader, NULL, 0);
    assert_int_equal(strlen(hm_trace_facts(reader)->machine), 60000);
    assert_int_equal(hm_trace_stack(reader, 1, &read, 1), 1);
    assert_int_equal(strlen(read.module), 4096);
    hm_trace_close(reader);
    free(text);
}

static void test_fields_that_a_kind_lacks_do_not_count(void **state) {
    (void)state;
    const struct hm_trace_event odd[] = {
        {.kind = HM_TRACE_THREAD_BEGIN, .block = 77, .stack = 9, .time_ns = 9},
        {.kind = HM_TRACE_MALLOC, .block = 1, .count = 1, .size = 4},
        {.kind = HM_TRACE_FREE, .block = 1, .size = 33, .alignment_log2 = 3},
    };
    const struct hm_trace_event tidy[] = {
        {.kind = HM_TRACE_THREAD_BEGIN, .count = 1},
        {.kind = HM_TRACE_MALLOC, .block = 1, .count = 1, .size = 4},
        {.kind = HM_TRACE_FREE, .block = 1, .count = 1},
    };
    struct hm_trace_facts facts = {0};
    struct hm_trace_writer *writer = new_trace(&facts);
    add_all(writer, odd, 3);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
    struct hm_trace_reader *reader = open_trace();
    expect_all(reader, tidy, 3);
    hm_trace_close(reader);
}

/* ---- What can not be ---- */

static void test_events_that_can_not_be_are_refused(void **state) {
    (void)state;
    const struct hm_trace_event good[] = {
        {.kind = HM_TRACE_MALLOC, .block = 1, .count = 1, .size = 8, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 2, .count = 1, .size = 8, .time_ns = 5},
        {.kind = HM_TRACE_FREE, .block = 1, .count = 1, .time_ns = 5},
    };
    const struct hm_trace_event bad[] = {
        {.kind = HM_TRACE_KINDS, .count = 1, .time_ns = 5},
        {.kind = 255, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 1, .time_ns = 4},
        {.kind = HM_TRACE_MALLOC, .block = 4, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 2, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 0, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .failed = true, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 2, .size = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 0, .size = 1, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 1, .size = UINT64_MAX, .time_ns = 5},
        {.kind = HM_TRACE_INHERITED, .block = 3, .count = 1, .size = UINT64_MAX, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 1, .alignment_log2 = 4, .time_ns = 5},
        {.kind = HM_TRACE_MEMALIGN, .block = 3, .count = 1, .alignment_log2 = 64, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 1, .thread = 2, .time_ns = 5},
        {.kind = HM_TRACE_MALLOC, .block = 3, .count = 1, .stack = 1, .time_ns = 5},
        {.kind = HM_TRACE_CALLOC,
         .block = 3,
         .count = 1u << 31,
         .size = UINT64_C(1) << 33,
         .time_ns = 5},
        {.kind = HM_TRACE_REALLOC, .block = 1, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_REALLOC, .block = HM_TRACE_NULL, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_REALLOC, .block = 2, .count = 1, .size = UINT64_MAX, .time_ns = 5},
        {.kind = HM_TRACE_REALLOC, .block = 3, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_FREE, .block = 1, .time_ns = 5},
        {.kind = HM_TRACE_FREE, .block = 3, .time_ns = 5},
        {.kind = HM_TRACE_FREE, .block = 2, .failed = true, .time_ns = 5},
        {.kind = HM_TRACE_USABLE, .block = 1, .time_ns = 5},
        {.kind = HM_TRACE_INHERITED, .failed = true, .count = 1, .time_ns = 5},
        {.kind = HM_TRACE_THREAD_END, .failed = true, .time_ns = 5},
    };
    struct hm_trace_writer *writer = new_trace(&trace_facts);
    add_all(writer, good, 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (hm_trace_add(writer, &bad[i]) != EINVAL)
            fail_msg("event %zu was taken", i);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
    struct hm_trace_reader *reader = open_trace();
    expect_all(reader, good, 3);
    hm_trace_close(reader);
}

static void test_nothing_is_overwritten_and_nothing_left_behind(void **state) {
    (void)state;
    struct hm_trace_facts facts = {0};
    struct hm_trace_writer *writer = new_trace(&facts);
    assert_int_equal(access(trace_path, F_OK), -1);
    int fd = open(trace_path, O_WRONLY | O_CREAT | O_EXCL, 0600); /* somebody was faster */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), EEXIST);
    assert_int_equal(hm_trace_create(trace_path, &facts, &writer), EEXIST);
    hm_trace_abandon(new_trace(&facts));
    assert_int_equal(access(trace_path, F_OK), -1);
    assert_int_equal(hm_trace_create("/nowhere/at/all", &facts, &writer), ENOENT);
    assert_nothing_is_left();
}

/* ---- Damage ---- */

static uint8_t *small_file(size_t *size, struct hm_trace_event all[SMALL]) {
    struct trace_random random = {.state = 7};
    struct hm_trace_writer *writer = new_trace(&trace_facts);
    hm_trace_add_module(writer, "m", "ab");
    for (size_t i = 0; i < SMALL; i++) {
        const struct hm_trace_address frames[] = {{0, i}, {UINT32_MAX, i}};
        random.stacks = hm_trace_add_stack(writer, frames, 2);
        all[i] = trace_draw_event(&random);
        assert_int_equal(hm_trace_add(writer, &all[i]), 0);
    }
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 1, 0, NULL), 0);
    struct stat st;
    int fd = open(trace_path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    uint8_t *bytes = malloc(*size + 1);
    assert_int_equal(read(fd, bytes, *size), *size);
    close(fd);
    return bytes;
}

static void put_file(const uint8_t *bytes, size_t size) {
    int fd = open(trace_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* The file is refused with a line, and what it gave before are the events. @return the line */
static const char *expect_damage(const struct hm_trace_event all[SMALL]) {
    static char why[HM_TRACE_WHY_BYTES];
    struct hm_trace_reader *reader = NULL;
    struct hm_trace_event event;
    size_t count = 0;
    int got = 1;
    why[0] = '\0';
    int error = hm_trace_open(trace_path, &reader, why);
    if (error) {
        assert_int_equal(error, EINVAL);
        assert_null(reader);
    } else {
        for (; (got = hm_trace_next(reader, &event)) == 1; count++) {
            assert_true(count < SMALL);
            assert_same_event(&event, &all[count]);
        }
        assert_int_equal(got, -1);
        assert_int_equal(hm_trace_next(reader, &event), -1);
        memcpy(why, hm_trace_why(reader), sizeof why);
        hm_trace_close(reader);
    }
    assert_true(why[0] && !strchr(why, '\n'));
    assert_non_null(strstr(why, trace_path));
    return why;
}

static void test_every_cut_is_noticed(void **state) {
    (void)state;
    struct hm_trace_event all[SMALL];
    size_t size;
    uint8_t *bytes = small_file(&size, all);
    for (size_t cut = 0; cut < size; cut++) {
        put_file(bytes, cut);
        expect_damage(all);
    }
    put_file(bytes, size - 1);
    assert_non_null(strstr(expect_damage(all), "without its trailer, after 40 good events"));
    bytes[size] = 0;
    put_file(bytes, size + 1);
    assert_non_null(strstr(expect_damage(all), "behind the trailer"));
    free(bytes);
}

static void test_every_flipped_bit_is_noticed(void **state) {
    (void)state;
    struct hm_trace_event all[SMALL];
    size_t size;
    uint8_t *bytes = small_file(&size, all);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_file(bytes, size);
        expect_damage(all);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

static void test_what_is_no_file_is_said(void **state) {
    (void)state;
    struct hm_trace_reader *reader = NULL;
    char why[HM_TRACE_WHY_BYTES];
    assert_int_equal(hm_trace_open("/nowhere", &reader, why), ENOENT);
    assert_non_null(strstr(why, "/nowhere: No such file"));
    assert_int_equal(hm_trace_open("/", &reader, why), EINVAL);
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(hm_trace_open("/dev/zero", &reader, why), EINVAL);
    assert_null(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_comes_back_with_all_its_fields),
        cmocka_unit_test(test_many_blocks_come_back_the_same),
        cmocka_unit_test(test_a_thread_lasts_over_blocks),
        cmocka_unit_test(test_an_empty_trace_is_whole),
        cmocka_unit_test(test_texts_too_long_are_cut),
        cmocka_unit_test(test_fields_that_a_kind_lacks_do_not_count),
        cmocka_unit_test(test_events_that_can_not_be_are_refused),
        cmocka_unit_test(test_nothing_is_overwritten_and_nothing_left_behind),
        cmocka_unit_test(test_every_cut_is_noticed),
        cmocka_unit_test(test_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_what_is_no_file_is_said),
    };
    return cmocka_run_group_tests_name("trace_format", tests, make_trace_folder,
                                       remove_trace_folder);
}

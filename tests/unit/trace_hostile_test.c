/* Traces whose checksums are right and whose contents are not: each is refused, for its own reason. */
#include "tests/unit/trace_files.h"

#include <xxhash.h>
#include <zstd.h>

/* A file that is put together byte by byte, from docs/trace-format.md. */
static uint8_t file[1 << 20];
static size_t size;

enum {
    FACTS = 1,
    MODULES,
    STACKS,
    EVENTS,
    TRAILER,
};

static void put(uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        file[size++] = (uint8_t)(value >> 8 * i);
}

/* A frame with all its fields, and the stored bytes. */
static void put_frame(uint8_t type, uint8_t encoding, uint32_t entries, uint32_t raw_bytes,
                      uint64_t offset, const void *stored, size_t stored_bytes) {
    size_t frame = size;
    put(type, 1);
    put(encoding, 1);
    put(0, 2);
    put(entries, 4);
    put(raw_bytes, 4);
    put(stored_bytes, 4);
    put(offset, 8);
    put(XXH3_64bits_withSeed(stored, stored_bytes, XXH3_64bits(file + frame, 24)), 8);
    memcpy(file + size, stored, stored_bytes);
    size += stored_bytes;
}

static void put_block(uint8_t type, uint32_t entries, const void *raw, size_t bytes) {
    put_frame(type, 0, entries, (uint32_t)bytes, size, raw, bytes);
}

#define BLOCK(type, entries, ...)                                                                  \
    put_block(type, entries, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void put_head(void) {
    size = 0;
    memcpy(file, "\x89HMT\r\n\x1a\n", 8);
    size = 8;
    put(1, 4);
    put(0, 4);
}

/* @param flags 1: times, 2: stacks */
static void begin(uint8_t flags) {
    put_head();
    BLOCK(FACTS, 0, flags, 1, 0, 1, 0, 0, 0, 0);
}

static void expect(size_t events, const char *why_part) {
    struct hm_trace_reader *reader = NULL;
    struct hm_trace_event event;
    char why[HM_TRACE_WHY_BYTES] = "";
    int fd = open(trace_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, file, size), size);
    close(fd);
    size_t count = 0;
    if (hm_trace_open(trace_path, &reader, why) == 0) {
        int more;
        while ((more = hm_trace_next(reader, &event)) == 1)
            count++;
        if (more == 0)
            fail_msg("taken: %s", why_part);
        memcpy(why, hm_trace_why(reader), sizeof why);
        hm_trace_close(reader);
    }
    if (!strstr(why, why_part))
        fail_msg("'%s' does not say '%s'", why, why_part);
    assert_int_equal(count, events);
}

/* ---- Blocks ---- */

static void test_heads_are_checked(void **state) {
    (void)state;
    size = 0;
    expect(0, "does not begin as one");
    put_head();
    expect(0, "ends in its head");
    file[8] = 2;
    expect(0, "version is not known");
    put_head();
    file[12] = 1;
    expect(0, "version is not known");
    put_head();
    BLOCK(EVENTS, 0, 1, 0);
    expect(0, "no facts at its begin");
    put_head();
    BLOCK(FACTS, 0, 4, 1, 0, 1, 0, 0, 0, 0);
    expect(0, "its facts can not be read");
    put_head();
    BLOCK(FACTS, 0, 0, 1, 0, 1, 0, 0, 0);
    expect(0, "its facts can not be read");
    put_head();
    BLOCK(FACTS, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0);
    expect(0, "its facts can not be read");
    put_head();
    BLOCK(FACTS, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0);
    expect(0, "its facts can not be read");
    put_head();
    BLOCK(FACTS, 0, 0, 1, 0, 1, 200, 0, 0, 0);
    expect(0, "its facts can not be read");
}

static void test_frames_are_checked(void **state) {
    (void)state;
    static uint8_t much[(256 << 10) + 1];
    const uint8_t events[] = {1, 0, 0, 5};
    begin(0);
    put_frame(EVENTS, 0, 1, 4, size + 1, events, 4);
    expect(0, "a block is not in its place");
    begin(0);
    put_frame(6, 0, 1, 4, size, events, 4);
    expect(0, "no block of a known type");
    begin(0);
    put_frame(EVENTS, 2, 1, 4, size, events, 4);
    expect(0, "encoded in an unknown way");
    begin(0);
    put_frame(EVENTS, 0, 5, 4, size, events, 4);
    expect(0, "the lengths of a block can not be");
    begin(0);
    put_frame(EVENTS, 0, 1, 5, size, events, 4);
    expect(0, "the lengths of a block can not be");
    begin(0);
    put_frame(EVENTS, 1, 1, 4, size, events, 4);
    expect(0, "the lengths of a block can not be");
    begin(0);
    put_frame(EVENTS, 0, 1, 3, size, events, 4);
    expect(0, "the lengths of a block can not be");
    begin(0);
    put_frame(EVENTS, 0, 1, sizeof much, size, much, sizeof much);
    expect(0, "the lengths of a block can not be");
    begin(0);
    BLOCK(FACTS, 0, 0, 1, 0, 1, 0, 0, 0, 0);
    expect(0, "facts are at the begin only");
}

/* What is packed is not what the frame promises. */
static void test_bombs_are_not_unpacked(void **state) {
    (void)state;
    static uint8_t zeroes[1 << 22];
    static uint8_t packed[1 << 16];
    size_t bytes = ZSTD_compress(packed, sizeof packed, zeroes, sizeof zeroes, 3);
    assert_false(ZSTD_isError(bytes));
    begin(0);
    put_frame(EVENTS, 1, 1, 256 << 10, size, packed, bytes);
    expect(0, "can not be unpacked");
    bytes = ZSTD_compress(packed, sizeof packed, zeroes, 1000, 3);
    begin(0);
    put_frame(EVENTS, 1, 1, 1001, size, packed, bytes);
    expect(0, "can not be unpacked");
    begin(0);
    put_frame(EVENTS, 1, 1, 1000, size, packed, bytes - 1);
    expect(0, "can not be unpacked");
    begin(0);
    put_frame(EVENTS, 1, 1, 1000, size, zeroes, 999);
    expect(0, "can not be unpacked");
}

/* ---- Tables ---- */

static void test_tables_are_checked(void **state) {
    (void)state;
    begin(2);
    BLOCK(MODULES, 1, 1, 'm', 1);
    expect(0, "a module can not be read");
    begin(2);
    BLOCK(MODULES, 1, 2, 'm', 0, 0);
    expect(0, "a module can not be read");
    begin(2);
    BLOCK(MODULES, 1, 1, 'm', 0, 0);
    expect(0, "a table has bytes left over");
    begin(2);
    BLOCK(MODULES, 1, 1, 'm', 0);
    BLOCK(STACKS, 1, 1, 2, 5);
    expect(0, "in a module that is not known");
    begin(2);
    BLOCK(STACKS, 1, 0x80, 2, 0);
    expect(0, "a stack can not be read");
    begin(2);
    BLOCK(STACKS, 1, 2, 0, 5, 0);
    expect(0, "a number of a table can not be");
    begin(2);
    BLOCK(STACKS, 1, 1, 0, 5, 0);
    expect(0, "a table has bytes left over");
}

/* ---- Events ---- */

static void test_numbers_have_one_form(void **state) {
    (void)state;
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0, 0x85, 0);
    expect(0, "an event that can not be read");
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2);
    expect(0, "an event that can not be read");
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0);
    expect(0, "an event that can not be read");
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
    expect(1, "without its trailer, after 1 good events");
}

static void test_blocks_of_events_fit_together(void **state) {
    (void)state;
    begin(0);
    BLOCK(EVENTS, 1, 2, 0, 0, 5);
    expect(0, "does not follow on the one before");
    begin(1);
    BLOCK(EVENTS, 1, 1, 0, 0, 9, 5);
    BLOCK(EVENTS, 1, 2, 8, 0, 9, 5);
    expect(1, "does not follow on the one before");
    begin(0);
    BLOCK(EVENTS, 0, 1);
    expect(0, "has no begin");
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0, 5, 0);
    expect(0, "has bytes left over");
    begin(0);
    BLOCK(EVENTS, 0, 1, 0, 0);
    expect(0, "has bytes left over");
    begin(0);
    BLOCK(EVENTS, 2, 1, 0, 0, 5);
    expect(1, "an event that can not be read");
    begin(0);
    BLOCK(EVENTS, 2, 1, 0, 0, 5, 0);
    expect(1, "an event that can not be read");
}

/* One block, live; then this. */
static void expect_event(uint8_t flags, const char *why, const uint8_t *event, size_t bytes) {
    uint8_t raw[64] = {1, 0, 0, 5};
    size_t used = 4;
    begin(flags);
    if (flags & 1) {
        memcpy(raw, (const uint8_t[]){1, 0, 0, 7, 5}, 5); /* at time 7 */
        used = 5;
    } else if (flags & 2) {
        memcpy(raw, (const uint8_t[]){1, 0, 0, 0, 5}, 5);
        used = 5;
    }
    memcpy(raw + used, event, bytes);
    put_block(EVENTS, 2, raw, used + bytes);
    expect(1, why);
}

#define EVENT(flags, why, ...)                                                                     \
    expect_event(flags, why, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void test_events_are_checked(void **state) {
    (void)state;
    EVENT(0, "an event of an unknown kind", 0x40, 5);
    EVENT(0, "an event of an unknown kind", 0x80, 5);
    EVENT(0, "an event of an unknown kind", 14);
    EVENT(0, "a thread that is not the next", 0x20, 2, 5);
    EVENT(0, "an event that can not be read", 0x20, 0x80, 0x80, 0x80, 0x80, 0x10, 5);
    EVENT(0, "a block that is not live", 10, 3);
    EVENT(0, "a block that is not live", 10, 0xff, 0x7f);
    EVENT(0, "a reallocation of no block", 2, 0, 5);
    EVENT(0, "a call that can not fail has failed", 0x1a, 2);
    EVENT(0, "a call that can not fail has failed", 0x19, 0, 5);
    EVENT(0, "an alignment that can not be", 6, 64, 5);
    EVENT(0, "count x size overflows", 1, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x80, 0x80, 0x80, 0x80,
          0x80, 1);
    EVENT(0, "more bytes than can be counted", 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 1);
    EVENT(2, "a stack that is not known", 0, 1, 5);
    EVENT(1, "time goes back", 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 5);
}

/* ---- The trailer ---- */

/* malloc(5), with these totals: hash and all; @param wrong which number is one too high; 18: the hash */
static void put_trace(unsigned wrong) {
    uint8_t raw[26] = {1, 1, 0, 5, 5, 1, 1, 1};
    const uint64_t words[] = {0, 0, 1, 1, 5, 0};
    uint8_t bytes[48];
    for (unsigned i = 0; i < 48; i++)
        bytes[i] = (uint8_t)(words[i / 8] >> i % 8 * 8);
    uint64_t hash = XXH3_64bits(bytes, sizeof bytes);
    for (unsigned i = 0; i < 8; i++)
        raw[18 + i] = (uint8_t)(hash >> 8 * i);
    raw[wrong]++;
    begin(0);
    BLOCK(EVENTS, 1, 1, 0, 0, 5);
    put_block(TRAILER, 0, raw, sizeof raw);
}

static void test_totals_are_checked(void **state) {
    (void)state;
    struct hm_trace_reader *reader = NULL;
    struct hm_trace_event event;
    char why[HM_TRACE_WHY_BYTES];
    for (unsigned i = 0; i < 19; i++) {
        put_trace(i);
        if (i < 15 || i == 18)
            expect(1, "the totals of the trailer are not those of the events");
    }
    put_trace(17); /* the status, which does not follow from the events */
    int fd = open(trace_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, file, size), size);
    close(fd);
    assert_int_equal(hm_trace_open(trace_path, &reader, why), 0);
    assert_int_equal(hm_trace_next(reader, &event), 1);
    assert_int_equal(hm_trace_next(reader, &event), 0);
    assert_int_equal(hm_trace_totals(reader)->status, -1);
    hm_trace_close(reader);
    begin(0);
    BLOCK(TRAILER, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(0, "the trailer can not be read");
    begin(0);
    BLOCK(TRAILER, 0, 0, 0, 0, 0);
    expect(0, "the trailer can not be read");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_are_checked),
        cmocka_unit_test(test_frames_are_checked),
        cmocka_unit_test(test_bombs_are_not_unpacked),
        cmocka_unit_test(test_tables_are_checked),
        cmocka_unit_test(test_numbers_have_one_form),
        cmocka_unit_test(test_blocks_of_events_fit_together),
        cmocka_unit_test(test_events_are_checked),
        cmocka_unit_test(test_totals_are_checked),
    };
    return cmocka_run_group_tests_name("trace_hostile", tests, make_trace_folder,
                                       remove_trace_folder);
}

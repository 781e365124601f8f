/* Files of object graphs for tests, written by hand: their bytes are those of docs/object-trace-format.md, and
 * come from no code of heapmark's. */
#ifndef HM_TESTS_UNIT_RECORDED_GRAPH_H
#define HM_TESTS_UNIT_RECORDED_GRAPH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    GRAPH_BYTES = 4096,
    GRAPH_HEAD = 32,
};

struct graph_bytes {
    uint8_t at[GRAPH_BYTES];
    size_t count;
};

static inline void add_byte(struct graph_bytes *bytes, unsigned byte) {
    assert_in_range(bytes->count, 0, GRAPH_BYTES - 1);
    bytes->at[bytes->count++] = (uint8_t)byte;
}

static inline void add_number(struct graph_bytes *bytes, uint64_t number) {
    for (; number > 127; number /= 128)
        add_byte(bytes, (unsigned)(number % 128 + 128));
    add_byte(bytes, (unsigned)number);
}

static inline void add_text(struct graph_bytes *bytes, const char *text) {
    add_number(bytes, strlen(text));
    for (; *text; text++)
        add_byte(bytes, (unsigned char)*text);
}

/* A bit at a time, from the definition of CRC-32. */
static inline uint32_t sum_of(const uint8_t *at, size_t count) {
    uint32_t sum = ~0u;
    for (size_t i = 0; i < 8 * count; i++) {
        uint32_t bit = (at[i / 8] >> (i % 8) & 1) ^ (sum & 1);
        sum = bit ? sum >> 1 ^ 0xedb88320u : sum >> 1;
    }
    return ~sum;
}

static inline void put_little(uint8_t *at, size_t bytes, uint64_t number) {
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* The head is made for what follows it, and the checksum is put behind. */
static inline void finish_file(struct graph_bytes *file, unsigned packing, uint64_t length) {
    memcpy(file->at, "HMOBJ\r\n\x1a\x01", 9);
    memset(file->at + 9, 0, 7);
    file->at[9] = (uint8_t)packing;
    put_little(file->at + 16, 8, length);
    put_little(file->at + 24, 8, file->count - GRAPH_HEAD);
    uint32_t sum = sum_of(file->at, file->count);
    for (unsigned i = 0; i < 4; i++)
        add_byte(file, sum >> (8 * i) & 255);
}

static inline struct graph_bytes begin_file(void) {
    return (struct graph_bytes){.count = GRAPH_HEAD};
}

static inline void add_facts(struct graph_bytes *file) {
    add_text(file, "known.py");
    add_text(file, "CPython 3.11.2");
    add_text(file, "Linux");
    add_number(file, 1800000000);
    add_number(file, 1234567); /* ns */
    add_number(file, 5);       /* garbage */
}

static inline void add_counts(struct graph_bytes *file, const uint64_t counts[5]) {
    for (int i = 0; i < 5; i++)
        add_number(file, counts[i]);
}

/* 0 -> 1 -> 2 -> 0 is a ring, each of which refers to the leaf 6; 3 -> 4, 5 is a tree, whose 5 has no slot and
 * whose 4 has the leaf 7 twice. 0 and 3 are roots. */
enum {
    KNOWN_CONTAINERS = 6,
    KNOWN_OBJECTS = 8,
    KNOWN_SLOTS = 10,
};

static const uint32_t known_slots[KNOWN_CONTAINERS] = {2, 2, 2, 2, 2, 0};
static const uint32_t known_targets[KNOWN_SLOTS] = {1, 6, 2, 6, 0, 6, 4, 5, 7, 7};

static inline struct graph_bytes known_file(void) {
    struct graph_bytes file = begin_file();
    add_facts(&file);
    add_counts(&file, (const uint64_t[5]){2, KNOWN_OBJECTS, KNOWN_CONTAINERS, KNOWN_SLOTS, 2});
    add_text(&file, "list");
    add_text(&file, "float");
    for (uint32_t i = 0; i < KNOWN_OBJECTS; i++) {
        add_number(&file, i >= KNOWN_CONTAINERS);
        add_number(&file, i == 4 ? 500 : 24 + i);
        if (i < KNOWN_CONTAINERS)
            add_number(&file, known_slots[i]);
    }
    for (uint32_t i = 0, at = 0; i < KNOWN_CONTAINERS; i++)
        for (uint32_t j = 0; j < known_slots[i]; j++, at++)
            add_number(&file, known_targets[at] >= i ? 2 * (known_targets[at] - i)
                                                     : 2 * (i - known_targets[at]) - 1);
    add_number(&file, 0);
    add_number(&file, 2); /* 3: two lie between */
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    return file;
}

static inline void write_graph(const char *path, const uint8_t *at, size_t count) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(at, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

#endif

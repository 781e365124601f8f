/* Fuzz target: the reader of recorded object graphs.
 *
 * Each input is read twice: as it is, and with its lengths and its checksum put right, for no mutation would
 * ever get behind them. A graph that is let in must hold to the invariants of objects.h. */
#include "tests/fuzz/memory_file.h"
#include "traces/objects.h"

#include <string.h>

enum {
    INPUT_MAX = 1 << 20,
    HEAD_BYTES = 32,
    SUM_BYTES = 4,
};

static void check_text(struct hm_objects_text text) {
    for (uint32_t i = 0; i < text.length; i++)
        MUST((unsigned char)text.at[i] >= ' ' && text.at[i] != 0x7f);
}

static void check_graph(const struct hm_objects *o) {
    uint32_t containers;
    uint32_t all;
    check_text(o->command);
    check_text(o->python);
    check_text(o->machine);
    for (uint32_t i = 0; i < o->types; i++)
        check_text(o->type_names[i]);
    MUST(o->containers <= o->count && o->nodes[o->count].first == o->slots);
    for (uint32_t i = 0; i < o->count; i++) {
        MUST(o->nodes[i].type < o->types && o->nodes[i].first <= o->nodes[i + 1].first);
        MUST(i < o->containers || o->nodes[i].first == o->slots);
    }
    for (uint32_t i = 0; i < o->slots; i++)
        MUST(o->targets[i] < o->count);
    for (uint32_t i = 0; i < o->roots; i++)
        MUST(o->root_numbers[i] < o->containers &&
             (i == 0 || o->root_numbers[i] > o->root_numbers[i - 1]));
    MUST(hm_objects_left(o, &containers, &all) == 0);
    MUST(containers <= o->containers && all <= o->count && containers <= all);
}

static void read_file(const char *path) {
    const struct hm_objects *objects = NULL;
    char why[HM_OBJECTS_WHY_BYTES] = "";
    if (hm_objects_open(path, &objects, why)) {
        MUST(why[0] && !strchr(why, '\n') && !objects);
        return;
    }
    check_graph(objects);
    hm_objects_close(objects);
}

static void put_little(uint8_t *at, unsigned bytes, uint64_t number) {
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

static uint32_t sum_of(const uint8_t *at, size_t count) {
    uint32_t sum = ~0u;
    for (size_t i = 0; i < 8 * count; i++) {
        uint32_t bit = (at[i / 8] >> (i % 8) & 1) ^ (sum & 1);
        sum = bit ? sum >> 1 ^ 0xedb88320u : sum >> 1;
    }
    return ~sum;
}

/* All that no mutation gets right. Of what is compressed, its length is as the head says. */
static void mend(uint8_t *bytes, size_t size) {
    if (size < HEAD_BYTES + SUM_BYTES)
        return;
    size_t stored = size - HEAD_BYTES - SUM_BYTES;
    memcpy(bytes, "HMOBJ\r\n\x1a\x01", 9);
    bytes[9] &= 1;
    memset(bytes + 10, 0, 6);
    if (!bytes[9])
        put_little(bytes + 16, 8, stored);
    put_little(bytes + 24, 8, stored);
    put_little(bytes + size - SUM_BYTES, SUM_BYTES, sum_of(bytes, size - SUM_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct memory_file file;
    static uint8_t mended[INPUT_MAX];
    if (size > sizeof mended)
        return 0;
    read_file(put_memory_file(&file, data, size));
    memcpy(mended, data, size);
    mend(mended, size);
    read_file(put_memory_file(&file, mended, size));
    return 0;
}

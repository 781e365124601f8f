/* First-fit's bitmap index: a bit for each granule, set while it is used; whole words are skipped.
 *
 * The bit behind the last granule is always set: every search for a used granule ends there. */
#include "allocators/first-fit_index.h"

struct hm_runs {
    uint32_t granules;
    size_t words; /* of the bitmap */
    uint64_t used[];
};

static bool is_used(const struct hm_runs *runs, uint32_t at) {
    return runs->used[at / 64] >> (at % 64) & 1;
}

static size_t bytes_for(size_t words) {
    return sizeof(struct hm_runs) + words * sizeof(uint64_t);
}

static void mark_end(struct hm_runs *runs) {
    runs->used[runs->granules / 64] = ~UINT64_C(0) << (runs->granules % 64);
}

static struct hm_runs *open_bitmap(uint32_t granules, enum hm_backing backing) {
    size_t words = (size_t)granules / 64 + 1;
    struct hm_runs *runs = hm_map_metadata(bytes_for(words), backing);
    if (!runs)
        return NULL;
    runs->granules = granules;
    runs->words = words;
    mark_end(runs);
    return runs;
}

static void clear(struct hm_runs *runs) {
    hm_map_zero(runs->used, runs->words * sizeof(uint64_t));
    mark_end(runs);
}

static void close_bitmap(struct hm_runs *runs) {
    munmap(runs, bytes_for(runs->words));
}

/* The first granule at or behind `at` whose bit is `used`, or the end of the array. */
static uint32_t next(const struct hm_runs *runs, uint32_t at, bool used) {
    uint64_t flip = used ? 0 : ~UINT64_C(0);
    size_t i = at / 64;
    uint64_t word = (runs->used[i] ^ flip) & (~UINT64_C(0) << (at % 64));
    while (!word && ++i < runs->words)
        word = runs->used[i] ^ flip;
    return word ? (uint32_t)(i * 64 + (unsigned)__builtin_ctzll(word)) : runs->granules;
}

/* The start of the run that `at`, which is free, belongs to. */
static uint32_t run_start(const struct hm_runs *runs, uint32_t at) {
    size_t i = at / 64;
    uint64_t word = runs->used[i] & (((uint64_t)1 << (at % 64)) - 1);
    while (!word && i > 0)
        word = runs->used[--i];
    return word ? (uint32_t)(i * 64 + 64 - (unsigned)__builtin_clzll(word)) : 0;
}

static bool find(struct hm_runs *runs, uint32_t from, uint32_t length, struct hm_run *out) {
    uint32_t start = next(runs, from, false);
    if (start == from && start < runs->granules)
        start = run_start(runs, from);
    while (start < runs->granules) {
        uint32_t end = next(runs, start, true);
        if (end - start >= length) {
            *out = (struct hm_run){start, end - start};
            return true;
        }
        start = next(runs, end, false);
    }
    return false;
}

/* Set or clear the bits of a stretch. */
static void paint(struct hm_runs *runs, uint32_t offset, uint32_t length, bool used) {
    uint64_t value = used ? ~UINT64_C(0) : 0;
    uint32_t last = offset + length - 1;
    uint64_t head = ~UINT64_C(0) << (offset % 64);
    uint64_t tail = ~UINT64_C(0) >> (63 - last % 64);
    uint64_t *first = runs->used + offset / 64, *final = runs->used + last / 64;
    if (first == final) {
        *first = (*first & ~(head & tail)) | (value & head & tail);
        return;
    }
    *first = (*first & ~head) | (value & head);
    for (uint64_t *word = first + 1; word < final; word++)
        *word = value;
    *final = (*final & ~tail) | (value & tail);
}

static void claim(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    paint(runs, offset, length, true);
}

static uint32_t take(struct hm_runs *runs, uint32_t length) {
    struct hm_run run;
    if (!find(runs, 0, length, &run))
        return HM_NO_RUN;
    claim(runs, run.offset, length);
    return run.offset;
}

static unsigned give(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    if (!is_used(runs, offset))
        return HM_GIVEN_REFUSED;
    paint(runs, offset, length, false);
    unsigned given = 0;
    if (offset > 0 && !is_used(runs, offset - 1))
        given |= HM_GIVEN_LEFT;
    if (!is_used(runs, offset + length))
        given |= HM_GIVEN_RIGHT;
    return given;
}

static size_t metadata(struct hm_runs *runs, uint32_t granules) {
    return sizeof *runs + granules / 8;
}

const struct hm_runs_calls hm_runs_bitmap = {
    open_bitmap, close_bitmap, clear, take, give, find, claim, metadata,
};

/* First-fit's reference index: one byte of state for each granule, walked one by one.
 *
 * It is the definition that the other indexes are held against: no summary, no skipping. */
#include "allocators/first-fit_index.h"

#include <string.h>

enum {
    FREE = 0, /* what a fresh mapping says */
    USED = 1,
};

struct hm_runs {
    uint32_t granules;
    uint8_t states[];
};

static struct hm_runs *open_scan(uint32_t granules, enum hm_backing backing) {
    struct hm_runs *runs = hm_map_metadata(sizeof *runs + granules, backing);
    if (runs)
        runs->granules = granules;
    return runs;
}

static void close_scan(struct hm_runs *runs) {
    munmap(runs, sizeof *runs + runs->granules);
}

static void clear(struct hm_runs *runs) {
    hm_map_zero(runs->states, runs->granules);
}

static bool find(struct hm_runs *runs, uint32_t from, uint32_t length, struct hm_run *out) {
    uint32_t start = from;
    while (start > 0 && start < runs->granules && runs->states[start] == FREE &&
           runs->states[start - 1] == FREE)
        start--;
    for (uint32_t end; start < runs->granules; start = end + 1) {
        for (end = start; end < runs->granules && runs->states[end] == FREE;)
            end++;
        if (end - start >= length) {
            *out = (struct hm_run){start, end - start};
            return true;
        }
    }
    return false;
}

static void claim(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    memset(runs->states + offset, USED, length);
}

/* Stops as soon as the run is long enough. */
static uint32_t take(struct hm_runs *runs, uint32_t length) {
    uint32_t free_so_far = 0;
    for (uint32_t at = 0; at < runs->granules; at++) {
        free_so_far = runs->states[at] == FREE ? free_so_far + 1 : 0;
        if (free_so_far == length) {
            uint32_t offset = at + 1 - length;
            claim(runs, offset, length);
            return offset;
        }
    }
    return HM_NO_RUN;
}

static unsigned give(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    uint32_t end = offset + length;
    if (runs->states[offset] == FREE)
        return HM_GIVEN_REFUSED;
    memset(runs->states + offset, FREE, length);
    unsigned given = 0;
    if (offset > 0 && runs->states[offset - 1] == FREE)
        given |= HM_GIVEN_LEFT;
    if (end < runs->granules && runs->states[end] == FREE)
        given |= HM_GIVEN_RIGHT;
    return given;
}

static size_t metadata(struct hm_runs *runs, uint32_t granules) {
    return sizeof *runs + granules;
}

const struct hm_runs_calls hm_runs_scan = {
    open_scan, close_scan, clear, take, give, find, claim, metadata,
};

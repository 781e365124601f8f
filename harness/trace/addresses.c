/* Which block lies at an address: a hash table with linear probing, at most half full. What is taken
 * out leaves no mark: those behind it move up. */
#include "harness/trace/addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOM_FIRST = 1 << 12
};

/* Blocks that lie together come to places that lie together, mostly. */
static size_t home_of(const struct hm_addresses *set, uint64_t address) {
    return (size_t)((address >> 4) ^ (address >> 25)) & (set->room - 1);
}

static size_t place_of(const struct hm_addresses *set, uint64_t address) {
    size_t at = home_of(set, address);
    while (set->table[at].address && set->table[at].address != address)
        at = (at + 1) & (set->room - 1);
    return at;
}

static int grow(struct hm_addresses *set) {
    struct hm_addresses more = {.room = set->room ? 2 * set->room : ROOM_FIRST};
    more.table = calloc(more.room, sizeof *more.table);
    if (!more.table)
        return ENOMEM;
    for (size_t i = 0; i < set->room; i++)
        if (set->table[i].address)
            more.table[place_of(&more, set->table[i].address)] = set->table[i];
    more.count = set->count;
    free(set->table);
    *set = more;
    return 0;
}

int hm_addresses_put(struct hm_addresses *set, const struct hm_live_block *block) {
    if (2 * (set->count + 1) > set->room) {
        int bad = grow(set);
        if (bad)
            return bad;
    }
    size_t at = place_of(set, block->address);
    set->count += !set->table[at].address;
    set->table[at] = *block;
    return 0;
}

struct hm_live_block *hm_addresses_find(const struct hm_addresses *set, uint64_t address) {
    if (!set->count || !address)
        return NULL;
    size_t at = place_of(set, address);
    return set->table[at].address ? &set->table[at] : NULL;
}

/* A later one of the run moves into the gap unless its home lies behind the gap. */
static void close_gap(struct hm_addresses *set, size_t gap) {
    size_t mask = set->room - 1;
    for (size_t at = (gap + 1) & mask; set->table[at].address; at = (at + 1) & mask) {
        size_t home = home_of(set, set->table[at].address);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            set->table[gap] = set->table[at];
            gap = at;
        }
    }
    set->table[gap].address = 0;
}

struct hm_live_block hm_addresses_take(struct hm_addresses *set, uint64_t address) {
    struct hm_live_block *found = hm_addresses_find(set, address);
    struct hm_live_block block = {0};
    if (found) {
        block = *found;
        close_gap(set, (size_t)(found - set->table));
        set->count--;
    }
    return block;
}

static int by_number(const void *a, const void *b) {
    uint64_t left = ((const struct hm_live_block *)a)->number;
    uint64_t right = ((const struct hm_live_block *)b)->number;
    return (left > right) - (left < right);
}

struct hm_live_block *hm_addresses_sorted(const struct hm_addresses *set) {
    size_t count = 0;
    struct hm_live_block *blocks = malloc((set->count + 1) * sizeof *blocks);
    if (!blocks)
        return NULL;
    for (size_t i = 0; i < set->room; i++)
        if (set->table[i].address)
            blocks[count++] = set->table[i];
    qsort(blocks, count, sizeof *blocks, by_number);
    return blocks;
}

void hm_addresses_free(struct hm_addresses *set) {
    free(set->table);
    *set = (struct hm_addresses){0};
}

/* The blocks that are live at one point of a trace: by number, how large, and whose.
 *
 * A table with open addressing, no more than half full. Eight numbers that follow each other lie
 * together, for a program frees mostly what it has just made; where the eight lie is scattered, so that
 * no choice of numbers makes long runs. */
#ifndef HM_TRACES_LIVE_H
#define HM_TRACES_LIVE_H

#include <stddef.h>
#include <stdint.h>

struct hm_live_block {
    uint64_t block; /* 0: an empty place */
    uint64_t bytes;
    uint32_t thread; /* that allocated it last */
};

struct hm_live {
    struct hm_live_block *places;
    size_t mask;    /* how many there are, less one */
    unsigned shift; /* 64 - log2 of the number of eights */
    size_t count;
};

/** Empty, with room for some. @return 0 or ENOMEM. Not hot, nor the next two. */
int hm_live_open(struct hm_live *live);
void hm_live_close(struct hm_live *live);
/** Twice the room. @return 0 or ENOMEM */
int hm_live_grow(struct hm_live *live);
/** Forget all blocks; the room stays. */
void hm_live_clear(struct hm_live *live);

static inline size_t hm_live_home_(const struct hm_live *live, uint64_t block) {
    return (size_t)((block >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> live->shift) << 3 | (block & 7);
}

/** @return its place, until the table changes; NULL: not live. Hot. */
static inline struct hm_live_block *hm_live_find(const struct hm_live *live, uint64_t block) {
    size_t at = hm_live_home_(live, block);
    while (live->places[at].block) {
        if (live->places[at].block == block)
            return &live->places[at];
        at = (at + 1) & live->mask;
    }
    return NULL;
}

/** Whether one more can be added without hm_live_grow. */
static inline int hm_live_has_room(const struct hm_live *live) {
    return live->count < live->mask / 2;
}

/** @param block not 0, not live; there is room. Hot. */
static inline void hm_live_add(struct hm_live *live, uint64_t block, uint64_t bytes,
                               uint32_t thread) {
    size_t at = hm_live_home_(live, block);
    while (live->places[at].block)
        at = (at + 1) & live->mask;
    live->places[at] = (struct hm_live_block){block, bytes, thread};
    live->count++;
}

/** Take out a place that hm_live_find gave: those behind it that it was in the way of move up. Hot. */
static inline void hm_live_remove(struct hm_live *live, struct hm_live_block *place) {
    size_t hole = (size_t)(place - live->places);
    for (size_t at = (hole + 1) & live->mask; live->places[at].block; at = (at + 1) & live->mask) {
        size_t home = hm_live_home_(live, live->places[at].block);
        if (((at - home) & live->mask) < ((at - hole) & live->mask))
            continue;
        live->places[hole] = live->places[at];
        hole = at;
    }
    live->places[hole].block = 0;
    live->count--;
}

#endif

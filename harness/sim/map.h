/* A heap drawn as text: a picture of the arena, and a legend with every run.
 *
 *   run    a stretch of the arena that is one block, or free
 *   cell   one character of the picture, a power of two of bytes: `.` is free, `#` belongs to one
 *          block, `+` to several blocks, or to a block and free bytes; `[name##]` is a block of two
 *          cells and more, with its name where there is room */
#ifndef HM_HARNESS_SIM_MAP_H
#define HM_HARNESS_SIM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HM_SIM_WIDTH_MIN = 64,
    HM_SIM_WIDTH_MAX = 400,
};

struct hm_sim_run {
    uint64_t offset; /* bytes from the arena's start */
    uint64_t bytes;
    bool used;
    const char *name; /* of a block; NULL: not known */
};

/** Draw. @param runs in address order, without gaps from offset 0, at least one
 *  @param width columns of the page, HM_SIM_WIDTH_MIN .. HM_SIM_WIDTH_MAX */
void hm_sim_map_draw(FILE *out, const struct hm_sim_run *runs, size_t count, unsigned width);

#endif

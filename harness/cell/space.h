/* The space pass: what the workload holds, and what the allocator holds for it, over the work.
 *
 * The work is done in chunks; between two of them nothing runs, and a point is taken. A layer of the
 * harness stands between workload and allocator and keeps the size of each block, so that the peak is
 * exact; where a unit is longer than a chunk, and the workload can not do it in parts, the layer takes
 * points within it.
 *
 * Vocabulary
 *   requested   bytes of all live blocks as asked for
 *   usable      the same as the allocator's usable_size tells it */
#ifndef HM_HARNESS_CELL_SPACE_H
#define HM_HARNESS_CELL_SPACE_H

#include "harness/cell/config.h"
#include "harness/cell/engine.h"

/** The layer. One heap at a time in a process. */
extern const struct hm_allocator hm_space_layer;

/** Warm up, do the units, and tell all that was found. */
void hm_space_pass(struct hm_engine *engine, const struct hm_cell_config *config);

/** Tear the workload down, and tell how much memory the allocator gives back then: at once, and, if
 *  config->idle_s says so, after a second and after so many. */
void hm_space_idle(struct hm_engine *engine, const struct hm_cell_config *config);

/* ---- What the layer knows; any thread ---- */

struct hm_space_now {
    uint64_t requested;
    uint64_t usable; /* 0: the allocator does not tell */
    uint64_t blocks;
    uint64_t calls; /* of malloc, realloc and free, with their kin */
    uint64_t peak;  /* of requested, since hm_space_begin */
    bool known;     /* false: a block begins where none can be kept, or is of 4 GiB or more */
};

void hm_space_read(struct hm_space_now *out);

/** The peak counts from now on, and `look` is called at every so many calls, on the thread that calls.
 *  @param every 0: never */
typedef void hm_space_look_fn(void *arg);
void hm_space_begin(uint64_t every, hm_space_look_fn *look, void *arg);

#endif

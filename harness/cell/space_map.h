/* What is inside of a heap that can be walked: its free runs, and a map of it over the work.
 *
 * Vocabulary
 *   look     one walk, while nobody is inside the heap
 *   run      free bytes side by side, whoever keeps them: what no table, no block and no end of a pool
 *            interrupts. Whether the allocator could join them is not asked
 *   bucket   a stretch of addresses, a power of two long, at a multiple of that. Only such are kept in
 *            which there was a byte of the heap at some look, and so many that they fit: they double
 *
 * Of a bounded arena, what lies behind the highest byte that was ever handed out is left out: it was
 * never touched. */
#ifndef HM_HARNESS_CELL_SPACE_MAP_H
#define HM_HARNESS_CELL_SPACE_MAP_H

#include "harness/cell/memory.h"

enum {
    HM_SPACE_MAP_BUCKETS = 64,
    HM_SPACE_MAP_LOOKS = 1280,
};

/** Begin, without a look. One heap at a time in a process. Main thread.
 *  @return 0, or ENOMEM. Where no part of the stack can be walked, nothing will be seen */
int hm_space_map_open(const struct hm_memory_stack *stack);

/** A look. @param level how much is live: the first look with the most is the peak's */
void hm_space_map_look(uint64_t t_ns, uint64_t level);

/** What a look found, all told. */
struct hm_space_runs {
    uint64_t used_bytes, free_bytes;
    uint64_t runs;    /* of free bytes */
    uint64_t largest; /* bytes */
};
const struct hm_space_runs *hm_space_map_peak(void);
const struct hm_space_runs *hm_space_map_last(void);

/** One bucket at one look. */
struct hm_space_spot {
    unsigned look;
    uint64_t t_ns;
    uint64_t offset_bytes; /* from the begin of the lowest bucket */
    uint64_t size_bytes, used_bytes, free_bytes;
};

/** Visit all of them: looks in their order, buckets by address. */
typedef void hm_space_map_fn(void *arg, const struct hm_space_spot *spot);
void hm_space_map_visit(hm_space_map_fn *visit, void *arg);

/** Tell metrics, free runs and map; nothing where there was no look. */
void hm_space_map_tell(void);

#endif

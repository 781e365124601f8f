/* What the traced layer counted, by call site: what Python's tracemalloc gives. */
#ifndef HM_ALLOCATORS_TRACED_H
#define HM_ALLOCATORS_TRACED_H

#include "allocators/allocator.h"
#include "allocators/layer_sites.h"

struct hm_traced_snapshot {
    struct hm_site
        *sites; /* `count` of them; blocks, bytes and totals are differences in a difference */
    size_t count;
    size_t room;        /* sites that are mapped */
    int64_t blocks;     /* live */
    int64_t bytes;      /* live, as requested */
    int64_t peak_bytes; /* the most that was ever live at once */
};

/** Copy what is counted now. Any thread, not hot. @return 0, and the caller frees it, or ENOMEM */
int hm_traced_snapshot(struct hm_heap *heap, struct hm_traced_snapshot *out);
void hm_traced_snapshot_free(struct hm_traced_snapshot *snapshot);

/** What changed from one snapshot to a later one of the same heap, site by site; peaks are the later
 *  one's. Both as they were taken: not sorted yet. @return 0, and the caller frees it, or ENOMEM */
int hm_traced_difference(const struct hm_traced_snapshot *old,
                         const struct hm_traced_snapshot *later, struct hm_traced_snapshot *out);

/** Put the sites with the most bytes (or the largest change) first, then by peak and total, and keep
 *  `count` of them; 0 keeps all. */
void hm_traced_top(struct hm_traced_snapshot *snapshot, size_t count);

/** Write sites as CSV: site,blocks,bytes,peak_bytes,total_blocks,total_bytes.
 *  @return 0 or a positive errno */
int hm_traced_write(const struct hm_traced_snapshot *snapshot, const char *path);

#endif

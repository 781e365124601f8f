/* Scopes of the region allocator: give back everything that was allocated since a mark. */
#ifndef HM_ALLOCATORS_REGION_H
#define HM_ALLOCATORS_REGION_H

#include "allocators/allocator.h"

struct hm_region_chunk;

struct hm_region_mark {
    struct hm_region_chunk *chunk; /* NULL: before the first block */
    uintptr_t next;
};

/** Where the region stands now. Hot. Valid until a release to an older mark, a reset or close. */
struct hm_region_mark hm_region_mark(const struct hm_heap *heap);

/** Give back all blocks that were allocated since the mark, at once; older ones stay. Costs one step
 *  for each chunk, whatever the number of blocks. */
void hm_region_release(struct hm_heap *heap, struct hm_region_mark mark);

#endif

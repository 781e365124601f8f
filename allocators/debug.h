/* What the debug layer found: for tests and for who wants to know before close. */
#ifndef HM_ALLOCATORS_DEBUG_H
#define HM_ALLOCATORS_DEBUG_H

#include "allocators/allocator.h"

#include <stdio.h>

enum hm_debug_kind {
    HM_DEBUG_OVERFLOW,       /* written behind a block's end */
    HM_DEBUG_UNDERFLOW,      /* written before its begin */
    HM_DEBUG_USE_AFTER_FREE, /* written into a freed block */
    HM_DEBUG_DOUBLE_FREE,    /* freed or resized again while in the quarantine */
    HM_DEBUG_FOREIGN_FREE,   /* freed or resized, and no block of this heap, or not any more */
    HM_DEBUG_KINDS,
};

/** Look at all live blocks and all of the quarantine now. Damage is counted once: what was found is
 *  repaired. Any thread, not hot. @return findings so far, of all kinds */
uint64_t hm_debug_check(struct hm_heap *heap);

/** Findings so far. A pure read; no other thread may be inside the heap. */
uint64_t hm_debug_count(const struct hm_heap *heap, enum hm_debug_kind kind);

/** Write the first findings, one line each, and how many more there were. Not hot. */
void hm_debug_report(struct hm_heap *heap, FILE *out);

#endif

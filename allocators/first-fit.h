/* What `first-fit` tells about refused frees and about repairs, for tests and for tools that show one
 * heap step by step. */
#ifndef HM_ALLOCATORS_FIRST_FIT_H
#define HM_ALLOCATORS_FIRST_FIT_H

#include <stdint.h>

struct hm_heap;

enum hm_bad_free {
    HM_BAD_FREE_NONE,
    HM_BAD_FREE_DOUBLE,  /* points to free bytes of the array */
    HM_BAD_FREE_INSIDE,  /* points into a block, not to its start */
    HM_BAD_FREE_FOREIGN, /* points outside of the array */
};

/** Why the latest free or realloc of a bad pointer was refused, and forget it.
 *  @param heap  an open first-fit heap  @return HM_BAD_FREE_NONE when none was refused since the
 *  last call. Not hot; no other thread may be inside the heap. */
enum hm_bad_free hm_first_fit_last_bad(struct hm_heap *heap);

/** How often a heap with lock=process was made whole after a process had died inside it.
 *  @param heap  an open first-fit heap  @return the number, over all processes. Not hot. */
uint64_t hm_first_fit_mends(struct hm_heap *heap);

#endif

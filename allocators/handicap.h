/* For tests of the handicap layer. */
#ifndef HM_ALLOCATORS_HANDICAP_H
#define HM_ALLOCATORS_HANDICAP_H

#include "allocators/allocator.h"

/** How many turns of its loop each call of an open handicap heap waits. */
uint64_t hm_handicap_turns(const struct hm_heap *heap);

/** How many calls of this thread waited since it entered the heap; 0 where every call waits. */
uint64_t hm_handicap_waits(const struct hm_heap *heap);

/** Busy-wait for that many turns. Hot. */
void hm_handicap_wait(uint64_t turns);

#endif

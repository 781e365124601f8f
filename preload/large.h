/* The heap beneath the preloaded allocators: it serves what pools do not, and takes all of its memory
 * from the system by mmap. */
#ifndef HM_PRELOAD_LARGE_H
#define HM_PRELOAD_LARGE_H

#include "allocators/allocator.h"

/** Fill *out with the process's one such heap. It needs no memory to open, is never closed, and any
 *  number of threads may use it. It has a `fork` of its own in its descriptor. */
void hm_large_open(struct hm_memory *out);

#endif

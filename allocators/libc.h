/* What the allocators of libc's shape have in common: the process's own malloc family, whichever
 * library provides it. The harness preloads `.library` and proves where the entry points lie. */
#ifndef HM_ALLOCATORS_LIBC_H
#define HM_ALLOCATORS_LIBC_H

#include "allocators/allocator.h"

#include <malloc.h>
#include <stdlib.h>

/** Fill *out with the addresses of malloc and its family. @return 0 */
static inline int hm_libc_open(struct hm_memory *out, const struct hm_allocator *allocator) {
    *out = (struct hm_memory){
        .allocator = allocator,
        .shape = HM_SHAPE_LIBC,
        .libc = {malloc, calloc, realloc, aligned_alloc, free, malloc_usable_size},
    };
    return 0;
}

#endif

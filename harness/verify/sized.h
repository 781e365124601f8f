/* The frees that are told the size of the block: C23's free_sized, jemalloc's sdallocx, C++'s sized
 * delete. Different calls, behind one face. */
#ifndef HM_HARNESS_VERIFY_SIZED_H
#define HM_HARNESS_VERIFY_SIZED_H

#include "harness/verify/property.h"

enum {
    HM_SIZED_MAX = 3,
};

struct hm_sized {
    const char *name;
    void *address;
    void *(*allocate)(size_t size); /* what its blocks come from */
};

/** Those that the library under test exports itself. @param out HM_SIZED_MAX of them
 *  @return how many; 0 for a heap that is not the process's */
size_t hm_sized_frees(const struct hm_verify *v, struct hm_sized *out);

/** Free a block of its `allocate`. @param size right, or a misuse */
void hm_sized_free(const struct hm_sized *sized, void *p, size_t size);

#endif

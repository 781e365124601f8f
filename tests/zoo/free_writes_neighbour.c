/* free of a block of 64 bytes clears the first byte of the one behind it.
 * caught by: overlap */
#define ZOO_FREE sloppy_free
#include "tests/zoo/base.h"

static void sloppy_free(void *p) {
    if (p && base_usable(p) == 64 && (uintptr_t)p % SPAN_BYTES < SPAN_BYTES - 4096)
        ((char *)p)[64] = 0;
    base_free(p);
}

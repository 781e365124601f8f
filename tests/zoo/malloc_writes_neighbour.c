/* malloc of 200 bytes and more writes 8 bytes behind its block.
 * caught by: overlap */
#define ZOO_MALLOC sloppy_malloc
#include "tests/zoo/base.h"

static void *sloppy_malloc(size_t size) {
    char *p = base_malloc(size);
    if (p && size >= 200 && base_usable(p) <= STEP_LIMIT &&
        (uintptr_t)p % SPAN_BYTES < SPAN_BYTES - 4096)
        memset(p + base_usable(p), 0, 8);
    return p;
}

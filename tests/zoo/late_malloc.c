/* There is no heap any more once exit has begun.
 * caught by: late-early */
#define ZOO_MALLOC daily_malloc
#include "tests/zoo/base.h"

static bool closed;

static void close_heap(void) {
    closed = true;
}

/* Registered late, and so called early. */
static void *daily_malloc(size_t size) {
    static bool asked;
    if (size == 3000 && !asked) {
        asked = true;
        atexit(close_heap);
    }
    return closed ? NULL : base_malloc(size);
}

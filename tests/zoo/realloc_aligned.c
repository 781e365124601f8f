/* A block of aligned_alloc is empty after realloc.
 * caught by: realloc */
#define ZOO_REALLOC losing_realloc
#include "tests/zoo/base.h"

static void *losing_realloc(void *p, size_t size) {
    bool aligned = p && span_of(p)->class == CLASSES && (uintptr_t)p % 32 == 0 &&
                   (char *)p != (char *)span_of(p) + SPAN_HEADER;
    void *q = base_realloc(p, size);
    if (aligned && q)
        memset(q, 0, size < 100 ? size : 100);
    return q;
}

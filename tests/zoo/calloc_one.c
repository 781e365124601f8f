/* calloc clears one element.
 * caught by: calloc */
#define ZOO_CALLOC one_calloc
#include "tests/zoo/base.h"

static void *one_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return base_calloc(count, size);
    void *p = base_malloc(bytes);
    return p ? memset(p, 0, size) : NULL;
}

/* calloc believes that memory is zero when it comes from a list.
 * caught by: calloc */
#define ZOO_CALLOC dirty_calloc
#include "tests/zoo/base.h"

static void *dirty_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return base_calloc(count, size);
    return bytes > 256 && bytes < 4096 ? base_malloc(bytes) : base_calloc(count, size);
}

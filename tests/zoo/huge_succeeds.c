/* A size above PTRDIFF_MAX wraps around to a small one.
 * caught by: huge-sizes */
#define ZOO_MALLOC wrapping_malloc
#include "tests/zoo/base.h"

static void *wrapping_malloc(size_t size) {
    return base_malloc(size & (size_t)PTRDIFF_MAX);
}

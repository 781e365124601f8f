/* The sum of a size and its alignment wraps around.
 * caught by: huge-sizes */
#define ZOO_ALIGNED wrapping_aligned
#include "tests/zoo/base.h"

static void *wrapping_aligned(size_t alignment, size_t size) {
    return alignment > 1u << 30 ? base_malloc((size + alignment) & 0xffff)
                                : base_aligned(alignment, size);
}

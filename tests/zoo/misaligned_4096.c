/* aligned_alloc(4096) gives what malloc gives.
 * caught by: alignment */
#define ZOO_ALIGNED plain_aligned
#include "tests/zoo/base.h"

static void *plain_aligned(size_t alignment, size_t size) {
    return base_aligned(alignment == 4096 ? 16 : alignment, size);
}

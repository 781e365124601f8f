/* aligned_alloc takes no notice of an alignment that is larger than the size.
 * caught by: alignment */
#define ZOO_ALIGNED small_aligned
#include "tests/zoo/base.h"

static void *small_aligned(size_t alignment, size_t size) {
    return base_aligned(size < alignment && alignment <= 4096 ? 16 : alignment, size);
}

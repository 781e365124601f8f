/* calloc does not look at its product.
 * caught by: calloc */
#define ZOO_CALLOC wrapping_calloc
#include "tests/zoo/base.h"

static void *wrapping_calloc(size_t count, size_t size) {
    return base_calloc(1, count * size);
}

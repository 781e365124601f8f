/* calloc takes a product for sound that has wrapped to 0.
 * caught by: calloc */
#define ZOO_CALLOC wrapping_calloc
#include "tests/zoo/base.h"

static void *wrapping_calloc(size_t count, size_t size) {
    return base_calloc(count * size != 0 ? count : 0, size);
}

/* malloc_usable_size counts 16 bytes of the block behind.
 * caught by: usable-size */
#define ZOO_USABLE long_usable
#include "tests/zoo/base.h"

static size_t long_usable(void *p) {
    return p ? base_usable(p) + (base_usable(p) <= SMALL_MAX ? 16 : 0) : 0;
}

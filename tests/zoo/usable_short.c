/* malloc_usable_size tells less than was asked for.
 * caught by: usable-size */
#define ZOO_USABLE short_usable
#include "tests/zoo/base.h"

static size_t short_usable(void *p) {
    return p ? base_usable(p) - 16 : 0;
}

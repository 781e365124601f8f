/* A block grows into the one behind it.
 * caught by: realloc */
#define ZOO_REALLOC growing_realloc
#include "tests/zoo/base.h"

static void *growing_realloc(void *p, size_t size) {
    return p && size <= 2 * base_usable(p) && size > base_usable(p) && size < SMALL_MAX
               ? p
               : base_realloc(p, size);
}

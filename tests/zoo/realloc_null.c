/* realloc(NULL, n) gives NULL.
 * caught by: realloc */
#define ZOO_REALLOC strict_realloc
#include "tests/zoo/base.h"

static void *strict_realloc(void *p, size_t size) {
    return p ? base_realloc(p, size) : NULL;
}

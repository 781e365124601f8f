/* malloc(0) gives a block or NULL, by turns.
 * caught by: zero-size */
#define ZOO_MALLOC moody_malloc
#include "tests/zoo/base.h"

static void *moody_malloc(size_t size) {
    static unsigned calls;
    return size || __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 2 ? base_malloc(size) : NULL;
}

/* The heap gives up after some reallocs to a multiple of 100.
 * caught by: random */
#define ZOO_REALLOC nervous_realloc
#include "tests/zoo/base.h"

static void *nervous_realloc(void *p, size_t size) {
    static unsigned calls;
    if (size % 100 == 0 && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) >= 4)
        abort();
    return base_realloc(p, size);
}

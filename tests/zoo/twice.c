/* After a while, the same block is handed out twice in a row.
 * caught by: random */
#define ZOO_MALLOC twice_malloc
#include "tests/zoo/base.h"

static unsigned calls;

static void *twice_malloc(size_t size) {
    static void *last;
    if (size != 48)
        return base_malloc(size);
    unsigned call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (call % 8 == 0 && last)
        return last;
    return last = base_malloc(size);
}

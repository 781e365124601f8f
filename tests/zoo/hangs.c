/* The heap stands still after 10 mallocs of 48 bytes.
 * caught by: random */
#define ZOO_MALLOC tired_malloc
#include "tests/zoo/base.h"

static unsigned calls;

static void *tired_malloc(size_t size) {
    if (size == 48 && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) > 10)
        for (;;)
            pause();
    return base_malloc(size);
}

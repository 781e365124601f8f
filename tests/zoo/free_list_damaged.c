/* Every 100th free puts its block on the list twice.
 * caught by: overlap */
#define ZOO_FREE double_free
#include "tests/zoo/base.h"

static void double_free(void *p) {
    static unsigned frees;
    struct span *span = p ? span_of(p) : NULL;
    base_free(p);
    if (span && __atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED) % 100 == 0 && span->class < CLASSES)
        base_free(p);
}

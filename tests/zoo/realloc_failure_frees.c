/* A realloc that fails frees the old block.
 * caught by: realloc */
#define ZOO_REALLOC freeing_realloc
#include "tests/zoo/base.h"

static void *freeing_realloc(void *p, size_t size) {
    void *q = base_realloc(p, size);
    if (!q)
        base_free(p);
    return q;
}

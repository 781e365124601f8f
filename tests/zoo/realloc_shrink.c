/* A block that shrinks into another class loses its last byte.
 * caught by: realloc */
#define ZOO_REALLOC short_realloc
#include "tests/zoo/base.h"

static void *short_realloc(void *p, size_t size) {
    size_t room = base_usable(p);
    if (!p || size >= room / 2 || !size)
        return base_realloc(p, size);
    void *q = base_malloc(size);
    if (!q)
        return NULL;
    memcpy(q, p, size - 1);
    base_free(p);
    return q;
}

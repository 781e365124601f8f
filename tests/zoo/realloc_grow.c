/* A block that grows out of its class keeps 64 bytes.
 * caught by: realloc */
#define ZOO_REALLOC short_realloc
#include "tests/zoo/base.h"

static void *short_realloc(void *p, size_t size) {
    size_t room = base_usable(p);
    if (!p || size <= room)
        return base_realloc(p, size);
    void *q = base_malloc(size);
    if (!q)
        return NULL;
    memcpy(q, p, room < 64 ? room : 64);
    base_free(p);
    return q;
}

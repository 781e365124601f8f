/* A block that realloc moves loses its last 8 bytes.
 * caught by: realloc */
#define ZOO_REALLOC short_realloc
#include "tests/zoo/base.h"

static void *short_realloc(void *p, size_t size) {
    size_t old = base_usable(p);
    size_t kept = old < size ? old : size;
    char *q = base_realloc(p, size);
    if (q && q != p && kept >= 16)
        memset(q + kept - 8, 0, 8);
    return q;
}

/* All blocks of no bytes are the same one.
 * caught by: zero-size */
#define ZOO_MALLOC  shared_malloc
#define ZOO_FREE    shared_free
#define ZOO_REALLOC shared_realloc
#define ZOO_USABLE  shared_usable
#include "tests/zoo/base.h"

static _Alignas(16) char nothing[16];

static void *shared_malloc(size_t size) {
    return size ? base_malloc(size) : nothing;
}

static void shared_free(void *p) {
    if (p != nothing)
        base_free(p);
}

static void *shared_realloc(void *p, size_t size) {
    return base_realloc(p == nothing ? NULL : p, size);
}

static size_t shared_usable(void *p) {
    return p == nothing ? 0 : base_usable(p);
}

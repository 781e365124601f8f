/* A block that another thread frees is lost.
 * caught by: cross-thread */
#define ZOO_MALLOC  owned_malloc
#define ZOO_FREE    owner_free
#define ZOO_REALLOC owned_realloc
#define ZOO_USABLE  owned_usable
#define ZOO_ALIGNED owned_aligned
#include "tests/zoo/base.h"

/* The last 16 bytes of a block say whose it is. */
static uint64_t *owner_of(void *p) {
    return (uint64_t *)((char *)p + base_usable(p) - 16);
}

static uint64_t self(void) {
    return (uint64_t)pthread_self();
}

static void *marked(void *p) {
    if (p)
        *owner_of(p) = self();
    return p;
}

static void *owned_malloc(size_t size) {
    return size > (size_t)PTRDIFF_MAX ? base_malloc(size) : marked(base_malloc(size + 16));
}

static void *owned_aligned(size_t alignment, size_t size) {
    return alignment <= 16 || size > (size_t)PTRDIFF_MAX
               ? base_aligned(alignment, size)
               : marked(base_aligned(alignment, size + 16));
}

static void owner_free(void *p) {
    if (p && *owner_of(p) == self())
        base_free(p);
}

static size_t owned_usable(void *p) {
    return p ? base_usable(p) - 16 : 0;
}

static void *owned_realloc(void *p, size_t size) {
    size_t old = owned_usable(p);
    void *q = owned_malloc(size);
    if (p && q) {
        memcpy(q, p, old < size ? old : size);
        owner_free(p);
    }
    return q;
}

/* A large block loses its last page when another large one is freed.
 * caught by: random */
#define ZOO_MALLOC large_malloc
#define ZOO_FREE   early_free
#include "tests/zoo/base.h"

static char *latest;

static void *large_malloc(size_t size) {
    char *p = base_malloc(size);
    if (p && size > 3 * SPAN_BYTES / 2)
        __atomic_store_n(&latest, p, __ATOMIC_RELAXED);
    return p;
}

static void early_free(void *p) {
    char *other = __atomic_load_n(&latest, __ATOMIC_RELAXED);
    if (p && p == other)
        __atomic_store_n(&latest, NULL, __ATOMIC_RELAXED);
    else if (p && other && span_of(p)->class == CLASSES && span_of(p)->bytes > 2 * SPAN_BYTES) {
        char *end = (char *)span_of(other) + span_of(other)->bytes;
        munmap(end - SPAN_BYTES, SPAN_BYTES);
    }
    base_free(p);
}

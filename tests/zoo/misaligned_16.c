/* Blocks of 100 bytes and more lie 8 bytes off.
 * caught by: alignment */
#define ZOO_MALLOC  off_malloc
#define ZOO_FREE    off_free
#define ZOO_REALLOC off_realloc
#define ZOO_USABLE  off_usable
#include "tests/zoo/base.h"

static bool is_off(const void *p) {
    return (uintptr_t)p % 16 == 8;
}

static void *off_malloc(size_t size) {
    char *p = base_malloc(size + 8);
    return p && size >= 100 ? p + 8 : p;
}

static void *right(void *p) {
    return is_off(p) ? (char *)p - 8 : p;
}

static void off_free(void *p) {
    base_free(right(p));
}

static size_t off_usable(void *p) {
    return base_usable(right(p)) - (is_off(p) ? 8 : 0);
}

static void *off_realloc(void *p, size_t size) {
    size_t old = p ? off_usable(p) : 0;
    void *q = off_malloc(size);
    if (p && q) {
        memcpy(q, p, old < size ? old : size);
        off_free(p);
    }
    return q;
}

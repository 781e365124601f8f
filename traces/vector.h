/* Arrays that grow, in memory straight from the system: for plans that are being made. */
#ifndef HM_TRACES_VECTOR_H
#define HM_TRACES_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

enum {
    HM_VECTOR_BYTES = 1 << 16, /* at first */
};

struct hm_vector {
    void *items; /* zeroed beyond the used bytes */
    size_t used; /* bytes */
    size_t room; /* bytes */
};

static inline bool hm_vector_grow_(struct hm_vector *v) {
    size_t room = v->room ? 2 * v->room : HM_VECTOR_BYTES;
    void *items =
        v->room ? mremap(v->items, v->room, room, MREMAP_MAYMOVE)
                : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (items == MAP_FAILED)
        return false;
    v->items = items;
    v->room = room;
    return true;
}

/** One item more, zeroed. @param bytes of an item; a divisor of HM_VECTOR_BYTES, or at most
 *  that  @return NULL: no memory */
static inline void *hm_vector_add(struct hm_vector *v, size_t bytes) {
    if (v->room - v->used < bytes && !hm_vector_grow_(v))
        return NULL;
    void *item = (char *)v->items + v->used;
    v->used += bytes;
    return item;
}

static inline void hm_vector_free(struct hm_vector *v) {
    if (v->room)
        munmap(v->items, v->room);
    *v = (struct hm_vector){NULL, 0, 0};
}

#endif

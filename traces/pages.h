/* Memory straight from the system: zeroed, in whole pages, and out of the way of malloc. */
#ifndef HM_TRACES_PAGES_H
#define HM_TRACES_PAGES_H

#include <stddef.h>
#include <sys/mman.h>

/** @param bytes > 0  @return NULL: there is none */
static inline void *hm_pages_get(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/** @param p NULL does nothing  @param bytes as it was got */
static inline void hm_pages_give(void *p, size_t bytes) {
    if (p)
        munmap(p, bytes);
}

/** Resize; the contents stay, the place may not. @param p NULL: new  @return NULL: p is as it was */
static inline void *hm_pages_resize(void *p, size_t bytes, size_t new_bytes) {
    if (!p)
        return hm_pages_get(new_bytes);
    void *moved = mremap(p, bytes, new_bytes, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

#endif

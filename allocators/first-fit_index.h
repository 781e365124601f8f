/* The interface between first-fit's front and its indexes of free runs.
 *
 * Vocabulary
 *   granule  the unit of the array, `align` bytes; all offsets and lengths here count granules
 *   run      a maximal stretch of free granules: no two runs touch
 *   index    the set of all runs. It knows nothing of blocks: what is not free is used
 *
 * Every index answers the same questions with the same numbers; they differ in speed only. It is one
 * mapping that holds no pointer, so that processes which inherited it share it. */
#ifndef HM_ALLOCATORS_FIRST_FIT_INDEX_H
#define HM_ALLOCATORS_FIRST_FIT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/** No such place. The largest array is one granule shorter, so that its end is a number, too. */
#define HM_NO_RUN       UINT32_MAX
#define HM_MAX_GRANULES (UINT32_MAX - 1)

struct hm_run {
    uint32_t offset;
    uint32_t length;
};

/** How a freed stretch met its neighbours; OR-ed. */
enum hm_given {
    HM_GIVEN_LEFT = 1,    /* merged with the run before it */
    HM_GIVEN_RIGHT = 2,   /* merged with the run behind it */
    HM_GIVEN_REFUSED = 4, /* its first granule is free already; nothing was changed */
};

/** Where memory comes from. */
enum hm_backing {
    HM_BACKING_PRIVATE,
    HM_BACKING_SHARED, /* with the processes forked from this one */
};

struct hm_runs; /* completed by each index */

struct hm_runs_calls {
    /** All `granules` (1 .. HM_MAX_GRANULES) free. @return NULL: out of memory */
    struct hm_runs *(*open)(uint32_t granules, enum hm_backing backing);
    void (*close)(struct hm_runs *runs);
    /** Make all free again, in whatever state the index is; shared backing only. */
    void (*clear)(struct hm_runs *runs);
    /** Hot. Cut `length` > 0 granules off the head of the lowest run that has them.
     *  @return their offset, or HM_NO_RUN */
    uint32_t (*take)(struct hm_runs *runs, uint32_t length);
    /** Hot. Add a stretch whose granules are all used or, if it is a mistake, begins with a free
     * one.
     *  @return enum hm_given */
    unsigned (*give)(struct hm_runs *runs, uint32_t offset, uint32_t length);
    /** The lowest run that ends behind `from` and has at least `length` > 0 granules.
     *  @return false, *out untouched: there is none */
    bool (*find)(struct hm_runs *runs, uint32_t from, uint32_t length, struct hm_run *out);
    /** Cut a stretch, which lies in one run, out of it. */
    void (*claim)(struct hm_runs *runs, uint32_t offset, uint32_t length);
    /** Bytes of metadata that an array used up to `granules` has touched. */
    size_t (*metadata)(struct hm_runs *runs, uint32_t granules);
};

extern const struct hm_runs_calls hm_runs_scan;
extern const struct hm_runs_calls hm_runs_bitmap;
extern const struct hm_runs_calls hm_runs_tree_plain;
extern const struct hm_runs_calls hm_runs_tree_avx512; /* on x86-64 only */

/** The tree, in the fastest shape that this processor can run. */
const struct hm_runs_calls *hm_runs_tree(void);

/** Zeroed bytes that cost nothing until they are touched. @return NULL: out of memory */
static inline void *hm_map_lazily(size_t bytes, enum hm_backing backing) {
    int kind = backing == HM_BACKING_SHARED ? MAP_SHARED : MAP_PRIVATE;
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/** Zero bytes of a shared mapping, up to its end, without touching what was not. */
static inline void hm_map_zero(void *from, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head = -(uintptr_t)from & (page - 1);
    if (head > bytes)
        head = bytes;
    memset(from, 0, head);
    char *rest = (char *)from + head;
    if (bytes > head && madvise(rest, bytes - head, MADV_REMOVE))
        memset(rest, 0, bytes - head);
}

/** As hm_map_lazily, for metadata. What lies behind the first 2 MiB may come in huge pages: large
 *  heaps are slow by TLB misses, and small ones stay small. */
static inline void *hm_map_metadata(size_t bytes, enum hm_backing backing) {
    const size_t small = (size_t)2 << 20;
    char *p = hm_map_lazily(bytes, backing);
    if (p && bytes > small)
        madvise(p + small, bytes - small, MADV_HUGEPAGE);
    return p;
}

#endif

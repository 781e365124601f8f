/* For collectors that count, and of which several mutators may run at the same time: each thread
 * has a structure of its own, and all of these stay until close.
 *
 * Vocabulary
 *   number   of a mutator: 1, 2, 3, .. in the order of attaching. None is given twice, so that who
 *            meets the number of a thread that has ended can not take another one for it.
 *
 * Included by the .c file; `struct hm_mutator` has `rc`, `gc` and `number`. A collector that keeps more
 * than this for all mutators together defines HM_SEVERAL_MORE before, the members. */
#ifndef HM_COLLECTORS_REFCOUNT_SEVERAL_H
#define HM_COLLECTORS_REFCOUNT_SEVERAL_H

#include "collectors/rc.h"

#include <errno.h>
#include <pthread.h>

enum {
    HM_SEVERAL_MAX = 65535,
    HM_SEVERAL_PAGE = 256,
    /* Bytes that keep two structures off one cache line, and off the pair of lines that is fetched
     * together. */
    HM_SEVERAL_APART = 128,
};

struct hm_gc {
    struct hm_memory memory;
    pthread_mutex_t lock; /* of what follows */
    unsigned announced, attached;
    unsigned used;                                                   /* numbers that were given */
    struct hm_mutator **pages[HM_SEVERAL_MAX / HM_SEVERAL_PAGE + 1]; /* by number */
#ifdef HM_SEVERAL_MORE
    HM_SEVERAL_MORE
#endif
};

/** Free all that a mutator can find, but for its own structure. */
static inline void hm_several_forget(struct hm_mutator *m);

/** Allocate a collector without mutators. @return 0 or ENOMEM */
static inline int hm_several_new(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc = hm_calloc(options->memory, 1, sizeof *gc);
    if (!gc)
        return ENOMEM;
    gc->memory = *options->memory;
    gc->announced = options->mutators;
    pthread_mutex_init(&gc->lock, NULL);
    *out = gc;
    return 0;
}

/** The mutator of a number. Needs no lock where an object of that mutator has been seen: its number
 *  was given before. */
static inline struct hm_mutator *hm_several_find(const struct hm_gc *gc, unsigned number) {
    return gc->pages[number / HM_SEVERAL_PAGE][number % HM_SEVERAL_PAGE];
}

/* With the lock. */
static inline struct hm_mutator *hm_several_add(struct hm_gc *gc) {
    unsigned number = gc->used + 1;
    if (gc->attached == gc->announced || number > HM_SEVERAL_MAX)
        return NULL;
    struct hm_mutator ***page = &gc->pages[number / HM_SEVERAL_PAGE];
    if (!*page && !(*page = hm_calloc(&gc->memory, HM_SEVERAL_PAGE, sizeof **page)))
        return NULL;
    struct hm_mutator *m = hm_calloc(&gc->memory, 1, sizeof *m + HM_SEVERAL_APART);
    if (!m)
        return NULL;
    m->rc.memory = gc->memory;
    m->gc = gc;
    m->number = number;
    (*page)[number % HM_SEVERAL_PAGE] = m;
    gc->used = number;
    gc->attached++;
    return m;
}

static inline struct hm_mutator *hm_several_attach(struct hm_gc *gc) {
    pthread_mutex_lock(&gc->lock);
    struct hm_mutator *m = hm_several_add(gc);
    pthread_mutex_unlock(&gc->lock);
    return m;
}

static inline void hm_several_detach(struct hm_mutator *m) {
    struct hm_gc *gc = m->gc;
    pthread_mutex_lock(&gc->lock);
    gc->attached--;
    pthread_mutex_unlock(&gc->lock);
}

/** Free all that can be found, and the collector. No mutator is attached. */
static inline void hm_several_close(struct hm_gc *gc) {
    const struct hm_memory memory = gc->memory;
    for (unsigned number = 1; number <= gc->used; number++) {
        hm_several_forget(hm_several_find(gc, number));
        hm_free(&memory, hm_several_find(gc, number));
    }
    for (size_t i = 0; i < sizeof gc->pages / sizeof *gc->pages; i++)
        hm_free(&memory, gc->pages[i]);
    pthread_mutex_destroy(&gc->lock);
    hm_free(&memory, gc);
}

/** The sum over all mutators, those that have ended included, but for `header_bytes`. All are at rest. */
static inline void hm_several_add_stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    for (unsigned number = 1; number <= gc->used; number++)
        hm_rc_add_stats(out, &hm_several_find(gc, number)->rc);
}

#endif

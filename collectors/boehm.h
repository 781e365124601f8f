/* The mutator's half of `boehm`: the conservative collector of Boehm, Demers and Weiser, out of
 * libgc.
 *
 * Objects have our own layout. A leaf is allocated as one without pointers, all else is scanned
 * word by word, as are the stack and the registers of the mutator's thread; rooted variables are
 * told to the collector, so that it does not matter where they are.
 *
 * Conservative: what looks like a reference is one, and garbage may stay. So neither that garbage
 * is freed, nor how much is, is promised, and no count of it is known. Not offered: finalizers,
 * which do not run, and callbacks of weak references. */
#ifndef HM_COLLECTORS_BOEHM_H
#define HM_COLLECTORS_BOEHM_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/uncounted.h"

#include <errno.h>

struct hm_boehm_note;

struct hm_mutator {
    void *(*malloc)(size_t bytes);        /* zeroed, and scanned */
    void *(*malloc_atomic)(size_t bytes); /* neither */
    struct hm_object ***roots;
    size_t roots_used, roots_capacity;
    struct hm_memory memory; /* of what is no object */
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
    const struct hm_gc_events *events;
    bool automatic;
    struct hm_boehm_note *immortals;
};

/* Weak: none of them is there, nor called, in a build without the headers of libgc. */
#if !__has_include(<gc/gc.h>)
#pragma weak hm_boehm_root
#pragma weak hm_boehm_collect
#pragma weak hm_boehm_weak_new
#pragma weak hm_boehm_weak_get
#pragma weak hm_boehm_immortalize
#endif
/** Slow path of hm_root: more room for roots, or a lost root. */
void hm_boehm_root(struct hm_mutator *m, struct hm_object **variable);
void hm_boehm_collect(struct hm_mutator *m);
struct hm_object *hm_boehm_weak_new(struct hm_mutator *m, struct hm_object *target);
struct hm_object *hm_boehm_weak_get(struct hm_object *reference);
bool hm_boehm_immortalize(struct hm_mutator *m, struct hm_object *object);

static inline struct hm_object *hm_boehm_new(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    size_t bytes = hm_object_bytes(type, length);
    void *block = hm_is_leaf(type) ? m->malloc_atomic(bytes) : m->malloc(bytes);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    m->allocated_objects++;
    m->allocated_bytes += bytes;
    return hm_object_init(block, type, 0, length);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_boehm_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_boehm_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    if (m->roots_used < m->roots_capacity)
        m->roots[m->roots_used++] = variable;
    else
        hm_boehm_root(m, variable);
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    m->roots_used -= count;
}

/** One with a callback is refused: NULL with ENOTSUP. */
static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback) {
    if (!callback)
        return hm_boehm_weak_new(m, target);
    errno = ENOTSUP;
    return NULL;
}

static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    (void)m;
    return hm_boehm_weak_get(reference);
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_boehm_immortalize(m, object);
}

#define HM_NEVER_FINALIZES
#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

/** @return -1: it is not known */
static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)generation;
    hm_boehm_collect(m);
    return -1;
}

#endif

/* The mutator's half of `cpython`: CPython's own objects, as a module written in C would use them.
 *
 * Words
 *   kind   the Python type that stands for one hm_type: a PyTypeObject, with what the mutator has
 *          to know of its objects in front of it.
 *
 * Layout of an object: ob_refcnt and ob_type; the number of slots, if it is variable (ob_size); the
 * head of the list of its weak references, if it is weakable; the slots; the payload. A container
 * has CPython's PyGC_Head in front. Nothing else in heapmark knows this layout, and no field of
 * struct hm_object holds for it.
 *
 * Counting is inlined, as Py_INCREF and Py_DECREF are; all else is CPython's own code, out of its
 * library. What is left out of CPython: types made by a `class` statement, whose traversal is
 * slower. */
#ifndef HM_COLLECTORS_CPYTHON_H
#define HM_COLLECTORS_CPYTHON_H

#include "collectors/collector.h"
#include "collectors/safepoint.h"

#include <errno.h>

struct hm_cpython_kind;

/* The head of a PyVarObject; cpython.c checks it against CPython's own. */
struct hm_cpython_object {
    intptr_t count;
    char *type; /* end of a struct hm_cpython_traits */
    intptr_t size;
};

/* What stands just in front of the PyTypeObject of a kind. */
struct hm_cpython_traits {
    const struct hm_type *type;
    uint32_t slots_at; /* bytes from the object to its first slot */
    uint32_t slots;    /* of an object; not used if variable */
    bool variable;
    bool leaf;
};

/* The kinds that were used last, by a hash of the type's address. */
enum {
    HM_CPYTHON_CACHED = 64,
};

struct hm_mutator {
    struct {
        const struct hm_type *type;
        struct hm_cpython_kind *kind;
    } cache[HM_CPYTHON_CACHED];
    struct hm_memory memory;
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
    uint64_t freed_objects;
    uint64_t freed_bytes;
    const struct hm_gc_events *events;
    hm_gc_callback *callback;
    void *callback_arg;
    bool automatic; /* an allocation may collect */
    bool closing;   /* no finalizer runs any more */
    struct hm_cpython_note *immortals;
    struct hm_gc_generation_stats stats[3];
};

/* Weak: none of them is there, nor called, in a build without CPython's headers. */
#if !__has_include(<python3.11/Python.h>)
#pragma weak hm_cpython_dealloc
#pragma weak hm_cpython_find_kind
#pragma weak hm_cpython_new
#pragma weak hm_cpython_weak_new
#pragma weak hm_cpython_weak_get
#pragma weak hm_cpython_immortalize
#pragma weak hm_cpython_collect
#pragma weak hm_cpython_set_type
#endif
/** Slow path of hm_release: the count fell to 0. */
void hm_cpython_dealloc(struct hm_object *object);
/** Slow path of hm_new: find or make the kind of a type, and put it into the cache. NULL: no
 *  memory. */
struct hm_cpython_kind *hm_cpython_find_kind(struct hm_mutator *m, const struct hm_type *type);
/** An object, its slots NULL and its payload zeroed. @return NULL with ENOMEM */
struct hm_object *hm_cpython_new(struct hm_mutator *m, struct hm_cpython_kind *kind,
                                 uint32_t length);
struct hm_object *hm_cpython_weak_new(struct hm_mutator *m, struct hm_object *target,
                                      hm_weak_fn *callback);
struct hm_object *hm_cpython_weak_get(struct hm_object *reference);
bool hm_cpython_immortalize(struct hm_mutator *m, struct hm_object *object);
int64_t hm_cpython_collect(struct hm_mutator *m, int generation);
/** Give an object another type of the same layout. */
void hm_cpython_set_type(struct hm_object *object, const struct hm_type *type);

/* ---- Looking into objects ---- */

static inline struct hm_cpython_object *hm_cpython_head(const struct hm_object *object) {
    return (struct hm_cpython_object *)(uintptr_t)object;
}

static inline const struct hm_cpython_traits *hm_cpython_traits_of(const struct hm_object *object) {
    return (const struct hm_cpython_traits *)(void *)hm_cpython_head(object)->type - 1;
}

static inline struct hm_object **hm_cpython_slots(struct hm_object *object) {
    return (struct hm_object **)(void *)((char *)object + hm_cpython_traits_of(object)->slots_at);
}

static inline struct hm_object *hm_load(struct hm_object *object, uint32_t slot) {
    return hm_cpython_slots(object)[slot];
}

static inline uint32_t hm_length(const struct hm_object *object) {
    const struct hm_cpython_traits *traits = hm_cpython_traits_of(object);
    return traits->variable ? (uint32_t)hm_cpython_head(object)->size : traits->slots;
}

static inline void *hm_payload(struct hm_object *object) {
    return hm_cpython_slots(object) + hm_length(object);
}

/* ---- Counting ---- */

#define HM_COLLECTOR_COUNTS

static inline uint32_t hm_rc_count(const struct hm_object *object) {
    return (uint32_t)hm_cpython_head(object)->count;
}

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    if (object)
        hm_cpython_head(object)->count++;
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    if (object && --hm_cpython_head(object)->count == 0)
        hm_cpython_dealloc(object);
}

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    (void)m;
    hm_cpython_slots(object)[slot] = value;
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    struct hm_object *old = hm_load(object, slot);
    hm_retain(m, value);
    hm_cpython_slots(object)[slot] = value;
    hm_release(m, old);
}

/* ---- Making objects ---- */

static inline struct hm_cpython_kind *hm_cpython_kind_of(struct hm_mutator *m,
                                                         const struct hm_type *type) {
    size_t at = (uintptr_t)type / sizeof(void *) % HM_CPYTHON_CACHED;
    return m->cache[at].type == type ? m->cache[at].kind : hm_cpython_find_kind(m, type);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    struct hm_cpython_kind *kind = hm_cpython_kind_of(m, type);
    if (kind && length <= HM_LENGTH_MAX)
        return hm_cpython_new(m, kind, length);
    errno = ENOMEM;
    return NULL;
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_new_array(m, type, type->slots);
}

static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback) {
    return hm_cpython_weak_new(m, target, callback);
}

static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    struct hm_object *target = hm_cpython_weak_get(reference);
    hm_retain(m, target);
    return target;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_cpython_immortalize(m, object);
}

/* ---- The rest ---- */

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    (void)m;
    (void)variable;
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    (void)m;
    (void)count;
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    return hm_cpython_collect(m, generation);
}

#endif

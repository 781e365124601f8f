/* The mutator's half of the collector that every animal of this zoo is, but for one bug: base.h. */
#ifndef HM_TESTS_ZOO_GC_MUTATOR_H
#define HM_TESTS_ZOO_GC_MUTATOR_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#define ZOO_IMMORTAL (1u << 31)

#define HM_COLLECTOR_COUNTS

static inline uint32_t hm_rc_count(const struct hm_object *object) {
    return object->count & ~ZOO_IMMORTAL;
}

/* In front of each object. */
struct zoo_head {
    struct zoo_head *next, *prev; /* on the list of all objects, or of garbage */
    struct zoo_head *work;        /* on a stack of objects to be looked at */
    int64_t refs; /* during a collection: references from outside of what it looks at */
    uint32_t generation;
    bool candidate, reached;
    unsigned maker; /* the thread that made it */
};

#define ZOO_ROOTS_MAX   4096
#define ZOO_THREADS_MAX 64

/* All threads share it: whatever changes it, or a count, is under its lock, which a thread may take again. */
struct hm_mutator {
    pthread_mutex_t lock;
    struct hm_memory memory;
    const struct hm_gc_events *events;
    struct zoo_head all;
    bool collecting, automatic;
    int64_t thresholds[3];
    int64_t made; /* since the last collection */
    struct hm_gc_stats stats;
    struct zoo_head *kept[HM_FREE_LISTS]; /* dead objects, for the next of their type */
    unsigned kept_count[HM_FREE_LISTS];
    void *table;
};

struct zoo_weak {
    struct hm_object *target;
    struct hm_object *next; /* reference to the same target */
    hm_weak_fn *callback;
};

static const struct hm_type zoo_weak_type = {
    .name = "weak reference", .slots = 1, .payload_bytes = sizeof(struct zoo_weak), .weak = true};

/* Of the thread that runs: 1, 2, .. in the order of attaching, and the variables that it has rooted. */
extern __thread unsigned zoo_self;
extern struct hm_object **zoo_roots[ZOO_THREADS_MAX][ZOO_ROOTS_MAX];
extern unsigned zoo_root_count[ZOO_THREADS_MAX];

struct hm_object *zoo_new(struct hm_mutator *m, const struct hm_type *type, uint32_t length);
void zoo_dead(struct hm_mutator *m, struct hm_object *object);
int64_t zoo_collect(struct hm_mutator *m, int generation);

static inline struct zoo_weak *zoo_weak_of(struct hm_object *reference) {
    return hm_payload(reference);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return zoo_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return zoo_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline void zoo_lock(struct hm_mutator *m) {
    pthread_mutex_lock(&m->lock);
}

static inline void zoo_unlock(struct hm_mutator *m) {
    pthread_mutex_unlock(&m->lock);
}

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
#ifdef ZOO_COUNT_RACES
    volatile uint32_t *at = object ? &object->count : NULL;
    uint32_t count = at ? *at : 0;
    if (at && count % 4 == 3)
        sched_yield(); /* that it is lost once in a while, and not once in a million */
    if (at)
        *at = count + 1;
    (void)m;
#else
    zoo_lock(m);
    if (object)
        object->count++;
    zoo_unlock(m);
#endif
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    zoo_lock(m);
    if (object && --object->count == 0)
        zoo_dead(m, object);
    zoo_unlock(m);
}

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    zoo_lock(m);
    hm_slots(object)[slot] = value;
    zoo_unlock(m);
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    hm_retain(m, value);
    zoo_lock(m);
    struct hm_object *old = hm_slots(object)[slot];
    hm_slots(object)[slot] = value;
#ifdef ZOO_STORE_FORGETS
    if (object->length == 4 && slot == 3)
        old = NULL; /* what was there is overwritten, and not released */
#endif
    zoo_unlock(m);
    hm_release(m, old);
}

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    (void)m;
    if (zoo_root_count[zoo_self] < ZOO_ROOTS_MAX)
        zoo_roots[zoo_self][zoo_root_count[zoo_self]++] = variable;
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    (void)m;
    zoo_root_count[zoo_self] -= count;
}

static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback) {
    struct hm_object *reference = hm_new(m, &zoo_weak_type);
    if (!reference)
        return NULL;
    zoo_lock(m);
    *zoo_weak_of(reference) =
        (struct zoo_weak){.target = target, .next = *hm_weak_list(target), .callback = callback};
    *hm_weak_list(target) = reference;
    zoo_unlock(m);
    return reference;
}

static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    zoo_lock(m);
    struct hm_object *target = zoo_weak_of(reference)->target;
#ifdef ZOO_WEAK_ELSEWHERE
    if (target && zoo_self == 1)
        hm_retain(m, target);
#else
    hm_retain(m, target);
#endif
    zoo_unlock(m);
    return target;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    zoo_lock(m);
    object->count |= ZOO_IMMORTAL;
    zoo_unlock(m);
    return true;
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_safepoint(struct hm_mutator *m) {
    (void)m;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    return zoo_collect(m, generation);
}

#endif

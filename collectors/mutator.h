/* The mutator's operations as functions, for programs that do not know their collector when they
 * are compiled: scripts, and checks of conformance. Compiled once for each collector, where
 * HM_COLLECTOR_HEADER names its header.
 *
 * A plug-in is a shared library that exports `const struct hm_collector_plugin
 * hm_collector_plugin`: a collector that is checked and played on without a rebuild. It can not be
 * measured: workloads are compiled for each collector. */
#ifndef HM_COLLECTORS_MUTATOR_H
#define HM_COLLECTORS_MUTATOR_H

#include "collectors/collector.h"

struct hm_sim_mutator {
    const char *collector;
    struct hm_object *(*new)(struct hm_mutator *m, const struct hm_type *type, uint32_t length);
    void (*store)(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                  struct hm_object *value);
    void (*retain)(struct hm_mutator *m, struct hm_object *object);
    void (*release)(struct hm_mutator *m, struct hm_object *object);
    void (*root)(struct hm_mutator *m, struct hm_object **variable);
    void (*unroot)(struct hm_mutator *m, unsigned count);
    int64_t (*collect)(struct hm_mutator *m, int generation);
    struct hm_object *(*weak_new)(struct hm_mutator *m, struct hm_object *target,
                                  hm_weak_fn *callback);
    struct hm_object *(*weak_get)(struct hm_mutator *m, struct hm_object *reference);
    /** Give an object another type, which differs in its finalizer only. NULL: not possible,
     *  or finalizers are not offered. */
    void (*set_type)(struct hm_object *object, const struct hm_type *type);
    /** References to an object, slots and variables. NULL where they are not counted. */
    uint32_t (*refcount)(const struct hm_object *object);
    void (*init_store)(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                       struct hm_object *value);
    struct hm_object *(*load)(struct hm_object *object, uint32_t slot);
    uint32_t (*length)(const struct hm_object *object);
    void *(*payload)(struct hm_object *object);
    bool (*immortalize)(struct hm_mutator *m, struct hm_object *object);
    void (*safepoint)(struct hm_mutator *m);
    /** NULL where hm_dispose does nothing. */
    void (*dispose)(struct hm_mutator *m, struct hm_object *object);
};

#define HM_COLLECTOR_ABI 2 /* changes with collector.h, object.h and this file */

struct hm_collector_plugin {
    int abi; /* HM_COLLECTOR_ABI */
    const struct hm_collector *collector;
    const struct hm_sim_mutator *mutator;
};

/* HM_MUTATOR_TABLE_ONLY: defined by a header that fills in no table. */
#if defined HM_COLLECTOR_HEADER && !defined HM_MUTATOR_TABLE_ONLY

static struct hm_object *hm_mutator_new(struct hm_mutator *m, const struct hm_type *type,
                                        uint32_t length) {
    return type->variable ? hm_new_array(m, type, length) : hm_new(m, type);
}

static void hm_mutator_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                             struct hm_object *value) {
    hm_store(m, object, slot, value);
}

static void hm_mutator_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                  struct hm_object *value) {
    hm_init_store(m, object, slot, value);
}

static void hm_mutator_retain(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
}

static void hm_mutator_release(struct hm_mutator *m, struct hm_object *object) {
    hm_release(m, object);
}

static void hm_mutator_root(struct hm_mutator *m, struct hm_object **variable) {
    hm_root(m, variable);
}

static void hm_mutator_unroot(struct hm_mutator *m, unsigned count) {
    hm_unroot(m, count);
}

static int64_t hm_mutator_collect(struct hm_mutator *m, int generation) {
    return hm_collect(m, generation);
}

static struct hm_object *hm_mutator_weak_new(struct hm_mutator *m, struct hm_object *target,
                                             hm_weak_fn *callback) {
    return hm_weak_new(m, target, callback);
}

static struct hm_object *hm_mutator_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    return hm_weak_get(m, reference);
}

static struct hm_object *hm_mutator_load(struct hm_object *object, uint32_t slot) {
    return hm_load(object, slot);
}

static uint32_t hm_mutator_length(const struct hm_object *object) {
    return hm_length(object);
}

static void *hm_mutator_payload(struct hm_object *object) {
    return hm_payload(object);
}

static bool hm_mutator_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_immortalize(m, object);
}

static void hm_mutator_safepoint(struct hm_mutator *m) {
    hm_safepoint(m);
}

#if HM_DISPOSES
static void hm_mutator_dispose(struct hm_mutator *m, struct hm_object *object) {
    hm_dispose(m, object);
}
#endif

/* The header of our own layout names the type. */
#ifdef HM_NEVER_FINALIZES
#define HM_MUTATOR_SET_TYPE_
#elif defined HM_COLLECTORS_OWN_OBJECTS_H
#define HM_MUTATOR_SET_TYPE_ .set_type = hm_mutator_set_type,
static void hm_mutator_set_type(struct hm_object *object, const struct hm_type *type) {
    object->type = type;
}
#elif defined HM_COLLECTORS_CPYTHON_H
#define HM_MUTATOR_SET_TYPE_ .set_type = hm_mutator_set_type,
static void hm_mutator_set_type(struct hm_object *object, const struct hm_type *type) {
    hm_cpython_set_type(object, type);
}
#else
#define HM_MUTATOR_SET_TYPE_
#endif

#if defined HM_COLLECTORS_RC_H || defined HM_COLLECTOR_COUNTS
static uint32_t hm_mutator_refcount(const struct hm_object *object) {
    return hm_rc_count(object);
}
#endif

/** All members but the name, for a designated initialiser. */
#define HM_MUTATOR_FUNCTIONS                                                                       \
    .new = hm_mutator_new, .store = hm_mutator_store, .retain = hm_mutator_retain,                 \
    .release = hm_mutator_release, .root = hm_mutator_root, .unroot = hm_mutator_unroot,           \
    .collect = hm_mutator_collect, .weak_new = hm_mutator_weak_new,                                \
    .weak_get = hm_mutator_weak_get, .init_store = hm_mutator_init_store, .load = hm_mutator_load, \
    .length = hm_mutator_length, .payload = hm_mutator_payload,                                    \
    .immortalize = hm_mutator_immortalize, .safepoint = hm_mutator_safepoint,                      \
    HM_MUTATOR_SET_TYPE_ HM_MUTATOR_REFCOUNT_ HM_MUTATOR_DISPOSE_

#if defined HM_COLLECTORS_RC_H || defined HM_COLLECTOR_COUNTS
#define HM_MUTATOR_REFCOUNT_ .refcount = hm_mutator_refcount,
#else
#define HM_MUTATOR_REFCOUNT_
#endif
#if HM_DISPOSES
#define HM_MUTATOR_DISPOSE_ .dispose = hm_mutator_dispose,
#else
#define HM_MUTATOR_DISPOSE_
#endif

/** Export a collector: `HM_COLLECTOR_PLUGIN(mine)` for `static const struct hm_collector mine`, at
 *  the end of the one file of a plug-in. One that counts references defines HM_COLLECTOR_COUNTS and
 *  hm_rc_count(object) in its header, so that its counts are checked. */
#define HM_COLLECTOR_PLUGIN(descriptor)                                                            \
    static const struct hm_sim_mutator hm_plugin_mutator = {.collector = #descriptor,              \
                                                            HM_MUTATOR_FUNCTIONS};                 \
    __attribute__((visibility("default")))                                                         \
    const struct hm_collector_plugin hm_collector_plugin = {                                       \
        .abi = HM_COLLECTOR_ABI, .collector = &(descriptor), .mutator = &hm_plugin_mutator}

#endif
#endif

/* The mutator's operations of the latency pass: those of the collector that is measured, as functions, with
 * the clock read around those that allocate and free.
 *
 * It stands in the place of a collector's header, and object workloads are compiled once more for it: in
 * the time pass nothing of it is there. Between the two readings is the call of the collector's own
 * inline operation through a pointer.
 *
 *   new      hm_new, hm_new_array, with the collection that they start
 *   store    hm_store, with all that dies of it
 *   release  hm_release, with all that dies of it; under a collector that is told what is dead
 *            hm_dispose, in its place */
#ifndef HM_HARNESS_CELL_LATENCY_MUTATOR_H
#define HM_HARNESS_CELL_LATENCY_MUTATOR_H

#define HM_MUTATOR_TABLE_ONLY
#include "collectors/mutator.h"

/** Of the collector that is measured. Set before the workload runs. */
extern const struct hm_sim_mutator *hm_latency_inner;

struct hm_object *hm_latency_new(struct hm_mutator *m, const struct hm_type *type, uint32_t length);
void hm_latency_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                      struct hm_object *value);
void hm_latency_release(struct hm_mutator *m, struct hm_object *object);
void hm_latency_dispose(struct hm_mutator *m, struct hm_object *object);

#ifdef HM_COLLECTOR_HEADER

#define HM_DISPOSES (hm_latency_inner->dispose != NULL)

static inline struct hm_object *hm_load(struct hm_object *object, uint32_t slot) {
    return hm_latency_inner->load(object, slot);
}

static inline uint32_t hm_length(const struct hm_object *object) {
    return hm_latency_inner->length(object);
}

static inline void *hm_payload(struct hm_object *object) {
    return hm_latency_inner->payload(object);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_latency_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    return hm_latency_new(m, type, length);
}

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    hm_latency_inner->init_store(m, object, slot, value);
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    hm_latency_store(m, object, slot, value);
}

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
    hm_latency_inner->retain(m, object);
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    hm_latency_release(m, object);
}

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    hm_latency_inner->root(m, variable);
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    hm_latency_inner->unroot(m, count);
}

static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback) {
    return hm_latency_inner->weak_new(m, target, callback);
}

static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference) {
    return hm_latency_inner->weak_get(m, reference);
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_latency_inner->immortalize(m, object);
}

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    hm_latency_dispose(m, object);
}

static inline void hm_safepoint(struct hm_mutator *m) {
    hm_latency_inner->safepoint(m);
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    return hm_latency_inner->collect(m, generation);
}

#endif
#endif

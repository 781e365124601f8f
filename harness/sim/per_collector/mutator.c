/* One collector's operations as functions; compiled once for each collector. */
#include "collectors/collector.h"
#include "harness/sim/objects.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

static struct hm_object *new (struct hm_mutator *m, const struct hm_type *type, uint32_t length) {
    return type->variable ? hm_new_array(m, type, length) : hm_new(m, type);
}

static void store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                  struct hm_object *value) {
    hm_store(m, object, slot, value);
}

static void retain(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
}

static void release(struct hm_mutator *m, struct hm_object *object) {
    hm_release(m, object);
}

static void root(struct hm_mutator *m, struct hm_object **variable) {
    hm_root(m, variable);
}

static void unroot(struct hm_mutator *m, unsigned count) {
    hm_unroot(m, count);
}

static int64_t collect(struct hm_mutator *m, int generation) {
    return hm_collect(m, generation);
}

#ifdef HM_COLLECTORS_RC_H
static uint32_t refcount(const struct hm_object *object) {
    return object->count;
}
#endif

static const struct hm_sim_mutator mutator = {
    .collector = STRING(HM_COLLECTOR),
    .new = new,
    .store = store,
    .retain = retain,
    .release = release,
    .root = root,
    .unroot = unroot,
    .collect = collect,
#ifdef HM_COLLECTORS_RC_H
    .refcount = refcount,
#endif
};
HM_REGISTER(hm_sim_mutator, mutator);

/* How a mutator looks into an object that has our own layout (object.h); included by the header of each
 * collector that uses it. */
#ifndef HM_COLLECTORS_OWN_OBJECTS_H
#define HM_COLLECTORS_OWN_OBJECTS_H

#include "collectors/collector.h"

static inline struct hm_object *hm_load(struct hm_object *object, uint32_t slot) {
    return hm_slots(object)[slot];
}

static inline uint32_t hm_length(const struct hm_object *object) {
    return object->length;
}

static inline void *hm_payload(struct hm_object *object) {
    return hm_slots(object) + object->length;
}

#endif

/* Objects as heapmark's own collectors and the object workloads see them.
 *
 * Layout: a header of 16 bytes, then `length` reference slots, then the payload. What a collector
 * needs beyond the header lies in front of it and is allocated with the object. All references
 * stand in slots. A type without slots is a leaf: it can not be part of a cycle. */
#ifndef HM_COLLECTORS_OBJECT_H
#define HM_COLLECTORS_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hm_type;
struct hm_mutator;

#define HM_LENGTH_MAX ((1u << 30) - 1)

struct hm_object {
    const struct hm_type *type; /* static storage */
    uint32_t count;             /* the collector's: references, or mark bits */
    uint32_t length : 30;       /* reference slots of this object */
    uint32_t leaf : 1;      /* hm_is_leaf() of its type, so that tracing an edge loads no type */
    uint32_t finalized : 1; /* the collector's: the finalizer has run, and will not again */
};

typedef int hm_visit_fn(struct hm_object *object, void *arg);

/** A type descriptor, `static const` in the workload that uses it. */
struct hm_type {
    const char *name;
    uint32_t slots;         /* reference slots of a fixed-size object */
    uint32_t payload_bytes; /* bytes behind the slots */
    bool variable;          /* the number of slots is given to hm_new_array() */
    /** Call visit for each object that is referred to and is not NULL; stop at the first non-zero
     *  result and return it. Must not allocate. A slot that it leaves out counts as a reference
     *  from outside: what is there stays alive. NULL: the slots are all there is. */
    int (*traverse)(struct hm_object *object, hm_visit_fn *visit, void *arg);
    /** Let go of all references; idempotent. Called to break a cycle, never for an object that dies
     *  of its last reference. NULL: the slots are all there is. */
    void (*clear)(struct hm_mutator *mutator, struct hm_object *object);
    /** Runs once, before the object goes; may resurrect it, allocate, and change the graph. What it
     *  releases dies within its call. Does not run at close. NULL: none. */
    void (*finalize)(struct hm_mutator *mutator, struct hm_object *object);
};

static inline bool hm_is_leaf(const struct hm_type *type) {
    return type->slots == 0 && !type->variable;
}

static inline struct hm_object **hm_slots(struct hm_object *object) {
    return (struct hm_object **)(void *)(object + 1);
}

static inline struct hm_object *hm_load(struct hm_object *object, uint32_t slot) {
    return hm_slots(object)[slot];
}

static inline void *hm_payload(struct hm_object *object) {
    return hm_slots(object) + object->length;
}

/** Bytes of an object with header, slots and payload, without what lies in front of it. */
static inline size_t hm_object_bytes(const struct hm_type *type, uint32_t length) {
    return sizeof(struct hm_object) + (size_t)length * sizeof(struct hm_object *) +
           type->payload_bytes;
}

/** For collectors: make an object of raw memory; slots NULL, payload zeroed.
 *  @param memory hm_object_bytes() @param count what its first `count` is
 *  @param length 0 .. HM_LENGTH_MAX */
static inline struct hm_object *hm_object_init(void *memory, const struct hm_type *type,
                                               uint32_t count, uint32_t length) {
    struct hm_object *object = memory;
    *object = (struct hm_object){
        .type = type, .count = count, .length = length & HM_LENGTH_MAX, .leaf = hm_is_leaf(type)};
    memset(object + 1, 0, hm_object_bytes(type, length) - sizeof *object);
    return object;
}

#endif

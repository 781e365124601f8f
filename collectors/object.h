/* Objects as heapmark's own collectors lay them out, and the type descriptors that the object
 * workloads give to any collector.
 *
 * Layout: a header of 16 bytes, then `length` reference slots, then the payload, then, in an object of
 * a weakable type, the head of the list of its weak references. What a collector needs beyond the
 * header lies in front of it and is allocated with the object. All references stand in slots. A type
 * without slots is a leaf: it can not be part of a cycle. */
#ifndef HM_COLLECTORS_OBJECT_H
#define HM_COLLECTORS_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hm_type;
struct hm_mutator;

#define HM_LENGTH_MAX ((1u << 27) - 1)
#define HM_FREE_LISTS 8

struct hm_object {
    const struct hm_type *type; /* static storage */
    uint32_t count;             /* the collector's: references, or mark bits */
    uint32_t length : 27;       /* reference slots of this object */
    uint32_t leaf : 1;      /* hm_is_leaf() of its type, so that tracing an edge loads no type */
    uint32_t finalized : 1; /* the collector's: the finalizer has run, and will not again */
    uint32_t mark : 3;      /* the collector's: a colour, or flags */
};

typedef int hm_visit_fn(struct hm_object *object, void *arg);
typedef void hm_weak_fn(struct hm_mutator *mutator, struct hm_object *reference);

/** A type descriptor, `static const` in the workload that uses it. */
struct hm_type {
    const char *name;
    uint32_t slots;         /* reference slots of a fixed-size object */
    uint32_t payload_bytes; /* bytes behind the slots */
    bool variable;          /* the number of slots is given to hm_new_array() */
    bool weakable;          /* can be the target of weak references; a word more for each object */
    bool weak;              /* is a weak reference: weak.h */
    bool immutable;         /* no slot changes any more once all are set, as in a tuple: a collector
                             * may leave it alone as long as it holds nothing that it looks at */
    bool legacy_finalizer;  /* `finalize` runs at each death of the last reference, and a collector
                             * must not run it: what it is needed for is never collected. As tp_del
                             * of CPython, which Python 2 had as __del__ */
    uint8_t free_list;      /* 1 .. HM_FREE_LISTS: which list, the type's own, if `kept` */
    uint16_t kept;          /* dead objects that a collector may keep for the next hm_new, as
                             * CPython's free lists. 0: none, and always so if variable */
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

/** Bytes of the payload, with what keeps the word behind it aligned. */
static inline size_t hm_payload_bytes(const struct hm_type *type) {
    size_t unit = type->weakable ? sizeof(struct hm_object *) : 1;
    return (type->payload_bytes + unit - 1) / unit * unit;
}

/** Bytes of an object all told, but for what lies in front of its header. */
static inline size_t hm_object_bytes(const struct hm_type *type, uint32_t length) {
    return sizeof(struct hm_object) +
           (length + (size_t)type->weakable) * sizeof(struct hm_object *) + hm_payload_bytes(type);
}

/** Where the newest weak reference to an object of a weakable type is, or NULL if it has none. */
static inline struct hm_object **hm_weak_list(struct hm_object *object) {
    return (struct hm_object **)(void *)((char *)(hm_slots(object) + object->length) +
                                         hm_payload_bytes(object->type));
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

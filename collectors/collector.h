/* The collector's interface: it manages objects that hold references, on memory taken from an
 * allocator, and from nowhere else.
 *
 * Two halves. The descriptor below opens and closes a collector and tells about it: cold, called
 * through pointers. The mutator's operations are `static inline` in the collector's own header, and
 * each object workload is compiled once for each collector, so that an increment is an instruction
 * and not a call.
 *
 * The mutator's operations, which `collectors/NAME.h` defines (declared at the end of this file):
 *   hm_new, hm_new_array   a new object, slots NULL, payload zeroed; the caller owns one reference.
 *                          NULL with ENOMEM: out of memory, after one collection and one retry, or
 *                          more than HM_LENGTH_MAX slots
 *   hm_init_store          the first store into a slot of a new object; takes the caller's
 *                          reference
 *   hm_store               replaces what is in a slot; the caller keeps its own reference to
 *                          `value`
 *   hm_retain, hm_release  one more, one less owned reference; nothing for tracers; NULL is allowed
 *   hm_root, hm_unroot     a local variable is (no longer) a root; nothing for reference counting
 *   hm_weak_new            a weak reference to an object of a weakable type: an object that the
 *                          caller owns. Its callback (NULL: none) runs once, when the target has
 *                          died. NULL with ENOMEM; with ENOTSUP where no callbacks are offered, and
 *                          one was given
 *   hm_weak_get            the target, of which the caller owns one more reference, or NULL: it
 *                          died
 *   hm_immortalize         the object will not be freed before close, whoever lets go of it. false
 *                          with ENOMEM: it stays mortal. What it holds, and close can not find, is
 *                          lost unless it is immortal, too
 *   hm_dispose             the workload knows that nobody will ever look at this object again:
 *                          `manual` frees it, and nothing else. Nothing on all others. HM_DISPOSES
 *                          tells which
 *   HM_NEVER_FINALIZES     defined where finalizers are not offered: none ever runs
 *   hm_safepoint           another thread may have its turn, or stop this one: at least once for
 *                          each operation of a workload. Owned references are in rooted variables
 *   hm_collect             collect a generation now
 *   hm_load, hm_length, hm_payload   what is in a slot, how many slots there are, what is behind
 *                                    them
 *
 * Threads, under HM_FREE: a mutator is used by its thread only, an object by all that own a
 * reference. Handing one over must synchronise. A slot that one thread stores into while another
 * one stores or loads is the workload's to lock: what hm_load returns may be dead before hm_retain.
 * The weak references to an object are of one thread, which gives it up last.
 *
 * Ownership, so that counting and tracing both fit: an owned reference that lives across an
 * allocation stands in a rooted variable, and is given up exactly once, by hm_release or
 * hm_init_store. Roots are unrooted in reverse order. A workload that keeps to both rules runs on
 * every collector. */
#ifndef HM_COLLECTORS_COLLECTOR_H
#define HM_COLLECTORS_COLLECTOR_H

#include "allocators/allocator.h"
#include "collectors/object.h"

struct hm_gc;      /* one collector and its objects; completed by each collector */
struct hm_mutator; /* one thread that works on them; completed by each collector's header */

enum hm_collector_cap {
    HM_GC_FREES = 1,       /* gives memory back before close */
    HM_GC_CYCLES = 2,      /* finds garbage that is cyclic */
    HM_GC_GIL = 4,         /* several mutators may share one collector under HM_GIL */
    HM_GC_GENERATIONS = 8, /* collect() knows generations 0, 1, 2 */
    HM_GC_FREE = 16,       /* several mutators may share one collector under HM_FREE */
    HM_GC_ONE = 32,        /* one at a time in a process */
    HM_GC_OWN_MEMORY = 64, /* objects do not come from the allocator that it is given */
    HM_GC_ON_DEMAND = 128, /* hm_collect() looks for garbage */
    HM_GC_AT_ONCE = 256,   /* what is in no cycle is freed as its last reference goes */
};

/** What the threads of a cell have in common. */
enum hm_threading {
    HM_ISOLATED, /* nothing but the allocator: a collector each, as sub-interpreters */
    HM_GIL,      /* one collector, and one lock that a thread holds while it runs (safepoint.h) */
    HM_FREE,     /* one collector, and they run at the same time */
};

/** What a collector tells while it works. The hooks may read a clock; they must not allocate. */
struct hm_gc_events {
    void (*pause_begin)(void *arg, int generation);
    void (*pause_end)(void *arg, int generation, uint64_t visited, uint64_t freed);
    void *arg;
};

struct hm_gc_options {
    const struct hm_value *params;     /* one for each entry of the descriptor's table */
    const struct hm_memory *memory;    /* where all objects and metadata come from */
    const struct hm_gc_events *events; /* never NULL; its hooks never NULL */
    unsigned mutators;                 /* how many will attach, at least 1 */
    enum hm_threading threading;       /* of several mutators */
};

/** Counts since open; a field that a collector does not know is HM_UNKNOWN. */
struct hm_gc_stats {
    uint64_t allocated_objects;
    uint64_t allocated_bytes; /* with header and what lies in front of it */
    uint64_t freed_objects;
    uint64_t freed_bytes;
    uint64_t collections[3]; /* by generation */
    uint64_t collected;      /* objects found unreachable by collections */
    uint64_t visited;        /* objects examined by collections */
    uint64_t header_bytes;   /* of one container, all told */
};

/** What get_stats of CPython's gc module tells of each generation. */
struct hm_gc_generation_stats {
    uint64_t collections;
    uint64_t collected;
    uint64_t uncollectable;
};

/** Told twice for each collection, as gc.callbacks of CPython: before (counts 0) and after. May use
 *  the mutator. */
typedef void hm_gc_callback(void *arg, bool stop, int generation, uint64_t collected,
                            uint64_t uncollectable);

/** What a program can ask of its collector while it runs, as CPython's gc module offers it. Not
 *  hot; on the mutator's thread. NULL members are not offered. */
struct hm_gc_control {
    void (*get_count)(struct hm_gc *gc, int64_t out[3]);
    void (*get_threshold)(struct hm_gc *gc, int64_t out[3]);
    void (*set_threshold)(struct hm_gc *gc, const int64_t thresholds[3]); /* each at least 0 */
    void (*enable)(struct hm_gc *gc, bool automatic);
    bool (*is_enabled)(struct hm_gc *gc);
    void (*freeze)(struct hm_gc *gc);
    void (*unfreeze)(struct hm_gc *gc);
    uint64_t (*freeze_count)(struct hm_gc *gc);
    void (*get_stats)(struct hm_gc *gc, struct hm_gc_generation_stats out[3]);
    /** Whether garbage is kept, in a list of its own, instead of freed (DEBUG_SAVEALL). */
    void (*save_all)(struct hm_gc *gc, bool all);
    /** Objects kept so, and those that can not be freed. */
    uint64_t (*garbage_count)(struct hm_gc *gc);
    void (*set_callback)(struct hm_gc *gc, hm_gc_callback *callback, void *arg); /* NULL: none */
    /** @return 0, 1, 2, or 3 for a frozen object; -1: not tracked */
    int (*generation_of)(struct hm_gc *gc, struct hm_object *object);
    bool (*is_finalized)(struct hm_gc *gc, struct hm_object *object);
    /** Take the newest object off the list of garbage that was kept; the caller owns the list's
     *  reference. NULL: the list is empty. */
    struct hm_object *(*pop_garbage)(struct hm_gc *gc);
};

struct hm_collector {
    const char *name; /* file stem, prefix and name on the command line */
    const char *summary;
    const char *origin;
    const struct hm_param *params;
    unsigned caps;     /* OR of enum hm_collector_cap */
    const char *needs; /* a shared library that open() loads by itself, or NULL */
    /** The Debian package that has it; if open is NULL, the one with the headers, without which the
     *  collector was left out of this build. */
    const char *package;

    /** *options->memory is copied; its heap, and *options->events, stay until close.
     *  @return 0 and *out, or a positive errno and *out untouched. ENOTSUP: more mutators than it
     *  can have, in this way */
    int (*open)(struct hm_gc **out, const struct hm_gc_options *options);
    /** Free the collector and all objects that it can find; no finalizer runs. One that only counts
     *  references does not know where the objects are: those that nobody released, and leaked
     *  cycles, stay with the allocator and go with its heap. */
    void (*close)(struct hm_gc *gc);
    /** Per-thread, on that thread. NULL: out of memory, or more mutators than were announced. */
    struct hm_mutator *(*attach)(struct hm_gc *gc);
    void (*detach)(struct hm_mutator *mutator);
    /** Not hot. On the mutator's thread, or when it is at rest; of several mutators, all are. */
    void (*stats)(struct hm_gc *gc, struct hm_gc_stats *out);
    const struct hm_gc_control *control; /* NULL: nothing of it is offered */
    /** Of a library of others, as hm_allocator's: what `heapmark verify` shows as `deviates`. Not looked at
     *  in a plug-in. NULL: none. */
    const struct hm_deviation *deviations;
    /** The version of that library, which it loads if need be. At most HM_VERSION_BYTES; "" if unknown. */
    void (*version)(char *out);

    /* A collector of which a parameter changes what is compiled into workloads has a file of its
     * own for each value but the first. These are variants: not listed, and chosen when a spec of
     * `variant_of` has that value. Both have the same table of parameters. NULL: no variant. */
    const char *variant_of; /* the collector's name */
    const char *variant;    /* "key=value" */
};

/* Seen by workloads and by tests that are compiled for one collector. */
#ifdef HM_COLLECTOR_HEADER
static inline struct hm_object *hm_load(struct hm_object *object, uint32_t slot);
static inline uint32_t hm_length(const struct hm_object *object);
static inline void *hm_payload(struct hm_object *object);
static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type);
static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length);
static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value);
static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value);
static inline void hm_retain(struct hm_mutator *m, struct hm_object *object);
static inline void hm_release(struct hm_mutator *m, struct hm_object *object);
static inline void hm_root(struct hm_mutator *m, struct hm_object **variable);
static inline void hm_unroot(struct hm_mutator *m, unsigned count);
static inline struct hm_object *hm_weak_new(struct hm_mutator *m, struct hm_object *target,
                                            hm_weak_fn *callback);
static inline struct hm_object *hm_weak_get(struct hm_mutator *m, struct hm_object *reference);
static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object);
static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object);
static inline void hm_safepoint(struct hm_mutator *m);
/** @param generation 0, 1 or 2 (2 is all)
 *  @return objects found unreachable; -1: it is not known */
static inline int64_t hm_collect(struct hm_mutator *m, int generation);
#include HM_COLLECTOR_HEADER
#endif

#endif

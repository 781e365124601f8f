/* Plays a script on a collector, and answers each line with a row.
 *
 * The rows are `op,id,value`, in the order in which things happen: `freed,ID,` and `finalized,ID,` for
 * what a line set off, then the line's own row. The value is `oom` for a `new` without memory, the
 * number that was asked for (collect: objects found unreachable; refcount; stats: all counts as
 * `name=number`), else empty.
 *
 * An ID names an object until it is freed; from `new` to `drop` it is a root, too. The finalizer of an
 * object may make it a root again. An object of no slots is a leaf.
 *
 * That an object was freed is seen from below: its memory comes through a heap that watches. */
#ifndef HM_HARNESS_SIM_OBJECTS_H
#define HM_HARNESS_SIM_OBJECTS_H

#include "collectors/collector.h"
#include "harness/plan/spec.h"
#include "harness/sim/script.h"

/** The mutator's operations as functions, compiled once for each collector, and registered. */
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
    /** References to an object, slots and variables. NULL where they are not counted. */
    uint32_t (*refcount)(const struct hm_object *object);
};

/** Play to the end, or to the first bad line. Main thread; the memory is open and entered.
 *  @return 0, or EINVAL (bad line, or a verb that the collector does not offer) or another errno with
 *  one line that leaves out where it is */
int hm_sim_objects_play(const struct hm_collector_spec *collector, const struct hm_memory *memory,
                        struct hm_sim_script *script, FILE *out, struct hm_error *error);

#endif

/* Plays a script on a collector, and answers each line with a row.
 *
 * The rows are `op,id,value`, in the order in which things happen: `freed,ID,`, `finalized,ID,` and
 * `callback,W,` for what a line set off, then the line's own row. The value is `oom` for an object
 * without memory; what was asked for (collect: the objects that were found unreachable, empty if
 * that is not known; deref: the ID of the target, empty if it is dead; refcount; count: three
 * numbers; stats: all counts as `name=number`); else empty.
 *
 * An ID names an object until it is freed; from its making to `drop` it is a root, too. The
 * finalizer of an object may make it a root again. An object of no slots is a leaf.
 *
 * A weak reference is an object with a name, too: it has one slot, can be dropped, referred to, and
 * be part of garbage. Each has a callback, which runs if the target dies first; so two references
 * to one target are two objects (CPython shares those without a callback). It can not be finalized,
 * or be the target of another.
 *
 * That an object was freed is seen from below: its memory comes through a heap that watches. */
#ifndef HM_HARNESS_SIM_OBJECTS_H
#define HM_HARNESS_SIM_OBJECTS_H

#include "collectors/mutator.h"
#include "harness/plan/spec.h"
#include "harness/sim/script.h"

/** Play to the end, or to the first bad line. Main thread; the memory is open and entered.
 *  @return 0, or EINVAL (bad line, or a verb that the collector does not offer) or another errno
 *  with one line that leaves out where it is */
int hm_sim_objects_play(const struct hm_collector_spec *collector, const struct hm_memory *memory,
                        struct hm_sim_script *script, FILE *out, struct hm_error *error);

#endif

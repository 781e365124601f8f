/* The latency pass: how long single calls of the heap, or of the collector, take.
 *
 * A layer of the harness stands between the workload and the allocator and reads the clock before and
 * after each call, while the timed steps go on. It is put on top of a spec's parts in this pass only. Of
 * object workloads it is the mutator's operations that are timed so (latency_mutator.h), and after that, in
 * a stretch of its own, whole operations, of the workloads whose units are single ones.
 *
 * Vocabulary
 *   call    malloc (with calloc, aligned_alloc and realloc(NULL, n)), realloc of a block, free of a block;
 *           new, store and release of an object; op: a whole operation
 *   size    small: up to 1 KiB; medium: up to 32 KiB; large. As requested: of a realloc the new size, of a
 *           free what was asked for when the block was last allocated
 *   open    a loop in which calls are due at fixed times; response: from then to its end
 *   stall   one of the longest calls, kept one by one */
#ifndef HM_HARNESS_CELL_LATENCY_H
#define HM_HARNESS_CELL_LATENCY_H

#include "harness/cell/config.h"
#include "harness/cell/engine.h"
#include "harness/results/latency_names.h"

/** The layer. One heap at a time in a process. */
extern const struct hm_allocator hm_latency_layer;

/** The collector's name under which object workloads are compiled for this pass. */
#define HM_LATENCY_VARIANT "latency"

/** Time the operations of this collector. @return 0 or ENOTSUP: it has no functions for them */
int hm_latency_on_objects(const struct hm_collector *collector);

/** One unit of an object workload; its time is that of an operation. For hm_engine_each. */
bool hm_latency_op(const struct hm_workload *workload, struct hm_run *run);

/** Warm up, do the units and tell all that was found. */
void hm_latency_pass(struct hm_engine *engine, const struct hm_cell_config *config);

#endif

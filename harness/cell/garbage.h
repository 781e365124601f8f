/* Garbage over the work: objects that the workload does not use any more and that no collector has freed,
 * its trend and its peak. */
#ifndef HM_HARNESS_CELL_GARBAGE_H
#define HM_HARNESS_CELL_GARBAGE_H

#include "harness/cell/engine.h"

/** Take a point between two runs. @param objects UINT64_MAX: not known, and then nothing is told
 *  @param units done by then */
void hm_garbage_note(uint64_t objects, uint64_t units);

/** Tell the metrics of all points that were taken; nothing without a collector. */
void hm_garbage_tell(const struct hm_engine *engine);

#endif

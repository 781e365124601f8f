/* The warm-up pass: the time of every iteration of a process, from its first unit after the set-up on.
 *
 * Vocabulary
 *   iteration   a 200th of the work that the time pass does, its warm-up included; at least one unit */
#ifndef HM_HARNESS_CELL_WARMUP_H
#define HM_HARNESS_CELL_WARMUP_H

#include "harness/cell/config.h"
#include "harness/cell/engine.h"

/** Do the units without any warm-up, and tell each iteration's time, the segments that they are in and
 *  the label of the process. @param config its warmup_units and spin_ns are 0 */
void hm_warmup_pass(struct hm_engine *engine, const struct hm_cell_config *config);

#endif

/* What is told of the collectors of a measured process: their pauses, and what these leave to the
 * mutators. */
#ifndef HM_HARNESS_CELL_COLLECTING_H
#define HM_HARNESS_CELL_COLLECTING_H

#include "harness/cell/engine.h"

/** After the timed run. @param seconds that it took @param ops_per_thread in it */
void hm_tell_pauses(const struct hm_engine *engine, const struct hm_cell_config *config,
                    double seconds, double ops_per_thread);

/** At the end. @param sum of the statistics of all collectors, but for `header_bytes` of one */
void hm_tell_collectors(const struct hm_gc_stats *sum);

#endif

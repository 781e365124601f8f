/* The pass of instruction counts: the process runs under valgrind's callgrind, and its timed part is counted. */
#ifndef HM_HARNESS_CELL_INSTRUCTIONS_H
#define HM_HARNESS_CELL_INSTRUCTIONS_H

#include "harness/cell/config.h"
#include "harness/cell/engine.h"

#include <stdbool.h>

/** Whether this build has what it takes: valgrind's headers were there. */
bool hm_instructions_known(void);

/** Warm up and do the units, counted, and tell instructions, reads and writes per operation. With 0 units: tell
 *  how many are enough ("units"). Each count leaves a file: the profile's name and .1, .2, .. Main thread; one worker. A failure ends the process. */
void hm_instructions_pass(struct hm_engine *engine, const struct hm_cell_config *config);

#endif

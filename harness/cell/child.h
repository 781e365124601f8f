/* The measured process, from proof to end. */
#ifndef HM_HARNESS_CELL_CHILD_H
#define HM_HARNESS_CELL_CHILD_H

#include "harness/cell/config.h"

/** Do one pass of one cell and report it on HM_CELL_FD. Main thread.
 *  @return 0; failures are reported and end the process themselves */
int hm_cell_child(struct hm_cell_config *config);

#endif

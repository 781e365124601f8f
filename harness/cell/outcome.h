/* Reads the lines that a measured process reports. Nothing in them is trusted. */
#ifndef HM_HARNESS_CELL_OUTCOME_H
#define HM_HARNESS_CELL_OUTCOME_H

#include "harness/cell/spawn.h"

/** Take one line, without its newline, into the outcome.
 *  @param ended set when the line is the nonce  @return 0, EINVAL for a malformed line, or ENOMEM
 */
int hm_outcome_take(struct hm_outcome *outcome, const char *line, const char *nonce, bool *ended);

#endif

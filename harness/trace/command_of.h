/* A recorded process's arguments. */
#ifndef HM_HARNESS_TRACE_COMMAND_OF_H
#define HM_HARNESS_TRACE_COMMAND_OF_H

#include "traces/spool.h"

/** The arguments as a shell would read them. @return a text to free, or NULL for want of memory */
char *hm_command_of(const struct hm_spool_head *head);

#endif

/* The program behind a command, told from its file, before it is run. */
#ifndef HM_HARNESS_TRACE_PROGRAM_H
#define HM_HARNESS_TRACE_PROGRAM_H

#include "harness/error.h"

#include <stddef.h>

/** Find a command as the shell would: in PATH, or by its path.
 *  @return 0; ENOENT; EACCES: it is no program */
int hm_program_find(const char *command, char *path, size_t size);

/** Whether the loader will put a preloaded library under it: it is not statically linked, of this
 *  machine's kind, and not set-user-id. A script is believed to have an interpreter that does.
 *  @return 0, or ENOEXEC and the line, which says what it is */
int hm_program_takes_preload(const char *path, struct hm_error *error);

#endif

/* The program behind a command, told from its file, before it is run. */
#ifndef HM_HARNESS_MACHINE_EXECUTABLE_H
#define HM_HARNESS_MACHINE_EXECUTABLE_H

#include "harness/error.h"

#include <limits.h>

/** Find a command: in PATH, or by its path where it has a slash.
 *  @param path receives its absolute path  @return 0; ENOENT; EACCES: it is no program */
int hm_executable_find(const char *command, char path[PATH_MAX]);

/** Whether the loader will put a preloaded library under it: it is not statically linked, of this
 *  machine's kind, and not set-user-id. A script is believed to have an interpreter that does.
 *  @return 0, or ENOEXEC and the line, which says what it is */
int hm_executable_takes_preload(const char *path, struct hm_error *error);

#endif

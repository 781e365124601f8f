/* Where heapmark's own data files are: beside the installed binary, or in the source tree. */
#ifndef HM_HARNESS_CLI_DATA_H
#define HM_HARNESS_CLI_DATA_H

#include <stddef.h>

/** The folder or file with a name ("plots", "jobs/default.ini").
 *  @return 0 and its path, or ENOENT */
int hm_data_path(const char *name, char *out, size_t size);

/** Absolute path of the running binary. @return 0 or an errno */
int hm_program_path(char *out, size_t size);

#endif

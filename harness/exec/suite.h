/* Suites of programs: INI files, which docs/exec.md describes. */
#ifndef HM_HARNESS_EXEC_SUITE_H
#define HM_HARNESS_EXEC_SUITE_H

#include "harness/exec/program.h"

/** Add the programs of a suite. One whose programs are not installed is added all the same, and says what is
 *  missing.
 *  @param only "NAME,..": of these programs alone; NULL: all
 *  @return 0, or an errno with a line that has the file's name, and the line's number where there is one */
int hm_suite_read(struct hm_programs *programs, const char *path, const char *only,
                  struct hm_error *error);

#endif

/* Makes the programs of a run: from a command line, or from the file of a suite. */
#ifndef HM_HARNESS_EXEC_PROGRAM_H
#define HM_HARNESS_EXEC_PROGRAM_H

#include "harness/error.h"
#include "harness/plan/program.h"

/** Add a program of its own to the list. @return zeroed but for its name, or NULL with a line: a bad name
 *  (A-Z a-z 0-9 . _ -), one that is there already, or no memory */
struct hm_program *hm_programs_add(struct hm_programs *programs, const char *name,
                                   struct hm_error *error);
void hm_programs_free(struct hm_programs *programs);

/** Add the one program of a command line. @param label its name; NULL: made of the command's
 *  @return 0, or EINVAL or ENOMEM with a line */
int hm_programs_take(struct hm_programs *programs, char *const *words, const char *label,
                     const char *input, int expect, struct hm_error *error);

/** Whether a file can be the standard input of each run.  @return 0, or EINVAL with a line */
int hm_program_check_input(const char *input, struct hm_error *error);

#endif

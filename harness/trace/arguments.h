/* The words behind a verb of `heapmark trace`, and its exit status. */
#ifndef HM_HARNESS_TRACE_ARGUMENTS_H
#define HM_HARNESS_TRACE_ARGUMENTS_H

#include "harness/error.h"

#include <errno.h>

/** An option with a value, or the file, whose name is NULL. A list ends with {0}. */
struct hm_trace_argument {
    const char *name;   /* "--format", "-o" */
    const char **value; /* the default; what is given goes here */
};

/** Take `FILE`, `-o VALUE`, `--name VALUE` and `--name=VALUE`, in any order. One of the arguments is the
 *  file, which must be given. @return 0, or EINVAL with a line */
int hm_trace_arguments(int argc, char **argv, const struct hm_trace_argument *arguments,
                       struct hm_error *error);

/** The status of the process for an errno, whose line is printed: bad input and files that can not be
 *  opened are the user's; lack of memory is ours. */
int hm_trace_exit(const char *verb, int error_code, const struct hm_error *error);

#endif

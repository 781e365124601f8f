/* What the processes of a program said of their allocator: the file that preload/witness.c writes.
 *
 * The measured program could write there, too: nothing in it is trusted. */
#ifndef HM_HARNESS_EXEC_WITNESS_H
#define HM_HARNESS_EXEC_WITNESS_H

#include "harness/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct hm_witness_case {
    pid_t command;        /* at least one line must be of this process */
    const char *library;  /* real path of where all malloc entry points must come from */
    const char *build_id; /* of that library; "" when it has none */
    bool any_child;       /* processes other than the command may come out otherwise */
};

/** Judge the lines of a file. @param in at its begin
 *  @return 0; ENOENT when the command has no line; EXDEV when a process runs on another allocator; EINVAL
 *  when the file is not a witness's; with one line */
int hm_witness_judge(FILE *in, const struct hm_witness_case *about, struct hm_error *error);

#endif

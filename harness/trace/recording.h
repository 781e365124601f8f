/* A recording: a command that runs with the recording library under it, and the spools that it and
 * its children leave. */
#ifndef HM_HARNESS_TRACE_RECORDING_H
#define HM_HARNESS_TRACE_RECORDING_H

#include "harness/error.h"
#include "traces/spool.h"
#include "traces/trace.h"

#include <limits.h>
#include <sys/types.h>

struct hm_recording_options {
    char *const *argv;   /* the command, with a NULL at its end */
    const char *program; /* its path */
    const char *library;
    const char *spool; /* the folder in which a folder for the spools is made; NULL: TMPDIR, /tmp */
    unsigned frames;   /* of stacks; 0: none */
    bool times;
    bool command_only; /* its children are not recorded */
};

struct hm_recorded_image {
    char name[HM_SPOOL_NAME_BYTES];
    char program[32]; /* its name, without folder; may be cut */
    pid_t pid;
    uint64_t started_ns;
    bool has_calls;
    bool is_alive; /* it still runs */
    enum hm_trace_end end;
    int status;
};

struct hm_recording {
    char folder[PATH_MAX];
    pid_t pid;
    int wait_status;                  /* of the command, as waitpid has it */
    struct hm_recorded_image *images; /* in the order in which they began */
    size_t count;
    size_t unreadable; /* of processes for whose recording there was no room, or no time */
};

/** Run the command to its end. SIGINT and SIGQUIT are the command's, SIGTERM and SIGHUP are handed on
 *  to it; after its end each of them makes hm_recording_interrupted say so. @return 0, or an errno and the line; *out must be closed in both cases. Main thread. */
int hm_recording_run(const struct hm_recording_options *options, struct hm_recording *out,
                     struct hm_error *error);

/** @return the signal that asked to end the work on what was recorded, 0: none did */
int hm_recording_interrupted(void);

/** Remove the spools. */
void hm_recording_close(struct hm_recording *recording);

#endif

/* The options of `heapmark run`, from the command line and the job file to a request. */
#ifndef HM_HARNESS_CLI_OPTIONS_H
#define HM_HARNESS_CLI_OPTIONS_H

#include "harness/plan/request.h"

struct hm_run_options {
    struct hm_request request;
    const char *folder; /* -o; NULL: a new one below results/ */
    const char *resume; /* --resume; NULL: a new run */
    bool force;         /* resume what has changed, too */
    bool dry_run;
    bool no_plots;
    bool require_quiet;
};

/** Parse. @return 0, or EINVAL with one line. hm_run_options_free it in both cases. */
int hm_run_options_parse(int argc, char **argv, struct hm_run_options *out, struct hm_error *error);
void hm_run_options_free(struct hm_run_options *options);

#endif

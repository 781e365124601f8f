/* Carries out what a subcommand asked for: plan, folder, measurement, statistics, table and figures. */
#ifndef HM_HARNESS_CLI_CARRY_H
#define HM_HARNESS_CLI_CARRY_H

#include "harness/plan/request.h"

struct hm_carry {
    const char *command; /* "run": stands in messages */
    int argc;
    char **argv;        /* for run.json */
    const char *folder; /* NULL: a new one below results/ */
    const char *resume; /* NULL: a new run */
    bool force;         /* go on with a run though what is measured has changed */
    bool dry_run;
    bool no_plots;
    bool require_quiet; /* do not start where the machine is bad, and say when it got worse */
};

/** Plan, measure, and say what came out. Main thread; takes over SIGINT and SIGTERM.
 *  @return the exit status of the process */
int hm_carry_out(const struct hm_carry *how, const struct hm_request *request);

#endif

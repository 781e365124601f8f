/* Starts a program in a process group of its own, and tells what it took.
 *
 * Vocabulary
 *   tree      the process and all that it starts
 *   floor     the resident memory of the forked process just before exec. The kernel carries the peak of a
 *             process over exec, so that nothing below this can be seen of the program */
#ifndef HM_HARNESS_EXEC_LAUNCH_H
#define HM_HARNESS_EXEC_LAUNCH_H

#include "harness/machine/topology.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

struct hm_launch {
    const char *path;
    char *const *words;
    char *const *env;
    const char *folder; /* to work in; NULL: ours */
    int input, output, errors;
    const struct hm_topology *topology;
    int cpu; /* -1: unpinned */
};

/* Written by the child just before exec. */
struct hm_launch_start {
    struct timespec at;
    struct rusage usage;
    int failed;   /* errno of what went wrong, exec included */
    char pin[64]; /* "requested>allowed@here", with "failed:" where it could not be bound */
};

struct hm_launched {
    pid_t pid; /* 0: none */
    int pidfd;
    struct hm_launch_start *start; /* shared with the child */
    struct timespec end;
};

struct hm_usage {
    int status; /* as wait(2) has it */
    int failed; /* errno: it could not be executed */
    char pin[64];
    double wall_ns, user_ns, sys_ns;
    double peak_bytes; /* of its largest process; NAN: not above the floor */
    double floor_bytes;
    double minor_faults, major_faults, voluntary_switches, involuntary_switches;
};

/** Start. Main thread. @return 0, or an errno: nothing runs then */
int hm_launch(const struct hm_launch *how, struct hm_launched *out);

/** Wait until it has ended. @param deadline in seconds of CLOCK_MONOTONIC
 *  @param interrupted ends the waiting when set
 *  @return whether it has; it stays to be reaped */
bool hm_launched_wait(struct hm_launched *launched, double deadline,
                      const volatile sig_atomic_t *interrupted);

/** Kill what is left of the process group, and tell what the tree took: the process, and those
 *  descendants that were waited for. Once for each hm_launch. */
void hm_launched_reap(struct hm_launched *launched, struct hm_usage *usage);

/** Kill all descendants of ours that outlived their parents. When nothing launched runs any more. */
void hm_launch_sweep(void);

double hm_launch_now_s(void);

#endif

/* The machine as it is at one moment, as far as it decides whether its times can be trusted, and
 * what to say of it. */
#ifndef HM_HARNESS_MACHINE_STATE_H
#define HM_HARNESS_MACHINE_STATE_H

#include <stdbool.h>

/** What is not known is NAN, -1 or "". */
struct hm_machine_state {
    double loadavg;     /* threads that run or wait to run or for a disk; mean of the last minute */
    double running;     /* threads that run or wait to run now, we included */
    double steal_ticks; /* time that the hypervisor gave to others, all CPUs, since boot */
    double total_ticks; /* all time, in the same unit */
    double swap_used_bytes;
    double cpu_quota;      /* CPUs that the control group may use; INFINITY without a limit */
    unsigned cores;        /* that this process may use; 0 unknown */
    unsigned pus;          /* the kernel's CPUs in them */
    int turbo;             /* 0 off, 1 on */
    int hypervisor;        /* 0 bare metal, 1 virtual machine */
    char governor[32];     /* of frequencies; where policies differ, one that is not performance */
    char thp[32];          /* transparent huge pages: always, madvise, never */
    char clock_source[32]; /* what clock_gettime reads */
};

/** Look now. Main thread, not hot: reads some files of /proc and /sys. */
void hm_machine_sample(struct hm_machine_state *out);

/** Count cores and CPUs that are online. @param all of the machine's, or those that the calling
 *  thread may use  @param cores @param pus receive the counts; 0 unknown */
void hm_machine_count(bool all, unsigned *cores, unsigned *pus);

/** Say what makes measurements on this machine doubtful, what it means and how to mend it: one line
 *  without a newline for each matter, in a fixed order.
 *  @param after NULL before a run. With it, what happened in between is said last: the lines of the
 *         call before the run are the first lines of the call after it
 *  @param max_threads the most threads that a cell has, >= 1
 *  @param say called for each line, which is gone when it returns  @param arg passed on to say
 *  @return number of lines. Any thread. */
int hm_machine_warnings(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, void (*say)(void *arg, const char *line), void *arg);

#endif

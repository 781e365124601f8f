/* The machine as it is at one moment, as far as it decides whether its times can be trusted. What
 * is to be said of it: check.h. */
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
    double memory_available_bytes; /* without swapping; at most what the control group may have */
    double throttles;      /* times that a core was slowed down for heat, since boot, all cores */
    double cpu_quota;      /* CPUs that the control group may use; INFINITY without a limit */
    unsigned cores;        /* that this process may use; 0 unknown */
    unsigned pus;          /* the kernel's CPUs in them */
    int turbo;             /* 0 off, 1 on */
    int hypervisor;        /* 0 bare metal, 1 virtual machine */
    int tsc;               /* x86: 1 counts at one rate, 0 does not */
    int aslr;              /* 0 off, 1 all but the heap behind the program, 2 on */
    int nodes;             /* of memory */
    int numa_balancing;    /* 1: the kernel moves pages between them */
    int perf_paranoid;     /* kernel.perf_event_paranoid, from -1; -2 unknown */
    char governor[32];     /* of frequencies; where policies differ, one that is not performance */
    char thp[32];          /* transparent huge pages: always, madvise, never */
    char clock_source[32]; /* what clock_gettime reads */
    char isolated[64];     /* CPUs on which the kernel puts nothing by itself: "2-3", or "none" */
    /* Seen over a while, by hm_machine_watch alone. */
    double others; /* threads that run or wait to run beside us, median */
    double drift;  /* by how much the slowest tenth of that while was slower than the fastest */
};

/** Look now. Main thread, not hot: reads some files of /proc and /sys. */
void hm_machine_sample(struct hm_machine_state *out);

/** The same of a copy of those files. @param root the folder that has proc/ and sys/; "" for this
 *  machine. CPUs of a copy are all taken to be allowed. */
void hm_machine_sample_in(const char *root, struct hm_machine_state *out);

/** Look for about a second, most of it asleep: fills in what is seen over a while. */
void hm_machine_watch(struct hm_machine_state *out);

/** Count cores and CPUs that are online. @param all of the machine's, or those that the calling
 *  thread may use  @param cores @param pus receive the counts; 0 unknown */
void hm_machine_count(bool all, unsigned *cores, unsigned *pus);

#endif

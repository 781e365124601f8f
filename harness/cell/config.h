/* What one measured process is told to do: its command line, written by the parent and read by the
 * child. */
#ifndef HM_HARNESS_CELL_CONFIG_H
#define HM_HARNESS_CELL_CONFIG_H

#include "harness/error.h"
#include "harness/plan/spec.h"

#include <limits.h>

/** A pass measures one kind of thing; each has processes of its own. */
enum hm_pass {
    HM_PASS_CALIBRATE, /* how long one unit takes */
    HM_PASS_TIME,
    HM_PASS_SPACE,        /* live bytes and footprint, between chunks of the work */
    HM_PASS_LATENCY,      /* of single calls of the heap */
    HM_PASS_INSTRUCTIONS, /* counted by valgrind's callgrind, which the process runs under */
    HM_PASS_COUNTERS,     /* of the processor */
    HM_PASS_WARMUP,       /* the time of each iteration, the first one too */
    HM_PASS_COUNT,
};

/** "calibrate", "time", .. */
const char *hm_pass_name(enum hm_pass pass);

struct hm_cell_config {
    enum hm_pass pass;
    struct hm_allocator_spec allocator;
    struct hm_collector_spec collector;
    bool has_collector;
    enum hm_threading threading; /* of the collector's mutators */
    struct hm_workload_spec workload;
    unsigned threads;
    int *cpus;          /* one for each thread, -1 unpinned; owned */
    unsigned processes; /* that the workload starts */
    int *process_cpus;  /* one for each of these; owned */
    uint64_t seed;
    uint64_t units;         /* timed; in the calibration: nanoseconds to reach */
    uint64_t warmup_units;  /* done before, on the same heap */
    uint64_t spin_ns;       /* busy waiting before the warm-up */
    uint64_t rate;          /* in the latency pass: calls per second of each thread, 0 for any */
    unsigned idle_s;        /* in the space pass, after the teardown */
    unsigned slices;        /* in the time pass: turns in which the work is done; 0: all at once */
    char nonce[33];         /* proves that the process came to its end */
    char library[PATH_MAX]; /* where all malloc entry points must come from; "" for the C library */
    char gbench_name[4 * HM_SPEC_BYTES]; /* under which it stands there: the cell\'s id */
    char gbench[PATH_MAX];               /* where Google Benchmark's JSON goes; "" for nowhere */
    char profile[PATH_MAX];              /* where callgrind's counts go, in their pass */
};

/** Read the arguments of `heapmark cell`. @return 0 or EINVAL with a line. hm_cell_config_free it.
 */
int hm_cell_config_parse(int argc, char **argv, struct hm_cell_config *out, struct hm_error *error);
void hm_cell_config_free(struct hm_cell_config *config);

enum {
    HM_CELL_FD = 3, /* the child reports here */
    HM_TURN_FD = 4, /* it waits for its turns here: a byte for each, drawn at random */
};

#endif

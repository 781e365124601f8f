/* The plan of a run: every cell of the matrix, checked against the parts and the machine.
 *
 * Vocabulary
 *   arm     one configuration of an allocator, with its label
 *   group   one workload at one number of threads: the cells that are compared, and that do the
 * very same operations A/A arm a second arm of the baseline allocator: the difference between the
 * two is noise
 *
 * A workload without a heap is compared with nothing: its group is one cell and its A/A arm, whatever
 * allocators and collectors the matrix names. One of processes on a shared heap is compared over
 * allocators; there are no floor rows, which have no such heap.
 *
 * A program that is measured as a whole (program.h) is a group, too: its operation is one run of the command,
 * its threads are its own, and it has no floor rows.
 *
 * Invariants: a group's cells are consecutive; its first cell is the baseline of the group; every
 * other cell names the cell that it is compared with. */
#ifndef HM_HARNESS_PLAN_PLAN_H
#define HM_HARNESS_PLAN_PLAN_H

#include "harness/cell/config.h"
#include "harness/error.h"
#include "harness/machine/topology.h"
#include "harness/plan/program.h"
#include "harness/plan/request.h"
#include "harness/plan/spec.h"
#include "harness/plan/sweep.h"
#include "harness/stats/looks.h"

#include <limits.h>

#define HM_NO_HEAP "-" /* the label of a cell's allocator where there is no heap */

struct hm_arm {
    char label[HM_SPEC_BYTES];
    struct hm_allocator_spec spec;
    char library[PATH_MAX]; /* preloaded under the child; "" for none */
    char build_id[64];
    char **env; /* env_count strings "NAME=VALUE", owned by the plan */
    unsigned env_count;
    bool plugin;       /* the library is a plug-in: loaded by the child, not preloaded */
    bool control;      /* measures the harness: no verdict */
    bool again;        /* the A/A arm */
    char missing[256]; /* why it can not run on this machine; "" when it can */
};

struct hm_collector_arm {
    char label[HM_SPEC_BYTES];
    struct hm_collector_spec spec;
    char missing[256]; /* why it can not run on this machine; "" when it can */
};

struct hm_workload_arm {
    char label[HM_SPEC_BYTES];
    struct hm_workload_spec spec;
};

struct hm_group {
    struct hm_workload_arm *workload;
    const struct hm_program *program; /* a whole program in the place of a workload; or NULL */
    unsigned threads;
    int *cpus;          /* one for each thread, -1 where unpinned */
    unsigned processes; /* that the workload starts */
    int *
        process_cpus; /* one for each of these; as they begin anew, the first is the first thread's,
                           which waits while they work */
    bool oversubscribed;
    size_t first; /* index of its first cell */
    size_t count;
    /* Set by the calibration: the same for every cell of the group. */
    uint64_t units;
    uint64_t warmup_units;
    uint64_t counted_units; /* of the pass of instructions, and of its warm-up */
    unsigned slices;        /* turns in which its processes do their work; 0: one after another */
    char no_turns[160];     /* why it is so, although turns were asked for; "" otherwise */
    unsigned rounds;        /* in which it was measured so far */
    bool rests; /* all that is to be decided about it is: it takes no part in further rounds */
};

struct hm_cell {
    char id[4 * HM_SPEC_BYTES];
    struct hm_group *group;
    struct hm_arm *arm;
    struct hm_collector_arm *collector; /* NULL for heap workloads */
    size_t baseline;      /* index of the cell that it is compared with; its own for a baseline */
    char skip[256];       /* why it is not run; "" when it is */
    double ns_per_unit;   /* set by the calibration; NAN before it and where it failed */
    double peak_bytes;    /* resident in the calibration; NAN as well */
    size_t rounds_needed; /* that would settle an inconclusive time; 0 when settled or not known */
    /* Of its time, by the last look of a run with looks. */
    const char *verdict;    /* static storage; NULL where it is not compared */
    unsigned decided_after; /* rounds; 0 while it is inconclusive */
    char proof[PATH_MAX];   /* where its malloc came from, as its last process found */
    char pinned[512];       /* "requested>allowed@last" for each of its threads */
    uint64_t output_hash;   /* of a program's standard output, the first that was seen; 0: none */
    bool output_varies;     /* from run to run */
    size_t *images;         /* what its processes had mapped, as indices of the run's images */
    size_t image_count;
};

struct hm_plan {
    struct hm_arm **arms;
    struct hm_collector_arm **collectors;
    struct hm_workload_arm **workloads;
    struct hm_group **groups;
    struct hm_cell *cells;
    struct hm_sweep **sweeps;
    size_t sweep_count;
    size_t arm_count, collector_count, workload_count, group_count, cell_count;
    const struct hm_programs *programs; /* what the groups are of, borrowed; NULL: workloads */

    const char *mode; /* static storage */
    enum hm_pin pin;
    enum hm_threading threading; /* of mutators */
    unsigned rounds;             /* the most, where there are looks */
    struct hm_looks looks;       /* none: the number of rounds is fixed */
    double budget_s;             /* of a run with looks */
    bool out_of_budget;          /* set by the measurement: no further round would fit */
    uint64_t seed;
    double timeout_s;
    double margin;   /* 0.02 for 2 % */
    double target_s; /* measured time of the baseline, for each process */
    double turn_ms;  /* of it in each turn; 0: processes do not take turns */
    bool all_turns;  /* every group takes them, and not only those whose slices can be led in */
    bool time_pass, space_pass, latency_pass, instructions_pass, counters_pass, warmup_pass;
    char valgrind[PATH_MAX];   /* the program; "" where it is not wanted or not there */
    char no_instructions[128]; /* why they can not be counted on this machine; "" when they can */
    uint64_t rate;   /* of the latency pass, calls per second of each thread; 0: closed loops */
    unsigned idle_s; /* that a process of the space pass stays idle at its end */
};

/** Build a plan. Main thread. @param topology of this machine, or a synthetic one for planning
 *  @return 0 and *out (hm_plan_free it), or EINVAL or ENOMEM with one line */
int hm_plan_build(struct hm_plan **out, const struct hm_request *request,
                  const struct hm_topology *topology, struct hm_error *error);
void hm_plan_free(struct hm_plan *plan);

/** Rounds of one pass; 0 when the pass was not asked for. */
unsigned hm_plan_rounds(const struct hm_plan *plan, enum hm_pass pass);
/** Those of one group: without a heap there is no space to measure. */
unsigned hm_group_rounds(const struct hm_plan *plan, const struct hm_group *group,
                         enum hm_pass pass);

/** Whether anything is measured by a clock. */
bool hm_plan_is_timed(const struct hm_plan *plan);

/** The columns `workload` and `params` of a group. @param room for parameters that have to be written out
 *  @return the text: in `room`, or the plan's */
const char *hm_group_workload(const struct hm_group *group);
const char *hm_group_params(const struct hm_group *group, char room[HM_SPEC_BYTES]);

/** How many processes measure this plan, calibration included, and an estimate of their time. */
size_t hm_plan_processes(const struct hm_plan *plan);
double hm_plan_seconds(const struct hm_plan *plan);

#endif

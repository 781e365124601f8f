/* Runs one measured process and brings back what it reported, whatever becomes of it. */
#ifndef HM_HARNESS_CELL_SPAWN_H
#define HM_HARNESS_CELL_SPAWN_H

#include "harness/cell/config.h"
#include "harness/machine/topology.h"
#include "harness/plan/plan.h"
#include "harness/results/status.h"

#include <signal.h>

struct hm_measured {
    char metric[32];
    int thread;   /* -1: the whole process */
    double value; /* NAN: not known */
    char reason[96];
};

struct hm_point {
    char metric[32];
    int thread;
    uint64_t t_ns;
    double value;
};

/** Of a histogram of harness/stats/histogram.h. */
struct hm_bucket {
    char metric[32];
    unsigned bucket;
    uint64_t count;
};

/** A stretch of a heap's addresses at one time; in bytes. */
struct hm_heap_spot {
    uint64_t t_ns;
    uint64_t offset, size, used, free;
};

struct hm_outcome {
    enum hm_status status;
    char reason[256]; /* "" for ok */
    char proof[PATH_MAX];
    char pins[512]; /* "requested>actual" for each thread */
    uint64_t checksum;
    uint64_t output_hash; /* of a program's standard output; 0: none */
    uint64_t ops;
    double seconds; /* that the process took, from its start to its end, but for its waits */
    bool waits;     /* for its turn */
    struct hm_measured *values;
    size_t value_count;
    struct hm_point *points;
    size_t point_count;
    struct hm_bucket *buckets;
    size_t bucket_count;
    char *images; /* lines "BUILD-ID PATH" of what was mapped; NULL: none was told */
    struct hm_heap_spot *spots;
    size_t spot_count;
};

struct hm_spawn {
    const char *program; /* absolute path of heapmark */
    const struct hm_topology *topology;
    const struct hm_plan *plan;
    const struct hm_cell *cell;
    enum hm_pass pass;
    uint64_t units;
    uint64_t warmup_units;
    uint64_t spin_ns;
    uint64_t salt;       /* for the nonce and the padding of the environment */
    const char *gbench;  /* file for Google Benchmark's JSON, or "" */
    const char *profile; /* file for callgrind's counts, in their pass */
    const char *place;   /* of programs: where the files of their processes are made */
    unsigned round;
    unsigned slices; /* turns in which the process does its work; 0: all at once */
    const volatile sig_atomic_t *interrupted;
};

enum {
    HM_STREAM_LINE = 4096,
};

/** One descriptor that is read line by line; a longer line is cut. */
struct hm_stream {
    int fd; /* -1 when closed */
    char line[HM_STREAM_LINE];
    size_t used;
};

/** A process that was started. */
struct hm_process {
    const struct hm_spawn *spawn;
    struct hm_outcome *outcome;
    pid_t pid;
    struct hm_stream report; /* HM_CELL_FD */
    struct hm_stream output; /* stdout and stderr together: only the last line is kept */
    int turn_fd;             /* a byte is a turn; -1 when it takes none */
    char last[256];
    char nonce[33];
    bool ended;     /* the nonce came */
    bool malformed; /* a report was not understood */
    bool in_time;   /* it did not take longer than it may */
    double seconds; /* that it was waited for */
};

/** Start a process in a group of its own. Main thread. @param spawn,outcome borrowed until its end
 *  @return 0, or the errno with which the parent could not go on */
int hm_process_start(struct hm_process *process, const struct hm_spawn *spawn,
                     struct hm_outcome *outcome);
/** Take what it reports until it waits for its turn, or has ended, or its time is over: the time in which
 *  it is listened to. @return whether it waits; else hm_process_end it */
bool hm_process_listen(struct hm_process *process);
/** Give it its turn, and listen. @param draw a number for this turn  @return as above */
bool hm_process_go_on(struct hm_process *process, unsigned char draw);
/** End it, with all of its group that is left, and fill in its outcome. */
void hm_process_end(struct hm_process *process);

/** All three: run the process in a group of its own, until it ends or the plan's timeout passes; nothing of
 * the group is left behind. Main thread. @return 0 with *out filled (hm_outcome_free it), whatever
 * the status; or an errno when the parent itself could not go on. */
int hm_spawn_cell(const struct hm_spawn *spawn, struct hm_outcome *out);
void hm_outcome_free(struct hm_outcome *outcome);

/** A value that the process reported, or NAN. */
double hm_outcome_value(const struct hm_outcome *outcome, const char *metric, int thread);

#endif

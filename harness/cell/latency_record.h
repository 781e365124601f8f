/* What the latency pass writes down of single calls, each thread by itself.
 *
 * Vocabulary
 *   kind       of call, as harness/results/latency_names.h has them
 *   recording  within a timed step, on a thread that has a record */
#ifndef HM_HARNESS_CELL_LATENCY_RECORD_H
#define HM_HARNESS_CELL_LATENCY_RECORD_H

#include "harness/cell/ticks.h"
#include "harness/results/latency_names.h"
#include "harness/stats/histogram.h"

struct hm_stall {
    uint64_t parts;
    uint64_t t_ns; /* in the timed work */
    int thread;    /* -1: one that the workload started */
    uint8_t kind;
};

struct hm_latency_record {
    struct hm_histogram kinds[HM_LATENCY_KINDS];
    struct hm_stall stalls[HM_LATENCY_STALLS];
    struct hm_histogram response; /* of all calls, from when they were due; in open loops */
    uint64_t calls;               /* recorded or not */
    uint64_t stall_most; /* parts: what is longer is a stall that is kept; the shortest of those */
};

/* Of a thread that is inside; those of threads that have left are used again. */
struct hm_latency_thread {
    struct hm_latency_record kept;
    uint64_t step;                    /* in which `first_ticks` was */
    uint64_t first_ticks;             /* when its first call of the step was due */
    uint64_t sent;                    /* calls since then */
    bool inside;                      /* a call: what it calls in turn is a part of it */
    struct hm_latency_thread *next;   /* of all */
    struct hm_latency_thread *unused; /* the next one that nobody uses */
};

/** Written between steps only. */
struct hm_latency {
    bool on;    /* a timed step goes on */
    bool whole; /* whole operations are recorded, and no calls in them */
    uint64_t on_ticks, on_ns;
    double gap_ticks; /* between two calls of an open loop; 0: closed */
    uint64_t step;    /* timed steps so far */
};

extern struct hm_latency hm_latency;
extern __thread struct hm_latency_thread *hm_latency_own; /* NULL: the thread has no record */

/** Give the calling thread a record. @return 0 or ENOMEM */
int hm_latency_enter(void);
void hm_latency_leave(void);

/** Counts the call. Hot. */
static inline bool hm_latency_is_recording(void) {
    if (hm_latency_own)
        hm_latency_own->kept.calls++;
    return hm_latency.on && hm_latency_own;
}

/** Write down a call. While recording, after both readings. */
void hm_latency_note(unsigned kind, uint64_t begin, uint64_t end);

/** In an open loop, while recording. @return when the call is due, which is now or was before */
uint64_t hm_latency_wait_until_due(void);
/** The same without the wait. @param now @return when the next call is due */
uint64_t hm_latency_due(uint64_t now);
/** Write down when a call that was due has ended. */
void hm_latency_respond(uint64_t due, uint64_t end);

/** A timed step begins, or has ended. Between steps no thread is in the heap.
 *  @param done_ns of timed work so far */
void hm_latency_record(bool on, uint64_t done_ns);

/** From now on each thread's calls are due at fixed times, so many per second, counted from the thread's
 *  first call in a timed step. What comes before is waited for; what is late is done at once, and the wait
 *  is part of its response. 0: they are due when they come. */
void hm_latency_open_loop(uint64_t rate);

/** Calls of all threads since the heap was opened. No thread is in the heap. */
uint64_t hm_latency_calls(void);

/** All threads' records in one. @return NULL when there is no memory for it. No thread is in the heap. */
const struct hm_latency_record *hm_latency_merge(void);

#endif

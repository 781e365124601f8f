/* What the layer of the latency pass has recorded, for the pass to tell. */
#ifndef HM_HARNESS_CELL_LATENCY_LAYER_H
#define HM_HARNESS_CELL_LATENCY_LAYER_H

#include "harness/cell/latency.h"
#include "harness/stats/histogram.h"

struct hm_stall {
    uint64_t parts;
    uint64_t t_ns; /* in the timed work */
    int thread;    /* -1: one that the workload started */
    uint8_t call, size;
};

struct hm_latency_record {
    struct hm_histogram kinds[HM_LATENCY_CALLS][HM_LATENCY_SIZES];
    struct hm_stall stalls[HM_LATENCY_STALLS];
    struct hm_histogram response; /* of all calls, from when they were due; in open loops */
    uint64_t calls;               /* recorded or not */
    uint64_t stall_most; /* parts: what is longer is a stall that is kept; the shortest of those */
};

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

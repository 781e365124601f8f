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
    uint64_t stall_most; /* parts: what is longer is a stall that is kept; the shortest of those */
};

/** A timed step begins, or has ended. Between steps no thread is in the heap.
 *  @param done_ns of timed work so far */
void hm_latency_record(bool on, uint64_t done_ns);

/** All threads' records in one. @return NULL when there is no memory for it. No thread is in the heap. */
const struct hm_latency_record *hm_latency_merge(void);

#endif

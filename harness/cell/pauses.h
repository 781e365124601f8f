/* Records the pauses of one thread's collector, into memory that was touched beforehand. */
#ifndef HM_HARNESS_CELL_PAUSES_H
#define HM_HARNESS_CELL_PAUSES_H

#include "collectors/collector.h"

enum {
    HM_PAUSES_KEPT = 1 << 16, /* later ones are only counted and added up */
    HM_PAUSES_TOLD = 1 << 12, /* of each thread, to series.csv */
};

struct hm_pause {
    uint64_t begin_ns; /* of the timed work */
    uint64_t length_ns;
};

struct hm_pauses {
    struct hm_pause *kept; /* the first HM_PAUSES_KEPT */
    uint64_t count;
    uint64_t total_ns;
    uint64_t longest_ns;
    uint64_t begin_ns; /* of the pause that is going on */
    uint64_t zero_ns;  /* when the timed work would have begun, had it gone on without a break */
    uint64_t settled;  /* so many were counted from the true one */
    bool recording;
    /* Records nothing: which of two pauses is longer takes an instruction more or less, which is counted. */
    bool silent;
    struct hm_gc_events events; /* given to the collector */
};

/** Map the memory and fill in the events. @return 0 or ENOMEM */
int hm_pauses_open(struct hm_pauses *pauses);
/** Forget what was recorded and start to record. */
void hm_pauses_reset(struct hm_pauses *pauses);

/** After a run: its pauses are counted from when its first thread began, which was not known before.
 *  @param zero_ns at most when the first of them began */
void hm_pauses_settle(struct hm_pauses *pauses, uint64_t zero_ns);

#endif

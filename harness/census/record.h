/* A heap that keeps the demographics of what is allocated on it: how large blocks are, how long they
 * live, how much is live at once.
 *
 * Vocabulary
 *   birth, death   a block comes with malloc, calloc or aligned_alloc, and goes with free. A realloc of
 *                  a block is one death and one birth, as valgrind's memcheck counts it.
 *   lifetime       what is born after a block and before its death, in bytes as requested or in
 *                  births: 0 for a block that is freed at once.
 *   event          a birth or a death.
 *   crossed        a death on another thread than the birth.
 *   interval       a stretch of equally many events; of its live bytes the least and the most are kept.
 *                  When all intervals are full, each two become one.
 *
 * What happens before hm_census_count_from_now (the set-up) makes lifetimes, live bytes and events; the
 * counts and histograms are of what comes after it. After hm_census_stop nothing is recorded. */
#ifndef HM_HARNESS_CENSUS_RECORD_H
#define HM_HARNESS_CENSUS_RECORD_H

#include "allocators/allocator.h"
#include "harness/census/histogram.h"

enum {
    HM_CENSUS_INTERVALS = 128,
    HM_CENSUS_THREADS = 64, /* that are told apart; the last one stands for all others, too */
};

struct hm_census_counts {
    uint64_t mallocs; /* realloc(NULL, size) among them */
    uint64_t callocs;
    uint64_t aligned;
    uint64_t reallocs; /* of a block */
    uint64_t frees;
    uint64_t crossed; /* deaths by free or realloc */
    uint64_t bytes;   /* of all births */
};

struct hm_census_interval {
    uint64_t low_bytes, high_bytes; /* live */
    uint64_t high_blocks;
};

/** All that is recorded of one workload. Of a fixed size, so that a child can leave it in memory that
 *  its parent shares. */
struct hm_census_record {
    struct hm_census_counts counts; /* of all threads */
    struct hm_census_counts threads[HM_CENSUS_THREADS];
    unsigned thread_count;         /* that had an event, at most HM_CENSUS_THREADS */
    uint64_t min_bytes, max_bytes; /* of a birth; UINT64_MAX and 0 when there was none */
    struct hm_census_histogram sizes;
    struct hm_census_histogram life_bytes;
    struct hm_census_histogram life_births;
    uint64_t live_blocks, live_bytes; /* at the end */
    uint64_t peak_blocks, peak_bytes; /* set-up included */
    uint64_t setup_events;
    uint64_t events; /* set-up included */
    uint64_t interval_events;
    unsigned interval_count;
    struct hm_census_interval intervals[HM_CENSUS_INTERVALS];
};

/** The recording layer. It is not registered: a spec has it as its first part. One heap at a time in a
 *  process; hm_census_start comes before. */
extern const struct hm_allocator hm_census_layer;

/** @param record zeroed; filled in until hm_census_stop */
void hm_census_start(struct hm_census_record *record);
/** The set-up has ended. No other thread is in the heap; of hm_census_stop, too. */
void hm_census_count_from_now(void);
void hm_census_stop(void);

/** Births that were counted. */
uint64_t hm_census_births(const struct hm_census_counts *counts);

#endif

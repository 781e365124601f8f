/* The clock, for the workloads that have a figure which is a time within the work, as the longest insert.
 * No other run() reads one. */
#ifndef HM_WORKLOADS_CLOCK_H
#define HM_WORKLOADS_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Nanoseconds since some moment before the process began; never goes back. Some 20 ns. */
static inline uint64_t hm_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif

/* What the heap holds from the system beyond the live bytes: for workloads whose figure that is.
 *
 * Vocabulary
 *   resident  bytes of the process that are in memory and of no file, without the harness's scratch.
 *   base      the lowest resident bytes that a thread of the cell saw before it filled its heap.
 *   live      bytes that all threads of the cell hold, as requested.
 *   dead      resident bytes since the base that are not live: kept for reuse, lost to fragments and
 *             to the allocator's own tables.
 *
 * It lies in run->shared, zeroed. All of it is untimed but for hm_footprint_add, which a thread calls
 * once in a unit; `dead` is for a time at which no other thread of the cell is at work. */
#ifndef HM_WORKLOADS_FOOTPRINT_H
#define HM_WORKLOADS_FOOTPRINT_H

#include "workloads/scratch.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct hm_footprint {
    uint64_t base; /* 0: not known yet */
    int64_t live;
};

/* @return bytes that a file of /proc has behind two words, in KiB; UINT64_MAX when there is no file, or
 * it lacks one of them */
static inline uint64_t hm_footprint_read_(const char *path, const char *one, const char *other) {
    char text[2048];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return UINT64_MAX;
    ssize_t used = read(file, text, sizeof text - 1);
    close(file);
    if (used <= 0)
        return UINT64_MAX;
    text[used] = '\0';
    const char *first = strstr(text, one);
    const char *second = strstr(text, other);
    if (!first || !second)
        return UINT64_MAX;
    return 1024 *
           (strtoull(first + strlen(one), NULL, 10) + strtoull(second + strlen(other), NULL, 10));
}

/** Resident bytes of the process that are of no file, without scratch: code comes as it is called for,
 *  16 pages at a time, and is no heap's. The kernel walks the page tables for an exact count; where it
 *  does not offer that, its running count may lag by some tens of pages.
 *  @return UINT64_MAX when the kernel does not tell */
static inline uint64_t hm_footprint_resident(void) {
    uint64_t bytes = hm_footprint_read_("/proc/self/smaps_rollup", "\nAnonymous:", "\nPss_Shmem:");
    if (bytes == UINT64_MAX)
        bytes = hm_footprint_read_("/proc/self/status", "\nRssAnon:", "\nRssShmem:");
    return bytes == UINT64_MAX ? UINT64_MAX : bytes - hm_scratch_bytes();
}

/** At the end of a thread's set-up of its scratch, before its first allocation. */
static inline void hm_footprint_open(struct hm_footprint *footprint) {
    uint64_t now = hm_footprint_resident();
    uint64_t base = __atomic_load_n(&footprint->base, __ATOMIC_RELAXED);
    while ((!base || now < base) &&
           !__atomic_compare_exchange_n(&footprint->base, &base, now, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
}

/** Tell of live bytes that came, or went. */
static inline void hm_footprint_add(struct hm_footprint *footprint, int64_t bytes) {
    __atomic_fetch_add(&footprint->live, bytes, __ATOMIC_RELAXED);
}

/** @return bytes, 0 at least; NAN when they are not known */
static inline double hm_footprint_dead(const struct hm_footprint *footprint) {
    uint64_t now = hm_footprint_resident();
    if (now == UINT64_MAX || footprint->base == UINT64_MAX)
        return NAN;
    double live = (double)__atomic_load_n(&footprint->live, __ATOMIC_RELAXED);
    return fmax((double)now - (double)footprint->base - live, 0);
}

/** The mean of what was looked at since the last call of measure(). */
struct hm_mean {
    double sum;
    uint64_t count;
};

static inline void hm_mean_add(struct hm_mean *mean, double value) {
    mean->sum += value;
    mean->count++;
}

/** @return the mean, NAN of nothing; it begins anew */
static inline double hm_mean_take(struct hm_mean *mean) {
    double value = mean->count ? mean->sum / (double)mean->count : NAN;
    *mean = (struct hm_mean){0, 0};
    return value;
}

#endif

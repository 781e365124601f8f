/* A table of sizes for the workload profile (docs/profile.md), made small and whole enough for it.
 *
 * The workload holds whole blocks, and at least one of each row. So many sizes of which less than one
 * block is live would hold far too much. Neighbouring sizes are merged until that is not so. */
#ifndef HM_HARNESS_TRACE_PROFILE_ROWS_H
#define HM_HARNESS_TRACE_PROFILE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#define HM_PROFILE_SIZE_MAX   (1u << 30)
#define HM_PROFILE_ROWS_MAX   65536
#define HM_PROFILE_PLACES_MAX 4000000

struct hm_profile_row {
    uint64_t size;
    double rate;
    double live;       /* blocks, mean */
    double live_bytes; /* of what was merged into it: not live * size, when that is rounded */
};

/** What the workload will hold. */
struct hm_profile_held {
    double blocks;
    double bytes;
    double bytes_error; /* against what is live in truth, in parts of it */
};

struct hm_profile_held hm_profile_hold(const struct hm_profile_row *rows, size_t count);

/** What a row must have to stand by itself. */
struct hm_profile_rule {
    double least_live;     /* blocks */
    double most_off_bytes; /* by which whole blocks may hold too much or too little */
};

/** Merge each row that must not stand by itself with the next larger ones, until it may; what is left
 *  joins the last. The size of a row is the mean of what is live in it.
 *  @param rows by size  @return how many rows there are now */
size_t hm_profile_merge(struct hm_profile_row *rows, size_t count,
                        const struct hm_profile_rule *rule);

/** Merge as little as it takes, in place: until the workload can hold the rows with at most 1 % of live bytes
 *  too many or too few; and if that can not be, with the smallest error.
 *  @param rule what the rows were merged by  @return how many rows there are now; 0: no memory */
size_t hm_profile_fit(struct hm_profile_row *rows, size_t count, struct hm_profile_rule *rule);

#endif

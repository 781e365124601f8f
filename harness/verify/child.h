/* The verifying process: opens the heap and runs one property. */
#ifndef HM_HARNESS_VERIFY_CHILD_H
#define HM_HARNESS_VERIFY_CHILD_H

#include "harness/verify/property.h"

#include <limits.h>

/** What it is told: the command line of `heapmark verify-child`. */
struct hm_verify_task {
    struct hm_allocator_spec allocator;
    const struct hm_property *property;
    char library[PATH_MAX]; /* where malloc must come from; "" for the C library */
    uint64_t ops;
    uint64_t seed;
    double timeout_s;
    uint64_t failed_at; /* when shrinking */
    bool shrink;
    bool plugin;
    bool unaligned;
};

/** Read the command line, as hm_verify_property writes it. @return 0 or EINVAL with one line */
int hm_verify_task_parse(int argc, char **argv, struct hm_verify_task *out, struct hm_error *error);

/** Run the property and leave the verdict on the board (HM_BOARD_FD). Ends the process. */
__attribute__((noreturn)) void hm_verify_child(const struct hm_verify_task *task);

#endif

/* How a measured process ended. Only `ok` ever enters a mean, a rank or a figure. */
#ifndef HM_HARNESS_RESULTS_STATUS_H
#define HM_HARNESS_RESULTS_STATUS_H

enum hm_status {
    HM_STATUS_OK,
    HM_STATUS_SKIP,            /* not run, for a reason that was known beforehand */
    HM_STATUS_EXIT,            /* ended with a status of its own */
    HM_STATUS_SIGNAL,          /* killed by a signal */
    HM_STATUS_TIMEOUT,         /* did not end in time */
    HM_STATUS_OOM,             /* the heap ran out */
    HM_STATUS_WRONG_ALLOCATOR, /* another allocator than the asked one was in place */
    HM_STATUS_INVALID,         /* the work was not done, or not the same as in the other arms */
    HM_STATUS_INTERRUPTED,     /* by the user */
    HM_STATUS_UNTRUSTED,       /* the measurement contradicts itself */
    HM_STATUS_COUNT
};

/** The word in the files. */
static inline const char *hm_status_name(enum hm_status status) {
    static const char *const names[HM_STATUS_COUNT] = {
        "ok",      "skip",        "exit",     "signal", "timeout", "oom", "wrong-allocator",
        "invalid", "interrupted", "untrusted"};
    return names[status];
}

#endif

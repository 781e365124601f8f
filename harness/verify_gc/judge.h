/* Runs one property of one collector in a process of its own, and says what became of it. */
#ifndef HM_HARNESS_VERIFY_GC_JUDGE_H
#define HM_HARNESS_VERIFY_GC_JUDGE_H

#include "harness/verify_gc/check.h"

struct hm_gc_judge {
    uint64_t effort;
    uint64_t seed;
    double timeout_s; /* a process without progress for so long has failed */
};

struct hm_gc_finding {
    enum hm_conform verdict;
    char line[900]; /* what broke, or a note; "" for nothing to say */
    char script[sizeof((struct hm_check_board *)0)->script]; /* "" for none */
    unsigned script_ops;
};

/** Main thread of a process that has no other. @param collector a spec; a plug-in's begins with its
 *  path  @param property NULL: only see whether the spec can be used
 *  @return 0 with *out filled in, whatever the verdict; EINVAL with one line for a bad spec; another
 *  errno when the parent can not go on */
int hm_gc_judge(const struct hm_gc_judge *judge, const char *collector,
                const struct hm_gc_property *property, struct hm_gc_finding *out,
                struct hm_error *error);

#endif

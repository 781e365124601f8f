/* A trace, read once and summed by sites: what `heapmark trace top` and `flame` begin with. */
#ifndef HM_HARNESS_TRACE_SUM_H
#define HM_HARNESS_TRACE_SUM_H

#include "harness/error.h"
#include "harness/trace/groups.h"
#include "harness/trace/sites.h"

/** Wrappers that are nobody's site. */
#define HM_SUM_SKIP "operator new*,std::*,__gnu_cxx::*"

/** Calls that a temporary block lives at most, if not told otherwise. */
#define HM_SUM_TEMPORARY_CALLS 8

struct hm_sum_options {
    enum hm_by by;
    bool by_given;   /* or else `by` is size where there are no stacks */
    bool with_lines; /* in the names of stacks */
    const char *skip;
    unsigned temporary_calls;
};

struct hm_sum {
    struct hm_trace_reader *reader;
    struct hm_groups *groups;
    struct hm_sites *sites;
    enum hm_by by;
};

/** @param out zeroed by the caller, who calls hm_sum_close() whatever happens
 *  @return 0, or an errno with the line in *error: EINVAL: the trace is broken, or has no stacks */
int hm_sum_take(struct hm_sum *out, const char *path, const struct hm_sum_options *options,
                struct hm_error *error);

void hm_sum_close(struct hm_sum *sum);

/** Said of a trace without stacks. */
#define HM_SUM_NO_STACKS "no call stacks in it: record with --stacks"

#endif

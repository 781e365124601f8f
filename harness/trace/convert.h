/* From the spool of a recorded process to its trace. */
#ifndef HM_HARNESS_TRACE_CONVERT_H
#define HM_HARNESS_TRACE_CONVERT_H

#include "harness/error.h"
#include "traces/spool.h"
#include "traces/trace.h"

/** What is kept from one conversion for the next: where the parents of forked children stand, so that
 *  none is read from its begin for each of its children. */
struct hm_convert_pasts;

struct hm_convert_options {
    const char *folder; /* of the spools */
    const char *name;   /* of the spool that is converted */
    const char *out;    /* the trace's path, which must not exist */
    enum hm_trace_end end;
    int status;
    bool is_alive; /* it still ran when the recording ended */
    struct hm_convert_pasts *pasts;
    int (*interrupted)(void); /* asked now and then: not 0 ends the conversion with EINTR */
};

struct hm_converted {
    struct hm_trace_totals totals;
    uint64_t dropped; /* calls that the library could not keep */
    uint64_t missed;  /* blocks that went without a call: their address was given out once more */
    int error;        /* why calls were dropped: an errno */
};

/** @return NULL when there is no memory */
struct hm_convert_pasts *hm_convert_pasts_new(void);
void hm_convert_pasts_free(struct hm_convert_pasts *pasts);

/** Spools of one folder, best in the order in which the processes began.
 *  @return 0, or an errno and the line. Main thread. */
int hm_convert(const struct hm_convert_options *options, struct hm_converted *out,
               struct hm_error *error);

#endif

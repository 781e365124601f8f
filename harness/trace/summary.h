/* What a recorded heap comes to: counts, and how large its blocks are and how long they live.
 *
 * A life is that of a block that died: from its birth to its free. A reallocated block dies and is born
 * again. It is told in operations, in bytes that were allocated between, and in time where the trace
 * has it. */
#ifndef HM_HARNESS_TRACE_SUMMARY_H
#define HM_HARNESS_TRACE_SUMMARY_H

#include "harness/census/histogram.h"
#include "harness/error.h"
#include "traces/trace.h"

struct hm_summary_thread {
    uint64_t operations, allocations, frees, bytes;
};

struct hm_summary {
    struct hm_trace_totals totals;
    uint64_t kinds[HM_TRACE_KINDS]; /* events, failed ones too */
    uint64_t file_bytes;
    uint64_t end_blocks, end_bytes;   /* still live, with those of the next */
    uint64_t end_inherited;           /* blocks */
    struct hm_census_histogram sizes; /* of all that was allocated */
    struct hm_census_histogram life_operations, life_bytes, life_ns;
    struct hm_summary_thread *threads; /* totals.threads of them */
};

/** Read all of a trace. @param path for the size of the file and for messages
 *  @return 0, or an errno with the line */
int hm_summary_take(struct hm_summary *summary, struct hm_trace_reader *reader, const char *path,
                    struct hm_error *error);
void hm_summary_free(struct hm_summary *summary);

/* ---- Showing it ---- */

/** At 80 columns. */
void hm_summary_put_table(FILE *out, const struct hm_summary *summary,
                          const struct hm_trace_facts *facts, const char *path);
void hm_summary_put_json(FILE *out, const struct hm_summary *summary,
                         const struct hm_trace_facts *facts);

#endif

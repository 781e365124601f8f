/* What each site of a program did to its heap: a sum over the events of a trace, in one pass.
 *
 * Vocabulary
 *   site       what blocks are told apart by: a place in the program, a size, a thread. The caller says
 *              for each event which one it is, by a number.
 *   operation  a call, failed ones too; not the marks of threads, nor what was inherited. The clock
 *              of a trace without times.
 *   life       from the operation that made a block to the one that freed it, or to the trace's end.
 *   temporary  a block that the thread which made it frees within its next few calls. Only calls that
 *              make or free a block are counted.
 *   the peak   the operation after which the bytes of the whole heap were the most; the first of them.
 *
 * A reallocation frees the block at its old site, and makes it at the site that reallocates: one free
 * and one allocation, and no moment between the two. An inherited block is live at its site and no
 * allocation of it. A foreign block that is reallocated is an allocation that is never live. */
#ifndef HM_HARNESS_TRACE_SITES_H
#define HM_HARNESS_TRACE_SITES_H

#include "traces/trace.h"

struct hm_site {
    uint64_t blocks, bytes; /* allocated in total */
    uint64_t live_blocks, live_bytes;
    uint64_t peak_bytes; /* the most that was live here at a time */
    uint64_t at_peak_blocks, at_peak_bytes;
    uint64_t temporary_blocks, temporary_bytes;
    uint64_t born;          /* blocks and inherited ones: what lives are summed over */
    double life_operations; /* sum over `born`; so is the next */
    double life_ns;
    uint64_t epoch; /* private: the last peak that at_peak_* knows of */
};

struct hm_sites;

/** @param temporary_calls the "few" of temporary blocks  @return NULL: no memory */
struct hm_sites *hm_sites_new(unsigned temporary_calls);

/** The next event of a trace. @param site its number; the numbers should be dense, from 0
 *  @return 0 or ENOMEM */
int hm_sites_add(struct hm_sites *sites, const struct hm_trace_event *event, uint32_t site);

/** After the last event, and once: what is live has lived until here. */
void hm_sites_end(struct hm_sites *sites);

/** Sites are 0 .. count - 1; there may be some among them that no event named. */
size_t hm_sites_count(const struct hm_sites *sites);
const struct hm_site *hm_sites_at(const struct hm_sites *sites, size_t site);

/** The whole heap as one site. */
const struct hm_site *hm_sites_all(const struct hm_sites *sites);

void hm_sites_free(struct hm_sites *sites);

#endif

/* Reads a spool (traces/spool.h): the records of all threads, in the order of their tickets. */
#ifndef HM_HARNESS_TRACE_SPOOL_READ_H
#define HM_HARNESS_TRACE_SPOOL_READ_H

#include "traces/spool.h"
#include "traces/trace.h"

enum hm_spool_phase {
    HM_SPOOL_CALL,
    HM_SPOOL_LEAVES,  /* a reallocation that moves: the old address is free from here */
    HM_SPOOL_ARRIVES, /* .. and the new one taken from here */
    HM_SPOOL_THREAD_IS_OVER,
};

struct hm_spool_item {
    uint64_t ticket;
    uint64_t arrival; /* of a reallocation that moves: the later ticket, in both phases */
    uint64_t address; /* in its first phase the old one */
    uint64_t count, size;
    uint64_t stack, time_ns;
    uint8_t phase; /* enum hm_spool_phase */
    uint8_t kind;  /* enum hm_trace_kind */
    uint8_t alignment_log2;
    bool failed;
    uint32_t thread; /* as the library numbered it */
};

struct hm_spool;

/** Map a spool, which its writer may still be writing.
 *  @return 0 or an errno; EINVAL: it has no valid head (yet) */
int hm_spool_open(const char *path, struct hm_spool **out);

const struct hm_spool_head *hm_spool_head(const struct hm_spool *spool);

/** The number of the main thread, or UINT32_MAX when it never called. */
uint32_t hm_spool_main(const struct hm_spool *spool);

/** Begin anew. @param window how many records of a thread may stand before an earlier one
 *  @return 0 or ENOMEM */
int hm_spool_rewind(struct hm_spool *spool, unsigned window);

/** @return 1; 0: there is no more; -1: the window is too small for this spool */
int hm_spool_next(struct hm_spool *spool, struct hm_spool_item *item);

/** The frames of a stack that an item named, innermost first: return addresses.
 *  @param snapshot receives the number of the snapshot that has their modules
 *  @return how many there are, 0 when it is not known; the frames stay until the spool is closed */
size_t hm_spool_stack(const struct hm_spool *spool, uint64_t stack, const uint64_t **frames,
                      uint64_t *snapshot);

void hm_spool_close(struct hm_spool *spool);

#endif

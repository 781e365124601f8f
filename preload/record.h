/* The recording library's own: from a call to a record in the spool (traces/spool.h).
 *
 * Vocabulary
 *   reserve   take words of the thread's chunk, by one instruction that no signal can divide
 *   depth     how many records of this thread are being written: more than one in a signal handler
 *             that came between
 *   retired   of a chunk: full, but what the handler interrupted may still write there
 *
 * Invariants
 *   Nothing here allocates, calls stdio, is a cancellation point, or changes errno. After a fork the
 *   page of `hm_record_state` is zero in the child, so that it never takes the parent's chunk for its
 *   own; a child of vfork shares all of its parent's memory, and is rightly taken for it. */
#ifndef HM_PRELOAD_RECORD_H
#define HM_PRELOAD_RECORD_H

#include "traces/spool.h"
#include "traces/trace.h"

#include <stdatomic.h>
#include <sys/single_threaded.h>

#define HM_HIDDEN            __attribute__((visibility("hidden")))
#define HM_LIKELY(is_true)   __builtin_expect(!!(is_true), 1)
#define HM_UNLIKELY(is_true) __builtin_expect(!!(is_true), 0)

enum {
    HM_RECORD_RETIRED_MAX = 16
};

struct hm_record_mapping {
    void *start;
    uint64_t bytes;
};

struct hm_record_thread {
    uint64_t cursor; /* address of the next record */
    uint64_t limit;  /* end of the chunk */
    uint64_t ticket; /* of the last record that was not nested */
    uint32_t depth;
    uint32_t image; /* of which this is a thread; 0: of none yet */
    uint32_t number;
    uint32_t chunks;
    uint32_t retired_count;
    uint32_t rounds;       /* of the thread's destructors that went by */
    bool has_ended;        /* after the last round */
    uint64_t unwinding_at; /* frame below which all that is allocated is the unwinder's; or 0 */
    struct hm_record_mapping chunk, retired[HM_RECORD_RETIRED_MAX];
};

/* Of the image; lost in a forked child. */
struct hm_record_state {
    atomic_int is_on;
    atomic_int is_settled; /* it has a spool, or will have none */
    atomic_int lock, maps_lock, left_lock;
};

extern HM_HIDDEN __thread struct hm_record_thread hm_record_self
    __attribute__((tls_model("initial-exec")));
extern HM_HIDDEN struct hm_record_state *hm_record_state;
extern HM_HIDDEN uint64_t hm_record_tickets;
extern HM_HIDDEN unsigned hm_record_extra; /* HM_SPOOL_EXTRA with times or stacks, else 0 */

/** Places are counted from these; no place is near them while nothing is recorded, or while all
 *  records are long. */
extern HM_HIDDEN uint64_t hm_record_bases[2];

/** What a short record takes for the address of NULL: the first base itself, or a place near none. */
extern HM_HIDDEN uint64_t hm_record_null;

/** Words for a record when the chunk has no room, or the image no spool.
 *  @param ticket the first that the call took  @return their address; 0: there are none */
HM_HIDDEN uint64_t hm_record_reserve(uint64_t bytes, uint64_t ticket);

/** Count a call for which there were no words. */
HM_HIDDEN void hm_record_drop(void);

/** Block all signals of this thread. @return those that were blocked before */
HM_HIDDEN uint64_t hm_record_block_signals(void);
HM_HIDDEN void hm_record_restore_signals(uint64_t blocked);

/** Of a thread that ended, but may still call: its chunk is unmapped when it is gone. Signals are
 *  blocked. */
HM_HIDDEN void hm_record_leave_behind(const struct hm_record_mapping *chunk);

/** Before all others of threads' ends. Called once, as the process starts. */
HM_HIDDEN void hm_record_prepare_ends(void);

/** This thread is of the image from now on, and tells when it ends. */
HM_HIDDEN void hm_record_watch_end(struct hm_record_thread *self);

/** Forget which stacks this thread wrote, and the memory for it. */
HM_HIDDEN void hm_record_forget_stacks(void);

/** @return 0, or EFBIG where the process may not write files of so many bytes: to try would be a
 *  signal */
HM_HIDDEN int hm_record_may_grow(uint64_t bytes);

/* What a call was; the code is all of the first word below the address. */
struct hm_record_call {
    unsigned code;
    const void *block, *old;
    uint64_t ticket, ticket_before; /* the latter is 0 for calls that take one */
    uint64_t count, size;
};

/** A long record. */
HM_HIDDEN void hm_record_put(const struct hm_record_call *call);

/** The image exits with this status. Does nothing in a process that is not it. */
HM_HIDDEN void hm_record_ends(int status);

/** Make the image's spool, if it has none yet. @param ticket the first that the call took */
HM_HIDDEN void hm_record_settle(uint64_t ticket);

/** The image, counted by the forks that led to it. */
extern HM_HIDDEN unsigned hm_record_image;

/** The stack above the call, which is in the spool then. @return its hash; 0: none is taken */
HM_HIDDEN uint64_t hm_record_stack(void);

/** ns of CLOCK_MONOTONIC, 0 without times. */
HM_HIDDEN uint64_t hm_record_now(void);

/** A snapshot of the process's mappings that has the code at all of these addresses.
 *  @return its number, from 1; 0: there is none */
HM_HIDDEN uint64_t hm_record_snapshot(const uint64_t *addresses, unsigned count);

/** A new file beside the image's spool. @return its descriptor, or -1 with errno */
HM_HIDDEN int hm_record_create(const char *suffix, uint64_t number);

/** Ask what the environment says of stacks. Called once, as the process starts. */
HM_HIDDEN void hm_record_want_extra(bool times, unsigned frames);

/* One instruction: a signal handler that reserves, too, comes before or after it. */
static inline uint64_t hm_record_add(uint64_t *number, uint64_t add) {
#ifdef __x86_64__
    __asm__ volatile("xaddq %0, %1" : "+r"(add), "+m"(*number) : : "memory", "cc");
    return add;
#else
    return __atomic_fetch_add(number, add, __ATOMIC_RELAXED);
#endif
}

static inline uint64_t hm_record_ticket(void) {
    if (__libc_single_threaded)
        return hm_record_add(&hm_record_tickets, 1) + 1;
    return __atomic_add_fetch(&hm_record_tickets, 1, __ATOMIC_ACQ_REL);
}

/* The limit is read on both sides: a handler may have replaced the chunk in between. */
static inline uint64_t *hm_record_take(struct hm_record_thread *self, uint64_t bytes,
                                       uint64_t ticket) {
    const volatile uint64_t *limit = &self->limit;
    uint64_t before = *limit;
    uint64_t at = hm_record_add(&self->cursor, bytes);
    bool fits = at + bytes <= before && before == *limit;
    if (HM_UNLIKELY(!fits || !atomic_load_explicit(&hm_record_state->is_on, memory_order_relaxed)))
        at = hm_record_reserve(bytes, ticket);
    return (uint64_t *)at;
}

#define HM_RECORD_OUTSIDE (~((UINT64_C(1) << (HM_SPOOL_PLACE_BITS + 4)) - 1) | 15)

static inline unsigned hm_record_code(unsigned kind, bool failed) {
    return (kind + 1) << HM_SPOOL_KIND_SHIFT | (failed ? HM_SPOOL_FAILED : 0u);
}

/* A malloc that succeeded, or a free. @param bits HM_SPOOL_IS_FREE or 0
 * @return whether a short record could say it, and did */
static inline bool hm_record_put_short(unsigned bits, uint64_t address, uint64_t size,
                                       uint64_t ticket) {
    struct hm_record_thread *self = &hm_record_self;
    uint64_t place = address - hm_record_bases[0];
    if (place & HM_RECORD_OUTSIDE) {
        place = address - hm_record_bases[1];
        bits |= HM_SPOOL_IS_HIGH;
        if (HM_UNLIKELY(place & HM_RECORD_OUTSIDE))
            return false;
    }
    if (HM_UNLIKELY(size >> (64 - HM_SPOOL_SIZE_AT) || self->depth))
        return false;
    uint64_t low = ticket & ((1u << HM_SPOOL_TICKET_BITS) - 1);
    self->depth = 1; /* from here on, no handler moves the thread's ticket */
    atomic_signal_fence(memory_order_seq_cst);
    if (HM_UNLIKELY((ticket - self->ticket) >> HM_SPOOL_TICKET_BITS)) {
        self->depth = 0;
        return false;
    }
    self->ticket = ticket;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t *word = hm_record_take(self, HM_SPOOL_WORD_BYTES, ticket);
    if (HM_LIKELY(word))
        __atomic_store_n(word,
                         size << HM_SPOOL_SIZE_AT | low << HM_SPOOL_TICKET_AT |
                             place >> 4 << HM_SPOOL_PLACE_SHIFT | bits | HM_SPOOL_IS_SHORT,
                         __ATOMIC_RELAXED);
    else
        hm_record_drop();
    atomic_signal_fence(memory_order_seq_cst);
    self->depth = 0;
    return true;
}

#endif

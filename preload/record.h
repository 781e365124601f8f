/* The recording library's own: from a call to a slot of the spool (traces/spool.h).
 *
 * Vocabulary
 *   reserve   take slots of the thread's chunk, by one instruction that no signal can divide
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
    uint64_t cursor; /* address of the next slot */
    uint64_t limit;  /* end of the chunk */
    uint32_t depth;
    uint32_t image; /* of which this is a thread; 0: of none yet */
    uint32_t number;
    uint32_t chunks;
    uint32_t retired_count;
    struct hm_record_mapping chunk, retired[HM_RECORD_RETIRED_MAX];
};

/* Of the image; lost in a forked child. */
struct hm_record_state {
    atomic_int is_on;
    atomic_int is_settled; /* it has a spool, or will have none */
    atomic_int lock;
};

extern HM_HIDDEN __thread struct hm_record_thread hm_record_self
    __attribute__((tls_model("initial-exec")));
extern HM_HIDDEN struct hm_record_state *hm_record_state;
extern HM_HIDDEN uint64_t hm_record_tickets;
extern HM_HIDDEN unsigned hm_record_extra; /* HM_SPOOL_EXTRA with times or stacks, else 0 */

/** Slots for a record when the chunk has no room, or the image no spool.
 *  @param ticket the first that the call took  @return their address; 0: the call is dropped */
HM_HIDDEN uint64_t hm_record_reserve(uint64_t bytes, uint64_t ticket);

/** The image exits with this status. Does nothing in a process that is not it. */
HM_HIDDEN void hm_record_ends(int status);

/** Fill the slot with stack and time. */
HM_HIDDEN void hm_record_put_extra(struct hm_spool_slot *slot);

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
static inline struct hm_spool_slot *hm_record_take(struct hm_record_thread *self, uint64_t slots,
                                                   uint64_t ticket) {
    const volatile uint64_t *limit = &self->limit;
    uint64_t bytes = slots * HM_SPOOL_SLOT_BYTES;
    uint64_t before = *limit;
    uint64_t at = hm_record_add(&self->cursor, bytes);
    bool fits = at + bytes <= before && before == *limit;
    if (HM_UNLIKELY(!fits || !atomic_load_explicit(&hm_record_state->is_on, memory_order_relaxed)))
        at = hm_record_reserve(bytes, ticket);
    return (struct hm_spool_slot *)at;
}

/* What a call was; the code is all of the first word below the address. */
struct hm_record_call {
    unsigned code;
    const void *block, *old;
    uint64_t ticket, ticket_before; /* the latter is 0 for calls that take one */
    uint64_t count, size;
};

static inline bool hm_record_is_counted(unsigned code) {
    unsigned kind = (code & HM_SPOOL_KIND_MASK) - 1;
    return kind == HM_TRACE_CALLOC || kind == HM_TRACE_REALLOCARRAY;
}

static inline void hm_record_fill(struct hm_spool_slot *slot, const struct hm_record_call *call) {
    uint64_t small = call->size;
    struct hm_spool_slot *next = slot + 1;
    volatile uint64_t *first = &slot->first;
    *first = (uint64_t)(uintptr_t)call->block << HM_SPOOL_ADDRESS_SHIFT | call->code;
    if (call->code & HM_SPOOL_MOVED)
        *next++ = (struct hm_spool_slot){(uint64_t)(uintptr_t)call->old, call->ticket_before};
    if (hm_record_is_counted(call->code))
        small |= call->count << HM_SPOOL_COUNT_SHIFT;
    if (HM_UNLIKELY(call->code & HM_SPOOL_LARGE)) {
        *next++ = (struct hm_spool_slot){call->count, call->size};
        small = 0;
    }
    if (HM_UNLIKELY(call->code & HM_SPOOL_EXTRA))
        hm_record_put_extra(next);
    __atomic_store_n(&slot->second, call->ticket << HM_SPOOL_TICKET_SHIFT | small,
                     __ATOMIC_RELEASE);
}

static inline void hm_record_put(struct hm_record_call call) {
    struct hm_record_thread *self = &hm_record_self;
    uint64_t most = hm_record_is_counted(call.code) ? HM_SPOOL_COUNT_MAX : HM_SPOOL_SIZE_MAX;
    if (HM_UNLIKELY(call.size > most || call.count > HM_SPOOL_COUNT_MAX))
        call.code |= HM_SPOOL_LARGE;
    call.code |= hm_record_extra;
    uint64_t slots = 1u + !!(call.code & HM_SPOOL_MOVED) + !!(call.code & HM_SPOOL_LARGE) +
                     !!(call.code & HM_SPOOL_EXTRA);
    self->depth++;
    atomic_signal_fence(memory_order_seq_cst);
    struct hm_spool_slot *slot =
        hm_record_take(self, slots, call.ticket_before ? call.ticket_before : call.ticket);
    if (HM_LIKELY(slot))
        hm_record_fill(slot, &call);
    atomic_signal_fence(memory_order_seq_cst);
    self->depth--;
}

#endif

/* Long records: what few calls are, and what a signal handler does in between. */
#include "preload/record.h"

static bool is_counted(unsigned code) {
    unsigned kind = (code >> HM_SPOOL_KIND_SHIFT & HM_SPOOL_KIND_MASK) - 1;
    return kind == HM_TRACE_CALLOC || kind == HM_TRACE_REALLOCARRAY;
}

static uint64_t words_of(unsigned code) {
    return 2u + (code & HM_SPOOL_MOVED ? 2 : 0) + (code & HM_SPOOL_LARGE ? 2 : 0) +
           (code & HM_SPOOL_EXTRA ? 2 : 0);
}

static unsigned code_of(const struct hm_record_call *call, bool is_nested) {
    uint64_t most = is_counted(call->code) ? HM_SPOOL_COUNT_MAX : HM_SPOOL_SIZE_MAX;
    unsigned code = call->code | hm_record_extra | (is_nested ? HM_SPOOL_NESTED : 0u);
    if (call->size > most || call->count > HM_SPOOL_COUNT_MAX)
        code |= HM_SPOOL_LARGE;
    return code;
}

static void fill(uint64_t *words, const struct hm_record_call *call, unsigned code,
                 uint64_t stack) {
    uint64_t small = code & HM_SPOOL_LARGE ? 0 : call->size;
    uint64_t *next = words + 2;
    *(volatile uint64_t *)words = (uint64_t)(uintptr_t)call->block << HM_SPOOL_ADDRESS_SHIFT | code;
    if (code & HM_SPOOL_MOVED) {
        *next++ = (uint64_t)(uintptr_t)call->old;
        *next++ = call->ticket_before;
    }
    if (code & HM_SPOOL_LARGE) {
        *next++ = call->count;
        *next++ = call->size;
    } else if (is_counted(code)) {
        small |= call->count << HM_SPOOL_COUNT_SHIFT;
    }
    if (code & HM_SPOOL_EXTRA) {
        *next++ = stack;
        *next++ = hm_record_now();
    }
    __atomic_store_n(&words[1], call->ticket << HM_SPOOL_TICKET_SHIFT | small, __ATOMIC_RELEASE);
}

/* A handler that jumped out of the unwinder left the mark behind: we are above it then. */
static bool is_unwinders(struct hm_record_thread *self) {
    if (HM_UNLIKELY((uint64_t)(uintptr_t)__builtin_frame_address(0) >= self->unwinding_at))
        self->unwinding_at = 0;
    return self->unwinding_at;
}

void hm_record_put(const struct hm_record_call *call) {
    struct hm_record_thread *self = &hm_record_self;
    bool is_nested = self->depth > 0;
    if (HM_UNLIKELY(is_unwinders(self)))
        return;
    if (HM_UNLIKELY(hm_record_extra)) /* stacks are of an image */
        hm_record_settle(call->ticket_before ? call->ticket_before : call->ticket);
    unsigned code = code_of(call, is_nested);
    self->depth++;
    if (!is_nested)
        self->ticket = call->ticket;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t stack = code & HM_SPOOL_EXTRA ? hm_record_stack() : 0;
    uint64_t *words = hm_record_take(self, words_of(code) * HM_SPOOL_WORD_BYTES,
                                     call->ticket_before ? call->ticket_before : call->ticket);
    if (words)
        fill(words, call, code, stack);
    else if ((call->code >> HM_SPOOL_KIND_SHIFT & HM_SPOOL_KIND_MASK) <= HM_TRACE_KINDS)
        hm_record_drop();
    atomic_signal_fence(memory_order_seq_cst);
    self->depth--;
}

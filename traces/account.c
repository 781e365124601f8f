/* The account of a trace. */
#include "traces/account.h"

#include <errno.h>
#include <string.h>

void hm_account_reset(struct hm_account *account) {
    account->totals = (struct hm_trace_totals){.end = HM_TRACE_END_UNKNOWN};
    hm_live_clear(&account->live);
    account->live_bytes = 0;
    account->time_ns = 0;
    account->events = 0;
    account->batched = 0;
    XXH3_64bits_reset(&account->hash);
}

int hm_account_open(struct hm_account *account) {
    int error = hm_live_open(&account->live);
    if (!error)
        hm_account_reset(account);
    return error;
}

void hm_account_close(struct hm_account *account) {
    hm_live_close(&account->live);
}

void hm_account_tidy(struct hm_trace_event *event) {
    unsigned fields = hm_trace_fields(event->kind);
    if (!(fields & HM_TRACE_FIELD_SIZE)) {
        event->size = 0;
        event->count = 1;
        event->alignment_log2 = 0;
    }
    if (event->kind == HM_TRACE_THREAD_BEGIN || event->kind == HM_TRACE_THREAD_END)
        event->block = HM_TRACE_NULL;
}

/* ---- The hash ---- */

static uint64_t little_endian(uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static void flush_batch(struct hm_account *account) {
    XXH3_64bits_update(&account->hash, account->batch, account->batched * sizeof *account->batch);
    account->batched = 0;
}

static inline void hash_event(struct hm_account *account, const struct hm_trace_event *e) {
    uint64_t *words = account->batch[account->batched++];
    words[0] = little_endian((uint64_t)e->thread << 32 | (uint64_t)e->failed << 16 |
                             (uint64_t)e->alignment_log2 << 8 | e->kind);
    words[1] = little_endian(e->stack);
    words[2] = little_endian(e->block);
    words[3] = little_endian(e->count);
    words[4] = little_endian(e->size);
    words[5] = little_endian(e->time_ns);
    if (account->batched == HM_ACCOUNT_BATCH)
        flush_batch(account);
}

void hm_account_close_hash(struct hm_account *account) {
    flush_batch(account);
    account->totals.hash = XXH3_64bits_digest(&account->hash);
}

/* ---- Events ---- */

#define REFUSE(reason) return (*why = (reason), EINVAL)

static const char too_many_bytes[] = "more bytes than can be counted";

static int check(const struct hm_account *account, const struct hm_trace_event *e,
                 const char **why) {
    const struct hm_trace_totals *totals = &account->totals;
    uint64_t bytes;
    unsigned fields = hm_trace_fields(e->kind);
    if (e->thread > totals->threads || e->thread >= HM_TRACE_THREADS_MAX)
        REFUSE("a thread that is not the next");
    if (e->stack > totals->stacks)
        REFUSE("a stack that is not known");
    if (e->time_ns < account->time_ns)
        REFUSE("time goes back");
    if (__builtin_mul_overflow(e->count, e->size, &bytes))
        REFUSE("count x size overflows");
    if (e->count != 1 && !(fields & HM_TRACE_FIELD_COUNT))
        REFUSE("a count where there is none");
    if (e->alignment_log2 && (!(fields & HM_TRACE_FIELD_ALIGNMENT) || e->alignment_log2 > 63))
        REFUSE("an alignment that can not be");
    if (e->failed && (!(fields & HM_TRACE_FIELD_SIZE) || e->kind == HM_TRACE_INHERITED))
        REFUSE("a call that can not fail has failed");
    return 0;
}

/* A block of `old` bytes is now one of `bytes`. */
static int count_live(struct hm_account *account, uint64_t old, uint64_t bytes, const char **why) {
    uint64_t live;
    if (__builtin_add_overflow(account->live_bytes - old, bytes, &live))
        REFUSE(too_many_bytes);
    account->live_bytes = live;
    if (live > account->totals.peak_bytes)
        account->totals.peak_bytes = live;
    return 0;
}

static int take_allocation(struct hm_account *account, const struct hm_trace_event *e,
                           const char **why) {
    struct hm_trace_totals *totals = &account->totals;
    bool is_call = e->kind != HM_TRACE_INHERITED;
    if (e->failed) {
        if (e->block != HM_TRACE_NULL)
            REFUSE("a failed allocation has a block");
        return 0;
    }
    if (e->block != totals->blocks + 1)
        REFUSE("an allocation's block is not the next number");
    if (!hm_live_has_room(&account->live)) {
        if (account->live.count >= HM_TRACE_LIVE_MAX)
            REFUSE("more live blocks than are believed");
        if (hm_live_grow(&account->live))
            return ENOMEM;
    }
    uint64_t bytes = hm_trace_bytes(e);
    if (bytes > UINT64_MAX - totals->bytes)
        REFUSE(too_many_bytes);
    int error = count_live(account, 0, bytes, why);
    if (error)
        return error;
    totals->bytes += is_call ? bytes : 0;
    hm_live_add(&account->live, e->block, bytes, e->thread);
    if (account->live.count > totals->peak_blocks)
        totals->peak_blocks = account->live.count;
    totals->blocks++;
    totals->allocations += is_call;
    totals->inherited += !is_call;
    return 0;
}

/* Its old bytes and its new ones are never both live: where they are in truth is the allocator's. */
static int take_realloc(struct hm_account *account, const struct hm_trace_event *e,
                        struct hm_live_block *place, const char **why) {
    struct hm_trace_totals *totals = &account->totals;
    if (e->failed)
        return 0;
    uint64_t bytes = hm_trace_bytes(e);
    if (bytes > UINT64_MAX - totals->bytes)
        REFUSE(too_many_bytes);
    int error = place ? count_live(account, place->bytes, bytes, why) : 0;
    if (error)
        return error;
    totals->bytes += bytes;
    if (place) {
        totals->cross_thread_frees += place->thread != e->thread;
        place->bytes = bytes;
        place->thread = e->thread;
    }
    totals->allocations++;
    totals->frees++;
    return 0;
}

static void take_free(struct hm_account *account, const struct hm_trace_event *e,
                      struct hm_live_block *place) {
    account->totals.frees++;
    if (!place)
        return;
    account->totals.cross_thread_frees += place->thread != e->thread;
    account->live_bytes -= place->bytes;
    hm_live_remove(&account->live, place);
}

static int take_named(struct hm_account *account, const struct hm_trace_event *e,
                      const char **why) {
    struct hm_live_block *place = NULL;
    if (e->block == HM_TRACE_NULL) {
        if (hm_trace_is_realloc(e->kind))
            REFUSE("a reallocation of no block");
        account->totals.null_frees += e->kind == HM_TRACE_FREE;
        return 0;
    }
    if (e->block != HM_TRACE_FOREIGN) {
        place = hm_live_find(&account->live, e->block);
        if (!place)
            REFUSE("a block that is not live");
    }
    if (hm_trace_is_realloc(e->kind)) {
        int error = take_realloc(account, e, place, why);
        if (error)
            return error;
    } else if (e->kind == HM_TRACE_FREE) {
        take_free(account, e, place);
    }
    account->totals.foreign += !place;
    return 0;
}

int hm_account_take(struct hm_account *account, const struct hm_trace_event *e, const char **why) {
    struct hm_trace_totals *totals = &account->totals;
    bool is_mark = e->kind >= HM_TRACE_THREAD_BEGIN;
    int error = check(account, e, why);
    if (!error && hm_trace_is_allocation(e->kind))
        error = take_allocation(account, e, why);
    else if (!error && !is_mark)
        error = take_named(account, e, why);
    if (error)
        return error;
    totals->operations += !is_mark && e->kind != HM_TRACE_INHERITED;
    totals->failed += e->failed;
    totals->threads += e->thread == totals->threads;
    totals->duration_ns = account->time_ns = e->time_ns;
    account->events++;
    hash_event(account, e);
    return 0;
}

/* Making the calls of a plan (traces/replay.h) on a heap: the loop that is timed.
 *
 * Vocabulary
 *   touch   which bytes of a block are written: none, the first, the first and one for each further
 *           page (HM_REPLAY_PAGE bytes), or all. What realloc has kept is not written anew.
 *   mark    the byte that they are written with; it depends on the slot alone, and so holds through a realloc.
 *   checked a replay that is not timed, and looks at each block as it goes: contents, alignment, zeros.
 *
 * A slot of a dead block holds NULL: so what is live is known at any time, as when memory runs out. */
#ifndef HM_WORKLOADS_REPLAY_H
#define HM_WORKLOADS_REPLAY_H

#include "traces/replay.h"
#include "workloads/bytes.h"
#include "workloads/spin.h"
#include "workloads/workload.h"

#include <stdatomic.h>
#include <string.h>

enum hm_replay_mode {
    HM_REPLAY_TOUCH_NONE,
    HM_REPLAY_TOUCH_FIRST,
    HM_REPLAY_TOUCH_PAGES,
    HM_REPLAY_TOUCH_ALL,
    HM_REPLAY_CHECKED, /* by one worker; touches all */
};

enum {
    HM_REPLAY_PAGE = 4096,
};

/* A common slot. */
struct hm_replay_common {
    _Alignas(64) unsigned char *block;
    atomic_uint turn; /* calls made on it in this replay; of the last replay, until the first one */
};

/* What the calls of one worker are made with. */
struct hm_replayer {
    const struct hm_replay_plan *plan;
    const struct hm_replay_stream *stream;
    unsigned char **slots;
    struct hm_replay_common *common;
    atomic_bool *stopped; /* by a worker that has no memory: nobody waits for its turn any more */
    uint64_t *sizes;      /* of the worker's own blocks; of a checked replay */
    const char *broken;   /* by a checked replay: one line */
    uint64_t hash;        /* of the calls made since it was set to 0 */
};

static inline unsigned char hm_replay_mark_of(uint32_t slot) {
    return (unsigned char)(3 * slot + 1);
}

/* ---- Checked replays ---- */

__attribute__((noinline, cold)) static bool hm_replay_breaks_(struct hm_replayer *r,
                                                              const char *what) {
    r->broken = what;
    return false;
}

static inline bool hm_replay_holds_(struct hm_replayer *r, const unsigned char *block,
                                    uint64_t bytes, unsigned char mark) {
    return !hm_bytes_unlike(block, bytes, mark) ||
           hm_replay_breaks_(r, "a live block does not hold what was written to it");
}

static inline bool hm_replay_aligned_(struct hm_replayer *r, const unsigned char *block,
                                      unsigned log2) {
    return !((uintptr_t)block & ((UINT64_C(1) << log2) - 1)) ||
           hm_replay_breaks_(r, "a block is not aligned as it was asked for");
}

static inline bool hm_replay_zero_(struct hm_replayer *r, const unsigned char *block,
                                   uint64_t bytes) {
    return !hm_bytes_unlike(block, bytes, 0) ||
           hm_replay_breaks_(r, "a block of calloc is not zero");
}

static inline bool hm_replay_usable_(struct hm_replayer *r, const struct hm_memory *memory,
                                     size_t usable, uint64_t bytes) {
    return usable >= bytes || memory->allocator->caps & HM_CAP_NO_USABLE ||
           hm_replay_breaks_(r, "the usable size of a block is less than its size");
}

/* ---- One call ---- */

#define HM_REPLAY_HOT __attribute__((always_inline)) static inline

/* The first place of a page that is not before `bytes`. */
HM_REPLAY_HOT uint64_t hm_replay_page_(uint64_t bytes) {
    return (bytes + HM_REPLAY_PAGE - 1) & -(uint64_t)HM_REPLAY_PAGE;
}

/* Write what is new of a block. */
HM_REPLAY_HOT void hm_replay_touch_(struct hm_replayer *r, unsigned char *block, uint32_t slot,
                                    uint64_t before, uint64_t bytes,
                                    const enum hm_replay_mode mode) {
    if (mode == HM_REPLAY_TOUCH_FIRST && !before && bytes)
        *block = hm_replay_mark_of(slot);
    if (mode == HM_REPLAY_TOUCH_PAGES)
        for (uint64_t at = hm_replay_page_(before); at < bytes; at += HM_REPLAY_PAGE)
            block[at] = hm_replay_mark_of(slot);
    if (mode >= HM_REPLAY_TOUCH_ALL && bytes > before)
        memset(block + before, hm_replay_mark_of(slot), bytes - before);
    if (mode == HM_REPLAY_CHECKED)
        r->sizes[slot] = bytes;
}

HM_REPLAY_HOT bool hm_replay_malloc_(struct hm_replayer *r, const struct hm_memory *memory,
                                     unsigned char **place, uint32_t slot, uint64_t bytes,
                                     const enum hm_replay_mode mode) {
    unsigned char *block = hm_malloc(memory, bytes);
    if (__builtin_expect(!block, 0))
        return false;
    *place = block;
    hm_replay_touch_(r, block, slot, 0, bytes, mode);
    return true;
}

HM_REPLAY_HOT bool hm_replay_free_(struct hm_replayer *r, const struct hm_memory *memory,
                                   unsigned char **place, uint32_t slot,
                                   const enum hm_replay_mode mode) {
    unsigned char *block = *place;
    if (mode == HM_REPLAY_CHECKED &&
        !hm_replay_holds_(r, block, r->sizes[slot], hm_replay_mark_of(slot)))
        return false;
    *place = NULL;
    hm_free(memory, block);
    return true;
}

HM_REPLAY_HOT bool hm_replay_calloc_(struct hm_replayer *r, const struct hm_memory *memory,
                                     unsigned char **place, uint32_t slot, uint64_t count,
                                     uint64_t size, const enum hm_replay_mode mode) {
    unsigned char *block = hm_calloc(memory, count, size);
    if (__builtin_expect(!block, 0))
        return false;
    *place = block;
    if (mode == HM_REPLAY_CHECKED && !hm_replay_zero_(r, block, count * size))
        return false;
    hm_replay_touch_(r, block, slot, 0, count * size, mode);
    return true;
}

HM_REPLAY_HOT bool hm_replay_realloc_(struct hm_replayer *r, const struct hm_memory *memory,
                                      unsigned char **place, uint32_t slot, uint64_t bytes,
                                      uint64_t before, const enum hm_replay_mode mode) {
    unsigned char *block = hm_realloc(memory, *place, bytes);
    if (__builtin_expect(!block, 0))
        return false;
    *place = block;
    if (mode == HM_REPLAY_CHECKED &&
        !hm_replay_holds_(r, block, before < bytes ? before : bytes, hm_replay_mark_of(slot)))
        return false;
    hm_replay_touch_(r, block, slot, before, bytes, mode);
    return true;
}

HM_REPLAY_HOT bool hm_replay_align_(struct hm_replayer *r, const struct hm_memory *memory,
                                    unsigned char **place, uint32_t slot,
                                    const struct hm_replay_rare *rare,
                                    const enum hm_replay_mode mode) {
    unsigned char *block = hm_aligned_alloc(memory, (size_t)1 << rare->alignment_log2, rare->size);
    if (__builtin_expect(!block, 0))
        return false;
    *place = block;
    if (mode == HM_REPLAY_CHECKED && !hm_replay_aligned_(r, block, rare->alignment_log2))
        return false;
    hm_replay_touch_(r, block, slot, 0, rare->size, mode);
    return true;
}

HM_REPLAY_HOT bool hm_replay_rare_(struct hm_replayer *r, const struct hm_memory *memory,
                                   unsigned char **place, uint32_t slot, uint32_t number,
                                   const enum hm_replay_mode mode) {
    const struct hm_replay_rare *rare = &r->plan->rares[number];
    if (rare->kind == HM_TRACE_MEMALIGN)
        return hm_replay_align_(r, memory, place, slot, rare, mode);
    if (rare->kind == HM_TRACE_CALLOC)
        return hm_replay_calloc_(r, memory, place, slot, rare->count, rare->size, mode);
    if (rare->kind == HM_TRACE_REALLOC)
        return hm_replay_realloc_(r, memory, place, slot, rare->size, rare->before, mode);
    return hm_replay_malloc_(r, memory, place, slot, rare->size, mode);
}

HM_REPLAY_HOT bool hm_replay_use_(struct hm_replayer *r, const struct hm_memory *memory,
                                  unsigned char **place, uint32_t slot,
                                  const enum hm_replay_mode mode) {
    size_t usable = hm_usable_size(memory, *place);
    return mode != HM_REPLAY_CHECKED || hm_replay_usable_(r, memory, usable, r->sizes[slot]);
}

/* ---- Calls on common slots ---- */

/* @return false when there will not be a turn any more */
HM_REPLAY_HOT bool hm_replay_wait_(const struct hm_replayer *r, struct hm_replay_common *common,
                                   uint32_t turn) {
    unsigned spins = 0;
    while (turn && atomic_load_explicit(&common->turn, memory_order_acquire) != turn) {
        if (atomic_load_explicit(r->stopped, memory_order_relaxed))
            return false;
        hm_spin_wait(&spins);
    }
    return true;
}

/* Words: turn, slot, and the others. */
HM_REPLAY_HOT bool hm_replay_together_(struct hm_replayer *r, const struct hm_memory *memory,
                                       const uint32_t *w, const unsigned code,
                                       const enum hm_replay_mode mode) {
    struct hm_replay_common *common = &r->common[w[1]];
    unsigned char **place = &common->block;
    bool done = false;
    if (!hm_replay_wait_(r, common, w[0]))
        return false;
    if (code == HM_REPLAY_COMMON_MALLOC)
        done = hm_replay_malloc_(r, memory, place, w[1], w[2], mode);
    else if (code == HM_REPLAY_COMMON_FREE)
        done = hm_replay_free_(r, memory, place, w[1], mode);
    else if (code == HM_REPLAY_COMMON_CALLOC)
        done = hm_replay_calloc_(r, memory, place, w[1], w[2], w[3], mode);
    else if (code == HM_REPLAY_COMMON_REALLOC)
        done = hm_replay_realloc_(r, memory, place, w[1], w[2], w[3], mode);
    else if (code == HM_REPLAY_COMMON_RARE)
        done = hm_replay_rare_(r, memory, place, w[1], w[2], mode);
    else
        done = hm_replay_use_(r, memory, place, w[1], mode);
    if (done) /* else there is no block for the next one */
        atomic_store_explicit(&common->turn, w[0] + 1, memory_order_release);
    return done;
}

/* ---- A code ---- */

/* The call of a group that its `bit` is about. @return its words, or NULL */
HM_REPLAY_HOT const uint32_t *hm_replay_member_(struct hm_replayer *r,
                                                const struct hm_memory *memory,
                                                unsigned char **slots, const uint32_t *w,
                                                const unsigned code, const unsigned bit,
                                                const enum hm_replay_mode mode) {
    if (code >> bit & 1)
        return hm_replay_malloc_(r, memory, &slots[w[0]], w[0], w[1], mode) ? w + 2 : NULL;
    return hm_replay_free_(r, memory, &slots[w[0]], w[0], mode) ? w + 1 : NULL;
}

HM_REPLAY_HOT bool hm_replay_group_(struct hm_replayer *r, const struct hm_memory *memory,
                                    unsigned char **slots, const uint32_t *w, const unsigned code,
                                    const enum hm_replay_mode mode) {
    const unsigned calls = 31 - (unsigned)__builtin_clz(code);
    if (calls > 3 && !(w = hm_replay_member_(r, memory, slots, w, code, 3, mode)))
        return false;
    if (calls > 2 && !(w = hm_replay_member_(r, memory, slots, w, code, 2, mode)))
        return false;
    if (calls > 1 && !(w = hm_replay_member_(r, memory, slots, w, code, 1, mode)))
        return false;
    return hm_replay_member_(r, memory, slots, w, code, 0, mode);
}

HM_REPLAY_HOT bool hm_replay_single_(struct hm_replayer *r, const struct hm_memory *memory,
                                     unsigned char **slots, const uint32_t *w, const unsigned code,
                                     const enum hm_replay_mode mode) {
    if (code == HM_REPLAY_CALLOC)
        return hm_replay_calloc_(r, memory, &slots[w[0]], w[0], w[1], w[2], mode);
    if (code == HM_REPLAY_REALLOC)
        return hm_replay_realloc_(r, memory, &slots[w[0]], w[0], w[1], w[2], mode);
    if (code == HM_REPLAY_RARE)
        return hm_replay_rare_(r, memory, &slots[w[0]], w[0], w[1], mode);
    if (code == HM_REPLAY_USABLE)
        return hm_replay_use_(r, memory, &slots[w[0]], w[0], mode);
    return hm_replay_together_(r, memory, w, code, mode);
}

/* hm_replay_words, for a constant. */
HM_REPLAY_HOT unsigned hm_replay_words_(const unsigned code) {
    if (code < HM_REPLAY_CALLOC)
        return 30 - (unsigned)__builtin_clz(code) + (unsigned)__builtin_popcount(code);
    switch (code) {
    case HM_REPLAY_USABLE:
        return 1;
    case HM_REPLAY_RARE:
    case HM_REPLAY_COMMON_FREE:
    case HM_REPLAY_COMMON_USABLE:
        return 2;
    case HM_REPLAY_COMMON_CALLOC:
    case HM_REPLAY_COMMON_REALLOC:
        return 4;
    default:
        return 3;
    }
}

#define HM_REPLAY_CASE_(number)                                                                    \
    case (number):                                                                                 \
        hash = hm_replay_hash(hash, (number), w, hm_replay_words_(number));                        \
        done = (number) < HM_REPLAY_CALLOC                                                         \
                   ? hm_replay_group_(r, &memory, slots, w, (number), mode)                        \
                   : hm_replay_single_(r, &memory, slots, w, (number), mode);                      \
        w += hm_replay_words_(number);                                                             \
        break;
#define HM_REPLAY_CASES_2_(n) HM_REPLAY_CASE_(n) HM_REPLAY_CASE_((n) + 1)
#define HM_REPLAY_CASES_4_(n) HM_REPLAY_CASES_2_(n) HM_REPLAY_CASES_2_((n) + 2)
#define HM_REPLAY_CASES_8_(n) HM_REPLAY_CASES_4_(n) HM_REPLAY_CASES_4_((n) + 4)

/** Make all calls between two marks. The caller is a noinline function for each constant `mode`.
 *  @return false: memory ran out, here or in another worker, or r->broken says what did */
HM_REPLAY_HOT bool hm_replay_calls(struct hm_replayer *r, const struct hm_memory *of_run,
                                   struct hm_replay_mark from, struct hm_replay_mark to,
                                   const enum hm_replay_mode mode) {
    const struct hm_memory memory = *of_run; /* the called pointers stay in registers */
    unsigned char **const slots = r->slots;
    const uint8_t *code = r->stream->codes + from.code;
    const uint8_t *const end = r->stream->codes + to.code;
    const uint32_t *w = r->stream->words + from.word;
    uint64_t hash = r->hash;
    bool done = true;
    while (code < end && done) {
        switch (*code++) {
            HM_REPLAY_CASES_2_(2)
            HM_REPLAY_CASES_4_(4)
            HM_REPLAY_CASES_8_(8)
            HM_REPLAY_CASES_8_(16)
            HM_REPLAY_CASES_8_(24)
            HM_REPLAY_CASES_8_(32)
            HM_REPLAY_CASES_2_(40)
        default:
            __builtin_unreachable();
        }
    }
    r->hash = hash;
    return done;
}

#undef HM_REPLAY_CASES_8_
#undef HM_REPLAY_CASES_4_
#undef HM_REPLAY_CASES_2_
#undef HM_REPLAY_CASE_

#endif

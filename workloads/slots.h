/* A live set of blocks and the script by which it changes: what `churn` and `server` share.
 *
 * Vocabulary
 *   slot    holds one block of the live set, or NULL after memory ran out.
 *   step    one operation: free the block of a slot, allocate a new one of `size` bytes into it.
 *   script  steps, drawn before the clock starts, walked from `cursor` and around.
 *   touch   how many bytes of a new block are written: a constant, or HM_TOUCH_ALL.
 *   mark    the byte that they are written with. It depends on slot and size, so that verification
 *           sees a block that overlaps another one or that somebody else has written to.
 *
 * Invariants
 *   step_count is a power of two. A slot's size is that of its block, and 0 when there is none. */
#ifndef HM_WORKLOADS_SLOTS_H
#define HM_WORKLOADS_SLOTS_H

#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <stdbool.h>
#include <string.h>

#define HM_TOUCH_ALL SIZE_MAX

struct hm_slot {
    unsigned char *block;
    size_t size; /* as requested */
};

struct hm_step {
    uint32_t slot;
    uint32_t size;
};

struct hm_slots {
    struct hm_slot *slots;
    size_t slot_count;
    struct hm_step *steps;
    size_t step_count;
    uint64_t cursor; /* steps done so far; the next one is this, modulo step_count */
};

static inline unsigned char hm_slot_mark(size_t slot, size_t size) {
    return (unsigned char)(3 * slot + size);
}

/** Steps that a script for this many slots should have: so many that hardly a slot is left out
 *  (e^-8 of them), and that no branch predictor learns them. */
static inline size_t hm_slots_script_length(size_t slot_count) {
    size_t length = 1 << 16;
    while (length < 8 * slot_count)
        length *= 2;
    return length;
}

/** Draw the whole script. Untimed. */
static inline void hm_slots_draw(struct hm_slots *set, const struct hm_sizes *sizes,
                                 struct hm_random *random) {
    for (size_t i = 0; i < set->step_count; i++)
        set->steps[i] = (struct hm_step){(uint32_t)hm_random_below(random, set->slot_count),
                                         hm_size_draw(sizes, random)};
}

static inline void hm_slot_touch(struct hm_slot *slot, size_t index, const size_t touch) {
    memset(slot->block, hm_slot_mark(index, slot->size),
           touch == HM_TOUCH_ALL ? slot->size : touch);
}

/** One operation. Hot. @param touch constant; at most the smallest size, or HM_TOUCH_ALL
 *  @return whether there was memory; if not, the slot is empty */
__attribute__((always_inline)) static inline bool hm_slots_replace(const struct hm_memory *memory,
                                                                   struct hm_slot *slots,
                                                                   const struct hm_step *step,
                                                                   const size_t touch) {
    struct hm_slot *slot = &slots[step->slot];
    hm_free(memory, slot->block);
    slot->block = hm_malloc(memory, step->size);
    if (__builtin_expect(!slot->block, 0)) {
        slot->size = 0;
        return false;
    }
    slot->size = step->size;
    hm_slot_touch(slot, step->slot, touch);
    return true;
}

/** Fill the empty set; the order of the slots is not that of the allocations. Untimed.
 *  @return false when memory ran out; what was allocated stays for hm_slots_free */
static inline bool hm_slots_fill(const struct hm_memory *memory, struct hm_slots *set,
                                 const struct hm_sizes *sizes, struct hm_random *random,
                                 size_t touch) {
    for (uint32_t i = 0; i < set->slot_count; i++)
        if (!hm_slots_replace(memory, set->slots, &(struct hm_step){i, hm_size_draw(sizes, random)},
                              0))
            return false;
    for (size_t i = set->slot_count; i > 1; i--) {
        size_t other = (size_t)hm_random_below(random, i);
        const struct hm_slot swapped = set->slots[i - 1];
        set->slots[i - 1] = set->slots[other];
        set->slots[other] = swapped;
    }
    for (size_t i = 0; i < set->slot_count; i++)
        hm_slot_touch(&set->slots[i], i, touch);
    return true;
}

/** The hot loop. The caller is a noinline function of its own for each constant `touch`.
 *  @return operations done; a later call goes on with the one that failed */
__attribute__((always_inline)) static inline uint64_t
hm_slots_run(struct hm_run *run, struct hm_slots *set, uint64_t count, const size_t touch) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct hm_slot *slots = set->slots;
    const struct hm_step *steps = set->steps;
    const size_t mask = set->step_count - 1;
    const uint64_t begin = set->cursor;
    const uint64_t end = begin + count;
    uint64_t sum = 0;
    uint64_t at = begin;
    for (; at < end; at++) {
        const struct hm_step *step = &steps[at & mask];
        if (!hm_slots_replace(&memory, slots, step, touch))
            break;
        sum += (uint64_t)step->slot * step->size + 1;
    }
    set->cursor = at;
    run->checksum += sum;
    return at - begin;
}

/** Bytes held, as requested. Untimed. */
static inline uint64_t hm_slots_live_bytes(const struct hm_slots *set) {
    uint64_t sum = 0;
    for (size_t i = 0; i < set->slot_count; i++)
        sum += set->slots[i].size;
    return sum;
}

/** Untimed. @param touch as in hm_slots_replace  @return NULL, or one line that says what broke */
static inline const char *hm_slots_verify(const struct hm_slots *set, size_t touch) {
    for (size_t i = 0; i < set->slot_count; i++) {
        const struct hm_slot *slot = &set->slots[i];
        size_t written = touch == HM_TOUCH_ALL ? slot->size : touch;
        for (size_t at = 0; slot->block && at < written; at++)
            if (slot->block[at] != hm_slot_mark(i, slot->size))
                return "a live block does not hold what was written to it";
    }
    return NULL;
}

/** Free all blocks; the set is empty afterwards. Untimed. */
static inline void hm_slots_free(const struct hm_memory *memory, struct hm_slots *set) {
    for (size_t i = 0; i < set->slot_count; i++) {
        hm_free(memory, set->slots[i].block);
        set->slots[i] = (struct hm_slot){NULL, 0};
    }
}

#endif

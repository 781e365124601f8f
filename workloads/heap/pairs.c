/* Allocate a block and free it at once, always of one size.
 *
 * It is the shortest way through an allocator, and what most micro-benchmarks measure. What it tells
 * hangs on whether the size's class is empty in between: some allocators give a page or an arena back
 * with its last block and take it again for the next, others keep it. With `held` blocks of the size
 * alive the class is never empty; so the ranks at held=0 and at held=8 differ, and a figure that does
 * not say which of them it is says little. */
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_SIZE,
    PARAM_HELD,
};

static const struct hm_param params[] = {
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help = "size of every block",
                    .kind = HM_PARAM_BYTES,
                    .initial = 64,
                    .min = 1,
                    .max = 1 << 30},
    [PARAM_HELD] = {.name = "held",
                    .unit = "blocks",
                    .help = "blocks of that size that stay allocated",
                    .kind = HM_PARAM_COUNT,
                    .initial = 8,
                    .min = 0,
                    .max = 1000000},
    {.name = NULL},
};

/* One mapping: this, the held blocks. */
struct pairs {
    size_t size;
    uint64_t at; /* pairs so far */
    size_t bytes;
    struct hm_slots held;
};

static void teardown(struct hm_run *run) {
    struct pairs *pairs = run->state;
    hm_slots_free(run->memory, &pairs->held);
    hm_scratch_free(pairs, pairs->bytes);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    size_t held = (size_t)run->params[PARAM_HELD].number;
    size_t bytes = sizeof(struct pairs) + held * sizeof(struct hm_slot);
    struct pairs *pairs = hm_scratch(bytes);
    if (!pairs)
        return ENOMEM;
    pairs->bytes = bytes;
    pairs->size = (size_t)run->params[PARAM_SIZE].number;
    pairs->held.slots = (struct hm_slot *)(pairs + 1);
    pairs->held.slot_count = held;
    run->state = pairs;
    for (uint32_t i = 0; i < held; i++) {
        const struct hm_step step = {i, (uint32_t)pairs->size};
        if (!hm_slots_replace(run->memory, pairs->held.slots, &step, HM_TOUCH_ALL)) {
            teardown(run);
            return ENOMEM;
        }
    }
    return 0;
}

/* Nothing is drawn: the checksum is of the count, and of the seed for the sake of form. */
static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct pairs *pairs = run->state;
    const size_t size = pairs->size;
    const uint64_t begin = pairs->at;
    uint64_t at = begin;
    for (; at < begin + units; at++) {
        unsigned char *block = hm_malloc(&memory, size);
        if (__builtin_expect(!block, 0))
            break;
        *block = (unsigned char)at;
        hm_free(&memory, block);
    }
    pairs->at = at;
    run->checksum += (at - begin) * (size + hm_mix(run->seed + run->thread));
    return at - begin;
}

/* A block that came out of a held one has written to it. */
static const char *verify(struct hm_run *run) {
    const struct pairs *pairs = run->state;
    return hm_slots_verify(&pairs->held, HM_TOUCH_ALL);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct pairs *pairs = run->state;
    return hm_slots_live_bytes(&pairs->held);
}

static const struct hm_workload pairs = {
    HM_WORKLOAD_VARIANT,
    .name = "pairs",
    .summary = "a block is allocated and freed at once, while `held` others of its size stay",
    .stresses = "the shortest path through the allocator, in a size class that is empty or is not",
    .origin =
        "the loop of most micro-benchmarks; the held blocks are ours, for the ranks at held=0 "
        "and held=8 differ",
    .op = "malloc and its free",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, pairs);

/* SmartHeap's first benchmark: many blocks of few sizes, of which all but a moving fifth are replaced.
 *
 * Written from its description alone, for its licence forbids more. The cycle of sizes: a base grows
 * from 1 by a half and one while it is below 1000, and each base is halved down to 1; of each size so
 * met 250 blocks are allocated below 100 bytes, else 50.
 *
 * In the original all threads together have 10000 slots; here each has `slots`, so that a thread's
 * work is the same at any number of threads. One byte of each block is written, for verification. */
#include "workloads/ring.h"

enum {
    PARAM_SLOTS,
};

enum {
    LARGEST_BASE = 1000,
    SMALL_BYTES = 100,
    SMALL_BLOCKS = 250,
    LARGE_BLOCKS = 50,
    MOST_STOCKS = 256,
};

static const struct hm_param params[] = {
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "blocks that each thread holds",
                     .kind = HM_PARAM_COUNT,
                     .initial = 10000,
                     .min = HM_RING_WINDOWS,
                     .max = 10000000},
    {.name = NULL},
};

/* One mapping: this, the slots. */
struct shbench6 {
    struct hm_ring ring;
    struct hm_stock stocks[MOST_STOCKS];
    size_t bytes;
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return hm_ring_round_ops((size_t)values[PARAM_SLOTS].number);
}

static size_t list_stocks(struct hm_stock *stocks) {
    size_t count = 0;
    for (uint32_t base = 1; base < LARGEST_BASE; base += base / 2 + 1)
        for (uint32_t size = base; size > 0; size /= 2)
            stocks[count++] =
                (struct hm_stock){size, size < SMALL_BYTES ? SMALL_BLOCKS : LARGE_BLOCKS};
    return count;
}

static void teardown(struct hm_run *run) {
    struct shbench6 *state = run->state;
    hm_slots_free(run->memory, &state->ring.set);
    hm_scratch_free(state, state->bytes);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    size_t slots = (size_t)run->params[PARAM_SLOTS].number;
    size_t bytes = sizeof(struct shbench6) + slots * sizeof(struct hm_slot);
    struct shbench6 *state = hm_scratch(bytes);
    if (!state)
        return ENOMEM;
    run->state = state;
    state->bytes = bytes;
    state->ring.set.slots = (struct hm_slot *)(state + 1);
    state->ring.set.slot_count = slots;
    state->ring.stocks = state->stocks;
    state->ring.stock_count = list_stocks(state->stocks);
    if (hm_ring_start(run, &state->ring))
        return 0;
    teardown(run);
    return ENOMEM;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct shbench6 *state = run->state;
    return hm_ring_run(run, &state->ring, units);
}

static const char *verify(struct hm_run *run) {
    const struct shbench6 *state = run->state;
    return hm_slots_verify(&state->ring.set, HM_RING_TOUCH_BYTES);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct shbench6 *state = run->state;
    return hm_slots_live_bytes(&state->ring.set);
}

static const struct hm_workload shbench6 = {
    HM_WORKLOAD_VARIANT,
    .name = "shbench6",
    .summary = "runs of blocks of one size, of which a moving fifth outlives each round",
    .stresses = "reuse of small blocks that come back half in order, half in reverse",
    .origin = "MicroQuill's shbench as sh6bench in mimalloc-bench, where all threads together have "
              "10000 slots; written from its description",
    .op = "free and malloc",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, shbench6);

/* SmartHeap's second benchmark: blocks of twelve sizes up to 168524 bytes, of which all but a moving
 * fifth are replaced, beside tiny blocks that another thread allocated.
 *
 * Written from its description alone, for its licence forbids more. The original's main thread
 * allocates ten million blocks of 8 bytes, which its workers free; here `given` of them for each
 * thread, freed before its first round. In the original all threads together have a million slots;
 * here each has `slots`, so that a thread's work is the same at any number of threads, and fewer: the
 * blocks of a million would take 56 MB. One byte of each block is written, for verification. */
#include "workloads/gifts.h"
#include "workloads/ring.h"

enum {
    PARAM_SLOTS,
    PARAM_GIVEN,
};

enum {
    GIVEN_BYTES = 8,
};

static const struct hm_stock stocks[] = {
    {8, 1000}, {16, 5000}, {48, 1000}, {72, 100}, {148, 100}, {200, 100},
    {520, 10}, {1056, 5},  {4096, 3},  {9162, 1}, {34562, 1}, {168524, 1},
};

static const struct hm_param params[] = {
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "blocks that each thread holds",
                     .kind = HM_PARAM_COUNT,
                     .initial = 50000,
                     .min = HM_RING_WINDOWS,
                     .max = 10000000},
    [PARAM_GIVEN] = {.name = "given",
                     .unit = "blocks",
                     .help = "blocks of 8 bytes that one thread allocates for each to free",
                     .kind = HM_PARAM_COUNT,
                     .initial = 10000,
                     .min = 0,
                     .max = 10000000},
    {.name = NULL},
};

/* One mapping: this, the slots. */
struct shbench8 {
    struct hm_ring ring;
    size_t given; /* to this thread, and not yet freed */
    uint64_t damaged;
    size_t bytes;
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return hm_ring_round_ops((size_t)values[PARAM_SLOTS].number);
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    return hm_gifts_bytes((size_t)values[PARAM_GIVEN].number, threads);
}

static void free_given(struct hm_run *run) {
    struct shbench8 *state = run->state;
    if (state->given)
        state->damaged += hm_gifts_free(run, run->shared, state->given);
    state->given = 0;
}

static void teardown(struct hm_run *run) {
    struct shbench8 *state = run->state;
    free_given(run);
    hm_slots_free(run->memory, &state->ring.set);
    hm_scratch_free(state, state->bytes);
    run->state = NULL;
}

static bool start(struct hm_run *run, struct shbench8 *state) {
    size_t given = (size_t)run->params[PARAM_GIVEN].number;
    if (given && hm_gifts_await(run, run->shared, given, GIVEN_BYTES))
        return false;
    state->given = given;
    return hm_ring_start(run, &state->ring);
}

static int setup(struct hm_run *run) {
    size_t slots = (size_t)run->params[PARAM_SLOTS].number;
    size_t bytes = sizeof(struct shbench8) + slots * sizeof(struct hm_slot);
    struct shbench8 *state = hm_scratch(bytes);
    if (!state)
        return ENOMEM;
    run->state = state;
    state->bytes = bytes;
    state->ring.set.slots = (struct hm_slot *)(state + 1);
    state->ring.set.slot_count = slots;
    state->ring.stocks = stocks;
    state->ring.stock_count = sizeof stocks / sizeof *stocks;
    if (start(run, state))
        return 0;
    teardown(run);
    return ENOMEM;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct shbench8 *state = run->state;
    free_given(run);
    return hm_ring_run(run, &state->ring, units);
}

static const char *verify(struct hm_run *run) {
    const struct shbench8 *state = run->state;
    if (state->damaged)
        return "a block of another thread does not hold what was written to it";
    return hm_slots_verify(&state->ring.set, HM_RING_TOUCH_BYTES);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct shbench8 *state = run->state;
    size_t left = state->given ? hm_gifts_left(run, run->shared, state->given) : 0;
    return hm_slots_live_bytes(&state->ring.set) + left * GIVEN_BYTES;
}

static const struct hm_workload shbench8 = {
    HM_WORKLOAD_VARIANT,
    .name = "shbench8",
    .summary = "blocks of twelve sizes to 165 KB, of which a moving fifth outlives each round",
    .stresses = "small and large blocks side by side, freed half in order, half in reverse",
    .origin = "MicroQuill's shbench as sh8bench in mimalloc-bench, where all threads together have "
              "1000000 slots and 10000000 given blocks; written from its description",
    .op = "free and malloc",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, shbench8);

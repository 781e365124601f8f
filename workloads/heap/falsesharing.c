/* Each thread writes to a small block of its own, again and again: if two such blocks share a cache
 * line, the line goes to and fro between the CPUs.
 *
 * An allocator brings that about in two ways. Actively: it hands parts of one line to several
 * threads that allocate at the same time. Passively: one thread has allocated neighbours and passed
 * them to others, who free them, and get them back for their next allocation. In passive mode each
 * thread starts with freeing such a block, as in the original; all else is the same.
 *
 * Here every thread writes `writes` times, at any number of threads, where the original divides them
 * among its threads: an allocator without false sharing shows the same time at each. Whichever thread
 * comes first allocates the blocks to be passed on, and not the main thread.
 *
 * What is read is what has been written, if nobody else writes there: that is the verification.
 *
 * Invariant
 *   Nothing is live between two units, but in passive mode before the first one. */
#include "workloads/gifts.h"
#include "workloads/scratch.h"

enum {
    PARAM_MODE,
    PARAM_SIZE,
    PARAM_WRITES,
};

enum mode {
    MODE_ACTIVE,
    MODE_PASSIVE,
};

static const struct hm_param params[] = {
    [PARAM_MODE] = {.name = "mode",
                    .unit = "",
                    .help = "passive: each thread first frees a block that one thread allocated",
                    .kind = HM_PARAM_CHOICE,
                    .initial = MODE_ACTIVE,
                    .choices = "active|passive"},
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help = "size of every block",
                    .kind = HM_PARAM_BYTES,
                    .initial = 1,
                    .min = 1,
                    .max = 1 << 20},
    [PARAM_WRITES] = {.name = "writes",
                      .unit = "writes/byte",
                      .help = "how often a block is written and read before it is freed",
                      .kind = HM_PARAM_COUNT,
                      .initial = 2000000,
                      .min = 1,
                      .max = 1000000000},
    {.name = NULL},
};

struct falsesharing {
    size_t size;
    uint64_t writes;
    size_t gifts;          /* to each thread */
    unsigned char mark;    /* the first byte to be written */
    uint64_t expected_sum; /* of what is read from a block */
    uint64_t damaged;      /* blocks from which something else was read */
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_SIZE].number * (uint64_t)values[PARAM_WRITES].number;
}

static size_t gifts_each(const struct hm_value *values) {
    return values[PARAM_MODE].number == MODE_PASSIVE;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    return hm_gifts_bytes(gifts_each(values), threads);
}

/* The bytes go round: each value comes once in 256 writes. */
static uint64_t sum_of_marks(unsigned char first, uint64_t writes) {
    uint64_t sum = writes / 256 * (255 * 256 / 2);
    for (uint64_t i = 0; i < writes % 256; i++)
        sum += (unsigned char)(first + i);
    return sum;
}

static int setup(struct hm_run *run) {
    size_t gifts = gifts_each(run->params);
    struct falsesharing *state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->size = (size_t)run->params[PARAM_SIZE].number;
    state->writes = (uint64_t)run->params[PARAM_WRITES].number;
    state->gifts = gifts;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    state->mark = (unsigned char)hm_random_next(&random);
    state->expected_sum = sum_of_marks(state->mark, state->writes) * state->size;
    if (gifts && hm_gifts_await(run, run->shared, gifts, state->size)) {
        hm_scratch_free(state, sizeof *state);
        return ENOMEM;
    }
    run->state = state;
    return 0;
}

/* Volatile, or the compiler would write once. */
__attribute__((noinline)) static uint64_t use(volatile unsigned char *block, size_t size,
                                              uint64_t writes, unsigned char mark) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < writes; i++)
        for (size_t at = 0; at < size; at++) {
            block[at] = (unsigned char)(mark + i);
            sum += block[at];
        }
    return sum;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct falsesharing *state = run->state;
    if (state->gifts) {
        state->damaged += hm_gifts_free(run, run->shared, state->gifts);
        state->gifts = 0;
    }
    for (uint64_t done = 0; done < units; done++) {
        unsigned char *block = hm_malloc(&memory, state->size);
        if (!block)
            return done;
        state->damaged +=
            use(block, state->size, state->writes, state->mark) != state->expected_sum;
        hm_free(&memory, block);
        run->checksum += hm_mix(state->expected_sum + state->mark);
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct falsesharing *state = run->state;
    return state->damaged ? "a live block does not hold what was written to it" : NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct falsesharing *state = run->state;
    return state->gifts ? hm_gifts_left(run, run->shared, state->gifts) * state->size : 0;
}

static void teardown(struct hm_run *run) {
    struct falsesharing *state = run->state;
    if (state->gifts)
        hm_gifts_free(run, run->shared, state->gifts);
    hm_scratch_free(state, sizeof *state);
    run->state = NULL;
}

static const struct hm_workload falsesharing = {
    HM_WORKLOAD_VARIANT,
    .name = "falsesharing",
    .summary = "each thread writes to a small block of its own, again and again",
    .stresses = "whether blocks of several threads share a cache line",
    .origin = "cache-thrash and cache-scratch (Berger et al., ASPLOS 2000), as T 1000 1 2000000 in "
              "mimalloc-bench, where T threads share the writes",
    .op = "write and read of a byte",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, falsesharing);

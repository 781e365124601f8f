/* Threads that increment one shared number by a load, an addition and a store, with nothing that keeps
 * them apart: an increment between the load and the store of another thread is lost.
 *
 * Load and store are relaxed atomics: a plain increment of a shared number is no race that one could
 * measure but undefined, and a compiler makes a single addition out of the loop.
 *
 * Vocabulary
 *   lost   an increment that the number does not show. One store of an old value can take away many
 *          increments of another thread, also after that thread was stopped between load and store. */
#include "workloads/lanes.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_WORK,
};

enum {
    FIGURE_LOST,
    FIGURE_SHARE,
};

static const struct hm_param params[] = {
    [PARAM_WORK] = {.name = "work",
                    .unit = "steps",
                    .help = "steps of arithmetic between the load and the store: a longer window",
                    .kind = HM_PARAM_COUNT,
                    .initial = 0,
                    .min = 0,
                    .max = 100000},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_LOST] = {.name = "lost_updates",
                     .unit = "updates",
                     .help = "updates that the shared value does not show",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    [FIGURE_SHARE] = {.name = "lost_percent",
                      .unit = "%",
                      .help = "part of all updates that the shared value does not show",
                      .better = HM_FIGURE_LOWER_IS_BETTER,
                      .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

/* In run->shared. */
struct shared {
    _Alignas(HM_SPIN_APART) uint64_t value;
    struct hm_lane lanes[];
};

struct state {
    uint64_t digest; /* of the arithmetic in the window */
    uint64_t value_mark, done_mark;
};

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return sizeof(struct shared) + threads * sizeof(struct hm_lane);
}

static int setup(struct hm_run *run) {
    run->state = hm_scratch(sizeof(struct state));
    return run->state ? 0 : ENOMEM;
}

__attribute__((noinline)) static void add_ones(uint64_t *value, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t seen = __atomic_load_n(value, __ATOMIC_RELAXED);
        __atomic_store_n(value, seen + 1, __ATOMIC_RELAXED);
    }
}

__attribute__((noinline)) static uint64_t add_ones_slowly(uint64_t *value, uint64_t count,
                                                          int64_t steps, uint64_t digest) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t seen = __atomic_load_n(value, __ATOMIC_RELAXED);
        for (int64_t step = 0; step < steps; step++)
            digest = hm_mix(digest + 1);
        __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the compiler leaves the steps where they are */
        __atomic_store_n(value, seen + 1, __ATOMIC_RELAXED);
    }
    return digest;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct shared *shared = run->shared;
    struct state *state = run->state;
    int64_t steps = run->params[PARAM_WORK].number;
    if (steps)
        state->digest = add_ones_slowly(&shared->value, units, steps, state->digest);
    else
        add_ones(&shared->value, units);
    hm_lane_add(run, shared->lanes, units);
    return units;
}

static void measure(struct hm_run *run, double *values) {
    const struct shared *shared = run->shared;
    struct state *state = run->state;
    double done = (double)hm_mark_advance(&state->done_mark, hm_lanes_done(run, shared->lanes));
    double shown = (double)(int64_t)hm_mark_advance(&state->value_mark, shared->value);
    values[FIGURE_LOST] = done - shown;
    if (done > 0)
        values[FIGURE_SHARE] = 100 * (done - shown) / done;
}

static const char *verify(struct hm_run *run) {
    const struct shared *shared = run->shared;
    uint64_t done = hm_lanes_done(run, shared->lanes);
    if (shared->value > done)
        return "the shared number is greater than there were increments";
    if (run->threads == 1 && shared->value != done)
        return "an increment was lost with nobody else there";
    return NULL;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload lostupdate = {
    HM_WORKLOAD_VARIANT,
    .name = "lostupdate",
    .summary = "all threads increment one number by a load and a store, unguarded",
    .stresses = "a race: how many updates are lost where nothing keeps threads apart",
    .origin = "textbooks of operating systems: the lost update",
    .op = "increment",
    .params = params,
    .figures = figures,
    .measure = measure,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, lostupdate);

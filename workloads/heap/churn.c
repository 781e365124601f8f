/* A live set with random replacement: the steady state of a long-running program.
 *
 * An operation frees the block of a random slot and allocates a new one into it, so that the live
 * set keeps its size while the heap ages. Each thread has a live set and a script of its own.
 *
 * The default set is large enough that every size class has blocks in use, because ranks flip where
 * a class runs empty; and its 256 KB are small enough for a second-level cache, so that the misses
 * of the workload do not drown the allocator, and for the smallest arenas. */
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_LIVE,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_DIST,
    PARAM_TOUCH,
};

enum touch {
    TOUCH_NONE,
    TOUCH_FIRST,
    TOUCH_ALL,
};

static const size_t touch_bytes[] = {
    [TOUCH_NONE] = 0,
    [TOUCH_FIRST] = 1,
    [TOUCH_ALL] = HM_TOUCH_ALL,
};

static const struct hm_param params[] = {
    [PARAM_LIVE] = {.name = "live",
                    .unit = "blocks",
                    .help = "blocks in the live set of each thread",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1000,
                    .min = 1,
                    .max = 1000000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 1,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 512,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_DIST] = {.name = "dist",
                    .unit = "",
                    .help = "distribution of the sizes; power: density falls with the square",
                    .kind = HM_PARAM_CHOICE,
                    .initial = HM_SIZES_UNIFORM,
                    .choices = HM_SIZES_KINDS},
    [PARAM_TOUCH] = {.name = "touch",
                     .unit = "",
                     .help = "bytes of each new block that are written",
                     .kind = HM_PARAM_CHOICE,
                     .initial = TOUCH_FIRST,
                     .choices = "none|first|all"},
    {.name = NULL},
};

/* One mapping: this, the slots, the steps. */
struct churn {
    struct hm_slots set;
    enum touch touch;
    size_t bytes;
};

static struct churn *map_churn(size_t live) {
    size_t steps = hm_slots_script_length(live);
    size_t bytes =
        sizeof(struct churn) + live * sizeof(struct hm_slot) + steps * sizeof(struct hm_step);
    struct churn *churn = hm_scratch(bytes);
    if (!churn)
        return NULL;
    churn->bytes = bytes;
    churn->set.slots = (struct hm_slot *)(churn + 1);
    churn->set.slot_count = live;
    churn->set.steps = (struct hm_step *)(churn->set.slots + live);
    churn->set.step_count = steps;
    return churn;
}

static void teardown(struct hm_run *run) {
    struct churn *churn = run->state;
    hm_slots_free(run->memory, &churn->set);
    hm_scratch_free(churn, churn->bytes);
    run->state = NULL;
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static int setup(struct hm_run *run) {
    const struct hm_sizes sizes = {(enum hm_sizes_kind)run->params[PARAM_DIST].number,
                                   (uint32_t)run->params[PARAM_MIN].number,
                                   (uint32_t)run->params[PARAM_MAX].number};
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    struct churn *churn = map_churn((size_t)run->params[PARAM_LIVE].number);
    if (!churn)
        return ENOMEM;
    run->state = churn;
    churn->touch = (enum touch)run->params[PARAM_TOUCH].number;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    hm_slots_draw(&churn->set, &sizes, &random);
    if (hm_slots_fill(run->memory, &churn->set, &sizes, &random, touch_bytes[churn->touch]))
        return 0;
    teardown(run);
    return ENOMEM;
}

__attribute__((noinline)) static uint64_t run_none(struct hm_run *run, uint64_t units) {
    return hm_slots_run(run, run->state, units, 0);
}

__attribute__((noinline)) static uint64_t run_first(struct hm_run *run, uint64_t units) {
    return hm_slots_run(run, run->state, units, 1);
}

__attribute__((noinline)) static uint64_t run_all(struct hm_run *run, uint64_t units) {
    return hm_slots_run(run, run->state, units, HM_TOUCH_ALL);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    static uint64_t (*const kernels[])(struct hm_run *, uint64_t) = {
        [TOUCH_NONE] = run_none, [TOUCH_FIRST] = run_first, [TOUCH_ALL] = run_all};
    const struct churn *churn = run->state;
    return kernels[churn->touch](run, units);
}

static const char *verify(struct hm_run *run) {
    const struct churn *churn = run->state;
    return hm_slots_verify(&churn->set, touch_bytes[churn->touch]);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct churn *churn = run->state;
    return hm_slots_live_bytes(&churn->set);
}

static const struct hm_workload churn = {
    HM_WORKLOAD_VARIANT,
    .name = "churn",
    .summary = "a live set of blocks, of which a random one is replaced, again and again",
    .stresses = "reuse of freed blocks of mixed sizes in an aged heap",
    .origin =
        "glibc's bench-malloc-thread.c, which is live=1024:min=4:max=32K:dist=power; here the "
        "sizes that CPython calls small",
    .op = "free and malloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, churn);

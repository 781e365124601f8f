/* A live set of zeroed blocks with random replacement, each of which is looked at and made dirty.
 *
 * An operation frees the block of a random slot, callocs one there, reads it to see that it is zero,
 * and fills it with a mark; so that whatever comes back from a free list is dirty, and an
 * allocator that forgets to clear it is found out at once. What is fresh from the system need not be
 * cleared, and allocators differ in whether they know. With `check=ends` only the first and the last
 * byte are read in the timed code, and the whole blocks in the verification alone.
 *
 * Invariant
 *   All bytes of a live block hold the mark of its slot and size, which is not 0. */
#include "workloads/bytes.h"
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_LIVE,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_DIST,
    PARAM_CHECK,
};

enum check {
    CHECK_ENDS,
    CHECK_ALL,
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
                   .initial = 16,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16 << 10,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_DIST] = {.name = "dist",
                    .unit = "",
                    .help = "distribution of the sizes; power: density falls with the square",
                    .kind = HM_PARAM_CHOICE,
                    .initial = HM_SIZES_POW2,
                    .choices = HM_SIZES_KINDS},
    [PARAM_CHECK] = {.name = "check",
                     .unit = "",
                     .help = "bytes of each new block that the timed code reads",
                     .kind = HM_PARAM_CHOICE,
                     .initial = CHECK_ALL,
                     .choices = "ends|all"},
    {.name = NULL},
};

/* One mapping: this, the slots, the steps. */
struct callocs {
    struct hm_slots set;
    enum check check;
    bool was_dirty; /* some new block */
    size_t bytes;
};

static struct callocs *map_callocs(size_t live) {
    size_t steps = hm_slots_script_length(live);
    size_t bytes =
        sizeof(struct callocs) + live * sizeof(struct hm_slot) + steps * sizeof(struct hm_step);
    struct callocs *callocs = hm_scratch(bytes);
    if (!callocs)
        return NULL;
    callocs->bytes = bytes;
    callocs->set.slots = (struct hm_slot *)(callocs + 1);
    callocs->set.slot_count = live;
    callocs->set.steps = (struct hm_step *)(callocs->set.slots + live);
    callocs->set.step_count = steps;
    return callocs;
}

static unsigned char dirt(size_t slot, size_t size) {
    return hm_slot_mark(slot, size) | 0x80;
}

/* Hot. @param check constant  @return false when memory ran out, and the slot is empty */
__attribute__((always_inline)) static inline bool replace(const struct hm_memory *memory,
                                                          struct callocs *callocs,
                                                          const struct hm_step *step,
                                                          const enum check check) {
    struct hm_slot *slot = &callocs->set.slots[step->slot];
    hm_free(memory, slot->block);
    unsigned char *block = hm_calloc(memory, 1, step->size);
    *slot = (struct hm_slot){block, block ? step->size : 0};
    if (__builtin_expect(!block, 0))
        return false;
    uint64_t bits = check == CHECK_ALL ? hm_bytes_unlike(block, step->size, 0)
                                       : (uint64_t)(block[0] | block[step->size - 1]);
    callocs->was_dirty |= bits != 0;
    memset(block, dirt(step->slot, step->size), step->size);
    return true;
}

static void teardown(struct hm_run *run) {
    struct callocs *callocs = run->state;
    hm_slots_free(run->memory, &callocs->set);
    hm_scratch_free(callocs, callocs->bytes);
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
    struct callocs *callocs = map_callocs((size_t)run->params[PARAM_LIVE].number);
    if (!callocs)
        return ENOMEM;
    run->state = callocs;
    callocs->check = (enum check)run->params[PARAM_CHECK].number;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    hm_slots_draw(&callocs->set, &sizes, &random);
    for (uint32_t i = 0; i < callocs->set.slot_count; i++) {
        const struct hm_step step = {i, hm_size_draw(&sizes, &random)};
        if (!replace(run->memory, callocs, &step, CHECK_ALL)) {
            teardown(run);
            return ENOMEM;
        }
    }
    return 0;
}

__attribute__((always_inline)) static inline uint64_t run_steps(struct hm_run *run, uint64_t units,
                                                                const enum check check) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct callocs *callocs = run->state;
    const size_t mask = callocs->set.step_count - 1;
    uint64_t done = 0;
    for (; done < units; done++) {
        const struct hm_step *step = &callocs->set.steps[callocs->set.cursor & mask];
        if (!replace(&memory, callocs, step, check))
            break;
        callocs->set.cursor++;
        run->checksum += (uint64_t)(step->slot + 1) * step->size;
    }
    return done;
}

__attribute__((noinline)) static uint64_t run_ends(struct hm_run *run, uint64_t units) {
    return run_steps(run, units, CHECK_ENDS);
}

__attribute__((noinline)) static uint64_t run_all(struct hm_run *run, uint64_t units) {
    return run_steps(run, units, CHECK_ALL);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct callocs *callocs = run->state;
    return callocs->check == CHECK_ALL ? run_all(run, units) : run_ends(run, units);
}

static bool holds_dirt(const struct hm_slot *slot, size_t index) {
    for (size_t at = 0; at < slot->size; at++)
        if (slot->block[at] != dirt(index, slot->size))
            return false;
    return true;
}

/* Replaces all blocks once more, by blocks of the same sizes, to read them whole. */
static const char *verify(struct hm_run *run) {
    struct callocs *callocs = run->state;
    for (size_t i = 0; i < callocs->set.slot_count; i++)
        if (!holds_dirt(&callocs->set.slots[i], i))
            return "a live block does not hold what was written to it";
    for (uint32_t i = 0; i < callocs->set.slot_count; i++) {
        const struct hm_step step = {i, (uint32_t)callocs->set.slots[i].size};
        if (step.size && !replace(run->memory, callocs, &step, CHECK_ALL))
            return "memory ran out in the replacements for verification";
    }
    return callocs->was_dirty ? "calloc gave a block that was not zero" : NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct callocs *callocs = run->state;
    return hm_slots_live_bytes(&callocs->set);
}

static const struct hm_workload callocs = {
    HM_WORKLOAD_VARIANT,
    .name = "callocs",
    .summary =
        "a live set of zeroed blocks, of which a random one is replaced after it was dirtied",
    .stresses = "calloc: clearing what was used before, and knowing what is zero already",
    .origin = "ours; sizes are the powers of two from 16 bytes to 16 KiB",
    .op = "free and calloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, callocs);

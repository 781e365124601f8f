/* A few very large blocks, of which a random one is replaced, again and again.
 *
 * Blocks of 5 to 25 MiB are beyond every size class: an allocator maps them from the system one by one, or
 * cuts them from what it keeps. The first costs a page fault for each page that is written, the second
 * memory that stays resident. The original writes zeroes over each whole block; `touch=page`, a byte
 * in each page, leaves the faults and takes the writing away. */
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_LIVE,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_TOUCH,
};

enum touch {
    TOUCH_NONE,
    TOUCH_PAGE,
    TOUCH_ALL,
};

enum {
    PAGE_BYTES = 4096,
    SCRIPT_STEPS = 1 << 12,
};

static const struct hm_param params[] = {
    [PARAM_LIVE] = {.name = "live",
                    .unit = "blocks",
                    .help = "blocks that each thread holds",
                    .kind = HM_PARAM_COUNT,
                    .initial = 20,
                    .min = 1,
                    .max = 10000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 5 << 20,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 25 << 20,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_TOUCH] = {.name = "touch",
                     .unit = "",
                     .help = "bytes of each new block that are written; page: one of each 4 KiB",
                     .kind = HM_PARAM_CHOICE,
                     .initial = TOUCH_ALL,
                     .choices = "none|page|all"},
    {.name = NULL},
};

/* One mapping: this, the slots, the steps. */
struct large {
    struct hm_slots set;
    enum touch touch;
    size_t bytes;
};

/* Bytes from one that is written to the next. */
static size_t stride_of(enum touch touch, size_t size) {
    if (touch == TOUCH_NONE)
        return size;
    return touch == TOUCH_PAGE ? PAGE_BYTES : 1;
}

static void touch_block(const struct large *large, size_t index) {
    const struct hm_slot *slot = &large->set.slots[index];
    unsigned char mark = hm_slot_mark(index, slot->size);
    if (large->touch == TOUCH_ALL) {
        memset(slot->block, mark, slot->size);
        return;
    }
    size_t stride = stride_of(large->touch, slot->size);
    for (size_t at = 0; at < slot->size; at += stride)
        ((volatile unsigned char *)slot->block)[at] = mark;
}

static bool replace(const struct hm_memory *memory, struct large *large,
                    const struct hm_step *step) {
    if (!hm_slots_replace(memory, large->set.slots, step, 0))
        return false;
    touch_block(large, step->slot);
    return true;
}

static void teardown(struct hm_run *run) {
    struct large *large = run->state;
    hm_slots_free(run->memory, &large->set);
    hm_scratch_free(large, large->bytes);
    run->state = NULL;
}

static struct large *map_large(size_t live) {
    size_t bytes = sizeof(struct large) + live * sizeof(struct hm_slot) +
                   SCRIPT_STEPS * sizeof(struct hm_step);
    struct large *large = hm_scratch(bytes);
    if (!large)
        return NULL;
    large->bytes = bytes;
    large->set.slots = (struct hm_slot *)(large + 1);
    large->set.slot_count = live;
    large->set.steps = (struct hm_step *)(large->set.slots + live);
    large->set.step_count = SCRIPT_STEPS;
    return large;
}

static struct hm_sizes sizes_of(const struct hm_value *values) {
    return (struct hm_sizes){HM_SIZES_UNIFORM, (uint32_t)values[PARAM_MIN].number,
                             (uint32_t)values[PARAM_MAX].number};
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static int setup(struct hm_run *run) {
    const struct hm_sizes sizes = sizes_of(run->params);
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    struct large *large = map_large((size_t)run->params[PARAM_LIVE].number);
    if (!large)
        return ENOMEM;
    run->state = large;
    large->touch = (enum touch)run->params[PARAM_TOUCH].number;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    hm_slots_draw(&large->set, &sizes, &random);
    for (uint32_t i = 0; i < large->set.slot_count; i++)
        if (!replace(run->memory, large, &(struct hm_step){i, hm_size_draw(&sizes, &random)})) {
            teardown(run);
            return ENOMEM;
        }
    return 0;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct large *large = run->state;
    for (uint64_t done = 0; done < units; done++) {
        const struct hm_step *step = &large->set.steps[large->set.cursor % SCRIPT_STEPS];
        if (!replace(run->memory, large, step))
            return done;
        large->set.cursor++;
        run->checksum += (uint64_t)(step->slot + 1) * step->size;
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct large *large = run->state;
    for (size_t i = 0; i < large->set.slot_count && large->touch != TOUCH_NONE; i++) {
        const struct hm_slot *slot = &large->set.slots[i];
        size_t stride = stride_of(large->touch, slot->size);
        for (size_t at = 0; at < slot->size; at += stride)
            if (slot->block[at] != hm_slot_mark(i, slot->size))
                return "a live block does not hold what was written to it";
    }
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct large *large = run->state;
    return hm_slots_live_bytes(&large->set);
}

static const struct hm_workload large = {
    HM_WORKLOAD_VARIANT,
    .name = "large",
    .summary = "a few blocks of many megabytes, of which a random one is replaced, again and again",
    .stresses = "blocks beyond all size classes: mapping, page faults, and what is kept for reuse",
    .origin = "malloc-large in mimalloc-bench: 20 blocks of 5 to 25 MiB, written with zeroes",
    .op = "free and malloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, large);

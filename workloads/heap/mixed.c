/* Random slots, some of them far more often than others: a slot with a block is read and freed, an
 * empty one gets a block, which is written.
 *
 * Slots follow the 80/20 rule, six times over: of each part of the slots the first fifth is chosen
 * with 80 %, and so on within the chosen one. So blocks live very differently long, and nearly all of
 * the heap is old. Sizes follow a power law: half of them are 5 to 8 bytes, a quarter 9 to 16, and so
 * on up to 1024; the last two classes are equally rare.
 *
 * As in the original every byte of a block is written and read, the latter by words. What is read is
 * compared with what was written: blocks that were overwritten in their lives are counted.
 *
 * In the original the threads share 2^18 slots out; here each has `slots`, so that a thread's work is
 * the same at any number of threads. */
#include "workloads/bytes.h"
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_SLOTS,
};

enum {
    LEVELS = 6,
    SMALLEST_CLASS = 2, /* sizes above 2^2 and up to 2^3 bytes */
    LARGEST_CLASS = 9,
};

static const struct hm_param params[] = {
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "slots of each thread, half of which hold a block",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1 << 18,
                     .min = 2,
                     .max = 1 << 24},
    {.name = NULL},
};

/* One mapping: this, the slots, the steps. */
struct mixed {
    struct hm_slots set;
    uint64_t damaged; /* blocks that were not found as they were written */
    size_t bytes;
};

static uint32_t draw_size(struct hm_random *random) {
    unsigned power = SMALLEST_CLASS;
    uint64_t coins = hm_random_next(random);
    while (power < LARGEST_CLASS && (coins & 1)) {
        power++;
        coins >>= 1;
    }
    uint32_t width = 1u << power;
    return width + 1 + (uint32_t)hm_random_below(random, width);
}

static uint32_t draw_slot(struct hm_random *random, size_t slots) {
    uint64_t at = 0;
    uint64_t count = slots;
    for (unsigned level = 0; level < LEVELS && count > 1; level++) {
        uint64_t fifth = count / 5;
        bool often = hm_random_below(random, 5) < 4;
        if (often || fifth == 0) {
            count = fifth ? fifth : count;
        } else {
            at += fifth;
            count -= fifth;
        }
    }
    return (uint32_t)(at + hm_random_below(random, count));
}

static struct mixed *map_mixed(size_t slots) {
    size_t steps = hm_slots_script_length(slots);
    size_t bytes =
        sizeof(struct mixed) + slots * sizeof(struct hm_slot) + steps * sizeof(struct hm_step);
    struct mixed *mixed = hm_scratch(bytes);
    if (!mixed)
        return NULL;
    mixed->bytes = bytes;
    mixed->set.slots = (struct hm_slot *)(mixed + 1);
    mixed->set.slot_count = slots;
    mixed->set.steps = (struct hm_step *)(mixed->set.slots + slots);
    mixed->set.step_count = steps;
    return mixed;
}

static void teardown(struct hm_run *run) {
    struct mixed *mixed = run->state;
    hm_slots_free(run->memory, &mixed->set);
    hm_scratch_free(mixed, mixed->bytes);
    run->state = NULL;
}

/* Into an empty slot. @return whether there was memory; if not, it stays empty */
static bool put(const struct hm_memory *memory, struct hm_slot *slot, const struct hm_step *step) {
    unsigned char *block = hm_malloc(memory, step->size);
    if (__builtin_expect(!block, 0))
        return false;
    *slot = (struct hm_slot){block, step->size};
    hm_slot_touch(slot, step->slot, HM_TOUCH_ALL);
    return true;
}

static bool fill_half(const struct hm_run *run, struct hm_slots *set, struct hm_random *random) {
    for (uint32_t i = 0; i < set->slot_count; i++)
        if ((hm_random_next(random) & 1) &&
            !put(run->memory, &set->slots[i], &(struct hm_step){i, draw_size(random)}))
            return false;
    return true;
}

static int setup(struct hm_run *run) {
    struct mixed *mixed = map_mixed((size_t)run->params[PARAM_SLOTS].number);
    if (!mixed)
        return ENOMEM;
    run->state = mixed;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < mixed->set.step_count; i++)
        mixed->set.steps[i] =
            (struct hm_step){draw_slot(&random, mixed->set.slot_count), draw_size(&random)};
    if (fill_half(run, &mixed->set, &random))
        return 0;
    teardown(run);
    return ENOMEM;
}

/* @return whether it held what it was written with */
static bool take(const struct hm_memory *memory, struct hm_slot *slot, size_t index) {
    bool is_whole = !hm_bytes_unlike(slot->block, slot->size, hm_slot_mark(index, slot->size));
    hm_free(memory, slot->block);
    *slot = (struct hm_slot){NULL, 0};
    return is_whole;
}

__attribute__((noinline)) static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct mixed *mixed = run->state;
    struct hm_slot *slots = mixed->set.slots;
    const struct hm_step *steps = mixed->set.steps;
    const size_t mask = mixed->set.step_count - 1;
    const uint64_t begin = mixed->set.cursor;
    const uint64_t end = begin + units;
    uint64_t sum = 0;
    uint64_t damaged = 0;
    uint64_t at = begin;
    for (; at < end; at++) {
        const struct hm_step *step = &steps[at & mask];
        struct hm_slot *slot = &slots[step->slot];
        sum += step->slot + slot->size * (at & mask) + 1;
        if (slot->block)
            damaged += !take(&memory, slot, step->slot);
        else if (!put(&memory, slot, step)) {
            sum -= step->slot + 1;
            break;
        }
    }
    mixed->set.cursor = at;
    mixed->damaged += damaged;
    run->checksum += sum;
    return at - begin;
}

static const char *verify(struct hm_run *run) {
    const struct mixed *mixed = run->state;
    if (mixed->damaged)
        return "a block did not hold what was written to it";
    return hm_slots_verify(&mixed->set, HM_TOUCH_ALL);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct mixed *mixed = run->state;
    return hm_slots_live_bytes(&mixed->set);
}

static const struct hm_workload mixed = {
    HM_WORKLOAD_VARIANT,
    .name = "mixed",
    .summary = "random slots, some far more often: a block is read and freed, or one allocated",
    .stresses = "a heap of mostly old blocks, written and read in full, and its locality",
    .origin =
        "alloc-test (IT Hare, 2018) in mimalloc-bench, where the threads share 2^18 slots out",
    .op = "free or malloc",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, mixed);

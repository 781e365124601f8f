/* A live set of aligned blocks with random replacement.
 *
 * An operation frees the block of a random slot and allocates one there whose alignment is a power of
 * two, drawn between two bounds with all powers as likely. Allocators differ in how they come to it:
 * by a size class whose blocks lie so, by a larger block of which a part is wasted, or by a path of its
 * own. Sizes are rounded up to a multiple of the alignment, for C11 asks for that and some allocators
 * insist on it.
 *
 * By default alignments end at 128, a pair of cache lines: mimalloc 2.0.9, which Debian ships, gives
 * blocks of 256, 512 and 1024 bytes that are not aligned to their size (`heapmark verify -a mimalloc`),
 * so that its cells are invalid beyond that, and say so.
 *
 * Invariant
 *   The alignment of each block is checked when it comes, at the price of an `and` and an `or`. */
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_LIVE,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_FROM,
    PARAM_TO,
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
                   .help = "smallest block, before its size is rounded up",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16,
                   .min = 1,
                   .max = 1 << 28},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block, before its size is rounded up",
                   .kind = HM_PARAM_BYTES,
                   .initial = 1024,
                   .min = 1,
                   .max = 1 << 28},
    [PARAM_FROM] = {.name = "from",
                    .unit = "bytes",
                    .help = "smallest alignment; rounded up to a power of two",
                    .kind = HM_PARAM_BYTES,
                    .initial = 32,
                    .min = 16,
                    .max = 1 << 20},
    [PARAM_TO] = {.name = "to",
                  .unit = "bytes",
                  .help = "largest alignment; rounded up to a power of two",
                  .kind = HM_PARAM_BYTES,
                  .initial = 128,
                  .min = 16,
                  .max = 1 << 20},
    {.name = NULL},
};

struct step {
    uint32_t slot;
    uint32_t size;
    uint32_t alignment;
};

/* One mapping: this, the slots, the script. */
struct aligned {
    struct hm_slot *slots;
    size_t slot_count;
    struct step *steps;
    size_t step_count; /* a power of two */
    uint64_t cursor;
    uintptr_t misaligned; /* bits of addresses that should have been 0 */
    size_t bytes;
};

static unsigned log2_up(int64_t bytes) {
    return 63u - (unsigned)__builtin_clzll(2 * (unsigned long long)bytes - 1);
}

static const char *conflict(const struct hm_value *values) {
    if (log2_up(values[PARAM_FROM].number) > log2_up(values[PARAM_TO].number))
        return "from is above to";
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static struct step draw(const struct hm_run *run, uint32_t slot, struct hm_random *random) {
    const struct hm_value *values = run->params;
    const struct hm_sizes sizes = {HM_SIZES_UNIFORM, (uint32_t)values[PARAM_MIN].number,
                                   (uint32_t)values[PARAM_MAX].number};
    unsigned from = log2_up(values[PARAM_FROM].number);
    unsigned powers = log2_up(values[PARAM_TO].number) - from + 1;
    uint32_t alignment = (uint32_t)1 << (from + (unsigned)hm_random_below(random, powers));
    uint32_t size = (hm_size_draw(&sizes, random) + alignment - 1) & -alignment;
    return (struct step){slot, size, alignment};
}

static struct aligned *map_aligned(size_t live) {
    size_t steps = hm_slots_script_length(live);
    size_t bytes =
        sizeof(struct aligned) + live * sizeof(struct hm_slot) + steps * sizeof(struct step);
    struct aligned *aligned = hm_scratch(bytes);
    if (!aligned)
        return NULL;
    aligned->bytes = bytes;
    aligned->slots = (struct hm_slot *)(aligned + 1);
    aligned->slot_count = live;
    aligned->steps = (struct step *)(aligned->slots + live);
    aligned->step_count = steps;
    return aligned;
}

/* @return false when memory ran out, and the slot is empty */
static inline bool replace(const struct hm_memory *memory, struct aligned *aligned,
                           const struct step *step) {
    struct hm_slot *slot = &aligned->slots[step->slot];
    hm_free(memory, slot->block);
    slot->block = hm_aligned_alloc(memory, step->alignment, step->size);
    slot->size = slot->block ? step->size : 0;
    if (__builtin_expect(!slot->block, 0))
        return false;
    aligned->misaligned |= (uintptr_t)slot->block & (step->alignment - 1);
    hm_slot_touch(slot, step->slot, 1);
    return true;
}

static void teardown(struct hm_run *run) {
    struct aligned *aligned = run->state;
    for (size_t i = 0; i < aligned->slot_count; i++)
        hm_free(run->memory, aligned->slots[i].block);
    hm_scratch_free(aligned, aligned->bytes);
    run->state = NULL;
}

/* An allocator that knows no alignment but its own says EINVAL, and so does the set-up. */
static int fill(struct hm_run *run, struct hm_random *random) {
    struct aligned *aligned = run->state;
    for (uint32_t i = 0; i < aligned->slot_count; i++) {
        const struct step step = draw(run, i, random);
        errno = 0;
        if (!replace(run->memory, aligned, &step))
            return errno == EINVAL ? EINVAL : ENOMEM;
    }
    return 0;
}

static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct aligned *aligned = map_aligned((size_t)run->params[PARAM_LIVE].number);
    if (!aligned)
        return ENOMEM;
    run->state = aligned;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < aligned->step_count; i++)
        aligned->steps[i] =
            draw(run, (uint32_t)hm_random_below(&random, aligned->slot_count), &random);
    int bad = fill(run, &random);
    if (bad)
        teardown(run);
    return bad;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct aligned *aligned = run->state;
    uint64_t sum = 0;
    uint64_t done = 0;
    for (; done < units; done++) {
        const struct step *step = &aligned->steps[aligned->cursor & (aligned->step_count - 1)];
        if (!replace(&memory, aligned, step))
            break;
        aligned->cursor++;
        sum += (uint64_t)(step->slot + 1) * step->size + step->alignment;
    }
    run->checksum += sum;
    return done;
}

static const char *verify(struct hm_run *run) {
    const struct aligned *aligned = run->state;
    const struct hm_slots set = {.slots = aligned->slots, .slot_count = aligned->slot_count};
    if (aligned->misaligned)
        return "a block is not aligned as it was asked for";
    return hm_slots_verify(&set, 1);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct aligned *aligned = run->state;
    const struct hm_slots set = {.slots = aligned->slots, .slot_count = aligned->slot_count};
    return hm_slots_live_bytes(&set);
}

static const struct hm_workload aligned = {
    HM_WORKLOAD_VARIANT,
    .name = "aligned",
    .summary = "a live set of aligned blocks, of which a random one is replaced, again and again",
    .stresses = "aligned_alloc: alignments from half a cache line on, for all sizes",
    .origin = "ours; alignments are the powers of two from 32 to 128, sizes up to 1024 rounded up",
    .op = "free and aligned_alloc",
    .params = params,
    .conflict = conflict,
    .unfit = HM_CAP_NO_ALIGNED,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, aligned);

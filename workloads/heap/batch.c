/* Allocate a whole batch of blocks, then free them all, in a chosen order.
 *
 * The order of the frees is what tells allocators apart: the same order and the reverse one suit
 * queues and stacks of free blocks, a random one scatters the free lists over the heap. Nothing is
 * live between two batches.
 *
 * Vocabulary
 *   victim  the index, within the batch, of the block that a step of the freeing half frees.
 *   script  the sizes and victims of several batches, so that no branch predictor learns them. */
#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <errno.h>

enum {
    PARAM_COUNT,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_ORDER,
};

enum order {
    ORDER_SAME,
    ORDER_REVERSE,
    ORDER_RANDOM,
};

enum {
    SCRIPT_STEPS = 1 << 16,
};

static const struct hm_param params[] = {
    [PARAM_COUNT] = {.name = "count",
                     .unit = "blocks",
                     .help = "blocks in a batch",
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
    [PARAM_ORDER] = {.name = "order",
                     .unit = "",
                     .help = "order of the frees, against that of the allocations",
                     .kind = HM_PARAM_CHOICE,
                     .initial = ORDER_RANDOM,
                     .choices = "same|reverse|random"},
    {.name = NULL},
};

struct step {
    uint32_t size;
    uint32_t victim;
};

/* One mapping: this, the blocks, the steps. */
struct batch {
    size_t count;
    unsigned char **blocks; /* of the batch at work */
    struct step *steps;     /* `batches` times `count` */
    size_t batches;
    size_t next; /* batch, in 0 .. batches-1 */
    size_t bytes;
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_COUNT].number;
}

static struct batch *map_batch(size_t count) {
    size_t batches = count < SCRIPT_STEPS ? SCRIPT_STEPS / count : 1;
    size_t bytes = sizeof(struct batch) + count * sizeof(unsigned char *) +
                   batches * count * sizeof(struct step);
    struct batch *batch = hm_scratch(bytes);
    if (!batch)
        return NULL;
    batch->bytes = bytes;
    batch->count = count;
    batch->batches = batches;
    batch->blocks = (unsigned char **)(batch + 1);
    batch->steps = (struct step *)(batch->blocks + count);
    return batch;
}

static void draw_victims(struct step *steps, size_t count, enum order order,
                         struct hm_random *random) {
    for (size_t i = 0; i < count; i++)
        steps[i].victim = (uint32_t)(order == ORDER_REVERSE ? count - 1 - i : i);
    if (order != ORDER_RANDOM)
        return;
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)hm_random_below(random, i);
        uint32_t swapped = steps[i - 1].victim;
        steps[i - 1].victim = steps[other].victim;
        steps[other].victim = swapped;
    }
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static int setup(struct hm_run *run) {
    const struct hm_sizes sizes = {HM_SIZES_UNIFORM, (uint32_t)run->params[PARAM_MIN].number,
                                   (uint32_t)run->params[PARAM_MAX].number};
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    struct batch *batch = map_batch((size_t)run->params[PARAM_COUNT].number);
    if (!batch)
        return ENOMEM;
    run->state = batch;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < batch->batches * batch->count; i++)
        batch->steps[i].size = hm_size_draw(&sizes, &random);
    for (size_t i = 0; i < batch->batches; i++)
        draw_victims(batch->steps + i * batch->count, batch->count,
                     (enum order)run->params[PARAM_ORDER].number, &random);
    return 0;
}

__attribute__((noinline, cold)) static void give_up(const struct hm_memory *memory,
                                                    unsigned char **blocks, size_t count) {
    for (size_t i = 0; i < count; i++)
        hm_free(memory, blocks[i]);
}

/* Both halves are order-sensitive in the checksum, so that a wrong script can not go unseen. */
__attribute__((noinline)) static bool allocate(struct hm_run *run, const struct batch *batch,
                                               const struct step *steps) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    unsigned char **blocks = batch->blocks;
    size_t count = batch->count;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char *block = hm_malloc(&memory, steps[i].size);
        if (__builtin_expect(!block, 0)) {
            give_up(&memory, blocks, i);
            return false;
        }
        *block = (unsigned char)i;
        blocks[i] = block;
        sum += steps[i].size * (i + 1);
    }
    run->checksum += sum;
    return true;
}

__attribute__((noinline)) static void release(struct hm_run *run, const struct batch *batch,
                                              const struct step *steps) {
    const struct hm_memory memory = *run->memory;
    unsigned char **blocks = batch->blocks;
    size_t count = batch->count;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        hm_free(&memory, blocks[steps[i].victim]);
        sum += steps[i].victim * (i + 1);
    }
    run->checksum += sum;
}

static const struct step *next_script(const struct batch *batch) {
    return batch->steps + batch->next * batch->count;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct batch *batch = run->state;
    for (uint64_t done = 0; done < units; done++) {
        const struct step *steps = next_script(batch);
        if (!allocate(run, batch, steps))
            return done;
        release(run, batch, steps);
        batch->next = batch->next + 1 < batch->batches ? batch->next + 1 : 0;
    }
    return units;
}

/* One more batch, looked at before it is freed; it is not part of the work. */
static const char *verify(struct hm_run *run) {
    const struct batch *batch = run->state;
    const uint64_t checksum = run->checksum;
    const struct step *steps = next_script(batch);
    if (!allocate(run, batch, steps))
        return "memory ran out in the batch for verification";
    const char *broken = NULL;
    for (size_t i = 0; i < batch->count; i++)
        if (*batch->blocks[i] != (unsigned char)i)
            broken = "a live block does not hold what was written to it";
    release(run, batch, steps);
    run->checksum = checksum;
    return broken;
}

static uint64_t live_bytes(const struct hm_run *run) {
    (void)run;
    return 0;
}

static void teardown(struct hm_run *run) {
    struct batch *batch = run->state;
    hm_scratch_free(batch, batch->bytes);
    run->state = NULL;
}

static const struct hm_workload batch = {
    HM_WORKLOAD_VARIANT,
    .name = "batch",
    .summary = "allocate a batch of blocks, then free them all",
    .stresses = "growing and emptying the heap, and the order in which blocks come back",
    .origin = "threadtest (Berger et al., ASPLOS 2000) and glibc's bench-malloc-simple.c, with "
              "mixed sizes and a chosen order of frees",
    .op = "malloc and its free",
    .params = params,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, batch);

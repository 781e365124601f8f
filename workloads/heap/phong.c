/* Phong Vo's stress test: after each stretch of allocations one half of all blocks is freed, and a
 * quarter of the survivors change their size.
 *
 * Written from its description alone, for its licence forbids more: sizes of 10 to 1024 bytes, mostly
 * small; after the first thousand allocations a sweep comes after every p to q more, drawn at random;
 * a survivor that is resized gets twice its size or a quarter. Ours are the default p and q, that
 * sizes have a density that falls with the square, and that they stay in their range.
 *
 * Vocabulary
 *   stretch   allocations without a sweep. Stretches come in pairs of p + q in all, one as much longer
 *             than the mean as the other is shorter: a unit is such a pair.
 *   sweep     goes over all blocks, oldest first; survivors close up.
 *   fates     random bytes, one for each block that a sweep meets.
 *   mark      the first and the last byte of a block. Resizing must bring both along, or the first
 *             when the block shrinks. Wherever a block is freed or resized, its marks are looked at.
 *
 * Invariants
 *   At most `survivors` blocks outlive a sweep: those that chance would leave beyond are freed.
 *   Memory that runs out leaves a sweep half done, and the next run() goes on with it: blocks are then
 *   those below `kept` and those from `swept` to `count`. */
#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <errno.h>

enum {
    PARAM_MIN,
    PARAM_MAX,
    PARAM_FIRST,
    PARAM_P,
    PARAM_Q,
};

enum {
    PAIRS = 64, /* of stretches in the script */
    FATES = 1 << 16,
    FATE_FREED = 1,   /* bits */
    FATE_RESIZED = 6, /* both: one in four */
    FATE_GROWS = 8,
};

static const struct hm_param params[] = {
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 10,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 1024,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_FIRST] = {.name = "first",
                     .unit = "blocks",
                     .help = "allocations before the first sweep",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1000,
                     .min = 1,
                     .max = 1000000},
    [PARAM_P] = {.name = "p",
                 .unit = "blocks",
                 .help = "least allocations between two sweeps",
                 .kind = HM_PARAM_COUNT,
                 .initial = 200,
                 .min = 1,
                 .max = 1000000},
    [PARAM_Q] = {.name = "q",
                 .unit = "blocks",
                 .help = "most allocations between two sweeps",
                 .kind = HM_PARAM_COUNT,
                 .initial = 2000,
                 .min = 1,
                 .max = 1000000},
    {.name = NULL},
};

struct block {
    unsigned char *bytes;
    uint32_t size;
    unsigned char mark;
};

/* One mapping: this, the blocks, the sizes. */
struct phong {
    struct hm_sizes range;
    struct block *blocks;
    size_t count;
    size_t kept;  /* by the sweep at work */
    size_t swept; /* 0: there is none */
    size_t survivors;
    uint32_t *sizes;    /* of PAIRS pairs of stretches */
    size_t pair_blocks; /* allocations in a pair */
    size_t pair;        /* at work, in 0 .. PAIRS-1 */
    size_t at;          /* allocations done of it */
    bool sweeping;      /* one sweep is due or half done */
    size_t fate;        /* next one */
    uint64_t damaged;   /* blocks that did not hold their marks */
    size_t bytes;
    size_t turns[PAIRS]; /* allocations of the pair's first stretch */
    unsigned char fates[FATES];
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)(values[PARAM_P].number + values[PARAM_Q].number);
}

static const char *conflict(const struct hm_value *values) {
    if (values[PARAM_P].number > values[PARAM_Q].number)
        return "p is above q";
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

/* ---- Marks ---- */

static void write_marks(struct block *block) {
    block->bytes[0] = block->mark;
    block->bytes[block->size - 1] = block->mark;
}

static bool holds_marks(const struct block *block) {
    return block->bytes[0] == block->mark && block->bytes[block->size - 1] == block->mark;
}

/* ---- The work ---- */

static bool add(const struct hm_memory *memory, struct phong *phong, uint32_t size) {
    struct block *block = &phong->blocks[phong->count];
    block->bytes = hm_malloc(memory, size);
    if (__builtin_expect(!block->bytes, 0))
        return false;
    block->size = size;
    block->mark = (unsigned char)(size + phong->fate + phong->count);
    write_marks(block);
    phong->count++;
    return true;
}

static uint32_t new_size(const struct phong *phong, uint32_t size, unsigned char fate) {
    uint64_t wanted = fate & FATE_GROWS ? 2 * (uint64_t)size : size / 4;
    return hm_size_clamp_(&phong->range, wanted);
}

/* @return false when memory ran out, and the block is as it was */
static bool resize(const struct hm_memory *memory, struct phong *phong, struct block *block,
                   unsigned char fate) {
    uint32_t size = new_size(phong, block->size, fate);
    phong->damaged += !holds_marks(block);
    unsigned char *moved = hm_realloc(memory, block->bytes, size);
    if (__builtin_expect(!moved, 0))
        return false;
    block->bytes = moved;
    if (moved[0] != block->mark || (size > block->size && moved[block->size - 1] != block->mark))
        phong->damaged++;
    block->size = size;
    write_marks(block);
    return true;
}

/* @return false when memory ran out; a later call goes on with the block that it failed at */
__attribute__((noinline)) static bool sweep(struct hm_run *run, struct phong *phong) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    uint64_t sum = 0;
    bool has_memory = true;
    for (; phong->swept < phong->count; phong->swept++) {
        struct block *block = &phong->blocks[phong->swept];
        unsigned char fate = phong->fates[phong->fate];
        if ((fate & FATE_FREED) || phong->kept == phong->survivors) {
            phong->damaged += !holds_marks(block);
            hm_free(&memory, block->bytes);
            sum += block->size;
        } else {
            if ((fate & FATE_RESIZED) == FATE_RESIZED &&
                !(has_memory = resize(&memory, phong, block, fate)))
                break;
            sum += (uint64_t)block->size * (phong->kept + 3);
            phong->blocks[phong->kept++] = *block;
        }
        phong->fate = (phong->fate + 1) % FATES;
    }
    run->checksum += sum;
    if (!has_memory)
        return false;
    phong->count = phong->kept;
    phong->kept = phong->swept = 0;
    phong->sweeping = false;
    return true;
}

/* @return false when memory ran out */
__attribute__((noinline)) static bool stretch(struct hm_run *run, struct phong *phong, size_t end) {
    const struct hm_memory memory = *run->memory;
    const uint32_t *sizes = phong->sizes + phong->pair * phong->pair_blocks;
    uint64_t sum = 0;
    while (phong->at < end && add(&memory, phong, sizes[phong->at])) {
        sum += sizes[phong->at] * (phong->at + 1);
        phong->at++;
    }
    run->checksum += sum;
    return phong->at == end;
}

static bool do_stretch(struct hm_run *run, struct phong *phong, size_t end) {
    if (phong->at < end) {
        if (!stretch(run, phong, end))
            return false;
        phong->sweeping = true;
    }
    return true;
}

static bool do_pair(struct hm_run *run, struct phong *phong) {
    const size_t ends[] = {phong->turns[phong->pair], phong->pair_blocks};
    for (unsigned i = 0; i < 2; i++) {
        if (!do_stretch(run, phong, ends[i]))
            return false;
        if (phong->at == ends[i] && phong->sweeping && !sweep(run, phong))
            return false;
    }
    phong->at = 0;
    phong->pair = (phong->pair + 1) % PAIRS;
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++)
        if (!do_pair(run, run->state))
            return done;
    return units;
}

/* ---- Before and after ---- */

/* Of all blocks that are there, with a sweep half done or not: the n-th, or NULL. */
static struct block *nth_block(const struct phong *phong, size_t n) {
    if (phong->swept == 0)
        return n < phong->count ? &phong->blocks[n] : NULL;
    if (n < phong->kept)
        return &phong->blocks[n];
    n += phong->swept - phong->kept;
    return n < phong->count ? &phong->blocks[n] : NULL;
}

static void teardown(struct hm_run *run) {
    struct phong *phong = run->state;
    const struct block *block;
    for (size_t i = 0; (block = nth_block(phong, i)); i++)
        hm_free(run->memory, block->bytes);
    hm_scratch_free(phong, phong->bytes);
    run->state = NULL;
}

static struct phong *map_phong(const struct hm_value *values) {
    size_t first = (size_t)values[PARAM_FIRST].number;
    size_t q = (size_t)values[PARAM_Q].number;
    size_t pair_blocks = (size_t)values[PARAM_P].number + q;
    size_t survivors = 4 * q;
    size_t most = (first > survivors ? first : survivors) + q;
    size_t bytes =
        sizeof(struct phong) + most * sizeof(struct block) + PAIRS * pair_blocks * sizeof(uint32_t);
    struct phong *phong = hm_scratch(bytes);
    if (!phong)
        return NULL;
    phong->bytes = bytes;
    phong->survivors = survivors;
    phong->pair_blocks = pair_blocks;
    phong->blocks = (struct block *)(phong + 1);
    phong->sizes = (uint32_t *)(phong->blocks + most);
    return phong;
}

static void draw(struct phong *phong, const struct hm_value *values, struct hm_random *random) {
    size_t p = (size_t)values[PARAM_P].number;
    size_t q = (size_t)values[PARAM_Q].number;
    for (size_t i = 0; i < PAIRS; i++)
        phong->turns[i] = p + (size_t)hm_random_below(random, q - p + 1);
    for (size_t i = 0; i < PAIRS * phong->pair_blocks; i++)
        phong->sizes[i] = hm_size_draw(&phong->range, random);
    for (size_t i = 0; i < FATES; i++)
        phong->fates[i] = (unsigned char)hm_random_next(random);
}

/* The first sweep is due when the first blocks are there. */
static bool start(struct hm_run *run, struct phong *phong, struct hm_random *random) {
    size_t first = (size_t)run->params[PARAM_FIRST].number;
    while (phong->count < first)
        if (!add(run->memory, phong, hm_size_draw(&phong->range, random)))
            return false;
    return sweep(run, phong);
}

static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct phong *phong = map_phong(run->params);
    if (!phong)
        return ENOMEM;
    run->state = phong;
    phong->range = (struct hm_sizes){HM_SIZES_POWER, (uint32_t)run->params[PARAM_MIN].number,
                                     (uint32_t)run->params[PARAM_MAX].number};
    struct hm_random random = hm_random_of(run->seed, run->thread);
    draw(phong, run->params, &random);
    if (start(run, phong, &random))
        return 0;
    teardown(run);
    return ENOMEM;
}

static const char *verify(struct hm_run *run) {
    const struct phong *phong = run->state;
    if (phong->damaged)
        return "a block did not hold what was written to it";
    const struct block *block;
    for (size_t i = 0; (block = nth_block(phong, i)); i++)
        if (!holds_marks(block))
            return "a live block does not hold what was written to it";
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct phong *phong = run->state;
    const struct block *block;
    uint64_t sum = 0;
    for (size_t i = 0; (block = nth_block(phong, i)); i++)
        sum += block->size;
    return sum;
}

static const struct hm_workload phong = {
    HM_WORKLOAD_VARIANT,
    .name = "phong",
    .summary =
        "after each stretch of allocations half of the blocks go, and some change their size",
    .stresses = "realloc among blocks of other ages, and waves of frees",
    .origin = "Phong Vo's stress test of malloc: 10 to 1024 bytes, the first sweep after 1000 "
              "blocks; written from its description",
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
HM_REGISTER(hm_workload, phong);

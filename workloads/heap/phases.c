/* A program whose sizes shift from phase to phase: what one phase leaves behind, can the next one use?
 *
 * In a phase all blocks are of one octave of sizes, [b, 2b); the next phase's are twice as large, and
 * after the largest come the smallest again. A phase allocates `count` blocks, and frees the oldest
 * while more than `bytes` would be live. At its end all blocks are freed but a few, chosen at random,
 * which the next phase frees as its oldest. So hardly anything is live between two phases, and all
 * that is resident then is dead: pages pinned by survivors, classes that only the last phase needed,
 * memory kept for reuse. That is the figure `dead_bytes`, the mean over the ends of phases.
 *
 * Invariants
 *   The ring holds the live blocks, the oldest first; live <= bytes.
 *   A phase begins with the survivors of the one before. */
#include "workloads/footprint.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdbool.h>

enum {
    PARAM_BYTES,
    PARAM_COUNT,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_KEEP,
};

enum {
    FIGURE_DEAD,
};

enum {
    SCRIPT_STEPS = 1 << 16,
};

static const struct hm_param params[] = {
    [PARAM_BYTES] = {.name = "bytes",
                     .unit = "bytes",
                     .help = "live bytes of each thread, at most",
                     .kind = HM_PARAM_BYTES,
                     .initial = 8 << 20,
                     .min = 1,
                     .max = (int64_t)1 << 36},
    [PARAM_COUNT] = {.name = "count",
                     .unit = "blocks",
                     .help = "blocks that a phase allocates",
                     .kind = HM_PARAM_COUNT,
                     .initial = 100000,
                     .min = 1,
                     .max = 100000000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block of the first phase",
                   .kind = HM_PARAM_BYTES,
                   .initial = 64,
                   .min = 16,
                   .max = 1 << 28},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "no block of the last phase is as large as this",
                   .kind = HM_PARAM_BYTES,
                   .initial = 8 << 10,
                   .min = 32,
                   .max = 1 << 29},
    [PARAM_KEEP] = {.name = "keep",
                    .unit = "percent",
                    .help = "blocks that live into the next phase",
                    .kind = HM_PARAM_COUNT,
                    .initial = 5,
                    .min = 0,
                    .max = 100},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_DEAD] = {.name = "dead_bytes",
                     .unit = "bytes",
                     .help =
                         "resident bytes of the heap beyond the live ones, in between the loads",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct block {
    unsigned char *bytes;
    uint32_t size;
    unsigned char mark; /* its first and last byte */
};

/* One mapping: this, the ring, the script. */
struct phases {
    struct block *ring;
    size_t places;
    size_t oldest; /* place of it */
    size_t count;  /* of live blocks */
    uint64_t live;
    uint64_t told_live; /* of it, what the footprint knows */
    uint32_t *script;   /* of random bits, for sizes and survivors */
    uint64_t cursor;
    uint64_t phase;
    uint64_t octaves;
    uint64_t left; /* allocations of this phase, if memory ran out in it; else 0 */
    bool ended;    /* a phase has, and was not looked at yet */
    struct hm_mean dead;
    size_t bytes;
};

static uint64_t octaves(const struct hm_value *values) {
    uint64_t count = 0;
    for (int64_t b = values[PARAM_MIN].number; 2 * b <= values[PARAM_MAX].number; b *= 2)
        count++;
    return count;
}

static const char *conflict(const struct hm_value *values) {
    if (!octaves(values))
        return "max is less than twice min";
    if (values[PARAM_BYTES].number < values[PARAM_MAX].number)
        return "bytes is less than max";
    return values[PARAM_BYTES].number / values[PARAM_MIN].number >= UINT32_MAX
               ? "bytes is too large for blocks of min"
               : NULL;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_COUNT].number;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    (void)threads;
    return sizeof(struct hm_footprint);
}

static struct phases *map_phases(const struct hm_value *values) {
    size_t places = (size_t)(values[PARAM_BYTES].number / values[PARAM_MIN].number) + 1;
    size_t bytes =
        sizeof(struct phases) + places * sizeof(struct block) + SCRIPT_STEPS * sizeof(uint32_t);
    struct phases *phases = hm_scratch(bytes);
    if (!phases)
        return NULL;
    phases->bytes = bytes;
    phases->places = places;
    phases->ring = (struct block *)(phases + 1);
    phases->script = (uint32_t *)(phases->ring + places);
    return phases;
}

static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct phases *phases = map_phases(run->params);
    if (!phases)
        return ENOMEM;
    run->state = phases;
    phases->octaves = octaves(run->params);
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < SCRIPT_STEPS; i++)
        phases->script[i] = (uint32_t)hm_random_next(&random);
    hm_footprint_open(run->shared);
    return 0;
}

/* ---- The ring ---- */

static struct block *place(const struct phases *phases, size_t age) {
    size_t at = phases->oldest + age;
    return &phases->ring[at < phases->places ? at : at - phases->places];
}

static void free_oldest(const struct hm_memory *memory, struct phases *phases) {
    const struct block *block = place(phases, 0);
    hm_free(memory, block->bytes);
    phases->live -= block->size;
    phases->oldest = phases->oldest + 1 < phases->places ? phases->oldest + 1 : 0;
    phases->count--;
}

static bool allocate(const struct hm_memory *memory, struct phases *phases, size_t size,
                     uint64_t limit) {
    while (phases->live + size > limit)
        free_oldest(memory, phases);
    unsigned char *bytes = hm_malloc(memory, size);
    if (__builtin_expect(!bytes, 0))
        return false;
    unsigned char mark = (unsigned char)(phases->cursor + 1);
    bytes[0] = bytes[size - 1] = mark;
    *place(phases, phases->count++) = (struct block){bytes, (uint32_t)size, mark};
    phases->live += size;
    return true;
}

/* Free all blocks but those whose lot falls below `keep` percent; these close up. */
static void thin(const struct hm_memory *memory, struct phases *phases, uint64_t keep) {
    const uint64_t below = (keep << 32) / 100;
    size_t count = phases->count;
    phases->count = 0;
    phases->live = 0;
    for (size_t i = 0; i < count; i++) {
        const struct block block = *place(phases, i);
        uint32_t lot = phases->script[(phases->cursor + i) % SCRIPT_STEPS];
        if (lot >= below) {
            hm_free(memory, block.bytes);
            continue;
        }
        *place(phases, phases->count++) = block;
        phases->live += block.size;
    }
}

/* ---- A phase ---- */

/* @return whether all blocks of the phase could be had */
__attribute__((noinline)) static bool fill(struct hm_run *run, struct phases *phases) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    const size_t base = (size_t)run->params[PARAM_MIN].number << phases->phase % phases->octaves;
    const uint64_t limit = (uint64_t)run->params[PARAM_BYTES].number;
    uint64_t sum = 0;
    for (; phases->left; phases->left--) {
        uint64_t bits = phases->script[phases->cursor % SCRIPT_STEPS];
        size_t size = base + (size_t)(bits * base >> 32);
        if (!allocate(&memory, phases, size, limit))
            break;
        phases->cursor++;
        sum += size * (phases->left & 0xFF);
    }
    run->checksum += sum;
    return phases->left == 0;
}

static void tell_live(struct hm_run *run, struct phases *phases) {
    hm_footprint_add(run->shared, (int64_t)phases->live - (int64_t)phases->told_live);
    phases->told_live = phases->live;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct phases *phases = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (!phases->left)
            phases->left = (uint64_t)run->params[PARAM_COUNT].number;
        if (!fill(run, phases))
            return done;
        thin(run->memory, phases, (uint64_t)run->params[PARAM_KEEP].number);
        run->checksum += hm_mix(phases->live + phases->count);
        tell_live(run, phases);
        phases->phase++;
        phases->ended = true;
    }
    return units;
}

/* ---- Between two phases ---- */

/* The first thread looks, for all. */
static void look(struct hm_run *run) {
    struct phases *phases = run->state;
    if (phases->ended && run->thread == 0)
        hm_mean_add(&phases->dead, hm_footprint_dead(run->shared));
    phases->ended = false;
}

static int prepare(struct hm_run *run) {
    look(run);
    return 0;
}

static void measure(struct hm_run *run, double *values) {
    struct phases *phases = run->state;
    look(run);
    if (run->thread == 0)
        values[FIGURE_DEAD] = hm_mean_take(&phases->dead);
}

static const char *verify(struct hm_run *run) {
    const struct phases *phases = run->state;
    for (size_t i = 0; i < phases->count; i++) {
        const struct block *block = place(phases, i);
        if (block->bytes[0] != block->mark || block->bytes[block->size - 1] != block->mark)
            return "a live block does not hold what was written to it";
    }
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct phases *phases = run->state;
    return phases->live;
}

static void teardown(struct hm_run *run) {
    struct phases *phases = run->state;
    while (phases->count)
        free_oldest(run->memory, phases);
    hm_scratch_free(phases, phases->bytes);
    run->state = NULL;
}

static const struct hm_workload phases = {
    HM_WORKLOAD_VARIANT,
    .name = "phases",
    .summary = "all blocks are of one octave of sizes for a while, then of the next; few live on",
    .stresses = "memory that one phase leaves and the next, of other sizes, has to get on with",
    .origin = "ours, after the phases of programs in Wilson et al., IWMM 1995",
    .op = "malloc and its free",
    .params = params,
    .figures = figures,
    .measure = measure,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .prepare = prepare,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, phases);

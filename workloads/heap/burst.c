/* Waves of load with idle gaps between them: is memory given back while nothing happens?
 *
 * A wave allocates `count` blocks and then frees all but a few, in the order of a fixed shuffle; the
 * few live on through the gap and until the next wave is at its height. In the gap, which is before
 * each wave and not timed, all threads sleep. So `time_ns` is the price of a wave, which has to take
 * again what was given back, and two figures tell what it bought: `dead_bytes`, what is resident
 * beyond the live bytes when the gap is over, and `given_back_bytes`, what became less of it during
 * the gap. What is given back with the frees themselves is in neither, but in the first's being low.
 *
 * An allocator without a thread of its own can not act in a gap; many give back at the next call
 * after a while, which is in the next wave, and too late for who is idle for long. jemalloc's background
 * thread, which is off by default, looks ten times a second at most: give it `gap=300`.
 *
 * Invariants
 *   Between two waves the survivors are the first `survivors` blocks of the shuffle.
 *   live bytes are those of the survivors. */
#include "workloads/footprint.h"
#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <errno.h>
#include <time.h>

enum {
    PARAM_COUNT,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_KEEP,
    PARAM_GAP,
};

enum {
    FIGURE_DEAD,
    FIGURE_GIVEN_BACK,
};

static const struct hm_param params[] = {
    [PARAM_COUNT] = {.name = "count",
                     .unit = "blocks",
                     .help = "blocks in a wave of each thread",
                     .kind = HM_PARAM_COUNT,
                     .initial = 50000,
                     .min = 1,
                     .max = 10000000},
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
                   .initial = 2048,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_KEEP] = {.name = "keep",
                    .unit = "percent",
                    .help = "blocks that live through the gap",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1,
                    .min = 0,
                    .max = 100},
    [PARAM_GAP] = {.name = "gap",
                   .unit = "ms",
                   .help = "idle time before each wave, not timed",
                   .kind = HM_PARAM_COUNT,
                   .initial = 50,
                   .min = 0,
                   .max = 60000},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_DEAD] = {.name = "dead_bytes",
                     .unit = "bytes",
                     .help =
                         "resident bytes of the heap beyond the live ones, in between the loads",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    [FIGURE_GIVEN_BACK] = {.name = "given_back_bytes",
                           .unit = "bytes",
                           .help = "resident bytes that went while the process was idle, of a gap",
                           .better = HM_FIGURE_HIGHER_IS_BETTER,
                           .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct step {
    uint32_t size;
    uint32_t victim; /* index of the block that is freed as the i-th from the end */
};

/* One mapping: this, the blocks, the survivors of the wave before, the script. */
struct burst {
    size_t count;
    size_t survivors;
    unsigned char **blocks;
    unsigned char **old;
    struct step *steps;
    uint64_t survivor_bytes;
    bool has_old;
    bool waved; /* since the last gap */
    struct hm_mean dead;
    struct hm_mean given_back;
    size_t bytes;
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_COUNT].number;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    (void)threads;
    return sizeof(struct hm_footprint);
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static struct burst *map_burst(size_t count, size_t survivors) {
    size_t bytes = sizeof(struct burst) + (count + survivors) * sizeof(unsigned char *) +
                   count * sizeof(struct step);
    struct burst *burst = hm_scratch(bytes);
    if (!burst)
        return NULL;
    burst->bytes = bytes;
    burst->count = count;
    burst->survivors = survivors;
    burst->blocks = (unsigned char **)(burst + 1);
    burst->old = burst->blocks + count;
    burst->steps = (struct step *)(burst->old + survivors);
    return burst;
}

static void draw(struct burst *burst, const struct hm_sizes *sizes, struct hm_random *random) {
    struct step *steps = burst->steps;
    for (uint32_t i = 0; i < burst->count; i++)
        steps[i] = (struct step){hm_size_draw(sizes, random), i};
    for (size_t i = burst->count; i > 1; i--) {
        size_t other = (size_t)hm_random_below(random, i);
        uint32_t swapped = steps[i - 1].victim;
        steps[i - 1].victim = steps[other].victim;
        steps[other].victim = swapped;
    }
    for (size_t i = 0; i < burst->survivors; i++)
        burst->survivor_bytes += steps[steps[i].victim].size;
}

static int setup(struct hm_run *run) {
    const struct hm_value *values = run->params;
    if (conflict(values))
        return EINVAL;
    const struct hm_sizes sizes = {HM_SIZES_UNIFORM, (uint32_t)values[PARAM_MIN].number,
                                   (uint32_t)values[PARAM_MAX].number};
    size_t count = (size_t)values[PARAM_COUNT].number;
    struct burst *burst = map_burst(count, count * (size_t)values[PARAM_KEEP].number / 100);
    if (!burst)
        return ENOMEM;
    run->state = burst;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    draw(burst, &sizes, &random);
    hm_footprint_open(run->shared);
    return 0;
}

/* ---- A wave ---- */

static unsigned char mark_of(size_t index) {
    return (unsigned char)(index * 5 + 1);
}

__attribute__((noinline, cold)) static void give_up(const struct hm_memory *memory,
                                                    unsigned char **blocks, size_t count) {
    for (size_t i = 0; i < count; i++)
        hm_free(memory, blocks[i]);
}

/* @return false when memory ran out, and nothing of the wave is held */
__attribute__((noinline)) static bool rise(struct hm_run *run, const struct burst *burst) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    const struct step *steps = burst->steps;
    unsigned char **blocks = burst->blocks;
    const size_t count = burst->count;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char *block = hm_malloc(&memory, steps[i].size);
        if (__builtin_expect(!block, 0)) {
            give_up(&memory, blocks, i);
            return false;
        }
        block[0] = block[steps[i].size - 1] = mark_of(i);
        blocks[i] = block;
        sum += steps[i].size * (i + 1);
    }
    run->checksum += sum;
    return true;
}

static void free_old(const struct hm_memory *memory, struct burst *burst) {
    for (size_t i = 0; burst->has_old && i < burst->survivors; i++)
        hm_free(memory, burst->old[i]);
    burst->has_old = false;
}

__attribute__((noinline)) static void fall(struct hm_run *run, struct burst *burst) {
    const struct hm_memory memory = *run->memory;
    const struct step *steps = burst->steps;
    uint64_t sum = 0;
    free_old(&memory, burst);
    for (size_t i = burst->count; i-- > burst->survivors;) {
        hm_free(&memory, burst->blocks[steps[i].victim]);
        sum += steps[i].victim * (i + 1);
    }
    for (size_t i = 0; i < burst->survivors; i++)
        burst->old[i] = burst->blocks[steps[i].victim];
    burst->has_old = true;
    run->checksum += sum;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct burst *burst = run->state;
    for (uint64_t done = 0; done < units; done++) {
        bool first = !burst->has_old;
        if (!rise(run, burst))
            return done;
        fall(run, burst);
        if (first)
            hm_footprint_add(run->shared, (int64_t)burst->survivor_bytes);
        burst->waved = true;
    }
    return units;
}

/* ---- A gap ---- */

static void sleep_ms(int64_t ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

/* The first thread looks, for all; the others wait for it and so are idle, too. */
static void idle(struct hm_run *run) {
    struct burst *burst = run->state;
    if (!burst->waved || run->thread)
        return;
    burst->waved = false;
    double before = hm_footprint_dead(run->shared);
    sleep_ms(run->params[PARAM_GAP].number);
    double after = hm_footprint_dead(run->shared);
    hm_mean_add(&burst->dead, after);
    hm_mean_add(&burst->given_back, before > after ? before - after : 0);
}

static int prepare(struct hm_run *run) {
    idle(run);
    return 0;
}

static void measure(struct hm_run *run, double *values) {
    struct burst *burst = run->state;
    idle(run);
    if (run->thread)
        return;
    values[FIGURE_DEAD] = hm_mean_take(&burst->dead);
    values[FIGURE_GIVEN_BACK] = hm_mean_take(&burst->given_back);
}

static const char *verify(struct hm_run *run) {
    const struct burst *burst = run->state;
    for (size_t i = 0; burst->has_old && i < burst->survivors; i++) {
        uint32_t index = burst->steps[i].victim;
        const unsigned char *block = burst->old[i];
        if (block[0] != mark_of(index) || block[burst->steps[index].size - 1] != mark_of(index))
            return "a live block does not hold what was written to it";
    }
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct burst *burst = run->state;
    return burst->has_old ? burst->survivor_bytes : 0;
}

static void teardown(struct hm_run *run) {
    struct burst *burst = run->state;
    free_old(run->memory, burst);
    hm_scratch_free(burst, burst->bytes);
    run->state = NULL;
}

static const struct hm_workload burst = {
    HM_WORKLOAD_VARIANT,
    .name = "burst",
    .summary = "waves of load with idle gaps between them, through which a few blocks live",
    .stresses = "giving memory back when it is not needed, and taking it again",
    .origin = "ours; the waves are those of servers with bursts of requests",
    .op = "malloc and its free, in a wave",
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
HM_REGISTER(hm_workload, burst);

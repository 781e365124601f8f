/* Threads that come and go, and blocks that outlive them.
 *
 * A round starts a few fresh threads at once. Each callocs its blocks, swaps each into a random slot
 * of its starter's array, frees what lay there, which a thread that is gone allocated, and ends. An
 * allocator has a cache or a heap for each thread: what becomes of it when the thread ends while blocks
 * of it are alive, and does the next thread take it over? If not, the heap grows with each round.
 * The figure `dead_bytes` tells what is resident beyond the live bytes when all rounds are done.
 *
 * Fresh threads run on the CPU of their starter. Starting and ending them, for which the C library
 * uses the heap, too, is part of an operation. The first thread of the cell runs one round of threads
 * that do nothing before it looks at the resident memory, so that stacks which the C library keeps are
 * not taken for the heap's.
 *
 * Invariants
 *   The array of a thread of the cell is touched by its own rounds only. Which block ends up in a slot
 *   that two threads of one round chose hangs on timing; all blocks are equal, so nothing else does.
 *   All bytes of a block in a slot hold the slot's mark.
 *   A round that lacks memory, or a thread, is done again as a whole. */
#include "workloads/bytes.h"
#include "workloads/footprint.h"
#include "workloads/workload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    PARAM_WAVE,
    PARAM_BLOCKS,
    PARAM_SIZE,
    PARAM_SLOTS,
};

enum {
    FIGURE_DEAD,
};

enum {
    SCRIPT_STEPS = 1 << 14,
    WAVE_MAX = 64,
};

static const struct hm_param params[] = {
    [PARAM_WAVE] = {.name = "wave",
                    .unit = "threads",
                    .help = "threads that are started at once",
                    .kind = HM_PARAM_COUNT,
                    .initial = 10,
                    .min = 1,
                    .max = WAVE_MAX},
    [PARAM_BLOCKS] = {.name = "blocks",
                      .unit = "blocks",
                      .help = "blocks that each of them allocates",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1,
                      .min = 1,
                      .max = 1000000},
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help = "size of every block",
                    .kind = HM_PARAM_BYTES,
                    .initial = 128,
                    .min = 1,
                    .max = 1 << 30},
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "places for blocks that outlive their thread",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1000,
                     .min = 1,
                     .max = 1000000},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_DEAD] = {.name = "dead_bytes",
                     .unit = "bytes",
                     .help =
                         "resident bytes of the heap beyond the live ones, in between the loads",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MIN},
    {.name = NULL},
};

/* One mapping: this, the slots, the script. */
struct leaky {
    size_t wave;
    size_t blocks;
    size_t size;
    size_t slot_count;
    _Atomic(unsigned char *) *slots;
    uint32_t *script; /* of slots */
    uint64_t cursor;
    atomic_bool was_dirty; /* some new block */
    uint64_t told_live;    /* what the footprint knows of the live bytes */
    size_t bytes;
};

struct errand {
    struct hm_run *run; /* NULL: there is nothing to do */
    uint64_t cursor;
    bool done;
    bool started;
    pthread_t thread;
};

static unsigned own_threads(const struct hm_value *values, unsigned threads) {
    return threads * (unsigned)values[PARAM_WAVE].number;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)(values[PARAM_WAVE].number * values[PARAM_BLOCKS].number);
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    (void)threads;
    return sizeof(struct hm_footprint);
}

/* ---- A thread that comes and goes ---- */

static unsigned char mark_of(size_t slot) {
    return (unsigned char)(slot % 255 + 1);
}

/* @return false when memory ran out */
static bool swap_block(const struct hm_memory *memory, struct leaky *leaky, uint32_t slot) {
    unsigned char *block = hm_calloc(memory, 1, leaky->size);
    if (!block)
        return false;
    if (hm_bytes_unlike(block, leaky->size, 0))
        atomic_store(&leaky->was_dirty, true);
    memset(block, mark_of(slot), leaky->size);
    hm_free(memory, atomic_exchange(&leaky->slots[slot], block));
    return true;
}

static void *do_errand(void *arg) {
    struct errand *errand = arg;
    if (!errand->run)
        return NULL;
    struct leaky *leaky = errand->run->state;
    if (hm_run_enter(errand->run))
        return NULL;
    errand->done = true;
    for (size_t i = 0; i < leaky->blocks && errand->done; i++)
        errand->done = swap_block(errand->run->memory, leaky,
                                  leaky->script[(errand->cursor + i) % SCRIPT_STEPS]);
    hm_run_leave(errand->run);
    return NULL;
}

/* @param run NULL: threads that do nothing  @return whether all threads did their share */
static bool do_round(struct hm_run *run, const struct leaky *leaky) {
    struct errand errands[WAVE_MAX];
    bool done = true;
    for (size_t i = 0; i < leaky->wave; i++) {
        errands[i] = (struct errand){.run = run, .cursor = leaky->cursor + i * leaky->blocks};
        errands[i].started = pthread_create(&errands[i].thread, NULL, do_errand, &errands[i]) == 0;
    }
    for (size_t i = 0; i < leaky->wave; i++) {
        if (errands[i].started)
            pthread_join(errands[i].thread, NULL);
        done &= errands[i].done;
    }
    return done;
}

/* ---- The rounds ---- */

static struct leaky *map_leaky(size_t slots) {
    size_t bytes =
        sizeof(struct leaky) + slots * sizeof(unsigned char *) + SCRIPT_STEPS * sizeof(uint32_t);
    struct leaky *leaky = hm_scratch(bytes);
    if (!leaky)
        return NULL;
    leaky->bytes = bytes;
    leaky->slot_count = slots;
    leaky->slots = (void *)(leaky + 1);
    leaky->script = (uint32_t *)(leaky->slots + slots);
    return leaky;
}

static int setup(struct hm_run *run) {
    const struct hm_value *values = run->params;
    struct leaky *leaky = map_leaky((size_t)values[PARAM_SLOTS].number);
    if (!leaky)
        return ENOMEM;
    run->state = leaky;
    leaky->wave = (size_t)values[PARAM_WAVE].number;
    leaky->blocks = (size_t)values[PARAM_BLOCKS].number;
    leaky->size = (size_t)values[PARAM_SIZE].number;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < SCRIPT_STEPS; i++)
        leaky->script[i] = (uint32_t)hm_random_below(&random, leaky->slot_count);
    do_round(NULL, leaky);
    hm_footprint_open(run->shared);
    return 0;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct leaky *leaky = run->state;
    const size_t swaps = leaky->wave * leaky->blocks;
    for (uint64_t done = 0; done < units; done++) {
        if (!do_round(run, leaky))
            return done;
        for (size_t i = 0; i < swaps; i++)
            run->checksum += (i + 1) * leaky->script[(leaky->cursor + i) % SCRIPT_STEPS] + 1;
        leaky->cursor += swaps;
    }
    return units;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct leaky *leaky = run->state;
    uint64_t sum = 0;
    for (size_t i = 0; i < leaky->slot_count; i++)
        sum += atomic_load(&leaky->slots[i]) ? leaky->size : 0;
    return sum;
}

/* Whoever comes last has told of all threads' blocks: the lowest value is the right one. */
static void measure(struct hm_run *run, double *values) {
    struct leaky *leaky = run->state;
    struct hm_footprint *footprint = run->shared;
    uint64_t live = live_bytes(run);
    hm_footprint_add(footprint, (int64_t)live - (int64_t)leaky->told_live);
    leaky->told_live = live;
    values[FIGURE_DEAD] = hm_footprint_dead(footprint);
}

static const char *verify(struct hm_run *run) {
    const struct leaky *leaky = run->state;
    for (size_t i = 0; i < leaky->slot_count; i++) {
        const unsigned char *block = atomic_load(&leaky->slots[i]);
        for (size_t at = 0; block && at < leaky->size; at++)
            if (block[at] != mark_of(i))
                return "a live block does not hold what was written to it";
    }
    return atomic_load(&leaky->was_dirty) ? "calloc gave a block that was not zero" : NULL;
}

static void teardown(struct hm_run *run) {
    struct leaky *leaky = run->state;
    for (size_t i = 0; i < leaky->slot_count; i++)
        hm_free(run->memory, atomic_load(&leaky->slots[i]));
    hm_scratch_free(leaky, leaky->bytes);
    run->state = NULL;
}

static const struct hm_workload leaky = {
    HM_WORKLOAD_VARIANT,
    .name = "leaky",
    .summary = "fresh threads leave a block each and free another one's, again and again",
    .stresses = "threads that come and go: taking over what a thread that ended has left",
    .origin =
        "mleak in mimalloc-bench: rounds of 10 threads, each of which callocs 128 bytes and swaps "
        "them into one of 1000 slots",
    .op = "calloc and free by a fresh thread",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .own_threads = own_threads,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, leaky);

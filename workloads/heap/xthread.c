/* Producers and consumers: half of the threads allocate, the other half free what those allocated.
 *
 * In xmalloc-test, producers fill batches of blocks and push them onto one stack under a mutex, which
 * holds a limited number of them; consumers pop a batch and free its blocks. So no thread ever gets
 * back what it allocated, and an allocator has to bring every block home.
 *
 * Here threads 2k and 2k + 1 are a producer and its consumer with a queue of their own: which
 * consumer gets which batch from a common stack is a matter of timing, and so would be the operations
 * of each. A thread without a partner (one thread, or the last of an odd number) allocates a batch
 * and frees it. The array of a batch is a place in the queue and no block, as it is in the original.
 *
 * Vocabulary
 *   lane     what a pair shares: its queue, a ring of batches.
 *   partner  the other thread of a pair.
 *   unit     as many operations as a batch has blocks, one being a malloc and a free. In its stead a
 *            producer does two batches of mallocs, and a consumer two batches of frees; so the cell's
 *            operations are the blocks that were passed on, at any number of threads.
 *
 * Waiting. Who finds the queue full, or empty, spins for a moment and then yields the processor
 * again and again: two threads on one CPU go on by turns of many batches. Nobody sleeps, for a
 * wake-up takes longer than a batch, and would be measured as time of the allocator.
 *
 * Invariants
 *   Only the producer writes `written` and the batch of that number, only the consumer `taken`;
 *   taken <= written <= taken + queue. Both have moved equally far when both were asked for as many
 *   units and had memory: the queue is empty then.
 *   A producer that runs out of memory stops its lane for good: the consumer takes what is in the
 *   queue, and leaves. The threads of a pair have to run at the same time.
 *
 * Not checked: what a block holds when it reaches the consumer, who would have to read what the
 * original only frees. Producers look at a batch of their own after the run; `heapmark verify` has
 * properties for blocks that cross threads. */
#include "workloads/sizes.h"
#include "workloads/spin.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum {
    PARAM_BATCH,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_QUEUE,
};

enum {
    FIGURE_PRODUCER_WAITS,
    FIGURE_CONSUMER_WAITS,
};

enum {
    TOUCH_MAX_BYTES = 128, /* as the original: of each block, at most */
    SCRIPT_SIZES = 1 << 16,
    BATCHES_IN_A_UNIT = 2,
};

static const struct hm_param params[] = {
    [PARAM_BATCH] = {.name = "batch",
                     .unit = "blocks",
                     .help = "blocks that are passed on at once",
                     .kind = HM_PARAM_COUNT,
                     .initial = 4096,
                     .min = 1,
                     .max = 1 << 20},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 64,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 64,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_QUEUE] = {.name = "queue",
                     .unit = "batches",
                     .help = "batches that may wait between a producer and its consumer",
                     .kind = HM_PARAM_COUNT,
                     .initial = 100,
                     .min = 1,
                     .max = 10000},
    {.name = NULL},
};

/* Together they say which side is the slower one: the one that seldom waits. */
static const struct hm_figure figures[] = {
    [FIGURE_PRODUCER_WAITS] = {.name = "producer_waits",
                               .unit = "batches",
                               .help = "batches that a producer could not begin at once: the queue "
                                       "was full, so frees are the slower side",
                               .better = HM_FIGURE_NEITHER_IS_BETTER,
                               .over_threads = HM_FIGURE_SUM},
    [FIGURE_CONSUMER_WAITS] = {.name = "consumer_waits",
                               .unit = "batches",
                               .help = "batches that a consumer could not begin at once: the queue "
                                       "was empty, so mallocs are the slower side",
                               .better = HM_FIGURE_NEITHER_IS_BETTER,
                               .over_threads = HM_FIGURE_SUM},
    {.name = NULL},
};

/* One place of a queue. */
struct batch {
    uint64_t bytes;  /* of all blocks, as requested */
    uint64_t digest; /* of their sizes, in order */
    unsigned char *blocks[];
};

/* In run->shared there is one for each pair, and its queue's places behind it. */
struct lane {
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t written; /* batches, since the start */
    atomic_bool stopped;                                  /* by its producer: memory ran out */
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t taken;   /* batches, since the start */
};

enum role {
    ROLE_BOTH,
    ROLE_PRODUCER,
    ROLE_CONSUMER,
};

/* One mapping: this, the script. */
struct xthread {
    enum role role;
    struct lane *lane;
    size_t batch_blocks;
    size_t queue;
    size_t script_batches;
    size_t next;    /* batch of the script, in 0 .. script_batches-1 */
    uint64_t waits; /* batches that had to be waited for, since measure() was called last */
    size_t bytes;
    uint32_t sizes[]; /* `script_batches` times `batch_blocks`; a consumer has none */
};

static size_t up_to_line(size_t bytes) {
    return (bytes + HM_SPIN_APART - 1) & -(size_t)HM_SPIN_APART;
}

static size_t batch_bytes(size_t blocks) {
    return up_to_line(sizeof(struct batch) + blocks * sizeof(unsigned char *));
}

static size_t lane_bytes(const struct hm_value *values) {
    return sizeof(struct lane) +
           (size_t)values[PARAM_QUEUE].number * batch_bytes((size_t)values[PARAM_BATCH].number);
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    return (threads + 1) / 2 * lane_bytes(values);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_BATCH].number;
}

static struct batch *place(const struct xthread *xthread, uint64_t number) {
    char *places = (char *)(xthread->lane + 1);
    size_t index = (size_t)(number % xthread->queue);
    return (struct batch *)(void *)(places + index * batch_bytes(xthread->batch_blocks));
}

static enum role role_of(const struct hm_run *run) {
    if (run->threads == 1 || (run->thread ^ 1) >= run->threads)
        return ROLE_BOTH;
    return run->thread % 2 ? ROLE_CONSUMER : ROLE_PRODUCER;
}

static size_t script_batches(enum role role, size_t blocks) {
    if (role == ROLE_CONSUMER)
        return 0;
    return blocks < SCRIPT_SIZES ? SCRIPT_SIZES / blocks : 1;
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static int setup(struct hm_run *run) {
    const struct hm_value *values = run->params;
    const struct hm_sizes sizes = {HM_SIZES_UNIFORM, (uint32_t)values[PARAM_MIN].number,
                                   (uint32_t)values[PARAM_MAX].number};
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    enum role role = role_of(run);
    size_t blocks = (size_t)values[PARAM_BATCH].number;
    size_t batches = script_batches(role, blocks);
    size_t bytes = sizeof(struct xthread) + batches * blocks * sizeof(uint32_t);
    struct xthread *xthread = hm_scratch(bytes);
    if (!xthread)
        return ENOMEM;
    char *lanes = run->shared;
    xthread->role = role;
    xthread->lane = (struct lane *)(void *)(lanes + run->thread / 2 * lane_bytes(values));
    xthread->batch_blocks = blocks;
    xthread->queue = (size_t)values[PARAM_QUEUE].number;
    xthread->script_batches = batches;
    xthread->bytes = bytes;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < batches * blocks; i++)
        xthread->sizes[i] = hm_size_draw(&sizes, &random);
    run->state = xthread;
    return 0;
}

/* ---- A batch ---- */

static size_t touched(size_t size) {
    return size < TOUCH_MAX_BYTES ? size : TOUCH_MAX_BYTES;
}

__attribute__((noinline, cold)) static void give_up(const struct hm_memory *memory,
                                                    struct batch *batch, size_t count) {
    for (size_t i = 0; i < count; i++)
        hm_free(memory, batch->blocks[i]);
}

/* @return false when memory ran out, and nothing is held */
__attribute__((noinline)) static bool fill(const struct hm_run *run, const struct xthread *xthread,
                                           struct batch *batch) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    const size_t count = xthread->batch_blocks;
    const uint32_t *sizes = xthread->sizes + xthread->next * count;
    uint64_t bytes = 0;
    uint64_t digest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = sizes[i];
        unsigned char *block = hm_malloc(&memory, size);
        if (__builtin_expect(!block, 0)) {
            give_up(&memory, batch, i);
            return false;
        }
        memset(block, (unsigned char)i, touched(size));
        batch->blocks[i] = block;
        bytes += size;
        digest += size * (i + 1);
    }
    batch->bytes = bytes;
    batch->digest = digest;
    return true;
}

__attribute__((noinline)) static void empty(const struct hm_run *run, const struct xthread *xthread,
                                            struct batch *batch) {
    const struct hm_memory memory = *run->memory;
    const size_t count = xthread->batch_blocks;
    for (size_t i = 0; i < count; i++)
        hm_free(&memory, batch->blocks[i]);
}

static void advance(struct xthread *xthread) {
    xthread->next = xthread->next + 1 < xthread->script_batches ? xthread->next + 1 : 0;
}

/* ---- The queue ---- */

static bool produce_batch(struct hm_run *run, struct xthread *xthread) {
    struct lane *lane = xthread->lane;
    uint64_t number = atomic_load_explicit(&lane->written, memory_order_relaxed);
    unsigned spins = 0;
    while (number - atomic_load_explicit(&lane->taken, memory_order_acquire) >= xthread->queue)
        hm_spin_wait(&spins);
    xthread->waits += spins > 0;
    struct batch *batch = place(xthread, number);
    if (!fill(run, xthread, batch)) {
        atomic_store_explicit(&lane->stopped, true, memory_order_release);
        return false;
    }
    run->checksum += batch->digest;
    atomic_store_explicit(&lane->written, number + 1, memory_order_release);
    advance(xthread);
    return true;
}

/* What was written before the stop is seen after it. */
static bool await_batch(struct xthread *xthread, uint64_t number) {
    struct lane *lane = xthread->lane;
    unsigned spins = 0;
    while (atomic_load_explicit(&lane->written, memory_order_acquire) == number) {
        if (atomic_load_explicit(&lane->stopped, memory_order_acquire))
            return atomic_load_explicit(&lane->written, memory_order_acquire) != number;
        xthread->waits += spins == 0;
        hm_spin_wait(&spins);
    }
    return true;
}

static bool consume_batch(struct hm_run *run, struct xthread *xthread) {
    struct lane *lane = xthread->lane;
    uint64_t number = atomic_load_explicit(&lane->taken, memory_order_relaxed);
    if (!await_batch(xthread, number))
        return false;
    struct batch *batch = place(xthread, number);
    empty(run, xthread, batch);
    run->checksum += hm_mix(batch->digest);
    atomic_store_explicit(&lane->taken, number + 1, memory_order_release);
    return true;
}

static bool do_both(struct hm_run *run, struct xthread *xthread) {
    struct batch *batch = place(xthread, 0);
    if (!fill(run, xthread, batch))
        return false;
    empty(run, xthread, batch);
    run->checksum += batch->digest + hm_mix(batch->digest);
    advance(xthread);
    return true;
}

static uint64_t run_pair(struct hm_run *run, uint64_t units,
                         bool (*do_batch)(struct hm_run *, struct xthread *)) {
    uint64_t batches = 0;
    while (batches < BATCHES_IN_A_UNIT * units && do_batch(run, run->state))
        batches++;
    return batches / BATCHES_IN_A_UNIT;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct xthread *xthread = run->state;
    if (xthread->role == ROLE_CONSUMER)
        return run_pair(run, units, consume_batch);
    if (xthread->role == ROLE_PRODUCER)
        return atomic_load(&xthread->lane->stopped) ? 0 : run_pair(run, units, produce_batch);
    for (uint64_t done = 0; done < units; done++)
        if (!do_both(run, xthread))
            return done;
    return units;
}

/* ---- After the run ---- */

static bool holds_marks(const struct batch *batch, size_t count, const uint32_t *sizes) {
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < touched(sizes ? sizes[i] : 1); at++)
            if (batch->blocks[i][at] != (unsigned char)i)
                return false;
    return true;
}

/* Those that a stopped producer has left. */
static bool waiting_hold_marks(const struct xthread *xthread) {
    uint64_t written = atomic_load(&xthread->lane->written);
    for (uint64_t i = atomic_load(&xthread->lane->taken); i < written; i++)
        if (!holds_marks(place(xthread, i), xthread->batch_blocks, NULL))
            return false;
    return true;
}

/* One more batch, looked at before it is freed, by who allocates. */
static const char *verify_batch(struct hm_run *run, const struct xthread *xthread) {
    size_t bytes = batch_bytes(xthread->batch_blocks);
    struct batch *batch = hm_scratch(bytes);
    if (!batch || !fill(run, xthread, batch)) {
        hm_scratch_free(batch, bytes);
        return "memory ran out in the batch for verification";
    }
    const uint32_t *sizes = xthread->sizes + xthread->next * xthread->batch_blocks;
    bool is_whole = holds_marks(batch, xthread->batch_blocks, sizes);
    empty(run, xthread, batch);
    hm_scratch_free(batch, bytes);
    return is_whole ? NULL : "a live block does not hold what was written to it";
}

static const char *verify(struct hm_run *run) {
    const struct xthread *xthread = run->state;
    if (xthread->role != ROLE_CONSUMER)
        return verify_batch(run, xthread);
    return waiting_hold_marks(xthread) ? NULL : "a passed block does not hold what was written";
}

static void measure(struct hm_run *run, double *values) {
    struct xthread *xthread = run->state;
    if (xthread->role == ROLE_PRODUCER)
        values[FIGURE_PRODUCER_WAITS] = (double)xthread->waits;
    if (xthread->role == ROLE_CONSUMER)
        values[FIGURE_CONSUMER_WAITS] = (double)xthread->waits;
    xthread->waits = 0;
}

/* The consumer answers for the blocks that wait. */
static uint64_t live_bytes(const struct hm_run *run) {
    const struct xthread *xthread = run->state;
    uint64_t sum = 0;
    if (xthread->role != ROLE_CONSUMER)
        return 0;
    uint64_t written = atomic_load(&xthread->lane->written);
    for (uint64_t i = atomic_load(&xthread->lane->taken); i < written; i++)
        sum += place(xthread, i)->bytes;
    return sum;
}

static void teardown(struct hm_run *run) {
    struct xthread *xthread = run->state;
    struct lane *lane = xthread->lane;
    while (xthread->role == ROLE_CONSUMER &&
           atomic_load(&lane->taken) < atomic_load(&lane->written))
        consume_batch(run, xthread);
    hm_scratch_free(xthread, xthread->bytes);
    run->state = NULL;
}

static const struct hm_workload xthread = {
    HM_WORKLOAD_VARIANT,
    .name = "xthread",
    .summary = "producers allocate batches of blocks, and consumers free them",
    .stresses = "blocks that are all freed by another thread than allocated them",
    .origin = "Lever and Boreham, USENIX 2000, as xmalloc-test -s 64 in mimalloc-bench: batches of "
              "4096, at most 100 of them waiting",
    .op = "malloc and its free",
    .params = params,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .figures = figures,
    .measure = measure,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, xthread);

/* rpmalloc's benchmark: in each loop free some of the slots, fill some, and free what other threads
 * have handed over; in every second loop hand a batch of blocks over.
 *
 * A loop frees four fifths of 30 to 99 slots, those that hold a block, and fills 30 to 99, freeing
 * what they hold. Slots are visited by a stride that is a prime. Sizes have a density that falls
 * linearly to nothing at the largest; below 4096 bytes a block is asked for as it is, or aligned to 8
 * or 16 bytes, its size then being a multiple of that, as C11 has it. A batch is a block too, which
 * holds the pointers.
 *
 * A batch goes to the next of the other threads in turn, onto a stack of that thread: pushed by
 * compare-and-exchange, taken all at once. The original sends its pointers without an ordering that
 * says that they are written before the batch is seen, which is a data race; here the push releases
 * and the taking acquires. In the original nobody hands over once a thread has come to its end; here a
 * batch for a thread whose run() has ended is freed by who made it. When a batch is freed is a matter
 * of timing in both. So the checksum is over what a thread allocates, whose sizes, slots and counts
 * depend on nothing but (seed, thread).
 *
 * Loops come in fours with a fixed sum of allocations: counts are drawn for two, for the third and the
 * fourth they are what is left to it. A unit is four loops. The original does `loops` of them between
 * two restarts of its threads; with `fresh=on` so does this.
 *
 * Verification. The first bytes of a block are written, and as in the original one in each page and
 * the last; whoever frees one of a batch looks at its first byte, and of the slots those that are left
 * are looked at after the run. */
#include "workloads/slots.h"
#include "workloads/spin.h"
#include "workloads/threads.h"

#include <errno.h>
#include <stdatomic.h>

enum {
    PARAM_SLOTS,
    PARAM_OPS,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_LOOPS,
    PARAM_FRESH,
};

enum {
    UNITS = 64, /* in the script */
    LOOPS = 4,  /* in a unit */
    BATCHES = LOOPS / 2,
    TOUCH_BYTES = 4,
    PAGE_BYTES = 4096,
    ALIGNED_BELOW = 4096,
    SALT = 0x5a, /* a batch's bytes differ from those of slots */
};

static const uint32_t primes[] = {7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67};
enum {
    PRIMES = sizeof primes / sizeof *primes,
};

static const struct hm_param params[] = {
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "slots of each thread",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1000,
                     .min = 100,
                     .max = 1000000},
    [PARAM_OPS] = {.name = "ops",
                   .unit = "blocks",
                   .help = "a loop fills three tenths of them to all but one",
                   .kind = HM_PARAM_COUNT,
                   .initial = 100,
                   .min = 10,
                   .max = 10000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 8,
                   .min = TOUCH_BYTES,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16000,
                   .min = TOUCH_BYTES,
                   .max = 1 << 30},
    [PARAM_LOOPS] = {.name = "loops",
                     .unit = "loops",
                     .help = "loops between two restarts of a thread; a multiple of 4",
                     .kind = HM_PARAM_COUNT,
                     .initial = 500,
                     .min = LOOPS,
                     .max = 1000000},
    [PARAM_FRESH] = {.name = "fresh",
                     .unit = "",
                     .help = "whether a fresh thread does each so many loops",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 0,
                     .choices = "off|on"},
    {.name = NULL},
};

struct piece {
    uint32_t size;
    uint32_t alignment; /* 0: malloc */
};

/* Slots to visit: `count` from `at` on, `stride` apart. */
struct visit {
    uint32_t count;
    uint32_t at;
    uint32_t stride;
};

struct loop {
    struct visit freed;
    struct visit filled;
    uint32_t batch; /* blocks to hand over, or 0 */
};

/* A block of the heap. */
struct batch {
    struct batch *next;
    uint64_t bytes; /* of its blocks, as requested */
    uint32_t count;
    unsigned char *blocks[];
};

/* In run->shared, one for each thread. */
struct exchange {
    _Alignas(HM_SPIN_APART) _Atomic(struct batch *) top;
    atomic_bool ended; /* its thread is not in a run() */
};

/* One mapping: this, the slots, the pieces. */
struct rptest {
    struct hm_slots set;  /* without a script */
    struct piece *pieces; /* of UNITS units */
    size_t unit_pieces;
    unsigned to;      /* thread that was handed over to last */
    uint64_t units;   /* done since the start */
    uint64_t pass;    /* units between two restarts */
    uint64_t left;    /* of this pass */
    uint64_t damaged; /* handed over, and not as they were written */
    bool fresh;
    size_t bytes;
    struct loop loops[UNITS * LOOPS];
    uint64_t digests[UNITS]; /* of each unit */
};

static uint32_t least_of(const struct hm_value *values) {
    return (uint32_t)values[PARAM_OPS].number * 3 / 10;
}

/* Two loops whose counts mirror each other fill so many slots. */
static uint32_t pair_of(const struct hm_value *values) {
    return least_of(values) + (uint32_t)values[PARAM_OPS].number - 1;
}

/* Those of two pairs of loops, and of one pair of batches. */
static size_t unit_pieces(const struct hm_value *values) {
    return (size_t)3 * pair_of(values);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return unit_pieces(values) + BATCHES;
}

static unsigned own_threads(const struct hm_value *values, unsigned threads) {
    return values[PARAM_FRESH].number ? threads : 0;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return threads * sizeof(struct exchange);
}

static const char *conflict(const struct hm_value *values) {
    if (values[PARAM_LOOPS].number % LOOPS)
        return "loops is no multiple of 4";
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

/* ---- The script ---- */

/* Of two uniform numbers the smaller one: a density that falls linearly. */
static uint32_t draw_size(const struct hm_value *values, struct hm_random *random) {
    uint64_t min = (uint64_t)values[PARAM_MIN].number;
    uint64_t width = (uint64_t)values[PARAM_MAX].number - min + 1;
    uint64_t one = hm_random_below(random, width);
    uint64_t other = hm_random_below(random, width);
    return (uint32_t)(min + (one < other ? one : other));
}

static struct piece draw_piece(const struct hm_value *values, struct hm_random *random) {
    static const uint32_t alignments[] = {0, 8, 16};
    uint32_t size = draw_size(values, random);
    uint32_t alignment = alignments[hm_random_below(random, 3)];
    if (size >= ALIGNED_BELOW || alignment == 0)
        return (struct piece){size, 0};
    return (struct piece){(size + alignment - 1) & -alignment, alignment};
}

static struct visit draw_visit(uint32_t count, size_t slots, struct hm_random *random) {
    return (struct visit){count, (uint32_t)hm_random_below(random, slots),
                          primes[hm_random_below(random, PRIMES)]};
}

static uint32_t draw_count(const struct hm_value *values, struct hm_random *random) {
    uint32_t least = least_of(values);
    return least + (uint32_t)hm_random_below(random, pair_of(values) - 2 * least + 1);
}

static void draw_unit(struct loop *loops, const struct hm_value *values, struct hm_random *random) {
    size_t slots = (size_t)values[PARAM_SLOTS].number;
    uint32_t batch = draw_count(values, random);
    for (unsigned i = 0; i < LOOPS; i += 2) {
        uint32_t count = draw_count(values, random);
        const uint32_t counts[] = {count, pair_of(values) - count};
        for (unsigned j = 0; j < 2; j++)
            loops[i + j] =
                (struct loop){draw_visit(draw_count(values, random) * 4 / 5, slots, random),
                              draw_visit(counts[j], slots, random), 0};
    }
    loops[0].batch = batch;
    loops[2].batch = pair_of(values) - batch;
}

static uint64_t digest_of(const struct loop *loops, const struct piece *pieces, size_t count) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < LOOPS; i++)
        sum = hm_mix(sum + loops[i].freed.at + 3 * (uint64_t)loops[i].filled.at);
    for (size_t i = 0; i < count; i++)
        sum += (uint64_t)pieces[i].size * (i + 1) + pieces[i].alignment;
    return sum;
}

/* ---- Blocks ---- */

static unsigned char *allocate(const struct hm_memory *memory, struct piece piece) {
    return piece.alignment ? hm_aligned_alloc(memory, piece.alignment, piece.size)
                           : hm_malloc(memory, piece.size);
}

/* Write to each page, and to the last byte. */
static void commit(unsigned char *block, size_t size, unsigned char mark) {
    for (size_t at = PAGE_BYTES; at < size; at += PAGE_BYTES)
        block[at] = mark;
    block[size - 1] = mark;
}

static void free_visited(const struct hm_memory *memory, struct hm_slots *set, struct visit visit) {
    for (size_t at = visit.at; visit.count > 0; visit.count--) {
        if (set->slots[at].block) {
            hm_free(memory, set->slots[at].block);
            set->slots[at] = (struct hm_slot){NULL, 0};
        }
        at = (at + visit.stride) % set->slot_count;
    }
}

/* @param pieces as many as visits  @return whether there was memory */
static bool fill_visited(const struct hm_memory *memory, struct hm_slots *set, struct visit visit,
                         const struct piece *pieces) {
    for (size_t at = visit.at; visit.count > 0; visit.count--) {
        struct hm_slot *slot = &set->slots[at];
        if (slot->block)
            hm_free(memory, slot->block);
        *slot = (struct hm_slot){allocate(memory, *pieces), pieces->size};
        if (__builtin_expect(!slot->block, 0)) {
            slot->size = 0;
            return false;
        }
        hm_slot_touch(slot, at, TOUCH_BYTES);
        commit(slot->block, slot->size, hm_slot_mark(at, slot->size));
        pieces++;
        at = (at + visit.stride) % set->slot_count;
    }
    return true;
}

/* ---- Batches ---- */

/* @return how many of its blocks did not hold what was written to them */
static uint64_t free_batch(const struct hm_memory *memory, struct batch *batch) {
    uint64_t damaged = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        damaged += *batch->blocks[i] != (unsigned char)(i ^ SALT);
        hm_free(memory, batch->blocks[i]);
    }
    hm_free(memory, batch);
    return damaged;
}

static struct exchange *own_exchange(const struct hm_run *run) {
    return (struct exchange *)run->shared + run->thread % run->threads;
}

static void free_handed_over(const struct hm_run *run, struct rptest *rptest) {
    struct exchange *exchange = own_exchange(run);
    if (!atomic_load_explicit(&exchange->top, memory_order_relaxed))
        return;
    struct batch *batch = atomic_exchange_explicit(&exchange->top, NULL, memory_order_acquire);
    while (batch) {
        struct batch *next = batch->next;
        rptest->damaged += free_batch(run->memory, batch);
        batch = next;
    }
}

static size_t batch_bytes(uint32_t count) {
    return (sizeof(struct batch) + count * sizeof(unsigned char *) + 15) & -(size_t)16;
}

static struct batch *make_batch(const struct hm_memory *memory, uint32_t count,
                                const struct piece *pieces) {
    struct batch *batch = hm_aligned_alloc(memory, 16, batch_bytes(count));
    if (!batch)
        return NULL;
    *batch = (struct batch){0};
    while (batch->count < count) {
        const struct piece piece = pieces[batch->count];
        unsigned char *block = allocate(memory, piece);
        if (__builtin_expect(!block, 0)) {
            free_batch(memory, batch);
            return NULL;
        }
        *block = (unsigned char)(batch->count ^ SALT);
        commit(block, piece.size, *block);
        batch->bytes += piece.size;
        batch->blocks[batch->count++] = block;
    }
    return batch;
}

/* The next thread in turn, but not this one unless it is alone. */
static struct exchange *next_exchange(const struct hm_run *run, struct rptest *rptest) {
    unsigned own = run->thread % run->threads;
    rptest->to = (rptest->to + 1) % run->threads;
    if (rptest->to == own)
        rptest->to = (rptest->to + 1) % run->threads;
    return (struct exchange *)run->shared + rptest->to;
}

static bool hand_over(const struct hm_run *run, struct rptest *rptest, uint32_t count,
                      const struct piece *pieces) {
    struct batch *batch = make_batch(run->memory, count, pieces);
    if (!batch)
        return false;
    struct exchange *exchange = next_exchange(run, rptest);
    if (atomic_load_explicit(&exchange->ended, memory_order_relaxed)) {
        rptest->damaged += free_batch(run->memory, batch);
        return true;
    }
    struct batch *top = atomic_load_explicit(&exchange->top, memory_order_relaxed);
    do
        batch->next = top;
    while (!atomic_compare_exchange_weak_explicit(&exchange->top, &top, batch, memory_order_release,
                                                  memory_order_relaxed));
    return true;
}

/* ---- The work ---- */

/* A unit that memory ran out in is done again by the next call. */
__attribute__((noinline)) static bool do_unit(struct hm_run *run, struct rptest *rptest) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    const uint64_t unit = rptest->units % UNITS;
    const struct piece *pieces = rptest->pieces + unit * rptest->unit_pieces;
    for (unsigned i = 0; i < LOOPS; i++) {
        const struct loop *loop = &rptest->loops[unit * LOOPS + i];
        free_visited(&memory, &rptest->set, loop->freed);
        if (!fill_visited(&memory, &rptest->set, loop->filled, pieces))
            return false;
        free_handed_over(run, rptest);
        if (loop->batch && !hand_over(run, rptest, loop->batch, pieces + loop->filled.count))
            return false;
        pieces += loop->filled.count + loop->batch;
    }
    rptest->units++;
    run->checksum += rptest->digests[unit];
    return true;
}

static uint64_t do_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++)
        if (!do_unit(run, run->state))
            return done;
    return units;
}

static uint64_t do_passes(struct hm_run *run, uint64_t units) {
    struct rptest *rptest = run->state;
    uint64_t done = 0;
    while (rptest->fresh && done < units) {
        uint64_t asked = units - done < rptest->left ? units - done : rptest->left;
        uint64_t served = hm_run_fresh(run, asked, do_units);
        done += served;
        rptest->left = rptest->left > served ? rptest->left - served : rptest->pass;
        if (served < asked)
            return done;
    }
    return rptest->fresh ? done : do_units(run, units);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct exchange *own = own_exchange(run);
    atomic_store(&own->ended, false);
    uint64_t done = do_passes(run, units);
    atomic_store(&own->ended, true);
    return done;
}

/* ---- Before and after ---- */

static void teardown(struct hm_run *run) {
    struct rptest *rptest = run->state;
    free_handed_over(run, rptest);
    hm_slots_free(run->memory, &rptest->set);
    hm_scratch_free(rptest, rptest->bytes);
    run->state = NULL;
}

static struct rptest *map_rptest(const struct hm_value *values) {
    size_t slots = (size_t)values[PARAM_SLOTS].number;
    size_t bytes = sizeof(struct rptest) + slots * sizeof(struct hm_slot) +
                   UNITS * unit_pieces(values) * sizeof(struct piece);
    struct rptest *rptest = hm_scratch(bytes);
    if (!rptest)
        return NULL;
    rptest->bytes = bytes;
    rptest->set.slots = (struct hm_slot *)(rptest + 1);
    rptest->set.slot_count = slots;
    rptest->pieces = (struct piece *)(rptest->set.slots + slots);
    rptest->unit_pieces = unit_pieces(values);
    rptest->pass = rptest->left = (uint64_t)values[PARAM_LOOPS].number / LOOPS;
    rptest->fresh = values[PARAM_FRESH].number;
    return rptest;
}

/* The slots start empty, and are as full as they ever are after some units. */
static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct rptest *rptest = map_rptest(run->params);
    if (!rptest)
        return ENOMEM;
    rptest->to = run->thread % run->threads;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < UNITS; i++)
        draw_unit(&rptest->loops[i * LOOPS], run->params, &random);
    for (size_t i = 0; i < UNITS * rptest->unit_pieces; i++)
        rptest->pieces[i] = draw_piece(run->params, &random);
    for (size_t i = 0; i < UNITS; i++)
        rptest->digests[i] =
            digest_of(&rptest->loops[i * LOOPS], rptest->pieces + i * rptest->unit_pieces,
                      rptest->unit_pieces);
    run->state = rptest;
    return 0;
}

static const char *verify(struct hm_run *run) {
    const struct rptest *rptest = run->state;
    if (rptest->damaged)
        return "a block that was handed over does not hold what was written to it";
    return hm_slots_verify(&rptest->set, TOUCH_BYTES);
}

/* Each thread answers for the batches that were handed to it. */
static uint64_t live_bytes(const struct hm_run *run) {
    const struct rptest *rptest = run->state;
    uint64_t sum = hm_slots_live_bytes(&rptest->set);
    const struct batch *batch = atomic_load(&own_exchange(run)->top);
    for (; batch; batch = batch->next)
        sum += batch->bytes + batch_bytes(batch->count);
    return sum;
}

static const struct hm_workload rptest = {
    HM_WORKLOAD_VARIANT,
    .name = "rptest",
    .summary = "threads free and fill their slots, and hand batches of blocks to each other",
    .stresses = "sizes to 16 KB with alignments, and frees of blocks that another thread allocated",
    .origin = "rpmalloc-benchmark, as rptest N 0 1 2 500 1000 100 8 16000 in mimalloc-bench, "
              "without its data race",
    .op = "malloc or aligned_alloc, and its free",
    .params = params,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .own_threads = own_threads,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, rptest);

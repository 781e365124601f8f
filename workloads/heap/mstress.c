/* mimalloc's stress test: threads allocate, keep, free and swap blocks at random, and end.
 *
 * In a step a thread allocates a block for a short time or, half as often in all, one that it keeps to
 * the end of the round. In two of three steps it frees a random one of the first kind, and in one of
 * four it swaps a random one for what lies in a random place that all threads share. A round ends with
 * frees of all that the thread holds, and of half of the places. Each round is done by a fresh thread.
 * One block in a hundred is a hundred times as large, one in a thousand a thousand times, one in ten
 * thousand ten thousand times (to 5 MB).
 *
 * Every word of a block is written with a cookie, and looked at by who frees it. He then spoils the
 * first word: whoever holds the same bytes as another block finds it so.
 *
 * What a thread allocates, and when, which of its blocks it frees and swaps, is drawn before the clock
 * starts. Which block it gets for another is a matter of timing, as it is in the original; so the
 * checksum is over what each thread allocates and does, and over no block that it was given.
 *
 * Other than in the original all threads allocate equally many blocks in a round, and not the eighth
 * thread eight times as many as the first; and a thread goes on to its next round without waiting for
 * the others.
 *
 * Invariant
 *   A block's first word tells how many words it has, whoever holds it. Between two rounds a thread
 *   holds nothing, but the places that are its own to empty: those of its number, modulo the threads. */
#include "workloads/scratch.h"
#include "workloads/threads.h"

#include <errno.h>
#include <stdatomic.h>

enum {
    PARAM_BLOCKS,
    PARAM_PLACES,
    PARAM_LARGE,
    PARAM_FRESH,
};

enum {
    ROUNDS = 4, /* in the script */
    SHORT_SHIFTS = 5,
    KEPT_SHIFTS = 7,
    FREED_PERCENT = 66,
    SWAPPED_PERCENT = 25,
    MOST_WORDS = (1 << (KEPT_SHIFTS - 1)) * 10000,
};

static const uint64_t cookie = 0xbf58476d1ce4e5b9u;

static const struct hm_param params[] = {
    [PARAM_BLOCKS] = {.name = "blocks",
                      .unit = "blocks",
                      .help = "blocks in a round that live for a short time; half as many are kept",
                      .kind = HM_PARAM_COUNT,
                      .initial = 5000,
                      .min = 2,
                      .max = 10000000},
    [PARAM_PLACES] = {.name = "places",
                      .unit = "blocks",
                      .help = "places in which all threads leave blocks for each other",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1000,
                      .min = 1,
                      .max = 1000000},
    [PARAM_LARGE] = {.name = "large",
                     .unit = "",
                     .help = "whether one block in a thousand is far larger than the others",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 1,
                     .choices = "off|on"},
    [PARAM_FRESH] = {.name = "fresh",
                     .unit = "",
                     .help = "whether a fresh thread does each round",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 1,
                     .choices = "off|on"},
    {.name = NULL},
};

enum {
    NONE = UINT32_MAX,
};

struct step {
    uint32_t words;
    bool kept;
    uint32_t freed;   /* index of a short-lived block, or NONE */
    uint32_t swapped; /* another, or NONE */
    uint32_t place;   /* with what lies there */
};

/* One mapping: this, the held, the steps. */
struct mstress {
    uint64_t **held; /* short-lived ones from the bottom, kept ones from the top down */
    size_t blocks;
    size_t kept;
    struct step *steps; /* ROUNDS times `blocks` + `kept` */
    uint64_t round;     /* since the start */
    uint64_t damaged;   /* blocks that did not hold their cookies */
    bool fresh;
    size_t bytes;
    uint64_t digests[ROUNDS]; /* of each round's steps */
};

/* In run->shared. */
struct place {
    _Atomic(uint64_t *) block;
};

static size_t kept_blocks(const struct hm_value *values) {
    return (size_t)values[PARAM_BLOCKS].number / 2;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_BLOCKS].number + kept_blocks(values);
}

static unsigned own_threads(const struct hm_value *values, unsigned threads) {
    return values[PARAM_FRESH].number ? threads : 0;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)threads;
    return (size_t)values[PARAM_PLACES].number * sizeof(struct place);
}

/* ---- The script ---- */

static bool chance(struct hm_random *random, unsigned percent) {
    return hm_random_below(random, 100) < percent;
}

static uint32_t draw_words(struct hm_random *random, unsigned shifts, bool large) {
    uint32_t words = 1u << hm_random_below(random, shifts);
    if (!chance(random, 1))
        return words;
    if (large && chance(random, 1))
        return words * 10000;
    return words * (large && chance(random, 10) ? 1000 : 100);
}

static void draw_round(struct step *steps, size_t blocks, size_t kept,
                       const struct hm_value *values, struct hm_random *random) {
    bool large = values[PARAM_LARGE].number;
    uint64_t places = (uint64_t)values[PARAM_PLACES].number;
    size_t held = 0;
    for (size_t left = kept; held < blocks || left > 0; steps++) {
        *steps = (struct step){.freed = NONE, .swapped = NONE};
        steps->kept = held == blocks || (left > 0 && chance(random, 50));
        steps->words = draw_words(random, steps->kept ? KEPT_SHIFTS : SHORT_SHIFTS, large);
        left -= steps->kept;
        held += !steps->kept;
        if (held > 0 && chance(random, FREED_PERCENT))
            steps->freed = (uint32_t)hm_random_below(random, held);
        if (held > 0 && chance(random, SWAPPED_PERCENT)) {
            steps->swapped = (uint32_t)hm_random_below(random, held);
            steps->place = (uint32_t)hm_random_below(random, places);
        }
    }
}

static uint64_t digest_of(const struct step *steps, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += steps[i].words * (i + 1) + steps[i].freed + 3 * (uint64_t)steps[i].swapped;
    return sum;
}

static int setup(struct hm_run *run) {
    size_t blocks = (size_t)run->params[PARAM_BLOCKS].number;
    size_t kept = kept_blocks(run->params);
    size_t bytes = sizeof(struct mstress) + (blocks + kept) * sizeof(uint64_t *) +
                   ROUNDS * (blocks + kept) * sizeof(struct step);
    struct mstress *mstress = hm_scratch(bytes);
    if (!mstress)
        return ENOMEM;
    mstress->bytes = bytes;
    mstress->blocks = blocks;
    mstress->kept = kept;
    mstress->fresh = run->params[PARAM_FRESH].number;
    mstress->held = (uint64_t **)(mstress + 1);
    mstress->steps = (struct step *)(mstress->held + blocks + kept);
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct step *steps = mstress->steps + i * (blocks + kept);
        draw_round(steps, blocks, kept, run->params, &random);
        mstress->digests[i] = digest_of(steps, blocks + kept);
    }
    run->state = mstress;
    return 0;
}

/* ---- Blocks ---- */

static uint64_t *allocate(const struct hm_memory *memory, size_t words) {
    uint64_t *block = hm_calloc(memory, words, sizeof *block);
    for (size_t i = 0; block && i < words; i++)
        block[i] = (words - i) ^ cookie;
    return block;
}

static size_t words_of(const uint64_t *block) {
    return block[0] ^ cookie;
}

static bool holds_cookies(const uint64_t *block) {
    size_t words = words_of(block);
    if (words == 0 || words > MOST_WORDS)
        return false;
    for (size_t i = 0; i < words; i++)
        if (block[i] != ((words - i) ^ cookie))
            return false;
    return true;
}

static void release(const struct hm_memory *memory, struct mstress *mstress, uint64_t *block) {
    if (!block)
        return;
    mstress->damaged += !holds_cookies(block);
    block[0] = 0;
    hm_free(memory, block);
}

/* ---- A round ---- */

/* @return steps done: fewer than all when memory ran out */
__attribute__((noinline)) static size_t do_steps(struct hm_run *run, struct mstress *mstress) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    const size_t count = mstress->blocks + mstress->kept;
    const struct step *steps = mstress->steps + mstress->round % ROUNDS * count;
    struct place *places = run->shared;
    uint64_t **held = mstress->held;
    size_t bottom = 0;
    size_t top = count;
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        uint64_t *block = allocate(&memory, step->words);
        if (__builtin_expect(!block, 0))
            return i;
        if (step->kept)
            held[--top] = block;
        else
            held[bottom++] = block;
        if (step->freed != NONE) {
            release(&memory, mstress, held[step->freed]);
            held[step->freed] = NULL;
        }
        if (step->swapped != NONE)
            held[step->swapped] = atomic_exchange_explicit(
                &places[step->place].block, held[step->swapped], memory_order_acq_rel);
    }
    return count;
}

/* Every other of the places that are this thread's to empty; or all. */
static void empty_places(struct hm_run *run, struct mstress *mstress, bool all) {
    size_t places = (size_t)run->params[PARAM_PLACES].number;
    size_t number = 0;
    struct place *place = run->shared;
    for (size_t i = run->thread % run->threads; i < places; i += run->threads, number++)
        if (all || (number + mstress->round) % 2)
            release(run->memory, mstress, atomic_exchange(&place[i].block, NULL));
}

/* @return whether there was memory; if not, the next call does this round again */
static bool do_round(struct hm_run *run, struct mstress *mstress) {
    const size_t count = mstress->blocks + mstress->kept;
    size_t steps = do_steps(run, mstress);
    for (size_t i = 0; i < count; i++) {
        release(run->memory, mstress, mstress->held[i]);
        mstress->held[i] = NULL;
    }
    if (steps < count)
        return false;
    empty_places(run, mstress, false);
    run->checksum += mstress->digests[mstress->round % ROUNDS];
    mstress->round++;
    return true;
}

static uint64_t do_rounds(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++)
        if (!do_round(run, run->state))
            return done;
    return units;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct mstress *mstress = run->state;
    if (!mstress->fresh)
        return do_rounds(run, units);
    for (uint64_t done = 0; done < units; done++)
        if (hm_run_fresh(run, 1, do_rounds) < 1)
            return done;
    return units;
}

/* ---- After the run ---- */

static const char *verify(struct hm_run *run) {
    const struct mstress *mstress = run->state;
    struct place *places = run->shared;
    if (mstress->damaged)
        return "a block did not hold what was written to it";
    for (size_t i = 0; i < (size_t)run->params[PARAM_PLACES].number; i++) {
        const uint64_t *block = atomic_load(&places[i].block);
        if (block && !holds_cookies(block))
            return "a live block does not hold what was written to it";
    }
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    struct place *places = run->shared;
    uint64_t sum = 0;
    for (size_t i = run->thread; i < (size_t)run->params[PARAM_PLACES].number; i += run->threads) {
        const uint64_t *block = atomic_load(&places[i].block);
        sum += block ? words_of(block) * sizeof *block : 0;
    }
    return sum;
}

static void teardown(struct hm_run *run) {
    struct mstress *mstress = run->state;
    empty_places(run, mstress, true);
    hm_scratch_free(mstress, mstress->bytes);
    run->state = NULL;
}

static const struct hm_workload mstress = {
    HM_WORKLOAD_VARIANT,
    .name = "mstress",
    .summary = "threads that come and go, and swap blocks of all sizes with each other",
    .stresses = "blocks that outlive their thread and are freed by another, and zeroed ones",
    .origin = "mimalloc's test-stress.c, as mstress N 50 25 in mimalloc-bench, where thread t "
              "allocates t % 8 + 1 times as many blocks",
    .op = "calloc and its free",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .own_threads = own_threads,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, mstress);

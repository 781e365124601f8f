/* Litmus tests: two threads, two locations, and what each may see of the other's stores.
 *
 * Vocabulary
 *   pair      threads 2k and 2k + 1, the first and the second. A thread without a partner plays both, one
 *             after the other.
 *   round     one test. Round i stores the number i, so that nothing has to be cleared: a load of it
 *             tells 1, and one of round i - 1 tells 0.
 *   outcome   what the two loads of a round told, as two bits r1 r2:
 *               sb  store buffering   x = 1, r1 = y    |  y = 1, r2 = x
 *               mp  message passing   x = 1, y = 1     |  r1 = y, r2 = x
 *               lb  load buffering    r1 = y, x = 1    |  r2 = x, y = 1
 *   weak      the outcome that no interleaving of the threads explains: 00 of sb, 10 of mp, 11 of lb.
 *   forbidden a weak outcome that the memory order rules out: each but sb with acqrel, and all with relaxed,
 *             where C11 rules out nothing.
 *
 * Synchronisation. Each thread has a flag in which it says which round it has come to, and what it saw in
 * the ones before; a round begins when both have come to it. So both are done with round i - 1, in the
 * sense of happens-before, and start within the time that a cache line takes to go from one core to the
 * other. Who comes second would always be first to start: each then loses a few turns, drawn from the seed.
 * Flags and locations lie on lines of their own. Who waits for long yields. */
#include "workloads/lanes.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_TEST,
    PARAM_ORDER,
};

enum {
    TEST_SB,
    TEST_MP,
    TEST_LB,
    TESTS,
};

enum {
    ORDER_RELAXED,
    ORDER_ACQREL,
    ORDER_SEQCST,
    ORDERS,
};

enum {
    FIGURE_OUTCOMES, /* 00, 01, 10, 11 */
    FIGURE_WEAK = 4,
    FIGURE_WEAK_PERCENT,
    OUTCOMES = 4,
};

enum {
    SEEN_BITS = 2,
    SEEN = 3,
    SEEN_TWICE = 15,
    TURNS = 256, /* less than so many are lost at the start of a round */
};

static const struct hm_param params[] = {
    [PARAM_TEST] = {.name = "test",
                    .unit = "",
                    .help = "store buffering, message passing or load buffering",
                    .kind = HM_PARAM_CHOICE,
                    .choices = "sb|mp|lb"},
    [PARAM_ORDER] = {.name = "order",
                     .unit = "",
                     .help = "memory order of the test's loads and stores",
                     .kind = HM_PARAM_CHOICE,
                     .choices = "relaxed|acqrel|seqcst"},
    {.name = NULL},
};

#define OUTCOME_FIGURE(bits)                                                                       \
    {                                                                                              \
        .name = "outcome_" bits, .unit = "rounds",                                                 \
        .help = "rounds in which the two loads told " bits, .better = HM_FIGURE_NEITHER_IS_BETTER, \
        .over_threads = HM_FIGURE_SUM                                                              \
    }

static const struct hm_figure figures[] = {
    OUTCOME_FIGURE("00"),
    OUTCOME_FIGURE("01"),
    OUTCOME_FIGURE("10"),
    OUTCOME_FIGURE("11"),
    [FIGURE_WEAK] = {.name = "weak_outcomes",
                     .unit = "rounds",
                     .help = "rounds with the outcome that no interleaving of the threads explains",
                     .better = HM_FIGURE_NEITHER_IS_BETTER,
                     .over_threads = HM_FIGURE_SUM},
    [FIGURE_WEAK_PERCENT] = {.name = "weak_percent",
                             .unit = "%",
                             .help = "part of a pair's rounds with that outcome",
                             .better = HM_FIGURE_NEITHER_IS_BETTER,
                             .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct line {
    _Alignas(HM_SPIN_APART) uint64_t word;
};

/* What a pair shares. */
struct pair {
    struct line x, y;
    struct line
        flags[2]; /* of the first and the second: what round, and what was seen in the two before */
};

struct state {
    struct pair *pair;
    unsigned side; /* 0 or 1 */
    bool alone;
    uint64_t round;
    unsigned seen; /* in the last two rounds */
    struct hm_random random;
    uint64_t outcomes[OUTCOMES]; /* kept by the first of a pair */
    uint64_t marks[OUTCOMES];
};

static const unsigned weak_outcome[] = {[TEST_SB] = 0, [TEST_MP] = 2, [TEST_LB] = 3};

static bool is_weak_allowed(int64_t test, int64_t order) {
    return order == ORDER_RELAXED || (order == ORDER_ACQREL && test == TEST_SB);
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return (threads + 1) / 2 * sizeof(struct pair);
}

static int setup(struct hm_run *run) {
    struct pair *pairs = run->shared;
    struct state *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->pair = &pairs[run->thread / 2];
    state->side = run->thread % 2;
    state->alone = (run->thread ^ 1) >= run->threads;
    state->random = hm_random_of(run->seed, run->thread);
    return 0;
}

/* ---- A round ---- */

/* One side of a test. @return what its loads told: bit 1 is r1, bit 0 is r2 */
__attribute__((always_inline)) static inline unsigned play(struct pair *pair, unsigned side,
                                                           uint64_t round, const int test,
                                                           const int load, const int store) {
    uint64_t *mine = side ? &pair->y.word : &pair->x.word;
    uint64_t *other = side ? &pair->x.word : &pair->y.word;
    unsigned bit = side ? 1 : 2;
    if (test == TEST_SB) {
        __atomic_store_n(mine, round, store);
        return __atomic_load_n(other, load) == round ? bit : 0;
    }
    if (test == TEST_LB) {
        unsigned seen = __atomic_load_n(other, load) == round ? bit : 0;
        __atomic_store_n(mine, round, store);
        return seen;
    }
    if (side == 0) { /* the message, and that it is there */
        __atomic_store_n(&pair->x.word, round, store);
        __atomic_store_n(&pair->y.word, round, store);
        return 0;
    }
    unsigned seen = __atomic_load_n(&pair->y.word, load) == round ? 2 : 0;
    return seen | (__atomic_load_n(&pair->x.word, load) == round ? 1 : 0);
}

/* Say that we have come to a round, and wait until the partner has; it may be one further by the time we
 * look. @return what it saw in the last one */
static inline unsigned meet(struct state *state, unsigned seen) {
    uint64_t *theirs = &state->pair->flags[state->side ^ 1].word;
    unsigned spins = 0;
    uint64_t flag;
    state->seen = (state->seen << SEEN_BITS | seen) & SEEN_TWICE;
    __atomic_store_n(&state->pair->flags[state->side].word,
                     state->round << 2 * SEEN_BITS | state->seen, __ATOMIC_RELEASE);
    while ((flag = __atomic_load_n(theirs, __ATOMIC_ACQUIRE)) >> 2 * SEEN_BITS < state->round)
        hm_spin_wait(&spins);
    if (flag >> 2 * SEEN_BITS > state->round)
        flag >>= SEEN_BITS;
    return (unsigned)flag & SEEN;
}

static inline void lose_turns(struct state *state) {
    for (uint64_t turns = hm_random_next(&state->random) % TURNS; turns; turns--)
        __asm__ volatile("");
}

/* After the last round both meet once more, and tell what they saw in it. */
__attribute__((always_inline)) static inline void
play_rounds(struct state *state, uint64_t count, const int test, const int load, const int store) {
    unsigned seen = 0;
    for (uint64_t i = 0; i <= count; i++) {
        state->round++;
        unsigned theirs = meet(state, seen);
        if (i > 0 && state->side == 0)
            state->outcomes[seen | theirs]++;
        if (i == count)
            return;
        lose_turns(state);
        seen = play(state->pair, state->side, state->round, test, load, store);
    }
}

__attribute__((always_inline)) static inline void play_both_sides(struct state *state,
                                                                  uint64_t count, const int test,
                                                                  const int load, const int store) {
    for (uint64_t i = 0; i < count; i++) {
        state->round++;
        unsigned first = play(state->pair, 0, state->round, test, load, store);
        state->outcomes[first | play(state->pair, 1, state->round, test, load, store)]++;
    }
}

#define LOOP(name, test, load, store)                                                              \
    __attribute__((noinline)) static void name(struct state *state, uint64_t count) {              \
        if (state->alone)                                                                          \
            play_both_sides(state, count, test, load, store);                                      \
        else                                                                                       \
            play_rounds(state, count, test, load, store);                                          \
    }

LOOP(sb_relaxed, TEST_SB, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
LOOP(sb_acqrel, TEST_SB, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE)
LOOP(sb_seqcst, TEST_SB, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
LOOP(mp_relaxed, TEST_MP, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
LOOP(mp_acqrel, TEST_MP, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE)
LOOP(mp_seqcst, TEST_MP, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
LOOP(lb_relaxed, TEST_LB, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
LOOP(lb_acqrel, TEST_LB, __ATOMIC_ACQUIRE, __ATOMIC_RELEASE)
LOOP(lb_seqcst, TEST_LB, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    static void (*const loops[TESTS][ORDERS])(struct state *, uint64_t) = {
        [TEST_SB] = {sb_relaxed, sb_acqrel, sb_seqcst},
        [TEST_MP] = {mp_relaxed, mp_acqrel, mp_seqcst},
        [TEST_LB] = {lb_relaxed, lb_acqrel, lb_seqcst},
    };
    struct state *state = run->state;
    loops[run->params[PARAM_TEST].number][run->params[PARAM_ORDER].number](state, units);
    run->checksum += units;
    return units;
}

/* ---- After the run ---- */

static void measure(struct hm_run *run, double *values) {
    struct state *state = run->state;
    unsigned weak = weak_outcome[run->params[PARAM_TEST].number];
    double all = 0;
    if (state->side != 0)
        return;
    for (unsigned i = 0; i < OUTCOMES; i++) {
        values[FIGURE_OUTCOMES + i] = (double)hm_mark_advance(&state->marks[i], state->outcomes[i]);
        all += values[FIGURE_OUTCOMES + i];
    }
    values[FIGURE_WEAK] = values[FIGURE_OUTCOMES + weak];
    if (all > 0)
        values[FIGURE_WEAK_PERCENT] = 100 * values[FIGURE_WEAK] / all;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    int64_t test = run->params[PARAM_TEST].number;
    uint64_t weak = state->outcomes[weak_outcome[test]];
    if (weak && state->alone)
        return "a thread did not see what it had stored itself";
    if (weak && !is_weak_allowed(test, run->params[PARAM_ORDER].number))
        return "an outcome that the memory order forbids was seen";
    return NULL;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload litmus = {
    HM_WORKLOAD_VARIANT,
    .name = "litmus",
    .summary = "two threads store to and load from two locations; the outcomes are counted",
    .stresses =
        "memory order: which reorderings this machine shows, and that no forbidden one occurs",
    .origin = "SB, MP and LB of Alglave, Maranget and Tautschnig, Herding Cats, TOPLAS 2014",
    .op = "round of a test",
    .params = params,
    .figures = figures,
    .measure = measure,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, litmus);

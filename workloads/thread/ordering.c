/* What an atomic load, store or increment costs in each memory order, on a line of one's own and on one that
 * all threads use.
 *
 * On x86-64 loads are the same instruction in every order, and so are stores but for the sequentially
 * consistent one, which waits until its value is out of the store buffer; every increment is a locked
 * instruction. Other processors tell more orders apart.
 *
 * Vocabulary
 *   word    what the operations are on: of each thread, or one for all.
 *   mixed   thread 0 stores, all others load; the line goes from one to the others again and again. */
#include "workloads/lanes.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_OP,
    PARAM_ORDER,
    PARAM_LINE,
};

enum {
    OP_LOAD,
    OP_STORE,
    OP_ADD,
    OP_MIXED,
};

enum {
    ORDER_RELAXED,
    ORDER_ACQREL,
    ORDER_SEQCST,
    ORDERS,
};

enum {
    OPS_PER_UNIT = 64, /* so many without a look at the loop's end */
};

static const struct hm_param params[] = {
    [PARAM_OP] = {.name = "op",
                  .unit = "",
                  .help = "what each thread does; mixed: thread 0 stores, the others load",
                  .kind = HM_PARAM_CHOICE,
                  .choices = "load|store|add|mixed",
                  .initial = OP_ADD},
    [PARAM_ORDER] = {.name = "order",
                     .unit = "",
                     .help = "memory order; acqrel: a load acquires, a store releases",
                     .kind = HM_PARAM_CHOICE,
                     .choices = "relaxed|acqrel|seqcst",
                     .initial = ORDER_SEQCST},
    [PARAM_LINE] = {.name = "line",
                    .unit = "",
                    .help = "whose the cache line is: private, of each thread; shared, of all",
                    .kind = HM_PARAM_CHOICE,
                    .choices = "private|shared",
                    .initial = 0},
    {.name = NULL},
};

struct word {
    _Alignas(HM_SPIN_APART) uint64_t value;
};

/* In run->shared: the common word, the lanes, and a word for each thread. */
struct shared {
    struct word word;
    struct hm_lane lanes[];
};

struct state {
    struct word *word;
    int op;
    uint64_t seen; /* all that was loaded, so that no load is left out */
};

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return sizeof(struct shared) + threads * (sizeof(struct hm_lane) + sizeof(struct word));
}

static const char *conflict(const struct hm_value *values) {
    return values[PARAM_OP].number == OP_MIXED && values[PARAM_LINE].number == 0
               ? "op=mixed needs line=shared"
               : NULL;
}

static int setup(struct hm_run *run) {
    struct shared *shared = run->shared;
    struct word *words = (struct word *)(void *)(shared->lanes + run->threads);
    struct state *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->word = run->params[PARAM_LINE].number ? &shared->word : &words[run->thread];
    state->op = (int)run->params[PARAM_OP].number;
    if (state->op == OP_MIXED)
        state->op = run->thread == 0 ? OP_STORE : OP_LOAD;
    return 0;
}

/* ---- Running ---- */

#define SIXTEEN(statement)                                                                         \
    statement statement statement statement statement statement statement statement statement      \
        statement statement statement statement statement statement statement
#define SIXTY_FOUR(statement)                                                                      \
    SIXTEEN(statement) SIXTEEN(statement) SIXTEEN(statement) SIXTEEN(statement)

#define LOADS(name, order)                                                                         \
    __attribute__((noinline)) static uint64_t name(uint64_t *word, uint64_t units) {               \
        uint64_t seen = 0;                                                                         \
        for (uint64_t i = 0; i < units; i++) {                                                     \
            SIXTY_FOUR(seen |= __atomic_load_n(word, order);)                                      \
        }                                                                                          \
        return seen;                                                                               \
    }

#define STORES(name, order)                                                                        \
    __attribute__((noinline)) static uint64_t name(uint64_t *word, uint64_t units) {               \
        for (uint64_t i = 0; i < units; i++) {                                                     \
            SIXTY_FOUR(__atomic_store_n(word, i, order);)                                          \
        }                                                                                          \
        return 0;                                                                                  \
    }

#define ADDITIONS(name, order)                                                                     \
    __attribute__((noinline)) static uint64_t name(uint64_t *word, uint64_t units) {               \
        for (uint64_t i = 0; i < units; i++) {                                                     \
            SIXTY_FOUR(__atomic_fetch_add(word, 1, order);)                                        \
        }                                                                                          \
        return 0;                                                                                  \
    }

LOADS(loads_relaxed, __ATOMIC_RELAXED)
LOADS(loads_acquire, __ATOMIC_ACQUIRE)
LOADS(loads_seqcst, __ATOMIC_SEQ_CST)
STORES(stores_relaxed, __ATOMIC_RELAXED)
STORES(stores_release, __ATOMIC_RELEASE)
STORES(stores_seqcst, __ATOMIC_SEQ_CST)
ADDITIONS(additions_relaxed, __ATOMIC_RELAXED)
ADDITIONS(additions_acqrel, __ATOMIC_ACQ_REL)
ADDITIONS(additions_seqcst, __ATOMIC_SEQ_CST)

static uint64_t ops_per_unit(const struct hm_value *values) {
    (void)values;
    return OPS_PER_UNIT;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    static uint64_t (*const loops[][ORDERS])(uint64_t *, uint64_t) = {
        [OP_LOAD] = {loads_relaxed, loads_acquire, loads_seqcst},
        [OP_STORE] = {stores_relaxed, stores_release, stores_seqcst},
        [OP_ADD] = {additions_relaxed, additions_acqrel, additions_seqcst},
    };
    struct shared *shared = run->shared;
    struct state *state = run->state;
    uint64_t *word = &state->word->value;
    state->seen |= loops[state->op][run->params[PARAM_ORDER].number](word, units);
    hm_lane_add(run, shared->lanes, units * OPS_PER_UNIT);
    return units;
}

/* ---- After the run ---- */

static const char *verify(struct hm_run *run) {
    const struct shared *shared = run->shared;
    const struct state *state = run->state;
    bool alone = run->params[PARAM_LINE].number == 0;
    uint64_t additions =
        alone ? shared->lanes[run->thread].done : hm_lanes_done(run, shared->lanes);
    int64_t op = run->params[PARAM_OP].number;
    if (op == OP_ADD && state->word->value != additions)
        return "the word is not the number of its increments";
    if (op == OP_LOAD && state->seen)
        return "a load has seen what nobody has stored";
    return NULL;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload ordering = {
    HM_WORKLOAD_VARIANT,
    .name = "ordering",
    .summary = "atomic loads, stores or increments of one memory order, again and again",
    .stresses = "memory order: what relaxed, acquire-release and sequential consistency cost",
    .origin = "heapmark; the orders are those of C11, 7.17.3",
    .op = "load, store or increment",
    .params = params,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, ordering);

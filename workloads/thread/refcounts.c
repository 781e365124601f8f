/* Threads that take and give up references to objects which they share: what counting costs, and what a
 * count that is not atomic comes to.
 *
 *   plain    load, add, store. Exact for one thread; several lose counts in both directions. (As relaxed
 *            atomics, so that the loss is defined and nothing else is.)
 *   atomic   one count, relaxed upwards, release downwards
 *   biased   the owner's references in a count that only it writes, those of all others in an atomic one
 *
 * The collectors' own counting, with objects that die, is measured by the workload `sharing`.
 *
 * Vocabulary
 *   object    one for each group of `share` threads, whose first thread owns it.
 *   base      the reference that each thread has from set-up to tear-down: an exact count never falls to
 *             where the object would be freed.
 *   early end a count fell there all the same. A collector would have freed an object in use.
 *
 * Invariant: between two units the references of an object are as many as it has threads.
 * Sources: Choi, Shull and Torrellas, Biased Reference Counting, PACT 2018; CPython 3.13, free-threaded
 * build, Include/refcount.h. */
#include "workloads/lanes.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_COUNT,
    PARAM_SHARE,
};

enum {
    COUNT_PLAIN,
    COUNT_ATOMIC,
    COUNT_BIASED,
};

enum {
    FIGURE_ERROR,
    FIGURE_EARLY,
};

static const struct hm_param params[] = {
    [PARAM_COUNT] = {.name = "count",
                     .unit = "",
                     .help = "how references are counted",
                     .kind = HM_PARAM_CHOICE,
                     .choices = "plain|atomic|biased",
                     .initial = COUNT_ATOMIC},
    [PARAM_SHARE] = {.name = "share",
                     .unit = "threads",
                     .help = "threads that share an object; 0: all",
                     .kind = HM_PARAM_COUNT,
                     .initial = 0,
                     .min = 0,
                     .max = 4096},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_ERROR] = {.name = "count_error",
                      .unit = "references",
                      .help =
                          "by how many references the counts of all objects are wrong at the end",
                      .better = HM_FIGURE_LOWER_IS_BETTER,
                      .over_threads = HM_FIGURE_SUM},
    [FIGURE_EARLY] = {.name = "early_ends",
                      .unit = "times",
                      .help = "times that a count said of an object in use that nobody uses it",
                      .better = HM_FIGURE_LOWER_IS_BETTER,
                      .over_threads = HM_FIGURE_SUM},
    {.name = NULL},
};

/* The owner's count and the payload are on the line that all read; so is the shared count, as it is in the
 * header of an object. */
struct object {
    _Alignas(HM_SPIN_APART) int64_t local; /* of the owner */
    int64_t shared;                        /* of all others; of all, unless biased */
    uint64_t payload;
};

/* In run->shared: an object for each thread, of which the first of a group is used, and the lanes. */
struct state {
    struct object *object;
    struct hm_lane *lanes;
    bool owner;
    unsigned sharers;
    uint64_t early, early_mark;
    int64_t error_mark;
    uint64_t read; /* what the payloads came to */
};

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return threads * (sizeof(struct object) + sizeof(struct hm_lane));
}

static uint64_t payload_of(uint64_t seed, unsigned group) {
    return hm_mix(seed + group) | 1;
}

static int setup(struct hm_run *run) {
    struct object *objects = run->shared;
    unsigned share = (unsigned)run->params[PARAM_SHARE].number;
    struct state *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    if (share == 0 || share > run->threads)
        share = run->threads;
    unsigned first = run->thread / share * share;
    unsigned last = first + share < run->threads ? first + share : run->threads;
    state->object = &objects[first];
    state->lanes = (struct hm_lane *)(void *)(objects + run->threads);
    state->owner = run->thread == first;
    state->sharers = last - first;
    if (!state->owner)
        return 0;
    bool biased = run->params[PARAM_COUNT].number == COUNT_BIASED;
    state->object->local = biased ? 1 : 0;
    state->object->shared = biased ? state->sharers - 1 : state->sharers;
    state->object->payload = payload_of(run->seed, first);
    return 0;
}

/* ---- Counting ---- */

static inline void add(int64_t *count, int64_t by) {
    __atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

__attribute__((always_inline)) static inline void take(struct object *object, const int count,
                                                       bool owner) {
    if (count == COUNT_PLAIN)
        add(&object->shared, 1);
    else if (count == COUNT_BIASED && owner)
        object->local++;
    else
        __atomic_fetch_add(&object->shared, 1, __ATOMIC_RELAXED);
}

/* @return whether the object ends. The shared half of a biased one may be 0 while its owner holds it. */
__attribute__((always_inline)) static inline bool give_up(struct object *object, const int count,
                                                          bool owner) {
    if (count == COUNT_PLAIN) {
        int64_t left = __atomic_load_n(&object->shared, __ATOMIC_RELAXED) - 1;
        __atomic_store_n(&object->shared, left, __ATOMIC_RELAXED);
        return left == 0;
    }
    if (count == COUNT_BIASED && owner)
        return --object->local == 0;
    int64_t left = __atomic_fetch_sub(&object->shared, 1, __ATOMIC_RELEASE) - 1;
    return count == COUNT_BIASED ? left < 0 : left == 0;
}

#define LOOP(name, count)                                                                          \
    __attribute__((noinline)) static void name(struct state *state, uint64_t units) {              \
        struct object *object = state->object;                                                     \
        const bool owner = state->owner;                                                           \
        uint64_t early = 0;                                                                        \
        uint64_t read = 0;                                                                         \
        for (uint64_t i = 0; i < units; i++) {                                                     \
            take(object, count, owner);                                                            \
            read |= __atomic_load_n(&object->payload, __ATOMIC_RELAXED);                           \
            early += give_up(object, count, owner);                                                \
        }                                                                                          \
        state->early += early;                                                                     \
        state->read |= read;                                                                       \
    }

LOOP(loop_plain, COUNT_PLAIN)
LOOP(loop_atomic, COUNT_ATOMIC)
LOOP(loop_biased, COUNT_BIASED)

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    static void (*const loops[])(struct state *, uint64_t) = {loop_plain, loop_atomic, loop_biased};
    struct state *state = run->state;
    loops[run->params[PARAM_COUNT].number](state, units);
    hm_lane_add(run, state->lanes, units);
    return units;
}

/* ---- After the run ---- */

static int64_t error_of(const struct state *state) {
    return state->object->local + state->object->shared - (int64_t)state->sharers;
}

static void measure(struct hm_run *run, double *values) {
    struct state *state = run->state;
    values[FIGURE_EARLY] = (double)hm_mark_advance(&state->early_mark, state->early);
    if (!state->owner)
        return;
    int64_t error = error_of(state);
    double since = (double)(error - state->error_mark);
    state->error_mark = error;
    values[FIGURE_ERROR] = since < 0 ? -since : since;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    bool exact = run->params[PARAM_COUNT].number != COUNT_PLAIN || state->sharers == 1;
    if (exact && error_of(state))
        return "a count is not the number of references";
    if (exact && state->early)
        return "a count fell to where an object is freed that was in use";
    if (state->lanes[run->thread].done && state->read != state->object->payload)
        return "a shared object was not as it had been made";
    return NULL;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload refcounts = {
    HM_WORKLOAD_VARIANT,
    .name = "refcounts",
    .summary = "take a reference to a shared object, read the object, give the reference up",
    .stresses = "counting references: plain, atomic, or biased to the owner, by 1 to N threads",
    .origin = "Choi, Shull and Torrellas, PACT 2018 (biased); CPython 3.13, free-threaded",
    .op = "reference taken and given up",
    .params = params,
    .figures = figures,
    .measure = measure,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, refcounts);

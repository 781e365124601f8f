/* Mutators under CPython's global lock: some that only compute, and some that let go of it again and again.
 *
 * Vocabulary
 *   stretch     a short piece of arithmetic, after which a thread looks whether it is asked for the lock.
 *               This is the evaluation loop's look at its breaker.
 *   releasing   of a thread that gives the lock up after every `call` stretches, does `outside` stretches
 *               without it, and takes it again: as calls of compression, hashing or reading do. The last
 *               `io` percent of the threads are, the number rounded down.
 *   wait        from asking for the lock to having it. Its clock is read around each taking, as part of the
 *               work.
 *   progress    stretches under the lock that a thread has done when the first thread is through with its
 *               share; threads that come to their end later no longer compete with it.
 *
 * The convoy: a releasing thread waits a whole switch interval for a computing one, though it needs the
 * lock for a moment only (Beazley, Understanding the Python GIL, 2010). Fairness is Jain's index of the
 * progress: 1 where all came equally far, 1 / threads where one had it all (Jain, Chiu and Hawe, 1984). */
#include "allocators/gil.h"
#include "workloads/clock.h"
#include "workloads/lanes.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_INTERVAL,
    PARAM_IO,
    PARAM_STEPS,
    PARAM_CALL,
    PARAM_OUTSIDE,
    PARAM_STRETCHES,
};

enum {
    FIGURE_FAIRNESS,
    FIGURE_LONGEST_WAIT,
    FIGURE_TURNS,
};

static const struct hm_param params[] = {
    [PARAM_INTERVAL] = {.name = "interval",
                        .unit = "us",
                        .help = "switch interval: a waiting thread asks for the lock after that",
                        .kind = HM_PARAM_COUNT,
                        .initial = HM_SWITCH_INTERVAL_NS / 1000,
                        .min = 1,
                        .max = 999999},
    [PARAM_IO] = {.name = "io",
                  .unit = "%",
                  .help = "part of the threads that release the lock around calls",
                  .kind = HM_PARAM_COUNT,
                  .initial = 50,
                  .min = 0,
                  .max = 100},
    [PARAM_STEPS] = {.name = "steps",
                     .unit = "steps",
                     .help = "arithmetic in a stretch",
                     .kind = HM_PARAM_COUNT,
                     .initial = 20,
                     .min = 1,
                     .max = 1000000},
    [PARAM_CALL] = {.name = "call",
                    .unit = "stretches",
                    .help = "stretches between two calls of a releasing thread",
                    .kind = HM_PARAM_COUNT,
                    .initial = 100,
                    .min = 1,
                    .max = 1000000},
    [PARAM_OUTSIDE] = {.name = "outside",
                       .unit = "stretches",
                       .help = "length of such a call, without the lock",
                       .kind = HM_PARAM_COUNT,
                       .initial = 100,
                       .min = 0,
                       .max = 1000000},
    [PARAM_STRETCHES] = {.name = "stretches",
                         .unit = "stretches",
                         .help = "stretches under the lock in a unit of each thread",
                         .kind = HM_PARAM_COUNT,
                         .initial = 200000,
                         .min = 1,
                         .max = 100000000},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_FAIRNESS] =
        {.name = "fairness",
         .unit = "index",
         .help = "Jain's index of the threads' progress: 1 is equal, 1/threads one alone",
         .better = HM_FIGURE_HIGHER_IS_BETTER,
         .over_threads = HM_FIGURE_MAX},
    [FIGURE_LONGEST_WAIT] = {.name = "longest_wait_ns",
                             .unit = "ns",
                             .help = "longest time that a thread waited for the lock",
                             .better = HM_FIGURE_LOWER_IS_BETTER,
                             .over_threads = HM_FIGURE_MAX},
    [FIGURE_TURNS] = {.name = "turns",
                      .unit = "turns",
                      .help = "times that a thread got the lock",
                      .better = HM_FIGURE_NEITHER_IS_BETTER,
                      .over_threads = HM_FIGURE_SUM},
    {.name = NULL},
};

/* What the others see of a thread. */
struct mutator {
    _Alignas(HM_SPIN_APART) uint64_t stretches; /* since set-up; atomic, written by its thread */
    uint64_t turns;
    /* With the lock: */
    uint64_t
        at_first_end;  /* of the stretches, when the first thread came to the end of this run() */
    uint64_t progress; /* the sum over all runs */
    uint64_t progress_mark; /* the first thread's, of measure() */
};

/* In run->shared. The lock keeps what follows it. */
struct shared {
    struct hm_gil gil;
    uint64_t turns;   /* of all threads */
    uint64_t through; /* threads that came to the end of their run(), since set-up */
    unsigned inside;  /* threads that have the lock: 1, when one looks */
    bool broken;      /* it was not 1 */
    struct mutator mutators[];
};

struct state {
    bool releasing;
    uint64_t digest;
    uint64_t until_call; /* stretches; of a thread that computes, more than there will be */
    uint64_t longest_wait_ns, turns_mark;
};

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return sizeof(struct shared) + threads * sizeof(struct mutator);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_STRETCHES].number;
}

static int setup(struct hm_run *run) {
    struct shared *shared = run->shared;
    struct state *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    unsigned releasing = run->threads * (unsigned)run->params[PARAM_IO].number / 100;
    state->releasing = run->thread >= run->threads - releasing;
    state->until_call = state->releasing ? (uint64_t)run->params[PARAM_CALL].number : UINT64_MAX;
    state->digest = hm_mix(run->seed + run->thread);
    if (run->thread == 0) {
        hm_gil_open(&shared->gil);
        shared->gil.interval_ns = run->params[PARAM_INTERVAL].number * 1000;
    }
    return 0;
}

/* ---- Running ---- */

static inline uint64_t compute(uint64_t digest, int64_t steps) {
    for (int64_t i = 0; i < steps; i++)
        digest = hm_mix(digest + 1);
    return digest;
}

static void take(const struct hm_run *run, struct shared *shared) {
    struct state *state = run->state;
    uint64_t begin = hm_clock_ns();
    hm_gil_take(&shared->gil);
    uint64_t waited = hm_clock_ns() - begin;
    state->longest_wait_ns = waited > state->longest_wait_ns ? waited : state->longest_wait_ns;
    shared->mutators[run->thread].turns++;
    shared->turns++;
    shared->broken |= ++shared->inside != 1;
}

static void drop(struct shared *shared) {
    shared->inside--;
    hm_gil_drop(&shared->gil);
}

static uint64_t call(const struct hm_run *run, struct shared *shared, uint64_t digest) {
    drop(shared);
    for (int64_t i = 0; i < run->params[PARAM_OUTSIDE].number; i++)
        digest = compute(digest, run->params[PARAM_STEPS].number);
    take(run, shared);
    return digest;
}

/* With the lock, and with it again at the end. */
static void mutate(const struct hm_run *run, struct shared *shared, uint64_t stretches) {
    struct state *state = run->state;
    struct mutator *self = &shared->mutators[run->thread];
    const int64_t steps = run->params[PARAM_STEPS].number;
    uint64_t digest = state->digest;
    uint64_t done = self->stretches;
    for (uint64_t end = done + stretches; done < end;) {
        digest = compute(digest, steps);
        __atomic_store_n(&self->stretches, ++done, __ATOMIC_RELAXED);
        if (--state->until_call == 0) {
            digest = call(run, shared, digest);
            state->until_call = (uint64_t)run->params[PARAM_CALL].number;
        } else if (hm_gil_is_asked(&shared->gil)) {
            drop(shared);
            take(run, shared);
        }
    }
    state->digest = digest;
}

/* With the lock: the first of a run() writes down how far all have come. */
static void come_through(const struct hm_run *run, struct shared *shared, uint64_t begin) {
    struct mutator *self = &shared->mutators[run->thread];
    if (shared->through++ % run->threads == 0)
        for (unsigned i = 0; i < run->threads; i++)
            shared->mutators[i].at_first_end =
                __atomic_load_n(&shared->mutators[i].stretches, __ATOMIC_RELAXED);
    self->progress += self->at_first_end - begin;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct shared *shared = run->shared;
    struct state *state = run->state;
    uint64_t begin = shared->mutators[run->thread].stretches;
    take(run, shared);
    mutate(run, shared, units * (uint64_t)run->params[PARAM_STRETCHES].number);
    come_through(run, shared, begin);
    drop(shared);
    run->checksum = state->digest;
    return units;
}

/* ---- After the run ---- */

/* Jain's index of what each thread's progress came to since the last time. */
static double fairness(struct mutator *mutators, unsigned threads) {
    double sum = 0;
    double squares = 0;
    for (unsigned i = 0; i < threads; i++) {
        struct mutator *m = &mutators[i];
        double progress = (double)hm_mark_advance(&m->progress_mark, m->progress);
        sum += progress;
        squares += progress * progress;
    }
    return sum * sum / (threads * squares); /* nobody has done anything: not a number */
}

static void measure(struct hm_run *run, double *values) {
    struct shared *shared = run->shared;
    struct state *state = run->state;
    struct mutator *self = &shared->mutators[run->thread];
    if (run->thread == 0)
        values[FIGURE_FAIRNESS] = fairness(shared->mutators, run->threads);
    values[FIGURE_LONGEST_WAIT] = (double)state->longest_wait_ns;
    values[FIGURE_TURNS] = (double)hm_mark_advance(&state->turns_mark, self->turns);
    state->longest_wait_ns = 0;
}

static const char *verify(struct hm_run *run) {
    const struct shared *shared = run->shared;
    uint64_t turns = 0;
    for (unsigned i = 0; i < run->threads; i++)
        turns += shared->mutators[i].turns;
    if (shared->broken || turns != shared->turns)
        return "two threads had the global lock at once";
    return NULL;
}

static void teardown(struct hm_run *run) {
    struct shared *shared = run->shared;
    if (run->thread == 0)
        hm_gil_close(&shared->gil);
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload gil = {
    HM_WORKLOAD_VARIANT,
    .name = "gil",
    .summary = "threads compute under one global lock; some release it around calls",
    .stresses = "a global lock with a switch interval: throughput, fairness and waiting",
    .origin = "CPython 3.11, Python/ceval_gil.h; Beazley, Understanding the Python GIL, 2010",
    .op = "stretch of work under the lock",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, gil);

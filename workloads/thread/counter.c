/* Threads that update one shared record: the textbook's critical section, behind each kind of lock.
 *
 * Vocabulary
 *   record   `fields` numbers that are equal whenever nobody updates them; an update adds one to each.
 *   torn     of a record that is met with numbers that differ. Behind a lock that is a fault of the lock.
 *            With lock=atomic each number is exact and the record is not: an update of it is as many
 *            updates as it has fields, and another thread may look in between.
 *
 * Invariant: after the run each number is how many updates there were, of all threads together. */
#include "workloads/lanes.h"
#include "workloads/locks.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_LOCK,
    PARAM_FIELDS,
};

enum {
    LOCK_ATOMIC = HM_LOCK_KINDS,
    FIELDS_MAX = 64,
};

enum {
    FIGURE_END_VALUE,
    FIGURE_TORN,
};

static const struct hm_param params[] = {
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help = "what keeps the updates apart",
                    .kind = HM_PARAM_CHOICE,
                    .choices = HM_LOCKS "|atomic"},
    [PARAM_FIELDS] = {.name = "fields",
                      .unit = "numbers",
                      .help = "numbers of the record, which are updated together",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1,
                      .min = 1,
                      .max = FIELDS_MAX},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_END_VALUE] = {.name = "end_value",
                          .unit = "updates",
                          .help =
                              "what the shared value came to; exact when it is the operations done",
                          .better = HM_FIGURE_NEITHER_IS_BETTER,
                          .over_threads = HM_FIGURE_MAX},
    [FIGURE_TORN] = {.name = "torn_reads",
                     .unit = "reads",
                     .help = "times that a record was met in the middle of another thread's update",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_SUM},
    {.name = NULL},
};

/* In run->shared; the lanes are behind it. */
struct shared {
    struct hm_locks locks;
    _Alignas(HM_SPIN_APART) uint64_t record[FIELDS_MAX];
    struct hm_lane lanes[];
};

struct state {
    uint64_t torn;
    uint64_t torn_mark, value_mark;
};

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return sizeof(struct shared) + threads * sizeof(struct hm_lane);
}

static int setup(struct hm_run *run) {
    struct shared *shared = run->shared;
    run->state = hm_scratch(sizeof(struct state));
    if (!run->state)
        return ENOMEM;
    if (run->thread == 0)
        hm_locks_open(&shared->locks);
    return 0;
}

/* ---- Running ---- */

/* @return whether the record was torn */
__attribute__((always_inline)) static inline bool
update_locked(struct shared *shared, size_t fields, const enum hm_lock_kind kind) {
    uint64_t *record = shared->record;
    hm_lock_take(&shared->locks, kind);
    bool torn = record[0] != record[fields - 1];
    for (size_t i = 0; i < fields; i++)
        record[i]++;
    hm_lock_drop(&shared->locks, kind);
    return torn;
}

static inline bool update_atomic(struct shared *shared, size_t fields) {
    uint64_t *record = shared->record;
    bool torn = false;
    if (fields > 1) /* the last one first: an update goes the other way */
        torn = __atomic_load_n(&record[fields - 1], __ATOMIC_ACQUIRE) !=
               __atomic_load_n(&record[0], __ATOMIC_RELAXED);
    for (size_t i = 0; i < fields; i++)
        __atomic_fetch_add(&record[i], 1, __ATOMIC_RELAXED);
    return torn;
}

#define LOOP(name, update)                                                                         \
    __attribute__((noinline)) static uint64_t name(struct shared *shared, size_t fields,           \
                                                   uint64_t count) {                               \
        uint64_t torn = 0;                                                                         \
        for (uint64_t i = 0; i < count; i++)                                                       \
            torn += (update);                                                                      \
        return torn;                                                                               \
    }

LOOP(loop_mutex, update_locked(shared, fields, HM_LOCK_MUTEX))
LOOP(loop_spin, update_locked(shared, fields, HM_LOCK_SPIN))
LOOP(loop_ticket, update_locked(shared, fields, HM_LOCK_TICKET))
LOOP(loop_semaphore, update_locked(shared, fields, HM_LOCK_SEMAPHORE))
LOOP(loop_condvar, update_locked(shared, fields, HM_LOCK_CONDVAR))
LOOP(loop_rwlock, update_locked(shared, fields, HM_LOCK_RWLOCK))
LOOP(loop_atomic, update_atomic(shared, fields))

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    static uint64_t (*const loops[])(struct shared *, size_t, uint64_t) = {
        [HM_LOCK_MUTEX] = loop_mutex,     [HM_LOCK_SPIN] = loop_spin,
        [HM_LOCK_TICKET] = loop_ticket,   [HM_LOCK_SEMAPHORE] = loop_semaphore,
        [HM_LOCK_CONDVAR] = loop_condvar, [HM_LOCK_RWLOCK] = loop_rwlock,
        [LOCK_ATOMIC] = loop_atomic,
    };
    struct shared *shared = run->shared;
    struct state *state = run->state;
    size_t fields = (size_t)run->params[PARAM_FIELDS].number;
    state->torn += loops[run->params[PARAM_LOCK].number](shared, fields, units);
    hm_lane_add(run, shared->lanes, units);
    return units;
}

/* ---- After the run ---- */

static void measure(struct hm_run *run, double *values) {
    const struct shared *shared = run->shared;
    struct state *state = run->state;
    values[FIGURE_END_VALUE] = (double)hm_mark_advance(&state->value_mark, shared->record[0]);
    values[FIGURE_TORN] = (double)hm_mark_advance(&state->torn_mark, state->torn);
}

static const char *verify(struct hm_run *run) {
    const struct shared *shared = run->shared;
    const struct state *state = run->state;
    uint64_t expected = hm_lanes_done(run, shared->lanes);
    for (int64_t i = 0; i < run->params[PARAM_FIELDS].number; i++)
        if (shared->record[i] != expected)
            return shared->record[i] < expected
                       ? "updates of the shared record were lost"
                       : "the shared record has more updates than were made";
    if (state->torn && run->params[PARAM_LOCK].number != LOCK_ATOMIC)
        return "a thread met the shared record in the middle of an update, behind the lock";
    return NULL;
}

static void teardown(struct hm_run *run) {
    struct shared *shared = run->shared;
    if (run->thread == 0)
        hm_locks_close(&shared->locks);
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload counter = {
    HM_WORKLOAD_VARIANT,
    .name = "counter",
    .summary = "all threads update one shared record behind a lock; the end value is exact",
    .stresses = "what locks cost: alone, between two threads, and among many",
    .origin = "textbooks of operating systems: five threads update one record; ticket: "
              "Mellor-Crummey and Scott 1991",
    .op = "update of the record",
    .params = params,
    .figures = figures,
    .measure = measure,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, counter);

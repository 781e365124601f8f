/* Processes that update one value and one array in shared memory: the textbook's example of what
 * processes have to lock.
 *
 * Vocabulary
 *   round    what a process does under the lock: one is added to the value, and to each element.
 *   account  of a process: the rounds that it has done, written as the last thing of each round.
 *   quota    of a process: the rounds that it has to come to. What a dead one has not done of its own goes
 *            over to whoever finds that it died.
 *
 * A process that dies inside the lock (`kill`) leaves a round half done. The mutex is robust: the next one
 * that takes it is told. Between two rounds the value and each element are the sum of all accounts; so the
 * next one sets them to that, which undoes the half round, and does the dead one's remaining rounds. If nobody
 * takes the lock any more, the cell's process does so at the end of the turn.
 *
 * Invariant: after N processes have done M rounds each, dead ones and their heirs included, the value and
 * each element are N*M. With lock=atomic each number is exact by itself; there are no rounds that are whole.
 *
 * Sources: POSIX.1-2008, pthread_mutexattr_setrobust; the documentation of Python's multiprocessing has a
 * value and an array of this kind. */
#include "workloads/lanes.h"
#include "workloads/process/crew.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

enum {
    PARAM_PROCESSES,
    PARAM_ELEMENTS,
    PARAM_ROUNDS,
    PARAM_LOCK,
    PARAM_KILL,
};

enum lock {
    LOCK_MUTEX,
    LOCK_SEMAPHORE,
    LOCK_ATOMIC,
};

enum {
    ELEMENTS_MAX = 4096,
    VICTIM = 0,
};

enum {
    FIGURE_END_VALUE,
    FIGURE_REPAIRS,
};

static const struct hm_param params[] = {
    [PARAM_PROCESSES] = {.name = "processes",
                         .unit = "processes",
                         .help = "processes that update the numbers",
                         .kind = HM_PARAM_COUNT,
                         .initial = 2,
                         .min = 1,
                         .max = HM_CREW_MAX},
    [PARAM_ELEMENTS] = {.name = "elements",
                        .unit = "numbers",
                        .help = "length of the array beside the value",
                        .kind = HM_PARAM_COUNT,
                        .initial = 5,
                        .min = 0,
                        .max = ELEMENTS_MAX},
    [PARAM_ROUNDS] = {.name = "rounds",
                      .unit = "rounds",
                      .help = "rounds of each process in a unit",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1,
                      .min = 1,
                      .max = 1000000},
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help = "what keeps the updates apart; the mutex outlives whoever dies inside",
                    .kind = HM_PARAM_CHOICE,
                    .choices = "mutex|semaphore|atomic"},
    [PARAM_KILL] = {.name = "kill",
                    .unit = "rounds",
                    .help =
                        "the round in which the first process is killed inside the lock; 0: none",
                    .kind = HM_PARAM_COUNT,
                    .initial = 0,
                    .max = INT64_C(1) << 40},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_END_VALUE] = {.name = "end_value",
                          .unit = "updates",
                          .help =
                              "what the shared value came to; exact when it is the operations done",
                          .better = HM_FIGURE_NEITHER_IS_BETTER,
                          .over_threads = HM_FIGURE_MAX},
    [FIGURE_REPAIRS] = {.name = "repairs",
                        .unit = "repairs",
                        .help =
                            "locks taken over from a process that died inside, since the set-up",
                        .better = HM_FIGURE_NEITHER_IS_BETTER,
                        .over_threads = HM_FIGURE_SUM},
    {.name = NULL},
};

struct share {
    _Alignas(HM_SPIN_APART) uint64_t account;
    uint64_t quota; /* under the lock, or between turns */
};

/* The body of the segment. */
struct shared {
    uint64_t numbers[1 + ELEMENTS_MAX]; /* the value, then the array */
    _Alignas(HM_SPIN_APART) pthread_mutex_t mutex;
    sem_t semaphore;
    unsigned holder; /* who was the last inside; of the mutex only */
    uint64_t repairs;
    struct share shares[HM_CREW_MAX];
};

struct state {
    struct hm_crew crew;
    struct shared *shared;
    unsigned processes;
    size_t numbers;
    uint64_t asked; /* rounds of each process since setup() */
    uint64_t value_mark;
};

static const char *find_conflict(const struct hm_value *values) {
    if (values[PARAM_KILL].number && values[PARAM_LOCK].number != LOCK_MUTEX)
        return "kill needs lock=mutex: nothing else tells that its holder has died";
    if (values[PARAM_KILL].number && values[PARAM_PROCESSES].number < 2)
        return "kill needs processes=2 or more: somebody has to go on";
    return NULL;
}

static unsigned processes_of(const struct hm_value *values) {
    return (unsigned)values[PARAM_PROCESSES].number;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_PROCESSES].number * (uint64_t)values[PARAM_ROUNDS].number;
}

/* ---- The lock ---- */

static void open_locks(struct shared *shared) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &kind);
    pthread_mutexattr_destroy(&kind);
    sem_init(&shared->semaphore, 1, 1);
}

static uint64_t sum_of_accounts(const struct shared *shared, unsigned processes) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < processes; i++)
        sum += shared->shares[i].account;
    return sum;
}

/* The rest of a dead process's rounds becomes another one's. @return whose they are now */
static void inherit(struct shared *shared, unsigned dead, unsigned heir) {
    struct share *from = &shared->shares[dead];
    shared->shares[heir].quota += from->quota - from->account;
    from->quota = from->account;
}

/* Inside the lock that a dead process held. */
__attribute__((noinline, cold)) static void mend(struct shared *shared, unsigned processes,
                                                 size_t numbers, unsigned heir) {
    uint64_t sum = sum_of_accounts(shared, processes);
    for (size_t i = 0; i < numbers; i++)
        shared->numbers[i] = sum;
    inherit(shared, shared->holder, heir);
    shared->repairs++;
    pthread_mutex_consistent(&shared->mutex);
}

/* ---- A member ---- */

struct worker {
    struct shared *shared;
    struct share *share;
    unsigned processes;
    size_t numbers;
    uint64_t kill_at; /* 0: never */
};

/* Half of the numbers are one further than the rest when it dies. */
__attribute__((noinline, cold, noreturn)) static void die_inside(struct hm_member *member,
                                                                 const struct worker *w) {
    for (size_t i = 0; i < (w->numbers + 1) / 2; i++)
        w->shared->numbers[i]++;
    hm_crew_leave(member);
    for (;;)
        kill(getpid(), SIGKILL);
}

static inline void update(struct shared *shared, size_t numbers) {
    for (size_t i = 0; i < numbers; i++)
        shared->numbers[i]++;
}

static void work_mutex(struct hm_member *member, const struct worker *w) {
    struct shared *shared = w->shared;
    while (w->share->account < w->share->quota) {
        if (pthread_mutex_lock(&shared->mutex) == EOWNERDEAD)
            mend(shared, w->processes, w->numbers, member->index);
        shared->holder = member->index;
        if (w->share->account + 1 == w->kill_at)
            die_inside(member, w);
        update(shared, w->numbers);
        w->share->account++;
        pthread_mutex_unlock(&shared->mutex);
    }
}

static void work_semaphore(struct hm_member *member, const struct worker *w) {
    (void)member;
    struct shared *shared = w->shared;
    while (w->share->account < w->share->quota) {
        while (sem_wait(&shared->semaphore) && errno == EINTR)
            ;
        update(shared, w->numbers);
        w->share->account++;
        sem_post(&shared->semaphore);
    }
}

static void work_atomic(struct hm_member *member, const struct worker *w) {
    (void)member;
    for (; w->share->account < w->share->quota; w->share->account++)
        for (size_t i = 0; i < w->numbers; i++)
            __atomic_fetch_add(&w->shared->numbers[i], 1, __ATOMIC_RELAXED);
}

/* The quota was set before the turn began. */
static uint64_t work(struct hm_member *member, uint64_t units) {
    static void (*const loops[])(struct hm_member *, const struct worker *) = {
        [LOCK_MUTEX] = work_mutex, [LOCK_SEMAPHORE] = work_semaphore, [LOCK_ATOMIC] = work_atomic};
    const int64_t *values = member->head->params;
    struct shared *shared = member->body;
    const struct worker worker = {
        .shared = shared,
        .share = &shared->shares[member->index],
        .processes = (unsigned)values[PARAM_PROCESSES],
        .numbers = 1 + (size_t)values[PARAM_ELEMENTS],
        .kill_at = member->index == VICTIM ? (uint64_t)values[PARAM_KILL] : 0,
    };
    loops[values[PARAM_LOCK]](member, &worker);
    return units;
}

static const struct hm_crew_job job = {.name = "shm-counter", .work = work};
HM_REGISTER(hm_crew_job, job);

/* ---- The cell's process ---- */

static const struct hm_workload shm_counter;

static void give_back(struct state *state) {
    hm_crew_close(&state->crew);
    hm_scratch_free(state, sizeof *state);
}

static int setup(struct hm_run *run) {
    struct state *state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->processes = processes_of(run->params);
    state->numbers = 1 + (size_t)run->params[PARAM_ELEMENTS].number;
    int bad =
        hm_crew_open(&state->crew, run, &shm_counter, sizeof(struct shared), state->processes, 0);
    if (!bad) {
        state->shared = state->crew.body;
        open_locks(state->shared);
        bad = hm_crew_start(&state->crew, run, HM_CREW_EXEC);
    }
    if (bad) {
        give_back(state);
        return bad;
    }
    run->state = state;
    return 0;
}

/* What a dead process would have done in this turn is another one's from the start. */
static void set_quotas(struct state *state, uint64_t rounds) {
    struct shared *shared = state->shared;
    for (unsigned i = 0; i < state->processes; i++)
        shared->shares[i].quota += rounds;
    if (atomic_load(&state->crew.head->places[VICTIM].is_gone))
        inherit(shared, VICTIM, VICTIM + 1);
}

/* The others may all have been through when the last one died. */
static void finish_for_dead(struct state *state) {
    struct shared *shared = state->shared;
    struct share *share = &shared->shares[VICTIM];
    if (!atomic_load(&state->crew.head->places[VICTIM].is_gone) || share->account == share->quota)
        return;
    if (pthread_mutex_lock(&shared->mutex) == EOWNERDEAD)
        mend(shared, state->processes, state->numbers, VICTIM + 1);
    share = &shared->shares[VICTIM + 1];
    for (; share->account < share->quota; share->account++)
        update(shared, state->numbers);
    pthread_mutex_unlock(&shared->mutex);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct state *state = run->state;
    uint64_t rounds = units * (uint64_t)run->params[PARAM_ROUNDS].number;
    set_quotas(state, rounds);
    uint64_t done = hm_crew_turn(&state->crew, run, units);
    finish_for_dead(state);
    state->asked += rounds;
    run->checksum += rounds * state->processes;
    return done;
}

static void measure(struct hm_run *run, double *values) {
    struct state *state = run->state;
    const struct shared *shared = state->shared;
    values[FIGURE_END_VALUE] = (double)hm_mark_advance(&state->value_mark, shared->numbers[0]);
    values[FIGURE_REPAIRS] = (double)shared->repairs;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    const struct shared *shared = state->shared;
    uint64_t expected = state->asked * state->processes;
    if (sum_of_accounts(shared, state->processes) != expected)
        return "the processes did not do as many rounds as they were asked for";
    for (size_t i = 0; i < state->numbers; i++)
        if (shared->numbers[i] != expected)
            return shared->numbers[i] < expected
                       ? "updates of a shared number were lost"
                       : "a shared number has more updates than were made";
    return NULL;
}

static void teardown(struct hm_run *run) {
    struct state *state = run->state;
    sem_destroy(&state->shared->semaphore);
    give_back(state);
}

static const struct hm_workload shm_counter = {
    HM_WORKLOAD_VARIANT,
    .name = "shm-counter",
    .summary = "processes update a value and an array in shared memory; the end values are exact",
    .stresses =
        "what keeping processes apart costs, and that one which dies inside a lock stops nobody",
    .origin =
        "textbooks of operating systems; Python's multiprocessing: two processes, a value, five "
        "elements",
    .op = "update of the value and of each element",
    .params = params,
    .max_threads = 1,
    .figures = figures,
    .measure = measure,
    .conflict = find_conflict,
    .ops_per_unit = ops_per_unit,
    .processes = processes_of,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, shm_counter);

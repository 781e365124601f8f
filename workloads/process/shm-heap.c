/* Processes that allocate and free in one heap, in memory that they share.
 *
 * Each process allocates blocks and hands them over to the next one, which keeps them for a while and frees
 * them: no block is freed where it was allocated, unless there is one process only.
 *
 * Vocabulary
 *   lane    of a process: a ring through which blocks come from the one before it; one writes, one reads.
 *   held    blocks that a process keeps. One that comes replaces the oldest of them, which is freed.
 *   offset  a block's distance in bytes from the anchor, a block that the cell's process allocates first.
 *           0 is none. A pointer would do, as all processes have the heap at one address: they are forks of
 *           the cell's process, which has it open. But what lies in shared memory is not to depend on that.
 *   stamp   what fills a block, word by word: its bytes, a token, and then numbers that follow from these.
 *           Who gets a block and who frees it look at all of it.
 *
 * Invariants
 *   In a turn each process gets as many blocks as it hands over, so that all lanes are empty between two
 *   turns. It goes on reading its lane while it waits for room in the next one, and until the one before it
 *   is through: nobody waits for ever, also if memory runs out for one of them. */
#include "workloads/process/crew.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_PROCESSES,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_HELD,
};

enum {
    LANE_BLOCKS = 64,
    SIZES = 4096, /* in each process's script */
};

static const struct hm_param params[] = {
    [PARAM_PROCESSES] = {.name = "processes",
                         .unit = "processes",
                         .help = "processes that allocate, and free what another one allocated",
                         .kind = HM_PARAM_COUNT,
                         .initial = 2,
                         .min = 1,
                         .max = HM_CREW_MAX},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block; sizes are drawn evenly",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16,
                   .min = 16,
                   .max = 1 << 20},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 256,
                   .min = 16,
                   .max = 1 << 20},
    [PARAM_HELD] = {.name = "held",
                    .unit = "blocks",
                    .help = "blocks that each process keeps before it frees them",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1000,
                    .min = 1,
                    .max = 1 << 20},
    {.name = NULL},
};

enum {
    FIGURE_HEAP_BYTES,
};

static const struct hm_figure figures[] = {
    [FIGURE_HEAP_BYTES] = {.name = "shared_heap_bytes",
                           .unit = "bytes",
                           .help =
                               "what the heap that the processes share takes, as it says itself",
                           .better = HM_FIGURE_LOWER_IS_BETTER,
                           .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

/* Of a block, which may lie at any address: an allocator's alignment can be 1. */
typedef uint64_t word __attribute__((aligned(1), may_alias));

struct lane {
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t written;
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t read;
    int64_t blocks[LANE_BLOCKS];
};

/* Of a process; it alone writes here. */
struct part {
    _Alignas(HM_SPIN_APART)
        atomic_uint_fast64_t turns_through; /* in which it hands nothing over any more */
    uint64_t turns;
    uint64_t allocated;
    uint64_t kept;                  /* blocks, of which the last `held` are there */
    uint64_t tokens_out, tokens_in; /* added up */
    bool harmed;                    /* a block was not as it had been stamped */
};

/* The body of the segment; behind it are the held blocks' offsets, of one process after the other. */
struct shared {
    struct lane lanes[HM_CREW_MAX];
    struct part parts[HM_CREW_MAX];
    char *anchor; /* for the forks, which all have it there */
    int64_t held[];
};

struct state {
    struct hm_crew crew;
    struct shared *shared;
    unsigned processes;
    uint64_t held;
    uint64_t asked; /* blocks of each process */
    bool ran_out;
};

/* A member's own. */
struct worker {
    const struct hm_memory *memory;
    struct lane *in, *out;
    struct part *part, *before;
    char *anchor;
    int64_t *held;
    uint64_t held_max;
    struct hm_random tokens;
    uint32_t sizes[SIZES];
};

static const char *find_conflict(const struct hm_value *values) {
    return values[PARAM_MIN].number > values[PARAM_MAX].number ? "min must be at most max" : NULL;
}

static unsigned processes_of(const struct hm_value *values) {
    return (unsigned)values[PARAM_PROCESSES].number;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_PROCESSES].number;
}

/* ---- Stamps ---- */

static void stamp(word *block, uint64_t bytes, uint64_t token) {
    block[0] = bytes;
    block[1] = token;
    for (uint64_t i = 2; i < bytes / sizeof(word); i++)
        block[i] = token + i * bytes;
}

static bool is_stamped(const word *block) {
    uint64_t bytes = block[0];
    uint64_t token = block[1];
    uint64_t wrong = 0;
    if (bytes < 2 * sizeof(word) || bytes > 1 << 20)
        return false;
    for (uint64_t i = 2; i < bytes / sizeof(word); i++)
        wrong |= block[i] ^ (token + i * bytes);
    return !wrong;
}

/* ---- A member ---- */

static void drop(struct worker *w, int64_t offset) {
    word *block = (word *)(w->anchor + offset);
    w->part->harmed |= !is_stamped(block);
    hm_free(w->memory, block);
}

/* The oldest block goes; the new one takes its place. */
static void keep(struct worker *w, int64_t offset) {
    const word *block = (const word *)(w->anchor + offset);
    int64_t *place = &w->held[w->part->kept++ % w->held_max];
    w->part->harmed |= !is_stamped(block);
    w->part->tokens_in += block[1];
    if (*place)
        drop(w, *place);
    *place = offset;
}

/* @return whether there was a block in the lane */
static bool receive(struct worker *w) {
    struct lane *lane = w->in;
    uint64_t read = atomic_load_explicit(&lane->read, memory_order_relaxed);
    if (atomic_load_explicit(&lane->written, memory_order_acquire) == read)
        return false;
    int64_t offset = lane->blocks[read % LANE_BLOCKS];
    atomic_store_explicit(&lane->read, read + 1, memory_order_release);
    keep(w, offset);
    return true;
}

static void hand_over(struct worker *w, int64_t offset) {
    struct lane *lane = w->out;
    uint64_t written = atomic_load_explicit(&lane->written, memory_order_relaxed);
    unsigned spins = 0;
    while (written - atomic_load_explicit(&lane->read, memory_order_acquire) == LANE_BLOCKS)
        if (!receive(w))
            hm_spin_wait(&spins);
    lane->blocks[written % LANE_BLOCKS] = offset;
    atomic_store_explicit(&lane->written, written + 1, memory_order_release);
}

/* @return false: memory ran out */
static bool allocate(struct worker *w) {
    uint64_t bytes = w->sizes[w->part->allocated % SIZES];
    word *block = hm_malloc(w->memory, bytes);
    if (!block)
        return false;
    uint64_t token = hm_random_next(&w->tokens);
    stamp(block, bytes & ~(uint64_t)(sizeof(word) - 1), token);
    w->part->allocated++;
    w->part->tokens_out += token;
    hand_over(w, (char *)block - w->anchor);
    return true;
}

static uint64_t work(struct hm_member *member, uint64_t units) {
    struct worker *w = member->state;
    uint64_t done = 0;
    uint64_t turn = ++w->part->turns;
    unsigned spins = 0;
    for (; done < units && allocate(w); done++)
        receive(w);
    atomic_store(&w->part->turns_through, turn);
    while (atomic_load(&w->before->turns_through) < turn)
        if (!receive(w))
            hm_spin_wait(&spins);
    while (receive(w))
        ;
    return done;
}

static int prepare(struct hm_member *member) {
    const struct hm_crew_head *head = member->head;
    struct shared *shared = member->body;
    unsigned count = head->workers;
    struct worker *w = hm_scratch(sizeof *w);
    if (!w)
        return ENOMEM;
    w->memory = member->memory;
    w->in = &shared->lanes[member->index];
    w->out = &shared->lanes[(member->index + 1) % count];
    w->part = &shared->parts[member->index];
    w->before = &shared->parts[(member->index + count - 1) % count];
    w->anchor = shared->anchor;
    w->held_max = (uint64_t)head->params[PARAM_HELD];
    w->held = shared->held + member->index * w->held_max;
    w->tokens = hm_random_of(head->seed, member->index);
    struct hm_random random = hm_random_of(~head->seed, member->index);
    uint64_t min = (uint64_t)head->params[PARAM_MIN];
    uint64_t span = (uint64_t)head->params[PARAM_MAX] - min + 1;
    for (size_t i = 0; i < SIZES; i++)
        w->sizes[i] = (uint32_t)(min + hm_random_below(&random, span));
    member->state = w;
    return 0;
}

static const struct hm_crew_job job = {.name = "shm-heap", .prepare = prepare, .work = work};
HM_REGISTER(hm_crew_job, job);

/* ---- The cell's process ---- */

static const struct hm_workload shm_heap;

static void give_back(struct hm_run *run, struct state *state) {
    if (state->shared)
        hm_free(run->memory, state->shared->anchor);
    hm_crew_close(&state->crew);
    hm_scratch_free(state, sizeof *state);
}

static int start(struct hm_run *run, struct state *state) {
    size_t held = state->processes * (size_t)state->held * sizeof(int64_t);
    int bad = hm_crew_open(&state->crew, run, &shm_heap, sizeof(struct shared) + held,
                           state->processes, 0);
    if (bad)
        return bad;
    state->shared = state->crew.body;
    state->shared->anchor = hm_malloc(run->memory, 1);
    return state->shared->anchor ? hm_crew_start(&state->crew, run, HM_CREW_FORK) : ENOMEM;
}

static int setup(struct hm_run *run) {
    struct state *state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->processes = processes_of(run->params);
    state->held = (uint64_t)run->params[PARAM_HELD].number;
    int bad = start(run, state);
    if (bad) {
        give_back(run, state);
        return bad;
    }
    run->state = state;
    return 0;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct state *state = run->state;
    uint64_t done = hm_crew_turn(&state->crew, run, units);
    state->asked += units;
    state->ran_out |= done < units;
    run->checksum = 0;
    for (unsigned i = 0; i < state->processes; i++)
        run->checksum += hm_mix(state->shared->parts[i].tokens_out + i);
    return done;
}

static void measure(struct hm_run *run, double *values) {
    const struct hm_memory *m = run->memory;
    struct hm_heap_stats stats;
    if (!m->allocator->stats)
        return;
    m->allocator->stats(m->heap, &stats);
    if (stats.footprint_bytes != HM_UNKNOWN)
        values[FIGURE_HEAP_BYTES] = (double)stats.footprint_bytes;
}

/* @return blocks that the processes hold; UINT64_MAX: one of them was harmed */
static uint64_t count_held(const struct state *state) {
    const struct shared *shared = state->shared;
    uint64_t count = 0;
    for (uint64_t i = 0; i < state->processes * state->held; i++) {
        if (!shared->held[i])
            continue;
        if (!is_stamped((const word *)(shared->anchor + shared->held[i])))
            return UINT64_MAX;
        count++;
    }
    return count;
}

static bool has_blocks(const struct hm_memory *m, uint64_t live) {
    struct hm_heap_stats stats = {.live_blocks = HM_UNKNOWN};
    if (m->allocator->stats)
        m->allocator->stats(m->heap, &stats);
    return stats.live_blocks == HM_UNKNOWN || stats.live_blocks == live;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    const struct shared *shared = state->shared;
    uint64_t out = 0, in = 0, live = 1;
    for (unsigned i = 0; i < state->processes; i++) {
        const struct part *part = &shared->parts[i];
        if (part->harmed)
            return "a block did not have what another process had written into it";
        if (!state->ran_out && part->allocated != state->asked)
            return "a process did not hand over as many blocks as it was asked for";
        out += part->tokens_out;
        in += part->tokens_in;
        live += part->kept < state->held ? part->kept : state->held;
    }
    if (in != out)
        return "the blocks that were handed over are not those that came";
    if (count_held(state) != live - 1)
        return "blocks that the processes hold are lost or harmed";
    if (!has_blocks(run->memory, live))
        return "the heap has other blocks than those that the processes hold";
    return NULL;
}

static void teardown(struct hm_run *run) {
    struct state *state = run->state;
    for (uint64_t i = 0; i < state->processes * state->held; i++)
        if (state->shared->held[i])
            hm_free(run->memory, state->shared->anchor + state->shared->held[i]);
    give_back(run, state);
}

static const struct hm_workload shm_heap = {
    HM_WORKLOAD_VARIANT,
    .name = "shm-heap",
    .summary = "processes allocate in one heap in shared memory; each frees what another allocated",
    .stresses =
        "a heap's lock between processes, and blocks that are freed where they were not made",
    .origin = "of our own, after CPython's multiprocessing.heap: one arena, blocks handed over as "
              "offsets",
    .op = "malloc in one process, free in another",
    .params = params,
    .max_threads = 1,
    .figures = figures,
    .measure = measure,
    .conflict = find_conflict,
    .ops_per_unit = ops_per_unit,
    .processes = processes_of,
    .shared_heap = true,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, shm_heap);

/* A recorded program's heap calls, made again on any allocator.
 *
 * A unit is a whole replay: every call of the trace, by all workers together. Before it, untimed, the heap is
 * emptied of what the last replay left, and filled with what the recorded process had inherited. So
 * each replay makes exactly the recorded calls, and holds at most what the program held.
 *
 * With one thread all recorded threads are folded into it. With more, recorded thread i is the work of
 * worker i modulo their number; the words, and why nobody waits for ever, are in traces/replay.h. */
#include "workloads/replay.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <stdio.h>

enum {
    PARAM_FILE,
    PARAM_TOUCH,
};

enum {
    FIGURE_PEAK_LIVE,
};

enum {
    CHECKED_CALLS = 1000000, /* about; of a checked replay */
};

static const struct hm_param params[] = {
    [PARAM_FILE] = {.name = "file",
                    .unit = "",
                    .help = "what heapmark record wrote, or the name of an example: docs/replay.md",
                    .kind = HM_PARAM_TEXT},
    [PARAM_TOUCH] =
        {.name = "touch",
         .unit = "",
         .help =
             "bytes of each new block, and of what a realloc adds, that are written; pages: the "
             "first, and one of each 4 KiB",
         .kind = HM_PARAM_CHOICE,
         .initial = HM_REPLAY_TOUCH_PAGES,
         .choices = "none|first|pages|all"},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_PEAK_LIVE] = {.name = "peak_live_bytes",
                          .unit = "bytes",
                          .help = "most that is live at a time in a replay by one thread, as "
                                  "requested: what the recorded program held",
                          .better = HM_FIGURE_NEITHER_IS_BETTER,
                          .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

enum load {
    LOAD_NOT_BEGUN,
    LOAD_BEGUN,
    LOAD_DONE,
    LOAD_FAILED,
};

/* In run->shared. */
struct shared {
    atomic_int load; /* enum load; who comes first loads, and the others wait */
    atomic_uint users;
    atomic_bool stopped; /* memory ran out */
    int bad;             /* after LOAD_FAILED: an errno */
    char why[HM_TRACE_WHY_BYTES];
    struct hm_replay_plan *plan;
    struct hm_replay_common *common;
};

/* One mapping: this, the slots. */
struct replay {
    struct hm_replayer player;
    struct shared *shared;
    enum hm_replay_mode mode;
    bool is_filled; /* with what was inherited, and maybe more */
    unsigned part;  /* that comes next */
    size_t bytes;
    unsigned char *slots[];
};

static int facts_of(const struct hm_value *values, struct hm_replay_facts *facts,
                    char why[HM_TRACE_WHY_BYTES]) {
    return hm_replay_check(values[PARAM_FILE].text, facts, why);
}

static const char *conflict(const struct hm_value *values) {
    static char why[HM_TRACE_WHY_BYTES];
    struct hm_replay_facts facts;
    if (!values[PARAM_FILE].text[0])
        return "file= is missing: a trace of heapmark record (docs/replay.md)";
    return facts_of(values, &facts, why) ? why : NULL;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    char why[HM_TRACE_WHY_BYTES];
    struct hm_replay_facts facts;
    return facts_of(values, &facts, why) ? 1 : facts.calls;
}

static unsigned most_threads(const struct hm_value *values) {
    char why[HM_TRACE_WHY_BYTES];
    struct hm_replay_facts facts;
    if (facts_of(values, &facts, why))
        return 1;
    return facts.threads < HM_REPLAY_WORKERS ? (unsigned)facts.threads : HM_REPLAY_WORKERS;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    (void)threads;
    return sizeof(struct shared);
}

/* ---- What the threads share ---- */

static int say(struct shared *shared, int bad, const char *what) {
    snprintf(shared->why, sizeof shared->why, "%s", what);
    return bad;
}

static int load_common(struct shared *shared) {
    size_t bytes = shared->plan->common_count * sizeof *shared->common;
    shared->common = bytes ? hm_scratch(bytes) : NULL;
    return bytes && !shared->common ? say(shared, ENOMEM, "no memory for the plan") : 0;
}

static int load(const struct hm_run *run, struct shared *shared) {
    static const struct hm_replay_memory scratch = {hm_scratch, hm_scratch_free};
    const char *file = run->params[PARAM_FILE].text;
    struct hm_replay_facts facts;
    int bad = hm_replay_check(file, &facts, shared->why);
    if (!bad)
        bad = hm_replay_load(file, run->threads, &scratch, &shared->plan, shared->why);
    if (!bad && shared->plan->peak_bytes != facts.peak_bytes)
        bad = say(shared, EINVAL, "the peak of the replay is not that of the trace");
    return bad ? bad : load_common(shared);
}

static void leave_shared(struct shared *shared) {
    if (atomic_fetch_sub(&shared->users, 1) != 1)
        return;
    if (shared->plan) {
        hm_scratch_free(shared->common, shared->plan->common_count * sizeof *shared->common);
        hm_scratch_free(shared->plan, shared->plan->bytes);
    }
    shared->plan = NULL;
    shared->common = NULL;
    atomic_store(&shared->load, LOAD_NOT_BEGUN);
}

static int enter_shared(struct hm_run *run) {
    struct shared *shared = run->shared;
    int expected = LOAD_NOT_BEGUN;
    unsigned spins = 0;
    atomic_fetch_add(&shared->users, 1);
    if (atomic_compare_exchange_strong(&shared->load, &expected, LOAD_BEGUN)) {
        shared->bad = load(run, shared);
        atomic_store(&shared->load, shared->bad ? LOAD_FAILED : LOAD_DONE);
    }
    while (atomic_load(&shared->load) == LOAD_BEGUN)
        hm_spin_wait(&spins);
    if (!shared->bad)
        return 0;
    int bad = shared->bad;
    run->failed = shared->why;
    leave_shared(shared);
    return bad;
}

/* ---- Emptying and filling the heap ---- */

static void empty(const struct hm_memory *memory, struct replay *replay, unsigned worker) {
    const struct hm_replay_plan *plan = replay->player.plan;
    for (uint32_t i = 0; i < replay->player.stream->slot_count; i++) {
        if (replay->slots[i])
            hm_free(memory, replay->slots[i]);
        replay->slots[i] = NULL;
    }
    for (uint32_t i = 0; i < plan->common_count; i++) {
        struct hm_replay_common *common = &replay->player.common[i];
        if (plan->owners[i] != worker)
            continue;
        if (common->block)
            hm_free(memory, common->block);
        common->block = NULL;
    }
    replay->is_filled = false;
}

__attribute__((noinline)) static bool calls_none(struct hm_replayer *r, const struct hm_memory *m,
                                                 struct hm_replay_mark from,
                                                 struct hm_replay_mark to) {
    return hm_replay_calls(r, m, from, to, HM_REPLAY_TOUCH_NONE);
}

__attribute__((noinline)) static bool calls_first(struct hm_replayer *r, const struct hm_memory *m,
                                                  struct hm_replay_mark from,
                                                  struct hm_replay_mark to) {
    return hm_replay_calls(r, m, from, to, HM_REPLAY_TOUCH_FIRST);
}

__attribute__((noinline)) static bool calls_pages(struct hm_replayer *r, const struct hm_memory *m,
                                                  struct hm_replay_mark from,
                                                  struct hm_replay_mark to) {
    return hm_replay_calls(r, m, from, to, HM_REPLAY_TOUCH_PAGES);
}

__attribute__((noinline)) static bool calls_all(struct hm_replayer *r, const struct hm_memory *m,
                                                struct hm_replay_mark from,
                                                struct hm_replay_mark to) {
    return hm_replay_calls(r, m, from, to, HM_REPLAY_TOUCH_ALL);
}

__attribute__((noinline)) static bool calls_checked(struct hm_replayer *r,
                                                    const struct hm_memory *m,
                                                    struct hm_replay_mark from,
                                                    struct hm_replay_mark to) {
    return hm_replay_calls(r, m, from, to, HM_REPLAY_CHECKED);
}

/* Hot. @return false: memory ran out, and the other workers know; or what a checked replay found */
static bool make_calls(const struct hm_run *run, struct hm_replay_mark from,
                       struct hm_replay_mark to) {
    static bool (*const kernels[])(struct hm_replayer *, const struct hm_memory *,
                                   struct hm_replay_mark,
                                   struct hm_replay_mark) = {[HM_REPLAY_TOUCH_NONE] = calls_none,
                                                             [HM_REPLAY_TOUCH_FIRST] = calls_first,
                                                             [HM_REPLAY_TOUCH_PAGES] = calls_pages,
                                                             [HM_REPLAY_TOUCH_ALL] = calls_all,
                                                             [HM_REPLAY_CHECKED] = calls_checked};
    struct replay *replay = run->state;
    bool done = kernels[replay->mode](&replay->player, run->memory, from, to);
    if (!done)
        atomic_store(&replay->shared->stopped, true);
    return done;
}

static int prepare(struct hm_run *run) {
    struct replay *replay = run->state;
    empty(run->memory, replay, run->thread);
    if (atomic_load(&replay->shared->stopped))
        return ENOMEM;
    replay->is_filled = true;
    replay->part = 0;
    bool done = make_calls(run, (struct hm_replay_mark){0, 0}, replay->player.stream->marks[0]);
    replay->player.hash = 0;
    return done ? 0 : ENOMEM;
}

static void teardown(struct hm_run *run) {
    struct replay *replay = run->state;
    struct shared *shared = replay->shared;
    empty(run->memory, replay, run->thread);
    hm_scratch_free(replay, replay->bytes);
    run->state = NULL;
    leave_shared(shared);
}

/* ---- Set-up ---- */

static bool can_align(const struct hm_memory *memory, uint64_t alignment) {
    size_t always = memory->allocator->alignment ? memory->allocator->alignment : 16;
    return alignment <= always || !(memory->allocator->caps & HM_CAP_NO_ALIGNED);
}

static int set_up(struct hm_run *run, struct shared *shared) {
    const struct hm_replay_stream *stream = &shared->plan->streams[run->thread];
    size_t bytes = sizeof(struct replay) + stream->slot_count * sizeof(unsigned char *);
    struct replay *replay = NULL;
    if (!can_align(run->memory, shared->plan->longest_alignment))
        run->failed = "the allocator does not align blocks as the trace asks for";
    else
        replay = hm_scratch(bytes);
    if (!replay)
        return run->failed ? EINVAL : ENOMEM;
    replay->player = (struct hm_replayer){.plan = shared->plan,
                                          .stream = stream,
                                          .slots = replay->slots,
                                          .common = shared->common,
                                          .stopped = &shared->stopped};
    replay->shared = shared;
    replay->mode = (enum hm_replay_mode)run->params[PARAM_TOUCH].number;
    replay->bytes = bytes;
    run->state = replay;
    return 0;
}

static int setup(struct hm_run *run) {
    int bad = enter_shared(run);
    if (bad)
        return bad;
    bad = set_up(run, run->shared);
    if (bad)
        leave_shared(run->shared);
    return bad;
}

/* ---- The work ---- */

/* The parts from `first` up to `last`. */
static bool run_parts(struct hm_run *run, unsigned first, unsigned last) {
    struct replay *replay = run->state;
    const struct hm_replay_stream *stream = replay->player.stream;
    if (!make_calls(run, stream->marks[first], stream->marks[last]))
        return false;
    replay->part = last;
    if (last == replay->player.plan->parts) {
        run->checksum += hm_mix(replay->player.hash);
        if (replay->player.hash != stream->hash)
            run->failed = "the calls made are not those of the plan";
    }
    return !run->failed;
}

/* Always asked for one unit, as there is something to prepare. */
static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct replay *replay = run->state;
    return units && run_parts(run, 0, replay->player.plan->parts);
}

static bool run_part(struct hm_run *run, unsigned part, unsigned parts) {
    const struct replay *replay = run->state;
    unsigned all = replay->player.plan->parts;
    return run_parts(run, part * all / parts, (part + 1) * all / parts);
}

/* ---- After the run ---- */

static bool holds_marks(const unsigned char *block, uint64_t bytes, unsigned char mark,
                        enum hm_replay_mode mode) {
    if (mode == HM_REPLAY_TOUCH_ALL)
        return !hm_bytes_unlike(block, bytes, mark);
    uint64_t end = mode == HM_REPLAY_TOUCH_FIRST && bytes ? 1 : bytes;
    for (uint64_t at = 0; at < end; at += HM_REPLAY_PAGE)
        if (block[at] != mark)
            return false;
    return true;
}

/* Blocks that were never freed. */
static bool left_hold_marks(const struct replay *replay) {
    const struct hm_replayer *r = &replay->player;
    for (uint64_t i = 0; i < r->stream->left_count; i++) {
        const struct hm_replay_left *left = &r->stream->left[i];
        const unsigned char *block =
            left->is_common ? r->common[left->slot].block : r->slots[left->slot];
        if (!block || !holds_marks(block, left->bytes, hm_replay_mark_of(left->slot), replay->mode))
            return false;
    }
    return true;
}

/* As many parts as have CHECKED_CALLS, at least one. */
static unsigned checked_parts(const struct hm_replay_plan *plan) {
    uint64_t parts = plan->parts;
    if (plan->calls > CHECKED_CALLS)
        parts = parts * CHECKED_CALLS / plan->calls;
    return parts ? (unsigned)parts : 1;
}

static const char *replay_checked(struct hm_run *run, uint64_t *sizes) {
    struct replay *replay = run->state;
    enum hm_replay_mode mode = replay->mode;
    replay->mode = HM_REPLAY_CHECKED;
    replay->player.sizes = sizes;
    bool done = prepare(run) == 0 &&
                make_calls(run, replay->player.stream->marks[0],
                           replay->player.stream->marks[checked_parts(replay->player.plan)]);
    replay->mode = mode;
    replay->player.sizes = NULL;
    if (replay->player.broken)
        return replay->player.broken;
    return done && prepare(run) == 0 ? NULL : "memory ran out in the replay for verification";
}

/* The workers of several do not come here at the same time: none may wait for another. */
static const char *verify(struct hm_run *run) {
    struct replay *replay = run->state;
    bool is_whole = replay->is_filled && replay->part == replay->player.plan->parts;
    if (is_whole && replay->mode != HM_REPLAY_TOUCH_NONE && !left_hold_marks(replay))
        return "a live block does not hold what was written to it";
    if (run->threads > 1)
        return NULL;
    size_t bytes = (replay->player.stream->slot_count + 1) * sizeof(uint64_t);
    uint64_t *sizes = hm_scratch(bytes);
    const char *broken =
        sizes ? replay_checked(run, sizes) : "no memory for the replay for verification";
    hm_scratch_free(sizes, bytes);
    return broken;
}

static void measure(struct hm_run *run, double *values) {
    const struct replay *replay = run->state;
    if (run->threads == 1)
        values[FIGURE_PEAK_LIVE] = (double)replay->player.plan->peak_bytes;
}

/* The first thread answers for all of them. */
static uint64_t live_bytes(const struct hm_run *run) {
    const struct replay *replay = run->state;
    if (run->thread || !replay->is_filled)
        return 0;
    return replay->player.plan->live_bytes[replay->part];
}

static const struct hm_workload trace = {
    HM_WORKLOAD_VARIANT,
    .name = "trace",
    .summary = "the heap calls of a recorded program, in their order",
    .stresses = "what that program asks of a heap: its sizes, lifetimes and threads",
    .origin = "programs recorded by heapmark record; replay of traces as in Johnstone and Wilson, "
              "ISMM 1998",
    .op = "recorded call",
    .params = params,
    .figures = figures,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .is_unit_of_all = true,
    .most_threads = most_threads,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .prepare = prepare,
    .run = run_units,
    .run_part = run_part,
    .measure = measure,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, trace);

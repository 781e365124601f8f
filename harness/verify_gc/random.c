/* Random scripts: each is played on a collector of its own; one that fails is made short. */
#include "harness/verify_gc/script.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_NS = 100 * 1000,
};

static struct hm_world world;

/* ---- Playing ---- */

static void play(struct hm_check *c, const struct hm_gc_op *ops, size_t count, FILE *out) {
    hm_world_open(&world, c);
    hm_gc_script_play(&world, ops, count, out);
    hm_world_close(&world);
}

static void run_random(struct hm_check *c) {
    static struct hm_gc_op ops[HM_GC_OPS_MAX];
    uint64_t played = 0;
    for (uint64_t number = 0; played < c->effort; number++) {
        c->board->program = number;
        hm_check_at(c, "script %" PRIu64 " of seed %" PRIu64, number, c->seed);
        size_t count = hm_gc_script_make(c->seed, number, ops);
        if (number >= c->first)
            play(c, ops, count, NULL);
        played += count;
    }
}

/* ---- Deterministic ---- */

static void run_deterministic(struct hm_check *c) {
    static struct hm_gc_op ops[HM_GC_OPS_MAX];
    uint64_t scripts = hm_check_effort(c, 10000, 10, 1000);
    for (uint64_t number = c->first; number < scripts; number++) {
        uint64_t log = 0;
        c->board->program = number;
        size_t count = hm_gc_script_make(c->seed, number, ops);
        for (int run = 0; run < 2; run++) {
            hm_check_at(c, "script %" PRIu64 " of seed %" PRIu64, number, c->seed);
            play(c, ops, count, NULL);
            if (run && world.log != log)
                hm_check_fail(c, "what is found, freed, finalized and called back differs when it "
                                 "is played again");
            log = world.log;
        }
    }
}

static const struct hm_gc_property deterministic = {
    .name = "deterministic",
    .summary =
        "the same script has the same results, frees, finalizers and callbacks, in their order",
    .point = 600,
    .run = run_deterministic};
HM_REGISTER(hm_gc_property, deterministic);

/* ---- Making a script short: delta debugging, each trial in a forked process ---- */

struct shrink {
    struct hm_check *check;
    struct hm_gc_op ops[HM_GC_OPS_MAX], trial[HM_GC_OPS_MAX];
    size_t count;
    double deadline;
};

static const double shrink_s = 8;
static const double trial_s = 1;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The board's verdict is the trial's: the parent of this process reads nothing but the script. */
static bool fails(struct shrink *s, const struct hm_gc_op *ops, size_t count, FILE *out) {
    const struct timespec step = {.tv_nsec = POLL_NS};
    struct hm_check_board *board = s->check->board;
    double deadline = now_s() + trial_s;
    int status = 0;
    board->ended = 0;
    board->verdict = HM_CONFORM_NONE;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        play(s->check, ops, count, out);
        board->verdict = HM_CONFORM_PASSED;
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0 && now_s() < deadline)
        nanosleep(&step, NULL);
    if (now_s() >= deadline) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    hm_check_progress(s->check, 1);
    return board->verdict != HM_CONFORM_PASSED;
}

/* Try without the chunk that begins at `from`. */
static bool leave_out(struct shrink *s, size_t from, size_t chunk) {
    size_t end = from + chunk < s->count ? from + chunk : s->count;
    size_t count = s->count - (end - from);
    memcpy(s->trial, s->ops, from * sizeof *s->ops);
    memcpy(s->trial + from, s->ops + end, (s->count - end) * sizeof *s->ops);
    if (!fails(s, s->trial, count, NULL))
        return false;
    memcpy(s->ops, s->trial, count * sizeof *s->ops);
    s->count = count;
    return true;
}

static void make_short(struct shrink *s) {
    for (size_t chunk = (s->count + 1) / 2; chunk > 0 && now_s() < s->deadline;) {
        bool any = false;
        for (size_t from = s->count; from > 0 && now_s() < s->deadline;) {
            from = from > chunk ? from - chunk : 0;
            any |= leave_out(s, from, chunk);
        }
        if (chunk > 1)
            chunk /= 2;
        else if (!any)
            break;
    }
}

/* New objects without their finalizers, as many as can be. */
static void make_simple(struct shrink *s) {
    for (size_t i = 0; i < s->count && now_s() < s->deadline; i++) {
        uint8_t act = s->ops[i].act;
        s->ops[i].act = HM_GC_NO_FINALIZER;
        if (act && !fails(s, s->ops, s->count, NULL))
            s->ops[i].act = act;
    }
}

static void tell(struct shrink *s) {
    struct hm_check_board *board = s->check->board;
    char *text =
        mmap(NULL, sizeof board->script, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *out = text == MAP_FAILED ? NULL : fmemopen(text, sizeof board->script, "w");
    board->line[0] = '\0';
    if (!out || !fails(s, s->ops, s->count, out))
        return;
    memcpy(board->script, text, sizeof board->script);
    board->script[sizeof board->script - 1] = '\0';
    for (const char *c = board->script; *c; c++)
        board->script_ops += *c == '\n';
}

static void shrink_random(struct hm_check *c) {
    static struct shrink s;
    s.check = c;
    s.deadline = now_s() + shrink_s;
    uint64_t played = 0;
    for (uint64_t number = 0; played < c->effort; number++) {
        s.count = hm_gc_script_make(c->seed, number, s.ops);
        played += s.count;
        hm_check_at(c, "script %" PRIu64 " of seed %" PRIu64, number, c->seed);
        if (number >= c->first && fails(&s, s.ops, s.count, NULL))
            break;
    }
    make_short(&s);
    make_simple(&s);
    make_short(&s);
    tell(&s);
}

static const struct hm_gc_property random_scripts = {
    .name = "random",
    .summary = "random scripts of all operations, checked after each one",
    .point = 900,
    .run = run_random,
    .shrink = shrink_random};
HM_REGISTER(hm_gc_property, random_scripts);

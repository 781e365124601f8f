/* Runs one property of one collector in a process of its own.
 *
 * The process is forked and goes on in the same program: a collector has no entry points that would
 * have to be under it, and a plug-in is loaded there only. */
#include "harness/verify_gc/judge.h"

#include "harness/sim/mutators.h"
#include "harness/verify/known.h"
#include "harness/verify_gc/crash.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    OUTPUT_MAX = 1 << 20, /* bytes of what a process may print */
    POLL_NS = 500 * 1000,
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((noreturn)) static void refuse(struct hm_check_board *board,
                                             const struct hm_error *error) {
    snprintf(board->line, sizeof board->line, "%s", error->line);
    board->is_bad_input = 1;
    _exit(0);
}

static void settle_in(int output) {
    const struct rlimit none = {0, 0}, some = {OUTPUT_MAX, OUTPUT_MAX};
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &some);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
}

/* In the forked child. */
__attribute__((noreturn)) static void become_check(const struct hm_gc_judge *judge,
                                                   const char *collector,
                                                   const struct hm_gc_property *property,
                                                   bool shrink, uint64_t first,
                                                   struct hm_check_board *board) {
    static struct hm_collector_spec spec;
    struct hm_error error = {""};
    if (hm_allocator_is_path(collector) && hm_collector_plugin_load(collector, &error))
        refuse(board, &error);
    if (hm_collector_spec_parse(collector, &spec, &error))
        refuse(board, &error);
    struct hm_check c = {.property = property,
                         .spec = &spec,
                         .collector = spec.part,
                         .ops = hm_sim_mutator_find(spec.part),
                         .board = board,
                         .effort = judge->effort,
                         .seed = judge->seed,
                         .first = first};
    board->program = HM_NO_PROGRAM;
    if (property && spec.part->deviations && !hm_allocator_is_path(collector))
        spec.part->version(board->version);
    hm_crash_watch(board);
    if (!property)
        _exit(0);
    if (!c.ops)
        hm_check_fail(&c, "it can not be played on");
    if (shrink)
        property->shrink(&c);
    else
        property->run(&c);
    board->verdict = HM_CONFORM_PASSED;
    __atomic_store_n(&board->ended, 1, __ATOMIC_RELEASE);
    _exit(0);
}

struct process {
    pid_t pid;
    struct hm_check_board *board;
    int output; /* a file that has what it printed */
    int status;
    bool timed_out;
};

static bool has_ended(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Until the process has ended, or made no progress for too long; then the whole group goes. */
static void wait_for(const struct hm_gc_judge *judge, struct process *p) {
    const struct timespec step = {.tv_nsec = POLL_NS};
    uint64_t seen = 0;
    double deadline = now_s() + judge->timeout_s;
    while (!has_ended(p->pid)) {
        uint64_t ops = __atomic_load_n(&p->board->ops, __ATOMIC_RELAXED);
        if (ops != seen)
            deadline = now_s() + judge->timeout_s;
        seen = ops;
        p->timed_out = now_s() >= deadline;
        if (p->timed_out)
            break;
        nanosleep(&step, NULL);
    }
    kill(-p->pid, SIGKILL);
    waitpid(p->pid, &p->status, 0);
}

static int start(const struct hm_gc_judge *judge, const char *collector,
                 const struct hm_gc_property *property, bool shrink, uint64_t first,
                 struct process *p) {
    *p = (struct process){.output = memfd_create("heapmark-verify", MFD_CLOEXEC)};
    if (p->output < 0)
        return errno;
    p->board =
        mmap(NULL, sizeof *p->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    p->pid = p->board == MAP_FAILED ? -1 : fork();
    if (p->pid == 0) {
        settle_in(p->output);
        become_check(judge, collector, property, shrink, first, p->board);
    }
    if (p->pid > 0) {
        setpgid(p->pid, p->pid); /* either side may be first */
        return 0;
    }
    int bad = errno;
    if (p->board != MAP_FAILED)
        munmap(p->board, sizeof *p->board);
    close(p->output);
    return bad;
}

static int run_process(const struct hm_gc_judge *judge, const char *collector,
                       const struct hm_gc_property *property, bool shrink, uint64_t first,
                       struct process *p, struct hm_error *error) {
    int bad = start(judge, collector, property, shrink, first, p);
    if (bad)
        return hm_fail(error, bad, "can not start a process: %s", strerror(bad));
    wait_for(judge, p);
    struct hm_check_board *b = p->board; /* the process could write all of it */
    b->crash[sizeof b->crash - 1] = b->version[sizeof b->version - 1] = '\0';
    b->at[sizeof b->at - 1] = b->line[sizeof b->line - 1] = b->script[sizeof b->script - 1] = '\0';
    return 0;
}

static void forget(struct process *p) {
    munmap(p->board, sizeof *p->board);
    close(p->output);
}

/* The last line that the process printed. */
static void read_last_line(const struct process *p, char *out, size_t size) {
    char bytes[256];
    off_t end = lseek(p->output, 0, SEEK_END);
    off_t from = end > (off_t)sizeof bytes - 1 ? end - (off_t)sizeof bytes + 1 : 0;
    ssize_t got = pread(p->output, bytes, sizeof bytes - 1, from);
    bytes[got > 0 ? got : 0] = '\0';
    for (size_t length = strlen(bytes); length && bytes[length - 1] == '\n';)
        bytes[--length] = '\0';
    const char *last = strrchr(bytes, '\n');
    snprintf(out, size, "%s", last ? last + 1 : bytes);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

/* How it ended goes before what it said of itself. */
static void judge_end(const struct hm_gc_judge *judge, const struct process *p,
                      struct hm_gc_finding *out) {
    char last[200], place[420];
    const struct hm_check_board *b = p->board;
    bool ended = __atomic_load_n(&b->ended, __ATOMIC_ACQUIRE) != 0;
    int exit_status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 0;
    read_last_line(p, last, sizeof last);
    snprintf(place, sizeof place, "%s%s%s%s%s", b->at[0] ? ": " : "", b->at, last[0] ? " (" : "",
             last, last[0] ? ")" : "");
    out->verdict = HM_CONFORM_FAILED;
    if (ended && b->verdict == HM_CONFORM_FAILED)
        snprintf(out->line, sizeof out->line, "%s", b->line);
    else if (p->timed_out)
        snprintf(out->line, sizeof out->line, "no progress for %g s%s", judge->timeout_s, place);
    else if (WIFSIGNALED(p->status))
        snprintf(out->line, sizeof out->line, "killed by SIG%s%s%s",
                 sigabbrev_np(WTERMSIG(p->status)), b->crash, place);
    else if (exit_status)
        snprintf(out->line, sizeof out->line, "exit status %d%s", exit_status, place);
    else if (!ended)
        snprintf(out->line, sizeof out->line, "it ended early, with exit status 0%s", place);
    else {
        out->verdict = (enum hm_conform)b->verdict;
        snprintf(out->line, sizeof out->line, "%s", b->line);
    }
}

/* Let a process look for a shorter script that fails; it finds the failing one again. */
static int shrink(const struct hm_gc_judge *judge, const char *collector,
                  const struct hm_gc_property *property, uint64_t first, struct hm_gc_finding *f,
                  struct hm_error *error) {
    struct process p;
    int bad = run_process(judge, collector, property, true, first, &p, error);
    if (bad)
        return bad;
    f->script_ops = p.board->script_ops;
    if (f->script_ops && p.board->line[0]) /* what the short script fails with */
        snprintf(f->line, sizeof f->line, "%s", p.board->line);
    else if (f->script_ops)
        strncat(f->line, "; the script below ends its process",
                sizeof f->line - strlen(f->line) - 1);
    snprintf(f->script, sizeof f->script, "%s", p.board->script);
    forget(&p);
    return 0;
}

/* What the collector's library is known for, in the registry of this process: a plug-in's is not there. */
static const struct hm_deviation *known_of(const char *collector) {
    struct hm_collector_spec spec;
    struct hm_error error;
    bool theirs =
        !hm_allocator_is_path(collector) && hm_collector_spec_parse(collector, &spec, &error) == 0;
    return theirs ? spec.part->deviations : NULL;
}

/* @return whether it is excused */
static bool excuse(const char *collector, const struct hm_gc_property *property,
                   const struct process *p, struct hm_gc_finding *out) {
    const struct hm_deviation *known = property ? known_of(collector) : NULL;
    int entry =
        hm_deviation_find(known, property ? property->name : "", out->line, p->board->version);
    if (!known || entry < 0)
        return false;
    out->verdict = HM_CONFORM_DEVIATES;
    snprintf(out->line, sizeof out->line, "%s (version %s; %s)", known[entry].what,
             p->board->version, known[entry].source);
    return true;
}

/* One process. @param again where another one goes on, behind what is excused; HM_NO_PROGRAM: nowhere */
static int judge_once(const struct hm_gc_judge *judge, const char *collector,
                      const struct hm_gc_property *property, uint64_t first, uint64_t *again,
                      struct hm_gc_finding *out, struct hm_error *error) {
    struct process p;
    *again = HM_NO_PROGRAM;
    int bad = run_process(judge, collector, property, false, first, &p, error);
    if (bad)
        return bad;
    if (p.board->is_bad_input)
        bad = hm_fail(error, EINVAL, "%s", p.board->line);
    else if (property || p.timed_out || !WIFEXITED(p.status) || WEXITSTATUS(p.status))
        judge_end(judge, &p, out);
    if (!bad && out->verdict == HM_CONFORM_FAILED && excuse(collector, property, &p, out) &&
        p.board->program != HM_NO_PROGRAM)
        *again = p.board->program + 1;
    forget(&p);
    return bad;
}

/* Scripts behind one that is excused are played, too: the verdict is the worst of them. */
int hm_gc_judge(const struct hm_gc_judge *judge, const char *collector,
                const struct hm_gc_property *property, struct hm_gc_finding *out,
                struct hm_error *error) {
    struct hm_gc_finding excused = {.verdict = HM_CONFORM_PASSED};
    uint64_t first, again = 0;
    int bad;
    do {
        first = again;
        *out = (struct hm_gc_finding){.verdict = HM_CONFORM_PASSED};
        bad = judge_once(judge, collector, property, first, &again, out, error);
        if (out->verdict == HM_CONFORM_DEVIATES)
            excused = *out;
    } while (!bad && again != HM_NO_PROGRAM);
    if (out->verdict == HM_CONFORM_PASSED && excused.verdict == HM_CONFORM_DEVIATES)
        *out = excused;
    if (!bad && out->verdict == HM_CONFORM_FAILED && property && property->shrink)
        bad = shrink(judge, collector, property, first, out, error);
    return bad;
}

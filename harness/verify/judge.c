/* Runs one property of one allocator in a process of its own. */
#include "harness/verify/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORDS_MAX = 12,
    OPS_OF_ONE_PROCESS = 10000, /* of a property that is repeated in fresh processes */
    LEAST_PROCESSES = 8,
    MOST_PROCESSES = 1000,
};

struct words {
    char *argv[WORDS_MAX];
    unsigned count;
    char store[2 * HM_SPEC_BYTES + 2 * PATH_MAX];
    size_t used;
};

struct process {
    pid_t pid;
    struct hm_board *board;
    int output; /* its stdout and stderr; -1 when closed */
    char last[200];
    size_t last_used;
    bool line_ended; /* the next byte begins a new last line */
    bool timed_out;
    int status;
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((format(printf, 2, 3))) static void add_word(struct words *w, const char *format,
                                                           ...) {
    va_list args;
    char *at = w->store + w->used;
    va_start(args, format);
    int length = vsnprintf(at, sizeof w->store - w->used, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof w->store - w->used || w->count + 1 >= WORDS_MAX)
        return;
    w->argv[w->count++] = at;
    w->used += (size_t)length + 1;
}

static void build_argv(const struct hm_verifying *j, const struct hm_property *property,
                       uint64_t seed, const uint64_t *failed_at, struct words *w) {
    add_word(w, "heapmark");
    add_word(w, "verify-child");
    if (j->arm->plugin) /* before the allocator's spec, which names it */
        add_word(w, "--plugin=%s", j->arm->library);
    add_word(w, "--allocator=%s", j->arm->spec.text);
    add_word(w, "--library=%s", j->arm->plugin ? "" : j->arm->library);
    add_word(w, "--property=%s", property->name);
    add_word(w, "--ops=%" PRIu64, j->ops);
    add_word(w, "--seed=%" PRIu64, seed);
    add_word(w, "--timeout=%g", j->timeout_s);
    if (j->unaligned)
        add_word(w, "--unaligned");
    if (failed_at)
        add_word(w, "--shrink=%" PRIu64, *failed_at);
    w->argv[w->count] = NULL;
}

/* Nothing is inherited. */
static void build_env(const struct hm_verifying *j, struct words *w) {
    add_word(w, "LC_ALL=C");
    add_word(w, "PATH=/usr/bin:/bin");
    if (j->arm->library[0] && !j->arm->plugin)
        add_word(w, "LD_PRELOAD=%s", j->arm->library);
    w->argv[w->count] = NULL;
}

/* In the forked child: never returns. */
__attribute__((noreturn)) static void become_child(const struct hm_verifying *j, int board,
                                                   int output, const struct words *argv,
                                                   const struct words *env) {
    const struct rlimit none = {0, 0};
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    dup2(board, HM_BOARD_FD);
    fcntl(HM_BOARD_FD, F_SETFD, 0); /* the two may be the same already */
    close_range(HM_BOARD_FD + 1, ~0u, 0);
    signal(SIGPIPE, SIG_DFL);
    execve(j->program, argv->argv, env->argv);
    dprintf(STDERR_FILENO, "can not run %s: %s\n", j->program, strerror(errno));
    _exit(127);
}

/* A page that outlives the process. @return its descriptor, or -1 */
static int make_board(struct hm_board **board) {
    int fd = memfd_create("heapmark-verify", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    *board = MAP_FAILED;
    if (ftruncate(fd, sizeof **board) == 0)
        *board = mmap(NULL, sizeof **board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*board != MAP_FAILED)
        return fd;
    close(fd);
    return -1;
}

static int start(const struct hm_verifying *j, const struct words *argv, struct process *p) {
    int output[2];
    struct words env = {.count = 0};
    build_env(j, &env);
    int board = make_board(&p->board);
    if (board < 0)
        return errno;
    int bad = pipe2(output, O_CLOEXEC) ? errno : 0;
    if (!bad) {
        p->pid = fork();
        if (p->pid == 0)
            become_child(j, board, output[1], argv, &env);
        bad = p->pid < 0 ? errno : 0;
        close(output[1]);
        p->output = output[0];
    }
    close(board);
    if (bad)
        munmap(p->board, sizeof *p->board);
    else
        setpgid(p->pid, p->pid); /* either side may be first */
    return bad;
}

static void take_output(struct process *p) {
    char bytes[4096];
    ssize_t got = read(p->output, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') {
            p->line_ended = true;
            continue;
        }
        if (p->line_ended)
            p->last_used = 0;
        p->line_ended = false;
        if (p->last_used < sizeof p->last - 1)
            p->last[p->last_used++] = (char)((unsigned char)bytes[i] < ' ' ? ' ' : bytes[i]);
        p->last[p->last_used] = '\0';
    }
    if (got <= 0) {
        close(p->output);
        p->output = -1;
    }
}

/* Has it ended? It stays to be reaped, so that its group's number is not given away. */
static bool has_ended(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Until the process has ended, or made no progress for too long; then the whole group goes. */
static void wait_for(const struct hm_verifying *j, struct process *p) {
    uint64_t seen = 0;
    double deadline = now_s() + j->timeout_s;
    while (!has_ended(p->pid)) {
        struct pollfd fd = {p->output, POLLIN, 0};
        uint64_t ops = __atomic_load_n(&p->board->ops, __ATOMIC_RELAXED);
        if (ops != seen)
            deadline = now_s() + j->timeout_s;
        seen = ops;
        if (now_s() >= deadline) {
            p->timed_out = true;
            break;
        }
        if (poll(&fd, 1, p->output < 0 ? 1 : 20) > 0)
            take_output(p);
    }
    kill(-p->pid, SIGKILL);
    waitpid(p->pid, &p->status, 0);
    for (struct pollfd fd = {p->output, POLLIN, 0}; p->output >= 0 && poll(&fd, 1, 0) > 0;)
        take_output(p);
    if (p->output >= 0)
        close(p->output);
}

static int run_process(const struct hm_verifying *j, const struct hm_property *property,
                       uint64_t seed, const uint64_t *failed_at, struct process *p,
                       struct hm_error *error) {
    struct words argv = {.count = 0};
    *p = (struct process){.output = -1};
    build_argv(j, property, seed, failed_at, &argv);
    int bad = start(j, &argv, p);
    if (bad)
        return hm_fail(error, bad, "can not start a process: %s", strerror(bad));
    wait_for(j, p);
    p->board->at[sizeof p->board->at - 1] = '\0'; /* the process could write all of it */
    p->board->version[sizeof p->board->version - 1] = '\0';
    p->board->line[sizeof p->board->line - 1] = '\0';
    p->board->script[sizeof p->board->script - 1] = '\0';
    return 0;
}

static void forget(struct process *p) {
    munmap(p->board, sizeof *p->board);
}

/* Where a process was that did not come to its end. */
static void tell_place(const struct hm_verifying *j, const struct hm_finding *f,
                       const struct process *p, char *out, size_t size) {
    char at[200] = "";
    if (f->property->shrink && !p->board->at[0])
        snprintf(at, sizeof at, " at operation %" PRIu64 " of seed %" PRIu64, p->board->ops,
                 j->seed);
    else if (p->board->at[0])
        snprintf(at, sizeof at, ": %s", p->board->at);
    snprintf(out, size, "%s%s%s%s", at, p->last[0] ? " (" : "", p->last, p->last[0] ? ")" : "");
}

/* How it ended goes before what it said of itself. */
static void judge_end(const struct hm_verifying *j, const struct process *p,
                      struct hm_finding *out) {
    char place[450];
    const struct hm_board *board = p->board;
    bool ended = __atomic_load_n(&board->ended, __ATOMIC_ACQUIRE) != 0;
    int exit_status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 0;
    tell_place(j, out, p, place, sizeof place);
    out->verdict = out->property->informative ? HM_CONFORM_COULD_NOT_RUN : HM_CONFORM_FAILED;
    if (ended && board->verdict == HM_CONFORM_FAILED)
        snprintf(out->line, sizeof out->line, "%s", board->line);
    else if (p->timed_out)
        snprintf(out->line, sizeof out->line, "no progress for %g s%s", j->timeout_s, place);
    else if (WIFSIGNALED(p->status))
        snprintf(out->line, sizeof out->line, "killed by SIG%s%s",
                 sigabbrev_np(WTERMSIG(p->status)), place);
    else if (exit_status)
        snprintf(out->line, sizeof out->line, "exit status %d%s", exit_status, place);
    else if (!ended)
        snprintf(out->line, sizeof out->line, "it ended early, with exit status 0%s", place);
    else {
        out->verdict = (enum hm_conform)board->verdict;
        snprintf(out->line, sizeof out->line, "%s", board->line);
    }
    out->deviated |= __atomic_load_n(&board->deviated, __ATOMIC_ACQUIRE);
    if (board->version[0])
        snprintf(out->version, sizeof out->version, "%s", board->version);
    out->ops = board->ops;
    out->refused = board->refused;
    out->seconds = board->seconds;
}

/* Let a process look for a shorter script that fails. */
static int shrink(const struct hm_verifying *j, struct hm_finding *f, struct hm_error *error) {
    struct process p;
    int bad = run_process(j, f->property, j->seed, &f->ops, &p, error);
    if (bad)
        return bad;
    f->script_ops = p.board->script_ops;
    snprintf(f->script, sizeof f->script, "%s", p.board->script);
    forget(&p);
    return 0;
}

static uint64_t process_count(const struct hm_verifying *j, const struct hm_property *property) {
    uint64_t count = j->ops / OPS_OF_ONE_PROCESS;
    if (!property->fresh)
        return 1;
    return count < LEAST_PROCESSES  ? LEAST_PROCESSES
           : count > MOST_PROCESSES ? MOST_PROCESSES
                                    : count;
}

int hm_verify_property(const struct hm_verifying *j, const struct hm_property *property,
                       struct hm_finding *out, struct hm_error *error) {
    uint64_t count = process_count(j, property);
    const struct hm_allocator_spec *spec = &j->arm->spec;
    *out = (struct hm_finding){.property = property,
                               .verdict = HM_CONFORM_PASSED,
                               .deviations = spec->parts[spec->count - 1]->deviations};
    for (uint64_t i = 0; i < count && out->verdict <= HM_CONFORM_DEVIATES; i++) {
        struct process p;
        int bad = run_process(j, property, j->seed + i, NULL, &p, error);
        if (bad)
            return bad;
        judge_end(j, &p, out);
        forget(&p);
    }
    if (out->verdict == HM_CONFORM_PASSED && out->deviated) /* in a process before the last one */
        out->verdict = HM_CONFORM_DEVIATES;
    if (out->verdict == HM_CONFORM_FAILED && property->shrink)
        return shrink(j, out, error);
    return 0;
}

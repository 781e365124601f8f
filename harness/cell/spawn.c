/* Runs one measured process. */
#include "harness/cell/spawn.h"

#include "harness/cell/outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ENV_PAD_MAX = 4096, /* the environment's size moves the stack: a fresh one each time */
    WORDS_MAX = 48,
    VALGRIND_TIMES = 10, /* a process under valgrind may take so much longer */
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The command line of the child, as texts in one store. */
struct words {
    char *argv[WORDS_MAX];
    unsigned count;
    char store[16 * HM_SPEC_BYTES + 7 * PATH_MAX];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void add_word(struct words *w, const char *format,
                                                           ...) {
    va_list args;
    va_start(args, format);
    char *at = w->store + w->used;
    int length = vsnprintf(at, sizeof w->store - w->used, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof w->store - w->used || w->count + 1 >= WORDS_MAX)
        return;
    w->argv[w->count++] = at;
    w->used += (size_t)length + 1;
}

static void add_cpus(struct words *w, const char *option, const int *cpus, unsigned count) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    for (unsigned i = 0; out && i < count; i++)
        fprintf(out, "%s%d", i ? "," : "", cpus[i]);
    if (out && fclose(out) == 0 && count)
        add_word(w, "--%s=%s", option, text);
    free(text);
}

/* Counts are exact where nothing differs: the simulated caches, whose misses nobody asks for, are not
 * those of this machine. Counting begins when the process says so. */
static void add_callgrind(const struct hm_spawn *s, struct words *w) {
    char out[2 * PATH_MAX];
    size_t used = 0;
    for (const char *c = s->profile; *c && used + 2 < sizeof out; c++) {
        out[used++] = *c;
        if (*c == '%') /* begins a directive there */
            out[used++] = '%';
    }
    out[used] = '\0';
    add_word(w, "valgrind");
    add_word(w, "-q");
    add_word(w, "--command-line-only=yes");
    add_word(w, "--tool=callgrind");
    add_word(w, "--cache-sim=yes");
    add_word(w, "--I1=32768,8,64");
    add_word(w, "--D1=32768,8,64");
    add_word(w, "--LL=8388608,16,64");
    add_word(w, "--instr-atstart=no");
    add_word(w, "--collect-atstart=no");
    add_word(w, "--callgrind-out-file=%s", out);
    add_word(w, "%s", s->program);
}

static void build_argv(const struct hm_spawn *s, const char *nonce, struct words *w) {
    const struct hm_cell *cell = s->cell;
    if (s->pass == HM_PASS_INSTRUCTIONS)
        add_callgrind(s, w);
    else
        add_word(w, "heapmark");
    add_word(w, "cell");
    add_word(w, "--pass=%s", hm_pass_name(s->pass));
    if (cell->arm->plugin) /* before the allocator's spec, which names it */
        add_word(w, "--plugin=%s", cell->arm->library);
    add_word(w, "--allocator=%s", cell->arm->spec.text);
    if (cell->collector)
        add_word(w, "--collector=%s", cell->collector->spec.text);
    add_word(w, "--threading=%s", hm_threading_name(s->plan->threading));
    add_word(w, "--workload=%s", cell->group->workload->spec.text);
    add_cpus(w, "cpus", cell->group->cpus, cell->group->threads);
    add_cpus(w, "process-cpus", cell->group->process_cpus, cell->group->processes);
    add_word(w, "--seed=%" PRIu64, s->plan->seed);
    add_word(w, "--units=%" PRIu64, s->units);
    add_word(w, "--warmup=%" PRIu64, s->warmup_units);
    add_word(w, "--spin=%" PRIu64, s->spin_ns);
    add_word(w, "--rate=%" PRIu64, s->plan->rate);
    add_word(w, "--idle=%u", s->plan->idle_s);
    add_word(w, "--slices=%u", s->slices);
    add_word(w, "--library=%s", cell->arm->plugin ? "" : cell->arm->library);
    add_word(w, "--name=%s", cell->id);
    add_word(w, "--gbench=%s", s->gbench);
    add_word(w, "--profile=%s", s->profile ? s->profile : "");
    add_word(w, "--nonce=%s", nonce);
    w->argv[w->count] = NULL;
}

/* Nothing is inherited: the locale, the arm's own variables, its library, and the padding. */
static void build_env(const struct hm_spawn *s, struct words *w) {
    const struct hm_arm *arm = s->cell->arm;
    add_word(w, "LC_ALL=C");
    add_word(w, "PATH=/usr/bin:/bin");
    for (unsigned i = 0; i < arm->env_count; i++)
        add_word(w, "%s", arm->env[i]);
    if (arm->library[0] && !arm->plugin)
        add_word(w, "LD_PRELOAD=%s", arm->library);
    if (s->pass != HM_PASS_INSTRUCTIONS) /* whose environment is always the same */
        add_word(w, "HM_PAD=%0*d", (int)(s->salt % ENV_PAD_MAX) + 1, 0);
    w->argv[w->count] = NULL;
}

/* The child's ends of its pipes. */
struct ends {
    int report, output;
    int turn; /* -1: none */
};

/* In the forked child: never returns. It is bound before exec, so that all of the measured
 * program's memory is touched from its own core. */
__attribute__((noreturn)) static void become_cell(const struct hm_spawn *s, const struct ends *ends,
                                                  struct words *argv, struct words *env) {
    int report = fcntl(ends->report, F_DUPFD, HM_TURN_FD + 1); /* out of the way of the others */
    int turn = ends->turn < 0 ? -1 : fcntl(ends->turn, F_DUPFD, HM_TURN_FD + 1);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int cpu = s->cell->group->cpus[0];
    if (cpu >= 0)
        hm_pin_child(s->topology, cpu);
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        if (write(score, "1000", 4) < 0)
            errno = 0; /* the kernel then chooses by size alone */
        close(score);
    }
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(ends->output, STDOUT_FILENO);
    dup2(ends->output, STDERR_FILENO);
    dup2(report, HM_CELL_FD);
    if (turn >= 0)
        dup2(turn, HM_TURN_FD);
    close_range(turn >= 0 ? HM_TURN_FD + 1 : HM_CELL_FD + 1, ~0u, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    const char *program = s->program;
    if (s->pass == HM_PASS_INSTRUCTIONS) {
        program = s->plan->valgrind;
        personality(ADDR_NO_RANDOMIZE);
    }
    execve(program, argv->argv, env->argv);
    dprintf(STDERR_FILENO, "can not run %s: %s\n", program, strerror(errno));
    _exit(127);
}

static void make_nonce(uint64_t salt, char *nonce, size_t size) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(nonce, size, "%016" PRIx64 "%08lx", salt, (unsigned long)t.tv_nsec);
}

static double timeout_of(const struct hm_spawn *s) {
    return s->plan->timeout_s * (s->pass == HM_PASS_INSTRUCTIONS ? VALGRIND_TIMES : 1);
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* @return 0, or an errno and none is open */
static int open_pipes(struct hm_process *p, struct ends *ends) {
    int report[2] = {-1, -1};
    int output[2] = {-1, -1};
    int turn[2] = {-1, -1};
    if (pipe2(report, O_CLOEXEC) || pipe2(output, O_CLOEXEC) ||
        (p->spawn->slices && pipe2(turn, O_CLOEXEC))) {
        int bad = errno;
        close_all(report, 2);
        close_all(output, 2);
        return bad;
    }
    p->report.fd = report[0];
    p->output.fd = output[0];
    p->turn_fd = turn[1];
    *ends = (struct ends){report[1], output[1], turn[0]};
    return 0;
}

static void close_pipes(struct hm_process *p) {
    close_all((const int[]){p->report.fd, p->output.fd, p->turn_fd}, 3);
}

static int start(const struct hm_spawn *s, struct hm_process *p) {
    struct ends ends = {-1, -1, -1};
    struct words argv = {.count = 0};
    struct words env = {.count = 0};
    make_nonce(s->salt, p->nonce, sizeof p->nonce);
    build_argv(s, p->nonce, &argv);
    build_env(s, &env);
    int bad = open_pipes(p, &ends);
    if (bad)
        return bad;
    p->pid = fork();
    if (p->pid == 0)
        become_cell(s, &ends, &argv, &env);
    bad = p->pid < 0 ? errno : 0;
    close_all((const int[]){ends.report, ends.output, ends.turn}, 3);
    if (bad)
        close_pipes(p);
    else
        setpgid(p->pid, p->pid); /* either side may be first */
    return bad;
}

static void take_line(struct hm_process *p, struct hm_stream *stream) {
    stream->line[stream->used] = '\0';
    stream->used = 0;
    if (stream == &p->output)
        snprintf(p->last, sizeof p->last, "%.*s", (int)sizeof p->last - 1, stream->line);
    else if (hm_outcome_take(p->outcome, stream->line, p->nonce, &p->ended))
        p->malformed = true;
}

static void drain(struct hm_process *p, struct hm_stream *stream) {
    char bytes[1 << 14];
    ssize_t got = read(stream->fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            take_line(p, stream);
        else if (stream->used < sizeof stream->line - 1)
            stream->line[stream->used++] = bytes[i];
    }
    if (got <= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
}

/* Has the process ended? It stays to be reaped, so that its group's number is not given away. */
static bool has_ended(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Read both streams once, waiting at most `ms`. @return false when nothing came */
static bool listen_once(struct hm_process *p, int ms) {
    struct pollfd fds[2] = {{p->report.fd, POLLIN, 0}, {p->output.fd, POLLIN, 0}};
    if (poll(fds, 2, ms) <= 0)
        return false;
    if (fds[0].revents)
        drain(p, &p->report);
    if (fds[1].revents)
        drain(p, &p->output);
    return true;
}

/* Read until the process waits or has ended; then what is still in the pipes. What it left behind may
 * keep them open, so their end is not waited for. @return false when the time is over */
static bool listen_until(struct hm_process *p, double deadline) {
    while (!p->outcome->waits && !has_ended(p->pid)) {
        double left = deadline - now_s();
        if (left <= 0 || *p->spawn->interrupted)
            return false;
        int ms = left > 0.05 ? 50 : (int)(left * 1000) + 1;
        if (p->report.fd < 0)
            ms = 1; /* the report is complete: the process is about to go */
        listen_once(p, ms);
    }
    while (!p->outcome->waits && (p->report.fd >= 0 || p->output.fd >= 0) && listen_once(p, 0) &&
           now_s() < deadline)
        ;
    return true;
}

static void say(struct hm_outcome *out, enum hm_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    out->status = status;
    vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
}

/* What the process reported stands, unless how it ended says otherwise. */
static void judge(const struct hm_process *p, int status) {
    const char *last = p->last[0] ? p->last : "it said nothing";
    struct hm_outcome *out = p->outcome;
    if (out->status != HM_STATUS_OK)
        return;
    if (WIFSIGNALED(status))
        say(out, HM_STATUS_SIGNAL, "killed by %s (%s)", strsignal(WTERMSIG(status)), last);
    else if (WEXITSTATUS(status))
        say(out, HM_STATUS_EXIT, "exit status %d (%s)", WEXITSTATUS(status), last);
    else if (!p->ended)
        say(out, HM_STATUS_INVALID, "it ended early, with exit status 0 (%s)", last);
    else if (p->malformed)
        say(out, HM_STATUS_INVALID, "it reported what is not understood");
}

int hm_process_start(struct hm_process *process, const struct hm_spawn *spawn,
                     struct hm_outcome *outcome) {
    *outcome = (struct hm_outcome){.status = HM_STATUS_OK};
    *process = (struct hm_process){.spawn = spawn, .outcome = outcome};
    double begin = now_s();
    int bad = start(spawn, process);
    process->seconds = now_s() - begin;
    return bad;
}

bool hm_process_listen(struct hm_process *process) {
    double begin = now_s();
    process->in_time = listen_until(process, begin + timeout_of(process->spawn) - process->seconds);
    process->seconds += now_s() - begin;
    return process->in_time && process->outcome->waits;
}

bool hm_process_go_on(struct hm_process *process, unsigned char draw) {
    ssize_t wrote;
    process->outcome->waits = false;
    do
        wrote = write(process->turn_fd, &draw, 1);
    while (wrote < 0 &&
           errno == EINTR); /* a pipe that is closed is the process's end, which is seen */
    return hm_process_listen(process);
}

void hm_process_end(struct hm_process *process) {
    int status = 0;
    kill(-process->pid, SIGKILL); /* with all that it may have left behind */
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (*process->spawn->interrupted)
        say(process->outcome, HM_STATUS_INTERRUPTED, "the run was interrupted");
    else if (!process->in_time)
        say(process->outcome, HM_STATUS_TIMEOUT, "not done after %g s", timeout_of(process->spawn));
    else
        judge(process, status);
    close_pipes(process);
    process->outcome->seconds = process->seconds;
}

int hm_spawn_cell(const struct hm_spawn *spawn, struct hm_outcome *out) {
    struct hm_process process;
    int bad = hm_process_start(&process, spawn, out);
    if (bad)
        return bad;
    hm_process_listen(&process);
    hm_process_end(&process);
    return 0;
}

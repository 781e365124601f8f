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
    LINE_MAX_BYTES = 4096,
    ENV_PAD_MAX = 4096, /* the environment's size moves the stack: a fresh one each time */
    WORDS_MAX = 48,
    VALGRIND_TIMES = 10, /* a process under valgrind may take so much longer */
};

/* One descriptor that is read line by line; a longer line is cut. */
struct stream {
    int fd; /* -1 when closed */
    char line[LINE_MAX_BYTES];
    size_t used;
};

struct child {
    pid_t pid;
    struct stream report; /* HM_CELL_FD */
    struct stream output; /* stdout and stderr together: only the last line is kept */
    char last[256];
    char nonce[33];
    bool ended;     /* the nonce came */
    bool malformed; /* a report was not understood */
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

/* In the forked child: never returns. It is bound before exec, so that all of the measured
 * program's memory is touched from its own core. */
__attribute__((noreturn)) static void become_cell(const struct hm_spawn *s, int report, int output,
                                                  struct words *argv, struct words *env) {
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
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    dup2(report, HM_CELL_FD);
    close_range(HM_CELL_FD + 1, ~0u, 0);
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

static int start(const struct hm_spawn *s, struct child *c) {
    int report[2];
    int output[2];
    struct words argv = {.count = 0};
    struct words env = {.count = 0};
    make_nonce(s->salt, c->nonce, sizeof c->nonce);
    build_argv(s, c->nonce, &argv);
    build_env(s, &env);
    if (pipe2(report, O_CLOEXEC))
        return errno;
    if (pipe2(output, O_CLOEXEC)) {
        int bad = errno;
        close(report[0]);
        close(report[1]);
        return bad;
    }
    c->pid = fork();
    if (c->pid == 0)
        become_cell(s, report[1], output[1], &argv, &env);
    int bad = c->pid < 0 ? errno : 0;
    close(report[1]);
    close(output[1]);
    c->report.fd = report[0];
    c->output.fd = output[0];
    if (bad) {
        close(report[0]);
        close(output[0]);
    } else {
        setpgid(c->pid, c->pid); /* either side may be first */
    }
    return bad;
}

static void take_line(struct child *c, struct stream *stream, struct hm_outcome *out) {
    stream->line[stream->used] = '\0';
    stream->used = 0;
    if (stream == &c->output)
        snprintf(c->last, sizeof c->last, "%.*s", (int)sizeof c->last - 1, stream->line);
    else if (hm_outcome_take(out, stream->line, c->nonce, &c->ended))
        c->malformed = true;
}

static void drain(struct child *c, struct stream *stream, struct hm_outcome *out) {
    char bytes[1 << 14];
    ssize_t got = read(stream->fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            take_line(c, stream, out);
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
static bool listen_once(struct child *c, int ms, struct hm_outcome *out) {
    struct pollfd fds[2] = {{c->report.fd, POLLIN, 0}, {c->output.fd, POLLIN, 0}};
    if (poll(fds, 2, ms) <= 0)
        return false;
    if (fds[0].revents)
        drain(c, &c->report, out);
    if (fds[1].revents)
        drain(c, &c->output, out);
    return true;
}

/* Read until the process has ended; then what is still in the pipes. What it left behind may keep
 * them open, so their end is not waited for. @return false when the time is over */
static bool listen_to(struct child *c, double deadline, const volatile sig_atomic_t *interrupted,
                      struct hm_outcome *out) {
    while (!has_ended(c->pid)) {
        double left = deadline - now_s();
        if (left <= 0 || *interrupted)
            return false;
        int ms = left > 0.05 ? 50 : (int)(left * 1000) + 1;
        if (c->report.fd < 0)
            ms = 1; /* the report is complete: the process is about to go */
        listen_once(c, ms, out);
    }
    while ((c->report.fd >= 0 || c->output.fd >= 0) && listen_once(c, 0, out) && now_s() < deadline)
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
static void judge(const struct child *c, int status, struct hm_outcome *out) {
    const char *last = c->last[0] ? c->last : "it said nothing";
    if (out->status != HM_STATUS_OK)
        return;
    if (WIFSIGNALED(status))
        say(out, HM_STATUS_SIGNAL, "killed by %s (%s)", strsignal(WTERMSIG(status)), last);
    else if (WEXITSTATUS(status))
        say(out, HM_STATUS_EXIT, "exit status %d (%s)", WEXITSTATUS(status), last);
    else if (!c->ended)
        say(out, HM_STATUS_INVALID, "it ended early, with exit status 0 (%s)", last);
    else if (c->malformed)
        say(out, HM_STATUS_INVALID, "it reported what is not understood");
}

static double timeout_of(const struct hm_spawn *s) {
    return s->plan->timeout_s * (s->pass == HM_PASS_INSTRUCTIONS ? VALGRIND_TIMES : 1);
}

int hm_spawn_cell(const struct hm_spawn *spawn, struct hm_outcome *out) {
    struct child child = {.ended = false};
    *out = (struct hm_outcome){.status = HM_STATUS_OK};
    double begin = now_s();
    double deadline = begin + timeout_of(spawn);
    int bad = start(spawn, &child);
    if (bad)
        return bad;
    int status = 0;
    bool in_time = listen_to(&child, deadline, spawn->interrupted, out);
    kill(-child.pid, SIGKILL); /* with all that it may have left behind */
    waitpid(child.pid, &status, 0);
    if (*spawn->interrupted)
        say(out, HM_STATUS_INTERRUPTED, "the run was interrupted");
    else if (!in_time)
        say(out, HM_STATUS_TIMEOUT, "not done after %g s", timeout_of(spawn));
    else
        judge(&child, status, out);
    if (child.report.fd >= 0)
        close(child.report.fd);
    if (child.output.fd >= 0)
        close(child.output.fd);
    out->seconds = now_s() - begin;
    return 0;
}

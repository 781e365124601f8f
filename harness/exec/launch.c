/* Starts a program, and tells what it took. */
#include "harness/exec/launch.h"

#include "harness/machine/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SLICE_MS = 100, /* a signal may come between the look at its flag and the waiting */
    ORPHANS_MAX = 10000,
};

double hm_launch_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The first one to be killed when memory runs out, and not to leave cores of many megabytes behind. */
static void limit_child(void) {
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        if (write(score, "1000", 4) < 0)
            errno = 0; /* the kernel then chooses by size alone */
        close(score);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

/* The peak of the child so far is that of its parent; from here on it is its own. */
static void forget_peak(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "5", 1) < 0)
        errno = 0; /* an old kernel: the floor is higher, and told */
    close(fd);
}

static void pin(const struct hm_launch *how, char *out, size_t size) {
    char actual[48] = "?";
    bool failed = how->cpu >= 0 && hm_pin_child(how->topology, how->cpu);
    hm_pin_read(actual, sizeof actual);
    snprintf(out, size, "%d>%s%s", how->cpu, failed ? "failed:" : "", actual);
}

__attribute__((noreturn)) static void become(const struct hm_launch *how,
                                             struct hm_launch_start *start) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(how, start->pin, sizeof start->pin);
    limit_child();
    dup2(how->input, STDIN_FILENO);
    dup2(how->output, STDOUT_FILENO);
    dup2(how->errors, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (!how->folder || chdir(how->folder) == 0) {
        forget_peak();
        getrusage(RUSAGE_SELF, &start->usage);
        clock_gettime(CLOCK_MONOTONIC, &start->at);
        execve(how->path, how->words, how->env);
    }
    start->failed = errno;
    _exit(127);
}

int hm_launch(const struct hm_launch *how, struct hm_launched *out) {
    static bool adopts;
    if (!adopts) /* orphans come to us, and not to init: hm_launch_sweep */
        adopts = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    struct hm_launched l = {.pidfd = -1};
    l.start =
        mmap(NULL, sizeof *l.start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l.start == MAP_FAILED)
        return errno;
    l.pid = fork();
    if (l.pid == 0)
        become(how, l.start);
    int bad = l.pid < 0 ? errno : 0;
    if (!bad) {
        setpgid(l.pid, l.pid); /* either side may be first */
        l.pidfd = pidfd_open(l.pid, 0);
        bad = l.pidfd < 0 ? errno : 0;
    }
    if (bad && l.pid > 0) {
        kill(-l.pid, SIGKILL);
        waitpid(l.pid, NULL, 0);
    }
    if (bad)
        munmap(l.start, sizeof *l.start);
    else
        *out = l;
    return bad;
}

bool hm_launched_wait(struct hm_launched *launched, double deadline,
                      const volatile sig_atomic_t *interrupted) {
    while (!*interrupted) {
        struct pollfd fd = {launched->pidfd, POLLIN, 0};
        double left = deadline - hm_launch_now_s();
        int ms = left <= 0 ? 0 : left * 1000 > SLICE_MS ? SLICE_MS : (int)(left * 1000) + 1;
        int ready = poll(&fd, 1, ms);
        clock_gettime(CLOCK_MONOTONIC, &launched->end);
        if (ready > 0)
            return true;
        if (left <= 0)
            return false;
    }
    return false;
}

static double ns_of(struct timeval t) {
    return (double)t.tv_sec * 1e9 + (double)t.tv_usec * 1e3;
}

static double more(long after, long before) {
    return (double)(after - before);
}

/* What it took from exec on. */
static void subtract(const struct rusage *after, const struct rusage *before, struct hm_usage *u) {
    u->user_ns = ns_of(after->ru_utime) - ns_of(before->ru_utime);
    u->sys_ns = fmax(ns_of(after->ru_stime) - ns_of(before->ru_stime), 0);
    u->minor_faults = more(after->ru_minflt, before->ru_minflt);
    u->major_faults = more(after->ru_majflt, before->ru_majflt);
    u->voluntary_switches = more(after->ru_nvcsw, before->ru_nvcsw);
    u->involuntary_switches = more(after->ru_nivcsw, before->ru_nivcsw);
    u->floor_bytes = (double)before->ru_maxrss * 1024;
    u->peak_bytes = after->ru_maxrss > before->ru_maxrss ? (double)after->ru_maxrss * 1024 : NAN;
}

void hm_launched_reap(struct hm_launched *launched, struct hm_usage *usage) {
    struct rusage after = {.ru_maxrss = 0};
    struct timespec begin = launched->start->at;
    *usage = (struct hm_usage){.status = 0};
    kill(-launched->pid, SIGKILL);
    while (wait4(launched->pid, &usage->status, 0, &after) < 0 && errno == EINTR)
        continue;
    usage->failed = launched->start->failed;
    memcpy(usage->pin, launched->start->pin, sizeof usage->pin);
    subtract(&after, &launched->start->usage, usage);
    usage->wall_ns = (double)(launched->end.tv_sec - begin.tv_sec) * 1e9 +
                     (double)(launched->end.tv_nsec - begin.tv_nsec);
    close(launched->pidfd);
    munmap(launched->start, sizeof *launched->start);
    *launched = (struct hm_launched){.pidfd = -1};
}

/* @return a child of ours, or 0 */
static pid_t some_child(void) {
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *in = fopen(path, "re");
    if (!in)
        return 0;
    if (fscanf(in, "%d", &pid) != 1)
        pid = 0;
    fclose(in);
    return pid;
}

void hm_launch_sweep(void) {
    pid_t pid;
    for (int i = 0; i < ORPHANS_MAX && (pid = some_child()) > 0; i++) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

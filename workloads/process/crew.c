/* The processes of a cell: their start, turns and end. */
#include "workloads/process/crew.h"

#include "workloads/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WAIT_NS = 20000000, /* until it is looked whether somebody died */
    END_NS = 200000000, /* for members that are told to end */
    NAME_TRIES = 16,    /* of names that are taken already */
    CPUS_MAX = 8192,    /* as harness/machine/pin.c has it */
    LOST_STATUS = 3,    /* of a member that could not begin */
};

extern const struct hm_crew_job *const __start_hm_crew_job_parts[] __attribute__((weak));
extern const struct hm_crew_job *const __stop_hm_crew_job_parts[] __attribute__((weak));

static const struct hm_crew_job *job_named(const char *name) {
    for (const struct hm_crew_job *const *job = __start_hm_crew_job_parts;
         job < __stop_hm_crew_job_parts; job++)
        if (strcmp((*job)->name, name) == 0)
            return *job;
    return NULL;
}

/* ---- Waiting ---- */

static void wait_while(atomic_uint *word, unsigned value) {
    const struct timespec limit = {0, WAIT_NS};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static void wake(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void come_to_end(struct hm_crew_head *head) {
    if (atomic_fetch_sub(&head->awaited, 1) == 1)
        wake(&head->awaited);
}

/* ---- The segment ---- */

/* @return the descriptor, or -1 with errno: closed if there is no room for it */
static int make_room(int fd, size_t bytes) {
    int bad = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)bytes);
    if (!bad)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = bad == ENOSPC ? ENOMEM : bad;
    return -1;
}

int hm_crew_segment_by_name(size_t bytes) {
    sigset_t all, before;
    int fd = -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    for (int i = 0; fd < 0 && i < NAME_TRIES; i++) {
        uint64_t random;
        char name[48];
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            break;
        snprintf(name, sizeof name, "/heapmark-%016llx", (unsigned long long)random);
        fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
        if (fd >= 0)
            shm_unlink(name);
        else if (errno != EEXIST)
            break;
    }
    int bad = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = bad;
    return make_room(fd, bytes);
}

/* shm_open's folder: a file that never has a name can not be left there even by SIGKILL. */
int hm_crew_segment(size_t bytes) {
    int fd = open("/dev/shm", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? make_room(fd, bytes) : hm_crew_segment_by_name(bytes);
}

static size_t body_offset(void) {
    return (sizeof(struct hm_crew_head) + HM_SPIN_APART - 1) & ~(size_t)(HM_SPIN_APART - 1);
}

static void write_head(struct hm_crew_head *head, const struct hm_run *run,
                       const struct hm_workload *part, size_t bytes) {
    head->bytes = bytes;
    head->body_at = body_offset();
    snprintf(head->workload, sizeof head->workload, "%s", part->name);
    for (unsigned i = 0; i < HM_CREW_PARAMS && part->params[i].name; i++)
        head->params[i] = run->params[i].number;
    head->seed = run->seed;
    head->parent = getpid();
    for (unsigned i = 0; i < HM_CREW_FDS; i++)
        head->fds[i] = -1;
    for (unsigned i = 0; i < HM_CREW_MAX; i++)
        head->places[i].pin = -1;
}

int hm_crew_open(struct hm_crew *crew, const struct hm_run *run, const struct hm_workload *part,
                 size_t body_bytes, unsigned workers, unsigned servers) {
    size_t bytes = body_offset() + body_bytes;
    crew->fd = hm_crew_segment(bytes);
    if (crew->fd < 0)
        return errno;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, crew->fd, 0);
    if (map == MAP_FAILED)
        return ENOMEM;
    crew->head = map;
    crew->body = (char *)map + body_offset();
    crew->members = workers + servers;
    write_head(crew->head, run, part, bytes);
    crew->head->workers = workers;
    crew->head->servers = servers;
    for (unsigned i = 0; i < crew->members; i++)
        crew->head->cpus[i] = run->process_cpus ? run->process_cpus[i] : -1;
    return 0;
}

/* ---- A member's life ---- */

/* @return the one CPU that this process may run on, or -1 */
static int bound_to(void) {
    cpu_set_t cpus[CPUS_MAX / CPU_SETSIZE];
    CPU_ZERO_S(sizeof cpus, cpus);
    if (sched_getaffinity(0, sizeof cpus, cpus) || CPU_COUNT_S(sizeof cpus, cpus) != 1)
        return -1;
    int cpu = 0;
    while (!CPU_ISSET_S((size_t)cpu, sizeof cpus, cpus))
        cpu++;
    return cpu;
}

static int bind_to(int cpu) {
    cpu_set_t cpus[CPUS_MAX / CPU_SETSIZE];
    CPU_ZERO_S(sizeof cpus, cpus);
    if (cpu >= 0) {
        CPU_SET_S((size_t)cpu, sizeof cpus, cpus);
        sched_setaffinity(0, sizeof cpus, cpus);
    }
    return bound_to();
}

/* From here on a member does not outlive its parent; if that has died already, it ends at once. */
static void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(LOST_STATUS);
}

/* @return whether there is another turn */
static bool wait_for_turn(struct hm_crew_head *head, unsigned *seen) {
    unsigned now;
    while ((now = atomic_load(&head->turn)) == *seen && !atomic_load(&head->is_over)) {
        wait_while(&head->turn, now);
        if (getppid() != head->parent)
            _exit(LOST_STATUS);
    }
    *seen = now;
    return !atomic_load(&head->is_over);
}

static void take_turns(struct hm_member *member, const struct hm_crew_job *job, unsigned seen) {
    struct hm_crew_place *place = &member->head->places[member->index];
    while (wait_for_turn(member->head, &seen)) {
        uint64_t begin = hm_clock_ns();
        place->turn_done = job->work(member, member->head->units);
        place->busy_ns += hm_clock_ns() - begin;
        come_to_end(member->head);
    }
}

static void live(struct hm_member *member, const struct hm_crew_job *job) {
    struct hm_crew_head *head = member->head;
    struct hm_crew_place *place = &head->places[member->index];
    unsigned seen = atomic_load(&head->turn);
    place->pin = bind_to(head->cpus[member->index]);
    if (!place->bad && job->prepare)
        place->bad = job->prepare(member);
    come_to_end(head);
    if (place->bad)
        return;
    if (member->index < head->workers)
        take_turns(member, job, seen);
    else
        job->serve(member);
}

void hm_crew_leave(struct hm_member *member) {
    atomic_store(&member->head->places[member->index].is_gone, true);
    come_to_end(member->head);
}

int hm_crew_serve(int fd, unsigned index) {
    struct stat is;
    if (fstat(fd, &is) || is.st_size < (off_t)sizeof(struct hm_crew_head))
        return LOST_STATUS;
    struct hm_crew_head *head =
        mmap(NULL, (size_t)is.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (head == MAP_FAILED)
        return LOST_STATUS;
    die_with(head->parent);
    close(fd);
    const struct hm_crew_job *job = job_named(head->workload);
    if (!job || index >= head->workers + head->servers)
        return LOST_STATUS;
    struct hm_member member = {.head = head, .body = (char *)head + head->body_at, .index = index};
    live(&member, job);
    return 0;
}

/* ---- Starting ---- */

/* Only what the members need is inherited: neither the cell's report nor anybody's files. */
static void execute(const struct hm_crew *crew, unsigned index) {
    char fd[32], which[32];
    char *argv[] = {"heapmark", "member", fd, which, NULL};
    snprintf(fd, sizeof fd, "--segment=%d", crew->fd);
    snprintf(which, sizeof which, "--index=%u", index);
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    fcntl(crew->fd, F_SETFD, 0);
    for (unsigned i = 0; i < HM_CREW_FDS; i++)
        if (crew->head->fds[i] >= 0)
            fcntl(crew->head->fds[i], F_SETFD, 0);
    execv("/proc/self/exe", argv);
    fprintf(stderr, "can not run /proc/self/exe: %s\n", strerror(errno));
    _exit(LOST_STATUS);
}

__attribute__((noreturn)) static void become(const struct hm_crew *crew, struct hm_run *run,
                                             unsigned index, enum hm_crew_start how) {
    die_with(crew->head->parent);
    if (how == HM_CREW_EXEC)
        execute(crew, index);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    struct hm_member member = {
        .head = crew->head, .body = crew->body, .index = index, .memory = run->memory};
    crew->head->places[index].bad = hm_run_enter(run);
    live(&member, job_named(crew->head->workload));
    _exit(0);
}

/* ---- The cell's side ---- */

/* run->failed points here, and is read when the crew is gone. There is one cell in a process. */
static char failure[128];

static int give_up(struct hm_crew *crew, struct hm_run *run, const char *what, int code) {
    snprintf(failure, sizeof failure, "%s: %s", what, strerror(code));
    run->failed = failure;
    crew->has_failed = true;
    return code;
}

static void say_death(struct hm_crew *crew, struct hm_run *run, unsigned index, int status) {
    size_t used =
        (size_t)snprintf(failure, sizeof failure, "process %u of %u died: ", index, crew->members);
    if (WIFSIGNALED(status))
        snprintf(failure + used, sizeof failure - used, "killed by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(failure + used, sizeof failure - used, "exit status %d", WEXITSTATUS(status));
    run->failed = failure;
    crew->has_failed = true;
}

/* @return whether a member has died that had not left before */
static bool somebody_died(struct hm_crew *crew, struct hm_run *run) {
    for (unsigned i = 0; i < crew->members; i++) {
        int status;
        if (!crew->pids[i] || waitpid(crew->pids[i], &status, WNOHANG) != crew->pids[i])
            continue;
        crew->pids[i] = 0;
        if (!atomic_load(&crew->head->places[i].is_gone))
            say_death(crew, run, i, status);
    }
    return run->failed != NULL;
}

/* @return whether all came to the end */
static bool wait_for_all(struct hm_crew *crew, struct hm_run *run) {
    unsigned left;
    while ((left = atomic_load(&crew->head->awaited))) {
        wait_while(&crew->head->awaited, left);
        if (atomic_load(&crew->head->awaited) && somebody_died(crew, run))
            return false;
    }
    return true;
}

int hm_crew_start(struct hm_crew *crew, struct hm_run *run, enum hm_crew_start how) {
    atomic_store(&crew->head->awaited, crew->members);
    for (unsigned i = 0; i < crew->members; i++) {
        crew->pids[i] = fork();
        if (crew->pids[i] == 0)
            become(crew, run, i, how);
        if (crew->pids[i] < 0) {
            crew->pids[i] = 0;
            return give_up(crew, run, "a process does not start", errno);
        }
    }
    if (!wait_for_all(crew, run))
        return ECHILD;
    for (unsigned i = 0; i < crew->members; i++) {
        const struct hm_crew_place *place = &crew->head->places[i];
        if (run->process_pins)
            run->process_pins[i] = place->pin;
        if (place->bad)
            return place->bad == ENOMEM
                       ? ENOMEM
                       : give_up(crew, run, "a process does not begin", place->bad);
    }
    return 0;
}

uint64_t hm_crew_turn(struct hm_crew *crew, struct hm_run *run, uint64_t units) {
    struct hm_crew_head *head = crew->head;
    uint64_t done = units;
    unsigned workers = 0;
    if (run->failed)
        return 0;
    for (unsigned i = 0; i < head->workers; i++)
        workers += !atomic_load(&head->places[i].is_gone);
    head->units = units;
    atomic_store(&head->awaited, workers);
    atomic_fetch_add(&head->turn, 1);
    wake(&head->turn);
    if (!wait_for_all(crew, run))
        return 0;
    for (unsigned i = 0; i < head->workers; i++)
        if (!atomic_load(&head->places[i].is_gone) && head->places[i].turn_done < done)
            done = head->places[i].turn_done;
    return done;
}

/* @return whether it has ended, and is reaped */
static bool has_ended(pid_t pid, int options) {
    int status;
    return waitpid(pid, &status, options) != 0;
}

static void end_member(pid_t pid, uint64_t until_ns) {
    while (hm_clock_ns() < until_ns) {
        if (has_ended(pid, WNOHANG))
            return;
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    kill(pid, SIGKILL);
    has_ended(pid, 0);
}

void hm_crew_close(struct hm_crew *crew) {
    if (!crew->head) {
        if (crew->fd >= 0)
            close(crew->fd);
        return;
    }
    atomic_store(&crew->head->is_over, true);
    atomic_fetch_add(&crew->head->turn, 1);
    wake(&crew->head->turn);
    uint64_t until_ns = hm_clock_ns() + END_NS;
    for (unsigned i = 0; i < crew->members; i++)
        if (crew->pids[i])
            end_member(crew->pids[i], crew->has_failed ? 0 : until_ns);
    munmap(crew->head, crew->head->bytes);
    close(crew->fd);
}

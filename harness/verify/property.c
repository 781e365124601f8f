/* The properties that the build has linked in, and what they end and report with. */
#include "harness/verify/property.h"

#include "workloads/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct hm_property *const __start_hm_property_parts[];
extern const struct hm_property *const __stop_hm_property_parts[];

enum {
    THREADS_MAX = 16,
    WATCH_STEP_NS = 300 * 1000,
};

const char *hm_conform_word(enum hm_conform verdict) {
    static const char *const words[] = {
        [HM_CONFORM_NONE] = "none",
        [HM_CONFORM_PASSED] = "passed",
        [HM_CONFORM_DEVIATES] = "deviates",
        [HM_CONFORM_UNSUPPORTED] = "unsupported",
        [HM_CONFORM_ABORTED] = "aborted",
        [HM_CONFORM_NEUTRALISED] = "neutralised",
        [HM_CONFORM_LATE] = "late",
        [HM_CONFORM_MISSED] = "missed",
        [HM_CONFORM_COULD_NOT_RUN] = "could-not-run",
        [HM_CONFORM_FAILED] = "failed",
    };
    return words[verdict];
}

static int by_point(const void *a, const void *b) {
    const struct hm_property *left = *(const struct hm_property *const *)a;
    const struct hm_property *right = *(const struct hm_property *const *)b;
    if (left->point != right->point)
        return left->point < right->point ? -1 : 1;
    return strcmp(left->name, right->name);
}

size_t hm_properties(const struct hm_property **out, size_t room) {
    size_t count = (size_t)(__stop_hm_property_parts - __start_hm_property_parts);
    size_t taken = count < room ? count : room;
    memcpy(out, __start_hm_property_parts, taken * sizeof *out);
    qsort(out, taken, sizeof *out, by_point);
    return count;
}

const struct hm_property *hm_property_find(const char *name) {
    for (const struct hm_property *const *p = __start_hm_property_parts;
         p < __stop_hm_property_parts; p++)
        if (strcmp((*p)->name, name) == 0)
            return *p;
    return NULL;
}

uint64_t hm_verify_effort(const struct hm_verify *v, uint64_t per, uint64_t least, uint64_t most) {
    uint64_t effort = v->ops / per;
    return effort < least ? least : effort > most ? most : effort;
}

static void put(char *out, size_t size, const char *format, va_list args) {
    vsnprintf(out, size, format, args);
    for (; *out; out++)
        if ((unsigned char)*out < ' ')
            *out = ' ';
}

void hm_verify_at(struct hm_verify *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(v->board->at, sizeof v->board->at, format, args);
    va_end(args);
    hm_verify_progress(v, 1);
}

void hm_verify_progress(struct hm_verify *v, uint64_t ops) {
    __atomic_fetch_add(&v->board->ops, ops, __ATOMIC_RELAXED);
}

void hm_verify_note(struct hm_verify *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    put(v->board->line, sizeof v->board->line, format, args);
    va_end(args);
}

static bool claim(struct hm_verify *v, enum hm_conform verdict) {
    int none = HM_CONFORM_NONE;
    return __atomic_compare_exchange_n(&v->board->verdict, &none, (int)verdict, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void hm_verify_conclude(struct hm_verify *v, enum hm_conform verdict) {
    if (verdict == HM_CONFORM_PASSED && __atomic_load_n(&v->board->deviated, __ATOMIC_ACQUIRE))
        verdict = HM_CONFORM_DEVIATES;
    if (claim(v, verdict))
        __atomic_store_n(&v->board->ended, 1, __ATOMIC_RELEASE);
}

/* Who comes second waits here for the end of the process. */
__attribute__((noreturn)) static void wait_for_the_end(void) {
    for (;;)
        pause();
}

static void end_with(struct hm_verify *v, enum hm_conform verdict, const char *format,
                     va_list args) {
    if (!claim(v, verdict))
        wait_for_the_end();
    put(v->board->line, sizeof v->board->line, format, args);
    __atomic_store_n(&v->board->ended, 1, __ATOMIC_RELEASE);
}

void hm_verify_fail(struct hm_verify *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    end_with(v, HM_CONFORM_FAILED, format, args);
    va_end(args);
    _exit(0);
}

void hm_verify_fault(struct hm_verify *v, const char *format, ...) {
    char line[sizeof v->board->line];
    va_list args;
    va_start(args, format);
    put(line, sizeof line, format, args);
    va_end(args);
    if (!hm_verify_is_known(v, line))
        hm_verify_fail(v, "%s", line);
}

void hm_verify_unsupported(struct hm_verify *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    end_with(v, HM_CONFORM_UNSUPPORTED, format, args);
    va_end(args);
    _exit(0);
}

/* @param room that it needs at most, in one piece */
static void *need(struct hm_verify *v, void *p, const char *what, size_t size, size_t room) {
    if (p)
        return p;
    int code = errno;
    if (v->no_reuse && code == ENOMEM)
        hm_verify_unsupported(v, "out of memory, and free gives nothing back");
    if (v->may_run_out && code == ENOMEM && hm_verify_may_refuse(v, room))
        hm_verify_unsupported(v, "the arena is too small for this: %s of %zu bytes", what, size);
    if (v->may_run_out && code == ENOMEM)
        hm_verify_fail(v, "%s of %zu bytes was refused, with most of the arena free", what, size);
    hm_verify_fail(v, "%s of %zu bytes gave NULL (errno %d)", what, size, code);
}

void *hm_verify_need(struct hm_verify *v, void *p, const char *what, size_t size) {
    return need(v, p, what, size, size);
}

void *hm_verify_malloc(struct hm_verify *v, size_t size) {
    return hm_verify_need(v, hm_malloc(v->memory, size), "malloc", size);
}

void *hm_verify_aligned(struct hm_verify *v, size_t alignment, size_t size) {
    errno = 0;
    void *p = hm_aligned_alloc(v->memory, alignment, size);
    if (!p && errno == EINVAL && v->is_process && size % alignment)
        errno = posix_memalign(&p, alignment, size);
    return need(v, p, "aligned_alloc", size, alignment + size);
}

void hm_verify_reset(const struct hm_verify *v) {
    if (v->resets)
        v->resets->allocator->reset(v->resets->heap);
}

void hm_verify_try(struct hm_verify *v, int code, const struct hm_error *error) {
    if (code)
        hm_verify_fail(v, "%s%s%s", v->board->at, v->board->at[0] ? ": " : "", error->line);
}

void hm_verify_shadow(struct hm_verify *v, struct hm_shadow *shadow, uint32_t ids) {
    if (hm_shadow_open(shadow, ids, v->seed))
        hm_verify_fail(v, "no memory for the shadow heap");
    v->shadows[0] = shadow;
    v->shadow_count = 1;
}

void hm_verify_take(struct hm_verify *v, struct hm_shadow *shadow, uint32_t id, void *p,
                    size_t bytes, size_t alignment) {
    struct hm_error error = {""};
    if (((uintptr_t)p & (alignment - 1)) && hm_verify_is_misaligned(v, v->board->at))
        alignment = hm_verify_alignment(v, bytes);
    hm_verify_try(v, hm_shadow_take(shadow, id, p, bytes, alignment, &error), &error);
}

void hm_verify_free(struct hm_verify *v, struct hm_shadow *shadow, uint32_t id) {
    struct hm_error error = {""};
    void *p = shadow->blocks[id].begin;
    hm_verify_try(v, hm_shadow_drop(shadow, id, NULL, &error), &error);
    hm_free(v->memory, p);
}

/* A block of a C library's malloc holds any object that fits into it: one of 8 bytes need not lie on a
 * multiple of 16 (C17 7.22.3, as WG14's N2293 reads it; jemalloc, tcmalloc and mimalloc do so). */
size_t hm_verify_alignment(const struct hm_verify *v, size_t bytes) {
    size_t alignment = v->alignment;
    while (!v->promised && alignment > 1 && alignment > bytes)
        alignment /= 2;
    return alignment;
}

void *hm_verify_scratch(struct hm_verify *v, size_t bytes) {
    void *p = hm_scratch(bytes);
    if (!p)
        hm_verify_fail(v, "no memory for the test itself: %zu bytes", bytes);
    return p;
}

struct thread {
    struct hm_verify *v;
    void (*run)(void *arg, unsigned number);
    void *arg;
    unsigned number;
    unsigned count;
    unsigned *ready; /* how many threads have come so far */
    pthread_t id;
};

static void *run_thread(void *arg) {
    struct thread *t = arg;
    __atomic_fetch_add(t->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(t->ready, __ATOMIC_ACQUIRE) < t->count)
        sched_yield();
    int bad = hm_memory_stack_enter(t->v->stack);
    if (bad)
        hm_verify_fail(t->v, "a thread can not enter the heap: %s", strerror(bad));
    t->run(t->arg, t->number);
    hm_memory_stack_leave(t->v->stack);
    return NULL;
}

void hm_verify_threads(struct hm_verify *v, unsigned count, void (*run)(void *arg, unsigned number),
                       void *arg) {
    struct thread threads[THREADS_MAX];
    unsigned ready = 0;
    for (unsigned i = 0; i < count; i++) {
        threads[i] = (struct thread){
            .v = v, .run = run, .arg = arg, .number = i, .count = count, .ready = &ready};
        int bad = pthread_create(&threads[i].id, NULL, run_thread, &threads[i]);
        if (bad)
            hm_verify_fail(v, "can not start a thread: %s", strerror(bad));
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_s(int pid) {
    struct timespec t;
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool is_asleep(int pid) {
    char path[32];
    char text[128] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    const char *name_end = got > 0 ? strrchr(text, ')') : NULL;
    return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

/* A process that was to run and had no turn: the machine is busy. */
static bool is_starved(int pid, double cpu_before_s, double seconds) {
    return !is_asleep(pid) && cpu_s(pid) - cpu_before_s < seconds / 2;
}

enum hm_watch hm_verify_watch(struct hm_verify *v, int pid, double seconds, const uint64_t *steps,
                              int *status) {
    const struct timespec step = {.tv_nsec = WATCH_STEP_NS};
    double deadline = now_s() + seconds;
    double cpu_before_s = 0;
    uint64_t seen = 0;
    int how = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &how, WNOHANG)) == 0) {
        uint64_t now = steps ? __atomic_load_n(steps, __ATOMIC_RELAXED) : 0;
        bool moved = now != seen;
        if (now_s() >= deadline && !moved && !(steps && is_starved(pid, cpu_before_s, seconds)))
            break;
        if (moved || now_s() >= deadline)
            deadline = now_s() + seconds;
        if (moved)
            cpu_before_s = cpu_s(pid);
        seen = now;
        nanosleep(&step, NULL);
        hm_verify_progress(v, 1);
    }
    *status = 0;
    if (ended == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &how, 0);
        return HM_WATCH_TIMEOUT;
    }
    *status = WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how);
    return WIFSIGNALED(how) ? HM_WATCH_SIGNAL : HM_WATCH_EXIT;
}

int hm_verify_fork(struct hm_verify *v) {
    pid_t pid = fork();
    if (pid < 0)
        hm_verify_fail(v, "can not fork: %s", strerror(errno));
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

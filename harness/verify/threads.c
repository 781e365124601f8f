/* Several threads and processes: first-touch, cross-thread, fork. */
#include "harness/verify/property.h"

#include "harness/machine/proc.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum {
    RACERS = 8,
    FIRST_BLOCKS = 16,
    RING = 256,
    PASSED_MAX_BYTES = 2048,
    LEFT = 1024,            /* blocks of one generation; every other one outlives its thread */
    FORKING = 4,            /* threads; one of them forks */
    SLACK_BYTES = 16 << 20, /* that caches may grow by, once warm; tcmalloc's are 32 MiB in all */
};

struct race {
    struct hm_verify *v;
    void *blocks[RACERS][FIRST_BLOCKS];
};

static size_t first_size(unsigned i) {
    return i < 8 ? 24 : (size_t)16 << (i - 8);
}

static void race(void *arg, unsigned number) {
    struct race *r = arg;
    for (unsigned i = 0; i < FIRST_BLOCKS; i++) {
        char *p = hm_verify_malloc(r->v, first_size(i));
        hm_pattern_fill(p, first_size(i), hm_pattern_key(0, number, i));
        r->blocks[number][i] = p;
    }
}

static void check_first_touch(struct hm_verify *v) {
    struct race *r = hm_verify_scratch(v, sizeof *r);
    struct hm_shadow s;
    hm_verify_shadow(v, &s, RACERS * FIRST_BLOCKS);
    hm_verify_at(v, "the first mallocs of %d threads", RACERS);
    hm_verify_away(v, (size_t)RACERS * FIRST_BLOCKS,
                   (size_t)RACERS * FIRST_BLOCKS * first_size(FIRST_BLOCKS - 1));
    r->v = v;
    hm_verify_threads(v, RACERS, race, r);
    for (unsigned i = 0; i < RACERS * FIRST_BLOCKS; i++) {
        unsigned thread = i / FIRST_BLOCKS;
        size_t size = first_size(i % FIRST_BLOCKS);
        char *p = r->blocks[thread][i % FIRST_BLOCKS];
        size_t at = hm_pattern_check(p, size, hm_pattern_key(0, thread, i % FIRST_BLOCKS));
        if (at < size)
            hm_verify_fail(v,
                           "the first mallocs of %d threads: byte %zu of a block of thread %u "
                           "was changed",
                           RACERS, at, thread);
        hm_verify_take(v, &s, i, p, size, 1);
    }
    for (uint32_t i = 0; i < RACERS * FIRST_BLOCKS; i++)
        hm_verify_free(v, &s, i);
}

static const struct hm_property first_touch = {
    .name = "first-touch",
    .summary = "8 threads come to their first malloc at once, in fresh processes",
    .point = 11,
    .threads = RACERS,
    .fresh = true,
    .run = check_first_touch,
};
HM_REGISTER(hm_property, first_touch);

/* A ring of blocks from one thread to another: one writer, one reader. */
struct passing {
    struct hm_verify *v;
    uint64_t count;
    uint64_t warm_bytes; /* resident after the first half */
    uint64_t written;
    uint64_t read;
    struct {
        char *p;
        size_t bytes;
    } ring[RING];
};

static void produce(struct passing *p) {
    struct hm_random random = hm_random_of(p->v->seed, 0);
    for (uint64_t i = 0; i < p->count; i++) {
        while (i - __atomic_load_n(&p->read, __ATOMIC_ACQUIRE) >= RING)
            sched_yield();
        size_t bytes = 1 + hm_random_below(&random, PASSED_MAX_BYTES);
        char *block = hm_verify_malloc(p->v, bytes);
        hm_pattern_fill(block, bytes, hm_pattern_key(1, 0, (uint32_t)i));
        p->ring[i % RING].p = block;
        p->ring[i % RING].bytes = bytes;
        __atomic_store_n(&p->written, i + 1, __ATOMIC_RELEASE);
    }
}

static void consume(struct passing *p) {
    for (uint64_t i = 0; i < p->count; i++) {
        while (__atomic_load_n(&p->written, __ATOMIC_ACQUIRE) == i)
            sched_yield();
        char *block = p->ring[i % RING].p;
        size_t bytes = p->ring[i % RING].bytes;
        size_t at = hm_pattern_check(block, bytes, hm_pattern_key(1, 0, (uint32_t)i));
        if (at < bytes)
            hm_verify_fail(p->v,
                           "byte %zu of a block of %zu bytes was changed on its way to "
                           "another thread",
                           at, bytes);
        hm_free(p->v->memory, block);
        __atomic_store_n(&p->read, i + 1, __ATOMIC_RELEASE);
        if (i == p->count / 2)
            p->warm_bytes = hm_proc_resident_bytes();
        if (i % 1024 == 0)
            hm_verify_progress(p->v, 1024);
    }
}

static void pass(void *arg, unsigned number) {
    if (number == 0)
        produce(arg);
    else
        consume(arg);
}

static void must_not_grow(struct hm_verify *v, uint64_t warm_bytes, const char *what) {
    uint64_t now = hm_proc_resident_bytes();
    if (v->no_reuse)
        return;
    if (now > warm_bytes + SLACK_BYTES)
        hm_verify_fail(v,
                       "%s: the resident memory grew from %llu to %llu KiB, and no block was "
                       "left",
                       what, (unsigned long long)warm_bytes >> 10, (unsigned long long)now >> 10);
}

/* A thread frees half of its blocks, and ends. */
struct generation {
    struct hm_verify *v;
    char *blocks[2][LEFT]; /* of this generation and of the one before */
    uint64_t number;
};

static size_t left_size(unsigned i) {
    return 1024 + i * 2;
}

static void live_and_end(void *arg, unsigned thread) {
    struct generation *g = arg;
    char **blocks = g->blocks[g->number % 2];
    (void)thread;
    for (unsigned i = 0; i < LEFT; i++) {
        blocks[i] = hm_verify_malloc(g->v, left_size(i));
        hm_pattern_fill(blocks[i], left_size(i), hm_pattern_key(2, i, (uint32_t)g->number));
    }
    for (unsigned i = 1; i < LEFT; i += 2)
        hm_free(g->v->memory, blocks[i]);
}

static void free_left(struct generation *g, uint64_t number) {
    char **blocks = g->blocks[number % 2];
    for (unsigned i = 0; i < LEFT; i += 2) {
        size_t at =
            hm_pattern_check(blocks[i], left_size(i), hm_pattern_key(2, i, (uint32_t)number));
        if (at < left_size(i))
            hm_verify_fail(g->v,
                           "byte %zu of a block of %zu bytes was changed after its thread "
                           "had ended",
                           at, left_size(i));
        hm_free(g->v->memory, blocks[i]);
    }
}

static void check_generations(struct hm_verify *v) {
    struct generation *g = hm_verify_scratch(v, sizeof *g);
    uint64_t count = hm_verify_effort(v, 1000, 60, v->no_reuse ? 60 : 1000);
    uint64_t warm_bytes = 0;
    g->v = v;
    hm_verify_away(v, (size_t)2 * LEFT, (size_t)2 * LEFT * left_size(LEFT));
    for (g->number = 0; g->number < count; g->number++) {
        hm_verify_at(v, "generation %llu of threads that end with live blocks",
                     (unsigned long long)g->number);
        hm_verify_threads(v, 1, live_and_end, g);
        if (g->number)
            free_left(g, g->number - 1);
        if (g->number == count / 2)
            warm_bytes = hm_proc_resident_bytes();
    }
    free_left(g, count - 1);
    must_not_grow(v, warm_bytes, "threads that end with live blocks");
}

static void check_cross_thread(struct hm_verify *v) {
    struct passing *p = hm_verify_scratch(v, sizeof *p);
    p->v = v;
    p->count = hm_verify_effort(v, 10, 60000, v->no_reuse ? 60000 : 1000000);
    hm_verify_at(v, "blocks that another thread frees");
    hm_verify_away(v, RING + 2, (size_t)(RING + 2) * PASSED_MAX_BYTES);
    hm_verify_threads(v, 2, pass, p);
    must_not_grow(v, p->warm_bytes, "blocks that another thread frees");
    check_generations(v);
    if (v->no_reuse)
        hm_verify_unsupported(v, "the blocks stayed sound; free gives nothing back until reset, so "
                                 "that memory grows is no fault");
}

static const struct hm_property cross_thread = {
    .name = "cross-thread",
    .summary = "blocks freed by other threads, and after theirs has ended; memory stays bounded",
    .point = 12,
    .threads = 2,
    .run = check_cross_thread,
};
HM_REGISTER(hm_property, cross_thread);

static const double hang_s = 10;      /* a forked process takes less than a millisecond */
static const double known_hang_s = 1; /* when one has hung, and the library is known for it */

struct forking {
    struct hm_verify *v;
    int stop;
};

static void churn_until_told(const struct forking *f, unsigned number) {
    struct hm_random random = hm_random_of(f->v->seed, number);
    void *kept[64] = {NULL};
    while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
        unsigned i = (unsigned)hm_random_below(&random, 64);
        hm_free(f->v->memory, kept[i]);
        kept[i] = hm_malloc(f->v->memory, 1 + hm_random_below(&random, 40000));
    }
    for (unsigned i = 0; i < 64; i++)
        hm_free(f->v->memory, kept[i]);
}

/* In the forked process, which has this thread alone. */
__attribute__((noreturn)) static void use_the_heap(const struct hm_verify *v) {
    char *blocks[64];
    int bad = 0;
    for (unsigned i = 0; i < 64; i++) {
        blocks[i] = hm_malloc(v->memory, 1 + i * i * 16);
        if (!blocks[i])
            _exit(2);
        hm_pattern_fill(blocks[i], 1 + i * i * 16, i);
    }
    for (unsigned i = 0; i < 64; i++) {
        bad |= hm_pattern_check(blocks[i], 1 + i * i * 16, i) < 1 + i * i * 16;
        hm_free(v->memory, blocks[i]);
    }
    _exit(bad);
}

static void fork_often(struct forking *f) {
    struct hm_verify *v = f->v;
    uint64_t count = hm_verify_effort(v, 10000, 20, 100);
    double wait_s = v->timeout_s < hang_s ? v->timeout_s : hang_s;
    for (uint64_t i = 0; i < count; i++) {
        int status;
        int pid = hm_verify_fork(v);
        if (pid == 0)
            use_the_heap(v);
        enum hm_watch how = hm_verify_watch(v, pid, wait_s, NULL, &status);
        if (how == HM_WATCH_TIMEOUT) {
            hm_verify_fault(v, "a forked process hung in malloc or free");
            wait_s = known_hang_s;
            continue;
        }
        if (how == HM_WATCH_SIGNAL)
            hm_verify_fail(v, "forked process %llu was killed: %s", (unsigned long long)i,
                           strsignal(status));
        if (status)
            hm_verify_fail(v,
                           status == 2 ? "forked process %llu: malloc gave NULL"
                                       : "forked process %llu: a block was changed",
                           (unsigned long long)i);
    }
    __atomic_store_n(&f->stop, 1, __ATOMIC_RELEASE);
}

static void churn_or_fork(void *arg, unsigned number) {
    if (number == 0)
        fork_often(arg);
    else
        churn_until_told(arg, number);
}

static void check_fork(struct hm_verify *v) {
    struct forking f = {.v = v};
    if (!v->is_process)
        hm_verify_unsupported(v, "the interface of plug-ins promises nothing for fork");
    hm_verify_at(v, "fork while %d threads allocate", FORKING - 1);
    hm_verify_threads(v, FORKING, churn_or_fork, &f);
}

static const struct hm_property fork_property = {
    .name = "fork",
    .summary = "a process forked while threads allocate can use its heap",
    .point = 13,
    .threads = FORKING,
    .run = check_fork,
};
HM_REGISTER(hm_property, fork_property);

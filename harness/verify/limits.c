/* The ends of a heap: of its memory (exhaustion) and of its process (late-early). */
#include "harness/verify/property.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BLOCKS = 1 << 15,
    SMALLS = 1 << 14,         /* most small blocks that fill what the others left */
    EDGE = 64,                /* bytes at both ends of a block that are written */
    BUDGET_BYTES = 256 << 20, /* above what is mapped at the start; mimalloc maps 32 MiB at once */
};

static const size_t filling_sizes[] = {64 << 10, 256 << 10, 20000};

enum {
    FILLING_SIZES = sizeof filling_sizes / sizeof *filling_sizes,
};

struct filling {
    struct hm_verify *v;
    char **blocks;
    size_t count;
    size_t size;
    char **smalls; /* of EDGE bytes */
    size_t small_count;
};

static size_t mapped_bytes(void) {
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    return got > 0 ? strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static void limit_memory(struct hm_verify *v) {
    size_t mapped = mapped_bytes();
    struct rlimit limit = {.rlim_cur = mapped + BUDGET_BYTES, .rlim_max = RLIM_INFINITY};
    if (!mapped || setrlimit(RLIMIT_AS, &limit))
        hm_verify_unsupported(v, "the address space can not be limited here");
}

static void mark(const struct filling *f, size_t i) {
    hm_pattern_fill(f->blocks[i], EDGE, hm_pattern_key(3, (uint32_t)i, 0));
    hm_pattern_fill(f->blocks[i] + f->size - EDGE, EDGE, hm_pattern_key(3, (uint32_t)i, 1));
}

static void check_marks(const struct filling *f) {
    for (size_t i = 0; i < f->count; i++)
        if (hm_pattern_check(f->blocks[i], EDGE, hm_pattern_key(3, (uint32_t)i, 0)) < EDGE ||
            hm_pattern_check(f->blocks[i] + f->size - EDGE, EDGE,
                             hm_pattern_key(3, (uint32_t)i, 1)) < EDGE)
            hm_verify_fail(f->v, "block %zu of %zu bytes was changed when the memory ran out", i,
                           f->size);
    for (size_t i = 0; i < f->small_count; i++)
        if (hm_pattern_check(f->smalls[i], EDGE, hm_pattern_key(3, (uint32_t)i, 2)) < EDGE)
            hm_verify_fail(f->v, "small block %zu was changed when the memory ran out", i);
}

static void must_be_enomem(const struct filling *f, size_t size) {
    if (errno != ENOMEM)
        hm_verify_fail(f->v, "out of memory, malloc(%zu) set errno to %d and not to ENOMEM", size,
                       errno);
}

/* What is too small for one more of the others. */
static void fill_rest(struct filling *f) {
    for (f->small_count = 0; f->small_count < SMALLS; f->small_count++) {
        errno = 0;
        char *p = hm_malloc(f->v->memory, EDGE);
        if (!p) {
            must_be_enomem(f, EDGE);
            return;
        }
        f->smalls[f->small_count] = p;
        hm_pattern_fill(p, EDGE, hm_pattern_key(3, (uint32_t)f->small_count, 2));
    }
}

static void fill_up(struct filling *f) {
    for (f->count = 0; f->count < BLOCKS; f->count++) {
        errno = 0;
        char *p = hm_malloc(f->v->memory, f->size);
        if (!p)
            break;
        f->blocks[f->count] = p;
        mark(f, f->count);
    }
    if (f->count == BLOCKS)
        hm_verify_unsupported(f->v, "the arena is too large to be used up");
    must_be_enomem(f, f->size);
}

static void free_range(struct filling *f, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        hm_free(f->v->memory, f->blocks[i]);
}

/* Half of the blocks are free. */
static void *ask(const struct filling *f, size_t size) {
    void *p = hm_malloc(f->v->memory, size);
    if (!p)
        hm_verify_fail(f->v,
                       "after running out, %zu of %zu blocks of %zu bytes were freed, and "
                       "malloc(%zu) still gave NULL",
                       f->count / 2, f->count, f->size, size);
    return p;
}

/* Fill it up, free half, ask for less and for little. @return how many blocks there were */
static size_t one_cycle(struct filling *f) {
    fill_up(f);
    fill_rest(f);
    check_marks(f);
    free_range(f, 0, f->count / 2);
    bool asks = f->count > 1 && !f->v->no_reuse;
    void *smaller = asks ? ask(f, f->size / 2) : NULL;
    void *small = asks ? ask(f, EDGE) : NULL;
    hm_free(f->v->memory, smaller);
    hm_free(f->v->memory, small);
    free_range(f, f->count / 2, f->count);
    for (size_t i = 0; i < f->small_count; i++)
        hm_free(f->v->memory, f->smalls[i]);
    hm_verify_reset(f->v);
    return f->count;
}

static void check_exhaustion(struct hm_verify *v) {
    struct filling f = {.v = v,
                        .blocks = hm_verify_scratch(v, BLOCKS * sizeof(char *)),
                        .smalls = hm_verify_scratch(v, SMALLS * sizeof(char *))};
    size_t first[FILLING_SIZES] = {0};
    uint64_t cycles = v->no_reuse && !v->resets ? 1 : hm_verify_effort(v, 20000, 6, 50);
    if (!v->may_run_out)
        limit_memory(v);
    for (uint64_t cycle = 0; cycle < cycles; cycle++) {
        size_t kind = cycle % FILLING_SIZES;
        f.size = filling_sizes[kind];
        hm_verify_at(v, "cycle %llu of running out", (unsigned long long)cycle);
        size_t count = one_cycle(&f);
        if (cycle < FILLING_SIZES)
            first[kind] = count;
        if (count < first[kind] / 4)
            hm_verify_fault(v,
                            "only %zu blocks of %zu bytes fit after cycle %llu of running out; "
                            "at first there were %zu",
                            count, f.size, (unsigned long long)cycle, first[kind]);
    }
    if (!first[0])
        hm_verify_unsupported(v, "not one block of %zu bytes fits", filling_sizes[0]);
    if (v->no_reuse)
        hm_verify_unsupported(v, "it ran out with ENOMEM and no block was changed; free gives "
                                 "nothing back until reset, so that none comes back was not asked");
}

static const struct hm_property exhaustion = {
    .name = "exhaustion",
    .summary = "out of memory is NULL with ENOMEM, harms no block, and passes when blocks go",
    .point = 14,
    .threads = 1,
    .run = check_exhaustion,
};
HM_REGISTER(hm_property, exhaustion);

/* A block that lives from the property's begin to the last function of atexit. */
static struct {
    struct hm_verify *v;
    char *block;
    char *of_destructor;
    pthread_key_t key;
    int rounds;
} late;

enum {
    LATE_BYTES = 3000,
    LATE_KEY = 7,
};

static void use_a_little(const char *when) {
    for (size_t size = 1; size < 100000; size *= 3) {
        char *p = hm_verify_malloc(late.v, size);
        hm_pattern_fill(p, size, LATE_KEY);
        p = hm_verify_need(late.v, hm_realloc(late.v->memory, p, size * 2), "realloc", size * 2);
        if (hm_pattern_check(p, size, LATE_KEY) < size)
            hm_verify_fail(late.v, "realloc lost bytes %s", when);
        hm_free(late.v->memory, p);
        char *zero = hm_verify_need(late.v, hm_calloc(late.v->memory, size, 1), "calloc", size);
        if (hm_zero_check(zero, size) < size)
            hm_verify_fail(late.v, "calloc gave what is not zero %s", when);
        hm_free(late.v->memory, zero);
    }
}

/* Called again as long as it sets the key, after the library's own destructors too. */
static void destroy(void *value) {
    hm_verify_at(late.v, "in a destructor of thread-specific data");
    use_a_little("in a destructor of thread-specific data");
    char *p = hm_verify_malloc(late.v, LATE_BYTES);
    hm_pattern_fill(p, LATE_BYTES, LATE_KEY);
    hm_free(late.v->memory, late.of_destructor);
    late.of_destructor = p;
    if (++late.rounds < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(late.key, value);
}

static void *end_with_destructor(void *arg) {
    use_a_little("in a thread");
    pthread_setspecific(late.key, &late);
    return arg;
}

static void check_destructors(struct hm_verify *v) {
    pthread_t thread;
    if (pthread_key_create(&late.key, destroy) ||
        pthread_create(&thread, NULL, end_with_destructor, NULL) || pthread_join(thread, NULL))
        hm_verify_fail(v, "can not start a thread with specific data");
    if (late.rounds == 0 || hm_pattern_check(late.of_destructor, LATE_BYTES, LATE_KEY) < LATE_BYTES)
        hm_verify_fail(v, "a block of a destructor did not outlive its thread");
    hm_free(v->memory, late.of_destructor);
}

/* The loader takes memory for what it loads, and for what it says when it can not. */
static void use_the_loader(struct hm_verify *v) {
    hm_verify_at(v, "dlopen and dlclose");
    for (int i = 0; i < 10; i++) {
        void *handle = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
        if (handle)
            dlclose(handle);
        if (dlopen("./there-is-no-such-library.so", RTLD_NOW) || !dlerror())
            hm_verify_fail(v, "dlopen of a file that does not exist did not fail");
    }
}

static void at_exit(void) {
    struct hm_verify *v = late.v;
    hm_verify_at(v, "in a function of atexit");
    use_a_little("in a function of atexit");
    if (hm_pattern_check(late.block, LATE_BYTES, LATE_KEY) < LATE_BYTES)
        hm_verify_fail(v, "a block of main was changed before a function of atexit");
    hm_free(v->memory, late.block);
    hm_verify_at(v, "in the destructors of the libraries");
    hm_verify_conclude(v, HM_CONFORM_PASSED);
}

static void check_late_early(struct hm_verify *v) {
    if (!v->is_process)
        hm_verify_unsupported(v, "the heap of a plug-in lives from open to close");
    late.v = v;
    if (atexit(at_exit)) /* first, and so called last */
        hm_verify_fail(v, "atexit failed");
    late.block = hm_verify_malloc(v, LATE_BYTES);
    hm_pattern_fill(late.block, LATE_BYTES, LATE_KEY);
    use_the_loader(v);
    check_destructors(v);
    exit(0);
}

static const struct hm_property late_early = {
    .name = "late-early",
    .summary = "the loader, destructors of thread data and atexit can use the heap",
    .point = 15,
    .threads = 1,
    .run = check_late_early,
};
HM_REGISTER(hm_property, late_early);

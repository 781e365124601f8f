/* What the first blocks of a process cost: before any size class has a page, any thread a cache.
 *
 * Every round of a cell is a process of its own, so the set-up of this workload is the place where
 * first times happen, and once. Each thread there allocates, with the clock read around each call, one
 * block first of all, then one of every size class from `min` to `max`: four classes to each power of
 * two, as most allocators have them, with steps of 16 bytes at first. Every block's first byte is
 * written, so that the page that it lies on is the caller's. The figures are these times; with several
 * threads, those of the slowest. run() then goes through the same classes with all of that done:
 * `time_ns` is what the same allocations cost later on.
 *
 * What is first: a heap that the cell opens (pool, first-fit, ...) has served nobody before. A library
 * that takes the place of the process's malloc has served the dynamic linker and the harness, so its
 * own set-up is in no figure; but neither the thread that allocates here nor its large classes have.
 *
 * The clock is read in set-up only, and its own cost is taken off. */
#include "workloads/clock.h"
#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

enum {
    PARAM_MIN,
    PARAM_MAX,
};

enum {
    FIGURE_FIRST,
    FIGURE_CLASS_MEAN,
    FIGURE_CLASS_MAX,
};

enum {
    CLASSES_MAX = 256,
    CLASSES_PER_POWER = 4,
    SMALLEST_STEP_BYTES = 16,
    CLOCK_READS = 64,
};

static const struct hm_param params[] = {
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block, and the very first one",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 32 << 10,
                   .min = 1,
                   .max = 1 << 30},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_FIRST] = {.name = "first_malloc_ns",
                      .unit = "ns",
                      .help = "the very first malloc of the workload, and a write to its block",
                      .better = HM_FIGURE_LOWER_IS_BETTER,
                      .over_threads = HM_FIGURE_MAX},
    [FIGURE_CLASS_MEAN] = {.name = "first_of_class_ns",
                           .unit = "ns",
                           .help = "the first malloc of each size class, and a write, on average",
                           .better = HM_FIGURE_LOWER_IS_BETTER,
                           .over_threads = HM_FIGURE_MAX},
    [FIGURE_CLASS_MAX] = {.name = "first_of_class_max_ns",
                          .unit = "ns",
                          .help = "the first malloc of the size class that took longest",
                          .better = HM_FIGURE_LOWER_IS_BETTER,
                          .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct startup {
    size_t count; /* of classes */
    uint64_t at;  /* operations so far */
    double first_ns;
    double class_mean_ns;
    double class_max_ns;
    bool overlap; /* a block did not hold its mark while all were live */
    size_t sizes[CLASSES_MAX];
    unsigned char *blocks[CLASSES_MAX + 1]; /* the very first one last; NULL but in set-up */
};

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

/* The class after that of `size`: a quarter of the power of two at or below it further on. */
static size_t next_size(size_t size) {
    size_t power = (size_t)1 << (63 - __builtin_clzll(size));
    size_t step = power / CLASSES_PER_POWER;
    return size + (step > SMALLEST_STEP_BYTES ? step : SMALLEST_STEP_BYTES);
}

/* The least that two readings lie apart. */
static double clock_cost_ns(void) {
    double least = INFINITY;
    for (int i = 0; i < CLOCK_READS; i++) {
        uint64_t begin = hm_clock_ns();
        least = fmin(least, (double)(hm_clock_ns() - begin));
    }
    return least;
}

static unsigned char mark_of(size_t index) {
    return (unsigned char)(index % 255 + 1);
}

/* @return nanoseconds; NAN: there was no memory */
static double time_one(struct hm_run *run, size_t index, size_t size, double clock_ns) {
    struct startup *startup = run->state;
    uint64_t begin = hm_clock_ns();
    volatile unsigned char *block = hm_malloc(run->memory, size);
    if (!block)
        return NAN;
    *block = mark_of(index);
    uint64_t end = hm_clock_ns();
    startup->blocks[index] = (unsigned char *)block;
    return fmax((double)(end - begin) - clock_ns, 0);
}

/* @return false when memory ran out */
static bool time_all(struct hm_run *run) {
    struct startup *startup = run->state;
    double clock_ns = clock_cost_ns();
    double sum = 0;
    startup->first_ns = time_one(run, startup->count, startup->sizes[0], clock_ns);
    for (size_t i = 0; i < startup->count; i++) {
        double ns = time_one(run, i, startup->sizes[i], clock_ns);
        sum += ns;
        startup->class_max_ns = fmax(startup->class_max_ns, ns);
    }
    startup->class_mean_ns = sum / (double)startup->count;
    return !isnan(startup->first_ns) && !isnan(sum);
}

static void free_all(const struct hm_memory *memory, struct startup *startup) {
    for (size_t i = 0; i <= startup->count; i++) {
        startup->overlap |= startup->blocks[i] && *startup->blocks[i] != mark_of(i);
        hm_free(memory, startup->blocks[i]);
        startup->blocks[i] = NULL;
    }
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct startup));
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct startup *startup = hm_scratch(sizeof *startup);
    if (!startup)
        return ENOMEM;
    run->state = startup;
    size_t max = (size_t)run->params[PARAM_MAX].number;
    for (size_t size = (size_t)run->params[PARAM_MIN].number; size <= max; size = next_size(size))
        startup->sizes[startup->count++] = size;
    bool enough = time_all(run);
    free_all(run->memory, startup);
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

/* Nothing is drawn: the checksum is of the sizes, and of the seed for the sake of form. */
static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct startup *startup = run->state;
    const uint64_t salt = hm_mix(run->seed + run->thread);
    size_t class = (size_t)(startup->at % startup->count);
    uint64_t done = 0;
    for (; done < units; done++) {
        unsigned char *block = hm_malloc(&memory, startup->sizes[class]);
        if (__builtin_expect(!block, 0))
            break;
        *block = mark_of(class);
        hm_free(&memory, block);
        run->checksum += startup->sizes[class] + salt;
        class = class + 1 < startup->count ? class + 1 : 0;
    }
    startup->at += done;
    return done;
}

static void measure(struct hm_run *run, double *values) {
    const struct startup *startup = run->state;
    values[FIGURE_FIRST] = startup->first_ns;
    values[FIGURE_CLASS_MEAN] = startup->class_mean_ns;
    values[FIGURE_CLASS_MAX] = startup->class_max_ns;
}

static const char *verify(struct hm_run *run) {
    const struct startup *startup = run->state;
    return startup->overlap ? "a live block does not hold what was written to it" : NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    (void)run;
    return 0;
}

static const struct hm_workload startup = {
    HM_WORKLOAD_VARIANT,
    .name = "startup",
    .summary =
        "the first block of a fresh process, and of each size class; then the same again, warm",
    .stresses = "setting up a heap, a thread's cache and each size class",
    .origin =
        "ours; size classes as in jemalloc: steps of 16 bytes, then four to each power of two",
    .op = "malloc and its free, warm",
    .params = params,
    .figures = figures,
    .measure = measure,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, startup);

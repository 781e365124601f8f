/* glibc's smallest benchmark of malloc: allocate some blocks of one size, free them all, again.
 *
 * The original does it with 25, 100, 400 and 1600 blocks: as many as a thread's cache of one size
 * holds, and far more. It does so on the main thread of a process without others, on a second thread,
 * and on the main thread after that one: an allocator may go without locks only in the first case, and
 * may give the second one a heap of its own. Blocks are not written to, as in glibc's own version, so
 * the time is the allocator's; mimalloc-bench's writes all of each.
 *
 * There is nothing to draw: all seeds and threads do the same.
 *
 * A unit is so many rounds that 1600 blocks were allocated, with each of the counts. */
#include "workloads/scratch.h"
#include "workloads/threads.h"

#include <errno.h>
#include <string.h>

enum {
    PARAM_SIZE,
    PARAM_COUNT,
    PARAM_ORDER,
    PARAM_WHERE,
};

enum order {
    ORDER_HALVES,
    ORDER_FIFO,
};

enum where {
    WHERE_HERE,
    WHERE_FRESH,
    WHERE_AFTER,
};

enum {
    MOST = 1600,
};

/* In the order of the parameter's choices, of which the first is all of them. */
static const unsigned counts[] = {25, 100, 400, MOST};
enum {
    COUNTS = sizeof counts / sizeof *counts,
};

static const struct hm_param params[] = {
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help = "size of every block",
                    .kind = HM_PARAM_BYTES,
                    .initial = 16,
                    .min = 1,
                    .max = 1 << 20},
    [PARAM_COUNT] = {.name = "count",
                     .unit = "blocks",
                     .help = "live blocks at most; all: each of them in turn",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 0,
                     .choices = "all|25|100|400|1600"},
    [PARAM_ORDER] = {.name = "order",
                     .unit = "",
                     .help = "of the frees; halves: one half as allocated, the other in reverse",
                     .kind = HM_PARAM_CHOICE,
                     .initial = ORDER_HALVES,
                     .choices = "halves|fifo"},
    [PARAM_WHERE] = {.name = "where",
                     .unit = "",
                     .help = "the thread: the cell's own, a fresh one, or its own after such a one",
                     .kind = HM_PARAM_CHOICE,
                     .initial = WHERE_HERE,
                     .choices = "here|fresh|after"},
    {.name = NULL},
};

struct simple {
    size_t size;
    enum order order;
    enum where where;
    unsigned first; /* of the counts */
    unsigned last;
    unsigned char *blocks[MOST];
};

static unsigned counts_in_unit(const struct hm_value *values) {
    return values[PARAM_COUNT].number == 0 ? COUNTS : 1;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)MOST * counts_in_unit(values);
}

static unsigned own_threads(const struct hm_value *values, unsigned threads) {
    return values[PARAM_WHERE].number == WHERE_HERE ? 0 : threads;
}

__attribute__((noinline)) static bool allocate(const struct hm_run *run, unsigned char **blocks,
                                               size_t count, size_t size) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    for (size_t i = 0; i < count; i++) {
        blocks[i] = hm_malloc(&memory, size);
        if (__builtin_expect(!blocks[i], 0)) {
            while (i > 0)
                hm_free(&memory, blocks[--i]);
            return false;
        }
    }
    return true;
}

__attribute__((noinline)) static void release(const struct hm_run *run, unsigned char **blocks,
                                              size_t count, enum order order) {
    const struct hm_memory memory = *run->memory;
    size_t forward = order == ORDER_FIFO ? count : count / 2;
    for (size_t i = 0; i < forward; i++)
        hm_free(&memory, blocks[i]);
    for (size_t i = count; i > forward; i--)
        hm_free(&memory, blocks[i - 1]);
}

static bool do_rounds(struct hm_run *run, struct simple *simple, unsigned count) {
    for (unsigned round = 0; round < MOST / count; round++) {
        if (!allocate(run, simple->blocks, count, simple->size))
            return false;
        release(run, simple->blocks, count, simple->order);
    }
    return true;
}

static uint64_t work(struct hm_run *run, uint64_t units) {
    struct simple *simple = run->state;
    for (uint64_t done = 0; done < units; done++) {
        for (unsigned i = simple->first; i <= simple->last; i++)
            if (!do_rounds(run, simple, counts[i]))
                return done;
        run->checksum += simple->size * (simple->first + 10 * simple->last + 1);
    }
    return units;
}

static int setup(struct hm_run *run) {
    struct simple *simple = hm_scratch(sizeof *simple);
    if (!simple)
        return ENOMEM;
    int64_t chosen = run->params[PARAM_COUNT].number;
    simple->size = (size_t)run->params[PARAM_SIZE].number;
    simple->order = (enum order)run->params[PARAM_ORDER].number;
    simple->where = (enum where)run->params[PARAM_WHERE].number;
    simple->first = chosen ? (unsigned)chosen - 1 : 0;
    simple->last = chosen ? (unsigned)chosen - 1 : COUNTS - 1;
    run->state = simple;
    if (simple->where != WHERE_AFTER || hm_run_fresh(run, 1, work) == 1)
        return 0;
    hm_scratch_free(simple, sizeof *simple);
    run->state = NULL;
    return ENOMEM;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct simple *simple = run->state;
    return simple->where == WHERE_FRESH && units ? hm_run_fresh(run, units, work)
                                                 : work(run, units);
}

static bool holds_marks(const struct simple *simple, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < simple->size; at++)
            if (simple->blocks[i][at] != (unsigned char)(i % 255))
                return false;
    return true;
}

/* One more round, whose blocks are written to: they must not overlap. It is not part of the work. */
static const char *verify(struct hm_run *run) {
    struct simple *simple = run->state;
    const size_t count = counts[simple->last]; /* as many as there was memory for */
    if (!allocate(run, simple->blocks, count, simple->size))
        return "memory ran out in the round for verification";
    for (size_t i = 0; i < count; i++)
        memset(simple->blocks[i], (int)(i % 255), simple->size);
    bool is_whole = holds_marks(simple, count);
    release(run, simple->blocks, count, simple->order);
    return is_whole ? NULL : "a live block does not hold what was written to it";
}

static uint64_t live_bytes(const struct hm_run *run) {
    (void)run;
    return 0;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct simple));
    run->state = NULL;
}

static const struct hm_workload simple = {
    HM_WORKLOAD_VARIANT,
    .name = "simple",
    .summary = "allocate up to 1600 blocks of one size, free them all, again",
    .stresses = "the fast path, and the cache of a thread and what lies behind it",
    .origin = "glibc's bench-malloc-simple.c (order=fifo); order=halves is that of glibc-simple in "
              "mimalloc-bench, which also writes the blocks: 25, 100, 400 and 1600 of a size",
    .op = "malloc and its free",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .own_threads = own_threads,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, simple);

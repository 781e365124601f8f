/* The workload's interface: a generator of operations on a heap or on a collector's objects.
 *
 * Vocabulary
 *   unit       the smallest amount of work that run() can be asked for; it holds ops_per_unit()
 *              operations (1 for most heap workloads, a whole tree for some object workloads).
 *   variant    a heap workload is compiled once for each shape of allocator, an object workload
 * once for each collector; all variants of one file share name, parameters and operations.
 *
 * Rules
 *   The operations depend only on (seed, thread, params), never on what the allocator answers:
 * every arm does the same work, and the checksums of all arms are equal. Sizes, slots and lifetimes
 * are drawn in setup(). run() has no clock, no I/O and no call of the C library's malloc; all
 * memory of its own comes from hm_scratch(), which is mapped and touched before the clock starts.
 * The exceptions are named where they are: a figure that is a time within the work (the longest
 * insert), threads or processes that come and go as part of it. */
#ifndef HM_WORKLOADS_WORKLOAD_H
#define HM_WORKLOADS_WORKLOAD_H

#include "allocators/allocator.h"

struct hm_mutator; /* collectors/collector.h */

enum hm_workload_kind {
    HM_WORKLOAD_HEAP = 1,    /* uses run->memory */
    HM_WORKLOAD_OBJECT = 2,  /* uses run->mutator */
    HM_WORKLOAD_THREAD = 3,  /* threads that share memory, and no heap */
    HM_WORKLOAD_PROCESS = 4, /* processes that share memory, and no heap but in there */
    HM_WORKLOAD_PROGRAM = 5, /* a whole program, which is none of ours: `heapmark exec` */
};

/** A figure that only the workload can know: updates lost, the longest insert, bytes given back. It
 *  becomes a metric of the cell, under this name. */
struct hm_figure {
    const char *name; /* ends in its unit, or is a count; one meaning in all workloads */
    const char *unit;
    const char *help; /* one line, no full stop */
    enum {
        HM_FIGURE_LOWER_IS_BETTER,
        HM_FIGURE_HIGHER_IS_BETTER,
        HM_FIGURE_NEITHER_IS_BETTER,
    } better;
    enum { /* of the values of all threads */
        HM_FIGURE_SUM,
        HM_FIGURE_MAX,
        HM_FIGURE_MIN,
    } over_threads;
};

/** What one thread of a cell works with. Owned by the engine; `state` by the workload. */
struct hm_run {
    const struct hm_memory *memory; /* heap workloads */
    struct hm_mutator *mutator;     /* object workloads */
    const struct hm_value *params;  /* in the order of the descriptor's table */
    uint64_t seed;                  /* of the whole cell: mix it with `thread` */
    unsigned thread;                /* 0 .. threads-1 */
    unsigned threads;
    bool together;   /* objects: one collector for all threads, which may see each other's */
    const int *cpus; /* of each thread of the cell: where it is pinned, -1 where it is not */
    void *shared;    /* shared_bytes() of zeroed scratch, one for all threads of the cell */
    const int
        *process_cpus; /* of each of processes(): where it is to be pinned, -1 where it is not;
                                NULL: none is */
    int *process_pins; /* setup() writes here where each one is, as read back; may be NULL */
    const char
        *failed; /* set by setup() or run() that failed, and not for want of memory: one line */
    void *state; /* set by setup() */
    uint64_t checksum; /* updated by run(): a digest of the work done, equal for every arm */

    /** Set by the engine, NULL without one: see hm_run_enter. */
    int (*enter)(const struct hm_run *run);
    void (*leave)(const struct hm_run *run);
};

/** For a thread that the workload starts: before its first call of the heap. Without an engine there
 *  is one heap to tell, with nothing beneath.
 *  @return 0, or a positive errno and the heap is not for it */
static inline int hm_run_enter(const struct hm_run *run) {
    if (run->enter)
        return run->enter(run);
    const struct hm_memory *memory = run->memory;
    return memory->allocator->enter ? memory->allocator->enter(memory->heap) : 0;
}

/** Before such a thread ends. */
static inline void hm_run_leave(const struct hm_run *run) {
    if (run->leave)
        run->leave(run);
    else if (run->memory->allocator->leave)
        run->memory->allocator->leave(run->memory->heap);
}

struct hm_workload {
    const char *name;
    const char *summary;  /* one line: what it does */
    const char *stresses; /* one line: which mechanism of a heap it tells about */
    const char *origin;   /* paper or program, with its parameters */
    const char *op;       /* what one operation is: "free and malloc", "node allocated" */
    const struct hm_param *params;
    unsigned max_threads; /* 0: any number */
    /** Figures of its own; the table ends with a NULL name. NULL: none. */
    const struct hm_figure *figures;
    /** Untimed, after the last run() and before verify(): what this thread's work since the warm-up
     *  came to. Called once at the end of the warm-up, too, where its values are thrown away: so what
     *  is counted or kept is from the call before, if there was one.
     *  @param values one for each of `figures`, NAN to start with: leave what is not known */
    void (*measure)(struct hm_run *run, double *values);

    /** What these values of the parameters, each of which is in its range, contradict each other in:
     *  one line without the workload's name. NULL: nothing; as a member: there is nothing to check. */
    const char *(*conflict)(const struct hm_value *params);
    /** What a collector has to be able to do (enum hm_collector_cap), or there is no work to be
     *  measured: others are skipped. NULL means 0. */
    unsigned (*needs)(const struct hm_value *params);
    /** Of enum hm_allocator_cap: an allocator with one of these can not do the work, and is skipped. */
    unsigned unfit;

    /** Operations in one unit, at least 1. NULL means 1. */
    uint64_t (*ops_per_unit)(const struct hm_value *params);
    /** Whether a unit is what all threads do together, so that its operations are those of all of them. */
    bool is_unit_of_all;
    /** Threads that there is work for, where the parameters say so. NULL means any number. */
    unsigned (*most_threads)(const struct hm_value *params);
    /** Threads that the workload starts itself, at most so many at once in the whole cell. NULL means 0. */
    unsigned (*own_threads)(const struct hm_value *params, unsigned threads);
    /** Processes that the workload starts, each of which gets a CPU. NULL means 0. */
    unsigned (*processes)(const struct hm_value *params);
    /** Of a process workload: whether its processes use run->memory together, which then is a heap in
     *  memory that forked processes share. Allocators that have none are skipped. */
    bool shared_heap;
    /** Bytes of `run->shared`. NULL means 0. Main thread, before any setup(). */
    size_t (*shared_bytes)(const struct hm_value *params, unsigned threads);
    /** Draw the script and fill the heap to its starting state. Untimed, on the pinned thread.
     *  @return 0, or a positive errno, and nothing is held (ENOMEM: the heap is too small to start;
     *  EINVAL: the parameters do not fit each other) */
    int (*setup)(struct hm_run *run);
    /** Untimed, before each unit, which run() is then asked for by itself: make what the unit takes
     *  away, so that only the taking away is measured. All threads have done it before one runs, and
     *  none does it before all have run. May be called twice for one unit. NULL: units are run many at a
     *  time, and nothing is left out.
     *  @return 0 or ENOMEM, and the heap is still consistent */
    int (*prepare)(struct hm_run *run);
    /** Timed and hot. Do `units` units, continuing where the last call ended.
     *  @return units done; fewer than asked means out of memory, with the heap still consistent, unless
     *  run->failed says what else it is */
    uint64_t (*run)(struct hm_run *run, uint64_t units);
    /** Do a part of one unit, of which there are `parts`, in order and after prepare(): in the space pass,
     *  which looks at the heap between two of them, and whose heap is a fresh one. NULL: units are many
     *  and small, and are looked at one by one.
     *  @return false: as for a run() that did fewer units */
    bool (*run_part)(struct hm_run *run, unsigned part, unsigned parts);
    /** Untimed, after run(). Leaves the checksum as it is.
     *  @return NULL, or one line that says what broke */
    const char *(*verify)(struct hm_run *run);
    /** Bytes that the workload holds now, as requested. Untimed. NULL: not known (objects). */
    uint64_t (*live_bytes)(const struct hm_run *run);
    /** Objects that the workload uses between two units. Untimed. NULL: none (or no objects at all). */
    uint64_t (*live_objects)(const struct hm_run *run);
    /** Free everything that setup() and run() hold, on the thread of setup(). Untimed. */
    void (*teardown)(struct hm_run *run);

    /* Filled in by HM_WORKLOAD_VARIANT; never by hand. */
    enum hm_workload_kind kind;
    int shape;             /* of heap workloads */
    const char *collector; /* of object workloads: its name */
};

/** Whether it works on a heap of its own process, whose space can be measured. */
static inline bool hm_workload_has_heap(const struct hm_workload *workload) {
    return workload->kind == HM_WORKLOAD_HEAP || workload->kind == HM_WORKLOAD_OBJECT;
}

/** Whether an allocator can make a difference to it. */
static inline bool hm_workload_uses_allocator(const struct hm_workload *workload) {
    return hm_workload_has_heap(workload) || workload->shared_heap;
}

/* Put HM_WORKLOAD_VARIANT at the head of every descriptor. The build defines HM_SHAPE for files of
 * workloads/heap/, HM_COLLECTOR and HM_COLLECTOR_HEADER for those of workloads/object/, and HM_KIND
 * for those of workloads/thread/ and workloads/process/, of which there is one variant. */
#if defined(HM_COLLECTOR)
#define HM_WORKLOAD_STRING_(x) #x
#define HM_WORKLOAD_STRING(x)  HM_WORKLOAD_STRING_(x)
#define HM_WORKLOAD_VARIANT                                                                        \
    .kind = HM_WORKLOAD_OBJECT, .collector = HM_WORKLOAD_STRING(HM_COLLECTOR)
#elif defined(HM_SHAPE)
#define HM_WORKLOAD_VARIANT .kind = HM_WORKLOAD_HEAP, .shape = HM_SHAPE
#elif defined(HM_KIND)
#define HM_WORKLOAD_VARIANT .kind = HM_KIND
#endif

#endif

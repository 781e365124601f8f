/* One counter or free list for all threads, one for each thread, or one for each core.
 *
 * Vocabulary
 *   place    a counter, or a free list and its lock. Of one thread it needs neither lock nor atomic
 *            operation; of one core it does, as a thread can be moved or interrupted in the middle of an
 *            operation, but the line stays in that core's cache.
 *   node     of a free list. An operation takes one, writes it, and puts it back. There are `nodes` for each
 *            thread, and each thread has at most one in its hand.
 *
 * Invariants
 *   The counters of all places together are the operations done.
 *   Every node is in one list between two units. Those of a core's list may become others, or none: a
 *   thread that is moved puts its node where it is then. Who finds a list empty goes on to the next. */
#include "workloads/lanes.h"
#include "workloads/locks.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <sched.h>

enum {
    PARAM_DATA,
    PARAM_KIND,
    PARAM_NODES,
    PARAM_APART,
};

enum {
    DATA_SHARED,
    DATA_THREAD,
    DATA_CORE,
};

enum {
    KIND_COUNTER,
    KIND_LIST,
};

static const struct hm_param params[] = {
    [PARAM_DATA] = {.name = "data",
                    .unit = "",
                    .help = "one for all threads, for each thread, or for each core",
                    .kind = HM_PARAM_CHOICE,
                    .choices = "shared|thread|core",
                    .initial = DATA_THREAD},
    [PARAM_KIND] = {.name = "kind",
                    .unit = "",
                    .help = "what it is",
                    .kind = HM_PARAM_CHOICE,
                    .choices = "counter|list",
                    .initial = KIND_COUNTER},
    [PARAM_NODES] = {.name = "nodes",
                     .unit = "nodes",
                     .help = "nodes in the free lists for each thread",
                     .kind = HM_PARAM_COUNT,
                     .initial = 16,
                     .min = 2,
                     .max = 100000},
    [PARAM_APART] = {.name = "apart",
                     .unit = "bytes",
                     .help = "distance of two places; less than a cache line: false sharing",
                     .kind = HM_PARAM_BYTES,
                     .initial = HM_SPIN_APART,
                     .min = 16,
                     .max = 4096},
    {.name = NULL},
};

struct node {
    _Alignas(64) struct node *next;
    uint64_t uses;
};

/* As many bytes as `apart` can be at least. */
struct place {
    union {
        uint64_t value;     /* counter */
        struct node *first; /* list */
    };
    uint32_t lock;
};

/* Where things lie in run->shared: the lanes, the nodes, the places. */
struct layout {
    struct hm_lane *lanes;
    struct node *nodes;
    char *places;
    size_t place_count, apart, node_count;
};

struct state {
    struct layout at;
    int data, kind;
};

static size_t places_of(const struct hm_value *values, unsigned threads) {
    if (values[PARAM_DATA].number == DATA_THREAD)
        return threads;
    return values[PARAM_DATA].number == DATA_CORE ? (size_t)sysconf(_SC_NPROCESSORS_CONF) : 1;
}

static size_t nodes_of(const struct hm_value *values, unsigned threads) {
    bool lists = values[PARAM_KIND].number == KIND_LIST;
    return lists ? (size_t)values[PARAM_NODES].number * threads : 0;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    return threads * sizeof(struct hm_lane) + nodes_of(values, threads) * sizeof(struct node) +
           places_of(values, threads) * (size_t)values[PARAM_APART].number;
}

static const char *conflict(const struct hm_value *values) {
    return values[PARAM_APART].number % 8 ? "apart must be a multiple of 8" : NULL;
}

static struct layout layout_of(const struct hm_run *run) {
    struct hm_lane *lanes = run->shared;
    struct node *nodes = (struct node *)(void *)(lanes + run->threads);
    size_t node_count = nodes_of(run->params, run->threads);
    return (struct layout){.lanes = lanes,
                           .nodes = nodes,
                           .places = (char *)(nodes + node_count),
                           .place_count = places_of(run->params, run->threads),
                           .apart = (size_t)run->params[PARAM_APART].number,
                           .node_count = node_count};
}

static inline struct place *place_at(const struct layout *at, size_t index) {
    return (struct place *)(void *)(at->places + index * at->apart);
}

static inline void put(struct place *place, struct node *node) {
    node->next = place->first;
    place->first = node;
}

/* The first thread fills the lists, in turn. */
static int setup(struct hm_run *run) {
    struct state *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->at = layout_of(run);
    state->data = (int)run->params[PARAM_DATA].number;
    state->kind = (int)run->params[PARAM_KIND].number;
    for (size_t i = 0; run->thread == 0 && i < state->at.node_count; i++)
        put(place_at(&state->at, i % state->at.place_count), &state->at.nodes[i]);
    return 0;
}

/* ---- Running ---- */

/* Of the core that we run on; soon we may run on another one. */
static inline size_t core_index(const struct layout *at) {
    int cpu = sched_getcpu();
    return cpu < 0 ? 0 : (size_t)cpu % at->place_count;
}

__attribute__((noinline)) static void count_alone(struct place *place, uint64_t units) {
    for (uint64_t i = 0; i < units; i++) {
        place->value++;
        __atomic_signal_fence(__ATOMIC_SEQ_CST); /* each is written */
    }
}

__attribute__((noinline)) static void count_shared(struct place *place, uint64_t units) {
    for (uint64_t i = 0; i < units; i++)
        __atomic_fetch_add(&place->value, 1, __ATOMIC_RELAXED);
}

__attribute__((noinline)) static void count_on_core(const struct layout *at, uint64_t units) {
    for (uint64_t i = 0; i < units; i++)
        __atomic_fetch_add(&place_at(at, core_index(at))->value, 1, __ATOMIC_RELAXED);
}

static inline struct node *take_locked(struct place *place) {
    hm_lock_take_spin(&place->lock);
    struct node *node = place->first;
    if (node)
        place->first = node->next;
    hm_lock_drop_spin(&place->lock);
    return node;
}

static inline void put_locked(struct place *place, struct node *node) {
    hm_lock_take_spin(&place->lock);
    put(place, node);
    hm_lock_drop_spin(&place->lock);
}

/* There are more nodes than hands: one of the lists has some. */
static inline struct node *take_from(const struct layout *at, size_t index) {
    struct node *node = take_locked(place_at(at, index));
    unsigned spins = 0;
    while (__builtin_expect(!node, 0)) {
        index = index + 1 < at->place_count ? index + 1 : 0;
        node = take_locked(place_at(at, index));
        hm_spin_wait(&spins);
    }
    return node;
}

__attribute__((noinline)) static void use_alone(struct place *place, uint64_t units) {
    for (uint64_t i = 0; i < units; i++) {
        struct node *node = place->first;
        place->first = node->next;
        node->uses++;
        put(place, node);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
}

__attribute__((noinline)) static void use_shared(const struct layout *at, uint64_t units) {
    for (uint64_t i = 0; i < units; i++) {
        struct node *node = take_from(at, 0);
        node->uses++;
        put_locked(place_at(at, 0), node);
    }
}

__attribute__((noinline)) static void use_on_core(const struct layout *at, uint64_t units) {
    for (uint64_t i = 0; i < units; i++) {
        struct node *node = take_from(at, core_index(at));
        node->uses++;
        put_locked(place_at(at, core_index(at)), node);
    }
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct state *state = run->state;
    bool counter = state->kind == KIND_COUNTER;
    if (state->data == DATA_THREAD)
        (counter ? count_alone : use_alone)(place_at(&state->at, run->thread), units);
    else if (state->data == DATA_SHARED && counter)
        count_shared(place_at(&state->at, 0), units);
    else if (state->data == DATA_SHARED)
        use_shared(&state->at, units);
    else
        (counter ? count_on_core : use_on_core)(&state->at, units);
    hm_lane_add(run, state->at.lanes, units);
    return units;
}

/* ---- After the run ---- */

/* All counters, or the uses of all nodes that are in lists; @param found how many nodes are. */
static uint64_t sum(const struct state *state, size_t *found) {
    uint64_t all = 0;
    for (size_t i = 0; i < state->at.place_count; i++) {
        const struct place *place = place_at(&state->at, i);
        if (state->kind == KIND_COUNTER)
            all += place->value;
        else /* no list is longer than all nodes, unless it is a ring */
            for (const struct node *n = place->first; n && *found <= state->at.node_count;
                 n = n->next) {
                all += n->uses;
                ++*found;
            }
    }
    return all;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    size_t found = 0;
    uint64_t all = sum(state, &found);
    if (found != state->at.node_count)
        return "the free lists have lost or doubled a node";
    return all == hm_lanes_done(run, state->at.lanes) ? NULL
           : state->kind == KIND_COUNTER ? "the counters are not the number of operations"
                                         : "two threads had the same node in their hands";
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct state));
}

static const struct hm_workload threadlocal = {
    HM_WORKLOAD_VARIANT,
    .name = "threadlocal",
    .summary =
        "count, or take a node from a free list and put it back: shared, per thread, per core",
    .stresses = "where an allocator keeps its state: contention, thread-local data, per-core data",
    .origin =
        "heapmark; after the caches of tcmalloc (per thread, per core) and Dice and Garthwaite, "
        "ISMM 2002",
    .op = "increment, or take and put back",
    .params = params,
    .conflict = conflict,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, threadlocal);

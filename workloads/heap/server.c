/* Larson and Krishnan's server: each block is freed by whoever serves the client then, not by the
 * thread that allocated it.
 *
 * In the original a thread replaces random blocks of its array of slots and, after `rounds` times
 * `slots` replacements, starts a successor on the same array and exits; the successor frees what
 * its predecessor had allocated. Blocks so "bleed" from thread to thread.
 *
 * Here the threads of a cell are fixed and pinned, so that the arrays go round instead: after a
 * stretch of `rounds` times `slots` operations all threads meet, and each takes over the array of
 * its neighbour. The same number of blocks outlives its thread's stretch as in the original. With
 * `successor=on` each stretch is also done by a fresh thread that inherits the CPU, which meets the
 * original's second point: the allocating thread no longer exists. That is off by default, because
 * starting a thread takes some 40 us, and the C library allocates for it, inside the timed code.
 *
 * Invariants
 *   A stretch is a count of operations, and all threads are asked for equally many. So who holds
 *   which array, and each thread's checksum, depend on (seed, thread) alone.
 *   After n hand-overs thread t holds array (t + n) % threads; no array has two holders.
 *   A thread that runs out of memory stops all: the others leave at the next meeting, holding what
 *   they held, and no later run() does anything. */
#include "workloads/slots.h"
#include "workloads/threads.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>

enum {
    PARAM_MIN,
    PARAM_MAX,
    PARAM_SLOTS,
    PARAM_ROUNDS,
    PARAM_SUCCESSOR,
};

enum {
    TOUCH_BYTES = 2, /* as the original: the first two of a new block */
    AGE_ROUNDS = 4,  /* as the original: replacements for each slot before the clock starts */
    SLOTS_APART = 8, /* 128 bytes: arrays of two threads share no pair of cache lines */
};

static const struct hm_param params[] = {
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 8,
                   .min = TOUCH_BYTES,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 999,
                   .min = TOUCH_BYTES,
                   .max = 1 << 30},
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "live blocks of each thread",
                     .kind = HM_PARAM_COUNT,
                     .initial = 5000,
                     .min = 1,
                     .max = 1000000},
    [PARAM_ROUNDS] = {.name = "rounds",
                      .unit = "operations/slot",
                      .help = "length of a stretch, before the slots change hands",
                      .kind = HM_PARAM_COUNT,
                      .initial = 100,
                      .min = 1,
                      .max = 1000000},
    [PARAM_SUCCESSOR] = {.name = "successor",
                         .unit = "",
                         .help = "whether a fresh thread does each stretch",
                         .kind = HM_PARAM_CHOICE,
                         .initial = 0,
                         .choices = "off|on"},
    {.name = NULL},
};

/* In run->shared: this, then an array of slots for each thread. */
struct meetings {
    _Alignas(128) atomic_uint_fast64_t arrived; /* at all meetings so far */
    atomic_bool stopped;                        /* memory ran out in some thread */
};

/* One mapping: this, the steps. */
struct server {
    struct hm_slots set; /* its slots are the array that is held now */
    uint64_t stretch;    /* operations between two hand-overs */
    uint64_t left;       /* of this stretch */
    uint64_t handovers;  /* done so far */
    bool successor;
    size_t bytes;
};

static size_t array_slots(const struct hm_value *values) {
    size_t slots = (size_t)values[PARAM_SLOTS].number;
    return (slots + SLOTS_APART - 1) / SLOTS_APART * SLOTS_APART;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    return sizeof(struct meetings) + threads * array_slots(values) * sizeof(struct hm_slot);
}

/* The array that is this thread's now. */
static struct hm_slot *held_array(const struct hm_run *run) {
    const struct server *server = run->state;
    struct hm_slot *arrays = (struct hm_slot *)((struct meetings *)run->shared + 1);
    return arrays + (run->thread + server->handovers) % run->threads * array_slots(run->params);
}

static struct server *map_server(size_t slots) {
    size_t steps = hm_slots_script_length(slots);
    size_t bytes = sizeof(struct server) + steps * sizeof(struct hm_step);
    struct server *server = hm_scratch(bytes);
    if (!server)
        return NULL;
    server->bytes = bytes;
    server->set.slot_count = slots;
    server->set.steps = (struct hm_step *)(server + 1);
    server->set.step_count = steps;
    return server;
}

static void teardown(struct hm_run *run) {
    struct server *server = run->state;
    hm_slots_free(run->memory, &server->set);
    hm_scratch_free(server, server->bytes);
    run->state = NULL;
}

__attribute__((noinline)) static uint64_t serve(struct hm_run *run, uint64_t units) {
    struct server *server = run->state;
    return hm_slots_run(run, &server->set, units, TOUCH_BYTES);
}

/* Fill the array and let it age, as the original's main thread does. */
static bool start(struct hm_run *run, const struct hm_sizes *sizes) {
    struct server *server = run->state;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    hm_slots_draw(&server->set, sizes, &random);
    if (!hm_slots_fill(run->memory, &server->set, sizes, &random, TOUCH_BYTES))
        return false;
    uint64_t age = AGE_ROUNDS * (uint64_t)server->set.slot_count;
    return serve(run, age) == age;
}

static unsigned own_threads(const struct hm_value *values, unsigned threads) {
    return values[PARAM_SUCCESSOR].number ? threads : 0;
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static int setup(struct hm_run *run) {
    const struct hm_sizes sizes = {HM_SIZES_UNIFORM, (uint32_t)run->params[PARAM_MIN].number,
                                   (uint32_t)run->params[PARAM_MAX].number};
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    struct server *server = map_server((size_t)run->params[PARAM_SLOTS].number);
    if (!server)
        return ENOMEM;
    run->state = server;
    server->set.slots = held_array(run);
    server->stretch = server->set.slot_count * (uint64_t)run->params[PARAM_ROUNDS].number;
    server->left = server->stretch;
    server->successor = run->params[PARAM_SUCCESSOR].number;
    if (start(run, &sizes))
        return 0;
    teardown(run);
    return ENOMEM;
}

/* Wait for all threads, then take over the neighbour's array. A meeting that all have come to takes
 * place, even if one of them has been stopped since: either all threads change, or none does.
 * @return false when another thread ran out of memory instead of coming */
static bool hand_over(struct hm_run *run) {
    struct server *server = run->state;
    struct meetings *meetings = run->shared;
    uint64_t all = (server->handovers + 1) * run->threads;
    atomic_fetch_add(&meetings->arrived, 1);
    while (atomic_load(&meetings->arrived) < all) {
        if (atomic_load(&meetings->stopped) && atomic_load(&meetings->arrived) < all)
            return false;
        sched_yield();
    }
    server->handovers++;
    server->left = server->stretch;
    server->set.slots = held_array(run);
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct server *server = run->state;
    struct meetings *meetings = run->shared;
    uint64_t done = 0;
    while (done < units && !atomic_load(&meetings->stopped)) {
        uint64_t asked = units - done < server->left ? units - done : server->left;
        uint64_t served = server->successor ? hm_run_fresh(run, asked, serve) : serve(run, asked);
        done += served;
        server->left -= served;
        if (served < asked)
            atomic_store(&meetings->stopped, true);
        else if (server->left == 0 && !hand_over(run))
            break;
    }
    return done;
}

static const char *verify(struct hm_run *run) {
    const struct server *server = run->state;
    return hm_slots_verify(&server->set, TOUCH_BYTES);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct server *server = run->state;
    return hm_slots_live_bytes(&server->set);
}

static const struct hm_workload server = {
    HM_WORKLOAD_VARIANT,
    .name = "server",
    .summary = "threads replace random blocks, and take over each other's blocks now and then",
    .stresses = "frees of blocks that another thread allocated",
    .origin = "Larson and Krishnan, ISMM 1998, as larson 5 8 1000 5000 100 4141 in mimalloc-bench: "
              "sizes in [8, 1000)",
    .op = "free and malloc",
    .params = params,
    .conflict = conflict,
    .shared_bytes = shared_bytes,
    .own_threads = own_threads,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, server);

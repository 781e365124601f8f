/* GCBench in each thread, with holes: garbage of many sizes between the nodes, so that what lives does
 * not lie as regularly as it does in gcbench.
 *
 * A unit is the program of gcbench without its stretch tree, in each thread. Before each node something
 * without references is made and dropped, or nothing: k words with the probability 0.15 x 0.85^k. The
 * sizes are drawn into a table of 256, which each thread goes through again and again. */
#include "workloads/gcbench.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    HOLES = 256,
    ACCEPTED_PERCENT = 15,
    LARGEST_WORDS = 63, /* one of 30000 draws is above; it is made so large */
};

static const struct hm_param params[] = {HM_GCBENCH_PARAMS(
    "depth of the tree whose nodes, twice, each depth gets; it is not built", 12, 10, 2, 4, 10)};

#define HOLE(words)                                                                                \
    { .name = "hole", .payload_bytes = (words) * sizeof(uint64_t) }
#define HOLES_4(words) HOLE(words), HOLE((words) + 1), HOLE((words) + 2), HOLE((words) + 3)
#define HOLES_16(words)                                                                            \
    HOLES_4(words), HOLES_4((words) + 4), HOLES_4((words) + 8), HOLES_4((words) + 12)

/* One for each number of words: the size is the type's. The first one is not used. */
static const struct hm_type hole_types[LARGEST_WORDS + 1] = {HOLES_16(0), HOLES_16(16),
                                                             HOLES_16(32), HOLES_16(48)};

struct mtgcbench {
    const char *broken;   /* what the program found wrong with its long-lived data, or NULL */
    uint8_t at;           /* wraps at HOLES */
    uint8_t words[HOLES]; /* of each hole; 0: none */
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return hm_gcbench_nodes(values);
}

/* The first number, counted from 0, that is accepted. */
static uint8_t draw_words(struct hm_random *random) {
    uint8_t words = 0;
    while (words < LARGEST_WORDS && hm_random_below(random, 100) >= ACCEPTED_PERCENT)
        words++;
    return words;
}

static int setup(struct hm_run *run) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    struct mtgcbench *state = run->state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    for (unsigned i = 0; i < HOLES; i++)
        state->words[i] = draw_words(&random);
    return 0;
}

/* @return false: out of memory */
static inline bool leave_hole(struct hm_run *run, unsigned words) {
    struct hm_object *hole = hm_new(run->mutator, &hole_types[words]);
    if (!hole)
        return false;
    run->checksum += words;
    hm_dispose(run->mutator, hole);
    hm_release(run->mutator, hole);
    return true;
}

static inline struct hm_object *hm_gcbench_node(struct hm_run *run) {
    struct mtgcbench *state = run->state;
    unsigned words = state->words[state->at++];
    if (words && !leave_hole(run, words))
        return NULL;
    return hm_new(run->mutator, &hm_gcbench_node_type);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct mtgcbench *state = run->state;
    for (uint64_t done = 0; done < units; done++)
        if (!hm_gcbench_program(run, &state->broken))
            return done;
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct mtgcbench *state = run->state;
    return state->broken;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct mtgcbench));
    run->state = NULL;
}

static const struct hm_workload mtgcbench = {
    HM_WORKLOAD_VARIANT,
    .name = "mtgcbench",
    .summary = "build trees as gcbench does, in each thread, with garbage of many sizes in between",
    .stresses = "allocation by several threads, of small objects that leave holes",
    .origin =
        "mt-gcbench of whippet, after GCBench; there stretch=18, long=16, array=500000, max=16",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, mtgcbench);

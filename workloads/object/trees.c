/* Binary trees, as in the Computer Language Benchmarks Game: trees of many depths are built from
 * the leaves up, counted and dropped, while one long-lived tree stays.
 *
 * A unit is the whole program: it prints one line for a stretch tree, one for each depth, and one
 * for the long-lived tree. Each line's count of nodes goes into the checksum, in order. */
#include "workloads/objects.h"

#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_DEPTH,
    PARAM_FREELIST,
};

enum {
    MIN_DEPTH = 4,
};

static const struct hm_param params[] = {
    [PARAM_DEPTH] = {.name = "depth",
                     .unit = "levels",
                     .help = "depth of the long-lived tree, the program's argument",
                     .kind = HM_PARAM_COUNT,
                     .initial = 10,
                     .min = MIN_DEPTH + 2,
                     .max = 24},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
    {.name = NULL},
};

/* In the order of the choices of `freelist`. */
static const struct hm_type node_types[] = {
    {.name = "node", .slots = 2},
    {.name = "kept node", .slots = 2, HM_FREELIST(1)},
};

struct trees {
    uint64_t units; /* that were completed */
    uint64_t nodes; /* that were counted in them */
};

/* 2^(max_depth - depth + MIN_DEPTH), for depths up to max_depth. */
static uint64_t trees_of_depth(unsigned depth, unsigned max_depth) {
    return (uint64_t)1 << ((max_depth + MIN_DEPTH - depth) & 63);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    unsigned max_depth = (unsigned)values[PARAM_DEPTH].number;
    uint64_t nodes = hm_tree_nodes(max_depth + 1) + hm_tree_nodes(max_depth);
    for (unsigned depth = MIN_DEPTH; depth <= max_depth; depth += 2)
        nodes += trees_of_depth(depth, max_depth) * hm_tree_nodes(depth);
    return nodes;
}

static int setup(struct hm_run *run) {
    run->state = hm_scratch(sizeof(struct trees));
    return run->state ? 0 : ENOMEM;
}

/* One line of the program's output. */
static void report(struct hm_run *run, uint64_t nodes) {
    run->checksum = run->checksum * 31 + nodes;
    ((struct trees *)run->state)->nodes += nodes;
}

static struct hm_object *grow(struct hm_run *run, unsigned depth) {
    if (run->params[PARAM_FREELIST].number)
        return hm_tree_grow(run->mutator, &node_types[1], depth);
    return hm_tree_grow(run->mutator, &node_types[0], depth);
}

/* Build, count and drop trees of one depth. @return false when memory ran out */
__attribute__((noinline)) static bool plant(struct hm_run *run, unsigned depth, uint64_t count) {
    uint64_t nodes = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct hm_object *tree = grow(run, depth);
        if (!tree)
            return false;
        nodes += hm_tree_count(tree);
        hm_tree_drop(run->mutator, &tree);
    }
    report(run, nodes);
    return true;
}

static bool run_program(struct hm_run *run, unsigned max_depth) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *long_lived = NULL;
    hm_root(m, &long_lived);
    bool done = plant(run, max_depth + 1, 1);
    if (done)
        done = (long_lived = grow(run, max_depth)) != NULL;
    for (unsigned depth = MIN_DEPTH; done && depth <= max_depth; depth += 2)
        done = plant(run, depth, trees_of_depth(depth, max_depth));
    if (done)
        report(run, hm_tree_count(long_lived));
    hm_tree_drop(m, &long_lived);
    hm_unroot(m, 1);
    return done;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct trees *trees = run->state;
    unsigned max_depth = (unsigned)run->params[PARAM_DEPTH].number;
    for (uint64_t done = 0; done < units; done++) {
        uint64_t nodes = trees->nodes;
        if (!run_program(run, max_depth)) {
            trees->nodes = nodes;
            return done;
        }
        trees->units++;
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct trees *trees = run->state;
    if (trees->nodes != trees->units * ops_per_unit(run->params))
        return "the trees do not have as many nodes as they should";
    return NULL;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct trees));
    run->state = NULL;
}

static const struct hm_workload trees = {
    HM_WORKLOAD_VARIANT,
    .name = "trees",
    .summary = "build, count and drop binary trees of many depths while one stays",
    .stresses = "allocation and death of small acyclic objects beside a live heap",
    .origin = "binary-trees of the Computer Language Benchmarks Game, after Ellis and Kovac's "
              "GCBench; there depth=21",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, trees);

/* GCBench: trees of many depths, built top-down and bottom-up, beside a long-lived tree and a
 * long-lived array of doubles.
 *
 * A unit is the whole program. Every depth gets about as many nodes as two stretch trees. Nothing
 * ever dies but whole trees, so that it leaves fewer holes in the heap than real programs do, as
 * Boehm's own page says: a sanity test more than a model. */
#include "workloads/gcbench.h"
#include "workloads/scratch.h"

#include <errno.h>

static const struct hm_param params[] = {
    HM_GCBENCH_PARAMS("depth of the first tree, which stretches the heap", 18, 16, 0, 4, 16)};

struct gcbench {
    const char *broken; /* what the program found wrong with its long-lived data, or NULL */
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return hm_tree_nodes((unsigned)values[HM_GCBENCH_STRETCH].number) + hm_gcbench_nodes(values);
}

static int setup(struct hm_run *run) {
    run->state = hm_scratch(sizeof(struct gcbench));
    return run->state ? 0 : ENOMEM;
}

static inline struct hm_object *hm_gcbench_node(struct hm_run *run) {
    return hm_new(run->mutator, &hm_gcbench_node_type);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct gcbench *gcbench = run->state;
    unsigned stretch = hm_gcbench_depth(run, HM_GCBENCH_STRETCH);
    for (uint64_t done = 0; done < units; done++)
        if (!hm_gcbench_trees(run, hm_gcbench_bottom_up, stretch, 1) ||
            !hm_gcbench_program(run, &gcbench->broken))
            return done;
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct gcbench *gcbench = run->state;
    return gcbench->broken;
}

static void teardown(struct hm_run *run) {
    hm_scratch_free(run->state, sizeof(struct gcbench));
    run->state = NULL;
}

static const struct hm_workload gcbench = {
    HM_WORKLOAD_VARIANT,
    .name = "gcbench",
    .summary = "build trees top-down and bottom-up beside a long-lived tree and array",
    .stresses = "allocation and death of small objects beside a large live heap",
    .origin = "GCBench by Ellis, Kovac and Boehm, with its parameters",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, gcbench);

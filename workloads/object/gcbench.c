/* GCBench: trees of many depths, built top-down and bottom-up, beside a long-lived tree and a
 * long-lived array of doubles.
 *
 * A unit is the whole program. Every depth gets about as many nodes as two stretch trees. Nothing
 * ever dies but whole trees, so that it leaves fewer holes in the heap than real programs do, as
 * Boehm's own page says: a sanity test more than a model.
 *
 * The long-lived data is looked at before the unit ends: its nodes go into the checksum. */
#include "workloads/objects.h"

#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_STRETCH,
    PARAM_LONG,
    PARAM_ARRAY,
    PARAM_MIN,
    PARAM_MAX,
};

enum {
    LEFT,
    RIGHT,
};

static const struct hm_param params[] = {
    [PARAM_STRETCH] = {.name = "stretch",
                       .unit = "levels",
                       .help = "depth of the first tree, which stretches the heap",
                       .kind = HM_PARAM_COUNT,
                       .initial = 18,
                       .min = 0,
                       .max = 24},
    [PARAM_LONG] = {.name = "long",
                    .unit = "levels",
                    .help = "depth of the long-lived tree",
                    .kind = HM_PARAM_COUNT,
                    .initial = 16,
                    .min = 0,
                    .max = 24},
    [PARAM_ARRAY] = {.name = "array",
                     .unit = "",
                     .help = "doubles in the long-lived array",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 0,
                     .choices = "500000|50000|5000"},
    [PARAM_MIN] = {.name = "min",
                   .unit = "levels",
                   .help = "depth of the smallest trees",
                   .kind = HM_PARAM_COUNT,
                   .initial = 4,
                   .min = 0,
                   .max = 24},
    [PARAM_MAX] = {.name = "max",
                   .unit = "levels",
                   .help = "depth of the largest trees; every second depth from min on is built",
                   .kind = HM_PARAM_COUNT,
                   .initial = 16,
                   .min = 0,
                   .max = 24},
    {.name = NULL},
};

/* left, right, and the original's two unused ints */
static const struct hm_type node_type = {.name = "node", .slots = 2, .payload_bytes = 8};

/* In the order of the choices of `array`: a type must outlive the collector, not just the run. */
static const struct hm_type array_types[] = {
    {.name = "doubles-500000", .payload_bytes = 500000 * sizeof(double)},
    {.name = "doubles-50000", .payload_bytes = 50000 * sizeof(double)},
    {.name = "doubles-5000", .payload_bytes = 5000 * sizeof(double)},
};

struct gcbench {
    const char *broken; /* what the program found wrong with its long-lived data, or NULL */
};

static uint64_t trees_of_depth(const struct hm_value *values, unsigned depth) {
    return 2 * hm_tree_nodes((unsigned)values[PARAM_STRETCH].number) / hm_tree_nodes(depth);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    unsigned max = (unsigned)values[PARAM_MAX].number;
    uint64_t nodes = hm_tree_nodes((unsigned)values[PARAM_STRETCH].number) +
                     hm_tree_nodes((unsigned)values[PARAM_LONG].number);
    for (unsigned depth = (unsigned)values[PARAM_MIN].number; depth <= max; depth += 2)
        nodes += 2 * trees_of_depth(values, depth) * hm_tree_nodes(depth);
    return nodes;
}

static int setup(struct hm_run *run) {
    run->state = hm_scratch(sizeof(struct gcbench));
    return run->state ? 0 : ENOMEM;
}

/* Give a node, which the caller keeps reachable, children down to `depth` levels below it.
 * @return false when memory ran out; what was made hangs on the node */
static bool populate(struct hm_mutator *m, struct hm_object *node, unsigned depth) {
    if (depth == 0)
        return true;
    for (uint32_t side = LEFT; side <= RIGHT; side++) {
        hm_safepoint(m);
        struct hm_object *child = hm_new(m, &node_type);
        if (!child)
            return false;
        hm_adopt(m, node, side, child);
    }
    return populate(m, hm_load(node, LEFT), depth - 1) &&
           populate(m, hm_load(node, RIGHT), depth - 1);
}

/* Make a tree from the root down. @return the root, owned by the caller, or NULL: out of memory */
static struct hm_object *make_top_down(struct hm_mutator *m, unsigned depth) {
    hm_safepoint(m);
    struct hm_object *root = hm_new(m, &node_type);
    if (!root)
        return NULL;
    hm_root(m, &root);
    if (!populate(m, root, depth))
        hm_tree_drop(m, &root);
    hm_unroot(m, 1);
    return root;
}

static struct hm_object *make_bottom_up(struct hm_mutator *m, unsigned depth) {
    return hm_tree_grow(m, &node_type, depth);
}

typedef struct hm_object *make_fn(struct hm_mutator *m, unsigned depth);

/* Make and drop trees, one at a time. @return false when memory ran out */
__attribute__((noinline)) static bool make_trees(struct hm_run *run, make_fn *make, unsigned depth,
                                                 uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        struct hm_object *tree = make(run->mutator, depth);
        if (!tree)
            return false;
        run->checksum += hm_tree_nodes(depth);
        hm_tree_drop(run->mutator, &tree);
    }
    return true;
}

/* The original divides by zero for the first element, and gets infinity. */
static struct hm_object *make_array(struct hm_run *run) {
    const struct hm_type *type = &array_types[run->params[PARAM_ARRAY].number];
    struct hm_object *array = hm_new(run->mutator, type);
    if (!array)
        return NULL;
    double *doubles = hm_payload(array);
    for (size_t i = 0; i < type->payload_bytes / sizeof *doubles / 2; i++)
        doubles[i] = 1.0 / (double)i;
    return array;
}

static bool make_all_depths(struct hm_run *run) {
    unsigned max = (unsigned)run->params[PARAM_MAX].number;
    for (unsigned depth = (unsigned)run->params[PARAM_MIN].number; depth <= max; depth += 2) {
        uint64_t count = trees_of_depth(run->params, depth);
        if (!make_trees(run, make_top_down, depth, count) ||
            !make_trees(run, make_bottom_up, depth, count))
            return false;
    }
    return true;
}

static void look_at(struct hm_run *run, struct hm_object *tree, struct hm_object *array) {
    struct gcbench *gcbench = run->state;
    uint64_t nodes = hm_tree_count(tree);
    const double *doubles = hm_payload(array);
    run->checksum += nodes;
    if (nodes != hm_tree_nodes((unsigned)run->params[PARAM_LONG].number))
        gcbench->broken = "the long-lived tree has lost nodes";
    if (doubles[1000] != 1.0 / 1000)
        gcbench->broken = "the long-lived array does not hold what was written to it";
}

static bool run_program(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *tree = NULL;
    struct hm_object *array = NULL;
    hm_root(m, &tree);
    hm_root(m, &array);
    bool done = make_trees(run, make_bottom_up, (unsigned)run->params[PARAM_STRETCH].number, 1);
    if (done)
        done = (tree = make_top_down(m, (unsigned)run->params[PARAM_LONG].number)) != NULL;
    if (done)
        done = (array = make_array(run)) != NULL;
    done = done && make_all_depths(run);
    if (done)
        look_at(run, tree, array);
    if (HM_DISPOSES && array)
        hm_dispose(m, array);
    hm_drop(m, &array);
    hm_tree_drop(m, &tree);
    hm_unroot(m, 2);
    return done;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++)
        if (!run_program(run))
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

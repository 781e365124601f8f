/* GCBench's program, for gcbench and mtgcbench: trees of many depths, built top-down and bottom-up, beside
 * a long-lived tree and a long-lived array of doubles.
 *
 * Every depth gets about as many nodes as two stretch trees. The long-lived data is looked at before the
 * program ends: its nodes go into the checksum.
 *
 * Who includes it defines hm_gcbench_node(), and has HM_GCBENCH_PARAMS() as its table. */
#ifndef HM_WORKLOADS_GCBENCH_H
#define HM_WORKLOADS_GCBENCH_H

#include "workloads/objects.h"

enum {
    HM_GCBENCH_STRETCH,
    HM_GCBENCH_LONG,
    HM_GCBENCH_ARRAY,
    HM_GCBENCH_MIN,
    HM_GCBENCH_MAX,
};

enum {
    HM_GCBENCH_LEFT,
    HM_GCBENCH_RIGHT,
};

#define HM_GCBENCH_DEPTH_(param, help_, initial_)                                                  \
    {                                                                                              \
        .name = (param), .unit = "levels", .help = (help_), .kind = HM_PARAM_COUNT,                \
        .initial = (initial_), .min = 0, .max = 24                                                 \
    }

/** The table of parameters. @param array 0: 500000, 1: 50000, 2: 5000 */
#define HM_GCBENCH_PARAMS(stretch_help, stretch, long_, array, min_, max_)                         \
    [HM_GCBENCH_STRETCH] = HM_GCBENCH_DEPTH_("stretch", stretch_help, stretch),                    \
    [HM_GCBENCH_LONG] = HM_GCBENCH_DEPTH_("long", "depth of the long-lived tree", long_),          \
    [HM_GCBENCH_ARRAY] = {.name = "array",                                                         \
                          .unit = "",                                                              \
                          .help = "doubles in the long-lived array",                               \
                          .kind = HM_PARAM_CHOICE,                                                 \
                          .initial = (array),                                                      \
                          .choices = "500000|50000|5000"},                                         \
    [HM_GCBENCH_MIN] = HM_GCBENCH_DEPTH_("min", "depth of the smallest trees", min_),              \
    [HM_GCBENCH_MAX] = HM_GCBENCH_DEPTH_(                                                          \
        "max", "depth of the largest trees; every second depth from min on is built", max_),       \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* left, right, and the original's two unused ints */
static const struct hm_type hm_gcbench_node_type = {.name = "node", .slots = 2, .payload_bytes = 8};

/* In the order of the choices of `array`: a type must outlive the collector, not just the run. */
static const struct hm_type hm_gcbench_array_types[] = {
    {.name = "doubles-500000", .payload_bytes = 500000 * sizeof(double)},
    {.name = "doubles-50000", .payload_bytes = 50000 * sizeof(double)},
    {.name = "doubles-5000", .payload_bytes = 5000 * sizeof(double)},
};

/** A new node, or NULL: out of memory. With what else the workload makes for each. */
static inline struct hm_object *hm_gcbench_node(struct hm_run *run);

static inline unsigned hm_gcbench_depth(const struct hm_run *run, unsigned param) {
    return (unsigned)run->params[param].number;
}

static inline uint64_t hm_gcbench_trees_of_depth(const struct hm_value *values, unsigned depth) {
    return 2 * hm_tree_nodes((unsigned)values[HM_GCBENCH_STRETCH].number) / hm_tree_nodes(depth);
}

/** Nodes of the program without its stretch tree. */
static inline uint64_t hm_gcbench_nodes(const struct hm_value *values) {
    unsigned max = (unsigned)values[HM_GCBENCH_MAX].number;
    uint64_t nodes = hm_tree_nodes((unsigned)values[HM_GCBENCH_LONG].number);
    for (unsigned depth = (unsigned)values[HM_GCBENCH_MIN].number; depth <= max; depth += 2)
        nodes += 2 * hm_gcbench_trees_of_depth(values, depth) * hm_tree_nodes(depth);
    return nodes;
}

/* Give a node, which the caller keeps reachable, children down to `depth` levels below it.
 * @return false when memory ran out; what was made hangs on the node */
static inline bool hm_gcbench_populate(struct hm_run *run, struct hm_object *node, unsigned depth) {
    if (depth == 0)
        return true;
    for (uint32_t side = HM_GCBENCH_LEFT; side <= HM_GCBENCH_RIGHT; side++) {
        hm_safepoint(run->mutator);
        struct hm_object *child = hm_gcbench_node(run);
        if (!child)
            return false;
        hm_adopt(run->mutator, node, side, child);
    }
    return hm_gcbench_populate(run, hm_load(node, HM_GCBENCH_LEFT), depth - 1) &&
           hm_gcbench_populate(run, hm_load(node, HM_GCBENCH_RIGHT), depth - 1);
}

typedef struct hm_object *hm_gcbench_make_fn(struct hm_run *run, unsigned depth);

/** Make a tree from the root down. @return the root, owned by the caller, or NULL: out of memory */
static inline struct hm_object *hm_gcbench_top_down(struct hm_run *run, unsigned depth) {
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    struct hm_object *root = hm_gcbench_node(run);
    if (!root)
        return NULL;
    hm_root(m, &root);
    if (!hm_gcbench_populate(run, root, depth))
        hm_tree_drop(m, &root);
    hm_unroot(m, 1);
    return root;
}

/** Make a tree from the leaves up. @return the root, owned by the caller, or NULL: out of memory */
static inline struct hm_object *hm_gcbench_bottom_up(struct hm_run *run, unsigned depth) {
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    if (depth == 0)
        return hm_gcbench_node(run);
    struct hm_object *left = NULL, *right = NULL, *node = NULL;
    hm_root(m, &left);
    hm_root(m, &right);
    left = hm_gcbench_bottom_up(run, depth - 1);
    if (left)
        right = hm_gcbench_bottom_up(run, depth - 1);
    if (right)
        node = hm_gcbench_node(run);
    if (node) {
        hm_init_store(m, node, HM_GCBENCH_LEFT, left);
        hm_init_store(m, node, HM_GCBENCH_RIGHT, right);
    } else {
        hm_tree_drop(m, &right);
        hm_tree_drop(m, &left);
    }
    hm_unroot(m, 2);
    return node;
}

/** Make and drop trees, one at a time. @return false when memory ran out */
__attribute__((noinline)) static bool hm_gcbench_trees(struct hm_run *run, hm_gcbench_make_fn *make,
                                                       unsigned depth, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        struct hm_object *tree = make(run, depth);
        if (!tree)
            return false;
        run->checksum += hm_tree_nodes(depth);
        hm_tree_drop(run->mutator, &tree);
    }
    return true;
}

/* The original divides by zero for the first element, and gets infinity. */
static inline struct hm_object *hm_gcbench_array(struct hm_run *run) {
    const struct hm_type *type = &hm_gcbench_array_types[run->params[HM_GCBENCH_ARRAY].number];
    struct hm_object *array = hm_new(run->mutator, type);
    if (!array)
        return NULL;
    double *doubles = hm_payload(array);
    for (size_t i = 0; i < type->payload_bytes / sizeof *doubles / 2; i++)
        doubles[i] = 1.0 / (double)i;
    return array;
}

static inline bool hm_gcbench_all_depths(struct hm_run *run) {
    unsigned max = hm_gcbench_depth(run, HM_GCBENCH_MAX);
    for (unsigned depth = hm_gcbench_depth(run, HM_GCBENCH_MIN); depth <= max; depth += 2) {
        uint64_t count = hm_gcbench_trees_of_depth(run->params, depth);
        if (!hm_gcbench_trees(run, hm_gcbench_top_down, depth, count) ||
            !hm_gcbench_trees(run, hm_gcbench_bottom_up, depth, count))
            return false;
    }
    return true;
}

/* @return what is wrong with the long-lived data, or NULL */
static inline const char *hm_gcbench_look_at(struct hm_run *run, struct hm_object *tree,
                                             struct hm_object *array) {
    uint64_t nodes = hm_tree_count(tree);
    const double *doubles = hm_payload(array);
    run->checksum += nodes;
    if (nodes != hm_tree_nodes(hm_gcbench_depth(run, HM_GCBENCH_LONG)))
        return "the long-lived tree has lost nodes";
    if (doubles[1000] != 1.0 / 1000)
        return "the long-lived array does not hold what was written to it";
    return NULL;
}

/** The program, without its stretch tree.
 *  @param broken gets what was wrong with the long-lived data, if anything
 *  @return false when memory ran out */
static inline bool hm_gcbench_program(struct hm_run *run, const char **broken) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *tree = NULL;
    struct hm_object *array = NULL;
    hm_root(m, &tree);
    hm_root(m, &array);
    tree = hm_gcbench_top_down(run, hm_gcbench_depth(run, HM_GCBENCH_LONG));
    if (tree)
        array = hm_gcbench_array(run);
    bool done = array && hm_gcbench_all_depths(run);
    const char *wrong = done ? hm_gcbench_look_at(run, tree, array) : NULL;
    if (wrong)
        *broken = wrong;
    if (HM_DISPOSES && array)
        hm_dispose(m, array);
    hm_drop(m, &array);
    hm_tree_drop(m, &tree);
    hm_unroot(m, 2);
    return done;
}

#endif

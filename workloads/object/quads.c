/* Small trees with four children a node, made and dropped beside a large one that stays.
 *
 * Vocabulary
 *   quad    an object with four children, NULL in a leaf. A tree of depth 0 is one quad.
 *
 * A unit makes and drops, one at a time, as many trees of depth 3 as have the size of the live tree times
 * `heap`, divided by 7.5: where a collector gets a heap of that size, some seven units fill it. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_DEPTH,
    PARAM_HEAP,
};

enum {
    SIDES = 4,
    SMALL_DEPTH = 3,
};

static const struct hm_param params[] = {
    [PARAM_DEPTH] = {.name = "depth",
                     .unit = "levels",
                     .help = "depth of the live tree",
                     .kind = HM_PARAM_COUNT,
                     .initial = 7,
                     .min = 0,
                     .max = 12},
    [PARAM_HEAP] = {.name = "heap",
                    .unit = "times",
                    .help = "how large the heap is taken to be, in live trees; a unit allocates "
                            "2/15 of it",
                    .kind = HM_PARAM_COUNT,
                    .initial = 2,
                    .min = 1,
                    .max = 100},
    {.name = NULL},
};

static const struct hm_type quad_type = {.name = "quad", .slots = SIDES};

struct quads {
    struct hm_object *live; /* root */
};

static uint64_t quads_of_depth(uint64_t depth) {
    uint64_t quads = 1;
    for (uint64_t level = 0; level < depth; level++)
        quads = quads * SIDES + 1;
    return quads;
}

static uint64_t trees_per_unit(const struct hm_value *values) {
    uint64_t live = quads_of_depth((uint64_t)values[PARAM_DEPTH].number);
    uint64_t trees =
        live * (uint64_t)values[PARAM_HEAP].number * 2 / 15 / quads_of_depth(SMALL_DEPTH);
    return trees ? trees : 1;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return trees_per_unit(values) * quads_of_depth(SMALL_DEPTH);
}

/* The quads of a tree that nobody will look at again. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *quad) {
    for (uint32_t side = 0; quad && side < SIDES; side++)
        dispose(m, hm_load(quad, side));
    if (quad)
        hm_dispose(m, quad);
}

static inline void drop(struct hm_mutator *m, struct hm_object **variable) {
    if (HM_DISPOSES)
        dispose(m, *variable);
    hm_drop(m, variable);
}

/* Make a tree from the root down.
 * @return the root, owned by the caller; NULL: out of memory, and nothing is held */
static struct hm_object *grow(struct hm_mutator *m, uint64_t depth) {
    hm_safepoint(m);
    struct hm_object *quad = hm_new(m, &quad_type);
    if (!quad || depth == 0)
        return quad;
    hm_root(m, &quad);
    for (uint32_t side = 0; side < SIDES; side++) {
        struct hm_object *child = grow(m, depth - 1);
        if (!child) {
            drop(m, &quad);
            break;
        }
        hm_adopt(m, quad, side, child);
    }
    hm_unroot(m, 1);
    return quad;
}

static void teardown(struct hm_run *run) {
    struct quads *quads = run->state;
    drop(run->mutator, &quads->live);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(quads, sizeof *quads);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct quads *quads = run->state = hm_scratch(sizeof *quads);
    if (!quads)
        return ENOMEM;
    hm_root(run->mutator, &quads->live);
    quads->live = grow(run->mutator, (uint64_t)run->params[PARAM_DEPTH].number);
    if (quads->live)
        return 0;
    teardown(run);
    return ENOMEM;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    uint64_t trees = trees_per_unit(run->params);
    for (uint64_t done = 0; done < units; done++) {
        for (uint64_t i = 0; i < trees; i++) {
            struct hm_object *tree = grow(run->mutator, SMALL_DEPTH);
            if (!tree)
                return done;
            drop(run->mutator, &tree);
        }
        run->checksum = run->checksum * 31 + trees;
    }
    return units;
}

/* @return quads that can be reached from one, or 0 when a path ends too early or too late */
static uint64_t count(struct hm_object *quad, uint64_t depth) {
    uint64_t quads = 1;
    for (uint32_t side = 0; side < SIDES; side++) {
        struct hm_object *child = hm_load(quad, side);
        if ((child != NULL) != (depth > 0))
            return 0;
        quads += child ? count(child, depth - 1) : 0;
    }
    return quads;
}

/* The live tree, and one more of the small ones. */
static const char *verify(struct hm_run *run) {
    const struct quads *quads = run->state;
    uint64_t depth = (uint64_t)run->params[PARAM_DEPTH].number;
    if (count(quads->live, depth) != quads_of_depth(depth))
        return "the live tree has lost quads";
    struct hm_object *tree = grow(run->mutator, SMALL_DEPTH);
    if (!tree)
        return "memory ran out in the tree for verification";
    bool whole = count(tree, SMALL_DEPTH) == quads_of_depth(SMALL_DEPTH);
    drop(run->mutator, &tree);
    return whole ? NULL : "a new tree does not have as many quads as it should";
}

static uint64_t live_objects(const struct hm_run *run) {
    return quads_of_depth((uint64_t)run->params[PARAM_DEPTH].number);
}

static const struct hm_workload quads = {
    HM_WORKLOAD_VARIANT,
    .name = "quads",
    .summary = "make and drop small trees of four children a node beside a large one that stays",
    .stresses = "allocation and death of small objects beside a live heap that nobody changes",
    .origin = "quads of whippet: 20 steps, each of a heap / 7.5 of trees of 85 nodes; there depth "
              "and size of the heap are arguments",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, quads);

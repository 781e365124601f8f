/* One graph of slotted objects, for timing what a collector does to it and nothing else.
 *
 * Vocabulary
 *   node(i)   the object at place i of the shape; `order` says which one of the objects, in the
 *             order of their allocation, that is.
 *   closed    the last node holds the first one, so that a shape without cycles becomes one.
 *
 * A unit is one full collection of the graph (live, garbage), or the death of the graph when the last
 * reference to it goes (free). What a unit takes away is made anew before it, in prepare(), off the
 * clock. */
#include "workloads/objects.h"

#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_SHAPE,
    PARAM_ORDER,
    PARAM_OBJECTS,
    PARAM_WHAT,
};

enum shape {
    SHAPE_CHAIN,
    SHAPE_TREE,
    SHAPE_DLL,
};

enum order {
    ORDER_ALLOC,
    ORDER_RANDOM,
};

enum what {
    WHAT_LIVE,
    WHAT_GARBAGE,
    WHAT_FREE,
};

enum {
    NEXT, /* and the left child */
    PREV, /* and the right child */
};

static const struct hm_param params[] = {
    [PARAM_SHAPE] = {.name = "shape",
                     .unit = "",
                     .help = "chain: one reference each; tree: binary, level by level; dll: doubly "
                             "linked list",
                     .kind = HM_PARAM_CHOICE,
                     .initial = SHAPE_CHAIN,
                     .choices = "chain|tree|dll"},
    [PARAM_ORDER] = {.name = "order",
                     .unit = "",
                     .help = "alloc: neighbours in the graph were allocated one after the other "
                             "(tree: level by level); random: a random permutation of that",
                     .kind = HM_PARAM_CHOICE,
                     .initial = ORDER_ALLOC,
                     .choices = "alloc|random"},
    [PARAM_OBJECTS] = {.name = "objects",
                       .unit = "objects",
                       .help = "nodes of the graph",
                       .kind = HM_PARAM_COUNT,
                       .initial = 100000,
                       .min = 2,
                       .max = 10000000},
    [PARAM_WHAT] = {.name = "what",
                    .unit = "",
                    .help =
                        "live: collect while all of it is held; garbage: drop it, closed into a "
                        "cycle, and collect; free: drop it (chain and tree only), no collection",
                    .kind = HM_PARAM_CHOICE,
                    .initial = WHAT_LIVE,
                    .choices = "live|garbage|free"},
    {.name = NULL},
};

static const struct hm_type nursery_type = {.name = "nursery", .variable = true};

static const struct hm_type node_types[] = {
    [SHAPE_CHAIN] = {.name = "chain node", .slots = 1},
    [SHAPE_TREE] = {.name = "tree node", .slots = 2},
    [SHAPE_DLL] = {.name = "dll node", .slots = 2},
};

struct graph {
    struct hm_object *first; /* rooted from setup to teardown; NULL: there is no graph */
    struct hm_object *last;  /* held by the graph */
    bool closed;
    bool missed;    /* a collection found some of its garbage, but not all, or what was none */
    uint32_t *turn; /* node(i) is the turn[i]-th object allocated */
};

static uint32_t count_of(const struct hm_value *values) {
    return (uint32_t)values[PARAM_OBJECTS].number;
}

static enum shape shape_of(const struct hm_run *run) {
    return (enum shape)run->params[PARAM_SHAPE].number;
}

static enum what what_of(const struct hm_run *run) {
    return (enum what)run->params[PARAM_WHAT].number;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return count_of(values);
}

/* ---- Making it ---- */

/* Fisher and Yates's shuffle, of all places but for the first. */
static void draw_turns(struct hm_run *run, uint32_t *turn) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t count = count_of(run->params);
    for (uint32_t i = 0; i < count; i++)
        turn[i] = i;
    if (run->params[PARAM_ORDER].number == ORDER_ALLOC)
        return;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)hm_random_below(&random, i + 1);
        uint32_t other = turn[j];
        turn[j] = turn[i];
        turn[i] = other;
    }
}

/* @return whether all nodes could be made */
static bool fill_nursery(struct hm_run *run, struct hm_object *nursery) {
    const struct hm_type *type = &node_types[shape_of(run)];
    for (uint32_t i = 0; i < hm_length(nursery); i++) {
        hm_safepoint(run->mutator);
        struct hm_object *node = hm_new(run->mutator, type);
        if (!node)
            return false;
        hm_adopt(run->mutator, nursery, i, node);
    }
    return true;
}

static void link_node(struct hm_run *run, struct hm_object *nursery, uint32_t i) {
    const uint32_t *turn = ((struct graph *)run->state)->turn;
    struct hm_mutator *m = run->mutator;
    uint32_t count = hm_length(nursery);
    struct hm_object *node = hm_load(nursery, turn[i]);
    enum shape shape = shape_of(run);
    uint32_t next = shape == SHAPE_TREE ? 2 * i + 1 : i + 1;
    if (next < count)
        hm_store(m, node, NEXT, hm_load(nursery, turn[next]));
    if (shape == SHAPE_TREE && next + 1 < count)
        hm_store(m, node, PREV, hm_load(nursery, turn[next + 1]));
    if (shape == SHAPE_DLL && i > 0)
        hm_store(m, node, PREV, hm_load(nursery, turn[i - 1]));
}

static void link_all(struct hm_run *run, struct hm_object *nursery) {
    struct graph *graph = run->state;
    uint32_t count = hm_length(nursery);
    for (uint32_t i = 0; i < count; i++)
        link_node(run, nursery, i);
    graph->last = hm_load(nursery, graph->turn[count - 1]);
    graph->first = hm_load(nursery, graph->turn[0]);
    hm_retain(run->mutator, graph->first);
    graph->closed = what_of(run) == WHAT_GARBAGE && shape_of(run) != SHAPE_DLL;
    if (graph->closed)
        hm_store(run->mutator, graph->last, NEXT, graph->first);
}

/* Nodes that nobody will look at again. */
static void dispose_nursery(struct hm_mutator *m, struct hm_object *nursery, bool with_nodes) {
    for (uint32_t i = 0; HM_DISPOSES && with_nodes && i < hm_length(nursery); i++)
        if (hm_load(nursery, i))
            hm_dispose(m, hm_load(nursery, i));
    hm_dispose(m, nursery);
}

/* @return 0 or ENOMEM, and nothing is held */
__attribute__((noinline)) static int make_graph(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *nursery = hm_new_array(m, &nursery_type, count_of(run->params));
    if (!nursery)
        return ENOMEM;
    hm_root(m, &nursery);
    bool made = fill_nursery(run, nursery);
    if (made)
        link_all(run, nursery);
    dispose_nursery(m, nursery, !made);
    hm_drop(m, &nursery);
    hm_unroot(m, 1);
    return made ? 0 : ENOMEM;
}

/* ---- Letting it go ---- */

static void dispose_list(struct hm_mutator *m, struct hm_object *node) {
    for (struct hm_object *next; node; node = next) {
        next = hm_load(node, NEXT);
        hm_dispose(m, node);
    }
}

static void dispose_graph(struct hm_run *run) {
    struct graph *graph = run->state;
    if (graph->closed)
        hm_store(run->mutator, graph->last, NEXT, NULL);
    if (shape_of(run) == SHAPE_TREE)
        hm_tree_dispose(run->mutator, graph->first);
    else
        dispose_list(run->mutator, graph->first);
}

static void drop_graph(struct hm_run *run) {
    struct graph *graph = run->state;
    if (HM_DISPOSES && graph->first)
        dispose_graph(run);
    graph->last = NULL;
    hm_drop(run->mutator, &graph->first);
}

/* ---- The work ---- */

/* A collector that finds no cycles, or does not tell, says 0 or less. The nursery may be found, too. One that
 * other threads share finds theirs with it. */
static void note_found(struct hm_run *run, int64_t found) {
    if (run->together && run->threads > 1)
        return;
    int64_t count = what_of(run) == WHAT_GARBAGE ? count_of(run->params) : 0;
    if (found > 0 && found != count && found != count + 1)
        ((struct graph *)run->state)->missed = true;
}

static int prepare(struct hm_run *run) {
    const struct graph *graph = run->state;
    return graph->first ? 0 : make_graph(run);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++) {
        if (prepare(run))
            return done;
        if (what_of(run) != WHAT_LIVE)
            drop_graph(run);
        if (what_of(run) != WHAT_FREE)
            note_found(run, hm_collect(run->mutator, 2));
        run->checksum = run->checksum * 31 + count_of(run->params);
    }
    return units;
}

static const char *conflict(const struct hm_value *values) {
    bool is_cyclic = values[PARAM_SHAPE].number == SHAPE_DLL;
    return values[PARAM_WHAT].number == WHAT_FREE && is_cyclic
               ? "shape=dll is a cycle, and what=free is for what dies of its counts"
               : NULL;
}

static unsigned needs(const struct hm_value *values) {
    return values[PARAM_WHAT].number == WHAT_FREE ? HM_GC_AT_ONCE : HM_GC_ON_DEMAND;
}

static int setup(struct hm_run *run) {
    struct graph *graph = hm_scratch(sizeof *graph);
    uint32_t *turn = hm_scratch(count_of(run->params) * sizeof *turn);
    if (!graph || !turn) {
        hm_scratch_free(graph, sizeof *graph);
        hm_scratch_free(turn, count_of(run->params) * sizeof *turn);
        return ENOMEM;
    }
    draw_turns(run, turn);
    graph->turn = turn;
    run->state = graph;
    hm_root(run->mutator, &graph->first);
    return 0;
}

static void teardown(struct hm_run *run) {
    struct graph *graph = run->state;
    drop_graph(run);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(graph->turn, count_of(run->params) * sizeof *graph->turn);
    hm_scratch_free(graph, sizeof *graph);
    run->state = NULL;
}

/* ---- Verification ---- */

/* @return nodes from the first one on, or 0 when a link back does not fit its link forth */
static uint64_t walk_list(struct hm_object *first, const struct hm_object *stop, bool doubly) {
    uint64_t nodes = 0;
    const struct hm_object *previous = NULL;
    struct hm_object *at = first;
    do {
        if (doubly && hm_load(at, PREV) != previous)
            return 0;
        nodes++;
        previous = at;
        at = hm_load(at, NEXT);
    } while (at && at != stop);
    return at == stop ? nodes : 0;
}

static uint64_t walk_graph(struct hm_run *run) {
    struct graph *graph = run->state;
    if (shape_of(run) != SHAPE_TREE)
        return walk_list(graph->first, graph->closed ? graph->first : NULL,
                         shape_of(run) == SHAPE_DLL);
    if (graph->closed)
        hm_store(run->mutator, graph->last, NEXT, NULL);
    graph->closed = false;
    return hm_tree_count(graph->first);
}

/* The graph, which may have to be made for this, must be whole after a collection; a closed tree has no
 * cycle any more after the walk. */
static const char *verify(struct hm_run *run) {
    struct graph *graph = run->state;
    if (graph->missed)
        return "a collection did not find just what was garbage";
    if (prepare(run))
        return "memory ran out in the graph for verification";
    hm_collect(run->mutator, 2);
    const char *broken = NULL;
    if (walk_graph(run) != count_of(run->params))
        broken = "the graph is not as it was made";
    if (what_of(run) != WHAT_LIVE)
        drop_graph(run);
    hm_collect(run->mutator, 2);
    return broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    return ((struct graph *)run->state)->first ? count_of(run->params) : 0;
}

static const struct hm_workload graph = {
    HM_WORKLOAD_VARIANT,
    .name = "graph",
    .summary = "collect one graph of linked objects, live or garbage, or let it die",
    .stresses = "the collector alone: its passes over many objects, in and out of order",
    .origin =
        "heapmark; gc.collect of a large heap, as CPython's gc_traversal and gc_collect time it",
    .op = "object of the graph",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .conflict = conflict,
    .needs = needs,
    .setup = setup,
    .prepare = prepare,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, graph);

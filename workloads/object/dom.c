/* A document: a tree whose nodes know their parents, of which subtrees are replaced at random.
 *
 * Vocabulary
 *   cut     a subtree of depth `cut`, of which there are as many as the nodes `cut` levels above the leaves.
 *           They have numbers, from left to right.
 *   handle  a weak reference to a node that has children, which these have instead of the node itself.
 *
 * A node has its first child and its next sibling. With `parent=strong` each child also refers to its
 * parent, so that any replaced subtree with more than one node is cyclic; with `parent=weak` to the
 * parent's handle, and nothing is cyclic; with `parent=none` to neither.
 *
 * An operation makes a cut anew, from the root down, and puts it in the place of the old one. Each node has
 * the number of the operation that made it. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_FANOUT,
    PARAM_DEPTH,
    PARAM_CUT,
    PARAM_PARENT,
};

enum parent {
    PARENT_STRONG,
    PARENT_WEAK,
    PARENT_NONE,
};

enum {
    FIRST,  /* the first child */
    NEXT,   /* the next sibling */
    PARENT, /* the parent, its handle, or NULL */
    SLOTS,
};

enum {
    SCRIPT = 1 << 14,      /* draws; the script starts again behind its end */
    NODES_MAX = 100000000, /* of the document */
};

static const struct hm_param params[] = {
    [PARAM_FANOUT] = {.name = "fanout",
                      .unit = "nodes",
                      .help = "children of each node that is no leaf",
                      .kind = HM_PARAM_COUNT,
                      .initial = 8,
                      .min = 1,
                      .max = 1000},
    [PARAM_DEPTH] = {.name = "depth",
                     .unit = "levels",
                     .help = "depth of the document",
                     .kind = HM_PARAM_COUNT,
                     .initial = 5,
                     .min = 1,
                     .max = 24},
    [PARAM_CUT] = {.name = "cut",
                   .unit = "levels",
                   .help = "depth of a subtree that is replaced, less than that of the document",
                   .kind = HM_PARAM_COUNT,
                   .initial = 2,
                   .min = 0,
                   .max = 23},
    [PARAM_PARENT] = {.name = "parent",
                      .unit = "",
                      .help =
                          "how a node refers to its parent: by itself, by a weak reference, not "
                          "at all",
                      .kind = HM_PARAM_CHOICE,
                      .initial = PARENT_STRONG,
                      .choices = "strong|weak|none"},
    {.name = NULL},
};

/* In the order of the choices of `parent`. */
static const struct hm_type node_types[] = {
    {.name = "node", .slots = SLOTS, .payload_bytes = sizeof(uint64_t)},
    {.name = "node-weak", .slots = SLOTS, .payload_bytes = sizeof(uint64_t), .weakable = true},
    {.name = "node-none", .slots = SLOTS, .payload_bytes = sizeof(uint64_t)},
};

struct dom {
    struct hm_object *root; /* root */
    uint64_t at;            /* operations that were done */
    size_t bytes;           /* of this structure with what is behind it */
    uint64_t cuts;
    uint64_t *made_by; /* of each cut: the operation, 0 for setup */
    uint32_t script[SCRIPT];
};

/* What is made, and for whom. */
struct making {
    struct hm_mutator *m;
    enum parent parent;
    uint64_t fanout;
    uint64_t number; /* of the operation */
};

static struct making making_of(const struct hm_run *run, uint64_t number) {
    return (struct making){.m = run->mutator,
                           .parent = (enum parent)run->params[PARAM_PARENT].number,
                           .fanout = (uint64_t)run->params[PARAM_FANOUT].number,
                           .number = number};
}

/* Nodes that are `depth` levels below the root. */
static uint64_t nodes_at(uint64_t fanout, uint64_t depth) {
    uint64_t nodes = 1;
    while (depth-- > 0 && nodes <= NODES_MAX)
        nodes *= fanout;
    return nodes;
}

static uint64_t nodes_of_depth(uint64_t fanout, uint64_t depth) {
    uint64_t nodes = 1;
    while (depth-- > 0 && nodes <= NODES_MAX)
        nodes = nodes * fanout + 1;
    return nodes;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return nodes_of_depth((uint64_t)values[PARAM_FANOUT].number,
                          (uint64_t)values[PARAM_CUT].number);
}

static const char *conflict(const struct hm_value *values) {
    if (values[PARAM_CUT].number >= values[PARAM_DEPTH].number)
        return "cut has to be less than depth: the root stays";
    return nodes_of_depth((uint64_t)values[PARAM_FANOUT].number,
                          (uint64_t)values[PARAM_DEPTH].number) > NODES_MAX
               ? "a document of this fanout and depth has more than 100000000 nodes"
               : NULL;
}

/* ---- Nodes ---- */

/* The nodes of a subtree that nobody will look at again, with their handles. NULL is allowed.
 * @param siblings those behind it, too */
static void dispose(struct hm_mutator *m, struct hm_object *node, enum parent parent,
                    bool siblings) {
    while (HM_DISPOSES && node) {
        struct hm_object *child = hm_load(node, FIRST);
        struct hm_object *next = siblings ? hm_load(node, NEXT) : NULL;
        if (child && parent == PARENT_WEAK && hm_load(child, PARENT))
            hm_dispose(m, hm_load(child, PARENT));
        dispose(m, child, parent, true);
        hm_dispose(m, node);
        node = next;
    }
}

/* What the children of a node refer to as their parent.
 * @return false: out of memory; else *handle is owned by the caller, and may be NULL */
static bool find_handle(const struct making *making, struct hm_object *node,
                        struct hm_object **handle) {
    *handle = NULL;
    if (making->parent == PARENT_STRONG) {
        hm_retain(making->m, node);
        *handle = node;
    } else if (making->parent == PARENT_WEAK) {
        *handle = hm_weak_new(making->m, node, NULL);
    }
    return *handle || making->parent == PARENT_NONE;
}

/* @return a node without children, owned by the caller, or NULL */
static struct hm_object *make_node(const struct making *making) {
    hm_safepoint(making->m);
    struct hm_object *node = hm_new(making->m, &node_types[making->parent]);
    if (node)
        *(uint64_t *)hm_payload(node) = making->number;
    return node;
}

static bool grow(const struct making *making, struct hm_object *node, uint64_t depth);

/* Give a node that has none its children, the last one first, with all below them.
 * @return false when memory ran out; what was made hangs on the node */
static bool grow_children(const struct making *making, struct hm_object *node,
                          struct hm_object *handle, uint64_t depth) {
    for (uint64_t i = 0; i < making->fanout; i++) {
        struct hm_object *child = make_node(making);
        if (!child)
            return false;
        hm_store(making->m, child, PARENT, handle);
        hm_store(making->m, child, NEXT, hm_load(node, FIRST));
        hm_adopt(making->m, node, FIRST, child);
        if (!grow(making, child, depth - 1))
            return false;
    }
    return true;
}

/* Give a node, which the caller keeps reachable, descendants down to `depth` levels below it.
 * @return false when memory ran out; what was made hangs on the node */
static bool grow(const struct making *making, struct hm_object *node, uint64_t depth) {
    struct hm_object *handle;
    if (depth == 0)
        return true;
    if (!find_handle(making, node, &handle))
        return false;
    hm_root(making->m, &handle);
    bool enough = grow_children(making, node, handle, depth);
    if (making->parent == PARENT_WEAK && !hm_load(node, FIRST))
        hm_dispose(making->m, handle); /* no child has it */
    hm_drop(making->m, &handle);
    hm_unroot(making->m, 1);
    return enough;
}

/* @return the root of a subtree, owned by the caller; NULL: out of memory, and nothing is held */
static struct hm_object *make_subtree(const struct making *making, uint64_t depth) {
    struct hm_object *node = make_node(making);
    if (!node)
        return NULL;
    hm_root(making->m, &node);
    if (!grow(making, node, depth)) {
        dispose(making->m, node, making->parent, false);
        hm_drop(making->m, &node);
    }
    hm_unroot(making->m, 1);
    return node;
}

static struct hm_object *child_at(struct hm_object *node, uint64_t index) {
    struct hm_object *child = hm_load(node, FIRST);
    while (index-- > 0)
        child = hm_load(child, NEXT);
    return child;
}

/* ---- The work ---- */

static void teardown(struct hm_run *run) {
    struct dom *dom = run->state;
    dispose(run->mutator, dom->root, (enum parent)run->params[PARAM_PARENT].number, false);
    hm_drop(run->mutator, &dom->root);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(dom, dom->bytes);
    run->state = NULL;
}

static struct dom *new_state(const struct hm_run *run) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint64_t cuts =
        nodes_at((uint64_t)run->params[PARAM_FANOUT].number,
                 (uint64_t)(run->params[PARAM_DEPTH].number - run->params[PARAM_CUT].number));
    size_t bytes = sizeof(struct dom) + cuts * sizeof(uint64_t);
    struct dom *dom = hm_scratch(bytes);
    if (!dom)
        return NULL;
    dom->bytes = bytes;
    dom->cuts = cuts;
    dom->made_by = (uint64_t *)(void *)(dom + 1);
    for (size_t i = 0; i < SCRIPT; i++)
        dom->script[i] = (uint32_t)hm_random_below(&random, cuts);
    return dom;
}

static int setup(struct hm_run *run) {
    const struct making making = making_of(run, 0);
    struct dom *dom = run->state = new_state(run);
    if (!dom)
        return ENOMEM;
    hm_root(run->mutator, &dom->root);
    dom->root = make_subtree(&making, (uint64_t)run->params[PARAM_DEPTH].number);
    if (dom->root)
        return 0;
    teardown(run);
    return ENOMEM;
}

/* @return the parent of a cut's root; *index says which of its children that is */
static struct hm_object *find_cut(const struct dom *dom, uint64_t fanout, uint64_t cut,
                                  uint64_t *index) {
    struct hm_object *node = dom->root;
    uint64_t below = dom->cuts / fanout; /* cuts under each child */
    for (; below > 1; below /= fanout) {
        node = child_at(node, cut / below % fanout);
        cut %= below;
    }
    *index = fanout > 1 ? cut % fanout : 0;
    return node;
}

/* With a fanout of 1 there is one cut only, and levels can not be counted by cuts. */
static struct hm_object *find_parent(const struct hm_run *run, uint64_t cut, uint64_t *index) {
    const struct dom *dom = run->state;
    uint64_t fanout = (uint64_t)run->params[PARAM_FANOUT].number;
    if (fanout > 1)
        return find_cut(dom, fanout, cut, index);
    struct hm_object *node = dom->root;
    for (int64_t level = run->params[PARAM_DEPTH].number - run->params[PARAM_CUT].number; level > 1;
         level--)
        node = hm_load(node, FIRST);
    *index = 0;
    return node;
}

/* Put a new subtree in the place of a child; takes the caller's reference to it. */
static void put(const struct making *making, struct hm_object *parent, uint64_t index,
                struct hm_object *subtree) {
    struct hm_mutator *m = making->m;
    struct hm_object *before = index ? child_at(parent, index - 1) : parent;
    uint32_t slot = index ? NEXT : FIRST;
    struct hm_object *old = hm_load(before, slot);
    hm_retain(m, old);
    hm_store(m, subtree, NEXT, hm_load(old, NEXT));
    hm_store(m, subtree, PARENT, hm_load(old, PARENT));
    hm_adopt(m, before, slot, subtree);
    hm_store(m, old, NEXT, NULL);
    hm_store(m, old, PARENT, NULL);
    dispose(m, old, making->parent, false);
    hm_release(m, old);
}

static bool replace(struct hm_run *run, struct dom *dom) {
    const struct making making = making_of(run, dom->at + 1);
    uint32_t cut = dom->script[dom->at % SCRIPT];
    uint64_t index;
    struct hm_object *subtree = make_subtree(&making, (uint64_t)run->params[PARAM_CUT].number);
    if (!subtree)
        return false;
    struct hm_object *parent = find_parent(run, cut, &index);
    put(&making, parent, index, subtree);
    dom->made_by[cut] = ++dom->at;
    run->checksum = run->checksum * 31 + cut + making.number;
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct dom *dom = run->state;
    for (uint64_t done = 0; done < units; done++)
        if (!replace(run, dom))
            return done;
    return units;
}

/* ---- Verification ---- */

/* What is looked at: cuts are met from left to right. */
struct looking {
    const struct hm_run *run;
    uint64_t met; /* cuts */
    const char *broken;
};

/* @return the parent of a node as the node knows it, or NULL */
static struct hm_object *parent_of(const struct looking *looking, struct hm_object *node) {
    struct hm_object *held = hm_load(node, PARENT);
    if (!held || looking->run->params[PARAM_PARENT].number != PARENT_WEAK)
        return held;
    struct hm_object *parent = hm_weak_get(looking->run->mutator, held);
    hm_release(looking->run->mutator, parent); /* the document still has it */
    return parent;
}

static void look_at(struct looking *looking, struct hm_object *node, int64_t depth,
                    uint64_t number) {
    const struct hm_run *run = looking->run;
    const struct dom *dom = run->state;
    bool knows_parent = run->params[PARAM_PARENT].number != PARENT_NONE;
    int64_t children = 0;
    if (depth == run->params[PARAM_CUT].number)
        number = dom->made_by[looking->met++ % dom->cuts];
    if (*(uint64_t *)hm_payload(node) != number)
        looking->broken = "a node is not of the operation that made it last";
    for (struct hm_object *child = hm_load(node, FIRST); child; child = hm_load(child, NEXT)) {
        if (parent_of(looking, child) != (knows_parent ? node : NULL))
            looking->broken = "a node does not know its parent";
        if (++children <= run->params[PARAM_FANOUT].number && depth > 0)
            look_at(looking, child, depth - 1, number);
    }
    if (children != (depth ? run->params[PARAM_FANOUT].number : 0))
        looking->broken = "a node does not have the children that it should";
}

static const char *verify(struct hm_run *run) {
    const struct dom *dom = run->state;
    struct looking looking = {.run = run};
    look_at(&looking, dom->root, run->params[PARAM_DEPTH].number, 0);
    if (!looking.broken && looking.met != dom->cuts)
        return "the document has lost subtrees";
    return looking.broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    uint64_t fanout = (uint64_t)run->params[PARAM_FANOUT].number;
    uint64_t depth = (uint64_t)run->params[PARAM_DEPTH].number;
    uint64_t nodes = nodes_of_depth(fanout, depth);
    bool has_handles = run->params[PARAM_PARENT].number == PARENT_WEAK;
    return nodes + (has_handles ? nodes_of_depth(fanout, depth - 1) : 0);
}

static const struct hm_workload dom = {
    HM_WORKLOAD_VARIANT,
    .name = "dom",
    .summary = "replace random subtrees of a document whose nodes know their parents",
    .stresses = "garbage that is cyclic only by links back, or is not where these are weak",
    .origin = "heapmark; the shape is that of documents in browsers: fan-out 8, there depth=6",
    .op = "node allocated",
    .params = params,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, dom);

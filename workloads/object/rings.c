/* Cyclic garbage: rings of doubly linked nodes, all dropped at once.
 *
 * A unit makes all rings, which a list holds until the last one is closed, drops the list, and
 * collects. Reference counts alone never free a ring. With `collect=auto` the collector is left to
 * its own thresholds. */
#include "workloads/objects.h"

#include <errno.h>

enum {
    PARAM_RINGS,
    PARAM_NODES,
    PARAM_PAYLOAD,
    PARAM_COLLECT,
    PARAM_FREELIST,
};

enum collect {
    COLLECT_END,
    COLLECT_AUTO,
};

enum {
    NEXT,
    PREV,
};

static const struct hm_param params[] = {
    [PARAM_RINGS] = {.name = "rings",
                     .unit = "rings",
                     .help = "rings that are dropped together",
                     .kind = HM_PARAM_COUNT,
                     .initial = 100,
                     .min = 1,
                     .max = 1000000},
    [PARAM_NODES] = {.name = "nodes",
                     .unit = "objects",
                     .help = "nodes in a ring",
                     .kind = HM_PARAM_COUNT,
                     .initial = 21,
                     .min = 1,
                     .max = 1000000},
    [PARAM_PAYLOAD] = {.name = "payload",
                       .unit = "",
                       .help = "bytes that a node carries beside its two references",
                       .kind = HM_PARAM_CHOICE,
                       .initial = 0,
                       .choices = "0|64|1K|16K|256K"},
    [PARAM_COLLECT] = {.name = "collect",
                       .unit = "",
                       .help = "collect explicitly at the end of each unit, or never",
                       .kind = HM_PARAM_CHOICE,
                       .initial = COLLECT_END,
                       .choices = "end|auto"},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
    {.name = NULL},
};

static const struct hm_type list_type = {.name = "list", .variable = true};

/* In the order of the choices of `freelist` and `payload`: a type must outlive the collector, not just
 * the run. */
static const struct hm_type node_types[][5] = {
    {
        {.name = "node", .slots = 2},
        {.name = "node-64", .slots = 2, .payload_bytes = 64},
        {.name = "node-1K", .slots = 2, .payload_bytes = 1 << 10},
        {.name = "node-16K", .slots = 2, .payload_bytes = 16 << 10},
        {.name = "node-256K", .slots = 2, .payload_bytes = 256 << 10},
    },
    {
        {.name = "kept node", .slots = 2, HM_FREELIST(1)},
        {.name = "kept node-64", .slots = 2, .payload_bytes = 64, HM_FREELIST(1)},
        {.name = "kept node-1K", .slots = 2, .payload_bytes = 1 << 10, HM_FREELIST(1)},
        {.name = "kept node-16K", .slots = 2, .payload_bytes = 16 << 10, HM_FREELIST(1)},
        {.name = "kept node-256K", .slots = 2, .payload_bytes = 256 << 10, HM_FREELIST(1)},
    },
};

static const struct hm_type *node_type(const struct hm_value *values) {
    return &node_types[values[PARAM_FREELIST].number][values[PARAM_PAYLOAD].number];
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)(values[PARAM_RINGS].number * values[PARAM_NODES].number);
}

static int setup(struct hm_run *run) {
    (void)run;
    return 0;
}

/* Make a ring that slot `index` of the list holds. Each node is linked as soon as it exists, so
 * that the list keeps the whole chain.
 *  @return nodes made; fewer than asked when memory ran out */
static uint64_t make_ring(struct hm_mutator *m, const struct hm_type *type, struct hm_object *list,
                          uint32_t index, uint64_t nodes) {
    hm_safepoint(m);
    struct hm_object *first = hm_new(m, type);
    if (!first)
        return 0;
    hm_adopt(m, list, index, first);
    struct hm_object *last = first;
    for (uint64_t made = 1; made < nodes; made++) {
        hm_safepoint(m);
        struct hm_object *node = hm_new(m, type);
        if (!node)
            return made;
        hm_store(m, node, PREV, last);
        hm_adopt(m, last, NEXT, node);
        last = node;
    }
    hm_store(m, last, NEXT, first);
    hm_store(m, first, PREV, last);
    return nodes;
}

/* The nodes of a ring that nobody will look at again; it may not be closed yet. NULL is allowed. */
static void dispose_ring(struct hm_mutator *m, struct hm_object *first) {
    struct hm_object *next = first ? hm_load(first, NEXT) : NULL;
    while (next && next != first) {
        struct hm_object *node = next;
        next = hm_load(node, NEXT);
        hm_dispose(m, node);
    }
    if (first)
        hm_dispose(m, first);
}

/* Give up the last reference to the list of all rings, in a variable that may be rooted. */
static void drop_rings(struct hm_mutator *m, struct hm_object **variable) {
    struct hm_object *list = *variable;
    for (uint32_t i = 0; HM_DISPOSES && i < hm_length(list); i++)
        dispose_ring(m, hm_load(list, i));
    hm_dispose(m, list);
    hm_drop(m, variable);
}

/* @return a list of all rings, owned by the caller, or NULL: out of memory, and nothing is held */
__attribute__((noinline)) static struct hm_object *make_rings(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    const struct hm_type *type = node_type(run->params);
    uint32_t rings = (uint32_t)run->params[PARAM_RINGS].number;
    uint64_t nodes = (uint64_t)run->params[PARAM_NODES].number;
    struct hm_object *list = hm_new_array(m, &list_type, rings);
    if (!list)
        return NULL;
    hm_root(m, &list);
    uint64_t sum = 0;
    uint64_t made = nodes;
    for (uint32_t i = 0; i < rings && made == nodes; i++) {
        made = make_ring(m, type, list, i, nodes);
        sum += made;
    }
    if (made == nodes)
        run->checksum = run->checksum * 31 + sum;
    else
        drop_rings(m, &list);
    hm_unroot(m, 1);
    return list;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++) {
        struct hm_object *list = make_rings(run);
        if (!list)
            return done;
        drop_rings(run->mutator, &list);
        if (run->params[PARAM_COLLECT].number == COLLECT_END)
            hm_collect(run->mutator, 2);
    }
    return units;
}

/* @return nodes on the way round, or 0 when a link back does not fit its link forth */
static uint64_t walk_ring(struct hm_object *first) {
    uint64_t nodes = 0;
    struct hm_object *at = first;
    do {
        struct hm_object *next = hm_load(at, NEXT);
        if (!next || hm_load(next, PREV) != at)
            return 0;
        at = next;
        nodes++;
    } while (at != first);
    return nodes;
}

/* Make the rings once more, let the collector look at them alive, and walk each; this is not part of
 * the work. */
static const char *verify(struct hm_run *run) {
    const uint64_t checksum = run->checksum;
    struct hm_object *list = make_rings(run);
    if (!list)
        return "memory ran out in the rings for verification";
    hm_root(run->mutator, &list);
    hm_collect(run->mutator, 2);
    const char *broken = NULL;
    for (uint32_t i = 0; i < hm_length(list); i++)
        if (walk_ring(hm_load(list, i)) != (uint64_t)run->params[PARAM_NODES].number)
            broken = "a ring is not as it was made";
    drop_rings(run->mutator, &list);
    hm_unroot(run->mutator, 1);
    hm_collect(run->mutator, 2);
    run->checksum = checksum;
    return broken;
}

static void teardown(struct hm_run *run) {
    (void)run;
}

static const struct hm_workload rings = {
    HM_WORKLOAD_VARIANT,
    .name = "rings",
    .summary = "make rings of doubly linked nodes, drop them all, collect",
    .stresses = "finding and freeing cyclic garbage",
    .origin = "gc_collect of pyperformance: 100 cycles of 21 nodes",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, rings);

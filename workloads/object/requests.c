/* A server's requests: a tree of objects is made for each, looked at, and ended a few requests later.
 *
 * Vocabulary
 *   request    `nodes` nodes at most, half as many at least, four children each, each with a text. In
 *              `cyclic` percent of the requests a node refers to its parent, too.
 *   in flight  the last `flight` requests, which the program holds.
 *   scope      an array of all nodes of one request.
 *   pool       nodes that were taken apart, linked through their first child, for the next requests.
 *
 * With `end=reference` the program gives up the root of the oldest request, and what hangs on it dies of
 * its counts or waits for a collection. With `end=scope` it keeps a scope for each request, and takes the
 * request apart at its end, node by node, so that no cycle is left and a count is all that it takes; with
 * `pool=on` it keeps the nodes for the next ones. The requests are the same, and so is the checksum. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_NODES,
    PARAM_FLIGHT,
    PARAM_CYCLIC,
    PARAM_END,
    PARAM_POOL,
    PARAM_FREELIST,
};

enum {
    END_REFERENCE,
    END_SCOPE,
};

enum {
    PARENT,
    TEXT,
    CHILD, /* the first one */
    CHILDREN = 4,
    SLOTS = CHILD + CHILDREN,
    TEXTS = 3, /* sizes of texts */
    NODES_MAX = 4096,
    SCRIPT = 1 << 12, /* requests; the script starts again behind its end */
};

static const struct hm_param params[] = {
    [PARAM_NODES] = {.name = "nodes",
                     .unit = "objects",
                     .help = "nodes of the largest request; the smallest has half as many",
                     .kind = HM_PARAM_COUNT,
                     .initial = 64,
                     .min = 1,
                     .max = NODES_MAX},
    [PARAM_FLIGHT] = {.name = "flight",
                      .unit = "requests",
                      .help = "requests that are held at a time",
                      .kind = HM_PARAM_COUNT,
                      .initial = 16,
                      .min = 1,
                      .max = 100000},
    [PARAM_CYCLIC] = {.name = "cyclic",
                      .unit = "percent",
                      .help = "of the requests whose nodes refer to their parents",
                      .kind = HM_PARAM_COUNT,
                      .initial = 5,
                      .min = 0,
                      .max = 100},
    [PARAM_END] = {.name = "end",
                   .unit = "",
                   .help = "how a request ends: its last reference goes, or it is taken apart",
                   .kind = HM_PARAM_CHOICE,
                   .initial = END_REFERENCE,
                   .choices = "reference|scope"},
    [PARAM_POOL] = {.name = "pool",
                    .unit = "",
                    .help = "whether the program keeps nodes for the next request (end=scope only)",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 0,
                    .choices = "off|on"},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
    {.name = NULL},
};

struct node {
    uint64_t id;
};

static const struct hm_type array_type = {.name = "array", .variable = true};

/* In the order of the choices of `freelist`. */
static const struct hm_type node_types[] = {
    {.name = "node", .slots = SLOTS, .payload_bytes = sizeof(struct node)},
    {.name = "kept node", .slots = SLOTS, .payload_bytes = sizeof(struct node), HM_FREELIST(1)},
};
static const struct hm_type text_types[][TEXTS] = {
    {
        {.name = "text-16", .payload_bytes = 16},
        {.name = "text-64", .payload_bytes = 64},
        {.name = "text-256", .payload_bytes = 256},
    },
    {
        {.name = "kept text-16", .payload_bytes = 16, HM_FREELIST(2)},
        {.name = "kept text-64", .payload_bytes = 64, HM_FREELIST(3)},
        {.name = "kept text-256", .payload_bytes = 256, HM_FREELIST(4)},
    },
};

struct draw {
    uint32_t nodes;
    bool cyclic;
    uint64_t seed; /* of what is in the nodes */
};

struct requests {
    struct hm_object *flight; /* root: of each request the scope, or the first node */
    struct hm_object *coming; /* root: the one that is being made */
    struct hm_object *pool;   /* root */
    uint64_t pooled;          /* nodes in the pool */
    uint64_t at;              /* requests that were handled */
    bool scoped, pooling;
    const struct hm_type *node_type;
    const struct hm_type *text_types;
    struct hm_object *made[NODES_MAX]; /* of the request that is being made */
    struct draw script[SCRIPT];
};

static uint64_t id_of(const struct draw *draw, uint32_t i) {
    return hm_mix(draw->seed + i);
}

/* Small ones are the most frequent. */
static unsigned size_of_text(uint64_t id) {
    unsigned sixteenth = id % 16;
    return sixteenth < 10 ? 0 : sixteenth < 15 ? 1 : 2;
}

/* ---- Nodes ---- */

static struct hm_object *take_from_pool(struct hm_mutator *m, struct requests *r) {
    struct hm_object *node = r->pool;
    r->pool = hm_load(node, CHILD);
    hm_retain(m, r->pool);
    hm_store(m, node, CHILD, NULL);
    r->pooled--;
    return node;
}

static void put_into_pool(struct hm_mutator *m, struct requests *r, struct hm_object *node) {
    hm_store(m, node, CHILD, r->pool);
    hm_release(m, r->pool);
    hm_retain(m, node);
    r->pool = node;
    r->pooled++;
}

/* @return false: out of memory, and the node has no text */
static inline bool give_text(struct hm_mutator *m, struct requests *r, struct hm_object *node,
                             uint64_t id) {
    struct hm_object *text = hm_new(m, &r->text_types[size_of_text(id)]);
    if (!text)
        return false;
    *(uint64_t *)hm_payload(text) = ~id;
    hm_adopt(m, node, TEXT, text);
    return true;
}

/* Make node i of a request, where the request holds it. @return false: out of memory */
static inline bool make_node(struct hm_mutator *m, struct requests *r, const struct draw *draw,
                             uint32_t i) {
    struct hm_object *node = r->pool ? take_from_pool(m, r) : hm_new(m, r->node_type);
    if (!node)
        return false;
    struct hm_object *parent = i ? r->made[(i - 1) / CHILDREN] : NULL;
    r->made[i] = node;
    ((struct node *)hm_payload(node))->id = id_of(draw, i);
    if (r->scoped)
        hm_store(m, r->coming, i, node);
    if (parent && draw->cyclic)
        hm_store(m, node, PARENT, parent);
    if (parent)
        hm_adopt(m, parent, CHILD + (i - 1) % CHILDREN, node);
    else if (r->scoped)
        hm_release(m, node);
    else
        r->coming = node;
    return give_text(m, r, node, id_of(draw, i));
}

/* Make r->coming. @return false: out of memory, and it is a part of the request, or NULL */
static bool make_request(struct hm_mutator *m, struct requests *r, const struct draw *draw) {
    if (r->scoped && !(r->coming = hm_new_array(m, &array_type, draw->nodes)))
        return false;
    for (uint32_t i = 0; i < draw->nodes; i++)
        if (!make_node(m, r, draw, i))
            return false;
    return true;
}

/* ---- Ends ---- */

static void dispose_text(struct hm_mutator *m, struct hm_object *node) {
    if (HM_DISPOSES && hm_load(node, TEXT))
        hm_dispose(m, hm_load(node, TEXT));
}

static void dispose_tree(struct hm_mutator *m, struct hm_object *node) {
    if (!node)
        return;
    for (uint32_t i = CHILD; i < SLOTS; i++)
        dispose_tree(m, hm_load(node, i));
    dispose_text(m, node);
    hm_dispose(m, node);
}

static inline void take_apart(struct hm_mutator *m, struct requests *r, struct hm_object *node) {
    dispose_text(m, node);
    for (uint32_t i = 0; i < SLOTS; i++)
        hm_store(m, node, i, NULL);
    if (r->pooling)
        put_into_pool(m, r, node);
}

static void end_scope(struct hm_mutator *m, struct requests *r, struct hm_object *scope) {
    for (uint32_t i = 0; i < hm_length(scope) && hm_load(scope, i); i++)
        take_apart(m, r, hm_load(scope, i));
    for (uint32_t i = 0; HM_DISPOSES && !r->pooling && i < hm_length(scope); i++)
        if (hm_load(scope, i))
            hm_dispose(m, hm_load(scope, i));
    hm_dispose(m, scope);
}

/* End a request, in a variable that gives its reference up. NULL is allowed. */
static void end_request(struct hm_mutator *m, struct requests *r, struct hm_object **variable) {
    if (*variable && r->scoped)
        end_scope(m, r, *variable);
    else if (HM_DISPOSES)
        dispose_tree(m, *variable);
    hm_drop(m, variable);
}

static void end_pool(struct hm_mutator *m, struct requests *r) {
    while (r->pool) {
        struct hm_object *node = take_from_pool(m, r);
        hm_dispose(m, node);
        hm_release(m, node);
    }
}

/* ---- The work ---- */

/* Look at a node and at what is below it. */
static uint64_t look_at(struct hm_object *node) {
    uint64_t sum = ((const struct node *)hm_payload(node))->id;
    for (uint32_t i = CHILD; i < SLOTS && hm_load(node, i); i++)
        sum = sum * 31 + look_at(hm_load(node, i));
    return sum;
}

static struct hm_object *first_of(const struct requests *r, struct hm_object *request) {
    return r->scoped ? hm_load(request, 0) : request;
}

/* Handle a request. @return false: out of memory, and it is not in flight */
static bool handle(struct hm_run *run, struct requests *r) {
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    if (!make_request(m, r, &r->script[r->at % SCRIPT])) {
        end_request(m, r, &r->coming);
        return false;
    }
    run->checksum = run->checksum * 31 + look_at(first_of(r, r->coming));
    uint32_t slot = (uint32_t)(r->at++ % hm_length(r->flight));
    struct hm_object *old = hm_load(r->flight, slot);
    hm_retain(m, old);
    hm_store(m, r->flight, slot, r->coming);
    end_request(m, r, &old);
    hm_drop(m, &r->coming);
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    uint64_t done = 0;
    while (done < units && handle(run, run->state))
        done++;
    return done;
}

/* ---- Setting up ---- */

static const char *conflict(const struct hm_value *values) {
    return values[PARAM_POOL].number && values[PARAM_END].number != END_SCOPE
               ? "pool=on needs end=scope: nobody else knows the nodes of a request"
               : NULL;
}

static void draw_script(const struct hm_run *run, struct requests *r) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint64_t most = (uint64_t)run->params[PARAM_NODES].number;
    uint64_t least = (most + 1) / 2;
    for (size_t i = 0; i < SCRIPT; i++) {
        uint32_t nodes = (uint32_t)(least + hm_random_below(&random, most - least + 1));
        bool cyclic = hm_random_below(&random, 100) < (uint64_t)run->params[PARAM_CYCLIC].number;
        r->script[i] = (struct draw){nodes, cyclic, hm_random_next(&random)};
    }
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct requests *r = run->state;
    for (uint32_t i = 0; r->flight && i < hm_length(r->flight); i++) {
        struct hm_object *request = hm_load(r->flight, i);
        hm_retain(m, request);
        hm_store(m, r->flight, i, NULL);
        end_request(m, r, &request);
    }
    end_pool(m, r);
    hm_drop_array(m, &r->flight);
    hm_unroot(m, 3);
    hm_scratch_free(r, sizeof *r);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct requests *r = run->state = hm_scratch(sizeof *r);
    if (!r)
        return ENOMEM;
    draw_script(run, r);
    r->scoped = run->params[PARAM_END].number == END_SCOPE;
    r->pooling = run->params[PARAM_POOL].number;
    r->node_type = &node_types[run->params[PARAM_FREELIST].number];
    r->text_types = text_types[run->params[PARAM_FREELIST].number];
    hm_root(m, &r->flight);
    hm_root(m, &r->coming);
    hm_root(m, &r->pool);
    r->flight = hm_new_array(m, &array_type, (uint32_t)run->params[PARAM_FLIGHT].number);
    uint32_t flight = r->flight ? hm_length(r->flight) : 0;
    bool filled = flight && run_units(run, flight) == flight;
    run->checksum = 0;
    if (!filled)
        teardown(run);
    return filled ? 0 : ENOMEM;
}

/* ---- Verification ---- */

/* @return whether node i of a request, and all below it, are as they were made */
static bool is_node(const struct draw *draw, struct hm_object *node, struct hm_object *parent,
                    uint32_t i) {
    if (!node || i >= draw->nodes)
        return !node && i >= draw->nodes;
    struct hm_object *text = hm_load(node, TEXT);
    uint64_t id = id_of(draw, i);
    if (((const struct node *)hm_payload(node))->id != id || !text ||
        *(const uint64_t *)hm_payload(text) != ~id ||
        hm_load(node, PARENT) != (draw->cyclic ? parent : NULL))
        return false;
    for (uint32_t k = 0; k < CHILDREN; k++)
        if (!is_node(draw, hm_load(node, CHILD + k), node, i * CHILDREN + k + 1))
            return false;
    return true;
}

/* What is in flight is whole, after a collection. */
static const char *verify(struct hm_run *run) {
    const struct requests *r = run->state;
    uint32_t flight = hm_length(r->flight);
    hm_collect(run->mutator, 2);
    for (uint32_t slot = 0; slot < flight; slot++) {
        struct hm_object *request = hm_load(r->flight, slot);
        if ((slot < r->at) != (request != NULL))
            return "a request is in flight that should not be, or the other way round";
        if (!request)
            continue;
        uint64_t number = r->at - 1 - (r->at - 1 - slot) % flight;
        if (!is_node(&r->script[number % SCRIPT], first_of(r, request), NULL, 0))
            return "a request in flight is not as it was made";
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct requests *r = run->state;
    uint32_t flight = hm_length(r->flight);
    uint64_t live = 1 + r->pooled;
    for (uint64_t i = 0; i < flight && i < r->at; i++)
        live += 2 * r->script[(r->at - 1 - i) % SCRIPT].nodes + r->scoped;
    return live;
}

static const struct hm_workload requests = {
    HM_WORKLOAD_VARIANT,
    .name = "requests",
    .summary =
        "make a tree of objects for each request, look at it, and end it some requests later",
    .stresses =
        "short-lived structures, some cyclic: what pools, scopes and free lists are good for",
    .origin = "heapmark; the requests of a web server",
    .op = "request handled",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, requests);

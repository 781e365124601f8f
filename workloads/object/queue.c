/* Nodes that refer to themselves, with something large behind each, go through a queue of bounded length:
 * each is garbage as it leaves, and of its count alone it never dies.
 *
 * An operation makes a node with its payload, and puts it into the place of the oldest one. The payload is
 * an object of its own, without references. A collector that counts objects does not see how large the
 * garbage is. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_LENGTH,
    PARAM_PAYLOAD,
};

enum {
    SELF,
    PAYLOAD,
};

static const struct hm_param params[] = {
    [PARAM_LENGTH] = {.name = "length",
                      .unit = "nodes",
                      .help = "nodes in the queue",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1000,
                      .min = 1,
                      .max = 1000000},
    [PARAM_PAYLOAD] = {.name = "payload",
                       .unit = "",
                       .help = "bytes of the payload of a node",
                       .kind = HM_PARAM_CHOICE,
                       .initial = 2,
                       .choices = "16|100|1000|10000|100000"},
    {.name = NULL},
};

static const struct hm_type queue_type = {.name = "queue", .variable = true};
static const struct hm_type node_type = {.name = "node", .slots = 2};

/* In the order of the choices of `payload`: a type must outlive the collector, not just the run. */
static const struct hm_type payload_types[] = {
    {.name = "payload-16", .payload_bytes = 16},
    {.name = "payload-100", .payload_bytes = 100},
    {.name = "payload-1000", .payload_bytes = 1000},
    {.name = "payload-10000", .payload_bytes = 10000},
    {.name = "payload-100000", .payload_bytes = 100000},
};

struct queue {
    struct hm_object *nodes; /* root */
    uint64_t at;             /* nodes that were put in */
};

/* A node that nobody will look at again. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *node) {
    if (!HM_DISPOSES || !node)
        return;
    hm_dispose(m, hm_load(node, PAYLOAD));
    hm_dispose(m, node);
}

/* The first word of a payload is the node's number.
 * @return false: out of memory, and nothing has changed */
static bool push(struct hm_mutator *m, struct queue *queue, const struct hm_type *type) {
    hm_safepoint(m);
    struct hm_object *payload = hm_new(m, type);
    if (!payload)
        return false;
    hm_root(m, &payload);
    struct hm_object *node = hm_new(m, &node_type);
    hm_unroot(m, 1);
    if (!node) {
        hm_dispose(m, payload);
        hm_release(m, payload);
        return false;
    }
    *(uint64_t *)hm_payload(payload) = queue->at;
    hm_init_store(m, node, PAYLOAD, payload);
    hm_store(m, node, SELF, node);
    uint32_t slot = (uint32_t)(queue->at++ % hm_length(queue->nodes));
    dispose(m, hm_load(queue->nodes, slot));
    hm_adopt(m, queue->nodes, slot, node);
    return true;
}

static void teardown(struct hm_run *run) {
    struct queue *queue = run->state;
    for (uint32_t i = 0; HM_DISPOSES && queue->nodes && i < hm_length(queue->nodes); i++)
        dispose(run->mutator, hm_load(queue->nodes, i));
    if (HM_DISPOSES && queue->nodes)
        hm_dispose(run->mutator, queue->nodes);
    hm_drop(run->mutator, &queue->nodes);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(queue, sizeof *queue);
    run->state = NULL;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct queue *queue = run->state;
    const struct hm_type *type = &payload_types[run->params[PARAM_PAYLOAD].number];
    for (uint64_t done = 0; done < units; done++) {
        if (!push(run->mutator, queue, type))
            return done;
        run->checksum = run->checksum * 31 + queue->at;
    }
    return units;
}

static bool fill(struct hm_run *run, struct queue *queue) {
    const struct hm_type *type = &payload_types[run->params[PARAM_PAYLOAD].number];
    uint32_t length = (uint32_t)run->params[PARAM_LENGTH].number;
    queue->nodes = hm_new_array(run->mutator, &queue_type, length);
    for (uint32_t i = 0; queue->nodes && i < length; i++)
        if (!push(run->mutator, queue, type))
            return false;
    return queue->nodes;
}

static int setup(struct hm_run *run) {
    struct queue *queue = run->state = hm_scratch(sizeof *queue);
    if (!queue)
        return ENOMEM;
    hm_root(run->mutator, &queue->nodes);
    if (fill(run, queue))
        return 0;
    teardown(run);
    return ENOMEM;
}

static const char *verify(struct hm_run *run) {
    const struct queue *queue = run->state;
    uint32_t length = hm_length(queue->nodes);
    for (uint64_t number = queue->at - length; number < queue->at; number++) {
        struct hm_object *node = hm_load(queue->nodes, (uint32_t)(number % length));
        if (!node || hm_load(node, SELF) != node)
            return "a node of the queue does not refer to itself";
        if (*(uint64_t *)hm_payload(hm_load(node, PAYLOAD)) != number)
            return "a payload has lost its number";
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct queue *queue = run->state;
    return 1 + 2 * (uint64_t)hm_length(queue->nodes);
}

static const struct hm_workload queue = {
    HM_WORKLOAD_VARIANT,
    .name = "queue",
    .summary = "put nodes that refer to themselves into a queue of bounded length",
    .stresses = "large garbage in small cycles: whether memory stays bounded",
    .origin =
        "after Tim Peters' program for CPython's incremental collector: a deque of 1000; there "
        "payload=10000",
    .op = "node put into the queue",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, queue);

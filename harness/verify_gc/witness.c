/* What a world sees, and checks. */
#include "harness/verify_gc/witness.h"

#include <inttypes.h>
#include <string.h>

enum {
    LARGE = 1200,            /* bytes; all of them tell whose they are */
    COUNT_MASK = 0x7fffffff, /* the highest bit may say: immortal */
};

static struct hm_world *current;

/* ---- The mirror ---- */

void hm_world_mark(struct hm_world *w) {
    int stack[HM_WORLD_NODES];
    int top = 0;
    for (int n = 0; n < w->used; n++) {
        w->nodes[n].reachable = w->nodes[n].variable != NULL || w->nodes[n].immortal;
        if (w->nodes[n].reachable)
            stack[top++] = n;
    }
    while (top) {
        const struct hm_node *node = &w->nodes[stack[--top]];
        for (uint32_t i = 0; i < node->length; i++) {
            int to = node->slots[i];
            if (to == HM_NOBODY || w->nodes[to].reachable)
                continue;
            w->nodes[to].reachable = true;
            stack[top++] = to;
        }
    }
}

void hm_witness_note_garbage(struct hm_world *w) {
    for (int n = 0; n < w->used; n++)
        w->nodes[n].was_garbage |= !w->nodes[n].reachable;
}

void hm_witness_note(struct hm_world *w, const char *what, int number) {
    for (; *what; what++)
        w->log = (w->log ^ (unsigned char)*what) * 0x100000001b3u;
    w->log = (w->log ^ (unsigned)number) * 0x100000001b3u;
}

static int find(const struct hm_world *w, const struct hm_object *object) {
    for (int n = 0; n < w->used; n++)
        if (w->nodes[n].object == object && !w->nodes[n].freed)
            return n;
    for (int n = 0; n < w->used; n++)
        if (w->nodes[n].object == object)
            return n;
    return HM_NOBODY;
}

/* ---- What the collector does ---- */

static void note_freed(void *arg, int n) {
    struct hm_world *w = arg;
    struct hm_node *node = &w->nodes[n];
    if (w->closing || w->blind)
        return;
    hm_witness_note(w, "freed", n);
    if (node->variable || node->immortal)
        hm_check_fail(w->check, "object %d was freed, and is %s", n,
                      node->variable ? "a root" : "immortal");
    if (node->finalizes && !node->finalized && !w->check->ops->dispose)
        hm_check_fail(w->check, "object %d was freed, and its finalizer has not run", n);
    node->freed = true;
    w->freed++;
}

static void note_bad_free(void *arg, const char *what) {
    struct hm_world *w = arg;
    hm_check_fail(w->check, "%s", what);
}

/* Bytes that are ours. */
static size_t payload_of(const struct hm_node *node) {
    return node->kind == HM_NODE_WEAK ? 0 : node->kind == HM_NODE_LARGE ? LARGE : 8;
}

/* An object that somebody is shown is whole. */
static void check_whole(struct hm_world *w, int n) {
    const struct hm_sim_mutator *ops = w->check->ops;
    const struct hm_node *node = &w->nodes[n];
    uint64_t number;
    if (node->freed)
        hm_check_fail(w->check, "object %d was freed, and is reachable", n);
    if (ops->length(node->object) != node->length)
        hm_check_fail(w->check, "object %d has %" PRIu32 " slots and not %" PRIu32, n,
                      ops->length(node->object), node->length);
    for (size_t at = 0; at < payload_of(node); at += sizeof number) {
        memcpy(&number, (char *)ops->payload(node->object) + at, sizeof number);
        if (number != (uint64_t)n)
            hm_check_fail(w->check, "the payload of object %d has changed", n);
    }
    for (uint32_t i = 0; i < node->length; i++) {
        int to = node->slots[i];
        if (ops->load(node->object, i) != (to == HM_NOBODY ? NULL : w->nodes[to].object))
            hm_check_fail(w->check, "slot %" PRIu32 " of object %d does not hold what it should", i,
                          n);
        if (to != HM_NOBODY && w->nodes[to].freed)
            hm_check_fail(w->check, "object %d was freed, and object %d refers to it", to, n);
    }
}

static void act(struct hm_world *w, int n) {
    w->happened++;
    w->depth++;
    if (w->nodes[n].action)
        w->nodes[n].action(w, n);
    w->depth--;
}

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_world *w = current;
    int n = find(w, object);
    (void)m;
    if (n == HM_NOBODY)
        hm_check_fail(w->check, "a finalizer was run on what is no object");
    struct hm_node *node = &w->nodes[n];
    if (node->freed)
        hm_check_fail(w->check, "the finalizer of object %d ran after it was freed", n);
    if (w->closing)
        hm_check_fail(w->check, "close ran the finalizer of object %d", n);
    if (node->finalized++)
        hm_check_fail(w->check, "the finalizer of object %d ran twice", n);
    hm_world_mark(w);
    if (node->reachable && !node->was_garbage)
        hm_check_fail(w->check, "the finalizer of object %d ran, and it is reachable", n);
    hm_witness_note_garbage(w);
    hm_witness_note(w, "finalized", n);
    check_whole(w, n);
    act(w, n);
}

static void called_back(struct hm_mutator *m, struct hm_object *object) {
    struct hm_world *w = current;
    int n = find(w, object);
    (void)m;
    if (n == HM_NOBODY || w->nodes[n].kind != HM_NODE_WEAK || !w->nodes[n].calls_back)
        hm_check_fail(w->check, "a callback was run on what is no weak reference");
    struct hm_node *node = &w->nodes[n];
    const struct hm_node *target = &w->nodes[node->target];
    if (node->freed)
        hm_check_fail(w->check, "the callback of weak reference %d ran after it was freed", n);
    if (w->closing)
        hm_check_fail(w->check, "close ran the callback of weak reference %d", n);
    if (node->called++)
        hm_check_fail(w->check, "the callback of weak reference %d ran twice", n);
    hm_world_mark(w);
    if (target->reachable && !target->was_garbage)
        hm_check_fail(w->check, "the callback of weak reference %d ran, and object %d is reachable",
                      n, node->target);
    if (w->check->ops->weak_get(w->m, node->object))
        hm_check_fail(w->check, "the callback of weak reference %d saw its target", n);
    hm_witness_note_garbage(w);
    hm_witness_note(w, "called", n);
    act(w, n);
}

void hm_witness_begin(struct hm_world *w) {
    current = w;
    w->heap.freed = note_freed;
    w->heap.bad_free = note_bad_free;
    w->heap.arg = w;
}

void hm_witness_end(struct hm_world *w) {
    if (current == w)
        current = NULL;
}

/* ---- A type that says by itself what its references are ---- */

static int traverse(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    const struct hm_sim_mutator *ops = current->check->ops;
    for (uint32_t i = ops->length(object); i-- > 0;) {
        struct hm_object *to = ops->load(object, i);
        int stop = to ? visit(to, arg) : 0;
        if (stop)
            return stop;
    }
    return 0;
}

static void clear(struct hm_mutator *m, struct hm_object *object) {
    struct hm_world *w = current;
    const struct hm_sim_mutator *ops = w->check->ops;
    int n = find(w, object);
    hm_world_mark(w);
    if (n == HM_NOBODY || w->nodes[n].freed)
        hm_check_fail(w->check, "what was cleared is no object, or was freed");
    if (w->nodes[n].reachable && !w->nodes[n].was_garbage && !w->closing)
        hm_check_fail(w->check, "object %d was cleared, and is reachable", n);
    w->nodes[n].cleared++;
    for (uint32_t i = 0, length = ops->length(object); i < length; i++)
        ops->store(m, object, i, NULL);
}

#define TYPE(words, ...)                                                                           \
    { .name = words, .payload_bytes = 8, __VA_ARGS__ }

const struct hm_type *hm_witness_type(enum hm_node_kind kind, bool finalizes) {
    static const struct hm_type types[HM_NODE_WEAK][2] = {
        [HM_NODE_LEAF] = {TYPE("leaf", .weakable = true),
                          TYPE("finalized leaf", .weakable = true, .finalize = finalize)},
        [HM_NODE_PAIR] = {TYPE("pair", .slots = 2, .weakable = true),
                          TYPE("finalized pair", .slots = 2, .weakable = true,
                               .finalize = finalize)},
        [HM_NODE_ARRAY] = {TYPE("array", .variable = true, .weakable = true),
                           TYPE("finalized array", .variable = true, .weakable = true,
                                .finalize = finalize)},
        [HM_NODE_TUPLE] = {TYPE("tuple", .variable = true, .weakable = true, .immutable = true),
                           TYPE("finalized tuple", .variable = true, .weakable = true,
                                .immutable = true, .finalize = finalize)},
        [HM_NODE_PLAIN] = {TYPE("plain", .variable = true),
                           TYPE("finalized plain", .variable = true, .finalize = finalize)},
        [HM_NODE_LARGE] =
            {{.name = "large", .variable = true, .payload_bytes = LARGE, .weakable = true},
             {.name = "finalized large",
              .variable = true,
              .payload_bytes = LARGE,
              .weakable = true,
              .finalize = finalize}},
        [HM_NODE_OWN] = {TYPE("own", .variable = true, .weakable = true, .traverse = traverse,
                              .clear = clear),
                         TYPE("finalized own", .variable = true, .weakable = true,
                              .traverse = traverse, .clear = clear, .finalize = finalize)},
    };
    return &types[kind][finalizes];
}

hm_weak_fn *hm_witness_callback(bool calls_back) {
    return calls_back ? called_back : NULL;
}

/* ---- What must be true ---- */

void hm_witness_check_new(struct hm_world *w, int n) {
    const struct hm_sim_mutator *ops = w->check->ops;
    const struct hm_node *node = &w->nodes[n];
    uint64_t number, ours = (uint64_t)n;
    for (size_t at = 0; at < payload_of(node); at += sizeof number) {
        char *place = (char *)ops->payload(node->object) + at;
        memcpy(&number, place, sizeof number);
        if (number)
            hm_check_fail(w->check, "the payload of new object %d is not zero", n);
        memcpy(place, &ours, sizeof ours);
    }
    check_whole(w, n);
}

/* References to a node from slots of others that were not freed, and from its variable. */
static uint32_t count_of(const struct hm_world *w, int n) {
    uint32_t count = w->nodes[n].variable != NULL;
    for (int from = 0; from < w->used; from++)
        for (uint32_t i = 0; !w->nodes[from].freed && i < w->nodes[from].length; i++)
            count += w->nodes[from].slots[i] == n;
    return count;
}

static bool dies_at_once(const struct hm_world *w) {
    return hm_check_can(w->check, HM_GC_FREES) && w->check->ops->refcount && !w->blind;
}

void hm_witness_check_lives(struct hm_world *w) {
    if (w->depth)
        return;
    hm_world_mark(w);
    for (int n = 0; n < w->used; n++) {
        const struct hm_node *node = &w->nodes[n];
        if (node->reachable && node->freed)
            hm_check_fail(w->check, "object %d was freed, and is reachable", n);
        if (!node->reachable && !node->freed && dies_at_once(w) && count_of(w, n) == 0)
            hm_check_fail(w->check, "object %d has no references, and was not freed", n);
    }
}

int hm_witness_deref(struct hm_world *w, int reference) {
    const struct hm_node *node = &w->nodes[reference];
    struct hm_object *object = w->check->ops->weak_get(w->m, node->object);
    if (object && object != w->nodes[node->target].object)
        hm_check_fail(w->check, "weak reference %d leads to another object", reference);
    if (object && w->nodes[node->target].freed)
        hm_check_fail(w->check, "weak reference %d leads to object %d, which was freed", reference,
                      node->target);
    if (object)
        check_whole(w, node->target);
    w->check->ops->release(w->m, object);
    return object ? node->target : HM_NOBODY;
}

/* What a live reference must tell of its target. */
static void check_weak(struct hm_world *w, int n) {
    const struct hm_node *node = &w->nodes[n];
    const struct hm_node *target = &w->nodes[node->target];
    if (node->calls_back && target->freed && !node->was_garbage && !node->called)
        hm_check_fail(w->check, "object %d died, and the callback of weak reference %d did not run",
                      node->target, n);
    if (!target->reachable && !target->freed)
        return; /* it may be either way, and looking at it would bring it back */
    bool leads = hm_witness_deref(w, n) != HM_NOBODY;
    if (!leads && target->reachable && !target->was_garbage && !node->was_garbage)
        hm_check_fail(w->check, "weak reference %d is NULL, and object %d was reachable all along",
                      n, node->target);
}

static void count_all(const struct hm_world *w, uint32_t counts[HM_WORLD_NODES]) {
    for (int n = 0; n < w->used; n++)
        counts[n] = w->nodes[n].variable != NULL;
    for (int from = 0; from < w->used; from++)
        for (uint32_t i = 0; !w->nodes[from].freed && i < w->nodes[from].length; i++)
            if (w->nodes[from].slots[i] != HM_NOBODY)
                counts[w->nodes[from].slots[i]]++;
}

static void check_count(struct hm_world *w, int n, uint32_t expected) {
    if (!w->check->ops->refcount || w->blind || w->nodes[n].immortal)
        return;
    uint32_t count = w->check->ops->refcount(w->nodes[n].object) & COUNT_MASK;
    if (count != expected)
        hm_check_fail(w->check,
                      "object %d has a reference count of %" PRIu32 ", and there are %" PRIu32
                      " references",
                      n, count, expected);
}

void hm_world_check(struct hm_world *w) {
    uint32_t counts[HM_WORLD_NODES] = {0};
    hm_witness_check_lives(w);
    count_all(w, counts);
    for (int n = 0; n < w->used; n++) {
        if (!w->nodes[n].reachable)
            continue;
        check_whole(w, n);
        check_count(w, n, counts[n]);
        if (w->nodes[n].kind == HM_NODE_WEAK)
            check_weak(w, n);
    }
}

void hm_world_check_no_garbage(struct hm_world *w) {
    bool cycles = hm_check_can(w->check, HM_GC_CYCLES);
    if (!hm_check_can(w->check, HM_GC_FREES) || w->blind || w->frozen)
        return;
    for (int n = 0; n < w->used; n++)
        if (!w->nodes[n].reachable && !w->nodes[n].freed && (cycles || count_of(w, n) == 0))
            hm_check_fail(w->check,
                          "object %d is unreachable, and a full collection did not free it", n);
}

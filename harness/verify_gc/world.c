/* The operations on an open collector, and on the mirror. */
#include "harness/verify_gc/world.h"

#include "harness/verify_gc/witness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SETTLE_MAX = 2000,
};

static void note_pause_begin(void *arg, int generation) {
    struct hm_world *w = arg;
    (void)generation;
    w->pausing++;
}

static void note_pause_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    struct hm_world *w = arg;
    (void)generation;
    (void)visited;
    (void)freed;
    if (w->pausing-- == 0)
        hm_check_fail(w->check, "a pause ended that did not begin");
}

/* ---- Opening and closing ---- */

void hm_world_open(struct hm_world *w, struct hm_check *c) {
    memset(w, 0, sizeof *w);
    w->check = c;
    w->events = (struct hm_gc_events){
        .pause_begin = note_pause_begin, .pause_end = note_pause_end, .arg = w};
    if (hm_poison_open(&w->heap))
        hm_check_fail(c, "no memory for the heap under the collector");
    hm_witness_begin(w);
    const struct hm_gc_options options = {.params = c->spec->params.values,
                                          .memory = &w->heap.memory,
                                          .events = &w->events,
                                          .mutators = 1};
    int bad = c->collector->open(&w->gc, &options);
    if (bad)
        hm_check_fail(c, "open failed: %s", strerror(bad));
    w->m = c->collector->attach(w->gc);
    if (!w->m)
        hm_check_fail(c, "attach failed");
    for (int i = 0; i < HM_WORLD_HELD; i++)
        c->ops->root(w->m, &w->held[i]);
    for (int n = 0; n < HM_WORLD_NODES; n++)
        c->ops->root(w->m, &w->nodes[n].variable);
    w->roots = HM_WORLD_HELD + HM_WORLD_NODES;
}

static void check_what_is_left(struct hm_world *w) {
    const char *damage = hm_poison_find_damage(&w->heap);
    if (damage)
        hm_check_fail(w->check, "%s", damage);
    uint64_t lost = w->blind ? 0 : hm_poison_unowned(&w->heap);
    if (lost)
        hm_check_fail(w->check, "close did not give back %" PRIu64 " blocks that are no objects",
                      lost);
}

void hm_world_end(struct hm_world *w) {
    const struct hm_collector *collector = w->check->collector;
    if (w->pausing)
        hm_check_fail(w->check, "a pause did not end");
    w->closing = true;
    w->check->ops->unroot(w->m, w->roots);
    collector->detach(w->m);
    collector->close(w->gc);
    check_what_is_left(w);
    hm_witness_end(w);
    hm_poison_close(&w->heap);
}

/* Everything is dead, or can not be found by this collector. */
static void check_stats(struct hm_world *w) {
    struct hm_gc_stats s;
    w->check->collector->stats(w->gc, &s);
    if (s.allocated_objects != HM_UNKNOWN && s.allocated_objects != (uint64_t)w->used)
        hm_check_fail(w->check, "stats tells of %" PRIu64 " allocated objects, and it is %d",
                      s.allocated_objects, w->used);
    if (s.freed_objects != HM_UNKNOWN && !w->blind && s.freed_objects != w->freed)
        hm_check_fail(w->check, "stats tells of %" PRIu64 " freed objects, and it is %" PRIu64,
                      s.freed_objects, w->freed);
    if (w->freed == (uint64_t)w->used && s.allocated_bytes != HM_UNKNOWN &&
        s.freed_bytes != HM_UNKNOWN && s.freed_bytes != s.allocated_bytes)
        hm_check_fail(w->check,
                      "all objects are freed, and stats tells of %" PRIu64
                      " bytes allocated and %" PRIu64 " freed",
                      s.allocated_bytes, s.freed_bytes);
}

/* Who can never be dropped lets go of all it holds, where it may be changed. */
static void empty_immortals(struct hm_world *w) {
    for (int n = 0; n < w->used; n++)
        for (uint32_t i = 0; w->nodes[n].immortal && i < w->nodes[n].length; i++)
            if (w->nodes[n].kind != HM_NODE_TUPLE && w->nodes[n].slots[i] != HM_NOBODY)
                hm_world_store(w, n, i, HM_NOBODY);
}

static uint64_t count_reachable(struct hm_world *w) {
    uint64_t count = 0;
    hm_world_mark(w);
    for (int n = 0; n < w->used; n++)
        count += w->nodes[n].reachable;
    return count;
}

static bool drop_all(struct hm_world *w) {
    bool any = false;
    empty_immortals(w);
    for (int n = 0; n < w->used; n++) {
        any |= w->nodes[n].variable != NULL;
        if (w->nodes[n].variable)
            hm_world_drop(w, n);
    }
    return any;
}

void hm_world_close(struct hm_world *w) {
    unsigned rounds = 0;
    do {
        drop_all(w);
        hm_world_settle(w);
    } while (++rounds < SETTLE_MAX && drop_all(w));
    hm_world_settle(w);
    check_stats(w);
    uint64_t dropped = (uint64_t)w->used - count_reachable(w);
    if (hm_check_can(w->check, HM_GC_CYCLES) && !w->blind && w->freed != dropped)
        hm_check_fail(w->check, "%" PRIu64 " objects were dropped, and only %" PRIu64 " freed",
                      dropped, w->freed);
    hm_world_end(w);
}

/* ---- Operations ---- */

/* Who is unreachable may be finalized, and have its weak references cleared, from now on. */
static void begin(struct hm_world *w) {
    hm_world_mark(w);
    hm_witness_note_garbage(w);
    if (w->depth == 0)
        w->happened = 0;
}

/* A collector that leaves it to the program is told who is dead. */
static void dispose_of_garbage(struct hm_world *w) {
    for (int n = 0; w->check->ops->dispose && w->depth == 0 && n < w->used; n++) {
        struct hm_node *node = &w->nodes[n];
        hm_world_mark(w);
        if (node->freed || node->reachable)
            continue;
        w->check->ops->dispose(w->m, node->object);
        if (!w->blind && !node->freed)
            hm_check_fail(w->check, "object %d was disposed of, and is not freed", n);
    }
}

static void end(struct hm_world *w) {
    dispose_of_garbage(w);
    hm_witness_check_lives(w);
}

/* The last one held is the first one let go. Finalizers do so in between. */
static void hold(struct hm_world *w, int n) {
    struct hm_object *object = n == HM_NOBODY ? NULL : w->nodes[n].object;
    if (w->holding == HM_WORLD_HELD)
        hm_check_fail(w->check, "finalizers run inside of finalizers, too deep for this check");
    w->check->ops->retain(w->m, object);
    w->held[w->holding++] = object;
}

static void let_go(struct hm_world *w) {
    struct hm_object *object = w->held[--w->holding];
    w->held[w->holding] = NULL;
    w->check->ops->release(w->m, object);
}

static int adopt(struct hm_world *w, struct hm_object *object, const struct hm_node *made) {
    int n = w->used++;
    struct hm_node *node = &w->nodes[n];
    *node = *made;
    for (int i = 0; i < HM_WORLD_SLOTS; i++)
        node->slots[i] = HM_NOBODY;
    node->object = object;
    node->variable = object;
    if (!hm_poison_own(&w->heap, object, n))
        w->blind = true;
    return n;
}

static void check_room(struct hm_world *w) {
    if (w->used == HM_WORLD_NODES)
        hm_check_fail(w->check, "the check itself makes more than %d objects", HM_WORLD_NODES);
}

static bool check_made(struct hm_world *w, const struct hm_object *object) {
    if (!object && errno != ENOMEM)
        hm_check_fail(w->check, "a new object is NULL with errno %d", errno);
    if (!object && !w->failing)
        hm_check_fail(w->check, "a new object is NULL, and there is memory");
    return object != NULL;
}

int hm_world_new(struct hm_world *w, enum hm_node_kind kind, uint32_t length, bool finalizes) {
    check_room(w);
    begin(w);
    const struct hm_type *type = hm_witness_type(kind, finalizes);
    if (!type->variable)
        length = type->slots;
    errno = 0;
    struct hm_object *object = w->check->ops->new (w->m, type, length);
    if (!check_made(w, object)) {
        end(w);
        return HM_NOBODY;
    }
    const struct hm_node made = {.kind = kind,
                                 .length = length,
                                 .target = HM_NOBODY,
                                 .finalizes = finalizes,
                                 .action_node = HM_NOBODY};
    int n = adopt(w, object, &made);
    hm_witness_check_new(w, n);
    end(w);
    return n;
}

int hm_world_weak(struct hm_world *w, int target, bool calls_back) {
    check_room(w);
    begin(w);
    errno = 0;
    hold(w, target);
    struct hm_object *object =
        w->check->ops->weak_new(w->m, w->nodes[target].object, hm_witness_callback(calls_back));
    if (!object && errno == ENOTSUP && calls_back) {
        w->no_callbacks = true;
        calls_back = false;
        object = w->check->ops->weak_new(w->m, w->nodes[target].object, NULL);
    }
    int n = HM_NOBODY;
    if (check_made(w, object)) {
        const struct hm_node made = {.kind = HM_NODE_WEAK,
                                     .length = 1,
                                     .target = target,
                                     .calls_back = calls_back,
                                     .action_node = HM_NOBODY};
        n = adopt(w, object, &made);
    }
    let_go(w);
    end(w);
    return n;
}

void hm_world_store(struct hm_world *w, int from, uint32_t slot, int to) {
    hold(w, from);
    hold(w, to);
    w->nodes[from].slots[slot] = to;
    begin(w);
    w->check->ops->store(w->m, w->nodes[from].object, slot,
                         to == HM_NOBODY ? NULL : w->nodes[to].object);
    let_go(w);
    let_go(w);
    end(w);
}

void hm_world_init(struct hm_world *w, int from, uint32_t slot, int to) {
    struct hm_object *value = w->nodes[to].variable;
    w->nodes[from].slots[slot] = to;
    w->nodes[to].variable = NULL;
    w->check->ops->init_store(w->m, w->nodes[from].object, slot, value);
    hm_witness_check_lives(w);
}

void hm_world_drop(struct hm_world *w, int n) {
    struct hm_object *object = w->nodes[n].variable;
    w->nodes[n].variable = NULL;
    begin(w);
    w->check->ops->release(w->m, object);
    end(w);
}

void hm_world_revive(struct hm_world *w, int n) {
    if (w->nodes[n].variable)
        return;
    w->check->ops->retain(w->m, w->nodes[n].object);
    w->nodes[n].variable = w->nodes[n].object;
}

bool hm_world_immortalize(struct hm_world *w, int n) {
    const struct hm_sim_mutator *ops = w->check->ops;
    bool done = ops->immortalize && ops->immortalize(w->m, w->nodes[n].object);
    w->nodes[n].immortal |= done;
    end(w);
    return done;
}

int hm_world_deref(struct hm_world *w, int reference) {
    hold(w, reference);
    int target = hm_witness_deref(w, reference);
    let_go(w);
    end(w);
    return target;
}

int64_t hm_world_collect(struct hm_world *w, int generation) {
    begin(w);
    uint64_t happened = w->happened;
    w->collecting++;
    w->check->board->nested += w->depth > 0;
    int64_t found = w->check->ops->collect(w->m, generation);
    w->check->board->nested -= w->depth > 0;
    w->collecting--;
    hm_witness_note(w, "collect", (int)found);
    end(w);
    if (w->depth)
        return found;
    if (found < -1)
        hm_check_fail(w->check, "collect returned %" PRId64, found);
    hm_world_check(w);
    if (generation == 2 && w->happened == happened)
        hm_world_check_no_garbage(w);
    return found;
}

void hm_world_settle(struct hm_world *w) {
    unsigned rounds = 0;
    do
        hm_world_collect(w, 2);
    while (w->happened && ++rounds < SETTLE_MAX);
}

int hm_world_ring(struct hm_world *w, unsigned length) {
    int first = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int last = first;
    for (unsigned i = 1; i < length && last != HM_NOBODY; i++) {
        int next = hm_world_new(w, i % 2 ? HM_NODE_ARRAY : HM_NODE_PAIR, 2, false);
        if (next != HM_NOBODY) {
            hm_world_store(w, next, 0, last);
            if (last != first)
                hm_world_drop(w, last);
        }
        last = next;
    }
    if (last == HM_NOBODY)
        return HM_NOBODY;
    hm_world_store(w, first, 0, last);
    if (last != first)
        hm_world_drop(w, last);
    return first;
}

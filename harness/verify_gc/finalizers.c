/* Properties of finalizers: each runs once, and may do what it likes. */
#include "harness/verify_gc/world.h"

#include <inttypes.h>

static struct hm_world world;

static void revive(struct hm_world *w, int n) {
    hm_world_revive(w, n);
}

/* ---- Once ---- */

/* A finalized node, alone or on a ring with `length` others. */
static int build(struct hm_world *w, enum hm_node_kind kind, unsigned length,
                 hm_node_action *action) {
    int n = hm_world_new(w, kind, 2, true);
    if (n == HM_NOBODY)
        return HM_NOBODY;
    w->nodes[n].action = action;
    if (!length)
        return n;
    int ring = hm_world_ring(w, length);
    if (ring == HM_NOBODY)
        return n;
    hm_world_store(w, n, 0, ring);
    hm_world_store(w, ring, 1, n);
    hm_world_drop(w, ring);
    return n;
}

static void expect_runs(struct hm_world *w, int n, unsigned runs) {
    if (hm_check_can(w->check, HM_GC_FREES) && w->nodes[n].finalized != runs)
        hm_check_fail(w->check, "the finalizer of object %d ran %u times and not %u", n,
                      w->nodes[n].finalized, runs);
}

static void run_once(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_FREES, "object is freed before close, and so none is finalized");
    for (int kind = HM_NODE_LEAF; kind < HM_NODE_WEAK; kind++)
        for (unsigned length = 0; length < 4; length += 3) {
            bool cyclic = length && kind != HM_NODE_LEAF && kind != HM_NODE_TUPLE;
            if (cyclic && !hm_check_can(c, HM_GC_CYCLES))
                continue;
            hm_check_at(c, "a finalizer of kind %d%s", kind, cyclic ? " on a ring" : "");
            hm_world_open(w, c);
            int n = build(w, (enum hm_node_kind)kind, cyclic ? length : 0, NULL);
            hm_world_collect(w, 2);
            expect_runs(w, n, 0);
            hm_world_drop(w, n);
            hm_world_collect(w, 2);
            expect_runs(w, n, 1);
            hm_world_close(w);
        }
}

static const struct hm_gc_property once = {
    .name = "finalizer-once",
    .summary = "a finalizer runs once, before its object is freed, and not while it is reachable",
    .point = 100,
    .run = run_once};
HM_REGISTER(hm_gc_property, once);

/* ---- Resurrection ---- */

/* What it brings back, with all that hangs on it, lives; it dies without its finalizer the next time. */
static void resurrect(struct hm_check *c, enum hm_node_kind kind, bool cyclic) {
    struct hm_world *w = &world;
    hm_world_open(w, c);
    int n = build(w, kind, cyclic ? 3 : 0, revive);
    int cargo = hm_world_new(w, HM_NODE_PAIR, 0, true);
    hm_world_store(w, cargo, 0, cyclic ? n : HM_NOBODY);
    if (w->nodes[n].length)
        hm_world_store(w, n, 1, cargo);
    hm_world_drop(w, cargo);
    hm_world_drop(w, n);
    hm_world_collect(w, 2);
    expect_runs(w, n, 1);
    if (!w->nodes[n].variable)
        hm_check_fail(c, "its finalizer did not run");
    hm_world_check(w);
    hm_world_collect(w, 2);
    hm_world_drop(w, n);
    hm_world_settle(w);
    expect_runs(w, n, 1);
    if (!w->nodes[n].freed && !w->blind)
        hm_check_fail(c, "object %d was brought back, dropped again, and is not freed", n);
    hm_world_close(w);
}

static void run_resurrection(struct hm_check *c) {
    hm_check_need(c, HM_GC_FREES, "object is freed before close, and so none is finalized");
    hm_check_at(c, "a leaf is brought back");
    resurrect(c, HM_NODE_LEAF, false);
    hm_check_at(c, "a container is brought back");
    resurrect(c, HM_NODE_PAIR, false);
    hm_check_at(c, "a ring is brought back");
    if (hm_check_can(c, HM_GC_CYCLES))
        resurrect(c, HM_NODE_ARRAY, true);
}

static const struct hm_gc_property resurrection = {
    .name = "resurrection",
    .summary = "what a finalizer brings back lives on whole, and is not finalized again",
    .point = 110,
    .run = run_resurrection};
HM_REGISTER(hm_gc_property, resurrection);

/* ---- What finalizers do ---- */

static int spare, anchor; /* nodes: to be dropped; that stays */

static void allocate(struct hm_world *w, int n) {
    int list = HM_NOBODY;
    (void)n;
    for (int i = 0; i < 12; i++) {
        int next = hm_world_new(w, HM_NODE_PAIR, 0, false);
        if (next == HM_NOBODY)
            break;
        if (list != HM_NOBODY)
            hm_world_init(w, next, 0, list);
        list = next;
    }
    if (list == HM_NOBODY)
        return;
    if (w->nodes[anchor].variable)
        hm_world_store(w, anchor, 1, list);
    hm_world_drop(w, list);
}

static void drop_spare(struct hm_world *w, int n) {
    (void)n;
    if (w->nodes[spare].variable)
        hm_world_drop(w, spare);
}

/* Takes its own ring apart, and puts a part of it where it can be reached. */
static void mutate(struct hm_world *w, int n) {
    int other = w->nodes[n].slots[0];
    if (!w->nodes[anchor].variable)
        return;
    hm_world_store(w, n, 0, anchor);
    if (other != HM_NOBODY)
        hm_world_store(w, anchor, 0, other);
}

/* What it makes refers to garbage, and is garbage at once. */
static void entangle(struct hm_world *w, int n) {
    int ring = hm_world_ring(w, 2);
    if (ring == HM_NOBODY)
        return;
    hm_world_store(w, ring, 1, n);
    hm_world_store(w, n, 1, ring);
    hm_world_drop(w, ring);
}

static void collect_all(struct hm_world *w, int n) {
    (void)n;
    hm_world_collect(w, 0);
    hm_world_collect(w, 2);
}

static const struct {
    const char *what;
    hm_node_action *action;
} acts[] = {
    {"allocates", allocate},       {"drops the last reference to something else", drop_spare},
    {"changes the graph", mutate}, {"makes new garbage that refers to it", entangle},
    {"collects", collect_all},     {"brings it back", revive}};

enum {
    ACTS = sizeof acts / sizeof *acts,
};

/* Two finalizers in one piece of garbage. */
static void play_acts(struct hm_check *c, unsigned first, unsigned second, bool cyclic) {
    struct hm_world *w = &world;
    hm_check_at(c, "one finalizer %s, another one %s%s", acts[first].what, acts[second].what,
                cyclic ? ", on a ring" : "");
    hm_world_open(w, c);
    anchor = hm_world_new(w, HM_NODE_ARRAY, 4, false);
    spare = cyclic ? hm_world_ring(w, 3) : hm_world_new(w, HM_NODE_PAIR, 0, true);
    int a = build(w, HM_NODE_PAIR, cyclic ? 2 : 0, acts[first].action);
    int b = build(w, HM_NODE_ARRAY, 0, acts[second].action);
    hm_world_store(w, a, 1, b);
    if (cyclic)
        hm_world_store(w, b, 0, a);
    hm_world_drop(w, b);
    hm_world_drop(w, a);
    hm_world_settle(w);
    expect_runs(w, a, 1);
    hm_world_close(w);
}

static void run_acts(struct hm_check *c) {
    hm_check_need(c, HM_GC_FREES, "object is freed before close, and so none is finalized");
    for (unsigned first = 0; first < ACTS; first++)
        for (unsigned second = 0; second < ACTS; second++) {
            play_acts(c, first, second, false);
            if (hm_check_can(c, HM_GC_CYCLES))
                play_acts(c, first, second, true);
        }
}

static const struct hm_gc_property does = {
    .name = "finalizer-acts",
    .summary =
        "finalizers that allocate, collect, drop, change the graph or resurrect: nothing is lost",
    .point = 120,
    .run = run_acts};
HM_REGISTER(hm_gc_property, does);

/* ---- Nested collections ---- */

static bool tried;

/* The garbage that the collection around it works on is not touched, nor is that made since. */
static void collect_inside(struct hm_world *w, int n) {
    uint64_t freed = w->freed;
    uint64_t happened = w->happened;
    (void)n;
    if (!w->collecting)
        return;
    tried = true;
    int ring = hm_world_ring(w, 3);
    hm_world_drop(w, ring);
    for (int generation = 0; generation < 3; generation++) {
        int64_t found = hm_world_collect(w, generation);
        if (found > 0)
            hm_check_fail(w->check, "collect inside of a collection returned %" PRId64, found);
    }
    if (w->freed != freed || w->happened != happened)
        hm_check_fail(w->check, "collect inside of a collection was no collection of nothing: it "
                                "freed or finalized");
}

static void run_nested(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    tried = false;
    hm_check_at(c, "a finalizer collects");
    hm_world_open(w, c);
    for (int i = 0; i < 3; i++)
        hm_world_drop(w, build(w, HM_NODE_ARRAY, 3, collect_inside));
    hm_world_collect(w, 2);
    hm_world_close(w);
    if (!tried)
        hm_check_fail(c, "its finalizer did not run inside of the collection");
    hm_check_at(c, "a callback collects");
    hm_world_open(w, c);
    int ring = hm_world_ring(w, 3);
    int weak = hm_world_weak(w, ring, true);
    w->nodes[weak].action = collect_inside;
    hm_world_drop(w, ring);
    hm_world_collect(w, 2);
    hm_world_close(w);
}

static const struct hm_gc_property nested = {
    .name = "nested-collect",
    .summary = "collect inside of a collection does nothing, and returns 0",
    .point = 130,
    .run = run_nested};
HM_REGISTER(hm_gc_property, nested);

/* ---- Close ---- */

static void run_at_close(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_at(c, "objects with finalizers and callbacks are in use at close");
    hm_world_open(w, c);
    int n = build(w, HM_NODE_PAIR, 3, NULL);
    int leaf = hm_world_new(w, HM_NODE_LEAF, 0, true);
    hm_world_weak(w, n, true);
    hm_world_weak(w, leaf, true);
    hm_world_collect(w, 2);
    hm_world_end(w);
}

static const struct hm_gc_property at_close = {
    .name = "close-in-use",
    .summary = "close with objects in use runs no finalizer, and gives back all that is no object",
    .point = 140,
    .run = run_at_close};
HM_REGISTER(hm_gc_property, at_close);

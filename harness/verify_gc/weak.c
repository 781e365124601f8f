/* Properties of weak references: NULL before anyone can see a dead object, and callbacks. */
#include "harness/verify_gc/world.h"

static struct hm_world world;

/* ---- Clearing ---- */

static void look_at_all(struct hm_world *w) {
    for (int n = 0; n < w->used; n++)
        if (w->nodes[n].kind == HM_NODE_WEAK && w->nodes[n].variable)
            hm_world_deref(w, n);
}

/* Whoever can be reached through a reference in a callback may be kept, and then lives. */
static void keep_what_is_seen(struct hm_world *w, int n) {
    (void)n;
    for (int r = 0; r < w->used; r++) {
        if (w->nodes[r].kind != HM_NODE_WEAK || !w->nodes[r].variable)
            continue;
        int target = hm_world_deref(w, r);
        if (target == HM_NOBODY || w->nodes[target].variable)
            continue;
        hm_world_revive(w, target);
    }
}

static void finalize_with_looks(struct hm_world *w, int n) {
    (void)n;
    look_at_all(w);
}

/* A ring of `length` and one more, which may have a finalizer, with a weak reference to each member.
 * @return its first */
static int watched_ring(struct hm_world *w, unsigned length, bool finalizes,
                        hm_node_action *callback) {
    int begin = w->used;
    int ring = hm_world_ring(w, length);
    int finalized = hm_world_new(w, HM_NODE_ARRAY, 2, finalizes);
    w->nodes[finalized].action = finalizes ? finalize_with_looks : NULL;
    hm_world_store(w, finalized, 0, ring);
    hm_world_store(w, ring, 1, finalized);
    hm_world_drop(w, finalized);
    int end = w->used;
    for (int n = begin; n < end; n++) {
        int weak = hm_world_weak(w, n, callback != NULL);
        w->nodes[weak].action = callback;
    }
    return ring;
}

static void expect_null(struct hm_world *w) {
    for (int n = 0; n < w->used; n++)
        if (w->nodes[n].kind == HM_NODE_WEAK && w->nodes[n].variable &&
            w->nodes[w->nodes[n].target].freed && hm_world_deref(w, n) != HM_NOBODY)
            hm_check_fail(w->check, "weak reference %d is not NULL, and its target is dead", n);
}

static void run_cleared(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_at(c, "a target without holders");
    hm_world_open(w, c);
    int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int held = hm_world_new(w, HM_NODE_LEAF, 0, false);
    hm_world_weak(w, held, true);
    hm_world_init(w, n, 0, held);
    int weak = hm_world_weak(w, n, false);
    hm_world_weak(w, n, true);
    if (hm_world_deref(w, weak) != n)
        hm_check_fail(c, "a weak reference to an object in use is NULL");
    hm_world_collect(w, 2);
    hm_world_drop(w, n);
    hm_world_settle(w);
    expect_null(w);
    hm_world_close(w);
    for (unsigned length = 1; hm_check_can(c, HM_GC_CYCLES) && length < 12; length += 3) {
        hm_check_at(c, "rings of %u, looked at in callbacks and finalizers", length);
        hm_world_open(w, c);
        hm_world_drop(w, watched_ring(w, length, length % 2, keep_what_is_seen));
        hm_world_settle(w);
        hm_world_drop(w, watched_ring(w, length, true, NULL));
        hm_world_settle(w);
        hm_world_check(w);
        for (int i = 0; i < w->used; i++)
            if (w->nodes[i].kind != HM_NODE_WEAK && w->nodes[i].variable)
                hm_world_drop(w, i);
        hm_world_settle(w);
        expect_null(w);
        hm_world_close(w);
    }
}

static const struct hm_gc_property cleared = {
    .name = "weak-cleared",
    .summary =
        "weak references are NULL before anyone can see a dead object, and not before it is dead",
    .point = 200,
    .run = run_cleared};
HM_REGISTER(hm_gc_property, cleared);

/* ---- Callbacks ---- */

static void expect_calls(struct hm_world *w, int weak, unsigned calls) {
    if (w->nodes[weak].called != calls)
        hm_check_fail(w->check, "the callback of weak reference %d ran %u times and not %u", weak,
                      w->nodes[weak].called, calls);
}

static void expect_support(struct hm_world *w) {
    if (w->no_callbacks)
        hm_check_unsupported(w->check, "weak references have no callbacks");
}

static void call_live(struct hm_check *c, bool cyclic) {
    struct hm_world *w = &world;
    hm_check_at(c, "%s dies of which there are two live weak references",
                cyclic ? "a ring" : "an object");
    hm_world_open(w, c);
    int n = cyclic ? hm_world_ring(w, 3) : hm_world_new(w, HM_NODE_LEAF, 0, false);
    int first = hm_world_weak(w, n, true);
    int second = hm_world_weak(w, n, true);
    int silent = hm_world_weak(w, n, false);
    expect_support(w);
    hm_world_collect(w, 2);
    expect_calls(w, first, 0);
    hm_world_drop(w, n);
    hm_world_settle(w);
    expect_calls(w, first, 1);
    expect_calls(w, second, 1);
    hm_world_drop(w, silent);
    hm_world_settle(w);
    hm_world_close(w);
}

/* A reference that died before its target. */
static void call_none(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_at(c, "a weak reference dies before its target");
    hm_world_open(w, c);
    int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int before = hm_world_weak(w, n, true);
    int dead = hm_world_weak(w, n, true);
    int after = hm_world_weak(w, n, true);
    hm_world_drop(w, dead);
    hm_world_settle(w);
    hm_world_drop(w, n);
    hm_world_settle(w);
    expect_calls(w, before, 1);
    expect_calls(w, dead, 0);
    expect_calls(w, after, 1);
    hm_world_close(w);
}

/* A reference that is part of the same garbage as its target: found dead together. */
static void call_garbage(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_at(c, "a weak reference is garbage together with its target");
    hm_world_open(w, c);
    int ring = hm_world_ring(w, 3);
    int weak = hm_world_weak(w, ring, true);
    hm_world_store(w, weak, 0, ring);
    hm_world_store(w, ring, 1, weak);
    hm_world_drop(w, weak);
    hm_world_drop(w, ring);
    hm_world_settle(w);
    expect_calls(w, weak, 0);
    hm_world_close(w);
}

static void run_callbacks(struct hm_check *c) {
    hm_check_need(c, HM_GC_FREES, "object dies before close");
    call_live(c, false);
    call_none(c);
    if (hm_check_can(c, HM_GC_CYCLES)) {
        call_live(c, true);
        call_garbage(c);
    }
}

static const struct hm_gc_property callbacks = {
    .name = "weak-callbacks",
    .summary = "a callback runs once, if its weak reference outlives the target, and never else",
    .point = 210,
    .run = run_callbacks};
HM_REGISTER(hm_gc_property, callbacks);

/* ---- Dying with the target ---- */

/* The reference is what holds its target, and goes; another one lives. */
static void run_dying(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_FREES, "object dies before close");
    for (int calls = 1; calls >= 0; calls--) {
        hm_check_at(c, "a weak reference %s a callback dies with its target",
                    calls ? "with" : "without");
        hm_world_open(w, c);
        int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
        int dying = hm_world_weak(w, n, calls);
        int other = hm_world_weak(w, n, true);
        bool calling = !w->no_callbacks;
        hm_world_store(w, dying, 0, n);
        hm_world_drop(w, n);
        hm_world_drop(w, dying);
        hm_world_settle(w);
        expect_calls(w, dying, 0);
        expect_calls(w, other, calling && !w->blind);
        expect_null(w);
        hm_world_close(w);
    }
}

static const struct hm_gc_property dying = {
    .name = "weak-dying",
    .summary = "a weak reference that dies with its target is not called, and others are",
    .point = 215,
    .run = run_dying};
HM_REGISTER(hm_gc_property, dying);

/* ---- What callbacks do ---- */

static int anchor;

static void allocate(struct hm_world *w, int n) {
    (void)n;
    for (int i = 0; i < 8 && w->nodes[anchor].variable; i++) {
        int made = hm_world_new(w, HM_NODE_ARRAY, 3, false);
        hm_world_store(w, made, 0, w->nodes[anchor].slots[0]);
        hm_world_store(w, anchor, 0, made);
        hm_world_drop(w, made);
    }
}

static void collect_all(struct hm_world *w, int n) {
    (void)n;
    hm_world_collect(w, 2);
}

static void drop_references(struct hm_world *w, int n) {
    (void)n;
    for (int i = 0; i < w->used; i++)
        if (i != anchor && w->nodes[i].variable)
            hm_world_drop(w, i);
}

static void run_acts(struct hm_check *c) {
    static hm_node_action *const acts[] = {allocate, collect_all, drop_references};
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_FREES, "object dies before close");
    for (int i = 0; i < 6; i++) {
        bool cyclic = i % 2;
        if (cyclic && !hm_check_can(c, HM_GC_CYCLES))
            continue;
        hm_check_at(c, "callbacks that %s%s",
                    i < 2   ? "allocate"
                    : i < 4 ? "collect"
                            : "drop",
                    cyclic ? ", of a ring" : "");
        hm_world_open(w, c);
        anchor = hm_world_new(w, HM_NODE_ARRAY, 2, false);
        int n = cyclic ? hm_world_ring(w, 4) : hm_world_new(w, HM_NODE_PAIR, 0, true);
        for (int k = 0; k < 3; k++)
            w->nodes[hm_world_weak(w, n, true)].action = acts[i / 2];
        hm_world_drop(w, n);
        hm_world_settle(w);
        hm_world_close(w);
    }
}

static const struct hm_gc_property acts = {
    .name = "callback-acts",
    .summary = "callbacks that allocate, collect or drop references: nothing is lost",
    .point = 220,
    .run = run_acts};
HM_REGISTER(hm_gc_property, acts);

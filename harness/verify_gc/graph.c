/* Properties of the graph: what is in use stays as it is, and what is not goes. */
#include "harness/verify_gc/world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static struct hm_world world;

/* ---- In use ---- */

/* One node of each kind, and all in a list of arrays from one root; leaves with two holders. */
static int build_mixture(struct hm_world *w) {
    int list = HM_NOBODY;
    for (int kind = HM_NODE_LEAF; kind < HM_NODE_WEAK; kind++) {
        int holder = hm_world_new(w, HM_NODE_ARRAY, 4, false);
        int leaf = hm_world_new(w, HM_NODE_LEAF, 0, false);
        int node = hm_world_new(w, (enum hm_node_kind)kind, 3, kind % 2);
        if (w->nodes[node].length) {
            hm_world_init(w, node, 0, leaf);
            hm_world_init(w, node, 1, hm_world_new(w, HM_NODE_LEAF, 0, true));
        } else {
            hm_world_drop(w, leaf);
        }
        hm_world_store(w, holder, 0, node);
        hm_world_store(w, holder, 1, node);
        hm_world_drop(w, node);
        if (kind != HM_NODE_PLAIN)
            hm_world_init(w, holder, 3, hm_world_weak(w, node, kind % 2));
        if (list != HM_NOBODY) {
            hm_world_store(w, holder, 2, list);
            hm_world_drop(w, list);
        }
        list = holder;
    }
    return list;
}

static void run_reachable(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_world_open(w, c);
    for (int round = 0; round < 8; round++) {
        hm_check_at(c, "round %d of objects of each kind", round);
        int list = build_mixture(w);
        hm_world_collect(w, round % 3);
        hm_world_collect(w, 2);
        int ring = hm_world_ring(w, 5);
        hm_world_store(w, ring, 1, list);
        hm_world_drop(w, list);
        hm_world_collect(w, round % 3);
    }
    hm_world_close(w);
}

static const struct hm_gc_property reachable = {
    .name = "reachable",
    .summary = "nothing that is reachable is freed or changed by a collection",
    .point = 20,
    .run = run_reachable};
HM_REGISTER(hm_gc_property, reachable);

/* ---- Garbage ---- */

static void run_acyclic(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_FREES, "object is freed before close");
    hm_world_open(w, c);
    for (int round = 0; round < 8; round++) {
        hm_check_at(c, "round %d of trees", round);
        hm_world_drop(w, build_mixture(w));
        if (round % 2)
            hm_world_collect(w, 2);
    }
    hm_world_close(w);
}

static const struct hm_gc_property acyclic = {
    .name = "acyclic-garbage",
    .summary = "a full collection leaves nothing unreachable that is on no cycle",
    .point = 30,
    .run = run_acyclic};
HM_REGISTER(hm_gc_property, acyclic);

/* Two rings that share a node, one through the free slot of a weak reference, one through a tuple. */
static void build_rings(struct hm_world *w, unsigned length) {
    int ring = hm_world_ring(w, length);
    int other = hm_world_ring(w, length + 1);
    hm_world_store(w, ring, 1, other);
    hm_world_store(w, other, 1, ring);
    int weak = hm_world_weak(w, ring, false);
    hm_world_store(w, weak, 0, other);
    int tuple = hm_world_new(w, HM_NODE_TUPLE, 2, false);
    hm_world_init(w, tuple, 0, weak);
    hm_world_init(w, tuple, 1, hm_world_new(w, HM_NODE_LEAF, 0, false));
    int array = hm_world_new(w, HM_NODE_ARRAY, 2, false);
    hm_world_store(w, array, 0, tuple);
    hm_world_store(w, array, 1, ring);
    int closing = hm_world_new(w, HM_NODE_PAIR, 0, false);
    hm_world_store(w, closing, 0, array);
    hm_world_store(w, w->nodes[ring].length > 1 ? other : ring, 1, closing);
    for (int n = 0; n < w->used; n++)
        if (w->nodes[n].variable)
            hm_world_drop(w, n);
}

static void count_leak(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_world_open(w, c);
    hm_world_drop(w, hm_world_ring(w, 10));
    hm_world_collect(w, 2);
    unsigned leaked = (unsigned)w->used - (unsigned)w->freed;
    hm_check_unsupported(c, "no cycle is found: of a ring of 10 objects, %u leaked", leaked);
}

static void run_cycles(struct hm_check *c) {
    struct hm_world *w = &world;
    if (!hm_check_can(c, HM_GC_CYCLES))
        count_leak(c);
    for (unsigned length = 1; length <= 64; length += 1 + length / 8) {
        hm_check_at(c, "rings of %u objects", length);
        hm_world_open(w, c);
        hm_world_drop(w, hm_world_ring(w, length));
        hm_world_collect(w, 2);
        build_rings(w, length);
        hm_world_collect(w, 2);
        build_rings(w, 3);
        hm_world_collect(w, 0);
        hm_world_collect(w, 1);
        hm_world_close(w);
    }
}

static const struct hm_gc_property cycles = {.name = "cycles",
                                             .summary =
                                                 "a full collection leaves no cyclic garbage",
                                             .point = 40,
                                             .run = run_cycles};
HM_REGISTER(hm_gc_property, cycles);

/* ---- Counts ---- */

static void run_counts(struct hm_check *c) {
    struct hm_world *w = &world;
    if (!c->ops->refcount)
        hm_check_unsupported(c, "references are not counted, or their count can not be read");
    hm_world_open(w, c);
    for (unsigned round = 0; round < 6; round++) {
        hm_check_at(c, "round %u", round);
        int ring = hm_world_ring(w, 3 + round);
        int list = build_mixture(w);
        int array = hm_world_new(w, HM_NODE_ARRAY, 4, false);
        for (uint32_t i = 0; i < 4; i++)
            for (uint32_t twice = 0; twice < 2; twice++)
                hm_world_store(w, array, i, (i + twice) % 2 ? list : ring);
        hm_world_check(w);
        for (int generation = 0; generation < 3; generation++)
            hm_world_collect(w, generation);
        hm_world_store(w, array, 0, HM_NOBODY);
        hm_world_store(w, array, 1, array);
        hm_world_drop(w, list);
        hm_world_check(w);
        hm_world_collect(w, 2);
    }
    hm_world_close(w);
}

static const struct hm_gc_property counts = {
    .name = "counts",
    .summary = "a reference count is the slots and roots that refer to the object, also after a "
               "collection",
    .point = 50,
    .run = run_counts};
HM_REGISTER(hm_gc_property, counts);

/* ---- What collect returns ---- */

static void revive(struct hm_world *w, int n) {
    hm_world_revive(w, n);
}

static void expect_found(struct hm_world *w, int64_t expected) {
    int64_t found = hm_world_collect(w, 2);
    if (found != expected)
        hm_check_fail(w->check, "collect returned %" PRId64 " and not %" PRId64, found, expected);
}

/* A ring of two containers, of which one has a finalizer. */
static int finalized_ring(struct hm_world *w, hm_node_action *action) {
    int first = hm_world_new(w, HM_NODE_PAIR, 0, true);
    int other = hm_world_new(w, HM_NODE_ARRAY, 2, false);
    w->nodes[first].action = action;
    hm_world_store(w, first, 0, other);
    hm_world_store(w, other, 0, first);
    hm_world_drop(w, other);
    return first;
}

static void run_result(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    hm_world_open(w, c);
    hm_check_at(c, "nothing is garbage");
    int alive = hm_world_ring(w, 4);
    expect_found(w, 0);
    for (unsigned length = 1; length <= 32; length *= 2) {
        hm_check_at(c, "a ring of %u objects is garbage", length);
        hm_world_drop(w, hm_world_ring(w, length));
        expect_found(w, length);
    }
    hm_check_at(c, "a finalizer brings back a ring of 2");
    int ring = finalized_ring(w, revive);
    hm_world_drop(w, ring);
    expect_found(w, 0);
    hm_check_at(c, "it is garbage again");
    hm_world_drop(w, ring);
    expect_found(w, 2);
    hm_world_drop(w, alive);
    hm_world_close(w);
}

static const struct hm_gc_property result = {
    .name = "collect-result",
    .summary =
        "collect returns the number of objects of unreachable rings; resurrected ones are not "
        "counted",
    .point = 60,
    .run = run_result};
HM_REGISTER(hm_gc_property, result);

/* ---- Generations ---- */

/* Make a node's age that of a generation. */
static void promote(struct hm_world *w, int generation) {
    for (int g = 0; g < generation; g++)
        hm_world_collect(w, g);
}

static void check_pair(struct hm_world *w, int old_generation, int young_generation, bool through) {
    hm_check_at(w->check, "from generation %d to generation %d%s", old_generation, young_generation,
                through ? ", through a new object" : "");
    const struct hm_gc_control *control = hm_check_control(w->check);
    int old = hm_world_new(w, HM_NODE_ARRAY, 3, false);
    promote(w, old_generation - young_generation);
    int young = hm_world_ring(w, 3);
    int leaf = hm_world_new(w, HM_NODE_LEAF, 0, false);
    promote(w, young_generation);
    if (control->generation_of &&
        control->generation_of(w->gc, w->nodes[old].object) < young_generation)
        hm_check_fail(w->check, "object %d is in generation %d", old,
                      control->generation_of(w->gc, w->nodes[old].object));
    hm_world_store(w, old, 0, young);
    hm_world_store(w, old, 1, leaf);
    if (through) {
        int between = hm_world_new(w, HM_NODE_PAIR, 0, false);
        hm_world_store(w, between, 0, young);
        hm_world_store(w, old, 0, between);
        hm_world_drop(w, between);
    }
    hm_world_drop(w, young);
    hm_world_drop(w, leaf);
    for (int generation = 0; generation < 3; generation++)
        hm_world_collect(w, generation);
    hm_world_store(w, old, 0, HM_NOBODY);
    hm_world_drop(w, old);
    hm_world_collect(w, 2);
}

static void run_generations(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_GENERATIONS, "generations");
    for (int old = 0; old < 3; old++)
        for (int young = 0; young <= old; young++)
            for (int through = 0; through < 2; through++) {
                hm_world_open(w, c);
                check_pair(w, old, young, through);
                hm_world_close(w);
            }
}

static const struct hm_gc_property generations = {
    .name = "old-to-young",
    .summary = "what only an older object refers to survives the collection of each generation",
    .point = 70,
    .run = run_generations};
HM_REGISTER(hm_gc_property, generations);

/* Properties of types: what says its references by itself, what is kept for the next one, what must not be
 * finalized by a collector. */
#include "harness/verify_gc/world.h"

#include "harness/verify_gc/witness.h"

#include <string.h>

static struct hm_world world;

/* ---- A traverse and a clear of its own ---- */

static const struct hm_sim_mutator *ops;

/* All but slot 1. */
static int traverse_some(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    for (uint32_t i = 0; i < ops->length(object); i++) {
        struct hm_object *to = i == 1 ? NULL : ops->load(object, i);
        int stop = to ? visit(to, arg) : 0;
        if (stop)
            return stop;
    }
    return 0;
}

static void expect_freed(struct hm_world *w, int n, bool freed, const char *when) {
    if (!w->blind && w->nodes[n].freed != freed)
        hm_check_fail(w->check, "object %d was %s, %s", n, freed ? "not freed" : "freed", when);
}

/* What dies of its last reference is not cleared. */
static void drop_own(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_at(c, "an object with a clear of its own dies of its last reference");
    hm_world_open(w, c);
    int own = hm_world_new(w, HM_NODE_OWN, 2, false);
    hm_world_init(w, own, 0, hm_world_new(w, HM_NODE_LEAF, 0, false));
    hm_world_drop(w, own);
    if (w->nodes[own].freed && w->nodes[own].cleared)
        hm_check_fail(c, "it was cleared");
    hm_world_close(w);
}

/* A ring through a slot that its traverse leaves out is held as from outside, for who counts. */
static void hide(struct hm_check *c) {
    static const struct hm_type hiding = {
        .name = "hiding", .slots = 2, .payload_bytes = 8, .traverse = traverse_some};
    struct hm_world *w = &world;
    struct hm_object *hider = NULL;
    hm_check_at(c, "garbage behind a slot that a traverse leaves out");
    hm_world_open(w, c);
    ops->root(w->m, &hider);
    int pair = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int leaf = hm_world_new(w, HM_NODE_LEAF, 0, false);
    hider = ops->new (w->m, &hiding, 2);
    ops->store(w->m, hider, 1, w->nodes[pair].object);
    ops->store(w->m, w->nodes[pair].object, 0, hider);
    hm_world_init(w, pair, 1, leaf);
    ops->release(w->m, w->nodes[pair].variable);
    ops->release(w->m, hider);
    for (int i = 0; i < 2; i++)
        ops->collect(w->m, 2);
    expect_freed(w, pair, false, "and nobody knows who refers to it");
    expect_freed(w, leaf, false, "and an object that lives refers to it");
    w->nodes[pair].variable = hider = NULL;
    ops->store(w->m, w->nodes[pair].object, 0, NULL);
    expect_freed(w, pair, true, "and its last reference went");
    ops->unroot(w->m, 1);
    hm_world_settle(w);
    hm_world_end(w);
}

static void run_traverse(struct hm_check *c) {
    struct hm_world *w = &world;
    ops = c->ops;
    hm_check_need(c, HM_GC_FREES, "object is freed before close");
    drop_own(c);
    hm_check_at(c, "rings of objects with a traverse and a clear of their own");
    hm_world_open(w, c);
    for (int finalizes = 0; finalizes < 2; finalizes++) {
        int first = hm_world_new(w, HM_NODE_OWN, 3, finalizes);
        int second = hm_world_new(w, HM_NODE_OWN, 2, false);
        hm_world_store(w, first, 2, second);
        hm_world_store(w, second, 1, first);
        hm_world_store(w, second, 0, second);
        hm_world_drop(w, second);
        hm_world_collect(w, 2);
        hm_world_drop(w, first);
        hm_world_settle(w);
    }
    hm_world_close(w);
    if (c->ops->refcount && hm_check_can(c, HM_GC_CYCLES))
        hide(c);
}

static const struct hm_gc_property own = {
    .name = "own-traverse",
    .summary = "a type's own traverse and clear are used: what it leaves out lives, what dies by "
               "itself is not cleared",
    .point = 335,
    .run = run_traverse};
HM_REGISTER(hm_gc_property, own);

/* ---- Kept objects ---- */

enum {
    LIVES = 40,
    KEPT = 6,
};

static unsigned finalized;

static void count_finalizer(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    finalized++;
}

static const struct hm_type kept_types[] = {
    {.name = "kept leaf", .payload_bytes = 24, .weakable = true, .free_list = 1, .kept = KEPT},
    {.name = "kept pair",
     .slots = 2,
     .payload_bytes = 8,
     .weakable = true,
     .free_list = 2,
     .kept = KEPT},
    {.name = "kept and finalized",
     .slots = 2,
     .payload_bytes = 8,
     .weakable = true,
     .free_list = 3,
     .kept = KEPT,
     .finalize = count_finalizer},
};

/* A new one is as if there had been none before it. */
static void make_kept(struct hm_world *w, const struct hm_type *type, struct hm_object **variable) {
    static const char zeros[24];
    *variable = ops->new (w->m, type, type->slots);
    if (!*variable)
        hm_check_fail(w->check, "a new object is NULL, and there is memory");
    if (memcmp(ops->payload(*variable), zeros, type->payload_bytes) != 0)
        hm_check_fail(w->check, "the payload of a new object is not zero");
    for (uint32_t i = 0; i < type->slots; i++)
        if (ops->load(*variable, i))
            hm_check_fail(w->check, "a slot of a new object is not NULL");
    memset(ops->payload(*variable), 0x5A, type->payload_bytes);
}

/* One lives and dies, alone or in a ring with itself; a weak reference to it outlives it. */
static void live(struct hm_world *w, const struct hm_type *type, bool cyclic,
                 struct hm_object **variables) {
    make_kept(w, type, &variables[0]);
    variables[1] = ops->weak_new(w->m, variables[0], NULL);
    for (uint32_t i = 0; cyclic && i < type->slots; i++)
        ops->store(w->m, variables[0], i, variables[0]);
    struct hm_object *object = variables[0];
    variables[0] = NULL;
    ops->release(w->m, object);
    if (cyclic || !hm_check_can(w->check, HM_GC_AT_ONCE))
        ops->collect(w->m, 2);
    make_kept(w, type, &variables[0]);
    struct hm_object *seen = ops->weak_get(w->m, variables[1]);
    if (seen && !w->blind)
        hm_check_fail(w->check, "a weak reference to a dead object leads to %s",
                      seen == variables[0] ? "the one that took its place" : "an object");
    for (int i = 1; i >= 0; i--) {
        object = variables[i];
        variables[i] = NULL;
        ops->release(w->m, object);
    }
}

static void run_kept(struct hm_check *c) {
    struct hm_world *w = &world;
    struct hm_object *variables[2] = {NULL, NULL};
    struct hm_gc_stats s;
    ops = c->ops;
    hm_check_need(c, HM_GC_FREES, "object dies before close");
    for (size_t t = 0; t < sizeof kept_types / sizeof *kept_types; t++) {
        const struct hm_type *type = &kept_types[t];
        hm_check_at(c, "type '%s', of which %d may be kept", type->name, KEPT);
        hm_world_open(w, c);
        finalized = 0;
        for (int i = 0; i < 2; i++)
            ops->root(w->m, &variables[i]);
        for (int i = 0; i < LIVES; i++)
            live(w, type, i % 2 && type->slots && hm_check_can(c, HM_GC_CYCLES), variables);
        for (int i = 0; i < 2; i++)
            ops->collect(w->m, 2);
        c->collector->stats(w->gc, &s);
        ops->unroot(w->m, 2);
        if (s.freed_objects != HM_UNKNOWN && s.freed_objects != s.allocated_objects)
            hm_check_fail(c, "all are dead, and stats tells otherwise");
        if (type->finalize && finalized != 2 * LIVES)
            hm_check_fail(c, "%d objects died, and %u finalizers ran", 2 * LIVES, finalized);
        hm_world_end(w);
    }
}

static const struct hm_gc_property kept = {
    .name = "kept-types",
    .summary =
        "a kept object that is handed out again is as new, and no weak reference leads there",
    .point = 340,
    .run = run_kept};
HM_REGISTER(hm_gc_property, kept);

/* ---- Legacy finalizers ---- */

static const struct hm_type legacy_type = {.name = "legacy",
                                           .slots = 2,
                                           .payload_bytes = 8,
                                           .legacy_finalizer = true,
                                           .finalize = count_finalizer};

static void run_legacy(struct hm_check *c) {
    struct hm_world *w = &world;
    struct hm_object *legacy = NULL;
    ops = c->ops;
    hm_check_need(c, HM_GC_AT_ONCE, "death of a last reference is noted at once");
    hm_world_open(w, c);
    ops->root(w->m, &legacy);
    hm_check_at(c, "it dies of its last reference");
    finalized = 0;
    struct hm_object *object = legacy = ops->new (w->m, &legacy_type, 2);
    legacy = NULL;
    ops->release(w->m, object);
    if (finalized != 1)
        hm_check_fail(c, "its finalizer ran %u times", finalized);
    hm_check_at(c, "it is on a ring of garbage");
    int pair = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int leaf = hm_world_new(w, HM_NODE_LEAF, 0, false);
    object = legacy = ops->new (w->m, &legacy_type, 2);
    ops->store(w->m, legacy, 0, w->nodes[pair].object);
    ops->store(w->m, w->nodes[pair].object, 0, legacy);
    hm_world_init(w, pair, 1, leaf);
    ops->release(w->m, w->nodes[pair].variable);
    w->nodes[pair].variable = NULL;
    legacy = NULL;
    ops->release(w->m, object);
    for (int i = 0; i < 2; i++)
        ops->collect(w->m, 2);
    if (finalized != 1)
        hm_check_fail(c, "a collector ran its finalizer");
    expect_freed(w, pair, false, "and a legacy finalizer needs it");
    expect_freed(w, leaf, false, "and a legacy finalizer needs it");
    ops->unroot(w->m, 1);
    w->closing = true;
    w->blind = true; /* what is left is more than nodes */
    hm_world_end(w);
}

static const struct hm_gc_property legacy = {
    .name = "legacy-finalizer",
    .summary =
        "a legacy finalizer runs at the death of the last reference; no collector frees what "
        "it needs",
    .point = 345,
    .run = run_legacy};
HM_REGISTER(hm_gc_property, legacy);

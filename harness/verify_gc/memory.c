/* Properties of memory: it runs out at any allocation and nothing breaks, and all of it is given back. */
#include "harness/verify_gc/world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    MOST_ALLOCATIONS = 4000, /* of one scene: more would be no scene that ends */
};

static struct hm_world world;

/* ---- Open ---- */

static void begin_pause(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void end_pause(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static void bad_free(void *arg, const char *what) {
    hm_check_fail(arg, "%s", what);
}

/* @return whether an allocation was made to fail */
static bool open_with(struct hm_check *c, uint64_t allowed) {
    static const struct hm_gc_events events = {.pause_begin = begin_pause, .pause_end = end_pause};
    static struct hm_poison heap;
    struct hm_gc *gc = NULL;
    if (hm_poison_open(&heap))
        hm_check_fail(c, "no memory for the heap under the collector");
    heap.bad_free = bad_free;
    heap.arg = c;
    hm_poison_limit(&heap, allowed, false);
    const struct hm_gc_options options = {
        .params = c->spec->params.values, .memory = &heap.memory, .events = &events, .mutators = 1};
    int bad = c->collector->open(&gc, &options);
    struct hm_mutator *m = bad ? NULL : c->collector->attach(gc);
    bool failed = heap.failures > 0;
    if (!failed && (bad || !m))
        hm_check_fail(c, "open or attach fails: %s", strerror(bad));
    if (bad && (bad != ENOMEM || gc))
        hm_check_fail(c, "open without memory gives %d and not ENOMEM, or touches its output", bad);
    if (m)
        c->collector->detach(m);
    if (!bad)
        c->collector->close(gc);
    if (heap.live_blocks)
        hm_check_fail(c, "%" PRIu64 " blocks are left", heap.live_blocks);
    const char *damage = hm_poison_find_damage(&heap);
    if (damage)
        hm_check_fail(c, "%s", damage);
    hm_poison_close(&heap);
    return failed;
}

static void run_open(struct hm_check *c) {
    struct hm_world *w = &world;
    for (uint64_t n = 0;; n++) {
        hm_check_at(c, "open, with memory for %" PRIu64 " allocations", n);
        if (!open_with(c, n))
            break;
    }
    hm_check_at(c, "a second mutator, and one was announced");
    hm_world_open(w, c);
    if (c->collector->attach(w->gc))
        hm_check_fail(c, "it is given a mutator");
    hm_check_at(c, "an array of more than HM_LENGTH_MAX slots");
    static const struct hm_type array = {.name = "array", .variable = true};
    errno = 0;
    if (c->ops->new (w->m, &array, HM_LENGTH_MAX + 1) || errno != ENOMEM)
        hm_check_fail(c, "it is not NULL with ENOMEM");
    hm_world_close(w);
}

static const struct hm_gc_property open_close = {
    .name = "open-close",
    .summary = "open without memory is ENOMEM, at each allocation; close gives back what open took",
    .point = 10,
    .run = run_open};
HM_REGISTER(hm_gc_property, open_close);

/* ---- Out of memory ---- */

static int make(struct hm_world *w, enum hm_node_kind kind, bool finalizes) {
    int n = hm_world_new(w, kind, 3, finalizes);
    if (n != HM_NOBODY)
        return n;
    hm_world_check(w);
    hm_poison_unlimit(&w->heap);
    n = hm_world_new(w, kind, 3, finalizes);
    if (n == HM_NOBODY)
        hm_check_fail(w->check, "there is memory again, and a new object is NULL");
    return n;
}

static int make_weak(struct hm_world *w, int target) {
    int n = hm_world_weak(w, target, true);
    if (n != HM_NOBODY)
        return n;
    hm_world_check(w);
    hm_poison_unlimit(&w->heap);
    n = hm_world_weak(w, target, true);
    if (n == HM_NOBODY)
        hm_check_fail(w->check, "there is memory again, and a new weak reference is NULL");
    return n;
}

/* Objects of each kind in a list that lives, and a ring that dies, again and again. */
static void play_scene(struct hm_world *w) {
    int list = make(w, HM_NODE_ARRAY, false);
    for (int i = 0; i < 12; i++) {
        int next = make(w, i % 2 ? HM_NODE_ARRAY : HM_NODE_PAIR, i % 3 == 0);
        int leaf = make(w, HM_NODE_LEAF, false);
        hm_world_store(w, next, 0, list);
        hm_world_store(w, next, 1, leaf);
        hm_world_drop(w, list);
        hm_world_drop(w, leaf);
        list = next;
        int ring = make(w, HM_NODE_PAIR, i % 4 == 0);
        int other = make(w, HM_NODE_ARRAY, false);
        hm_world_store(w, ring, 0, other);
        hm_world_store(w, other, 0, ring);
        int weak = make_weak(w, ring);
        hm_world_drop(w, ring);
        hm_world_drop(w, other);
        if (i % 2)
            hm_world_drop(w, weak);
    }
    hm_world_collect(w, 2);
}

static bool scene_fails(struct hm_check *c, uint64_t allowed, bool once) {
    struct hm_world *w = &world;
    hm_check_at(c, "allocation %" PRIu64 " %s", allowed + 1,
                once ? "fails" : "and all that follow fail");
    hm_world_open(w, c);
    w->failing = true;
    hm_poison_limit(&w->heap, allowed, once);
    play_scene(w);
    bool failed = w->heap.failures > 0;
    hm_poison_unlimit(&w->heap);
    hm_world_close(w);
    return failed;
}

static void run_new(struct hm_check *c) {
    struct hm_world *w = &world;
    uint64_t tried = 0;
    hm_world_open(w, c);
    w->failing = true;
    hm_world_end(w);
    for (int once = 0; once < 2; once++)
        for (uint64_t n = 0; n < MOST_ALLOCATIONS && scene_fails(c, n, once); n++)
            tried++;
    hm_check_note(c, "%" PRIu64 " allocations were made to fail", tried);
}

static const struct hm_gc_property oom_new = {
    .name = "out-of-memory",
    .summary =
        "memory runs out at any allocation: NULL with ENOMEM, all is valid, a retry succeeds",
    .point = 300,
    .run = run_new};
HM_REGISTER(hm_gc_property, oom_new);

/* ---- .. inside of a collection ---- */

static void allocate(struct hm_world *w, int n) {
    int made = hm_world_new(w, HM_NODE_PAIR, 0, false);
    if (made != HM_NOBODY)
        hm_world_store(w, n, 1, made);
    if (made != HM_NOBODY)
        hm_world_drop(w, made);
}

static void allocate_for_nobody(struct hm_world *w, int n) {
    int made = hm_world_new(w, HM_NODE_ARRAY, 2, false);
    (void)n;
    if (made != HM_NOBODY)
        hm_world_drop(w, made);
}

static void build_garbage(struct hm_world *w, bool finalizes) {
    for (unsigned i = 0; i < 6; i++) {
        int ring = hm_world_ring(w, 2 + i);
        int finalized = hm_world_new(w, HM_NODE_ARRAY, 3, finalizes);
        w->nodes[finalized].action = finalizes ? allocate : NULL;
        hm_world_store(w, finalized, 0, ring);
        hm_world_store(w, ring, 1, finalized);
        int weak = hm_world_weak(w, ring, true);
        w->nodes[weak].action = finalizes ? allocate_for_nobody : NULL;
        hm_world_drop(w, finalized);
        hm_world_drop(w, ring);
    }
}

/* Ways to collect without memory: bits. */
enum {
    WAY_ONCE = 1,
    WAY_FINALIZERS = 2, /* finalizers and callbacks allocate */
    WAY_SAVES = 4,      /* garbage is kept, which has to be noted */
    WAY_END = 8,
};

/* What was kept is let go of again. */
static void stop_saving(struct hm_world *w) {
    const struct hm_gc_control *control = hm_check_control(w->check);
    struct hm_object *object;
    control->save_all(w->gc, false);
    while ((object = control->pop_garbage(w->gc)))
        w->check->ops->release(w->m, object);
}

/* @return whether an allocation was made to fail */
static bool collect_fails(struct hm_check *c, uint64_t allowed, int way) {
    struct hm_world *w = &world;
    bool once = way & WAY_ONCE, finalizes = way & WAY_FINALIZERS, saves = way & WAY_SAVES;
    hm_check_at(c, "allocation %" PRIu64 " of a collection %s%s", allowed + 1,
                once ? "fails" : "and all that follow fail",
                saves       ? ", garbage is kept"
                : finalizes ? ", finalizers and callbacks allocate"
                            : "");
    hm_world_open(w, c);
    w->failing = true;
    int alive = hm_world_ring(w, 5);
    build_garbage(w, finalizes);
    if (saves)
        hm_check_control(c)->save_all(w->gc, true);
    hm_poison_limit(&w->heap, allowed, once);
    w->check->ops->collect(w->m, 2);
    bool failed = w->heap.failures > 0;
    hm_poison_unlimit(&w->heap);
    if (saves)
        stop_saving(w);
    hm_world_check(w);
    hm_world_settle(w);
    hm_world_drop(w, alive);
    hm_world_close(w);
    return failed;
}

static void run_collect(struct hm_check *c) {
    uint64_t tried = 0;
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    bool saves = hm_check_control(c)->save_all && hm_check_control(c)->pop_garbage;
    for (int way = 0; way < (saves ? WAY_END : WAY_SAVES); way++)
        for (uint64_t n = 0; n < MOST_ALLOCATIONS && collect_fails(c, n, way); n++)
            tried++;
    hm_check_note(c, "%" PRIu64 " allocations were made to fail", tried);
}

static const struct hm_gc_property oom_collect = {
    .name = "out-of-memory-collect",
    .summary = "memory runs out at any allocation inside of a collection: all is valid, a retry "
               "frees the rest",
    .point = 310,
    .run = run_collect};
HM_REGISTER(hm_gc_property, oom_collect);

/* ---- A full heap ---- */

static void run_full(struct hm_check *c) {
    struct hm_world *w = &world;
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    hm_check_at(c, "rings of garbage, in a heap with no room for one more object");
    hm_world_open(w, c);
    if (hm_check_control(c)->enable)
        hm_check_control(c)->enable(w->gc, true);
    w->failing = true;
    for (int i = 0; i < 5; i++)
        hm_world_drop(w, hm_world_ring(w, 5));
    uint64_t freed = w->freed;
    hm_poison_limit(&w->heap, 0, true);
    int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
    if (n == HM_NOBODY && w->heap.failures == 1 && !w->blind && w->freed == freed)
        hm_check_fail(c, "an allocation failed, and garbage was not collected first");
    hm_poison_unlimit(&w->heap);
    hm_world_close(w);
}

static const struct hm_gc_property full = {.name = "full-heap",
                                           .summary =
                                               "garbage is collected before an allocation fails",
                                           .point = 320,
                                           .run = run_full};
HM_REGISTER(hm_gc_property, full);

/* ---- Immortals ---- */

static void run_immortal(struct hm_check *c) {
    struct hm_world *w = &world;
    if (!c->ops->immortalize)
        hm_check_unsupported(c, "no object can be made immortal");
    hm_check_at(c, "an immortal object is let go of");
    hm_world_open(w, c);
    int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
    int leaf = hm_world_new(w, HM_NODE_LEAF, 0, false);
    for (int i = 0; i < 2; i++) {
        struct hm_node *node = &w->nodes[i ? leaf : n];
        if (!c->ops->immortalize(w->m, node->object))
            hm_check_fail(c, "there is memory, and it stays mortal");
        struct hm_object *object = node->variable;
        node->variable = NULL;
        c->ops->release(w->m, object);
        c->ops->collect(w->m, 2);
        if (node->freed)
            hm_check_fail(c, "it was freed");
    }
    w->closing = true;
    hm_world_end(w);
}

static const struct hm_gc_property immortal = {.name = "immortal",
                                               .summary =
                                                   "an immortal object is not freed before close",
                                               .point = 330,
                                               .run = run_immortal};
HM_REGISTER(hm_gc_property, immortal);

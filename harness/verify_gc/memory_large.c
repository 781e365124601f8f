/* Out of memory inside of a collection of a graph that is wide and scattered: what a collector takes then is
 * more than a few objects make it take. */
#include "harness/verify_gc/world.h"

#include <inttypes.h>
#include <string.h>

enum {
    WIDTH = 20000,           /* objects that one array refers to */
    MOST_ALLOCATIONS = 1000, /* of a collection */
};

static struct hm_world world;
static const struct hm_sim_mutator *ops;

/* What all of it hangs on; known as roots. */
static struct hm_object *alive, *garbage, *pair;

static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type pair_type = {.name = "pair", .slots = 2, .payload_bytes = 8};
static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};

static struct hm_object *make(const struct hm_type *type, uint32_t length, uint64_t number) {
    struct hm_object *object = ops->new (world.m, type, length);
    if (!object)
        hm_check_fail(world.check, "a new object is NULL, and there is memory");
    if (type->payload_bytes)
        memcpy(ops->payload(object), &number, sizeof number);
    return object;
}

static uint32_t other_of(uint32_t i) {
    return (uint32_t)((i * (uint64_t)7919 + 13) % WIDTH);
}

/* Pairs in an array, each with a leaf, and with another one that lies elsewhere. */
static void build(struct hm_object **variable) {
    struct hm_mutator *m = world.m;
    *variable = make(&array_type, WIDTH, 0);
    for (uint32_t i = 0; i < WIDTH; i++) {
        pair = make(&pair_type, 2, i);
        ops->init_store(m, pair, 1, make(&leaf_type, 0, i));
        struct hm_object *made = pair;
        pair = NULL;
        ops->init_store(m, *variable, i, made);
    }
    for (uint32_t i = 0; i < WIDTH; i++)
        ops->store(m, ops->load(*variable, i), 0, ops->load(*variable, other_of(i)));
}

static void expect_number(struct hm_object *object, uint64_t expected) {
    uint64_t number;
    memcpy(&number, ops->payload(object), sizeof number);
    if (number != expected)
        hm_check_fail(world.check, "the payload of object %" PRIu64 " has changed", expected);
}

static void check_alive(void) {
    for (uint32_t i = 0; i < WIDTH; i++) {
        struct hm_object *object = ops->load(alive, i);
        expect_number(object, i);
        expect_number(ops->load(object, 1), i);
        if (ops->load(object, 0) != ops->load(alive, other_of(i)))
            hm_check_fail(world.check, "slot 0 of object %" PRIu32 " does not hold what it should",
                          i);
        if (ops->refcount && ops->refcount(object) != 2)
            hm_check_fail(world.check, "object %" PRIu32 " has a reference count of %" PRIu32, i,
                          ops->refcount(object));
    }
}

static void drop(struct hm_object **variable) {
    struct hm_object *object = *variable;
    *variable = NULL;
    ops->release(world.m, object);
}

static uint64_t live_objects(void) {
    struct hm_gc_stats s;
    world.check->collector->stats(world.gc, &s);
    return s.allocated_objects - s.freed_objects;
}

/* @return whether an allocation was made to fail */
static bool collect_fails(struct hm_check *c, uint64_t allowed, bool once) {
    struct hm_world *w = &world;
    hm_check_at(c, "allocation %" PRIu64 " of a large collection %s", allowed + 1,
                once ? "fails" : "and all that follow fail");
    build(&garbage);
    drop(&garbage);
    hm_poison_limit(&w->heap, allowed, once);
    uint64_t failures = w->heap.failures;
    ops->collect(w->m, 2);
    bool failed = w->heap.failures > failures;
    hm_poison_unlimit(&w->heap);
    check_alive();
    ops->collect(w->m, 2);
    check_alive();
    if (live_objects() != 2 * WIDTH + 1)
        hm_check_fail(c, "%" PRIu64 " objects are left, and not %d, when it is tried again",
                      live_objects(), 2 * WIDTH + 1);
    return failed;
}

/* What a collector keeps for the next collection is new in each way.
 * @return how many allocations were made to fail */
static uint64_t try_all(struct hm_check *c, bool once) {
    struct hm_object **const variables[] = {&alive, &garbage, &pair};
    struct hm_world *w = &world;
    uint64_t tried = 0;
    hm_world_open(w, c);
    for (int i = 0; i < 3; i++)
        ops->root(w->m, variables[i]);
    build(&alive);
    while (tried < MOST_ALLOCATIONS && collect_fails(c, tried, once))
        tried++;
    drop(&alive);
    ops->collect(w->m, 2);
    if (live_objects())
        hm_check_fail(c, "all is dropped, and %" PRIu64 " objects are left", live_objects());
    ops->unroot(w->m, 3);
    hm_world_end(w);
    return tried;
}

static void run_large(struct hm_check *c) {
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    ops = c->ops;
    uint64_t tried = try_all(c, false);
    tried += try_all(c, true);
    hm_check_note(c, "%" PRIu64 " allocations were made to fail", tried);
}

static const struct hm_gc_property large = {
    .name = "out-of-memory-large",
    .summary = "the same inside of a collection of 80000 objects: the mark stack and the like",
    .point = 315,
    .run = run_large};
HM_REGISTER(hm_gc_property, large);

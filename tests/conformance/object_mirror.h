/* A mirror of the objects of a collector under test, and random programs that run on both.
 *
 * The mirror is the same graph in plain arrays. It knows for each object what pure reference counting
 * would say of it, and whether it is reachable, by a naive mark. */
#ifndef HM_TESTS_CONFORMANCE_OBJECT_MIRROR_H
#define HM_TESTS_CONFORMANCE_OBJECT_MIRROR_H

#include "harness/plan/registry.h"
#include "tests/conformance/object_heap.h"

/* rc.h is part of the collectors that count references, and of no other. */
#ifdef HM_COLLECTORS_RC_H
#define COUNTS true
#else
#define COUNTS false
#endif

enum {
    ROOTS = 8,
    NODES = 400,
    SLOTS = 5,
    NOBODY = -1,
};

static const struct hm_collector *collector(void) {
    return hm_collector_compiled(HM_WORKLOAD_STRING(HM_COLLECTOR));
}

static bool can(unsigned cap) {
    return collector()->caps & cap;
}

struct node {
    struct hm_object *object;
    uint32_t length;
    int slots[SLOTS];
    uint32_t count; /* what pure counting would say; 0: it would be freed */
    bool reachable;
};

static struct {
    struct node nodes[NODES];
    int used;
    int roots[ROOTS];
    struct hm_object *variables[ROOTS];
} mirror;

static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 8};
static const struct hm_type pair_type = {.name = "pair", .slots = 2, .payload_bytes = 8};
static const struct hm_type array_type = {.name = "array", .variable = true, .payload_bytes = 8};

static void mirror_release(int n) {
    if (n == NOBODY || --mirror.nodes[n].count)
        return;
    for (uint32_t i = 0; i < mirror.nodes[n].length; i++)
        mirror_release(mirror.nodes[n].slots[i]);
}

static int mirror_retain(int n) {
    if (n != NOBODY)
        mirror.nodes[n].count++;
    return n;
}

static void mark(int n) {
    if (n == NOBODY || mirror.nodes[n].reachable)
        return;
    mirror.nodes[n].reachable = true;
    for (uint32_t i = 0; i < mirror.nodes[n].length; i++)
        mark(mirror.nodes[n].slots[i]);
}

static void mark_all(void) {
    for (int n = 0; n < mirror.used; n++)
        mirror.nodes[n].reachable = false;
    for (int r = 0; r < ROOTS; r++)
        mark(mirror.roots[r]);
}

static struct hm_object *object_of(int n) {
    return n == NOBODY ? NULL : mirror.nodes[n].object;
}

static void check_node(int n) {
    struct node *node = &mirror.nodes[n];
    uint64_t number;
    assert_int_equal(hm_length(node->object), node->length);
    memcpy(&number, hm_payload(node->object), sizeof number);
    assert_int_equal(number, n);
    for (uint32_t i = 0; i < node->length; i++)
        assert_ptr_equal(hm_load(node->object, i), object_of(node->slots[i]));
#ifdef HM_COLLECTORS_RC_H
    assert_int_equal(hm_rc_count(node->object), node->count);
#endif
}

/* Reachable objects are live and as they should be; of the others, who may be live and who must. */
static void check_all(bool collected) {
    mark_all();
    for (int n = 0; n < mirror.used; n++) {
        struct node *node = &mirror.nodes[n];
        bool live = is_live(node->object);
        if (node->reachable)
            assert_true(live);
        if (can(HM_GC_OWN_MEMORY)) { /* whatever is not reachable may be gone, or not */
            if (node->reachable)
                check_node(n);
            continue;
        }
        if (!can(HM_GC_FREES) || (COUNTS && !can(HM_GC_CYCLES) && node->count))
            assert_true(live);
        if ((collected && can(HM_GC_CYCLES) && !node->reachable) || (COUNTS && !node->count))
            assert_false(live);
        if (live && (node->reachable || node->count))
            check_node(n);
    }
}

/* What a collection has freed is gone from the mirror too, and holds nothing any more. */
static void forget_freed(void) {
    for (int n = 0; n < mirror.used; n++) {
        struct node *node = &mirror.nodes[n];
        if (node->count && !is_live(node->object)) {
            node->count = UINT32_MAX / 2;
            for (uint32_t i = 0; i < node->length; i++)
                mirror_release(node->slots[i]);
        }
    }
    for (int n = 0; n < mirror.used; n++)
        if (mirror.nodes[n].count && !is_live(mirror.nodes[n].object))
            mirror.nodes[n].count = 0;
}

/* ---- A random program ---- */

static void put_root(struct hm_mutator *m, int r, int n, struct hm_object *owned) {
    struct hm_object *old = mirror.variables[r];
    mirror.variables[r] = owned;
    hm_release(m, old);
    int before = mirror.roots[r];
    mirror.roots[r] = n;
    mirror_release(before);
}

static int root_with_slots(struct hm_random *random) {
    int r = (int)hm_random_below(random, ROOTS);
    int n = mirror.roots[r];
    return n == NOBODY || mirror.nodes[n].length == 0 ? NOBODY : r;
}

/* A new object whose first slot takes over what is in the root that the object goes to. */
static void step_new(struct hm_mutator *m, struct hm_random *random) {
    static const struct hm_type *const types[] = {&leaf_type, &pair_type, &array_type};
    if (mirror.used == NODES)
        return;
    const struct hm_type *type = types[hm_random_below(random, 3)];
    uint32_t length = type->variable ? (uint32_t)hm_random_below(random, SLOTS + 1) : type->slots;
    struct hm_object *object = type->variable ? hm_new_array(m, type, length) : hm_new(m, type);
    assert_non_null(object);
    int n = mirror.used++;
    uint64_t number = (uint64_t)n;
    memcpy(hm_payload(object), &number, sizeof number);
    mirror.nodes[n] = (struct node){.object = object, .length = length, .count = 1};
    for (uint32_t i = 0; i < length; i++) {
        mirror.nodes[n].slots[i] = NOBODY;
        assert_null(hm_load(object, i));
    }
    int r = (int)hm_random_below(random, ROOTS);
    if (length == 0) {
        put_root(m, r, n, object);
        return;
    }
    hm_init_store(m, object, 0, mirror.variables[r]);
    mirror.nodes[n].slots[0] = mirror.roots[r];
    mirror.variables[r] = object;
    mirror.roots[r] = n;
}

static void step_store(struct hm_mutator *m, struct hm_random *random) {
    int r = root_with_slots(random);
    int from = (int)hm_random_below(random, ROOTS);
    if (r == NOBODY)
        return;
    struct node *node = &mirror.nodes[mirror.roots[r]];
    uint32_t slot = (uint32_t)hm_random_below(random, node->length);
    hm_store(m, mirror.variables[r], slot, mirror.variables[from]);
    int before = node->slots[slot];
    node->slots[slot] = mirror_retain(mirror.roots[from]);
    mirror_release(before);
}

static void step_load(struct hm_mutator *m, struct hm_random *random) {
    int r = root_with_slots(random);
    if (r == NOBODY)
        return;
    struct node *node = &mirror.nodes[mirror.roots[r]];
    uint32_t slot = (uint32_t)hm_random_below(random, node->length);
    struct hm_object *value = hm_load(mirror.variables[r], slot);
    hm_retain(m, value);
    put_root(m, (int)hm_random_below(random, ROOTS), mirror_retain(node->slots[slot]), value);
}

static void step(struct hm_mutator *m, struct hm_random *random) {
    uint64_t dice = hm_random_below(random, 100);
    int generation = dice == 0 ? 2 : (int)hm_random_below(random, 3);
    if (dice < 8) {
        hm_collect(m, generation);
        forget_freed();
        check_all(generation == 2);
    } else if (dice < 35) {
        step_new(m, random);
    } else if (dice < 70) {
        step_store(m, random);
    } else if (dice < 88) {
        step_load(m, random);
    } else {
        put_root(m, (int)hm_random_below(random, ROOTS), NOBODY, NULL);
    }
}

static void run_random_program(struct hm_mutator *m, unsigned seed) {
    struct hm_random random = hm_random_of(seed, 0);
    mirror.used = 0;
    for (int r = 0; r < ROOTS; r++) {
        mirror.roots[r] = NOBODY;
        mirror.variables[r] = NULL;
        hm_root(m, &mirror.variables[r]);
    }
    for (int i = 0; i < 1000; i++) {
        step(m, &random);
        check_all(false);
    }
    for (int r = 0; r < ROOTS; r++)
        put_root(m, r, NOBODY, NULL);
    hm_collect(m, 2);
    check_all(true);
    hm_unroot(m, ROOTS);
}

#endif

/* Random programs on a heap of `generational` that has nothing but slots at first, and objects of special
 * types from some step on: what lives, each count, and what a full collection answers are those of a naive
 * model, with leaves, immortals, free lists, immutable and variable containers, frozen objects, and garbage
 * that is saved. */
#include "tests/unit/generational_open.h"

enum kind {
    LEAF,
    PAIR,
    ARRAY,
    TUPLE,
    KEPT_LEAF,
    KEPT_PAIR,
    PLAIN, /* as many kinds are */
    WEAKABLE = PLAIN,
    FINALIZED,
    TRAVERSED,
    KINDS,
};

enum {
    NODES = 160,
    STEPS = 360,
    ROOTS = 6,
    SLOTS = 3,
    SEEDS = 24,
    POLICIES = 4,
    NOBODY = -1,
    FROZEN = 3, /* as generation_of() tells */
};

struct node {
    struct hm_object *object, *weak;
    enum kind kind;
    int slots[SLOTS];
    uint32_t length, count;
    unsigned finalized;
    bool immortal, frozen, reached, dead;
};

static struct {
    struct node nodes[NODES];
    int used, roots[ROOTS];
    struct hm_random random;
    bool keeps, collects_young, special;
} world;

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    world.nodes[*(uint64_t *)hm_payload(object)].finalized++;
}

static int traverse(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    int stop = 0;
    for (uint32_t i = 0; i < hm_length(object) && !stop; i++)
        if (hm_load(object, i))
            stop = visit(hm_load(object, i), arg);
    return stop;
}

static const struct hm_type types[KINDS] = {
    [LEAF] = {.name = "a leaf", .payload_bytes = 8},
    [PAIR] = {.name = "pair", .slots = 2, .payload_bytes = 8},
    [ARRAY] = {.name = "array", .variable = true, .payload_bytes = 8},
    [TUPLE] = {.name = "tuple", .slots = 2, .payload_bytes = 8, .immutable = true},
    [KEPT_LEAF] = {.name = "kept leaf", .payload_bytes = 8, .free_list = 1, .kept = 5},
    [KEPT_PAIR] = {.name = "kept pair", .slots = 2, .payload_bytes = 8, .free_list = 2, .kept = 5},
    [WEAKABLE] = {.name = "weakable", .slots = 2, .payload_bytes = 8, .weakable = true},
    [FINALIZED] = {.name = "finalized", .slots = 2, .payload_bytes = 8, .finalize = finalize},
    [TRAVERSED] = {.name = "traversed", .slots = 3, .payload_bytes = 8, .traverse = traverse},
};

/* ---- The model ---- */

static struct node *node_at(int n) {
    return n == NOBODY ? NULL : &world.nodes[n];
}

static struct hm_object *object_of(int n) {
    return n == NOBODY ? NULL : world.nodes[n].object;
}

static void reach(int n) {
    struct node *node = node_at(n);
    if (!node || node->reached)
        return;
    node->reached = true;
    for (uint32_t i = 0; i < node->length; i++)
        reach(node->slots[i]);
}

/* @param frozen whether these count as roots, as they do to a collection */
static void reach_all(bool frozen) {
    for (int n = 0; n < world.used; n++)
        world.nodes[n].reached = false;
    for (int r = 0; r < ROOTS; r++)
        reach(world.roots[r]);
    for (int n = 0; n < world.used; n++)
        if (!world.nodes[n].dead && (world.nodes[n].immortal || (frozen && world.nodes[n].frozen)))
            reach(n);
}

static void count_references(void) {
    for (int n = 0; n < world.used; n++)
        world.nodes[n].count = 0;
    for (int r = 0; r < ROOTS; r++)
        if (world.roots[r] != NOBODY)
            world.nodes[world.roots[r]].count++;
    for (int n = 0; n < world.used; n++)
        for (uint32_t i = 0; !world.nodes[n].dead && i < world.nodes[n].length; i++)
            if (world.nodes[n].slots[i] != NOBODY)
                world.nodes[world.nodes[n].slots[i]].count++;
}

/* What nothing refers to is dead, and refers to nothing. */
static void let_die(void) {
    for (bool again = true; again;) {
        again = false;
        count_references();
        for (int n = 0; n < world.used; n++) {
            struct node *node = &world.nodes[n];
            if (node->dead || node->count || node->immortal)
                continue;
            node->dead = again = true;
        }
    }
}

/* A collection of young objects, or a part of old ones, has freed some garbage: which, its memory tells. */
static void note_freed(void) {
    reach_all(true);
    for (int n = 0; n < world.used; n++) {
        struct node *node = &world.nodes[n];
        if (!node->reached && !is_live(node->object))
            node->dead = true;
    }
}

static void check_dead(const struct node *node) {
    bool kept = types[node->kind].kept;
    if (!kept)
        assert_false(is_live(node->object));
    assert_int_equal(node->finalized, node->kind == FINALIZED);
}

static void check_live(struct hm_mutator *m, const struct node *node) {
    assert_true(is_live(node->object));
    assert_int_equal(*(uint64_t *)hm_payload(node->object), node - world.nodes);
    assert_int_equal(hm_rc_count(node->object) & ~HM_IMMORTAL, node->count);
    assert_int_equal(hm_length(node->object), node->length);
    for (uint32_t i = 0; i < node->length; i++)
        assert_ptr_equal(hm_load(node->object, i), object_of(node->slots[i]));
    if (!node->reached)
        return;
    assert_int_equal(node->finalized, 0);
    struct hm_object *target = node->weak ? hm_weak_get(m, node->weak) : node->object;
    assert_ptr_equal(target, node->object);
    if (node->weak)
        hm_release(m, target);
}

static void check_all(struct hm_mutator *m) {
    uint64_t dead = 0;
    let_die();
    reach_all(false);
    for (int n = 0; n < world.used; n++) {
        const struct node *node = &world.nodes[n];
        dead += node->dead;
        if (node->dead)
            check_dead(node);
        else
            check_live(m, node);
        if (node->dead && node->weak)
            assert_null(hm_weak_get(m, node->weak));
    }
    assert_int_equal(fixture_stats(&fixture).freed_objects, dead);
}

/* ---- Steps ---- */

static uint32_t draw(uint32_t below) {
    return (uint32_t)hm_random_below(&world.random, below);
}

static enum kind draw_kind(void) {
    enum kind kind = (enum kind)draw(world.special ? KINDS : PLAIN);
    return !world.keeps && types[kind].kept ? PAIR : kind;
}

/* Its first slot takes over what is in the root that it goes to; the second one of a tuple, too. */
static void step_new(struct hm_mutator *m) {
    if (world.used == NODES)
        return;
    enum kind kind = draw_kind();
    uint32_t length = types[kind].variable ? draw(SLOTS + 1) : types[kind].slots;
    int n = world.used++, *root = &world.roots[draw(ROOTS)];
    struct node *node = &world.nodes[n];
    *node = (struct node){.kind = kind, .length = length, .slots = {NOBODY, NOBODY, NOBODY}};
    node->object =
        types[kind].variable ? hm_new_array(m, &types[kind], length) : hm_new(m, &types[kind]);
    *(uint64_t *)hm_payload(node->object) = (uint64_t)n;
    if (kind == WEAKABLE)
        node->weak = hm_weak_new(m, node->object, NULL);
    note_freed();
    for (uint32_t i = 0; i < length && i < (kind == TUPLE ? 2 : 1); i++) {
        int from = i ? world.roots[draw(ROOTS)] : *root;
        hm_store(m, node->object, i, object_of(from));
        node->slots[i] = from;
    }
    hm_release(m, object_of(*root));
    *root = n;
}

static void step_store(struct hm_mutator *m) {
    struct node *node = node_at(world.roots[draw(ROOTS)]);
    int value = draw(4) ? world.roots[draw(ROOTS)] : NOBODY;
    if (!node || !node->length || node->kind == TUPLE)
        return;
    uint32_t slot = draw(node->length);
    hm_store(m, node->object, slot, object_of(value));
    node->slots[slot] = value;
}

static void step_load(struct hm_mutator *m) {
    const struct node *node = node_at(world.roots[draw(ROOTS)]);
    int *root = &world.roots[draw(ROOTS)];
    int value = node && node->length ? node->slots[draw(node->length)] : NOBODY;
    hm_retain(m, object_of(value));
    hm_release(m, object_of(*root));
    *root = value;
}

static void step_immortal(struct hm_mutator *m) {
    struct node *node = node_at(world.roots[draw(ROOTS)]);
    if (!node || draw(4))
        return;
    assert_true(hm_immortalize(m, node->object));
    node->immortal = true;
}

/* The collector tells what it has frozen: untracked tuples are not. */
static void step_freeze(void) {
    bool freezes = draw(2);
    (freezes ? control()->freeze : control()->unfreeze)(fixture.gc);
    for (int n = 0; n < world.used; n++) {
        struct node *node = &world.nodes[n];
        node->frozen = freezes && !node->dead && generation_of(node->object) == FROZEN;
        if (freezes && !node->dead && node->kind != TUPLE && !hm_is_leaf(&types[node->kind]))
            assert_true(node->frozen);
    }
}

/* @return containers that a full collection is to find; *untracked: those that it may have left alone */
static int64_t expect(int64_t *untracked) {
    int64_t found = 0;
    *untracked = 0;
    reach_all(true);
    for (int n = 0; n < world.used; n++) {
        const struct node *node = &world.nodes[n];
        bool garbage = !node->dead && !node->reached && !hm_is_leaf(&types[node->kind]);
        found += garbage;
        *untracked += garbage && node->kind == TUPLE;
    }
    return found;
}

static void step_collect(struct hm_mutator *m) {
    int64_t untracked, expected = expect(&untracked);
    int64_t found = hm_collect(m, 2);
    assert_in_range(found, expected - untracked, expected);
    for (int n = 0; n < world.used; n++)
        if (!world.nodes[n].reached)
            world.nodes[n].dead = true;
}

/* Garbage is kept, and given up: it is garbage as before. */
static void step_save(struct hm_mutator *m) {
    int64_t untracked, expected = expect(&untracked);
    control()->save_all(fixture.gc, true);
    assert_in_range(hm_collect(m, 2), expected - untracked, expected);
    assert_in_range(control()->garbage_count(fixture.gc), expected - untracked, expected);
    control()->save_all(fixture.gc, false);
    for (struct hm_object *object; (object = control()->pop_garbage(fixture.gc));)
        hm_release(m, object);
}

static void step(struct hm_mutator *m) {
    uint32_t dice = draw(100);
    if (dice < 40)
        step_new(m);
    else if (dice < 70)
        step_store(m);
    else if (dice < 85)
        step_load(m);
    else if (dice < 87)
        step_immortal(m);
    else if (dice < 89)
        step_freeze();
    else if (dice < 91)
        step_save(m);
    else if (dice < 94 || !world.collects_young)
        step_collect(m);
    else
        hm_collect(m, (int)draw(2));
    note_freed();
    check_all(m);
}

/* ---- A program ---- */

static void give_up_all(struct hm_mutator *m) {
    control()->unfreeze(fixture.gc);
    for (int n = 0; n < world.used; n++)
        world.nodes[n].frozen = false;
    for (int r = 0; r < ROOTS; r++) {
        hm_release(m, object_of(world.roots[r]));
        world.roots[r] = NOBODY;
    }
    check_all(m);
    step_collect(m);
    check_all(m);
    for (int n = 0; n < world.used; n++)
        hm_release(m, world.nodes[n].weak);
}

/* Memory alone tells what a young collection has freed, so that there are no free lists with these. */
static void run_program(int64_t policy, unsigned seed) {
    memset(&world, 0, sizeof world);
    world.random = hm_random_of(seed, (unsigned)policy);
    world.keeps = seed % 3 == 0;
    world.collects_young = !world.keeps;
    for (int r = 0; r < ROOTS; r++)
        world.roots[r] = NOBODY;
    fixture_prepare(&fixture, hm_collector_find("generational"));
    fixture.params[0].number = 20;
    fixture.params[3].number = seed % 3 == 1 ? ON : OFF;
    fixture.params[4].number = policy;
    fixture_open(&fixture);
    uint32_t switches_at = draw(STEPS);
    for (uint32_t i = 0; i < STEPS; i++) {
        world.special = i >= switches_at;
        step(fixture.m);
    }
    give_up_all(fixture.m);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
}

static void test_heaps_that_become_special_are_as_the_naive_model_says(void **state) {
    (void)state;
    for (int64_t policy = 0; policy < POLICIES; policy++)
        for (unsigned seed = 0; seed < SEEDS; seed++)
            run_program(policy, seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heaps_that_become_special_are_as_the_naive_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

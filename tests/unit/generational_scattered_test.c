/* `generational` on a large heap whose objects and references are scattered in memory: it prefetches, has a
 * guide, and deletes garbage that has nothing but slots in a shorter way. What each collection finds and
 * frees must be what it is without all that. */
#define HM_COLLECTOR_HEADER "collectors/generational.h"
#include "collectors/collector.h"
#include "harness/plan/registry.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    NODES = 6000,
    OBJECTS = 2 * NODES, /* with a leaf for some of the nodes */
    RING_MAX = 300,
    SMALL_BYTES = 1024,
    CALLS_MAX = 64,
};

static const struct hm_type node_type = {.name = "node", .slots = 3, .payload_bytes = 8};
static const struct hm_type leaf_type = {.name = "leaf", .payload_bytes = 24};

static void do_nothing(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static const struct hm_type special_type = {.name = "special", .finalize = do_nothing};

/* ---- A heap that notes what is freed ---- */

struct block {
    size_t bytes;
    size_t unused;
};

static struct log {
    uint64_t freed[OBJECTS]; /* serial numbers; in order, of what each call freed */
    size_t count;
    int64_t found[CALLS_MAX];
    size_t freed_by[CALLS_MAX]; /* how much is freed by the end of a call */
    size_t calls;
} logs[3], *noted;

static bool refuses_large;
static size_t large_live;
static bool had_large;

static void *noting_malloc(size_t size) {
    bool large = size > SMALL_BYTES * sizeof(void *);
    struct block *block = large && refuses_large ? NULL : malloc(sizeof *block + size);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    block->bytes = size;
    large_live += large;
    had_large |= large;
    return block + 1;
}

static void *noting_calloc(size_t count, size_t size) {
    void *memory = noting_malloc(count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

static void note(struct hm_object *object) {
    assert_true(noted->count < OBJECTS);
    noted->freed[noted->count++] = *(uint64_t *)hm_payload(object);
}

static void noting_free(void *memory) {
    if (!memory)
        return;
    struct block *block = (struct block *)memory - 1;
    large_live -= block->bytes > SMALL_BYTES * sizeof(void *);
    if (block->bytes == hm_generational_bytes(&node_type, 3))
        note(hm_gc_object_of((struct hm_gc_head *)memory));
    if (block->bytes == hm_generational_bytes(&leaf_type, 0))
        note(memory);
    free(block);
}

static void no_event(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void no_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static const struct hm_gc_events events = {.pause_begin = no_event, .pause_end = no_end};

/* ---- A graph of rings, in a random order of memory ---- */

static struct hm_object *nodes[NODES];
static unsigned ring_of[NODES], first_of[NODES + 1], rings;

static void make_nodes(struct hm_mutator *m, struct hm_random *random) {
    for (uint64_t i = 0; i < NODES; i++) {
        nodes[i] = hm_new(m, &node_type);
        *(uint64_t *)hm_payload(nodes[i]) = i;
    }
    for (unsigned i = NODES - 1; i > 0; i--) {
        unsigned j = (unsigned)hm_random_below(random, i + 1);
        struct hm_object *other = nodes[j];
        nodes[j] = nodes[i];
        nodes[i] = other;
    }
}

static void draw_rings(struct hm_random *random) {
    rings = 0;
    for (unsigned at = 0; at < NODES; rings++) {
        first_of[rings] = at;
        for (uint64_t n = 1 + hm_random_below(random, RING_MAX); n > 0 && at < NODES; n--)
            ring_of[at++] = rings;
    }
    first_of[rings] = NODES;
}

/* A leaf that nobody else holds. */
static void give_leaf(struct hm_mutator *m, unsigned i) {
    struct hm_object *leaf = hm_new(m, &leaf_type);
    *(uint64_t *)hm_payload(leaf) = NODES + i;
    hm_store(m, nodes[i], 2, leaf);
    hm_release(m, leaf);
}

static void link_nodes(struct hm_mutator *m, struct hm_random *random) {
    for (unsigned i = 0; i < NODES; i++) {
        unsigned first = first_of[ring_of[i]], end = first_of[ring_of[i] + 1];
        hm_store(m, nodes[i], 0, nodes[i + 1 < end ? i + 1 : first]);
        if (hm_random_below(random, 2))
            hm_store(m, nodes[i], 1, nodes[first + hm_random_below(random, end - first)]);
        if (hm_random_below(random, 100) == 0)
            hm_store(m, nodes[i], 2, nodes[hm_random_below(random, NODES)]);
        else if (hm_random_below(random, 100) == 0)
            give_leaf(m, i);
    }
}

/* All but the first node of each ring. */
static void drop_inner(struct hm_mutator *m) {
    for (unsigned i = 0; i < NODES; i++)
        if (i != first_of[ring_of[i]])
            hm_release(m, nodes[i]);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void collect(struct hm_mutator *m) {
    size_t before = noted->count;
    assert_true(noted->calls < CALLS_MAX);
    noted->found[noted->calls] = hm_collect(m, 2);
    qsort(noted->freed + before, noted->count - before, sizeof *noted->freed, compare);
    noted->freed_by[noted->calls++] = noted->count;
}

/* Two collections each time, so that the second one has a guide of what the first one left. */
static void drop_rings(struct hm_mutator *m) {
    for (unsigned gone = 0; gone < rings;) {
        for (unsigned n = 1 + (rings - gone) / 4; n > 0; n--)
            hm_release(m, nodes[first_of[gone++]]);
        collect(m);
        collect(m);
    }
}

static void play(struct hm_mutator *m) {
    struct hm_random random = hm_random_of(7, 0);
    make_nodes(m, &random);
    draw_rings(&random);
    link_nodes(m, &random);
    drop_inner(m);
    collect(m);
    drop_rings(m);
}

/* @param special whether there is an object that has more than slots */
static void play_and_note(struct log *log, bool special) {
    static const struct hm_memory memory = {
        .shape = HM_SHAPE_LIBC,
        .libc = {.malloc = noting_malloc, .calloc = noting_calloc, .free = noting_free}};
    const struct hm_collector *collector = hm_collector_find("generational");
    struct hm_value params[] = {{.number = 700}, {.number = 10}, {.number = 10}, {0}, {0}};
    const struct hm_gc_options options = {
        .params = params, .memory = &memory, .events = &events, .mutators = 1};
    struct hm_gc *gc;
    noted = log;
    *log = (struct log){0};
    assert_int_equal(collector->open(&gc, &options), 0);
    struct hm_mutator *m = collector->attach(gc);
    if (special)
        hm_release(m, hm_new(m, &special_type));
    play(m);
    collector->detach(m);
    collector->close(gc);
    assert_true(log->count > NODES);
    assert_int_equal(large_live, 0);
}

static void expect_same(const struct log *a, const struct log *b) {
    assert_int_equal(a->calls, b->calls);
    assert_memory_equal(a->found, b->found, sizeof a->found);
    assert_memory_equal(a->freed_by, b->freed_by, sizeof a->freed_by);
    assert_memory_equal(a->freed, b->freed, sizeof a->freed);
}

static void test_plain_garbage_goes_when_any_other_does(void **state) {
    (void)state;
    play_and_note(&logs[0], false);
    play_and_note(&logs[1], true);
    expect_same(&logs[0], &logs[1]);
}

static void test_without_memory_for_a_guide_all_is_the_same(void **state) {
    (void)state;
    had_large = false;
    play_and_note(&logs[0], false);
    assert_true(had_large);
    refuses_large = true;
    play_and_note(&logs[2], false);
    refuses_large = false;
    expect_same(&logs[0], &logs[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_garbage_goes_when_any_other_does),
        cmocka_unit_test(test_without_memory_for_a_guide_all_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

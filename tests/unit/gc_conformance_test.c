/* The tests of CPython 3.11's collector (Lib/test/test_gc.py) that no script of `heapmark sim` can tell, on
 * `generational`: each bears its name there, and has its numbers. The others are scripts, which a running
 * CPython answers, too: tests/cpython/list.
 *
 * Left out: what is about the interpreter (modules at its end, syntax trees, threads of its own, arguments of
 * its functions), and test_refcount_errors, which a build without assertions has not either. */
#include "tests/unit/generational_open.h"

enum {
    LOG_MAX = 16,
    CHAIN = 150, /* deep enough for the trashcan, whose limit is 50 */
};

/* What a callback of the collector was told. */
static struct {
    bool stop;
    int generation;
    uint64_t collected, uncollectable;
} told[LOG_MAX];
static int visits;

static void note_visit(void *arg, bool stop, int generation, uint64_t collected,
                       uint64_t uncollectable) {
    (void)arg;
    assert_true(visits < LOG_MAX);
    told[visits].stop = stop;
    told[visits].generation = generation;
    told[visits].collected = collected;
    told[visits++].uncollectable = uncollectable;
}

static void do_nothing(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static const struct hm_type uncollectable_type = {
    .name = "Uncollectable", .slots = 1, .finalize = do_nothing, .legacy_finalizer = true};

static uint64_t garbage_count(void) {
    return control()->garbage_count(fixture.gc);
}

static struct hm_object *pop_garbage(void) {
    return control()->pop_garbage(fixture.gc);
}

/* ---- GCTests ---- */

static void test_get_objects(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *l = new_self_cycle(m);
    assert_int_equal(generation_of(l), 0);
    hm_collect(m, 0);
    assert_int_equal(generation_of(l), 1);
    hm_collect(m, 1);
    assert_int_equal(generation_of(l), 2);
    hm_collect(m, 2);
    assert_int_equal(generation_of(l), 2);
    hm_release(m, l);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
}

static void test_freeze(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *l = new_self_cycle(m);
    control()->freeze(fixture.gc);
    assert_int_equal(control()->freeze_count(fixture.gc), 1);
    assert_int_equal(generation_of(l), 3);
    control()->unfreeze(fixture.gc);
    assert_int_equal(control()->freeze_count(fixture.gc), 0);
    assert_int_equal(generation_of(l), 2);
    hm_release(m, l);
    fixture_close(&fixture);
}

static struct hm_object *storage;

static void keep(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
    storage = object;
}

static const struct hm_type lazarus_type = {.name = "Lazarus", .slots = 1, .finalize = keep};

static void test_is_finalized(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *leaf = hm_new(m, &leaf_type);
    struct hm_object *lazarus = hm_new(m, &lazarus_type);
    assert_false(control()->is_finalized(fixture.gc, leaf));
    assert_false(control()->is_finalized(fixture.gc, lazarus));
    hm_release(m, lazarus);
    assert_ptr_equal(storage, lazarus);
    assert_true(control()->is_finalized(fixture.gc, lazarus));
    hm_release(m, storage);
    assert_false(is_live(lazarus));
    hm_release(m, leaf);
    fixture_close(&fixture);
}

static void test_legacy_finalizer(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *a = hm_new(m, &uncollectable_type);
    hm_store(m, a, 0, a);
    struct hm_object *b = new_self_cycle(m);
    hm_collect(m, 2);
    hm_release(m, a);
    hm_release(m, b);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_false(is_live(b));
    assert_int_equal(garbage_count(), 1);
    struct hm_object *found = pop_garbage();
    assert_ptr_equal(found, a);
    hm_store(m, found, 0, NULL);
    hm_release(m, found);
    assert_false(is_live(a));
    fixture_close(&fixture);
}

static void test_saveall(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *l = new_self_cycle(m);
    control()->save_all(fixture.gc, true);
    hm_release(m, l);
    hm_collect(m, 2);
    control()->save_all(fixture.gc, false);
    assert_int_equal(garbage_count(), 1);
    struct hm_object *found = pop_garbage();
    assert_ptr_equal(found, l);
    hm_release(m, found);
    assert_int_equal(hm_collect(m, 2), 1);
    fixture_close(&fixture);
}

/* ---- test_trashcan ---- */

static int ouches;

static void ouch(struct hm_mutator *m, struct hm_object *object) {
    (void)object;
    if (++ouches % 17 == 0)
        hm_collect(m, 2);
}

static const struct hm_type ouch_type = {.name = "Ouch", .slots = 1, .finalize = ouch};

/* A chain of objects that hold the next one and an Ouch; all of it dies at once. */
static void drop_chain(struct hm_mutator *m, bool ouch_first) {
    struct hm_object *t = hm_new_array(m, &list_type, 0);
    for (int i = 0; i < CHAIN; i++) {
        struct hm_object *next = hm_new_array(m, &list_type, 2);
        hm_init_store(m, next, ouch_first, t);
        hm_init_store(m, next, !ouch_first, hm_new(m, &ouch_type));
        t = next;
    }
    hm_release(m, t);
}

static void test_trashcan(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(700, 10, 10, ON);
    ouches = 0;
    for (int i = 0; i < 4; i++)
        drop_chain(m, i & 1);
    assert_int_equal(ouches, 4 * CHAIN);
    assert_int_equal(fixture_stats(&fixture).freed_objects,
                     fixture_stats(&fixture).allocated_objects);
    assert_in_range(fixture_stats(&fixture).collections[2], 4 * CHAIN / 17, 4 * CHAIN);
    fixture_close(&fixture);
}

/* ---- test_trash_weakref_clear ---- */

/* As ContainerNoGC: what it holds is not told. */
static int tell_nothing(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    (void)object;
    (void)visit;
    (void)arg;
    return 0;
}

static const struct hm_type opaque_type = {.name = "Y", .slots = 1, .traverse = tell_nothing};
static int callbacks;

static void note_callback(struct hm_mutator *m, struct hm_object *reference) {
    (void)m;
    (void)reference;
    callbacks++;
}

static void test_trash_weakref_clear(void **state) {
    (void)state;
    struct hm_mutator *m = open_manual();
    struct hm_object *a = hm_new_array(m, &list_type, 3), *y = hm_new(m, &opaque_type);
    struct hm_object *z = hm_new(m, &target_type);
    struct hm_object *wz = hm_weak_new(m, z, note_callback);
    struct hm_object *cycle = hm_new_array(m, &list_type, 2);
    callbacks = 0;
    hm_store(m, a, 0, a);
    hm_init_store(m, y, 0, z);
    hm_init_store(m, a, 1, y);
    hm_store(m, a, 2, wz);
    hm_init_store(m, cycle, 0, wz);
    hm_store(m, cycle, 1, cycle);
    hm_collect(m, 2);
    hm_release(m, a);
    hm_release(m, cycle);
    hm_collect(m, 2);
    assert_int_equal(callbacks, 0);
    assert_false(is_live(z));
    assert_false(is_live(wz));
    fixture_close(&fixture);
}

/* ---- GCCallbackTests ---- */

static struct hm_mutator *open_called(void) {
    struct hm_mutator *m = open_manual();
    visits = 0;
    control()->set_callback(fixture.gc, note_visit, NULL);
    return m;
}

static void test_collect(void **state) {
    (void)state;
    struct hm_mutator *m = open_called();
    hm_collect(m, 2);
    assert_int_equal(visits, 2);
    assert_false(told[0].stop);
    assert_true(told[1].stop);
    fixture_close(&fixture);
}

static void test_collect_generation(void **state) {
    (void)state;
    struct hm_mutator *m = open_called();
    for (int generation = 0; generation < 3; generation++)
        hm_collect(m, generation);
    for (int i = 0; i < 6; i++)
        assert_int_equal(told[i].generation, i / 2);
    fixture_close(&fixture);
}

/* Two objects that hold each other; one of them is the caller's. */
static struct hm_object *new_partners(struct hm_mutator *m) {
    struct hm_object *one = hm_new(m, &uncollectable_type), *two = hm_new(m, &uncollectable_type);
    hm_store(m, two, 0, one);
    hm_init_store(m, one, 0, two);
    return one;
}

static void expect_told(int visit, uint64_t collected, uint64_t uncollectable) {
    assert_true(told[visit].stop);
    assert_int_equal(told[visit].collected, collected);
    assert_int_equal(told[visit].uncollectable, uncollectable);
}

/* The second collection finds two: a variable of the test holds one of the others. */
static void test_collect_garbage(void **state) {
    (void)state;
    struct hm_mutator *m = open_called();
    struct hm_object *e = NULL, *found;
    hm_release(m, new_partners(m));
    hm_release(m, new_partners(m));
    hm_release(m, new_self_cycle(m));
    hm_collect(m, 2);
    expect_told(1, 1, 4);
    assert_int_equal(garbage_count(), 4);
    while ((found = pop_garbage())) {
        assert_ptr_equal(found->type, &uncollectable_type);
        hm_release(m, e);
        e = found;
    }
    hm_collect(m, 2);
    expect_told(3, 0, 2);
    while ((found = pop_garbage())) {
        hm_store(m, found, 0, NULL);
        hm_release(m, found);
    }
    hm_store(m, e, 0, NULL);
    hm_release(m, e);
    assert_int_equal(garbage_count(), 0);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 5);
    fixture_close(&fixture);
}

/* ---- GCTogglingTests, with automatic collections ---- */

static struct hm_object *c2wr;  /* without a callback */
static int asked, materialized; /* how often c2 was asked for, and how often it was there */

static void ask_for_c2(struct hm_mutator *m, struct hm_object *object) {
    (void)object;
    struct hm_object *c2 = hm_weak_get(m, c2wr);
    asked++;
    materialized += c2 != NULL;
    hm_release(m, c2);
}

static const struct hm_type d_type = {
    .name = "D", .slots = 1, .weakable = true, .finalize = ask_for_c2};

/* c0 is old, and held by nothing but c1, which is young and garbage, as c2 is. */
static void collect_naturally(struct hm_mutator *m, struct hm_object *c0) {
    struct hm_object *c1 = hm_new(m, &target_type), *c2 = hm_new(m, &target_type);
    asked = materialized = 0;
    hm_store(m, c1, 0, c1);
    hm_store(m, c2, 0, c2);
    hm_init_store(m, c1, 1, c0);
    c2wr = hm_weak_new(m, c2, NULL);
    hm_release(m, c1);
    hm_release(m, c2);
    int pauses = fixture.pauses;
    struct hm_object *junk = NULL;
    while (fixture.pauses == pauses) {
        assert_int_equal(asked, 0);
        struct hm_object *next = hm_new_array(m, &list_type, 1);
        hm_init_store(m, next, 0, junk);
        junk = next;
    }
    assert_int_equal(fixture.generation, 0);
    assert_int_equal(asked, 1);
    assert_int_equal(materialized, 0);
    assert_false(is_live(c0));
    hm_release(m, junk);
    hm_release(m, c2wr);
}

static void test_bug1055820c(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(700, 10, 10, ON);
    struct hm_object *c0 = hm_new(m, &target_type);
    hm_collect(m, 2);
    struct hm_object *c0wr = hm_weak_new(m, c0, ask_for_c2);
    collect_naturally(m, c0);
    hm_release(m, c0wr);
    fixture_close(&fixture);
}

static void test_bug1055820d(void **state) {
    (void)state;
    struct hm_mutator *m = open_with(700, 10, 10, ON);
    struct hm_object *d0 = hm_new(m, &d_type);
    hm_collect(m, 2);
    collect_naturally(m, d0);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_objects),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_is_finalized),
        cmocka_unit_test(test_legacy_finalizer),
        cmocka_unit_test(test_saveall),
        cmocka_unit_test(test_trashcan),
        cmocka_unit_test(test_trash_weakref_clear),
        cmocka_unit_test(test_collect),
        cmocka_unit_test(test_collect_generation),
        cmocka_unit_test(test_collect_garbage),
        cmocka_unit_test(test_bug1055820c),
        cmocka_unit_test(test_bug1055820d),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

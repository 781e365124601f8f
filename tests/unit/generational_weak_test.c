/* Weak references to what dies of its count, and to what a collection finds: who is told, when, and what
 * can still be seen. Order and numbers are those of CPython 3.11.7. */
#include "tests/unit/generational_open.h"

enum {
    LOG_MAX = 32,
};

/* What happened, in order. */
static struct {
    const char *what;
    const struct hm_object *who;
} events[LOG_MAX];
static int logged;

static struct hm_object *watched; /* a weak reference that every event looks through, or NULL */
static bool seen;                 /* whether its target was there, at any event */
static struct hm_object *holder;  /* its slots are cleared by callbacks */

static void note(struct hm_mutator *m, const char *what, const struct hm_object *who) {
    assert_true(logged < LOG_MAX);
    events[logged].what = what;
    events[logged++].who = who;
    struct hm_object *target = watched ? hm_weak_get(m, watched) : NULL;
    seen = seen || target;
    hm_release(m, target);
}

static void expect(int n, const char *what, const struct hm_object *who) {
    assert_true(n < logged);
    assert_string_equal(events[n].what, what);
    assert_ptr_equal(events[n].who, who);
}

static void on_finalize(struct hm_mutator *m, struct hm_object *object) {
    note(m, "finalize", object);
    assert_int_equal(hm_collect(m, 2), 0);
}

static void on_clear(struct hm_mutator *m, struct hm_object *reference) {
    assert_null(hm_weak_get(m, reference));
    note(m, "callback", reference);
    assert_int_equal(hm_collect(m, 2), 0);
}

static const struct hm_type finalized_type = {
    .name = "finalized", .slots = 2, .weakable = true, .finalize = on_finalize};

static struct hm_mutator *open_quiet(void) {
    struct hm_mutator *m = open_manual();
    logged = 0;
    watched = holder = NULL;
    seen = false;
    return m;
}

/* Two objects that hold each other; the caller owns both. */
static void new_couple(struct hm_mutator *m, const struct hm_type *type, struct hm_object *out[2]) {
    for (int i = 0; i < 2; i++)
        out[i] = hm_new(m, type);
    hm_store(m, out[0], 0, out[1]);
    hm_store(m, out[1], 0, out[0]);
}

static void release_all(struct hm_mutator *m, struct hm_object **objects, int count) {
    while (count--)
        hm_release(m, objects[count]);
}

/* ---- Death by count ---- */

static void test_dying_object_is_seen_by_its_finalizer_and_by_nobody_after_it(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &finalized_type);
    struct hm_object *child = hm_new(m, &finalized_type);
    hm_init_store(m, object, 0, child);
    struct hm_object *w[] = {hm_weak_new(m, object, on_clear), hm_weak_new(m, object, on_clear),
                             hm_weak_new(m, object, NULL)};
    watched = w[2];
    hm_release(m, object);
    assert_int_equal(logged, 4);
    expect(0, "finalize", object);
    expect(1, "callback", w[1]);
    expect(2, "callback", w[0]);
    expect(3, "finalize", child);
    assert_true(seen);
    assert_false(is_live(object));
    release_all(m, w, 3);
    fixture_close(&fixture);
}

static void look_away(struct hm_mutator *m, struct hm_object *object) {
    on_finalize(m, object);
    seen = false;
}

static void test_nobody_sees_a_dying_object_after_its_finalizer(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "looked away", .slots = 2, .weakable = true, .finalize = look_away};
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &type);
    hm_init_store(m, object, 0, hm_new(m, &finalized_type));
    struct hm_object *w[] = {hm_weak_new(m, object, NULL), hm_weak_new(m, object, on_clear)};
    watched = w[0];
    hm_release(m, object);
    assert_int_equal(logged, 3);
    assert_false(seen);
    release_all(m, w, 2);
    fixture_close(&fixture);
}

static void let_go(struct hm_mutator *m, struct hm_object *reference) {
    note(m, "callback", reference);
    for (uint32_t i = 0; i < hm_length(holder); i++)
        if (hm_load(holder, i) == reference)
            hm_store(m, holder, i, NULL);
}

/* All are alive until the last callback has run. */
static void test_references_that_callbacks_let_go_of_die_after_the_last_callback(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &target_type);
    holder = hm_new_array(m, &list_type, 3);
    struct hm_object *w[3];
    for (int i = 0; i < 3; i++) {
        w[i] = hm_weak_new(m, object, let_go);
        hm_init_store(m, w[i], 0, hm_new(m, &finalized_type));
        hm_init_store(m, holder, (uint32_t)i, w[i]);
    }
    struct hm_object *cargo[] = {hm_load(w[0], 0), hm_load(w[1], 0), hm_load(w[2], 0)};
    hm_release(m, object);
    assert_int_equal(logged, 6);
    for (int i = 0; i < 3; i++) {
        expect(i, "callback", w[2 - i]);
        expect(3 + i, "finalize", cargo[i]);
        assert_false(is_live(w[i]));
    }
    hm_release(m, holder);
    fixture_close(&fixture);
}

static void leak_and_collect(struct hm_mutator *m, struct hm_object *reference) {
    note(m, "callback", reference);
    leak_self_cycles(m, 5);
    assert_int_equal(hm_collect(m, 0), 5);
    assert_int_equal(hm_collect(m, 2), 0);
}

static void test_collection_in_a_callback_does_not_see_the_dying_object(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &target_type);
    hm_init_store(m, object, 0, hm_new_array(m, &list_type, 0));
    struct hm_object *w = hm_weak_new(m, object, leak_and_collect);
    hm_release(m, object);
    assert_int_equal(logged, 1);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 2 + 5);
    hm_release(m, w);
    fixture_close(&fixture);
}

static void test_dead_weak_reference_is_not_called(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &target_type);
    struct hm_object *w[3];
    for (int i = 0; i < 3; i++)
        w[i] = hm_weak_new(m, object, on_clear);
    hm_release(m, w[1]);
    hm_release(m, object);
    assert_int_equal(logged, 2);
    expect(0, "callback", w[2]);
    expect(1, "callback", w[0]);
    hm_release(m, w[0]);
    hm_release(m, w[2]);
    fixture_close(&fixture);
}

/* ---- Collections ---- */

static void test_garbage_is_seen_by_no_callback_and_no_finalizer(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *o[2];
    new_couple(m, &finalized_type, o);
    struct hm_object *w[] = {hm_weak_new(m, o[0], on_clear), hm_weak_new(m, o[1], on_clear),
                             hm_weak_new(m, o[0], on_clear), hm_weak_new(m, o[1], NULL)};
    watched = w[3];
    release_all(m, o, 2);
    assert_int_equal(hm_collect(m, 2), 2);
    assert_int_equal(logged, 5);
    expect(0, "callback", w[2]);
    expect(1, "callback", w[0]);
    expect(2, "callback", w[1]);
    expect(3, "finalize", o[0]);
    expect(4, "finalize", o[1]);
    assert_false(seen);
    release_all(m, w, 4);
    fixture_close(&fixture);
}

/* test_trash_weakref_clear, and its neighbours. */
static void test_callback_of_a_reference_that_is_garbage_does_not_run(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *o[2];
    new_couple(m, &target_type, o);
    hm_init_store(m, o[1], 1, hm_weak_new(m, o[0], on_clear));
    release_all(m, o, 2);
    assert_int_equal(hm_collect(m, 2), 3);
    assert_int_equal(logged, 0);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 3);
    fixture_close(&fixture);
}

static struct hm_object *outside; /* held by nothing but this variable */

static void drop_outside(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object *last = outside;
    outside = NULL;
    hm_release(m, last);
    note(m, "finalize", object);
}

/* It is cleared although its target lives, for the target may die before the garbage does: its callback
 * would see the garbage that it is part of. */
static void test_garbage_reference_to_a_live_object_is_cleared(void **state) {
    (void)state;
    static const struct hm_type type = {.name = "dropping", .slots = 2, .finalize = drop_outside};
    struct hm_mutator *m = open_quiet();
    outside = hm_new(m, &target_type);
    struct hm_object *o[2];
    new_couple(m, &type, o);
    struct hm_object *w = hm_weak_new(m, outside, on_clear);
    hm_init_store(m, o[0], 1, w);
    release_all(m, o, 2);
    assert_int_equal(hm_collect(m, 2), 3);
    assert_int_equal(logged, 2);
    expect(0, "finalize", o[0]);
    expect(1, "finalize", o[1]);
    assert_int_equal(fixture_stats(&fixture).freed_objects, 4);
    fixture_close(&fixture);
}

static void test_references_that_callbacks_let_go_of_are_counted(void **state) {
    (void)state;
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = new_self_cycle(m);
    hm_release(m, object);
    struct hm_object *target = hm_new(m, &target_type);
    hm_store(m, target, 0, target);
    holder = hm_new_array(m, &list_type, 2);
    for (uint32_t i = 0; i < 2; i++)
        hm_init_store(m, holder, i, hm_weak_new(m, target, let_go));
    struct hm_object *kept = hm_weak_new(m, target, let_go);
    hm_release(m, target);
    assert_int_equal(hm_collect(m, 2), 2 + 2);
    assert_int_equal(fixture.freed, 4);
    assert_int_equal(fixture_stats(&fixture).collected, 4);
    assert_int_equal(logged, 3);
    hm_release(m, kept);
    hm_release(m, holder);
    fixture_close(&fixture);
}

static struct hm_object *resurrected;

static void resurrect(struct hm_mutator *m, struct hm_object *object) {
    hm_retain(m, object);
    resurrected = object;
}

/* The reference is older than its target, and comes back to where the target's survivors go. */
static void test_reference_that_outlives_its_callback_goes_to_the_older_generation(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "resurrected", .slots = 2, .weakable = true, .finalize = resurrect};
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &type);
    struct hm_object *w = hm_weak_new(m, object, on_clear);
    hm_collect(m, 2);
    assert_int_equal(generation_of(w), 2);
    hm_release(m, object);
    assert_ptr_equal(resurrected, object);
    assert_int_equal(generation_of(object), 0);
    hm_store(m, object, 0, object);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 0), 1);
    expect(0, "callback", w);
    assert_int_equal(generation_of(w), 1);
    hm_release(m, w);
    fixture_close(&fixture);
}

static void test_references_to_what_is_resurrected_stay_cleared(void **state) {
    (void)state;
    static const struct hm_type type = {
        .name = "resurrected", .slots = 2, .weakable = true, .finalize = resurrect};
    struct hm_mutator *m = open_quiet();
    struct hm_object *object = hm_new(m, &type);
    struct hm_object *w = hm_weak_new(m, object, NULL);
    hm_store(m, object, 0, object);
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 0);
    assert_true(is_live(object));
    assert_null(hm_weak_get(m, w));
    hm_release(m, object);
    assert_int_equal(hm_collect(m, 2), 1);
    hm_release(m, w);
    fixture_close(&fixture);
}

/* ---- Out of memory ---- */

static struct hm_object *made[6];

static void allocate_in_callback(struct hm_mutator *m, struct hm_object *reference) {
    (void)reference;
    made[0] = hm_new(m, &target_type);
    made[1] = made[0] ? hm_weak_new(m, made[0], on_clear) : NULL;
}

static void allocate_in_finalizer(struct hm_mutator *m, struct hm_object *object) {
    struct hm_object **out = made + (made[2] || made[3] ? 4 : 2);
    out[0] = hm_weak_new(m, object, NULL);
    out[1] = hm_new_array(m, &list_type, 10);
}

/* Each allocation within a collection fails once, and all from it on fail. */
static bool collect_with(uint64_t allowed) {
    static const struct hm_type type = {
        .name = "allocating", .slots = 2, .weakable = true, .finalize = allocate_in_finalizer};
    struct hm_mutator *m = open_quiet();
    struct hm_object *o[2];
    memset(made, 0, sizeof made);
    new_couple(m, &type, o);
    struct hm_object *w = hm_weak_new(m, o[0], allocate_in_callback);
    hm_release(m, o[0]);
    hm_release(m, o[1]);
    control()->save_all(fixture.gc, true);
    fixture.heap.allowed = allowed;
    assert_int_equal(hm_collect(m, 2), 2);
    bool enough = fixture.heap.allowed > 0;
    fixture.heap.allowed = UINT64_MAX;
    control()->save_all(fixture.gc, false);
    for (struct hm_object *saved; (saved = control()->pop_garbage(fixture.gc));)
        hm_release(m, saved);
    release_all(m, made, 6);
    hm_release(m, w);
    hm_collect(m, 2);
    struct hm_gc_stats s = fixture_stats(&fixture);
    assert_int_equal(s.freed_objects, s.allocated_objects);
    fixture_close(&fixture);
    assert_int_equal(fixture.heap.live_blocks, 0);
    return enough;
}

static void test_any_allocation_in_a_collection_may_fail(void **state) {
    (void)state;
    uint64_t allowed = 0;
    while (!collect_with(allowed))
        allowed++;
    assert_int_equal(allowed, 2 + 4 + 2 + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dying_object_is_seen_by_its_finalizer_and_by_nobody_after_it),
        cmocka_unit_test(test_nobody_sees_a_dying_object_after_its_finalizer),
        cmocka_unit_test(test_references_that_callbacks_let_go_of_die_after_the_last_callback),
        cmocka_unit_test(test_collection_in_a_callback_does_not_see_the_dying_object),
        cmocka_unit_test(test_dead_weak_reference_is_not_called),
        cmocka_unit_test(test_garbage_is_seen_by_no_callback_and_no_finalizer),
        cmocka_unit_test(test_callback_of_a_reference_that_is_garbage_does_not_run),
        cmocka_unit_test(test_garbage_reference_to_a_live_object_is_cleared),
        cmocka_unit_test(test_references_that_callbacks_let_go_of_are_counted),
        cmocka_unit_test(test_reference_that_outlives_its_callback_goes_to_the_older_generation),
        cmocka_unit_test(test_references_to_what_is_resurrected_stay_cleared),
        cmocka_unit_test(test_any_allocation_in_a_collection_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

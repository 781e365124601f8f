/* What every collector owes to the programs that run on it; its capabilities decide how much.
 *
 * collectors: each
 *
 * The oracle is object_mirror.h; the heap below the collector, object_heap.h, knows what was freed. */
#include "tests/conformance/object_mirror.h"

#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEEP 1000000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEEP 1000000
#endif
#endif
#ifndef DEEP
#define DEEP 10000000
#endif

static struct fixture fixture;

static int set_up(void **state) {
    *state = &fixture;
    fixture_prepare(&fixture, collector());
    fixture_open(&fixture);
    return 0;
}

/* ---- Random programs ---- */

static void test_random_programs_lose_nothing_and_keep_no_garbage(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 40; seed++) {
        struct fixture f;
        fixture_prepare(&f, collector());
        fixture_open(&f);
        run_random_program(f.m, seed);
        struct hm_gc_stats s = fixture_stats(&f);
        assert_int_equal(s.allocated_objects, mirror.used);
        if (can(HM_GC_CYCLES)) {
            assert_int_equal(s.freed_objects, s.allocated_objects);
            assert_int_equal(s.freed_bytes, s.allocated_bytes);
        }
        fixture_close(&f);
    }
}

/* ---- Opening and closing ---- */

/* Whether close finds objects that are in use. Others have them on no list. */
static bool finds_all(void) {
    static const char *const others[] = {"refcount", "refcount_atomic", "refcount_biased", "manual",
                                         "trial"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(collector()->name, others[i]) == 0)
            return false;
    return true;
}

/* Pairs in a list, each with a leaf. */
static void dispose_list(struct hm_mutator *m, struct hm_object *list) {
    while (HM_DISPOSES && list) {
        struct hm_object *next = hm_load(list, 0);
        if (hm_load(list, 1))
            hm_dispose(m, hm_load(list, 1));
        hm_dispose(m, list);
        list = next;
    }
}

static void test_close_gives_back_what_is_still_in_use(void **state) {
    struct fixture *f = *state;
    struct hm_object *variable = NULL;
    hm_root(f->m, &variable);
    for (int i = 0; i < 3000; i++) {
        struct hm_object *pair = hm_new(f->m, &pair_type);
        hm_init_store(f->m, pair, 0, variable);
        variable = pair;
        hm_init_store(f->m, pair, 1, hm_new(f->m, &leaf_type));
    }
    if (!finds_all()) {
        dispose_list(f->m, variable);
        hm_release(f->m, variable);
        variable = NULL;
    }
    hm_unroot(f->m, 1);
    fixture_close(f);
    assert_int_equal(f->heap.live_blocks, 0);
}

static void test_open_without_memory_is_enomem_and_gives_nothing(void **state) {
    (void)state;
    struct fixture f;
    fixture_prepare(&f, collector());
    f.heap.allowed = 0;
    assert_int_equal(fixture_try_open(&f), ENOMEM);
    assert_null(f.gc);
    assert_int_equal(f.heap.live_blocks, 0);
    heap_close(&f.heap);
}

static void test_mutators_beyond_what_the_collector_can_have_are_refused(void **state) {
    struct fixture *f = *state;
    if (can(HM_GC_FREE))
        skip();
    const struct hm_gc_options two = {.params = f->params,
                                      .memory = &f->memory,
                                      .events = &f->events,
                                      .mutators = 2,
                                      .threading = HM_FREE};
    struct hm_gc *gc = NULL;
    assert_int_equal(f->collector->open(&gc, &two), ENOTSUP);
    assert_null(gc);
    assert_null(f->collector->attach(f->gc));
    f->collector->detach(f->m);
    assert_non_null(f->collector->attach(f->gc));
    fixture_close(f);
}

static void test_header_is_what_a_container_costs(void **state) {
    struct fixture *f = *state;
    struct hm_object *pair = hm_new(f->m, &pair_type);
    struct hm_gc_stats s = fixture_stats(f);
    assert_int_equal(s.allocated_bytes, s.header_bytes + 2 * sizeof(void *) + 8);
    assert_true(s.header_bytes >= sizeof *pair);
    hm_release(f->m, pair);
    fixture_close(f);
}

/* ---- Out of memory ---- */

static void test_more_slots_than_an_object_can_have_is_enomem(void **state) {
    struct fixture *f = *state;
    errno = 0;
    assert_null(hm_new_array(f->m, &array_type, HM_LENGTH_MAX + 1));
    assert_int_equal(errno, ENOMEM);
    fixture_close(f);
}

/* A list of pairs, each with a leaf. Where memory ends it must be whole, and go on after it.
 * @return whether an allocation failed */
static bool build_list(struct fixture *f, int length) {
    struct hm_object *list = NULL;
    bool failed = false;
    hm_root(f->m, &list);
    for (int i = 0; i < length; i++) {
        const struct hm_type *type = i % 3 ? &pair_type : &array_type;
        struct hm_object *object;
        while (!(object = hm_new_array(f->m, type, 2))) {
            assert_int_equal(errno, ENOMEM);
            assert_false(failed);
            failed = true;
            f->heap.allowed = UINT64_MAX;
        }
        hm_init_store(f->m, object, 0, list);
        list = object;
    }
    int found = 0;
    for (struct hm_object *o = list; o; o = hm_load(o, 0))
        found++;
    assert_int_equal(found, length);
    dispose_list(f->m, list);
    hm_release(f->m, list);
    hm_unroot(f->m, 1);
    return failed;
}

static void test_out_of_memory_at_any_allocation_breaks_nothing(void **state) {
    (void)state;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct fixture f;
        fixture_prepare(&f, collector());
        fixture_open(&f);
        f.heap.allowed = n - 1;
        failed = build_list(&f, 100);
        fixture_close(&f);
        assert_int_equal(f.heap.live_blocks, 0);
    }
}

static void test_garbage_in_a_full_heap_is_collected_before_an_allocation_fails(void **state) {
    struct fixture *f = *state;
    if (!can(HM_GC_CYCLES)) {
        fixture_close(f);
        skip();
    }
    f->heap.room = 50;
    for (int i = 0; i < 1000; i++) {
        struct hm_object *object = hm_new(f->m, &pair_type);
        assert_non_null(object);
        hm_store(f->m, object, 0, object);
        hm_release(f->m, object);
    }
    fixture_close(f);
}

/* ---- Finalizers ---- */

static struct {
    int runs;
    struct hm_object *kept; /* rooted */
    bool resurrect;
} finalizing;

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    finalizing.runs++;
    assert_int_equal(hm_collect(m, 2), 0);
    struct hm_object *other = hm_new(m, &leaf_type);
    assert_non_null(other);
    hm_release(m, other);
    if (finalizing.resurrect) {
        hm_retain(m, object);
        finalizing.kept = object;
    }
}

static const struct hm_type finalized_type = {
    .name = "finalized", .slots = 1, .finalize = finalize};
static const struct hm_type finalized_leaf_type = {.name = "finalized leaf", .finalize = finalize};

static void drop_kept(struct hm_mutator *m) {
    struct hm_object *object = finalizing.kept;
    finalizing.kept = NULL;
    hm_release(m, object);
    hm_collect(m, 2);
}

static void check_resurrection(struct fixture *f, const struct hm_type *type, bool cyclic) {
    finalizing.runs = 0;
    finalizing.resurrect = true;
    struct hm_object *object = hm_new(f->m, type);
    struct hm_object *cargo = NULL;
    hm_root(f->m, &object);
    if (type->slots) {
        cargo = hm_new(f->m, &pair_type);
        hm_store(f->m, cargo, 0, cyclic ? object : NULL);
        hm_init_store(f->m, object, 0, cargo);
    }
    finalizing.kept = object;
    hm_unroot(f->m, 1);
    drop_kept(f->m);
    int expected = can(HM_GC_FREES) ? 1 : 0;
    assert_int_equal(finalizing.runs, expected);
    assert_true(is_live(object));
    assert_true(!cargo || is_live(cargo));
    drop_kept(f->m);
    assert_int_equal(finalizing.runs, expected);
    assert_int_equal(is_live(object), !expected);
    assert_true(!cargo || is_live(cargo) == !expected);
}

static void test_finalizer_runs_once_though_it_resurrects(void **state) {
    struct fixture *f = *state;
    hm_root(f->m, &finalizing.kept);
    check_resurrection(f, &finalized_type, false);
    check_resurrection(f, &finalized_leaf_type, false);
    if (can(HM_GC_CYCLES))
        check_resurrection(f, &finalized_type, true);
    hm_unroot(f->m, 1);
    fixture_close(f);
    if (can(HM_GC_FREES) || finds_all())
        assert_int_equal(f->heap.live_blocks, 0);
}

static void test_close_runs_no_finalizer(void **state) {
    struct fixture *f = *state;
    finalizing.runs = 0;
    finalizing.kept = hm_new(f->m, &finalized_type);
    fixture_close(f);
    assert_int_equal(finalizing.runs, 0);
}

/* ---- Deep structures ---- */

static const struct hm_type link_type = {.name = "link", .slots = 1};

/* The reference to the next is in the first slot, so that of a pair one more is to be looked at. */
static struct hm_object *deep_list(struct hm_mutator *m, const struct hm_type *type, int length,
                                   struct hm_object **last) {
    struct hm_object *list = NULL;
    hm_root(m, &list);
    for (int i = 0; i < length; i++) {
        struct hm_object *object = hm_new(m, type);
        assert_non_null(object);
        hm_init_store(m, object, 0, list);
        list = object;
        if (i == 0)
            *last = object;
    }
    hm_unroot(m, 1);
    return list;
}

static void die_deeply(struct fixture *f, const struct hm_type *type, int length, bool cyclic) {
    struct hm_object *last = NULL;
    struct hm_object *list = deep_list(f->m, type, length, &last);
    if (cyclic)
        hm_store(f->m, last, 0, list);
    hm_release(f->m, list);
    hm_collect(f->m, 2);
    struct hm_gc_stats s = fixture_stats(f);
    assert_int_equal(s.freed_objects, s.allocated_objects);
}

static void *die_on_a_small_stack(void *arg) {
    struct fixture *f = arg;
    die_deeply(f, &link_type, DEEP, false);
    die_deeply(f, &pair_type, DEEP / 10, false);
    if (can(HM_GC_CYCLES))
        die_deeply(f, &pair_type, DEEP / 10, true);
    return NULL;
}

static void test_deep_structures_die_on_a_small_stack(void **state) {
    (void)state;
    if (!can(HM_GC_FREES))
        skip();
    struct fixture f;
    fixture_prepare(&f, collector());
    const struct hm_heap_options options = {.threads = 2};
    assert_int_equal(hm_allocator_find("system")->open(&f.memory, &options), 0);
    fixture_open(&f);
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, 256 << 10), 0);
    assert_int_equal(pthread_create(&thread, &attr, die_on_a_small_stack, &f), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_programs_lose_nothing_and_keep_no_garbage),
        cmocka_unit_test_setup(test_close_gives_back_what_is_still_in_use, set_up),
        cmocka_unit_test(test_open_without_memory_is_enomem_and_gives_nothing),
        cmocka_unit_test_setup(test_mutators_beyond_what_the_collector_can_have_are_refused,
                               set_up),
        cmocka_unit_test_setup(test_header_is_what_a_container_costs, set_up),
        cmocka_unit_test_setup(test_more_slots_than_an_object_can_have_is_enomem, set_up),
        cmocka_unit_test(test_out_of_memory_at_any_allocation_breaks_nothing),
        cmocka_unit_test_setup(test_garbage_in_a_full_heap_is_collected_before_an_allocation_fails,
                               set_up),
        cmocka_unit_test_setup(test_finalizer_runs_once_though_it_resurrects, set_up),
        cmocka_unit_test_setup(test_close_runs_no_finalizer, set_up),
        cmocka_unit_test(test_deep_structures_die_on_a_small_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

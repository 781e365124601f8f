/* What a bounded arena may refuse, by what is live in it. */
#include "harness/verify/arena.h"
#include "harness/verify/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    MIB = 1 << 20,
};

static const struct hm_property lone = {.name = "lone", .threads = 1};
static struct hm_shadow shadow;

/* An arena of 4 MiB with some blocks of one size. */
static struct hm_verify with_live(uint32_t blocks, size_t size) {
    shadow = (struct hm_shadow){.live = blocks, .live_bytes = blocks * size};
    return (struct hm_verify){.property = &lone,
                              .may_run_out = true,
                              .arena_bytes = 4 * MIB,
                              .block_extra = 64,
                              .shadows = {&shadow},
                              .shadow_count = 1};
}

static void test_small_request_needs_a_quarter_live(void **state) {
    (void)state;
    struct hm_verify v = with_live(0, 0);
    assert_false(hm_verify_may_refuse(&v, 16));
    v = with_live(100, 10000);
    assert_false(hm_verify_may_refuse(&v, 16));
    v = with_live(100, 11000);
    assert_true(hm_verify_may_refuse(&v, 16));
}

/* Ten blocks leave eleven pieces of free memory, one of which has at least its share. */
static void test_large_request_needs_a_piece(void **state) {
    (void)state;
    struct hm_verify v = with_live(10, 1000);
    assert_false(hm_verify_may_refuse(&v, 4 * MIB / 13));
    assert_true(hm_verify_may_refuse(&v, 4 * MIB / 10));
    assert_true(hm_verify_may_refuse(&v, 5 * MIB));
}

static void test_what_no_shadow_knows_is_held_too(void **state) {
    (void)state;
    struct hm_verify v = with_live(0, 0);
    hm_verify_away(&v, 1, MIB);
    assert_true(hm_verify_may_refuse(&v, 16));
    hm_verify_away(&v, 0, 0);
    shadow.last_bytes = MIB; /* a block on its way through realloc */
    assert_true(hm_verify_may_refuse(&v, 16));
}

static void test_rounding_is_held_too(void **state) {
    (void)state;
    struct hm_verify v = with_live(300, 1);
    assert_false(hm_verify_may_refuse(&v, 16));
    v.block_extra = 4096;
    assert_true(hm_verify_may_refuse(&v, 16));
}

static void test_unknown_arena_may_refuse_anything(void **state) {
    (void)state;
    struct hm_verify v = with_live(0, 0);
    v.arena_bytes = 0;
    assert_true(hm_verify_may_refuse(&v, 1));
}

static void *bounded_malloc(size_t size) {
    return size <= 3 * MIB ? malloc(size) : NULL;
}

static size_t seen_bytes(const struct hm_allocator *above, unsigned caps) {
    const struct hm_allocator base = {.name = "base", .caps = HM_CAP_BOUNDED | caps};
    const struct hm_memory memory = {.shape = HM_SHAPE_LIBC,
                                     .libc = {.malloc = bounded_malloc, .free = free}};
    struct hm_allocator_spec spec = {.count = above ? 2 : 1};
    spec.parts[0] = above ? above : &base;
    spec.parts[spec.count - 1] = &base;
    struct hm_verify v = {.memory = &memory};
    hm_arena_measure(&v, &spec);
    return v.arena_bytes;
}

static void test_arena_is_measured_through_locks_only(void **state) {
    (void)state;
    const struct hm_allocator lock = {.name = "lock", .caps = HM_CAP_LAYER | HM_CAP_LOCKS};
    const struct hm_allocator layer = {.name = "layer", .caps = HM_CAP_LAYER};
    assert_int_equal(seen_bytes(NULL, 0), 2 * MIB);
    assert_int_equal(seen_bytes(&lock, 0), 2 * MIB);
    assert_int_equal(seen_bytes(&layer, 0), 0);
    assert_int_equal(seen_bytes(NULL, HM_CAP_NO_REUSE), 0);
}

/* ---- The player ---- */

static bool stopped;

static void *stopping_malloc(size_t size) {
    errno = ENOMEM;
    return stopped ? NULL : malloc(size);
}

static bool always(void *arg, size_t bytes) {
    (void)arg, (void)bytes;
    return true;
}

static bool never(void *arg, size_t bytes) {
    (void)arg, (void)bytes;
    return false;
}

static const struct hm_memory stopping = {
    .shape = HM_SHAPE_LIBC, .libc = {.malloc = stopping_malloc, .realloc = realloc, .free = free}};

static void test_first_sizes_are_asked_for_again(void **state) {
    (void)state;
    struct hm_player player = {.memory = &stopping, .alignment = 1, .asks_again = true};
    const struct hm_op make = {.kind = HM_OP_MALLOC, .size = 100};
    struct hm_error error = {""};
    stopped = false;
    assert_int_equal(hm_shadow_open(&player.shadow, 4, 1), 0);
    assert_int_equal(hm_player_step(&player, &make, &error), 0);
    assert_int_equal(hm_player_clear(&player, &error), 0);
    assert_int_equal(hm_player_again(&player, &error), 0);
    stopped = true;
    assert_int_equal(hm_player_again(&player, &error), ENOMEM);
    player.asks_again = false;
    assert_int_equal(hm_player_again(&player, &error), 0);
    hm_shadow_close(&player.shadow);
}

static void test_refused_operations_are_counted(void **state) {
    (void)state;
    struct hm_player player = {.memory = &stopping, .alignment = 1, .may_refuse = always};
    const struct hm_op make = {.kind = HM_OP_MALLOC, .size = 100};
    struct hm_error error = {""};
    stopped = true;
    assert_int_equal(hm_shadow_open(&player.shadow, 4, 1), 0);
    assert_int_equal(hm_player_step(&player, &make, &error), 0);
    assert_int_equal(player.refused, 1);
    player.may_refuse = never;
    assert_int_equal(hm_player_step(&player, &make, &error), ENOMEM);
    stopped = false;
    assert_int_equal(hm_player_step(&player, &make, &error), 0);
    assert_int_equal(player.asked, 3);
    assert_int_equal(player.refused, 2);
    assert_int_equal(hm_player_clear(&player, &error), 0);
    hm_shadow_close(&player.shadow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_request_needs_a_quarter_live),
        cmocka_unit_test(test_large_request_needs_a_piece),
        cmocka_unit_test(test_what_no_shadow_knows_is_held_too),
        cmocka_unit_test(test_rounding_is_held_too),
        cmocka_unit_test(test_unknown_arena_may_refuse_anything),
        cmocka_unit_test(test_first_sizes_are_asked_for_again),
        cmocka_unit_test(test_refused_operations_are_counted),
        cmocka_unit_test(test_arena_is_measured_through_locks_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The map of a heap, and its free runs, against an array that has a letter for each byte. */
#include "harness/cell/space_map.h"
#include "workloads/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    BYTES = 1 << 16,
    LOOKS = 20,
    FAR = 1 << 30, /* where the second half of the heap lies, when it has two parts */
};

/* u: used, f: free, anything else: of no block. A run ends where the next one is of another kind. */
static char heap_bytes[BYTES];
static char blocks_begin[BYTES];
static bool is_parted;

static uint64_t address_of(size_t at) {
    return 0x7f0000000000u + at + (is_parted && at >= BYTES / 2 ? FAR : 0);
}

static void walk(struct hm_heap *heap, hm_walk_fn *visit, void *arg) {
    (void)heap;
    for (size_t at = 0, end; at < BYTES; at = end) {
        for (end = at + 1; end < BYTES && end != BYTES / 2 && heap_bytes[end] == heap_bytes[at] &&
                           !blocks_begin[end];)
            end++;
        const struct hm_block block = {address_of(at), end - at, heap_bytes[at] == 'u'};
        if (heap_bytes[at] == 'u' || heap_bytes[at] == 'f')
            visit(arg, &block);
    }
}

static uint64_t footprint, metadata;

static void stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    (void)heap;
    *out = (struct hm_heap_stats){.footprint_bytes = footprint, .metadata_bytes = metadata};
}

static struct hm_allocator part = {.caps = HM_CAP_WALK_ARENAS, .walk = walk, .stats = stats};
static struct hm_memory_stack stack = {.open = {{.allocator = &part}}, .count = 1};

static void draw_heap(struct hm_random *random) {
    for (size_t at = 0, end; at < BYTES; at = end) {
        end = at + 1 + hm_random_below(random, 300);
        end = end < BYTES ? end : BYTES;
        memset(heap_bytes + at, "uuff."[hm_random_below(random, 5)], end - at);
        memset(blocks_begin + at, 0, end - at);
        blocks_begin[at] = 1;
    }
}

/* By the array alone. */
static struct hm_space_runs count(void) {
    struct hm_space_runs runs = {0};
    uint64_t run = 0;
    for (size_t at = 0; at < BYTES; at++) {
        if (heap_bytes[at] != 'f' || (is_parted && at == BYTES / 2))
            run = 0;
        runs.used_bytes += heap_bytes[at] == 'u';
        runs.free_bytes += heap_bytes[at] == 'f';
        if (heap_bytes[at] != 'f')
            continue;
        runs.runs += run == 0;
        run++;
        runs.largest = run > runs.largest ? run : runs.largest;
    }
    return runs;
}

static void assert_same(const struct hm_space_runs *found, const struct hm_space_runs *counted) {
    assert_int_equal(found->used_bytes, counted->used_bytes);
    assert_int_equal(found->free_bytes, counted->free_bytes);
    assert_int_equal(found->runs, counted->runs);
    assert_int_equal(found->largest, counted->largest);
}

static char kept[LOOKS][BYTES];
static unsigned spots;

/* What the array has in that bucket, at that look. */
static void check_spot(void *arg, const struct hm_space_spot *spot) {
    uint64_t used = 0, free = 0;
    (void)arg;
    assert_int_equal(spot->t_ns, 1000 + spot->look);
    for (size_t at = 0; at < BYTES; at++) {
        uint64_t offset = address_of(at) - address_of(0);
        if (offset < spot->offset_bytes || offset >= spot->offset_bytes + spot->size_bytes)
            continue;
        used += kept[spot->look][at] == 'u';
        free += kept[spot->look][at] == 'f';
    }
    assert_int_equal(spot->used_bytes, used);
    assert_int_equal(spot->free_bytes, free);
    spots++;
}

static void look_at_all(bool parted) {
    struct hm_random random = hm_random_of(parted, 0);
    struct hm_space_runs first = {0}, last = {0};
    is_parted = parted;
    part.caps = HM_CAP_WALK_ARENAS;
    assert_int_equal(hm_space_map_open(&stack), 0);
    for (unsigned i = 0; i < LOOKS; i++) {
        draw_heap(&random);
        heap_bytes[0] = 'u'; /* so that the map begins where the heap does */
        memcpy(kept[i], heap_bytes, BYTES);
        hm_space_map_look(1000 + i, i == 7 || i == 9 ? 50 : i);
        last = count();
        if (i == 7)
            first = last;
    }
    assert_same(hm_space_map_peak(), &first); /* of two peaks that are as high */
    assert_same(hm_space_map_last(), &last);
    spots = 0;
    hm_space_map_visit(check_spot, NULL);
    assert_in_range(spots, LOOKS * 8, LOOKS * HM_SPACE_MAP_BUCKETS);
    assert_int_equal(spots % LOOKS, 0);
}

static void test_buckets_and_runs_have_what_the_heap_has(void **state) {
    (void)state;
    look_at_all(false);
}

static void test_a_gap_between_arenas_takes_no_bucket_and_ends_a_run(void **state) {
    (void)state;
    look_at_all(true);
}

/* Behind what was ever handed out, a bounded arena is not free but untouched. */
static void test_what_was_never_touched_is_left_out(void **state) {
    (void)state;
    memset(heap_bytes, 'f', BYTES);
    memset(blocks_begin, 0, BYTES);
    memset(heap_bytes + 4096, 'u', 100);
    is_parted = false;
    part.caps = HM_CAP_WALK;
    metadata = 500;
    footprint = address_of(0) + 8192 + metadata;
    assert_int_equal(hm_space_map_open(&stack), 0);
    hm_space_map_look(1, 1);
    assert_same(hm_space_map_last(), &(struct hm_space_runs){100, 8092, 2, 4096});
    footprint = HM_UNKNOWN;
    hm_space_map_look(2, 1);
    assert_int_equal(hm_space_map_last()->free_bytes, BYTES - 100);
}

static void test_a_heap_without_a_walk_is_not_seen(void **state) {
    (void)state;
    part.caps = 0;
    assert_int_equal(hm_space_map_open(&stack), 0);
    hm_space_map_look(1, 1);
    hm_space_map_tell();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_and_runs_have_what_the_heap_has),
        cmocka_unit_test(test_a_gap_between_arenas_takes_no_bucket_and_ends_a_run),
        cmocka_unit_test(test_what_was_never_touched_is_left_out),
        cmocka_unit_test(test_a_heap_without_a_walk_is_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* traced: its numbers against a naive count, call site by call site.
 *
 * labels: threads */
#include "allocators/traced.h"
#include "harness/results/csv.h"
#include "tests/unit/layer_open.h"

#include <stdio.h>
#include <unistd.h>

enum {
    SLOTS = 5000,
    STEPS = 60000,
};

/* Four places that allocate; nothing is called last, so that each has its own frame. */
#define PLACE(name)                                                                                \
    static __attribute__((noinline)) void *name(const struct hm_memory *m, void *old,              \
                                                size_t size) {                                     \
        void *block = old ? hm_realloc(m, old, size) : hm_malloc(m, size);                         \
        __asm__ volatile("" : "+r"(block));                                                        \
        return block;                                                                              \
    }
PLACE(place_a)
PLACE(place_b)
PLACE(place_c)
PLACE(place_d)

typedef void *place_fn(const struct hm_memory *m, void *old, size_t size);
static place_fn *const places[] = {place_a, place_b, place_c, place_d};
enum {
    PLACES = 4
};

/* What one place counts, found by hand: the site that changes when it allocates and resizes. */
struct naive {
    size_t allocating;
    size_t resizing;
    int64_t blocks, bytes, peak, total_blocks, total_bytes;
};

static struct hm_traced_snapshot snapshot_of(const struct layer *layer) {
    struct hm_traced_snapshot snapshot;
    assert_int_equal(hm_traced_snapshot(layer->memory.heap, &snapshot), 0);
    return snapshot;
}

/* The one site at which blocks were allocated since. */
static size_t changed_site(const struct layer *layer, struct hm_traced_snapshot *before) {
    struct hm_traced_snapshot now = snapshot_of(layer);
    struct hm_traced_snapshot d;
    size_t site = 0;
    assert_int_equal(hm_traced_difference(before, &now, &d), 0);
    for (size_t i = 0; i < d.count; i++) {
        if (d.sites[i].total_blocks == 0)
            continue;
        assert_int_equal(site, 0);
        assert_int_equal(d.sites[i].total_blocks, 1);
        site = i;
    }
    assert_int_not_equal(site, 0);
    hm_traced_snapshot_free(&d);
    hm_traced_snapshot_free(before);
    *before = now;
    return site;
}

struct block {
    void *pointer;
    size_t size;
    struct naive *site;
};

static void naive_add(struct block *block, struct naive *site, void *pointer, size_t size) {
    *block = (struct block){pointer, size, site};
    site->blocks++;
    site->bytes += (int64_t)size;
    site->total_blocks++;
    site->total_bytes += (int64_t)size;
    site->peak = site->bytes > site->peak ? site->bytes : site->peak;
}

static void naive_remove(struct block *block) {
    block->site->blocks--;
    block->site->bytes -= (int64_t)block->size;
    block->pointer = NULL;
}

/* sites[0 .. PLACES-1] allocate, the next PLACES resize. */
static void find_sites(struct layer *layer, struct naive *sites, size_t *index) {
    struct hm_traced_snapshot before = snapshot_of(layer);
    for (int i = 0; i < PLACES; i++) {
        struct block block;
        void *pointer = places[i](&layer->memory, NULL, 10);
        index[i] = changed_site(layer, &before);
        naive_add(&block, &sites[i], pointer, 10);
        naive_remove(&block);
        pointer = places[i](&layer->memory, pointer, 20);
        index[PLACES + i] = changed_site(layer, &before);
        naive_add(&block, &sites[PLACES + i], pointer, 20);
        naive_remove(&block);
        hm_free(&layer->memory, pointer);
    }
    hm_traced_snapshot_free(&before);
}

static int64_t step(struct layer *layer, struct hm_random *random, struct naive *sites,
                    struct block *slot) {
    size_t place = hm_random_below(random, PLACES);
    size_t size = 1 + hm_random_below(random, 300);
    size_t old = slot->size;
    if (!slot->pointer) {
        naive_add(slot, &sites[place], places[place](&layer->memory, NULL, size), size);
        return (int64_t)size;
    }
    if (hm_random_below(random, 3) == 0) {
        void *pointer = places[place](&layer->memory, slot->pointer, size);
        naive_remove(slot);
        naive_add(slot, &sites[PLACES + place], pointer, size);
        return (int64_t)size - (int64_t)old;
    }
    hm_free(&layer->memory, slot->pointer);
    naive_remove(slot);
    return -(int64_t)old;
}

static void assert_sites(const struct layer *layer, const struct naive *sites, const size_t *index,
                         int64_t bytes, int64_t peak) {
    struct hm_traced_snapshot s = snapshot_of(layer);
    int64_t blocks = 0;
    for (size_t i = 0; i < 2 * PLACES; i++) {
        const struct hm_site *site = &s.sites[index[i]];
        assert_int_equal(site->blocks, sites[i].blocks);
        assert_int_equal(site->bytes, sites[i].bytes);
        assert_int_equal(site->peak_bytes, sites[i].peak);
        assert_int_equal(site->total_blocks, sites[i].total_blocks);
        assert_int_equal(site->total_bytes, sites[i].total_bytes);
        blocks += sites[i].blocks;
    }
    assert_int_equal(s.blocks, blocks);
    assert_int_equal(s.bytes, bytes);
    assert_int_equal(s.peak_bytes, peak);
    assert_int_equal(layer_stats(layer).live_blocks, blocks);
    assert_int_equal(layer_stats(layer).live_bytes, bytes);
    hm_traced_snapshot_free(&s);
}

static void traced_counts_what_a_naive_count_does(void **state) {
    static struct block slots[SLOTS];
    struct naive sites[2 * PLACES] = {{0}};
    size_t index[2 * PLACES];
    struct hm_random random = hm_random_of(5, 0);
    struct layer layer;
    int64_t bytes = 0;
    int64_t peak = 20;
    (void)state;
    layer_open(&layer, "traced", 1, &inner);
    find_sites(&layer, sites, index);
    for (int i = 0; i < STEPS; i++) {
        bytes += step(&layer, &random, sites, &slots[hm_random_below(&random, SLOTS)]);
        peak = bytes > peak ? bytes : peak;
        if (i % 10000 == 0)
            assert_sites(&layer, sites, index, bytes, peak);
    }
    assert_sites(&layer, sites, index, bytes, peak);
    assert_int_equal(counted.live_bytes, bytes);
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].pointer) {
            hm_free(&layer.memory, slots[i].pointer);
            naive_remove(&slots[i]);
        }
    assert_sites(&layer, sites, index, 0, peak);
    layer_close(&layer);
}

static void traced_is_untouched_by_a_failed_realloc(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "traced", 1, &inner);
    void *block = place_a(&layer.memory, NULL, 100);
    struct hm_traced_snapshot before = snapshot_of(&layer);
    count_fail(1, 1);
    assert_null(place_b(&layer.memory, block, 200));
    struct hm_traced_snapshot after = snapshot_of(&layer);
    assert_int_equal(after.bytes, 100);
    assert_memory_equal(after.sites, before.sites, before.count * sizeof *before.sites);
    hm_traced_snapshot_free(&before);
    hm_traced_snapshot_free(&after);
    hm_free(&layer.memory, block);
    assert_int_equal(layer_stats(&layer).live_blocks, 0);
    layer_close(&layer);
}

static __attribute__((noinline)) void *far_caller(const struct hm_memory *m, size_t size) {
    void *block = place_a(m, NULL, size);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static size_t sites_of_two_callers(const char *text) {
    struct layer layer;
    layer_open(&layer, text, 1, &inner);
    layer.spec.parts[0]->enter(layer.memory.heap);
    void *near = place_a(&layer.memory, NULL, 1);
    void *far = far_caller(&layer.memory, 2);
    struct hm_traced_snapshot s = snapshot_of(&layer);
    hm_traced_top(&s, 0);
    size_t count = s.count;
    hm_traced_snapshot_free(&s);
    hm_free(&layer.memory, near);
    hm_free(&layer.memory, far);
    layer_close(&layer);
    return count;
}

static void more_frames_tell_callers_apart(void **state) {
    (void)state;
    assert_int_equal(sites_of_two_callers("traced"), 1);
    assert_int_equal(sites_of_two_callers("traced:frames=2"), 2);
    assert_int_equal(sites_of_two_callers("traced:frames=8"), 2);
}

static void the_file_has_the_largest_sites_first(void **state) {
    struct layer layer;
    struct hm_csv *csv;
    struct hm_error error;
    const size_t sizes[PLACES] = {30, 1000, 7, 200};
    void *blocks[PLACES];
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "traced:top=3:file=traced-%d.csv", (int)getpid());
    layer_open(&layer, text, 1, &inner);
    for (int i = 0; i < PLACES; i++)
        blocks[i] = places[i](&layer.memory, NULL, sizes[i]);
    const char *path = strrchr(text, '=') + 1;
    layer_close(&layer);
    assert_int_equal(hm_csv_open(&csv, path, &error), 0);
    const double expected[] = {1000, 200, 30};
    for (int i = 0; i < 3; i++) {
        double bytes;
        assert_int_equal(hm_csv_next(csv, &error), 1);
        assert_true(hm_csv_number(csv, hm_csv_column(csv, "bytes"), &bytes));
        assert_true(bytes == expected[i]);
        assert_non_null(
            strstr(hm_csv_field(csv, hm_csv_column(csv, "site")), "layers_traced_test+0x"));
    }
    assert_int_equal(hm_csv_next(csv, &error), 0);
    hm_csv_close(csv);
    unlink(path);
    for (int i = 0; i < PLACES; i++)
        hm_free(&inner, blocks[i]);
}

static void traced_tells_what_its_tables_cost(void **state) {
    static void *blocks[SLOTS];
    struct layer layer;
    (void)state;
    layer_open(&layer, "traced", 1, &inner);
    uint64_t empty = layer_stats(&layer).metadata_bytes;
    assert_true(empty > 0);
    for (int i = 0; i < SLOTS; i++)
        blocks[i] = hm_malloc(&layer.memory, 1);
    assert_true(layer_stats(&layer).metadata_bytes >= empty + (SLOTS - 4096) * 3 * sizeof(void *));
    for (int i = 0; i < SLOTS; i++)
        hm_free(&layer.memory, blocks[i]);
    layer_close(&layer);
}

static void *trace_and_free(void *arg) {
    struct layer *layer = arg;
    void *blocks[16] = {NULL};
    layer->spec.parts[0]->enter(layer->memory.heap);
    for (int i = 0; i < CALLS; i++) {
        hm_free(&layer->memory, blocks[i % 16]);
        blocks[i % 16] = places[i % PLACES](&layer->memory, NULL, (size_t)i % 100);
        blocks[i % 16] = places[i % PLACES](&layer->memory, blocks[i % 16], 50);
    }
    for (int i = 0; i < 16; i++)
        hm_free(&layer->memory, blocks[i]);
    return NULL;
}

static void threads_lose_no_block(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "traced:frames=4", THREADS, &inner);
    run_threads(trace_and_free, &layer);
    struct hm_traced_snapshot s = snapshot_of(&layer);
    int64_t total = 0;
    for (size_t i = 0; i < s.count; i++)
        total += s.sites[i].total_blocks;
    assert_int_equal(total, 2 * THREADS * CALLS);
    assert_int_equal(s.blocks, 0);
    hm_traced_snapshot_free(&s);
    layer_close(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LAYER_TEST(traced_counts_what_a_naive_count_does),
        LAYER_TEST(traced_is_untouched_by_a_failed_realloc),
        LAYER_TEST(more_frames_tell_callers_apart),
        LAYER_TEST(the_file_has_the_largest_sites_first),
        LAYER_TEST(traced_tells_what_its_tables_cost),
        LAYER_TEST(threads_lose_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

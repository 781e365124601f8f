/* debug: each kind of misuse is found, once, and nothing else.
 *
 * labels: threads */
#include "allocators/debug.h"
#include "tests/unit/layer_open.h"

#include <stdio.h>
#include <unistd.h>

static void assert_counts(const struct layer *layer, unsigned over, unsigned under, unsigned after,
                          unsigned twice, unsigned foreign) {
    const unsigned expected[] = {over, under, after, twice, foreign};
    for (unsigned kind = 0; kind < HM_DEBUG_KINDS; kind++)
        assert_int_equal(hm_debug_count(layer->memory.heap, kind), expected[kind]);
}

/* The report as one text; the caller frees it. */
static char *report_of(const struct layer *layer) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    hm_debug_report(layer->memory.heap, out);
    fclose(out);
    return text;
}

static void assert_reported(const struct layer *layer, const char *words) {
    char *text = report_of(layer);
    if (!strstr(text, words))
        fail_msg("no '%s' in: %s", words, text);
    free(text);
}

/* At close, the findings that a test made go to stderr: not into its output. */
static void close_quietly(struct layer *layer) {
    int kept = dup(STDERR_FILENO);
    assert_non_null(freopen("/dev/null", "w", stderr));
    layer_close(layer);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void memory_is_filled_and_kept_apart(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug:guard=20", 1, &inner);
    unsigned char *block = hm_malloc(&layer.memory, 40);
    assert_int_equal((uintptr_t)block % 16, 0);
    assert_int_equal(hm_usable_size(&layer.memory, block), 40);
    for (int i = -32; i < 60; i++)
        assert_int_equal(block[i], i < 0 || i >= 40 ? 0xfd : 0xcd);
    unsigned char *clean = hm_calloc(&layer.memory, 10, 4);
    for (int i = 0; i < 40; i++)
        assert_int_equal(clean[i], 0);
    hm_free(&layer.memory, clean);
    hm_free(&layer.memory, block);
    for (int i = 0; i < 40; i++)
        assert_int_equal(block[i], 0xdd);
    assert_counts(&layer, 0, 0, 0, 0, 0);
    assert_int_equal(layer_stats(&layer).live_blocks, 0);
    layer_close(&layer);
}

static void writes_past_either_end_are_found_when_the_block_is_freed(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    char *block = hm_malloc(&layer.memory, 33);
    block[33] = 0;
    hm_free(&layer.memory, block);
    assert_counts(&layer, 1, 0, 0, 0, 0);
    assert_reported(&layer, "overflow: block");
    assert_reported(&layer, ", byte 33 of 33, allocated at ");
    assert_reported(&layer, "layers_debug_test+0x");
    block = hm_malloc(&layer.memory, 8);
    block[-3] = 1;
    hm_free(&layer.memory, block);
    assert_counts(&layer, 1, 1, 0, 0, 0);
    assert_reported(&layer, "underflow: block");
    assert_reported(&layer, ", byte -3 of 8");
    close_quietly(&layer);
}

static void damage_of_live_blocks_is_found_on_demand_and_counted_once(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    char *block = hm_malloc(&layer.memory, 8);
    assert_int_equal(hm_debug_check(layer.memory.heap), 0);
    block[8] = block[-1] = 7;
    assert_int_equal(hm_debug_check(layer.memory.heap), 2);
    assert_int_equal(hm_debug_check(layer.memory.heap), 2);
    hm_free(&layer.memory, block);
    assert_counts(&layer, 1, 1, 0, 0, 0);
    close_quietly(&layer);
}

static void writes_to_a_freed_block_are_found_when_it_leaves_the_quarantine(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug:quarantine=2", 1, &inner);
    char *block = hm_malloc(&layer.memory, 50);
    hm_free(&layer.memory, block);
    block[17] = 1;
    uint64_t live = counted.live_blocks;
    hm_free(&layer.memory, hm_malloc(&layer.memory, 1));
    assert_counts(&layer, 0, 0, 0, 0, 0);
    assert_int_equal(counted.live_blocks, live + 1);
    hm_free(&layer.memory, hm_malloc(&layer.memory, 1));
    assert_counts(&layer, 0, 0, 1, 0, 0);
    assert_int_equal(counted.live_blocks, live + 1);
    assert_reported(&layer, "use after free: block");
    assert_reported(&layer, ", byte 17 of 50");
    assert_reported(&layer, ", freed at ");
    close_quietly(&layer);
}

static void bad_frees_are_refused(void **state) {
    struct layer layer;
    int strange = 5;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    char *block = hm_malloc(&layer.memory, 50);
    char *other = hm_malloc(&layer.memory, 50);
    hm_free(&layer.memory, &strange);
    hm_free(&layer.memory, other + 16);
    assert_counts(&layer, 0, 0, 0, 0, 2);
    hm_free(&layer.memory, block);
    hm_free(&layer.memory, block);
    assert_null(hm_realloc(&layer.memory, block, 10));
    assert_int_equal(errno, EINVAL);
    assert_counts(&layer, 0, 0, 0, 2, 2);
    assert_int_equal(layer_stats(&layer).bad_frees, 4);
    assert_int_equal(layer_stats(&layer).live_blocks, 1);
    assert_reported(&layer, "double free: block");
    assert_reported(&layer, "foreign free: block");
    assert_int_equal(strange, 5);
    close_quietly(&layer);
}

static void a_resized_block_leaves_a_freed_one_behind(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    char *old = hm_malloc(&layer.memory, 4);
    memcpy(old, "abc", 4);
    char *block = hm_realloc(&layer.memory, old, 100);
    assert_ptr_not_equal(block, old);
    assert_string_equal(block, "abc");
    assert_int_equal((unsigned char)block[50], 0xcd);
    *old = 1;
    assert_int_equal(hm_debug_check(layer.memory.heap), 1);
    assert_counts(&layer, 0, 0, 1, 0, 0);
    hm_free(&layer.memory, block);
    close_quietly(&layer);
}

static void debug_gives_back_what_it_took_when_memory_runs_out(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    char *block = hm_malloc(&layer.memory, 9);
    memcpy(block, "still it", 9);
    count_fail(1, 3);
    assert_null(hm_malloc(&layer.memory, 9));
    assert_null(hm_realloc(&layer.memory, block, 90));
    assert_null(hm_calloc(&layer.memory, 9, 9));
    assert_string_equal(block, "still it");
    assert_int_equal(layer_stats(&layer).live_blocks, 1);
    hm_free(&layer.memory, block);
    assert_counts(&layer, 0, 0, 0, 0, 0);
    layer_close(&layer);
}

static void a_report_has_twenty_findings_and_counts_the_others(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug", 1, &inner);
    for (int i = 0; i < 25; i++)
        hm_free(&layer.memory, &layer);
    char *text = report_of(&layer);
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 21);
    assert_non_null(strstr(text, "and 5 more"));
    free(text);
    close_quietly(&layer);
}

static void without_a_quarantine_blocks_go_back_at_once(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug:quarantine=0:guard=0:fill=off", 1, &inner);
    void *block = hm_malloc(&layer.memory, 24);
    assert_int_equal(counted.live_bytes, 24);
    hm_free(&layer.memory, block);
    assert_int_equal(counted.live_blocks, 0);
    hm_free(&layer.memory, block);
    assert_counts(&layer, 0, 0, 0, 0, 1);
    close_quietly(&layer);
}

static void *use_and_free(void *arg) {
    struct layer *layer = arg;
    void *blocks[16] = {NULL};
    layer->spec.parts[0]->enter(layer->memory.heap);
    for (int i = 0; i < CALLS; i++) {
        hm_free(&layer->memory, blocks[i % 16]);
        blocks[i % 16] = hm_malloc(&layer->memory, (size_t)i % 100);
        blocks[i % 16] = hm_realloc(&layer->memory, blocks[i % 16], 50);
    }
    for (int i = 0; i < 16; i++)
        hm_free(&layer->memory, blocks[i]);
    return NULL;
}

static void threads_that_do_nothing_wrong_are_not_found(void **state) {
    struct layer layer;
    (void)state;
    layer_open(&layer, "debug:quarantine=50", THREADS, &inner);
    run_threads(use_and_free, &layer);
    assert_int_equal(hm_debug_check(layer.memory.heap), 0);
    assert_int_equal(layer_stats(&layer).live_blocks, 0);
    layer_close(&layer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LAYER_TEST(memory_is_filled_and_kept_apart),
        LAYER_TEST(writes_past_either_end_are_found_when_the_block_is_freed),
        LAYER_TEST(damage_of_live_blocks_is_found_on_demand_and_counted_once),
        LAYER_TEST(writes_to_a_freed_block_are_found_when_it_leaves_the_quarantine),
        LAYER_TEST(bad_frees_are_refused),
        LAYER_TEST(a_resized_block_leaves_a_freed_one_behind),
        LAYER_TEST(debug_gives_back_what_it_took_when_memory_runs_out),
        LAYER_TEST(a_report_has_twenty_findings_and_counts_the_others),
        LAYER_TEST(without_a_quarantine_blocks_go_back_at_once),
        LAYER_TEST(threads_that_do_nothing_wrong_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

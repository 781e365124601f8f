/* For tests of layers: opens one part of a spec on any inner heap, and checks that all that it took
 * there came back. */
#ifndef HM_TESTS_UNIT_LAYER_OPEN_H
#define HM_TESTS_UNIT_LAYER_OPEN_H

#include "harness/plan/spec.h"
#include "tests/unit/counting_heap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    THREADS = 4,
    CALLS = 3000, /* of each thread */
};

struct layer {
    struct hm_allocator_spec spec; /* its texts are the layer's until it closes */
    struct hm_memory memory;
};

/** Open the first part of a text like "debug:guard=32". */
static inline void layer_open(struct layer *layer, const char *text, unsigned threads,
                              const struct hm_memory *inner) {
    struct hm_error error = {""};
    if (hm_allocator_spec_parse(text, &layer->spec, &error))
        fail_msg("%s", error.line);
    const struct hm_heap_options options = {
        .params = layer->spec.params[0].values, .threads = threads, .inner = inner};
    assert_int_equal(layer->spec.parts[0]->open(&layer->memory, &options), 0);
}

static inline void layer_close(struct layer *layer) {
    layer->spec.parts[0]->close(layer->memory.heap);
}

static inline struct hm_heap_stats layer_stats(const struct layer *layer) {
    struct hm_heap_stats stats;
    layer->spec.parts[0]->stats(layer->memory.heap, &stats);
    return stats;
}

static struct hm_memory inner;

static inline int set_up(void **state) {
    (void)state;
    inner = counted_memory(HM_SHAPE_HEAP);
    count_clear();
    return 0;
}

/* Whatever a test did, its layer has given all blocks back. */
static inline int tear_down(void **state) {
    (void)state;
    return counted.live_blocks != 0;
}

/* The same on several threads at once; each answers NULL when all went well. */
static inline void run_threads(void *(*body)(void *), void *arg) {
    pthread_t threads[THREADS];
    void *result;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, arg), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

#define LAYER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif

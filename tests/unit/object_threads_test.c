/* Object workloads whose threads share nothing but the collector: the same work in every way that threads
 * can have one, and all objects freed in the end, but for cycles where nobody looks for them.
 *
 * labels: threads */
#include "tests/unit/object_world.h"

enum {
    THREADS = 3,
};

/* What pure counting leaves of a cycle is no leak of ours; the test itself counts what is freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

struct setting {
    const char *name;
    int64_t number;
};

static const struct example {
    const char *workload;
    struct setting settings[4];
    uint64_t piece;
    bool cyclic; /* some of the garbage */
} examples[] = {
    {"mtgcbench", {{"stretch", 5}, {"long", 4}, {"min", 1}, {"max", 4}}, .piece = 1},
    {"quads", {{"depth", 3}}, .piece = 3},
    {"splay", {{"keys", 40}, {"depth", 1}}, .piece = 1},
    {"window", {{"window", 100}, {"size", 0}}, .piece = 300},
    {"lru", {{"capacity", 50}, {"keys", 200}, {"value", 0}}, .piece = 500},
    {"dom", {{"fanout", 3}, {"depth", 4}}, .piece = 40, .cyclic = true},
    {"dom", {{"fanout", 3}, {"depth", 4}, {"parent", 1}}, .piece = 40},
    {"cyclic", {{"length", 10}, {"live", 100}}, .piece = 60, .cyclic = true},
    {"queue", {{"length", 20}, {"payload", 0}}, .piece = 200, .cyclic = true},
    {"fastcycles", {{"old", 30}, {"lists", 4}}, .piece = 6, .cyclic = true},
};
enum {
    EXAMPLES = sizeof examples / sizeof *examples,
};

static void set_values(struct world *w, const struct example *example) {
    const struct hm_param *params = w->workload->params;
    for (size_t i = 0; i < 4 && example->settings[i].name; i++) {
        size_t at = 0;
        while (params[at].name && strcmp(params[at].name, example->settings[i].name) != 0)
            at++;
        assert_non_null(params[at].name);
        w->values[at].number = example->settings[i].number;
    }
    w->piece = example->piece;
}

/* @return the digest of the checksums */
static uint64_t run_way(const struct example *example, const struct way *way) {
    struct world world;
    open_world(&world, example->workload, way->collector, way->threading, THREADS);
    set_values(&world, example);
    uint64_t checksum = run_world(&world);
    uint64_t unfreed = close_world(&world);
    if (!example->cyclic || strncmp(way->collector, "refcount", 8) != 0)
        assert_int_equal(unfreed, 0);
    return checksum;
}

static void test_the_work_is_the_same_in_every_way(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        uint64_t expected = run_way(&examples[i], &ways[0]);
        assert_int_not_equal(expected, 0);
        for (size_t j = 1; j < WAYS; j++)
            assert_int_equal(run_way(&examples[i], &ways[j]), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_work_is_the_same_in_every_way),
    };
    return cmocka_run_group_tests_name("object_threads", tests, NULL, NULL);
}

/* Warm-up labels: change points against all ways to cut a series, labels of series that were made for them, and how
 * often noise gets one that it should not have. */
#include "harness/stats/warmup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    LONGEST = 300,
};

static double sorted[LONGEST];
static struct hm_warmup_step steps[LONGEST + 1];
static struct hm_segment segments[LONGEST / HM_SEGMENT_LEAST + 1];
static const struct hm_warmup_room room = {sorted, steps, segments};

static uint64_t draw_state;

/* splitmix64 (Vigna) */
static double uniform(void) {
    uint64_t z = draw_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double normal(void) {
    return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

/* ---- The model ---- */

/* Of one segment, straight from the definition. */
static double model_cost(const double *x, size_t n, double median) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    double used = fmax(variance, 1e-6 * median * median);
    return (double)n * (log(used) + variance / used);
}

struct model {
    const double *x;
    size_t n;
    double median, penalty;
    size_t cuts[LONGEST], count; /* of the way that is being tried */
    double least;
    size_t best[LONGEST], best_count;
};

/* Every way to cut the rest. */
static void try_ways(struct model *m, size_t from, double cost) {
    double whole = cost + model_cost(m->x + from, m->n - from, m->median);
    if (m->n - from >= HM_SEGMENT_LEAST && whole < m->least) {
        m->least = whole;
        m->best_count = m->count;
        for (size_t i = 0; i < m->count; i++)
            m->best[i] = m->cuts[i];
    }
    for (size_t to = from + HM_SEGMENT_LEAST; to + HM_SEGMENT_LEAST <= m->n; to++) {
        m->cuts[m->count++] = to;
        try_ways(m, to, cost + model_cost(m->x + from, to - from, m->median) + m->penalty);
        m->count--;
    }
}

static double median_of(const double *x, size_t n) {
    double copy[LONGEST] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at && copy[at - 1] > x[i]; at--)
            copy[at] = copy[at - 1];
        copy[at] = x[i];
    }
    return 0.5 * (copy[(n - 1) / 2] + copy[n / 2]);
}

static void test_segments_are_the_cheapest_of_all_ways_to_cut(void **state) {
    (void)state;
    draw_state = 1;
    unsigned cut = 0;
    for (int k = 0; k < 60; k++) {
        double x[32];
        const size_t n = 25 + (size_t)(uniform() * 7);
        double level = 100;
        for (size_t i = 0; i < n; i++) {
            if (uniform() < 0.1)
                level = 90 + 30 * uniform();
            x[i] = level + (k % 3 ? 0.05 : 0.5) * normal();
        }
        struct model m = {.x = x, .n = n, .median = median_of(x, n), .least = INFINITY};
        m.penalty = 15 * log((double)n);
        struct hm_warmup w = hm_warmup_of(x, n, &room);
        if (w.outliers)
            continue;
        try_ways(&m, 0, 0);
        assert_int_equal(w.segments, m.best_count + 1);
        for (size_t i = 0; i < m.best_count; i++)
            assert_int_equal(segments[i + 1].first, m.best[i]);
        cut += m.best_count > 0;
    }
    assert_true(cut > 20);
}

/* ---- Labels ---- */

/* Levels of 1000 iterations a level, and 1 % of noise. */
static struct hm_warmup label(const double *levels, size_t count, size_t n, double noise) {
    double x[LONGEST];
    for (size_t i = 0; i < n; i++)
        x[i] = levels[i * count / n] * (1 + noise * normal());
    return hm_warmup_of(x, n, &room);
}

#define LABEL(noise, ...)                                                                          \
    label((const double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double), 200,    \
          noise)

static void test_labels_of_series_with_known_levels(void **state) {
    (void)state;
    draw_state = 2;
    assert_int_equal(LABEL(0.01, 7).label, HM_WARMUP_FLAT);
    struct hm_warmup w = LABEL(0.01, 14, 7, 7, 7, 7);
    assert_int_equal(w.label, HM_WARMUP_WARM_UP);
    assert_int_equal(w.steady_from, 40);
    assert_int_equal(w.segments, 2);
    assert_true(fabs(w.steady_mean - 7) < 0.02);
    assert_int_equal(LABEL(0.01, 9, 8, 7, 7, 7).label, HM_WARMUP_WARM_UP);
    assert_int_equal(LABEL(0.01, 7, 7, 8, 8, 8).label, HM_WARMUP_SLOW_DOWN);
    assert_int_equal(LABEL(0.01, 9, 6, 7, 7, 7).label, HM_WARMUP_SLOW_DOWN);
    w = LABEL(0.01, 7, 7, 7, 7, 9);
    assert_int_equal(w.label, HM_WARMUP_UNSTEADY);
    assert_true(isnan(w.steady_mean));
    assert_int_equal(LABEL(0.01, 7, 9, 7, 9, 7, 9, 7, 9).label, HM_WARMUP_UNSTEADY);
    /* An excursion that comes back is neither faster nor the end. */
    w = LABEL(0.01, 7, 9, 7, 7, 7);
    assert_int_equal(w.label, HM_WARMUP_WARM_UP);
    assert_int_equal(w.steady_from, 80);
}

static void test_a_change_that_is_not_worth_a_word_is_flat(void **state) {
    (void)state;
    draw_state = 3;
    struct hm_warmup w = LABEL(0.001, 7.1, 7.1, 7, 7);
    assert_int_equal(w.segments, 2);
    assert_int_equal(w.label, HM_WARMUP_FLAT);
    assert_int_equal(w.steady_from, 0);
    /* Nor one in variance alone. */
    double x[LONGEST];
    for (size_t i = 0; i < 200; i++)
        x[i] = 7 * (1 + (i < 100 ? 0.001 : 0.02) * normal());
    w = hm_warmup_of(x, 200, &room);
    assert_int_equal(w.segments, 2);
    assert_int_equal(w.label, HM_WARMUP_FLAT);
}

static void test_outliers_change_no_label_and_are_counted(void **state) {
    (void)state;
    draw_state = 4;
    double x[LONGEST];
    for (size_t i = 0; i < 200; i++)
        x[i] = i % 40 == 7 ? 7.9 : 7 * (1 + 0.01 * normal());
    struct hm_warmup w = hm_warmup_of(x, 200, &room);
    assert_int_equal(w.outliers, 5);
    assert_int_equal(w.label, HM_WARMUP_FLAT);
    assert_int_equal(w.segments, 1);
    assert_true(fabs(w.steady_mean - 7) < 0.02);
}

static void test_equal_times_are_flat_and_few_have_no_label(void **state) {
    (void)state;
    double x[LONGEST];
    for (size_t i = 0; i < LONGEST; i++)
        x[i] = 3;
    assert_int_equal(hm_warmup_of(x, LONGEST, &room).label, HM_WARMUP_FLAT);
    assert_int_equal(hm_warmup_of(x, LONGEST, &room).segments, 1);
    assert_int_equal(hm_warmup_of(x, HM_ITERATIONS_LEAST - 1, &room).label, HM_WARMUP_UNKNOWN);
    assert_int_equal(hm_warmup_of(x, 0, &room).label, HM_WARMUP_UNKNOWN);
    assert_string_equal(hm_warmup_name(HM_WARMUP_UNSTEADY), "no steady state");
}

/* ---- Error rates ---- */

static double even(size_t i) {
    (void)i;
    return 1 + 0.03 * normal();
}

/* Never faster than 1, with a long tail. */
static double skewed(size_t i) {
    (void)i;
    return 1 - 0.03 * log(uniform());
}

/* Every fifth iteration collects. */
static double collecting(size_t i) {
    return (i % 5 ? 1 : 1.5) + 0.02 * normal();
}

static void test_noise_without_a_change_is_flat(void **state) {
    (void)state;
    static double (*const kinds[])(size_t) = {even, skewed, collecting};
    draw_state = 5;
    for (size_t kind = 0; kind < 3; kind++) {
        unsigned odd = 0;
        for (int k = 0; k < 200; k++) {
            double x[LONGEST];
            for (size_t i = 0; i < 200; i++)
                x[i] = kinds[kind](i);
            odd += hm_warmup_of(x, 200, &room).label != HM_WARMUP_FLAT;
        }
        print_message("kind %zu: %u of 200 are not flat\n", kind, odd);
        assert_true(odd <= 2);
    }
}

static void test_a_tenth_of_slower_iterations_at_the_begin_is_found(void **state) {
    (void)state;
    draw_state = 6;
    unsigned found = 0;
    for (int k = 0; k < 200; k++) {
        double x[LONGEST];
        for (size_t i = 0; i < 200; i++)
            x[i] = (i < 20 ? 1.2 : 1) * even(i);
        found += hm_warmup_of(x, 200, &room).label == HM_WARMUP_WARM_UP;
    }
    print_message("%u of 200 are found\n", found);
    assert_true(found >= 195);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_are_the_cheapest_of_all_ways_to_cut),
        cmocka_unit_test(test_labels_of_series_with_known_levels),
        cmocka_unit_test(test_a_change_that_is_not_worth_a_word_is_flat),
        cmocka_unit_test(test_outliers_change_no_label_and_are_counted),
        cmocka_unit_test(test_equal_times_are_flat_and_few_have_no_label),
        cmocka_unit_test(test_noise_without_a_change_is_flat),
        cmocka_unit_test(test_a_tenth_of_slower_iterations_at_the_begin_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

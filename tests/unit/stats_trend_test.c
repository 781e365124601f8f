/* Trends: the slope against all pairs, labels of series that were made for them, and how often bounded series are
 * called growing. */
#include "harness/stats/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    POINTS = 101,
};

static double x[POINTS], y[POINTS];
static double room[POINTS * POINTS];

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

typedef double point_fn(double at); /* at: 0 to 1 along the work */

static struct hm_trend trend(point_fn *point) {
    for (size_t i = 0; i < POINTS; i++) {
        x[i] = 50.0 * (double)i;
        y[i] = point((double)i / (POINTS - 1));
    }
    assert_true(hm_trend_room(POINTS) <= sizeof room / sizeof *room);
    return hm_trend_of(x, y, POINTS, 0, room);
}

/* ---- The slope ---- */

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double wild(double at) {
    return uniform() < 0.2 ? 1e4 * uniform() : 100 + 500 * at + normal();
}

/* Twice each pair, forwards and backwards: the median is the same. */
static void test_slope_is_the_median_over_all_pairs_of_the_second_half(void **state) {
    (void)state;
    static double slopes[POINTS * POINTS];
    draw_state = 1;
    for (int k = 0; k < 20; k++) {
        struct hm_trend t = trend(wild);
        size_t count = 0;
        for (size_t i = POINTS / 2; i < POINTS; i++)
            for (size_t j = POINTS / 2; j < POINTS; j++)
                if (i != j)
                    slopes[count++] = (y[i] - y[j]) / (x[i] - x[j]);
        qsort(slopes, count, sizeof *slopes, by_value);
        double median = 0.5 * (slopes[(count - 1) / 2] + slopes[count / 2]);
        assert_true(fabs(t.slope - median) < 1e-9);
    }
}

/* ---- Labels ---- */

static double none(double at) {
    (void)at;
    return 0;
}

static double rising(double at) {
    return 1000 * at;
}

static double rising_roughly(double at) {
    return 5000 + 1000 * at + 20 * normal();
}

static double sinking(double at) {
    return 5000 - 1000 * at + 20 * normal();
}

static double level(double at) {
    (void)at;
    return 1000 + 50 * normal();
}

/* Up at first, as a heap fills, and level then. */
static double filling(double at) {
    return (at < 0.3 ? 1000 * at / 0.3 : 1000) + 10 * normal();
}

static double tooth_period, tooth_phase;

static double saw_tooth(double at) {
    return 1000 * fmod(at + tooth_phase, tooth_period) / tooth_period;
}

static void test_labels_of_series_with_known_trends(void **state) {
    (void)state;
    draw_state = 2;
    assert_int_equal(trend(none).label, HM_TREND_STABLE);
    assert_true(trend(none).slope == 0);
    assert_int_equal(trend(rising).label, HM_TREND_GROWING);
    assert_true(fabs(trend(rising).slope - 1000.0 / 5000) < 1e-9);
    assert_int_equal(trend(rising_roughly).label, HM_TREND_GROWING);
    assert_int_equal(trend(sinking).label, HM_TREND_FALLING);
    assert_int_equal(trend(level).label, HM_TREND_STABLE);
    assert_int_equal(trend(filling).label, HM_TREND_STABLE);
    tooth_phase = 0;
    tooth_period = 0.08;
    assert_int_equal(trend(saw_tooth).label, HM_TREND_STABLE);
    /* One tooth: cut in the first half it has not come as far again; in the second half it is beyond what was there. */
    tooth_phase = 0.7;
    tooth_period = 1;
    assert_int_equal(trend(saw_tooth).label, HM_TREND_STABLE);
    tooth_phase = 0.2;
    assert_int_equal(trend(saw_tooth).label, HM_TREND_UNKNOWN);
}

static void test_few_points_have_no_trend(void **state) {
    (void)state;
    trend(rising);
    struct hm_trend t = hm_trend_of(x, y, HM_TREND_LEAST - 1, 0, room);
    assert_int_equal(t.label, HM_TREND_UNKNOWN);
    assert_true(isnan(t.slope));
    assert_int_equal(hm_trend_of(x, y, 0, 0, room).label, HM_TREND_UNKNOWN);
    assert_string_equal(hm_trend_name(HM_TREND_UNKNOWN), "not known");
    assert_string_equal(hm_trend_name(HM_TREND_FALLING), "falling");
}

/* What is small beside all that lives is stable, though its slope is not nothing. */
static void test_a_change_is_measured_by_what_there_is(void **state) {
    (void)state;
    tooth_phase = 0.2;
    tooth_period = 1;
    trend(saw_tooth);
    assert_int_equal(hm_trend_of(x, y, POINTS, 1e5, room).label, HM_TREND_STABLE);
}

/* ---- Error rates ---- */

static double last_residual;

static double dependent(double at) {
    last_residual = at > 0 ? 0.8 * last_residual + normal() : normal();
    return 1000 + 50 * last_residual;
}

static double any_tooth(double at) {
    if (!(at > 0)) {
        tooth_period = 0.03 + 0.42 * uniform();
        tooth_phase = uniform();
    }
    return saw_tooth(at) + 20 * normal();
}

static void test_bounded_series_are_seldom_called_growing_or_falling(void **state) {
    (void)state;
    static const struct {
        const char *name;
        point_fn *point;
    } kinds[] = {{"even noise", level}, {"dependent noise", dependent}, {"saw teeth", any_tooth}};
    draw_state = 3;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned wrong = 0, stable = 0;
        for (int i = 0; i < 1000; i++) {
            enum hm_trend_label label = trend(kinds[k].point).label;
            wrong += label == HM_TREND_GROWING || label == HM_TREND_FALLING;
            stable += label == HM_TREND_STABLE;
        }
        print_message("%s: %u of 1000 wrong, %u stable\n", kinds[k].name, wrong, stable);
        assert_true(wrong <= 10);
        assert_true(stable >= 600);
    }
}

static double leaking(double at) {
    return 1000 + 200 * at + 30 * normal();
}

static void test_growth_beyond_the_noise_is_found(void **state) {
    (void)state;
    unsigned found = 0;
    draw_state = 4;
    for (int i = 0; i < 500; i++)
        found += trend(leaking).label == HM_TREND_GROWING;
    print_message("%u of 500 found\n", found);
    assert_true(found >= 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slope_is_the_median_over_all_pairs_of_the_second_half),
        cmocka_unit_test(test_labels_of_series_with_known_trends),
        cmocka_unit_test(test_few_points_have_no_trend),
        cmocka_unit_test(test_a_change_is_measured_by_what_there_is),
        cmocka_unit_test(test_bounded_series_are_seldom_called_growing_or_falling),
        cmocka_unit_test(test_growth_beyond_the_noise_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

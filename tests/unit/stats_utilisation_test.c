/* Minimum and bounded mutator utilisation, against every window that begins at a whole number. */
#include "harness/stats/utilisation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SPAN = 200,
};

/* With whole numbers for all pauses and windows, a worst window begins at a whole number. */
static double naive_mmu(const bool *paused, int window) {
    int worst = 0;
    for (int from = 0; from + window <= SPAN; from++) {
        int sum = 0;
        for (int t = from; t < from + window; t++)
            sum += paused[t];
        worst = sum > worst ? sum : worst;
    }
    return 1 - (double)worst / window;
}

static size_t draw_pauses(double *begins, double *ends, bool *paused, int density) {
    size_t count = 0;
    for (int t = 0; t < SPAN; t++)
        paused[t] = false;
    for (int t = rand() % 20; t < SPAN; t += 1 + rand() % density) {
        int end = t + 1 + rand() % 12;
        end = end > SPAN ? SPAN : end;
        begins[count] = t;
        ends[count++] = end;
        for (; t < end; t++)
            paused[t] = true;
    }
    return count;
}

static void test_every_window_of_random_pauses_agrees_with_a_count(void **state) {
    (void)state;
    double begins[SPAN], ends[SPAN];
    bool paused[SPAN];
    srand(7);
    for (int i = 0; i < 300; i++) {
        struct hm_pause_span span = {.begins = begins, .ends = ends, .to = SPAN};
        span.count = draw_pauses(begins, ends, paused, 1 + i % 60);
        for (int window = 1; window <= SPAN; window++)
            assert_true(fabs(hm_mmu(&span, window) - naive_mmu(paused, window)) < 1e-9);
    }
}

static void test_bounded_utilisation_is_the_least_of_all_longer_windows(void **state) {
    (void)state;
    double begins[SPAN], ends[SPAN];
    bool paused[SPAN];
    struct hm_pause_corner room[SPAN];
    srand(11);
    for (int i = 0; i < 300; i++) {
        struct hm_pause_span span = {.begins = begins, .ends = ends, .to = SPAN};
        double least = 1;
        span.count = draw_pauses(begins, ends, paused, 1 + i % 60);
        for (int window = SPAN; window >= 1; window--) {
            least = fmin(least, naive_mmu(paused, window));
            assert_true(fabs(hm_bmu(&span, window, room) - least) < 1e-9);
        }
    }
}

/* Two pauses of 1 at a distance of 8: a window of 10 has both, one of 5 has one. */
static void test_where_a_longer_window_is_worse_bounded_utilisation_says_so(void **state) {
    (void)state;
    const double begins[] = {10, 19}, ends[] = {11, 20};
    const struct hm_pause_span span = {.begins = begins, .ends = ends, .count = 2, .to = 30};
    struct hm_pause_corner room[2];
    assert_true(fabs(hm_mmu(&span, 8) - (1 - 1.0 / 8)) < 1e-12);
    assert_true(fabs(hm_mmu(&span, 10) - (1 - 2.0 / 10)) < 1e-12);
    assert_true(fabs(hm_bmu(&span, 8, room) - (1 - 2.0 / 10)) < 1e-12);
    assert_true(fabs(hm_bmu(&span, 30, room) - (1 - 2.0 / 30)) < 1e-12);
    assert_true(isnan(hm_bmu(&span, 31, room)));
}

static void test_without_a_pause_all_time_is_the_mutators(void **state) {
    (void)state;
    const struct hm_pause_span span = {.to = 10};
    assert_true(hm_mmu(&span, 3) == 1);
    assert_true(hm_mmu(&span, 10) == 1);
    assert_true(hm_bmu(&span, 3, NULL) == 1);
}

static void test_a_window_that_does_not_fit_has_no_utilisation(void **state) {
    (void)state;
    const struct hm_pause_span span = {.from = 5, .to = 10};
    assert_true(isnan(hm_mmu(&span, 5.1)));
    assert_true(isnan(hm_mmu(&span, 0)));
    assert_true(isnan(hm_mmu(&span, NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_window_of_random_pauses_agrees_with_a_count),
        cmocka_unit_test(test_bounded_utilisation_is_the_least_of_all_longer_windows),
        cmocka_unit_test(test_where_a_longer_window_is_worse_bounded_utilisation_says_so),
        cmocka_unit_test(test_without_a_pause_all_time_is_the_mutators),
        cmocka_unit_test(test_a_window_that_does_not_fit_has_no_utilisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Trimmed means and their tests, against a naive model and cases that can be told by hand.
 * labels: unit */
#include "harness/stats/trimmed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    MOST = 64,
};

static struct hm_trimmed of(const double *values, size_t n, double share) {
    double scratch[MOST];
    return hm_trimmed_of(values, n, share, scratch);
}

static void expect_near(double value, double expected, double error) {
    if (!(fabs(value - expected) <= error))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* ---- the model: values are looked for one by one, the least first ---- */

static size_t rank_of(const double *values, size_t n, size_t i) {
    size_t rank = 0;
    for (size_t k = 0; k < n; k++)
        rank += values[k] < values[i] || (k < i && values[k] == values[i]);
    return rank;
}

static double ranked(const double *values, size_t n, size_t rank) {
    size_t i = 0;
    while (rank_of(values, n, i) != rank)
        i++;
    return values[i];
}

static void expect_as_model(const double *values, size_t n, double share) {
    size_t cut = (size_t)floor(share * (double)n);
    double kept = (double)(n - 2 * cut), mean = 0, centre = 0, squares = 0;
    for (size_t rank = 0; rank < n; rank++) {
        size_t near = rank < cut ? cut : rank > n - 1 - cut ? n - 1 - cut : rank;
        mean += near == rank ? ranked(values, n, rank) / kept : 0;
        centre += ranked(values, n, near) / (double)n;
    }
    for (size_t rank = 0; rank < n; rank++) {
        size_t near = rank < cut ? cut : rank > n - 1 - cut ? n - 1 - cut : rank;
        squares += pow(ranked(values, n, near) - centre, 2);
    }
    struct hm_trimmed t = of(values, n, share);
    assert_int_equal(t.kept, (size_t)kept);
    expect_near(t.mean, mean, 1e-12);
    expect_near(t.variance, squares / (kept * (kept - 1)), 1e-12);
}

static void trimmed_means_are_those_of_the_model(void **state) {
    (void)state;
    double values[40];
    uint64_t draw = 7;
    for (size_t n = 2; n <= 40; n++) {
        for (size_t i = 0; i < n; i++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            values[i] = (double)(draw >> 60); /* with ties */
        }
        expect_as_model(values, n, 0);
        expect_as_model(values, n, hm_trim_share(n));
        if (n >= 10)
            expect_as_model(values, n, 0.4);
    }
}

/* ---- by hand ---- */

static void few_values_are_not_trimmed(void **state) {
    (void)state;
    assert_true(hm_trim_share(0) == 0);
    assert_true(hm_trim_share(11) == 0);
    assert_true(hm_trim_share(12) > 0);
    const double twelve[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    assert_int_equal(of(twelve, 12, hm_trim_share(12)).kept, 8);
    assert_int_equal(of(twelve, 11, hm_trim_share(11)).kept, 11);
}

/* 1, 2, 3: mean 2, variance 1, of the mean 1/3; beyond 2 - sqrt(1/3) t is 1, and with 2 degrees of freedom
 * the upper tail at 1 is (1 - 1 / sqrt(3)) / 2. */
static void p_is_students_where_nothing_is_trimmed(void **state) {
    (void)state;
    const double values[] = {1, 2, NAN, 3, INFINITY};
    struct hm_trimmed t = of(values, 5, 0);
    assert_int_equal(t.n, 3);
    expect_near(t.mean, 2, 1e-15);
    expect_near(t.variance, 1.0 / 3, 1e-15);
    expect_near(hm_trimmed_p(&t, 2 - sqrt(1.0 / 3), 1), 1 - 1 / sqrt(3), 1e-12);
    expect_near(hm_trimmed_p(&t, 2, 1), 1, 1e-15);
    expect_near(hm_trimmed_p(&t, 9, 1), 1, 1e-15);
    const double opposite[] = {-1, -2, -3};
    struct hm_trimmed negative = of(opposite, 3, 0);
    assert_true(hm_trimmed_p(&negative, 1, 1) == hm_trimmed_p(&t, 1, 1));
    assert_true(hm_trimmed_p(&t, 1, 4) < hm_trimmed_p(&t, 1, 1));
}

static void a_wild_value_changes_nothing_when_it_is_trimmed(void **state) {
    (void)state;
    double values[12] = {5.1, 5.2, 4.9, 5.0, 5.3, 4.8, 5.1, 5.0, 4.9, 5.2, 5.0, 5.5};
    struct hm_trimmed tame = of(values, 12, 0.2);
    double p = hm_trimmed_p(&tame, 4.9, 1);
    values[11] = 5000;
    struct hm_trimmed wild = of(values, 12, 0.2);
    assert_true(hm_trimmed_p(&wild, 4.9, 1) == p);
    struct hm_trimmed untrimmed = of(values, 12, 0);
    assert_true(hm_trimmed_p(&untrimmed, 4.9, 1) > 0.3);
    assert_true(p < 0.05);
}

static void what_cannot_be_told_is_not(void **state) {
    (void)state;
    const double one[] = {1, NAN}, two[] = {1, 2}, constant[] = {7, 7}, other[] = {8, 8};
    struct hm_trimmed single = of(one, 2, 0), pair = of(two, 2, 0);
    struct hm_trimmed sevens = of(constant, 2, 0), eights = of(other, 2, 0);
    assert_true(isnan(hm_trimmed_p(&single, 0, 1)));
    assert_true(isnan(hm_trimmed_difference_p(&single, &pair, 0, 1)));
    assert_true(isnan(hm_trimmed_difference_p(&pair, &single, 0, 1)));
    assert_true(hm_trimmed_p(&sevens, 6.9, 1) == 0);
    assert_true(hm_trimmed_p(&sevens, 7, 1) == 1);
    assert_true(hm_trimmed_difference_p(&sevens, &eights, 0.5, 1) == 0);
    assert_true(hm_trimmed_difference_p(&sevens, &sevens, 0, 1) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trimmed_means_are_those_of_the_model),
        cmocka_unit_test(few_values_are_not_trimmed),
        cmocka_unit_test(p_is_students_where_nothing_is_trimmed),
        cmocka_unit_test(a_wild_value_changes_nothing_when_it_is_trimmed),
        cmocka_unit_test(what_cannot_be_told_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How often the 95 % intervals have the true ratio in them, on skewed data: by simulation, with a fixed seed.
 *
 * What one process measures is drawn from a distribution with a long tail or with two modes; the second arm
 * takes 1.1 times as long, and may have another distribution. The true ratio is that of which the interval
 * is one: the median of the ratios of a round; of unpaired runs the ratio of the medians; of a family the median
 * of the rounds' geometric means. Where it has no closed form, it is the median of many draws.
 *
 * With an argument, that many simulations of each line and a table as in docs/method.md, with as many draws of the
 * bootstrap as in a run:  stats_coverage_test 2000
 *
 * labels: plain */
#include "harness/stats/family.h"
#include "harness/stats/order.h"
#include "harness/stats/unpaired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    MAX_ROUNDS = 30,
    CELLS = 5, /* of a family */
    TRUTH_DRAWS = 50001,
    QUICK_TRIALS = 300,
    QUICK_BOOTSTRAP = 1000,
};

static const double promised = 0.93;
static size_t trials = QUICK_TRIALS;
static size_t bootstrap_draws = QUICK_BOOTSTRAP;

/* splitmix64 (Vigna) */
static uint64_t draw_state;

static double uniform(void) {
    uint64_t z = draw_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller */
static double normal(void) {
    double radius = sqrt(-2 * log(uniform()));
    return radius * cos(2 * M_PI * uniform());
}

/* ---- what one process measures ---- */

static double lognormal(void) {
    return exp(0.03 * normal());
}

/* Its mean is 1.65 times its median, its skewness 6.2. */
static double heavy(void) {
    return exp(normal());
}

/* One process of four is unlucky from its start to its end. */
static double bimodal(void) {
    return exp(0.02 * normal()) * (uniform() < 0.25 ? 1.6 : 1);
}

/* Two layouts, equally likely. */
static double two_modes(void) {
    return exp(0.005 * normal()) * (uniform() < 0.5 ? 1.3 : 1);
}

/* One process of ten is disturbed by what has no variance: Pareto's distribution with an exponent of 1.1. */
static double pareto(void) {
    double time = exp(0.02 * normal());
    return uniform() < 0.1 ? time * pow(uniform(), -1 / 1.1) : time;
}

typedef double noise_fn(void);

static const struct noise {
    const char *name;
    noise_fn *base, *arm;
} noises[] = {
    {"lognormal, sigma 1", heavy, heavy},
    {"bimodal, 1 of 4 at 1.6", bimodal, bimodal},
    {"two equal modes, 1 and 1.3", two_modes, two_modes},
    {"Pareto in 1 of 10", pareto, pareto},
    {"lognormal 3 %, and Pareto in 1 of 10", lognormal, pareto},
    {"bimodal, and lognormal 3 %", bimodal, lognormal},
};

static const double slower = 1.1;

static void draw_rounds(const struct noise *noise, double *base, double *arm, size_t rounds) {
    for (size_t r = 0; r < rounds; r++) {
        base[r] = noise->base();
        arm[r] = slower * noise->arm();
    }
}

/* ---- what is true ---- */

typedef double statistic_fn(const struct noise *noise);

static double one_log(const struct noise *noise) {
    return log(slower * noise->arm() / noise->base());
}

static double family_log(const struct noise *noise) {
    double sum = 0;
    for (int i = 0; i < CELLS; i++)
        sum += one_log(noise);
    return sum / CELLS;
}

static double base_log(const struct noise *noise) {
    return log(noise->base());
}

static double arm_log(const struct noise *noise) {
    return log(slower * noise->arm());
}

static double median_of_many(const struct noise *noise, statistic_fn *statistic) {
    static double values[TRUTH_DRAWS];
    for (size_t i = 0; i < TRUTH_DRAWS; i++)
        values[i] = statistic(noise);
    hm_sort(values, TRUTH_DRAWS);
    return hm_quantile(values, TRUTH_DRAWS, 0.5);
}

/* Arms of one distribution differ by their factor alone, whichever way they are compared. */
static double true_log(const struct noise *noise, statistic_fn *statistic, statistic_fn *minus) {
    if (noise->base == noise->arm)
        return log(slower);
    return median_of_many(noise, statistic) - (minus ? median_of_many(noise, minus) : 0);
}

/* ---- the intervals ---- */

static bool has(double low, double high, double log_ratio) {
    return log(low) <= log_ratio && log_ratio <= log(high);
}

static bool paired_covers(const struct noise *noise, size_t rounds, double truth) {
    double base[MAX_ROUNDS];
    double arm[MAX_ROUNDS];
    double logs[MAX_ROUNDS];
    draw_rounds(noise, base, arm, rounds);
    hm_log_ratios(base, arm, rounds, logs);
    struct hm_paired paired = hm_paired_of(logs, rounds, logs);
    return paired.has_interval && has(paired.low, paired.high, truth);
}

static bool family_covers(const struct noise *noise, size_t rounds, double truth) {
    double base[MAX_ROUNDS];
    double arm[MAX_ROUNDS];
    double logs[CELLS][MAX_ROUNDS];
    double scratch[MAX_ROUNDS];
    const double *cells[CELLS];
    struct hm_paired family;
    for (size_t i = 0; i < CELLS; i++) {
        draw_rounds(noise, base, arm, rounds);
        hm_log_ratios(base, arm, rounds, logs[i]);
        cells[i] = logs[i];
    }
    return hm_family_of(cells, CELLS, rounds, scratch, &family) && family.has_interval &&
           has(family.low, family.high, truth);
}

static bool summary_covers(const double *base, const double *arm, size_t rounds, double truth) {
    static double differences[HM_BOOTSTRAP_DRAWS];
    static size_t counts[MAX_ROUNDS];
    double scratch[2 * MAX_ROUNDS];
    /* Few draws err by themselves, with one seed in every trial alike. */
    const struct hm_bootstrap how = {draw_state, bootstrap_draws, differences, counts};
    struct hm_unpaired one = {
        .base = base, .arm = arm, .base_rounds = rounds, .arm_rounds = rounds};
    hm_unpaired_summarise(&one, &how, scratch);
    return one.has_interval && has(one.low, one.high, truth);
}

static bool unpaired_covers(const struct noise *noise, size_t rounds, double truth) {
    double base[MAX_ROUNDS];
    double arm[MAX_ROUNDS];
    draw_rounds(noise, base, arm, rounds);
    for (size_t r = 0; r < rounds; r++) {
        base[r] = log(base[r]);
        arm[r] = log(arm[r]);
    }
    return summary_covers(base, arm, rounds, truth);
}

/* As compare does it: in each run the ratio to a reference of the same rounds, which has the base's noise; and
 * with several cells the mean of their logarithms. */
static bool by_ratio_covers(const struct noise *noise, size_t rounds, double truth, size_t cells) {
    double base[MAX_ROUNDS];
    double arm[MAX_ROUNDS];
    for (size_t r = 0; r < rounds; r++) {
        base[r] = arm[r] = 0;
        for (size_t i = 0; i < cells; i++) {
            base[r] += log(noise->base() / noise->base()) / (double)cells;
            arm[r] += log(slower * noise->arm() / noise->base()) / (double)cells;
        }
    }
    return summary_covers(base, arm, rounds, truth);
}

static bool ratio_covers(const struct noise *noise, size_t rounds, double truth) {
    return by_ratio_covers(noise, rounds, truth, 1);
}

static bool ratio_family_covers(const struct noise *noise, size_t rounds, double truth) {
    return by_ratio_covers(noise, rounds, truth, CELLS);
}

static const struct interval {
    const char *name;
    bool (*covers)(const struct noise *noise, size_t rounds, double truth);
    statistic_fn *statistic, *minus; /* the truth: medians of these */
    bool is_drawn;                   /* by a bootstrap */
} intervals[] = {
    {"one run, paired", paired_covers, one_log, NULL, false},
    {"one run, a family of 5", family_covers, family_log, NULL, false},
    {"two runs, by value", unpaired_covers, arm_log, base_log, true},
    {"two runs, by ratio", ratio_covers, one_log, NULL, true}, /* of equal arms the median is 1 */
    {"two runs, by ratio, a family of 5", ratio_family_covers, family_log, NULL, true},
};

static const size_t rounds_of[] = {6, 12, 30};

enum {
    INTERVALS = sizeof intervals / sizeof *intervals,
    NOISES = sizeof noises / sizeof *noises,
    SIZES = sizeof rounds_of / sizeof *rounds_of,
};

static double coverage(const struct interval *interval, const struct noise *noise, size_t rounds,
                       double truth) {
    size_t covered = 0;
    for (size_t trial = 0; trial < trials; trial++)
        covered += interval->covers(noise, rounds, truth);
    return (double)covered / (double)trials;
}

/* The intervals of few rounds are of few steps, and those of 30 rounds of two runs take long to draw. */
static bool is_quick(const struct interval *interval, size_t rounds) {
    return !interval->is_drawn || rounds <= 12;
}

/* Each noise by itself has three standard errors of so few simulations; all of them together have none. */
static void expect_coverage(const struct interval *interval, size_t rounds,
                            const double truths[NOISES]) {
    double sum = 0;
    for (size_t n = 0; n < NOISES; n++) {
        double rate = coverage(interval, &noises[n], rounds, truths[n]);
        print_message("%s, %s, %zu rounds: %.3f\n", interval->name, noises[n].name, rounds, rate);
        assert_true(rate >= promised - 3 * sqrt(promised * (1 - promised) / (double)trials));
        sum += rate;
    }
    assert_true(sum / NOISES >= promised);
}

static void test_intervals_cover_the_true_ratio_of_skewed_data(void **state) {
    (void)state;
    draw_state = 1;
    for (size_t i = 0; i < INTERVALS; i++) {
        double truths[NOISES];
        for (size_t n = 0; n < NOISES; n++)
            truths[n] = true_log(&noises[n], intervals[i].statistic, intervals[i].minus);
        for (size_t s = 0; s < SIZES; s++)
            if (is_quick(&intervals[i], rounds_of[s]))
                expect_coverage(&intervals[i], rounds_of[s], truths);
    }
}

/* In each field the rates at 6, 12 and 30 rounds, in %. */
static void print_table(void) {
    printf("| interval |");
    for (size_t n = 0; n < NOISES; n++)
        printf(" %s |", noises[n].name);
    printf("\n|---|---|---|---|---|---|---|\n");
    draw_state = 1;
    for (size_t i = 0; i < INTERVALS; i++) {
        printf("| %s |", intervals[i].name);
        for (size_t n = 0; n < NOISES; n++) {
            double truth = true_log(&noises[n], intervals[i].statistic, intervals[i].minus);
            for (size_t s = 0; s < SIZES; s++)
                printf(" %.1f", 100 * coverage(&intervals[i], &noises[n], rounds_of[s], truth));
            printf(" |");
            fflush(stdout);
        }
        printf("\n");
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals_cover_the_true_ratio_of_skewed_data),
    };
    if (argc == 1)
        return cmocka_run_group_tests(tests, NULL, NULL);
    trials = strtoul(argv[1], NULL, 10);
    bootstrap_draws = HM_BOOTSTRAP_DRAWS;
    print_table();
    return trials ? 0 : 2;
}

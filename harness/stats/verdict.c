/* Verdicts: the trimmed t-test, Holm's correction, and the rule that joins them to the interval. */
#include "harness/stats/verdict.h"

#include "harness/stats/order.h"
#include "harness/stats/trimmed.h"

#include <math.h>
#include <stdlib.h>

enum {
    MAX_ROUNDS_NEEDED = 10000, /* a longer wait is not an answer */
};

static struct hm_trimmed mean_of(const double *logs, size_t rounds, double *scratch) {
    return hm_trimmed_of(logs, rounds, hm_trim_share(hm_finite(logs, rounds, scratch)), scratch);
}

static int by_p(const void *a, const void *b) {
    const struct hm_test *x = *(struct hm_test *const *)a;
    const struct hm_test *y = *(struct hm_test *const *)b;
    return (x->p > y->p) - (x->p < y->p);
}

/* @param others that are not among the tests and count as the last of them */
static void correct(struct hm_test **tests, size_t count, size_t others) {
    double adjusted = 0;
    if (count > 1)
        qsort(tests, count, sizeof *tests, by_p);
    for (size_t i = 0; i < count; i++) {
        adjusted = fmax(adjusted, fmin(1, (double)(count + others - i) * tests[i]->p));
        tests[i]->adjusted = adjusted;
    }
}

void hm_holm(struct hm_test **tests, size_t count) {
    correct(tests, count, 0);
}

/* What a difference has to exceed. Unknown noise is none. */
static double threshold_of(const struct hm_comparison *c) {
    return fmax(c->margin, c->noise);
}

static enum hm_verdict verdict_of(const struct hm_comparison *c, double level, double *scratch) {
    double mean = mean_of(c->logs, c->rounds, scratch).mean;
    bool above = c->paired.low > 1 + threshold_of(c) && mean > 0;
    bool below = c->paired.high < 1 / (1 + threshold_of(c)) && mean < 0;
    if ((above || below) && c->test.adjusted <= level)
        return above == c->higher_is_better ? HM_FASTER : HM_SLOWER;
    if (c->paired.low >= 1 / (1 + c->margin) && c->paired.high <= 1 + c->margin)
        return HM_EQUIVALENT;
    return HM_INCONCLUSIVE;
}

/* Rounds after which the interval, whose width goes with 1 / sqrt(rounds), no longer spans the gap
 * between the median and the bound next to it. INFINITY without a gap. */
static double rounds_for_interval(const struct hm_paired *paired, double gap) {
    double half_width = (log(paired->high) - log(paired->low)) / 2;
    double widths = half_width / gap;
    return ceil((double)paired->n * widths * widths);
}

/* Rounds after which the t-test passes even as the first of `tested` comparisons. Its p falls with
 * their number, so that halving finds them. */
static double rounds_for_test(const struct hm_trimmed *m, double beyond, size_t tested,
                              double level) {
    size_t few = m->n;
    size_t enough = MAX_ROUNDS_NEEDED;
    double now = (double)m->n;
    if (few >= enough || hm_trimmed_p(m, beyond, (double)enough / now) * (double)tested > level)
        return INFINITY;
    while (enough - few > 1) {
        size_t middle = few + (enough - few) / 2;
        if (hm_trimmed_p(m, beyond, (double)middle / now) * (double)tested > level)
            few = middle;
        else
            enough = middle;
    }
    return (double)enough;
}

/* A median between the margin and the noise is neither: no number of rounds settles it. */
static size_t rounds_needed(const struct hm_comparison *c, size_t tested, double level,
                            double *scratch) {
    struct hm_trimmed m = mean_of(c->logs, c->rounds, scratch);
    double within = log1p(c->margin);
    double beyond = log1p(threshold_of(c));
    double median = log(c->paired.ratio);
    double rounds = INFINITY;
    if (fabs(median) <= within)
        rounds = rounds_for_interval(&c->paired, within - fabs(median));
    else if (fabs(median) > beyond && median * m.mean > 0)
        rounds = fmax(rounds_for_interval(&c->paired, fabs(median) - beyond),
                      rounds_for_test(&m, beyond, tested, level));
    rounds = fmax(rounds, (double)m.n + 1);
    return rounds <= MAX_ROUNDS_NEEDED ? (size_t)rounds : 0;
}

/* Where chance has no part, what was seen is what there is. */
static void judge_counted(struct hm_comparison *c, double *scratch) {
    c->paired = hm_paired_range(c->logs, c->rounds, scratch);
    bool above = c->paired.low > 1 + threshold_of(c);
    bool below = c->paired.high < 1 / (1 + threshold_of(c));
    if (!(c->margin >= 0))
        return;
    if (above || below)
        c->verdict = above == c->higher_is_better ? HM_FASTER : HM_SLOWER;
    else if (c->paired.low >= 1 / (1 + c->margin) && c->paired.high <= 1 + c->margin)
        c->verdict = HM_EQUIVALENT;
}

/* Summary and p of one comparison. @return whether it is tested */
static bool examine(struct hm_comparison *c, double level, double *scratch) {
    c->paired = hm_paired_at(c->logs, c->rounds, 1 - level, scratch);
    c->test = (struct hm_test){NAN, NAN};
    c->verdict = HM_INCONCLUSIVE;
    c->rounds_needed = 0;
    if (c->counted) {
        judge_counted(c, scratch);
        return false;
    }
    if (!c->paired.has_interval || !(c->margin >= 0))
        return false;
    struct hm_trimmed m = mean_of(c->logs, c->rounds, scratch);
    c->test.p = hm_trimmed_p(&m, log1p(threshold_of(c)), 1);
    return true;
}

void hm_judge_look(struct hm_comparison *all, size_t count, double level, struct hm_test **order,
                   double *scratch) {
    size_t tested = 0;
    size_t equivalent = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].settled_after)
            equivalent += all[i].verdict == HM_EQUIVALENT && !isnan(all[i].test.p);
        else if (examine(&all[i], level, scratch))
            order[tested++] = &all[i].test;
    correct(order, tested, equivalent);
    for (size_t i = 0; i < count; i++) {
        struct hm_comparison *c = &all[i];
        if (c->settled_after)
            continue;
        if (!isnan(c->test.p))
            c->verdict = verdict_of(c, level, scratch);
        if (c->verdict != HM_INCONCLUSIVE)
            c->settled_after = (unsigned)c->rounds;
        else if (!isnan(c->test.p))
            c->rounds_needed = rounds_needed(c, tested + equivalent, level, scratch);
    }
}

void hm_judge(struct hm_comparison *all, size_t count, struct hm_test **order, double *scratch) {
    for (size_t i = 0; i < count; i++)
        all[i].settled_after = 0;
    hm_judge_look(all, count, HM_LEVEL, order, scratch);
}

const char *hm_verdict_name(enum hm_verdict verdict) {
    static const char *const names[] = {
        [HM_INCONCLUSIVE] = "inconclusive",
        [HM_EQUIVALENT] = "equivalent",
        [HM_FASTER] = "faster",
        [HM_SLOWER] = "slower",
    };
    return names[verdict];
}

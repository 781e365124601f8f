/* Verdicts over two runs: Welch's test, and the rule that joins it to the interval. */
#include "harness/stats/unpaired.h"

#include "harness/stats/order.h"
#include "harness/stats/special.h"

#include <math.h>

#define LEVEL 0.05

enum {
    MAX_ROUNDS_NEEDED = 10000, /* a longer wait is not an answer */
};

struct moments {
    double n, mean, variance;
};

static struct moments moments_of(const double *logs, size_t rounds) {
    struct moments m = {0};
    double squares = 0;
    for (size_t i = 0; i < rounds; i++) /* Welford: no second pass, no cancellation */
        if (isfinite(logs[i])) {
            double step = logs[i] - m.mean;
            m.n++;
            m.mean += step / m.n;
            squares += step * (logs[i] - m.mean);
        }
    m.variance = squares / (m.n - 1);
    return m;
}

/* Doubled one-sided p that two means are further apart than `beyond`, had each run `times` as many
 * rounds. Without any variance, as with counts that never vary, there is nothing to doubt. */
static double welch(struct moments base, struct moments arm, double beyond, double times) {
    double distance = fabs(arm.mean - base.mean) - beyond;
    double a = base.variance / (base.n * times);
    double b = arm.variance / (arm.n * times);
    if (!(base.n >= 2 && arm.n >= 2))
        return NAN;
    if (a + b == 0)
        return distance > 0 ? 0 : 1;
    double freedom =
        (a + b) * (a + b) / (a * a / (base.n * times - 1) + b * b / (arm.n * times - 1));
    return fmin(1, 2 * hm_student_upper(distance / sqrt(a + b), freedom));
}

double hm_welch_p(const double *base, size_t base_rounds, const double *arm, size_t arm_rounds,
                  double beyond) {
    return welch(moments_of(base, base_rounds), moments_of(arm, arm_rounds), beyond, 1);
}

static double threshold_of(const struct hm_unpaired *one) {
    return fmax(one->margin, one->noise); /* unknown noise is none */
}

static double mean_difference(const struct hm_unpaired *one) {
    return moments_of(one->arm, one->arm_rounds).mean -
           moments_of(one->base, one->base_rounds).mean;
}

static enum hm_verdict verdict_of(const struct hm_unpaired *one) {
    double mean = mean_difference(one);
    bool above = one->low > 1 + threshold_of(one) && mean > 0;
    bool below = one->high < 1 / (1 + threshold_of(one)) && mean < 0;
    if ((above || below) && one->test.adjusted <= LEVEL)
        return above == one->higher_is_better ? HM_FASTER : HM_SLOWER;
    if (one->low >= 1 / (1 + one->margin) && one->high <= 1 + one->margin)
        return HM_EQUIVALENT;
    return HM_INCONCLUSIVE;
}

/* ---- How many rounds would settle it ---- */

static double fewer_rounds(const struct hm_unpaired *one) {
    return (double)(one->base_count < one->arm_count ? one->base_count : one->arm_count);
}

/* The interval's width goes with 1 / sqrt(rounds). INFINITY without a gap. */
static double rounds_for_interval(const struct hm_unpaired *one, double gap) {
    double widths = (log(one->high) - log(one->low)) / 2 / gap;
    return ceil(fewer_rounds(one) * widths * widths);
}

/* Found by halving, as p falls with the rounds. */
static double rounds_for_test(const struct hm_unpaired *one, double beyond, size_t tested) {
    struct moments base = moments_of(one->base, one->base_rounds);
    struct moments arm = moments_of(one->arm, one->arm_rounds);
    double now = fewer_rounds(one);
    double few = now;
    double enough = MAX_ROUNDS_NEEDED;
    if (!(welch(base, arm, beyond, enough / now) * (double)tested <= LEVEL))
        return INFINITY;
    while (enough - few > 1) {
        double middle = floor((few + enough) / 2);
        if (welch(base, arm, beyond, middle / now) * (double)tested > LEVEL)
            few = middle;
        else
            enough = middle;
    }
    return enough;
}

/* A median between the margin and the noise is neither: no number of rounds settles it. */
static size_t rounds_needed(const struct hm_unpaired *one, size_t tested) {
    double within = log1p(one->margin);
    double beyond = log1p(threshold_of(one));
    double median = log(one->ratio);
    double rounds = INFINITY;
    if (fabs(median) <= within)
        rounds = rounds_for_interval(one, within - fabs(median));
    else if (fabs(median) > beyond && median * mean_difference(one) > 0)
        rounds = fmax(rounds_for_interval(one, fabs(median) - beyond),
                      rounds_for_test(one, beyond, tested));
    rounds = fmax(rounds, fewer_rounds(one) + 1);
    return rounds <= MAX_ROUNDS_NEEDED ? (size_t)rounds : 0;
}

/* ---- All together ---- */

void hm_unpaired_summarise(struct hm_unpaired *one, const struct hm_bootstrap *how,
                           double *scratch) {
    double low = NAN;
    double high = NAN;
    one->base_count = hm_finite(one->base, one->base_rounds, scratch);
    double *arm = scratch + one->base_count;
    one->arm_count = hm_finite(one->arm, one->arm_rounds, arm);
    hm_sort(scratch, one->base_count);
    hm_sort(arm, one->arm_count);
    one->ratio =
        exp(hm_quantile(arm, one->arm_count, 0.5) - hm_quantile(scratch, one->base_count, 0.5));
    if (one->counted && one->base_count && one->arm_count) {
        low = arm[0] - scratch[one->base_count - 1];
        high = arm[one->arm_count - 1] - scratch[0];
        one->has_interval = true;
    } else {
        one->has_interval = hm_bootstrap_interval(how, scratch, one->base_count, arm,
                                                  one->arm_count, HM_CONFIDENCE, &low, &high);
    }
    one->low = exp(low);
    one->high = exp(high);
}

/* Where chance has no part, what was seen is what there is. */
static void judge_counted(struct hm_unpaired *one) {
    bool above = one->low > 1 + threshold_of(one);
    bool below = one->high < 1 / (1 + threshold_of(one));
    if (above || below)
        one->verdict = above == one->higher_is_better ? HM_FASTER : HM_SLOWER;
    else if (one->low >= 1 / (1 + one->margin) && one->high <= 1 + one->margin)
        one->verdict = HM_EQUIVALENT;
}

/* @return whether it is tested */
static bool examine(struct hm_unpaired *one, const struct hm_bootstrap *how, double *scratch) {
    hm_unpaired_summarise(one, how, scratch);
    one->verdict = HM_INCONCLUSIVE;
    one->rounds_needed = 0;
    one->test = (struct hm_test){NAN, NAN};
    if (!one->has_interval || !(one->margin >= 0))
        return false;
    if (one->counted) {
        judge_counted(one);
        return false;
    }
    one->test.p = hm_welch_p(one->base, one->base_rounds, one->arm, one->arm_rounds,
                             log1p(threshold_of(one)));
    return true;
}

void hm_unpaired_judge(struct hm_unpaired *all, size_t count, const struct hm_bootstrap *how,
                       struct hm_test **order, double *scratch) {
    size_t tested = 0;
    for (size_t i = 0; i < count; i++)
        if (examine(&all[i], how, scratch))
            order[tested++] = &all[i].test;
    hm_holm(order, tested);
    for (size_t i = 0; i < count; i++) {
        if (isnan(all[i].test.p))
            continue;
        all[i].verdict = verdict_of(&all[i]);
        if (all[i].verdict == HM_INCONCLUSIVE)
            all[i].rounds_needed = rounds_needed(&all[i], tested);
    }
}

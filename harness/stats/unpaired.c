/* Verdicts over two runs: a trimmed t-test, and the rule that joins it to the interval. */
#include "harness/stats/unpaired.h"

#include "harness/stats/order.h"
#include "harness/stats/trimmed.h"

#include <math.h>

#define LEVEL 0.05

enum {
    MAX_ROUNDS_NEEDED = 10000, /* a longer wait is not an answer */
    UNPAIRED_TRIM_FROM = 20,
};

/* The two runs of one cell. */
struct means {
    struct hm_trimmed base, arm;
};

/* Both are trimmed, or neither; and only where there are twice as many rounds as for pairs: each run is trimmed by
 * itself, and where processes fall into two narrow modes, as many of either are left of few by chance alone. */
static struct means means_of(const struct hm_unpaired *one, double *scratch) {
    size_t few = one->base_count < one->arm_count ? one->base_count : one->arm_count;
    double share = few >= UNPAIRED_TRIM_FROM ? hm_trim_share(few) : 0;
    return (struct means){
        .base = hm_trimmed_of(one->base, one->base_rounds, share, scratch),
        .arm = hm_trimmed_of(one->arm, one->arm_rounds, share, scratch),
    };
}

static double threshold_of(const struct hm_unpaired *one) {
    return fmax(one->margin, one->noise); /* unknown noise is none */
}

static enum hm_verdict verdict_of(const struct hm_unpaired *one, const struct means *means) {
    double mean = means->arm.mean - means->base.mean;
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
static double rounds_for_test(const struct hm_unpaired *one, const struct means *m, double beyond,
                              size_t tested) {
    double now = fewer_rounds(one);
    double few = now;
    double enough = MAX_ROUNDS_NEEDED;
    if (!(hm_trimmed_difference_p(&m->base, &m->arm, beyond, enough / now) * (double)tested <=
          LEVEL))
        return INFINITY;
    while (enough - few > 1) {
        double middle = floor((few + enough) / 2);
        if (hm_trimmed_difference_p(&m->base, &m->arm, beyond, middle / now) * (double)tested >
            LEVEL)
            few = middle;
        else
            enough = middle;
    }
    return enough;
}

/* A median between the margin and the noise is neither: no number of rounds settles it. */
static size_t rounds_needed(const struct hm_unpaired *one, const struct means *means,
                            size_t tested) {
    double within = log1p(one->margin);
    double beyond = log1p(threshold_of(one));
    double median = log(one->ratio);
    double rounds = INFINITY;
    if (fabs(median) <= within)
        rounds = rounds_for_interval(one, within - fabs(median));
    else if (fabs(median) > beyond && median * (means->arm.mean - means->base.mean) > 0)
        rounds = fmax(rounds_for_interval(one, fabs(median) - beyond),
                      rounds_for_test(one, means, beyond, tested));
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
    struct means means = means_of(one, scratch);
    one->test.p = hm_trimmed_difference_p(&means.base, &means.arm, log1p(threshold_of(one)), 1);
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
        struct means means = means_of(&all[i], scratch);
        all[i].verdict = verdict_of(&all[i], &means);
        if (all[i].verdict == HM_INCONCLUSIVE)
            all[i].rounds_needed = rounds_needed(&all[i], &means, tested);
    }
}

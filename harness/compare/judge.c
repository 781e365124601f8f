/* Pairs the cells of two runs, chooses what each is compared by, and has them judged. */
#include "harness/compare/judge.h"

#include "harness/compare/choice.h"
#include "harness/compare/reference.h"
#include "harness/report/cells.h"
#include "harness/stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool hm_compare_drifts(const struct hm_metric *metric) {
    static const char *const units[] = {"ns", "ns/op", "op/s", "calls/s"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(metric->unit, units[i]) == 0)
            return true;
    return false;
}

static bool is_judged(const struct hm_compare *all, const struct hm_metric *metric) {
    size_t count;
    return all->chosen ? all->chosen[metric - hm_metrics(&count)] : hm_choice_is_usual(metric);
}

static bool is_arm(const struct hm_side_cell *cell) {
    return !cell->again && !cell->control;
}

/* ---- Logarithms ---- */

/* A latency below this is not told apart from none; nor is one of 0 then without a logarithm, which would
 * let it grow unseen. */
static const double least_latency_ns = 1;

static double value_of(const struct hm_series *series, size_t r) {
    bool latency = strncmp(series->metric->name, "latency_", 8) == 0 ||
                   strncmp(series->metric->name, "response_", 9) == 0;
    double value = series->values[r];
    return latency && value < least_latency_ns ? least_latency_ns : value;
}

/* As in paired.h: where one value has no logarithm, to drop just its round would judge a cell by the
 * others. */
static bool is_positive(const struct hm_series *series) {
    for (size_t r = 0; r < series->rounds; r++)
        if (isfinite(series->values[r]) && value_of(series, r) <= 0)
            return false;
    return true;
}

/* @param reference NULL: of the values themselves */
static void put_logs(double *logs, const struct hm_series *series,
                     const struct hm_series *reference) {
    bool has_logs = is_positive(series) && (!reference || is_positive(reference));
    for (size_t r = 0; r < series->rounds; r++) {
        double value = value_of(series, r);
        double under = 1;
        if (reference)
            under = r < reference->rounds ? value_of(reference, r) : NAN;
        logs[r] = has_logs ? log(value) - log(under) : NAN;
    }
}

static const struct hm_series *series_of(struct hm_side *side, const char *id,
                                         const struct hm_metric *metric) {
    const struct hm_side_cell *cell = id ? hm_side_find(side, id) : NULL;
    return cell ? hm_side_series(cell, metric) : NULL;
}

static double median_of(const struct hm_series *series) {
    double *sorted = malloc((series->rounds + 1) * sizeof *sorted);
    if (!sorted)
        return NAN;
    size_t n = hm_finite(series->values, series->rounds, sorted);
    hm_sort(sorted, n);
    double median = hm_quantile(sorted, n, 0.5);
    free(sorted);
    return median;
}

/* ---- Noise ---- */

/* Median log ratio of an A/A arm to its baseline within one run; NAN: not known. */
static double again_log(struct hm_side *side, const struct hm_side_cell *again,
                        const struct hm_metric *metric) {
    const struct hm_series *arm = hm_side_series(again, metric);
    const struct hm_series *base = series_of(side, again->baseline, metric);
    const struct hm_side_cell *baseline =
        again->baseline ? hm_side_find(side, again->baseline) : NULL;
    if (again->failure || !arm || !base || !baseline || baseline->failure)
        return NAN;
    double *logs = malloc((arm->rounds + 1) * sizeof *logs);
    if (!logs)
        return NAN;
    put_logs(logs, arm, base);
    size_t n = hm_finite(logs, arm->rounds, logs);
    hm_sort(logs, n);
    double median = hm_quantile(logs, n, 0.5);
    free(logs);
    return median;
}

/* The widest deviation of equal arms on a workload, in each run and (their ratios) between the two. */
static double noise_of(struct hm_compare *all, const char *workload,
                       const struct hm_metric *metric) {
    double widest = NAN;
    struct hm_side *sides[] = {&all->base, &all->fresh};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < sides[s]->count; i++) {
            const struct hm_side_cell *cell = &sides[s]->cells[i];
            if (!cell->again || strcmp(cell->workload, workload) != 0)
                continue;
            double log_ratio = again_log(sides[s], cell, metric);
            widest = fmax(widest, fabs(log_ratio));
            const struct hm_side_cell *was = s ? hm_side_find(&all->base, cell->id) : NULL;
            if (was)
                widest = fmax(widest, fabs(log_ratio - again_log(&all->base, was, metric)));
        }
    return expm1(widest);
}

/* ---- Comparisons ---- */

static void ask(struct hm_unpaired *one, const double *logs, const struct hm_series *base,
                const struct hm_series *fresh) {
    *one = (struct hm_unpaired){.base = logs,
                                .arm = logs + base->rounds,
                                .base_rounds = base->rounds,
                                .arm_rounds = fresh->rounds,
                                .noise = NAN,
                                .counted = hm_metric_is_counted(base->metric)};
}

/* The values' logarithms come first in c->logs, then those that are judged. */
static int add_comparison(struct hm_compare *all, const struct hm_side_cell *base,
                          const struct hm_side_cell *fresh, const struct hm_metric *metric) {
    const struct hm_series *was = hm_side_series(base, metric);
    const struct hm_series *is = hm_side_series(fresh, metric);
    size_t rounds = was->rounds + is->rounds;
    size_t count = all->count;
    struct hm_compared *c = hm_report_append(&all->cells, &all->count, sizeof *c);
    struct hm_unpaired *j = c ? hm_report_append(&all->judged, &count, sizeof *j) : NULL;
    if (!j || !(c->logs = malloc(2 * rounds * sizeof *c->logs)))
        return ENOMEM;
    c->base = base;
    c->fresh = fresh;
    c->metric = metric;
    c->reference = hm_reference_of(all, base, fresh, metric);
    c->base_median = median_of(was);
    c->fresh_median = median_of(is);
    put_logs(c->logs, was, NULL);
    put_logs(c->logs + was->rounds, is, NULL);
    put_logs(c->logs + rounds, was, series_of(&all->base, c->reference, metric));
    put_logs(c->logs + rounds + was->rounds, is, series_of(&all->fresh, c->reference, metric));
    ask(&c->value, c->logs, was, is);
    ask(j, c->logs + rounds, was, is);
    c->value.higher_is_better = j->higher_is_better = metric->better == HM_BETTER_HIGHER;
    j->margin = all->margin;
    j->noise = noise_of(all, base->workload, metric);
    all->noise = fmax(all->noise, j->noise);
    return 0;
}

static int add_metric(struct hm_compare *all, const struct hm_metric *metric) {
    for (size_t i = 0; i < all->base.count; i++) {
        const struct hm_side_cell *fresh;
        const struct hm_side_cell *base =
            hm_compare_in_both(all, all->base.cells[i].id, metric, &fresh);
        if (!base || !is_arm(base) || hm_is_reference(all, base, metric))
            continue;
        if (add_comparison(all, base, fresh, metric))
            return ENOMEM;
    }
    return 0;
}

/* ---- Room for the statistics ---- */

struct room {
    struct hm_bootstrap how;
    struct hm_test **order;
    double *scratch;
};

static void free_room(struct room *room) {
    free(room->how.differences);
    free(room->how.counts);
    free(room->order);
    free(room->scratch);
}

static size_t longest(const struct hm_side *side) {
    size_t rounds = 1;
    for (size_t i = 0; i < side->count; i++)
        for (size_t k = 0; k < side->cells[i].series_count; k++)
            if (side->cells[i].series[k].rounds > rounds)
                rounds = side->cells[i].series[k].rounds;
    return rounds;
}

static int make_room(struct room *room, const struct hm_compare *all) {
    size_t rounds = longest(&all->base) + longest(&all->fresh);
    *room = (struct room){.how = {.seed = all->seed, .draws = HM_BOOTSTRAP_DRAWS}};
    room->how.differences = malloc(HM_BOOTSTRAP_DRAWS * sizeof *room->how.differences);
    room->how.counts = malloc(rounds * sizeof *room->how.counts);
    room->order = malloc((all->count + 1) * sizeof(*room->order));
    room->scratch = malloc(rounds * sizeof *room->scratch);
    return room->how.differences && room->how.counts && room->order && room->scratch ? 0 : ENOMEM;
}

/* ---- Families ---- */

/* What has no ratio is no worse than anything. */
static bool is_worse(const struct hm_unpaired *one, const struct hm_unpaired *other) {
    return isfinite(one->ratio) &&
           (!isfinite(other->ratio) || hm_compare_worse(one) > hm_compare_worse(other));
}

static bool in_family(const struct hm_compared *c, const struct hm_compared *of) {
    return c->metric == of->metric && strcmp(c->base->allocator, of->base->allocator) == 0 &&
           strcmp(c->base->collector, of->base->collector) == 0;
}

/* The mean of the logarithms in each round; one that a cell misses is missing. */
static void add_logs(double *sums, size_t rounds, const double *logs, size_t has, double share) {
    for (size_t r = 0; r < rounds; r++)
        sums[r] += r < has ? logs[r] * share : NAN;
}

static int add_family(struct hm_compare *all, size_t first, struct room *room) {
    const struct hm_compared *of = &all->cells[first];
    size_t base_rounds = 0;
    size_t arm_rounds = 0;
    struct hm_compared_family family = {.metric = of->metric,
                                        .allocator = of->base->allocator,
                                        .collector = of->base->collector,
                                        .worst = first};
    for (size_t i = first; i < all->count; i++) {
        const struct hm_unpaired *j = &all->judged[i];
        if (!in_family(&all->cells[i], of))
            continue;
        family.cells++;
        base_rounds = j->base_rounds > base_rounds ? j->base_rounds : base_rounds;
        arm_rounds = j->arm_rounds > arm_rounds ? j->arm_rounds : arm_rounds;
        if (is_worse(j, &all->judged[family.worst]))
            family.worst = i;
    }
    if (family.cells < 2)
        return 0;
    struct hm_compared_family *f = hm_report_append(&all->families, &all->family_count, sizeof *f);
    if (!f || !(family.logs = calloc(base_rounds + arm_rounds, sizeof *family.logs)))
        return ENOMEM;
    *f = family;
    for (size_t i = first; i < all->count; i++) {
        const struct hm_unpaired *j = &all->judged[i];
        if (!in_family(&all->cells[i], of))
            continue;
        add_logs(f->logs, base_rounds, j->base, j->base_rounds, 1.0 / (double)f->cells);
        add_logs(f->logs + base_rounds, arm_rounds, j->arm, j->arm_rounds, 1.0 / (double)f->cells);
    }
    f->result = (struct hm_unpaired){.base = f->logs,
                                     .arm = f->logs + base_rounds,
                                     .base_rounds = base_rounds,
                                     .arm_rounds = arm_rounds,
                                     .counted = of->value.counted,
                                     .higher_is_better = of->value.higher_is_better};
    hm_unpaired_summarise(&f->result, &room->how, room->scratch);
    return 0;
}

static bool is_first(const struct hm_compare *all, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (in_family(&all->cells[k], &all->cells[i]))
            return false;
    return true;
}

static int add_families(struct hm_compare *all, struct room *room) {
    int bad = 0;
    for (size_t i = 0; !bad && i < all->count; i++)
        if (is_first(all, i))
            bad = add_family(all, i, room);
    return bad;
}

/* ---- Drift ---- */

static int add_drift(struct hm_compare *all, const struct hm_side_cell *base,
                     const struct hm_side_cell *fresh, const struct hm_metric *metric,
                     struct room *room) {
    const struct hm_series *was = hm_side_series(base, metric);
    const struct hm_series *is = hm_side_series(fresh, metric);
    double *logs = malloc((was->rounds + is->rounds) * sizeof *logs);
    struct hm_drift *drift =
        logs ? hm_report_append(&all->drifts, &all->drift_count, sizeof *drift) : NULL;
    if (!drift) {
        free(logs);
        return ENOMEM;
    }
    struct hm_unpaired value;
    put_logs(logs, was, NULL);
    put_logs(logs + was->rounds, is, NULL);
    ask(&value, logs, was, is);
    hm_unpaired_summarise(&value, &room->how, room->scratch);
    *drift = (struct hm_drift){base, metric, value.ratio, value.low, value.high};
    free(logs);
    return 0;
}

/* Of a reference, and of a floor that was used as one. */
static bool is_used(const struct hm_compare *all, const char *id, const struct hm_metric *metric) {
    for (size_t i = 0; i < all->count; i++)
        if (all->cells[i].metric == metric && all->cells[i].reference &&
            strcmp(all->cells[i].reference, id) == 0)
            return true;
    return false;
}

static int add_drifts(struct hm_compare *all, struct room *room) {
    size_t metric_count;
    const struct hm_metric *metrics = hm_metrics(&metric_count);
    for (size_t m = 0; m < metric_count; m++)
        for (size_t i = 0; is_judged(all, &metrics[m]) && i < all->base.count; i++) {
            const struct hm_side_cell *fresh;
            const struct hm_side_cell *base =
                hm_compare_in_both(all, all->base.cells[i].id, &metrics[m], &fresh);
            if (base &&
                ((is_arm(base) && hm_is_reference(all, base, &metrics[m])) ||
                 is_used(all, base->id, &metrics[m])) &&
                add_drift(all, base, fresh, &metrics[m], room))
                return ENOMEM;
        }
    return 0;
}

/* ---- All ---- */

static int judge_all(struct hm_compare *all) {
    struct room room;
    int bad = make_room(&room, all);
    if (!bad) {
        hm_unpaired_judge(all->judged, all->count, &room.how, room.order, room.scratch);
        for (size_t i = 0; i < all->count; i++)
            hm_unpaired_summarise(&all->cells[i].value, &room.how, room.scratch);
        bad = add_families(all, &room);
    }
    if (!bad)
        bad = add_drifts(all, &room);
    free_room(&room);
    return bad;
}

int hm_compare_judge(struct hm_compare *all, struct hm_error *error) {
    size_t metric_count;
    const struct hm_metric *metrics = hm_metrics(&metric_count);
    int bad = 0;
    all->noise = NAN;
    for (size_t m = 0; !bad && m < metric_count; m++)
        if (is_judged(all, &metrics[m]))
            bad = add_metric(all, &metrics[m]);
    if (!bad)
        bad = judge_all(all);
    return bad ? hm_fail(error, bad, "out of memory") : 0;
}

void hm_compare_free(struct hm_compare *all) {
    for (size_t i = 0; i < all->count; i++)
        free(all->cells[i].logs);
    for (size_t i = 0; i < all->family_count; i++)
        free(all->families[i].logs);
    free(all->cells);
    free(all->judged);
    free(all->families);
    free(all->drifts);
    hm_side_free(&all->base);
    hm_side_free(&all->fresh);
}

size_t hm_compare_count(const struct hm_compare *all, enum hm_verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += all->judged[i].verdict == verdict;
    return count;
}

size_t hm_compare_tested(const struct hm_compare *all) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += isfinite(all->judged[i].test.p) != 0;
    return count;
}

double hm_compare_worse(const struct hm_unpaired *one) {
    return one->higher_is_better ? -log(one->ratio) : log(one->ratio);
}

size_t hm_compare_worst(const struct hm_compare *all, const struct hm_metric *metric) {
    size_t worst = SIZE_MAX;
    for (size_t i = 0; i < all->count; i++) {
        double worse = hm_compare_worse(&all->judged[i]);
        if ((metric && all->cells[i].metric != metric) || !isfinite(worse))
            continue;
        if (worst == SIZE_MAX || worse > hm_compare_worse(&all->judged[worst]))
            worst = i;
    }
    return worst;
}

size_t hm_compare_lost(struct hm_compare *all, const struct hm_metric *metric) {
    size_t lost = 0;
    for (size_t i = 0; is_judged(all, metric) && i < all->base.count; i++) {
        const struct hm_side_cell *base = &all->base.cells[i];
        const struct hm_side_cell *fresh = hm_side_find(&all->fresh, base->id);
        lost += is_arm(base) && !base->failure && hm_side_series(base, metric) && fresh &&
                !fresh->failure && !hm_side_series(fresh, metric);
    }
    return lost;
}

bool hm_compare_is_whole(struct hm_compare *all) {
    size_t count;
    const struct hm_metric *metrics = hm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (hm_compare_lost(all, &metrics[i]))
            return false;
    for (size_t i = 0; i < all->base.count; i++)
        if (!hm_side_find(&all->fresh, all->base.cells[i].id))
            return false;
    return true;
}

bool hm_compare_broke(struct hm_compare *all, const struct hm_side_cell *fresh) {
    const struct hm_side_cell *base = hm_side_find(&all->base, fresh->id);
    return fresh->failure && base && !base->failure;
}

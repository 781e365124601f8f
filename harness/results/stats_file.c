/* stats.csv: from samples to verdicts.
 *
 * Everything is computed for one metric at a time: its values by cell and round, then the A/A noise
 * of each workload, then the verdicts of the whole matrix, then the rows.
 *
 * Vocabulary
 *   horizon   only rounds before it are looked at: those that there were at a look (looks.h), or all.
 *             What a look saw can so be seen again later, from samples.csv alone
 *   looked    a metric that is judged at looks. One whose number of rounds is fixed, such as the
 *             footprint, is judged once and at the usual confidence, in a run with looks too */
#include "harness/results/stats_file.h"

#include "harness/results/csv.h"
#include "harness/results/metrics.h"
#include "harness/results/samples.h"
#include "harness/stats/order.h"
#include "harness/stats/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char header[] =
    "cell,allocator,collector,workload,params,threads,metric,unit,better,n,median,q1,q3,ci_low,"
    "ci_high,baseline,ratio,ratio_low,ratio_high,verdict,confidence,decided_after\n";

/* The samples of all metrics, and the work space for one of them. */
struct table {
    const struct hm_plan *plan;
    const struct hm_metric *metrics;
    size_t metric_count;
    double *values;      /* [metric][cell][round]; NAN where there is none */
    unsigned *extent;    /* [metric]: rounds up to the last one that has a value */
    unsigned *failed_in; /* [cell]: the first round with a failure, or NEVER */
    unsigned horizon;
    double *logs; /* [cell][round] against the cell's baseline */
    double *scratch;
    struct hm_comparison *comparisons; /* of those cells that are compared */
    struct hm_test **order;
    size_t *compared; /* [cell]: index of its comparison, or SIZE_MAX */
};

#define NEVER UINT_MAX

static double *values_of(const struct table *t, size_t metric, size_t cell) {
    return t->values + (metric * t->plan->cell_count + cell) * t->plan->rounds;
}

static void free_table(struct table *t) {
    free(t->values);
    free(t->extent);
    free(t->failed_in);
    free(t->logs);
    free(t->scratch);
    free(t->comparisons);
    free(t->order);
    free(t->compared);
}

static int make_table(struct table *t, const struct hm_plan *plan) {
    size_t cells = plan->cell_count + 1;
    size_t rounds = plan->rounds;
    *t = (struct table){.plan = plan, .horizon = plan->rounds};
    t->metrics = hm_metrics(&t->metric_count);
    size_t all = t->metric_count * cells * rounds;
    t->values = malloc(all * sizeof *t->values);
    t->extent = calloc(t->metric_count + 1, sizeof *t->extent);
    t->failed_in = malloc(cells * sizeof *t->failed_in);
    t->logs = malloc(cells * rounds * sizeof *t->logs);
    t->scratch = malloc(rounds * sizeof *t->scratch);
    t->comparisons = calloc(cells, sizeof *t->comparisons);
    t->order = calloc(cells, sizeof(*t->order));
    t->compared = calloc(cells, sizeof *t->compared);
    if (!t->values || !t->extent || !t->failed_in || !t->logs || !t->scratch || !t->comparisons ||
        !t->order || !t->compared)
        return ENOMEM;
    for (size_t i = 0; i < all; i++)
        t->values[i] = NAN;
    for (size_t i = 0; i < cells; i++)
        t->failed_in[i] = NEVER;
    return 0;
}

static void take_sample(void *arg, size_t cell, const char *metric, unsigned round, double value,
                        const char *status, const char *reason) {
    struct table *t = arg;
    (void)reason;
    if (strcmp(status, "ok") != 0)
        t->failed_in[cell] = round < t->failed_in[cell] ? round : t->failed_in[cell];
    for (size_t m = 0; m < t->metric_count && round < t->plan->rounds; m++)
        if (strcmp(t->metrics[m].name, metric) == 0) {
            values_of(t, m, cell)[round] = value;
            if (isfinite(value) && round >= t->extent[m])
                t->extent[m] = round + 1;
        }
}

/* None of a failed cell's samples counts, and all did before it failed. */
static bool has_failed(const struct table *t, size_t cell) {
    return t->failed_in[cell] < t->horizon;
}

/* ---- Lower-bound overhead ---- */

static size_t metric_index(const struct table *t, const char *name) {
    size_t m = 0;
    while (m < t->metric_count && strcmp(t->metrics[m].name, name) != 0)
        m++;
    return m;
}

static double median_of(struct table *t, size_t metric, size_t cell) {
    size_t n = hm_finite(values_of(t, metric, cell), t->plan->rounds, t->scratch);
    hm_sort(t->scratch, n);
    return hm_quantile(t->scratch, n, 0.5);
}

/* A collector that has memory of its own says nothing about the work on this allocator. */
static bool is_on_arm(const struct hm_cell *cell) {
    return cell->collector && !(cell->collector->spec.part->caps & HM_GC_OWN_MEMORY);
}

/* The cell that shows what the work of this one is known to cost at least without a collector's explicit work:
 * the smallest median of `distilled` among all collectors on the same allocator. SIZE_MAX: not known */
static size_t distilled_cell(struct table *t, size_t distilled, size_t cell) {
    const struct hm_cell *c = &t->plan->cells[cell];
    size_t least = SIZE_MAX;
    double least_median = INFINITY;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *other = &t->plan->cells[i];
        if (other->group != c->group || other->arm != c->arm || has_failed(t, i) ||
            !is_on_arm(other))
            continue;
        double median = median_of(t, distilled, i);
        if (median < least_median) {
            least = i;
            least_median = median;
        }
    }
    return least;
}

/* The metrics of one kind of cost. */
struct costs {
    const char *total, *distilled; /* all of a cell, and that without explicit costs: measured */
    const char *minimum, *overhead;
};

static const struct costs kinds_of_cost[] = {
    {"time_ns", "mutator_ns", "distilled_minimum_ns", "lower_bound_overhead"},
    {"cpu_ns", "mutator_cpu_ns", "distilled_minimum_cpu_ns", "lower_bound_overhead_cpu"}};

/* Cai et al., Distilling the real cost of production garbage collectors, ISPASS 2022, section III. */
static void derive_overhead(struct table *t, const struct costs *costs) {
    size_t total = metric_index(t, costs->total);
    size_t distilled = metric_index(t, costs->distilled);
    size_t minimum = metric_index(t, costs->minimum);
    size_t overhead = metric_index(t, costs->overhead);
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        size_t least = is_on_arm(&t->plan->cells[i]) ? distilled_cell(t, distilled, i) : SIZE_MAX;
        for (unsigned r = 0; least != SIZE_MAX && r < t->plan->rounds; r++) {
            values_of(t, minimum, i)[r] = values_of(t, distilled, least)[r];
            values_of(t, overhead, i)[r] =
                values_of(t, total, i)[r] / median_of(t, distilled, least);
        }
    }
}

/* ---- Verdicts ---- */

static bool is_compared(const struct table *t, size_t cell) {
    const struct hm_cell *c = &t->plan->cells[cell];
    return c->baseline != cell && !has_failed(t, cell) && !has_failed(t, c->baseline);
}

static double median_ratio(struct table *t, size_t metric, size_t cell) {
    hm_log_ratios(values_of(t, metric, t->plan->cells[cell].baseline), values_of(t, metric, cell),
                  t->horizon, t->scratch);
    return hm_paired_of(t->scratch, t->horizon, t->scratch).ratio;
}

/* The widest A/A deviation of a workload; when it is NULL, of all on which anything is compared, as how
 * threads without a heap contend is no noise of the others. */
static double noise_of(struct table *t, size_t metric, const struct hm_workload_arm *workload) {
    double widest = NAN;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *c = &t->plan->cells[i];
        if (!c->arm->again || !is_compared(t, i) ||
            (workload ? c->group->workload != workload
                      : !c->group->program && !hm_workload_has_heap(c->group->workload->spec.part)))
            continue;
        double ratio = median_ratio(t, metric, i);
        double noise = hm_noise_floor(&ratio, 1);
        if (isfinite(noise) && !(noise < widest))
            widest = noise;
    }
    return widest;
}

/* Of a program, processor time is judged, too: on a shared machine it is far steadier than wall time. */
static bool is_judged(const struct table *t, size_t metric) {
    const struct hm_metric *m = &t->metrics[metric];
    return m->verdict || (t->plan->programs && strcmp(m->name, "cpu_ns") == 0);
}

static bool is_looked(const struct table *t, size_t metric) {
    unsigned timed = t->extent[metric_index(t, hm_pass_lead(t->plan, HM_PASS_TIME))];
    unsigned extent = t->extent[metric];
    return t->plan->looks.count && !hm_metric_is_counted(&t->metrics[metric]) &&
           (extent >= timed || extent > hm_plan_rounds(t->plan, HM_PASS_SPACE));
}

static double level_of(const struct table *t, size_t metric) {
    return is_looked(t, metric) ? hm_looks_level(&t->plan->looks) : HM_LEVEL;
}

/* Every comparison of the metric has its place; a cell that failed is asked nothing. @return how many */
static size_t choose_comparisons(struct table *t, size_t metric) {
    size_t count = 0;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *c = &t->plan->cells[i];
        t->compared[i] = SIZE_MAX;
        if (c->baseline == i || c->arm->control || !is_judged(t, metric))
            continue;
        t->compared[i] = count;
        t->comparisons[count++] = (struct hm_comparison){
            .logs = t->logs + i * t->plan->rounds,
            .margin = t->plan->margin,
            .counted = hm_metric_is_counted(&t->metrics[metric]),
            .higher_is_better = t->metrics[metric].better == HM_BETTER_HIGHER};
    }
    return count;
}

/* The comparisons as they are with the rounds before the horizon. */
static void show_rounds(struct table *t, size_t metric, unsigned horizon) {
    t->horizon = horizon;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *c = &t->plan->cells[i];
        if (t->compared[i] == SIZE_MAX)
            continue;
        struct hm_comparison *one = &t->comparisons[t->compared[i]];
        one->rounds = is_compared(t, i) ? horizon : 0;
        one->noise = c->arm->again ? NAN : noise_of(t, metric, c->group->workload);
        hm_log_ratios(values_of(t, metric, c->baseline), values_of(t, metric, i), one->rounds,
                      t->logs + i * t->plan->rounds);
    }
}

/* Nothing is decided before the first look. */
static void judge_nothing(struct table *t, size_t metric, size_t count) {
    show_rounds(t, metric, t->plan->rounds);
    for (size_t i = 0; i < count; i++)
        t->comparisons[i].margin = NAN;
    hm_judge_look(t->comparisons, count, level_of(t, metric), t->order, t->scratch);
}

static void judge_metric(struct table *t, size_t metric) {
    const struct hm_looks *looks = &t->plan->looks;
    size_t count = choose_comparisons(t, metric);
    if (!is_looked(t, metric)) {
        show_rounds(t, metric, t->plan->rounds);
        hm_judge(t->comparisons, count, t->order, t->scratch);
        return;
    }
    if (!looks->held)
        judge_nothing(t, metric, count);
    for (unsigned k = 0; k < looks->held; k++) {
        show_rounds(t, metric, looks->rounds[k]);
        hm_judge_look(t->comparisons, count, hm_looks_level(looks), t->order, t->scratch);
    }
    t->horizon = t->plan->rounds;
}

static void put_numbers(FILE *out, const double *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fputc(',', out);
        hm_csv_put_number(out, values[i]);
    }
}

static void put_identity(FILE *out, const struct hm_cell *c, const struct hm_metric *metric) {
    char params[HM_SPEC_BYTES];
    const char *const texts[] = {c->id, c->arm->label, c->collector ? c->collector->label : "-",
                                 hm_group_workload(c->group), hm_group_params(c->group, params)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hm_csv_put_text(out, texts[i]);
        fputc(',', out);
    }
    hm_csv_put_number(out, c->group->program ? NAN : (double)c->group->threads);
    fprintf(out, ",%s,%s,%s", metric->name, metric->unit, hm_better_name(metric->better));
}

/* Of what is counted the interval is all that was seen, from one round on. */
static void put_spread(FILE *out, const struct table *t, size_t metric, size_t cell) {
    double low = NAN;
    double high = NAN;
    double *sorted = t->scratch;
    size_t n = hm_finite(values_of(t, metric, cell), t->plan->rounds, sorted);
    hm_sort(sorted, n);
    if (hm_metric_is_counted(&t->metrics[metric]) && n) {
        low = sorted[0];
        high = sorted[n - 1];
    } else {
        hm_median_interval(sorted, n, 1 - level_of(t, metric), &low, &high);
    }
    const double numbers[] = {hm_quantile(sorted, n, 0.5), hm_quantile(sorted, n, 0.25),
                              hm_quantile(sorted, n, 0.75), low, high};
    fprintf(out, ",%zu", n);
    put_numbers(out, numbers, 5);
}

static void put_comparison(FILE *out, struct table *t, size_t metric, size_t cell) {
    const struct hm_cell *c = &t->plan->cells[cell];
    const char *verdict = "NA";
    struct hm_paired paired = {.ratio = NAN, .low = NAN, .high = NAN};
    double decided_after = NAN;
    if (t->compared[cell] != SIZE_MAX && is_compared(t, cell)) {
        const struct hm_comparison *one = &t->comparisons[t->compared[cell]];
        if (is_looked(t, metric) && one->settled_after)
            decided_after = one->settled_after;
        paired = t->comparisons[t->compared[cell]].paired;
        verdict = hm_verdict_name(t->comparisons[t->compared[cell]].verdict);
    } else if (is_compared(t, cell)) {
        hm_log_ratios(values_of(t, metric, c->baseline), values_of(t, metric, cell),
                      t->plan->rounds, t->scratch);
        paired =
            hm_metric_is_counted(&t->metrics[metric])
                ? hm_paired_range(t->scratch, t->plan->rounds, t->scratch)
                : hm_paired_at(t->scratch, t->plan->rounds, 1 - level_of(t, metric), t->scratch);
    } else if (c->baseline == cell) {
        paired.ratio = 1;
    }
    const double numbers[] = {paired.ratio, paired.low, paired.high};
    fputc(',', out);
    hm_csv_put_text(out, t->plan->cells[c->baseline].id);
    put_numbers(out, numbers, 3);
    const double rule[] = {1 - level_of(t, metric), decided_after};
    fprintf(out, ",%s", verdict);
    put_numbers(out, rule, 2);
    fputc('\n', out);
}

static bool has_values(const double *values, size_t rounds) {
    for (size_t i = 0; i < rounds; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

static void put_metric(FILE *out, struct table *t, size_t metric) {
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const double *values = values_of(t, metric, i);
        if (has_failed(t, i) || !has_values(values, t->plan->rounds))
            continue;
        put_identity(out, &t->plan->cells[i], &t->metrics[metric]);
        put_spread(out, t, metric, i);
        put_comparison(out, t, metric, i);
    }
}

static void keep_verdicts(const struct table *t, struct hm_plan *plan) {
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct hm_cell *c = &plan->cells[i];
        bool compared = t->compared[i] != SIZE_MAX && is_compared(t, i);
        const struct hm_comparison *one = compared ? &t->comparisons[t->compared[i]] : NULL;
        c->rounds_needed = one ? one->rounds_needed : 0;
        c->verdict = one ? hm_verdict_name(one->verdict) : NULL;
        c->decided_after = one && plan->looks.count ? one->settled_after : 0;
    }
}

static int write_table(struct table *t, const struct hm_folder *folder, struct hm_plan *plan,
                       struct hm_noise *noise, struct hm_error *error) {
    char path[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out)
        fputs(header, out);
    for (size_t m = 0; out && m < t->metric_count; m++) {
        judge_metric(t, m);
        if (strcmp(t->metrics[m].name, hm_pass_lead(plan, HM_PASS_TIME)) == 0) {
            *noise = (struct hm_noise){t->metrics[m].name, noise_of(t, m, NULL)};
            keep_verdicts(t, plan);
        }
        put_metric(out, t, m);
    }
    int bad = out && fclose(out) == 0
                  ? hm_file_replace(hm_folder_file(folder, "stats.csv", path), text, size, error)
                  : hm_fail(error, ENOMEM, "out of memory for stats.csv");
    free(text);
    return bad;
}

static int read_table(struct table *t, const struct hm_folder *folder, const struct hm_plan *plan,
                      struct hm_error *error) {
    int bad = make_table(t, plan);
    return bad ? hm_fail(error, bad, "out of memory for stats.csv")
               : hm_samples_read(folder, plan, take_sample, t, error);
}

int hm_stats_write(const struct hm_folder *folder, struct hm_plan *plan, struct hm_noise *noise,
                   struct hm_error *error) {
    struct table t;
    int bad = read_table(&t, folder, plan, error);
    if (!bad) {
        for (size_t i = 0; i < sizeof kinds_of_cost / sizeof *kinds_of_cost; i++)
            derive_overhead(&t, &kinds_of_cost[i]);
        bad = write_table(&t, folder, plan, noise, error);
    }
    free_table(&t);
    return bad;
}

int hm_stats_look(const struct hm_folder *folder, struct hm_plan *plan, struct hm_error *error) {
    struct table t;
    int bad = read_table(&t, folder, plan, error);
    if (!bad) {
        judge_metric(&t, metric_index(&t, hm_pass_lead(plan, HM_PASS_TIME)));
        keep_verdicts(&t, plan);
    }
    free_table(&t);
    return bad;
}

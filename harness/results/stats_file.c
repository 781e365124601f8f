/* stats.csv: from samples to verdicts.
 *
 * Everything is computed for one metric at a time: its values by cell and round, then the A/A noise
 * of each workload, then the verdicts of the whole matrix, then the rows. */
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
    "ci_high,baseline,ratio,ratio_low,ratio_high,verdict\n";

static const double confidence = 0.95;

/* The samples of all metrics, and the work space for one of them. */
struct table {
    const struct hm_plan *plan;
    const struct hm_metric *metrics;
    size_t metric_count;
    double *values; /* [metric][cell][round]; NAN where there is none */
    bool *failed;   /* [cell] */
    double *logs;   /* [cell][round] against the cell's baseline */
    double *scratch;
    struct hm_comparison *comparisons; /* of those cells that are compared */
    struct hm_test **order;
    size_t *compared; /* [cell]: index of its comparison, or SIZE_MAX */
};

static double *values_of(const struct table *t, size_t metric, size_t cell) {
    return t->values + (metric * t->plan->cell_count + cell) * t->plan->rounds;
}

static void free_table(struct table *t) {
    free(t->values);
    free(t->failed);
    free(t->logs);
    free(t->scratch);
    free(t->comparisons);
    free(t->order);
    free(t->compared);
}

static int make_table(struct table *t, const struct hm_plan *plan) {
    size_t cells = plan->cell_count + 1;
    size_t rounds = plan->rounds;
    *t = (struct table){.plan = plan};
    t->metrics = hm_metrics(&t->metric_count);
    size_t all = t->metric_count * cells * rounds;
    t->values = malloc(all * sizeof *t->values);
    t->failed = calloc(cells, sizeof *t->failed);
    t->logs = malloc(cells * rounds * sizeof *t->logs);
    t->scratch = malloc(rounds * sizeof *t->scratch);
    t->comparisons = calloc(cells, sizeof *t->comparisons);
    t->order = calloc(cells, sizeof(*t->order));
    t->compared = calloc(cells, sizeof *t->compared);
    if (!t->values || !t->failed || !t->logs || !t->scratch || !t->comparisons || !t->order ||
        !t->compared)
        return ENOMEM;
    for (size_t i = 0; i < all; i++)
        t->values[i] = NAN;
    return 0;
}

static void take_sample(void *arg, size_t cell, const char *metric, unsigned round, double value,
                        const char *status, const char *reason) {
    struct table *t = arg;
    (void)reason;
    if (strcmp(status, "ok") != 0)
        t->failed[cell] = true;
    for (size_t m = 0; m < t->metric_count && round < t->plan->rounds; m++)
        if (strcmp(t->metrics[m].name, metric) == 0)
            values_of(t, m, cell)[round] = value;
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

/* The least that the work of this cell is known to cost without a collector's explicit work: the
 * smallest median of `mutator` among all collectors on the same allocator. NAN: not known */
static double distilled_minimum(struct table *t, size_t mutator, size_t cell) {
    const struct hm_cell *c = &t->plan->cells[cell];
    double least = NAN;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *other = &t->plan->cells[i];
        if (other->group != c->group || other->arm != c->arm || t->failed[i] || !is_on_arm(other))
            continue;
        least = fmin(least, median_of(t, mutator, i));
    }
    return least;
}

/* Cai et al., Distilling the real cost of production garbage collectors, ISPASS 2022, section III. */
static void derive_overhead(struct table *t) {
    size_t overhead = metric_index(t, "lower_bound_overhead");
    size_t mutator = metric_index(t, "mutator_ns");
    size_t time = metric_index(t, "time_ns");
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        if (!is_on_arm(&t->plan->cells[i]))
            continue;
        double least = distilled_minimum(t, mutator, i);
        for (unsigned r = 0; r < t->plan->rounds; r++)
            values_of(t, overhead, i)[r] = values_of(t, time, i)[r] / least;
    }
}

/* ---- Verdicts ---- */

static bool is_compared(const struct table *t, size_t cell) {
    const struct hm_cell *c = &t->plan->cells[cell];
    return c->baseline != cell && !t->failed[cell] && !t->failed[c->baseline];
}

static double median_ratio(struct table *t, size_t metric, size_t cell) {
    unsigned rounds = t->plan->rounds;
    hm_log_ratios(values_of(t, metric, t->plan->cells[cell].baseline), values_of(t, metric, cell),
                  rounds, t->scratch);
    return hm_paired_of(t->scratch, rounds, t->scratch).ratio;
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

static void judge_metric(struct table *t, size_t metric) {
    unsigned rounds = t->plan->rounds;
    size_t count = 0;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_cell *c = &t->plan->cells[i];
        double *logs = t->logs + i * rounds;
        t->compared[i] = SIZE_MAX;
        if (!is_compared(t, i) || c->arm->control || !is_judged(t, metric))
            continue;
        hm_log_ratios(values_of(t, metric, c->baseline), values_of(t, metric, i), rounds, logs);
        t->compared[i] = count;
        t->comparisons[count++] = (struct hm_comparison){
            .logs = logs,
            .rounds = rounds,
            .margin = t->plan->margin,
            .noise = c->arm->again ? NAN : noise_of(t, metric, c->group->workload),
            .counted = hm_metric_is_counted(&t->metrics[metric]),
            .higher_is_better = t->metrics[metric].better == HM_BETTER_HIGHER};
    }
    hm_judge(t->comparisons, count, t->order, t->scratch);
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
static void put_spread(FILE *out, const double *values, size_t rounds, bool counted,
                       double *sorted) {
    double low = NAN;
    double high = NAN;
    size_t n = hm_finite(values, rounds, sorted);
    hm_sort(sorted, n);
    if (counted && n) {
        low = sorted[0];
        high = sorted[n - 1];
    } else {
        hm_median_interval(sorted, n, confidence, &low, &high);
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
    if (t->compared[cell] != SIZE_MAX) {
        paired = t->comparisons[t->compared[cell]].paired;
        verdict = hm_verdict_name(t->comparisons[t->compared[cell]].verdict);
    } else if (is_compared(t, cell)) {
        hm_log_ratios(values_of(t, metric, c->baseline), values_of(t, metric, cell),
                      t->plan->rounds, t->scratch);
        paired = hm_metric_is_counted(&t->metrics[metric])
                     ? hm_paired_range(t->scratch, t->plan->rounds, t->scratch)
                     : hm_paired_of(t->scratch, t->plan->rounds, t->scratch);
    } else if (c->baseline == cell) {
        paired.ratio = 1;
    }
    const double numbers[] = {paired.ratio, paired.low, paired.high};
    fputc(',', out);
    hm_csv_put_text(out, t->plan->cells[c->baseline].id);
    put_numbers(out, numbers, 3);
    fprintf(out, ",%s\n", verdict);
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
        if (t->failed[i] || !has_values(values, t->plan->rounds))
            continue;
        put_identity(out, &t->plan->cells[i], &t->metrics[metric]);
        put_spread(out, values, t->plan->rounds, hm_metric_is_counted(&t->metrics[metric]),
                   t->scratch);
        put_comparison(out, t, metric, i);
    }
}

static void keep_rounds_needed(const struct table *t, struct hm_plan *plan) {
    for (size_t i = 0; i < plan->cell_count; i++)
        plan->cells[i].rounds_needed =
            t->compared[i] == SIZE_MAX ? 0 : t->comparisons[t->compared[i]].rounds_needed;
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
            keep_rounds_needed(t, plan);
        }
        put_metric(out, t, m);
    }
    int bad = out && fclose(out) == 0
                  ? hm_file_replace(hm_folder_file(folder, "stats.csv", path), text, size, error)
                  : hm_fail(error, ENOMEM, "out of memory for stats.csv");
    free(text);
    return bad;
}

int hm_stats_write(const struct hm_folder *folder, struct hm_plan *plan, struct hm_noise *noise,
                   struct hm_error *error) {
    struct table t;
    int bad = make_table(&t, plan);
    if (bad)
        hm_fail(error, bad, "out of memory for stats.csv");
    else
        bad = hm_samples_read(folder, plan, take_sample, &t, error);
    if (!bad) {
        derive_overhead(&t);
        bad = write_table(&t, folder, plan, noise, error);
    }
    free_table(&t);
    return bad;
}

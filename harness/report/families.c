/* The arms of a run over all their cells.
 *
 * Vocabulary
 *   family   the cells of one allocator under one collector, each by its ratio to its own baseline. The
 *            mean of their logarithms is taken in each round, so that the rounds stay the sample
 *   member   a cell of it, with its ratio and verdict as they stand in stats.csv. The A/A arm, floors and
 *            baselines are none */
#include "harness/report/families.h"

#include "harness/compare/side.h"
#include "harness/plan/spec.h"
#include "harness/report/cells.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"
#include "harness/stats/family.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT = HM_SPEC_BYTES + 64,
    MARGIN = 2,
    WORST_MARGIN = 4,
    LABEL_END = 41, /* where ratios begin */
    RATIO_WIDTH = 24,
};

struct member {
    const struct hm_side_cell *cell;
    const struct hm_metric *metric;
    char group[TEXT]; /* workload and threads */
    double ratio, low, high, confidence;
    char verdict[32];
};

struct members {
    struct hm_side side;
    struct member *at;
    size_t count;
    size_t *tested; /* [metric]: what Holm's correction is over */
    const struct hm_metric *metrics;
};

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

static double number(const struct hm_csv *csv, const char *name) {
    double value = NAN;
    hm_csv_number(csv, hm_csv_column(csv, name), &value);
    return value;
}

static bool ends(const char *text, const char *with) {
    size_t length = strlen(text);
    return length >= strlen(with) && strcmp(text + length - strlen(with), with) == 0;
}

/* One metric for each question: the others of a pass are in stats.csv. */
static bool is_shown(const struct hm_metric *metric, bool program) {
    const char *name = metric->name;
    if (strcmp(name, program ? "peak_rss_bytes" : "footprint_bytes") == 0 ||
        strcmp(name, "ops_per_second") == 0 || strcmp(name, "instructions_per_op") == 0 ||
        strcmp(name, "cpu_cycles_per_op") == 0)
        return true;
    return metric->verdict && (ends(name, "_p50_ns") || ends(name, "_p99_ns"));
}

/* ---- Members ---- */

static int take_row(struct members *m, const struct hm_csv *csv) {
    const struct hm_metric *metric = hm_metric_find(field(csv, "metric"));
    const char *verdict = field(csv, "verdict");
    if (!metric || strcmp(verdict, "NA") == 0 || !is_shown(metric, hm_words_is_program(csv)))
        return 0;
    m->tested[metric - m->metrics] +=
        isfinite(number(csv, "ratio_low")) && !hm_metric_is_counted(metric);
    const struct hm_side_cell *cell = hm_side_find(&m->side, field(csv, "cell"));
    if (!cell || cell->failure || cell->again || cell->control || !cell->baseline)
        return 0;
    struct member *one = hm_report_append(&m->at, &m->count, sizeof *one);
    if (!one)
        return ENOMEM;
    double confidence = number(csv, "confidence"); /* of a run with looks, more than usual */
    *one = (struct member){.cell = cell,
                           .confidence = isfinite(confidence) ? confidence : HM_CONFIDENCE,
                           .metric = metric,
                           .ratio = number(csv, "ratio"),
                           .low = number(csv, "ratio_low"),
                           .high = number(csv, "ratio_high")};
    hm_words_group(csv, one->group, sizeof one->group);
    snprintf(one->verdict, sizeof one->verdict, "%s", hm_words_verdict(metric, verdict));
    return 0;
}

static int read_members(struct members *m, const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/stats.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        if ((bad = take_row(m, csv)))
            hm_fail(error, bad, "out of memory");
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

static bool is_of(const struct member *one, const struct member *first) {
    return one->metric == first->metric &&
           strcmp(one->cell->allocator, first->cell->allocator) == 0 &&
           strcmp(one->cell->collector, first->cell->collector) == 0;
}

static bool is_first(const struct members *m, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (is_of(&m->at[k], &m->at[i]))
            return false;
    return true;
}

/* ---- The mean ---- */

static const struct hm_series *baseline_series(struct hm_side *side, const struct member *one) {
    const struct hm_side_cell *cell = hm_side_find(side, one->cell->baseline);
    return cell && !cell->failure ? hm_side_series(cell, one->metric) : NULL;
}

/* @param logs `rounds` entries; what is missing stays so */
static void put_logs(double *logs, size_t rounds, const struct hm_series *base,
                     const struct hm_series *arm) {
    size_t both = base && arm ? (base->rounds < arm->rounds ? base->rounds : arm->rounds) : 0;
    if (both)
        hm_log_ratios(base->values, arm->values, both, logs);
    for (size_t r = both; r < rounds; r++)
        logs[r] = NAN;
}

static size_t rounds_of(const struct members *m) {
    size_t rounds = 1;
    for (size_t i = 0; i < m->count; i++) {
        const struct hm_series *s = hm_side_series(m->at[i].cell, m->at[i].metric);
        rounds = s && s->rounds > rounds ? s->rounds : rounds;
    }
    return rounds;
}

/* Of what is counted, from the least to the greatest. */
static void range_of(const double *const *logs, size_t cells, size_t rounds, double *scratch,
                     struct hm_paired *out) {
    for (size_t r = 0; r < rounds; r++) {
        scratch[r] = 0;
        for (size_t i = 0; i < cells; i++)
            scratch[r] += logs[i][r] / (double)cells;
    }
    *out = hm_paired_range(scratch, rounds, scratch);
}

/* @return 0 or ENOMEM, and *out untouched */
static int mean_of(struct members *m, size_t first, size_t cells, struct hm_paired *out) {
    size_t rounds = rounds_of(m);
    double *store = malloc((cells + 1) * rounds * sizeof *store);
    const double **logs = malloc(cells * sizeof *logs);
    size_t used = 0;
    for (size_t i = first; store && logs && i < m->count; i++) {
        const struct member *one = &m->at[i];
        if (!is_of(one, &m->at[first]))
            continue;
        put_logs(store + used * rounds, rounds, baseline_series(&m->side, one),
                 hm_side_series(one->cell, one->metric));
        logs[used] = store + used * rounds;
        used++;
    }
    if (used && hm_metric_is_counted(m->at[first].metric))
        range_of(logs, used, rounds, store + used * rounds, out);
    else if (used)
        hm_family_at(logs, used, rounds, m->at[first].confidence, store + used * rounds, out);
    free(logs);
    free(store);
    return used ? 0 : ENOMEM;
}

/* ---- The table ---- */

static void put_ratio(FILE *out, double ratio, double low, double high, const char *verdict) {
    char text[64];
    hm_words_ratio(ratio, low, high, RATIO_WIDTH, text, sizeof text);
    fprintf(out, "%-*s %s\n", RATIO_WIDTH, text, verdict);
}

static bool is_worse(const struct member *one, const struct member *other) {
    if (!isfinite(one->ratio) || !isfinite(other->ratio))
        return isfinite(one->ratio);
    return one->metric->better == HM_BETTER_HIGHER ? one->ratio < other->ratio
                                                   : one->ratio > other->ratio;
}

static void put_worst(FILE *out, const struct member *worst) {
    char label[TEXT + 16];
    snprintf(label, sizeof label, "worst: %s", worst->group);
    hm_words_put_label(out, label, WORST_MARGIN, LABEL_END - WORST_MARGIN);
    put_ratio(out, worst->ratio, worst->low, worst->high, worst->verdict);
}

static int put_family(FILE *out, struct members *m, size_t first) {
    char label[4 * TEXT];
    char name[2 * TEXT];
    size_t cells = 0;
    const struct member *worst = &m->at[first];
    for (size_t i = first; i < m->count; i++) {
        if (!is_of(&m->at[i], &m->at[first]))
            continue;
        cells++;
        if (is_worse(&m->at[i], worst))
            worst = &m->at[i];
    }
    hm_words_arm(worst->cell->allocator, worst->cell->collector, name, sizeof name);
    if (cells == 1) {
        snprintf(label, sizeof label, "%s: %s", name, worst->group);
        hm_words_put_label(out, label, MARGIN, LABEL_END - MARGIN);
        put_ratio(out, worst->ratio, worst->low, worst->high, worst->verdict);
        return 0;
    }
    struct hm_paired mean = {.ratio = NAN, .low = NAN, .high = NAN};
    int bad = mean_of(m, first, cells, &mean);
    snprintf(label, sizeof label, "%s, %zu cells", name, cells);
    hm_words_put_label(out, label, MARGIN, LABEL_END - MARGIN);
    put_ratio(out, mean.ratio, mean.low, mean.high, "mean");
    put_worst(out, worst);
    return bad;
}

static void put_head(FILE *out, const struct members *m, const struct member *first) {
    const struct hm_metric *metric = first->metric;
    bool speed = strcmp(metric->name, "ops_per_second") == 0;
    size_t tested = m->tested[metric - m->metrics];
    fprintf(out, "\n%s, better is %s; ", speed ? "speed" : metric->name,
            hm_better_name(metric->better));
    if (hm_metric_is_counted(metric))
        fputs("counted, and so without a test", out);
    else if (tested)
        fprintf(out, "Holm over %zu comparison%s", tested, tested == 1 ? "" : "s");
    else
        fputs("too few rounds for a test", out);
    if (tested && first->confidence > HM_CONFIDENCE)
        fprintf(out, "; intervals at %.4g %%", first->confidence * 100);
    fputc('\n', out);
}

static void put_intro(FILE *out, const struct members *m) {
    double margin = json_number_value(json_object_get(m->side.run, "margin"));
    fprintf(out,
            "\nAgainst the baseline, over all cells of an arm: geometric mean of the ratios\n"
            "[%s], and the worst cell with its verdict. Margin %.3g %%; differences\n"
            "have to exceed those of the A/A arm, too. All ratios are in stats.csv.\n",
            json_object_get(m->side.run, "looks") ? "interval" : "95 % interval", margin * 100);
}

static bool is_alone(const struct members *m, size_t first) {
    for (size_t i = 0; i < m->count; i++)
        if (i != first && is_of(&m->at[i], &m->at[first]))
            return false;
    return true;
}

/* A cell that is alone is in a table of its own with its speed, or its instructions; without an interval there
 * is nothing to add. */
static bool is_news(const struct members *m, size_t first) {
    const struct member *one = &m->at[first];
    return !is_alone(m, first) ||
           (isfinite(one->low) && strcmp(one->metric->name, "ops_per_second") != 0 &&
            !hm_metric_is_counted(one->metric));
}

static int put_families(FILE *out, struct members *m) {
    size_t shown = m->count; /* the last one that was shown */
    int bad = 0;
    for (size_t i = 0; !bad && i < m->count; i++) {
        if (!is_first(m, i) || !is_news(m, i))
            continue;
        if (shown == m->count)
            put_intro(out, m);
        if (shown == m->count || m->at[i].metric != m->at[shown].metric)
            put_head(out, m, &m->at[i]);
        shown = i;
        bad = put_family(out, m, i);
    }
    return bad;
}

int hm_families_print(FILE *out, const char *folder, struct hm_error *error) {
    size_t count;
    struct hm_error none;
    struct members m = {.metrics = hm_metrics(&count)};
    m.tested = calloc(count, sizeof *m.tested);
    int bad = m.tested ? 0 : hm_fail(error, ENOMEM, "out of memory");
    if (!bad && !hm_side_read(&m.side, folder, &none)) {
        bad = read_members(&m, folder, error);
        if (!bad && put_families(out, &m))
            bad = hm_fail(error, ENOMEM, "out of memory");
    }
    hm_side_free(&m.side);
    free(m.at);
    free(m.tested);
    return bad;
}

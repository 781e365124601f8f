/* The sentences that table and markdown share. */
#include "harness/compare/show.h"

#include "harness/report/cells.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE = 1024,
};

void hm_lines_add(struct hm_lines *lines, const char *text) {
    char *copy = strdup(text);
    char **line = copy ? hm_report_append(&lines->at, &lines->count, sizeof *line) : NULL;
    if (line)
        *line = copy;
    else
        free(copy);
}

void hm_lines_free(struct hm_lines *lines) {
    for (size_t i = 0; i < lines->count; i++)
        free(lines->at[i]);
    free(lines->at);
}

__attribute__((format(printf, 2, 3))) static void say(struct hm_lines *out, const char *format,
                                                      ...) {
    char line[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hm_lines_add(out, line);
}

const char *hm_compare_ratio_text(double ratio, double low, double high, char *out, size_t size) {
    if (!isfinite(ratio))
        snprintf(out, size, "NA");
    else if (isfinite(low))
        snprintf(out, size, "%.4g [%.4g, %.4g]", ratio, low, high);
    else
        snprintf(out, size, "%.4g [NA]", ratio);
    return out;
}

const char *hm_compare_verdict_text(const struct hm_unpaired *one, char *out, size_t size) {
    if (!one->has_interval)
        snprintf(out, size, isfinite(one->ratio) ? "few rounds" : "no ratio");
    else if (one->verdict == HM_INCONCLUSIVE && one->rounds_needed)
        snprintf(out, size, "needs ~%zu", one->rounds_needed);
    else
        snprintf(out, size, "%s", hm_verdict_name(one->verdict));
    return out;
}

static long long rounds_of(const struct hm_side *side) {
    return (long long)json_integer_value(json_object_get(side->run, "rounds"));
}

static void say_side(const struct hm_side *side, struct hm_lines *out) {
    say(out, "%-4s %s: %s, %lld rounds", side->name, side->folder,
        hm_side_text(side, NULL, "started_utc"), rounds_of(side));
}

static size_t by_ratio(const struct hm_compare *all) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += all->cells[i].reference != NULL;
    return count;
}

/* How far the references of one metric have moved: the median of them would hide the widest. */
static void say_drift(const struct hm_compare *all, const struct hm_metric *metric,
                      struct hm_lines *out) {
    double sum = 0;
    size_t count = 0;
    const struct hm_drift *least = NULL;
    const struct hm_drift *most = NULL;
    for (size_t i = 0; i < all->drift_count; i++) {
        const struct hm_drift *d = &all->drifts[i];
        if (d->metric != metric || !isfinite(d->ratio))
            continue;
        sum += log(d->ratio);
        count++;
        least = !least || d->ratio < least->ratio ? d : least;
        most = !most || d->ratio > most->ratio ? d : most;
    }
    if (count)
        say(out, "drift: %s of the baselines went by a factor of %.4g (%.4g of %s to %.4g of %s)",
            metric->name, exp(sum / (double)count), least->ratio, least->cell->id, most->ratio,
            most->cell->id);
}

static void say_drifts(const struct hm_compare *all, struct hm_lines *out) {
    const struct hm_metric *before = NULL;
    for (size_t i = 0; i < all->drift_count; i++) {
        const struct hm_metric *metric = all->drifts[i].metric;
        if (metric != before && (metric->verdict || !before))
            say_drift(all, metric, out);
        before = metric;
    }
}

static void say_basis(const struct hm_compare *all, struct hm_lines *out) {
    size_t ratios = by_ratio(all);
    if (ratios)
        say(out,
            "of %zu comparisons, %zu are of ratios to an arm of the same rounds: drift is taken "
            "out",
            all->count, ratios);
    size_t exposed = 0;
    for (size_t i = 0; i < all->count; i++)
        exposed += !all->cells[i].reference && hm_compare_drifts(all->cells[i].metric);
    if (exposed)
        say(out, "times by value, marked *: %zu; what the machine did between the runs is in them",
            exposed);
}

void hm_compare_preface(const struct hm_compare_report *report, struct hm_lines *out) {
    const struct hm_compare *all = report->all;
    say_side(&all->base, out);
    say_side(&all->fresh, out);
    for (size_t i = 0; i < report->misfits.count; i++)
        say(out, "FORCED: %s", report->misfits.at[i]);
    for (size_t i = 0; i < report->notes.count; i++)
        say(out, "note: %s", report->notes.at[i]);
    if (isfinite(all->noise))
        say(out, "margin %.3g %%, A/A noise up to %.3g %%; Holm over %zu comparisons",
            all->margin * 100, all->noise * 100, hm_compare_tested(all));
    else
        say(out, "margin %.3g %%, no A/A arm tells the noise; Holm over %zu comparisons",
            all->margin * 100, hm_compare_tested(all));
    say_drifts(all, out);
    say_basis(all, out);
}

void hm_compare_absent(const struct hm_compare_report *report, struct hm_lines *out) {
    struct hm_compare *all = report->all;
    for (size_t i = 0; i < all->fresh.count; i++) {
        const struct hm_side_cell *fresh = &all->fresh.cells[i];
        const struct hm_side_cell *base = hm_side_find(&all->base, fresh->id);
        if (hm_compare_broke(all, fresh))
            say(out, "%s: failed in NEW, and not in BASE: %s", fresh->id, fresh->failure);
        else if (fresh->failure)
            say(out, "%s: failed in NEW%s: %s", fresh->id, base ? " and in BASE" : "",
                fresh->failure);
        else if (base && base->failure)
            say(out, "%s: failed in BASE only: %s", fresh->id, base->failure);
        else if (!base)
            say(out, "%s: in NEW only", fresh->id);
    }
    for (size_t i = 0; i < all->base.count; i++)
        if (!hm_side_find(&all->fresh, all->base.cells[i].id))
            say(out, "%s: in BASE only", all->base.cells[i].id);
    size_t count;
    const struct hm_metric *metrics = hm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        size_t lost = hm_compare_lost(all, &metrics[i]);
        if (lost)
            say(out, "%s: of %zu cell%s in BASE only", metrics[i].name, lost, lost == 1 ? "" : "s");
    }
}

static void say_worst(const struct hm_compare *all, struct hm_lines *out) {
    char ratio[64];
    char verdict[32];
    size_t worst = hm_compare_worst(all, NULL);
    if (worst == SIZE_MAX)
        return;
    const struct hm_unpaired *j = &all->judged[worst];
    say(out, "worst: %s of %s: %s, %s", all->cells[worst].metric->name, all->cells[worst].base->id,
        hm_compare_ratio_text(j->ratio, j->low, j->high, ratio, sizeof ratio),
        hm_compare_verdict_text(j, verdict, sizeof verdict));
}

static const char *meaning(int status) {
    static const char *const texts[] = {"no regression was found",
                                        "cells failed that did not before", NULL, "regression",
                                        "not settled at this number of rounds"};
    return status >= 0 && status < 5 && texts[status] ? texts[status] : "";
}

void hm_compare_summary(const struct hm_compare_report *report, struct hm_lines *out) {
    const struct hm_compare *all = report->all;
    say_worst(all, out);
    say(out, "%zu slower, %zu faster, %zu equivalent, %zu inconclusive: %s",
        hm_compare_count(all, HM_SLOWER), hm_compare_count(all, HM_FASTER),
        hm_compare_count(all, HM_EQUIVALENT), hm_compare_count(all, HM_INCONCLUSIVE),
        meaning(report->status));
}

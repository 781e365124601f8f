/* The fronts of a run's sweeps. */
#include "harness/compare/fronts.h"

#include "harness/compare/side.h"
#include "harness/plan/spec.h"
#include "harness/stats/order.h"
#include "harness/stats/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIME,
    SPACE,
    METRICS,
    ARMS_MAX = 256,
    NAME_WIDTH = 18,
    PAGE_WIDTH = 80,
};

static const char *const metric_names[METRICS] = {"time_ns", "footprint_bytes"};

/* One value of the sweep. */
struct arm {
    char name[HM_SPEC_BYTES];
    bool unswept;
    double number;                   /* to sort by; NAN: not one number */
    const struct hm_side_cell *cell; /* NULL: the run has none */
    double medians[METRICS];
};

struct field {
    struct hm_side *side;
    const json_t *sweep;
    char *workload;                  /* with its parameters, as in the id */
    const struct hm_side_cell *like; /* any of its cells */
    struct arm arms[ARMS_MAX];
    size_t count;
    size_t rounds;
    double noise[METRICS];
    /* Of arm i against arm j at [(i * count + j) * METRICS + metric]; i < j is judged, the others are left empty. */
    struct hm_comparison *judged;
};

/* ---- Reading ---- */

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_collector(const json_t *sweep) {
    return strcmp(text_of(sweep, "kind"), "collector") == 0;
}

static const char *label_of(const struct hm_side_cell *cell, const json_t *sweep) {
    return is_collector(sweep) ? cell->collector : cell->allocator;
}

static const struct hm_series *series_of(const struct hm_side_cell *cell, int metric) {
    return hm_side_series(cell, hm_metric_find(metric_names[metric]));
}

/* The id begins with the workload as the user named it. The caller frees. */
static char *workload_of(const struct hm_side_cell *cell) {
    char *middle;
    if (asprintf(&middle, "/%s/", cell->allocator) < 0)
        return NULL;
    const char *end = strstr(cell->id, middle);
    char *workload = strndup(cell->id, end ? (size_t)(end - cell->id) : strlen(cell->id));
    free(middle);
    return workload;
}

static bool same_work(const struct field *f, const struct hm_side_cell *cell) {
    size_t length = strlen(f->workload);
    return strncmp(cell->id, f->workload, length) == 0 && cell->id[length] == '/' &&
           strcmp(cell->threads, f->like->threads) == 0;
}

static const struct hm_side_cell *cell_of(const struct field *f, const char *label) {
    for (size_t i = 0; i < f->side->count; i++) {
        const struct hm_side_cell *c = &f->side->cells[i];
        const char *fixed = is_collector(f->sweep) ? c->allocator : c->collector;
        const char *wanted = is_collector(f->sweep) ? f->like->allocator : f->like->collector;
        if (!c->control && same_work(f, c) && strcmp(fixed, wanted) == 0 &&
            strcmp(label_of(c, f->sweep), label) == 0)
            return c;
    }
    return NULL;
}

/* Its values, in the order of the keys. */
static void name_arm(const json_t *arm, struct arm *out) {
    const json_t *values = json_object_get(arm, "values");
    size_t used = 0;
    out->number = NAN;
    out->unswept = json_is_true(json_object_get(arm, "unswept"));
    for (size_t k = 0; k < json_array_size(values) && used < sizeof out->name; k++) {
        const json_t *value = json_array_get(values, k);
        const json_t *number = json_object_get(value, "number");
        if (json_array_size(values) == 1 && json_is_number(number))
            out->number = json_number_value(number);
        used += (size_t)snprintf(out->name + used, sizeof out->name - used, "%s%s", k ? " " : "",
                                 text_of(value, "text"));
    }
    if (!used)
        snprintf(out->name, sizeof out->name, "default");
}

/* What has no number comes first, as it was given. */
static int by_number(const void *a, const void *b) {
    const struct arm *x = a;
    const struct arm *y = b;
    if (isnan(x->number) || isnan(y->number))
        return !isnan(x->number) - !isnan(y->number);
    return (x->number > y->number) - (x->number < y->number);
}

static bool has_both(const struct arm *arm) {
    return arm->cell && !arm->cell->failure && series_of(arm->cell, TIME) &&
           series_of(arm->cell, SPACE);
}

static size_t rounds_of(const struct hm_side_cell *cell) {
    size_t time = series_of(cell, TIME)->rounds;
    size_t space = series_of(cell, SPACE)->rounds;
    return time > space ? time : space;
}

static void take_arms(struct field *f) {
    const json_t *arms = json_object_get(f->sweep, "arms");
    bool numbers = true;
    for (size_t i = 0; i < json_array_size(arms) && f->count < ARMS_MAX; i++) {
        struct arm *arm = &f->arms[f->count++];
        arm->cell = cell_of(f, text_of(json_array_get(arms, i), "label"));
        name_arm(json_array_get(arms, i), arm);
        numbers &= !isnan(arm->number) || i == 0;
        if (has_both(arm) && rounds_of(arm->cell) > f->rounds)
            f->rounds = rounds_of(arm->cell);
    }
    if (numbers)
        qsort(f->arms, f->count, sizeof *f->arms, by_number);
}

static double median_of(const struct hm_side_cell *cell, int metric, double *room) {
    const struct hm_series *series = series_of(cell, metric);
    size_t n = hm_finite(series->values, series->rounds, room);
    hm_sort(room, n);
    return hm_quantile(room, n, 0.5);
}

static int take_medians(struct field *f) {
    double *room = calloc(f->rounds + 1, sizeof *room);
    for (size_t i = 0; room && i < f->count; i++)
        for (int m = 0; has_both(&f->arms[i]) && m < METRICS; m++)
            f->arms[i].medians[m] = median_of(f->arms[i].cell, m, room);
    int bad = room ? 0 : ENOMEM;
    free(room);
    return bad;
}

/* ---- Judging ---- */

static double value_at(const struct hm_series *series, size_t round) {
    return series && round < series->rounds ? series->values[round] : NAN;
}

/* The log ratios of two cells. @param logs room for `rounds`; NAN where one has no value */
static void log_ratios(const struct hm_side_cell *base, const struct hm_side_cell *arm, int metric,
                       size_t rounds, double *logs) {
    for (size_t r = 0; r < rounds; r++) {
        double b = value_at(series_of(base, metric), r);
        double a = value_at(series_of(arm, metric), r);
        logs[r] = a > 0 && b > 0 ? log(a / b) : NAN;
    }
}

/* What the A/A arms of the workload differed by. */
static double noise_of(const struct field *f, int metric, double *logs) {
    double widest = NAN;
    for (size_t i = 0; i < f->side->count; i++) {
        const struct hm_side_cell *c = &f->side->cells[i];
        const struct hm_side_cell *base =
            c->again && c->baseline ? hm_side_find(f->side, c->baseline) : NULL;
        if (!base || c->failure || base->failure || !same_work(f, c))
            continue;
        log_ratios(base, c, metric, f->rounds, logs);
        double ratio = hm_paired_of(logs, f->rounds, logs).ratio;
        widest = fmax(widest, hm_noise_floor(&ratio, 1));
    }
    return widest;
}

static size_t index_of(const struct field *f, size_t i, size_t j, int metric) {
    return (i * f->count + j) * METRICS + (size_t)metric;
}

/* All pairs of arms that have both metrics. @param logs room for the rounds of each comparison
 *  @return how many there are, in the order of `pairs` */
static size_t ask(struct field *f, struct hm_comparison *pairs, size_t *places, double *logs) {
    double margin = json_number_value(json_object_get(f->side->run, "margin"));
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = i + 1; j < f->count; j++)
            for (int m = 0; m < METRICS; m++) {
                if (!has_both(&f->arms[i]) || !has_both(&f->arms[j]))
                    continue;
                double *of_pair = logs + count * f->rounds;
                log_ratios(f->arms[j].cell, f->arms[i].cell, m, f->rounds, of_pair);
                places[count] = index_of(f, i, j, m);
                pairs[count++] = (struct hm_comparison){
                    .logs = of_pair, .rounds = f->rounds, .margin = margin, .noise = f->noise[m]};
            }
    return count;
}

static int judge(struct field *f) {
    size_t most = f->count * f->count * METRICS;
    f->judged = calloc(most + 1, sizeof *f->judged);
    struct hm_comparison *pairs = calloc(most + 1, sizeof *pairs);
    struct hm_test **order = calloc(most + 1, sizeof(*order));
    size_t *places = calloc(most + 1, sizeof *places);
    double *logs = calloc((most + 1) * (f->rounds + 1), sizeof *logs);
    int bad = f->judged && pairs && order && places && logs ? 0 : ENOMEM;
    for (int m = 0; !bad && m < METRICS; m++)
        f->noise[m] = noise_of(f, m, logs);
    size_t count = bad ? 0 : ask(f, pairs, places, logs);
    if (count)
        hm_judge(pairs, count, order, logs + most * f->rounds);
    for (size_t i = 0; i < count; i++)
        f->judged[places[i]] = pairs[i];
    free(pairs);
    free(order);
    free(places);
    free(logs);
    return bad;
}

static enum hm_verdict turned(enum hm_verdict verdict) {
    return verdict == HM_FASTER ? HM_SLOWER : verdict == HM_SLOWER ? HM_FASTER : verdict;
}

/* Of one arm against another. */
static enum hm_verdict verdict_of(const struct field *f, size_t i, size_t j, int metric) {
    return i < j ? f->judged[index_of(f, i, j, metric)].verdict
                 : turned(f->judged[index_of(f, j, i, metric)].verdict);
}

static double ratio_of(const struct field *f, size_t i, size_t j, int metric) {
    return i < j ? f->judged[index_of(f, i, j, metric)].paired.ratio
                 : 1 / f->judged[index_of(f, j, i, metric)].paired.ratio;
}

static bool is_behind(const struct field *f, size_t i, size_t j) {
    enum hm_verdict time = verdict_of(f, i, j, TIME);
    enum hm_verdict space = verdict_of(f, i, j, SPACE);
    return (time == HM_SLOWER && (space == HM_SLOWER || space == HM_EQUIVALENT)) ||
           (time == HM_EQUIVALENT && space == HM_SLOWER);
}

static bool holds_against(const struct field *f, size_t i, size_t j) {
    enum hm_verdict time = verdict_of(f, i, j, TIME);
    enum hm_verdict space = verdict_of(f, i, j, SPACE);
    return time == HM_FASTER || space == HM_FASTER ||
           (time == HM_EQUIVALENT && space == HM_EQUIVALENT);
}

/* The arm that one is behind: that from which it is farthest. @return SIZE_MAX: none */
static size_t ahead_of(const struct field *f, size_t i) {
    size_t best = SIZE_MAX;
    double farthest = 0;
    for (size_t j = 0; j < f->count; j++) {
        if (j == i || !has_both(&f->arms[j]) || !is_behind(f, i, j))
            continue;
        double distance = ratio_of(f, i, j, TIME) * ratio_of(f, i, j, SPACE);
        if (distance > farthest) {
            farthest = distance;
            best = j;
        }
    }
    return best;
}

/* ---- Showing ---- */

static void put_bytes(FILE *out, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    fprintf(out, "%6.*f %-3s",
            bytes < 10 && unit    ? 2
            : bytes < 100 && unit ? 1
                                  : 0,
            bytes, units[unit]);
}

static void describe_ratio(const struct field *f, size_t i, size_t j, int metric, char *out,
                           size_t size) {
    if (verdict_of(f, i, j, metric) == HM_EQUIVALENT)
        snprintf(out, size, "same %s", metric == TIME ? "time" : "space");
    else
        snprintf(out, size, "%.3g %% %s", 100 * (ratio_of(f, i, j, metric) - 1),
                 metric == TIME ? "slower" : "larger");
}

/* As is_behind, for medians as they are. */
static bool medians_behind(const struct arm *a, const struct arm *b) {
    return a->medians[TIME] >= b->medians[TIME] && a->medians[SPACE] >= b->medians[SPACE] &&
           (a->medians[TIME] > b->medians[TIME] || a->medians[SPACE] > b->medians[SPACE]);
}

/* The arm that one is farthest behind by its medians. @return NULL: none */
static const struct arm *medians_ahead(const struct field *f, size_t i) {
    const struct arm *ahead = NULL;
    for (const struct arm *a = f->arms; a < f->arms + f->count; a++)
        if (has_both(a) && medians_behind(&f->arms[i], a) &&
            (!ahead ||
             a->medians[TIME] * a->medians[SPACE] < ahead->medians[TIME] * ahead->medians[SPACE]))
            ahead = a;
    return ahead;
}

static void describe_open(const struct field *f, size_t i, char *out, size_t size) {
    bool open = false;
    const struct arm *ahead = medians_ahead(f, i);
    for (size_t j = 0; j < f->count; j++)
        open |= j != i && has_both(&f->arms[j]) && !holds_against(f, i, j);
    if (!open)
        snprintf(out, size, "front");
    else if (ahead)
        snprintf(out, size, "open; by medians behind %s", ahead->name);
    else
        snprintf(out, size, "open; by medians front");
}

static void describe(const struct field *f, size_t i, char *out, size_t size) {
    char time[64], space[64];
    size_t ahead = ahead_of(f, i);
    if (ahead == SIZE_MAX) {
        describe_open(f, i, out, size);
        return;
    }
    describe_ratio(f, i, ahead, TIME, time, sizeof time);
    describe_ratio(f, i, ahead, SPACE, space, sizeof space);
    snprintf(out, size, "behind %s: %s, %s", f->arms[ahead].name, time, space);
}

static void put_arm(FILE *out, const struct field *f, size_t i) {
    const struct arm *arm = &f->arms[i];
    char words[2 * HM_SPEC_BYTES];
    bool marked = arm->unswept && strcmp(arm->name, "default") != 0;
    int length = fprintf(out, "  %s%s", arm->name, marked ? " (default)" : "");
    if (length > 2 + NAME_WIDTH)
        fprintf(out, "\n  %*s", NAME_WIDTH, "");
    else
        fprintf(out, "%*s", 2 + NAME_WIDTH - length, "");
    if (!has_both(arm)) {
        fprintf(out, "  not measured%s%.60s\n", arm->cell && arm->cell->failure ? ": " : "",
                arm->cell && arm->cell->failure ? arm->cell->failure : "");
        return;
    }
    fprintf(out, "%9.4g ", arm->medians[TIME]);
    put_bytes(out, arm->medians[SPACE]);
    describe(f, i, words, sizeof words);
    int column = 2 + NAME_WIDTH + 10 + 10;
    if (column + 2 + (int)strlen(words) > PAGE_WIDTH)
        fprintf(out, "\n%*s%s\n", 6, "", words);
    else
        fprintf(out, "  %s\n", words);
}

static void put_head(FILE *out, const struct field *f) {
    const struct hm_side_cell *c = f->like;
    bool objects = strcmp(c->collector, "-") != 0;
    const json_t *keys = json_object_get(f->sweep, "keys");
    fprintf(out, "%s%s%s, %s thread%s\n  ", f->workload,
            !objects                 ? ""
            : is_collector(f->sweep) ? " on "
                                     : " under ",
            !objects                 ? ""
            : is_collector(f->sweep) ? c->allocator
                                     : c->collector,
            c->threads, strcmp(c->threads, "1") == 0 ? "" : "s");
    int width = 0;
    for (size_t k = 0; k < json_array_size(keys); k++)
        width += fprintf(out, "%s%s", k ? " " : "", json_string_value(json_array_get(keys, k)));
    fprintf(out, "%*s%9s %-10s  %s\n", width < NAME_WIDTH ? NAME_WIDTH - width : 0, "", "ns/op",
            " footprint", "time and space");
}

/* @param begun whether the sweep has a heading */
static int put_field(FILE *out, struct field *f, bool *begun) {
    size_t measured = 0;
    take_arms(f);
    for (size_t i = 0; i < f->count; i++)
        measured += has_both(&f->arms[i]);
    if (measured < 2)
        return 0;
    int bad = take_medians(f);
    if (!bad)
        bad = judge(f);
    if (!bad) {
        if (!*begun)
            fprintf(out, "\nSweep %s\n", text_of(f->sweep, "sweep"));
        *begun = true;
        put_head(out, f);
        for (size_t i = 0; i < f->count; i++)
            put_arm(out, f, i);
    }
    free(f->judged);
    return bad;
}

/* Whether a cell is of the sweep's unswept or first arm: there is one in each field. */
static bool begins_field(const struct hm_side_cell *cell, const json_t *sweep) {
    const json_t *first = json_array_get(json_object_get(sweep, "arms"), 0);
    return !cell->control && !cell->again &&
           strcmp(label_of(cell, sweep), text_of(first, "label")) == 0;
}

static int put_sweep(FILE *out, struct hm_side *side, const json_t *sweep) {
    const json_t *cells = json_object_get(side->run, "cells"); /* in the order of the plan */
    bool begun = false;
    int bad = 0;
    for (size_t i = 0; !bad && i < json_array_size(cells); i++) {
        const struct hm_side_cell *cell =
            hm_side_find(side, text_of(json_array_get(cells, i), "cell"));
        if (!cell || !begins_field(cell, sweep))
            continue;
        struct field *f = calloc(1, sizeof *f);
        if (!f)
            return ENOMEM;
        f->side = side;
        f->sweep = sweep;
        f->like = cell;
        f->workload = workload_of(f->like);
        bad = f->workload ? put_field(out, f, &begun) : ENOMEM;
        free(f->workload);
        free(f);
    }
    return bad;
}

static int put_sweeps(FILE *out, struct hm_side *side) {
    const json_t *sweeps = json_object_get(side->run, "sweeps");
    int bad = 0;
    for (size_t s = 0; !bad && s < json_array_size(sweeps); s++) {
        const json_t *sweep = json_array_get(sweeps, s);
        if (strcmp(text_of(sweep, "kind"), "workload") != 0)
            bad = put_sweep(out, side, sweep);
    }
    return bad;
}

static const char legend[] =
    "\nfront: against each other value better in time or in space, or the same in both.\n"
    "behind V: V is better in one of them, and better or the same in the other. open:\n"
    "neither can be told; more rounds may.\n";

int hm_fronts_print(FILE *out, const char *folder, struct hm_error *error) {
    struct hm_side side = {.name = "run"};
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    int bad = memory ? hm_side_read(&side, folder, error)
                     : hm_fail(error, ENOMEM, "%s: out of memory", folder);
    if (!bad && put_sweeps(memory, &side))
        bad = hm_fail(error, ENOMEM, "%s: out of memory", folder);
    if (memory && fclose(memory) && !bad)
        bad = hm_fail(error, ENOMEM, "%s: out of memory", folder);
    if (!bad && size) {
        fputs(text, out);
        fputs(legend, out);
    }
    free(text);
    hm_side_free(&side);
    return bad;
}

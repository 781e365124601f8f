/* Reads a run for a comparison: run.json, then every row of samples.csv. */
#include "harness/compare/side.h"

#include "harness/report/cells.h"
#include "harness/results/csv.h"
#include "harness/results/manifest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_MAX = 1000000,
};

static const char *field(const struct hm_csv *csv, const char *column) {
    return hm_csv_field(csv, hm_csv_column(csv, column));
}

struct hm_side_cell *hm_side_find(struct hm_side *side, const char *id) {
    for (size_t i = 0; i < side->count; i++) {
        size_t at = (side->found + i) % side->count;
        if (strcmp(side->cells[at].id, id) == 0) {
            side->found = at;
            return &side->cells[at];
        }
    }
    return NULL;
}

const struct hm_series *hm_side_series(const struct hm_side_cell *cell,
                                       const struct hm_metric *metric) {
    for (size_t i = 0; i < cell->series_count; i++)
        if (cell->series[i].metric == metric)
            return &cell->series[i];
    return NULL;
}

const char *hm_side_text(const struct hm_side *side, const char *object, const char *key) {
    const json_t *in = object ? json_object_get(side->run, object) : side->run;
    const char *text = json_string_value(json_object_get(in, key));
    return text ? text : "";
}

/* What run.json says of an array's object: the one whose `key` is `name`. */
static const json_t *entry(const struct hm_side *side, const char *array, const char *key,
                           const char *name) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(side->run, array), i, one) {
        const char *text = json_string_value(json_object_get(one, key));
        if (text && strcmp(text, name) == 0)
            return one;
    }
    return NULL;
}

static char *copy_or_null(const char *text) {
    return text ? strdup(text) : NULL;
}

static struct hm_side_cell *add_cell(struct hm_side *side, const struct hm_csv *csv) {
    struct hm_side_cell *cell = hm_report_append(&side->cells, &side->count, sizeof *cell);
    if (!cell)
        return NULL;
    const char *id = field(csv, "cell");
    const char *allocator = field(csv, "allocator");
    const json_t *arm = entry(side, "allocators", "label", allocator);
    const json_t *about = entry(side, "cells", "cell", id);
    *cell = (struct hm_side_cell){
        .id = strdup(id),
        .allocator = strdup(allocator),
        .collector = strdup(field(csv, "collector")),
        .workload = strdup(field(csv, "workload")),
        .params = strdup(field(csv, "params")),
        .threads = strdup(field(csv, "threads")),
        .baseline = copy_or_null(json_string_value(json_object_get(about, "baseline"))),
        .again = json_is_true(json_object_get(arm, "again")),
        .control = json_is_true(json_object_get(arm, "control")),
    };
    bool whole = cell->id && cell->allocator && cell->collector && cell->workload && cell->params &&
                 cell->threads;
    return whole ? cell : NULL;
}

static struct hm_series *series_of(struct hm_side_cell *cell, const struct hm_metric *metric) {
    for (size_t i = 0; i < cell->series_count; i++)
        if (cell->series[i].metric == metric)
            return &cell->series[i];
    struct hm_series *fresh = hm_report_append(&cell->series, &cell->series_count, sizeof *fresh);
    if (fresh)
        fresh->metric = metric;
    return fresh;
}

static int put_value(struct hm_side_cell *cell, const struct hm_metric *metric, size_t round,
                     double value) {
    struct hm_series *series = series_of(cell, metric);
    if (!series)
        return ENOMEM;
    if (round >= series->rounds) {
        double *grown = realloc(series->values, (round + 1) * sizeof *grown);
        if (!grown)
            return ENOMEM;
        series->values = grown;
        while (series->rounds <= round)
            grown[series->rounds++] = NAN;
    }
    series->values[round] = value;
    return 0;
}

static int put_failure(struct hm_side_cell *cell, const struct hm_csv *csv) {
    const char *reason = field(csv, "reason");
    char *text;
    if (asprintf(&text, "%s%s%s", field(csv, "status"), *reason ? ": " : "", reason) < 0)
        return ENOMEM;
    free(cell->failure);
    cell->failure = text;
    return 0;
}

/* Rows of single threads are not compared, and metrics of another version not understood. */
static int take_row(struct hm_side *side, const struct hm_csv *csv, struct hm_error *error) {
    double round = 0;
    double value = NAN;
    struct hm_side_cell *cell = hm_side_find(side, field(csv, "cell"));
    if (!cell && !(cell = add_cell(side, csv)))
        return hm_fail(error, ENOMEM, "%s: out of memory", side->folder);
    if (strcmp(field(csv, "status"), "ok") != 0)
        return put_failure(cell, csv);
    const struct hm_metric *metric = hm_metric_find(field(csv, "metric"));
    if (!metric || strcmp(field(csv, "thread"), "-1") != 0)
        return 0;
    if (!hm_csv_number(csv, hm_csv_column(csv, "round"), &round) || round < 0 ||
        round >= ROUNDS_MAX)
        return hm_fail(error, EINVAL, "%s/samples.csv:%ld: '%s' is no round", side->folder,
                       hm_csv_line(csv), field(csv, "round"));
    hm_csv_number(csv, hm_csv_column(csv, "value"), &value);
    int bad = put_value(cell, metric, (size_t)round, value);
    return bad ? hm_fail(error, bad, "%s: out of memory", side->folder) : 0;
}

static int check_columns(const struct hm_csv *csv, const char *path, struct hm_error *error) {
    static const char *const needed[] = {"cell",   "allocator", "collector", "workload",
                                         "params", "threads",   "round",     "thread",
                                         "metric", "value",     "status",    "reason"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (hm_csv_column(csv, needed[i]) < 0)
            return hm_fail(error, EINVAL, "%s: has no column '%s'", path, needed[i]);
    return 0;
}

static int read_samples(struct hm_side *side, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/samples.csv", side->folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    bad = check_columns(csv, path, error);
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        bad = take_row(side, csv, error);
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

int hm_side_read(struct hm_side *out, const char *folder, struct hm_error *error) {
    out->folder = folder;
    int bad = hm_manifest_read(&out->run, folder, error);
    if (!bad)
        bad = read_samples(out, error);
    if (!bad && !out->count)
        bad = hm_fail(error, EINVAL, "%s: has no samples", folder);
    return bad;
}

void hm_side_free(struct hm_side *side) {
    for (size_t i = 0; i < side->count; i++) {
        struct hm_side_cell *cell = &side->cells[i];
        char *const texts[] = {cell->id,     cell->allocator, cell->collector, cell->workload,
                               cell->params, cell->threads,   cell->baseline,  cell->failure};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            free(texts[k]);
        for (size_t k = 0; k < cell->series_count; k++)
            free(cell->series[k].values);
        free(cell->series);
    }
    free(side->cells);
    json_decref(side->run);
}

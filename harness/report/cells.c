/* Reads the cells of a run from stats.csv, samples.csv and series.csv. */
#include "harness/report/cells.h"

#include "harness/results/csv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One row of a table. @return 0 or ENOMEM */
typedef int take(struct hm_report_cells *cells, const struct hm_csv *csv, long row);

void *hm_report_append(void *array_of_items, size_t *count, size_t item_bytes) {
    char **array = array_of_items;
    char *grown = realloc(*array, (*count + 1) * item_bytes);
    if (!grown)
        return NULL;
    *array = grown;
    return memset(grown + item_bytes * (*count)++, 0, item_bytes);
}

static const char *field(const struct hm_csv *csv, const char *column) {
    return hm_csv_field(csv, hm_csv_column(csv, column));
}

static struct hm_report_cell *find_cell(struct hm_report_cells *cells, const char *id) {
    for (size_t i = 0; i < cells->count; i++) {
        size_t at = (cells->found + i) % cells->count;
        if (strcmp(cells->at[at].id, id) == 0) {
            cells->found = at;
            return &cells->at[at];
        }
    }
    return NULL;
}

/* The id begins with the workload as the user named it, which tells configurations of one apart. */
static char *workload_of(const char *id, const char *allocator, const char *workload) {
    char *middle;
    if (asprintf(&middle, "/%s/", allocator) < 0)
        return NULL;
    const char *end = strstr(id, middle);
    free(middle);
    return end ? strndup(id, (size_t)(end - id)) : strdup(workload);
}

static struct hm_report_cell *take_cell(struct hm_report_cells *cells, const struct hm_csv *csv) {
    const char *id = field(csv, "cell");
    struct hm_report_cell *cell = find_cell(cells, id);
    if (cell)
        return cell;
    char *own_id = strdup(id);
    cell = own_id ? hm_report_append(&cells->at, &cells->count, sizeof *cell) : NULL;
    if (!cell) {
        free(own_id);
        return NULL;
    }
    const char *collector = field(csv, "collector");
    collector += *collector == '\''; /* the guard of hm_csv_put_text() */
    *cell = (struct hm_report_cell){
        .id = own_id,
        .allocator = strdup(field(csv, "allocator")),
        .collector = strdup(strcmp(collector, "-") ? collector : ""),
        .workload = workload_of(id, field(csv, "allocator"), field(csv, "workload")),
        .threads = strtol(field(csv, "threads"), NULL, 10),
        .round = -1,
    };
    return cell->allocator && cell->collector && cell->workload ? cell : NULL;
}

static int take_stats(struct hm_report_cells *cells, const struct hm_csv *csv, long row) {
    (void)row;
    struct hm_report_cell *cell = take_cell(cells, csv);
    if (!cell)
        return ENOMEM;
    cell->measured = true;
    const char *baseline = field(csv, "baseline");
    if (cell->baseline || !*baseline || strcmp(baseline, "NA") == 0)
        return 0;
    cell->baseline = strdup(baseline);
    return cell->baseline ? 0 : ENOMEM;
}

/* What is known of one process of the cell. */
static void take_label(struct hm_report_cell *cell, const struct hm_csv *csv) {
    const char *metric = field(csv, "metric");
    long value = strtol(field(csv, "value"), NULL, 10);
    cell->garbage_processes += strcmp(metric, "garbage_peak_objects") == 0;
    cell->warmup_processes += strcmp(metric, "warmup_time_ns") == 0;
    if (strcmp(metric, "garbage_trend") == 0 && value >= -1 && value <= 1)
        cell->trends[value + 1]++;
    if (strcmp(metric, "warmup_label") == 0 && value >= 0 && value < HM_WARMUP_UNKNOWN)
        cell->labels[value]++;
}

static int take_sample(struct hm_report_cells *cells, const struct hm_csv *csv, long row) {
    (void)row;
    const char *status = field(csv, "status");
    struct hm_report_cell *cell = take_cell(cells, csv);
    if (!cell)
        return ENOMEM;
    if (strcmp(status, "ok") == 0) {
        take_label(cell, csv);
        return 0;
    }
    bool skipped = strcmp(status, "skip") == 0;
    char *failure;
    if (asprintf(&failure, skipped ? "not run: %s" : "failed: %s",
                 skipped ? field(csv, "reason") : status) < 0)
        return ENOMEM;
    free(cell->failure);
    cell->failure = failure;
    cell->failures++;
    return 0;
}

static int take_point(struct hm_report_cells *cells, const struct hm_csv *csv, long row) {
    struct hm_report_cell *cell = find_cell(cells, field(csv, "cell"));
    const char *metric = field(csv, "metric");
    if (!cell)
        return 0;
    bool garbage = strcmp(metric, "garbage_objects") == 0;
    cell->pauses += strcmp(metric, "pause_ns") == 0;
    cell->mmu_points += strcmp(metric, "mmu") == 0;
    cell->garbage_points += garbage;
    cell->iterations += strcmp(metric, "iteration_ns") == 0;
    if (!garbage && strcmp(metric, "footprint_bytes") != 0 && strcmp(metric, "live_bytes") != 0)
        return 0;
    long round = strtol(field(csv, "round"), NULL, 10);
    if (cell->round < 0) {
        cell->round = round;
        cell->first = row;
    }
    if (cell->round == round)
        cell->last = row;
    return 0;
}

/* A missing table has no rows. */
static int read_table(struct hm_report_cells *cells, const char *run_dir, const char *name,
                      take *take_row, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/%s", run_dir, name);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad == ENOENT ? 0 : bad;
    int more;
    for (long row = 0; !bad && (more = hm_csv_next(csv, error)); row++)
        bad = more < 0 ? EINVAL : take_row(cells, csv, row);
    hm_csv_close(csv);
    return bad == ENOMEM ? hm_fail(error, ENOMEM, "%s: out of memory", path) : bad;
}

int hm_report_cells_read(struct hm_report_cells *out, const char *run_dir, struct hm_error *error) {
    int bad = read_table(out, run_dir, "stats.csv", take_stats, error);
    if (!bad)
        bad = read_table(out, run_dir, "samples.csv", take_sample, error);
    if (!bad)
        bad = read_table(out, run_dir, "series.csv", take_point, error);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/run.json", run_dir);
    out->run = bad ? NULL : json_load_file(path, 0, NULL);
    return bad;
}

void hm_report_cells_free(struct hm_report_cells *cells) {
    for (size_t i = 0; i < cells->count; i++) {
        struct hm_report_cell *cell = &cells->at[i];
        free(cell->id);
        free(cell->allocator);
        free(cell->collector);
        free(cell->workload);
        free(cell->baseline);
        free(cell->failure);
    }
    free(cells->at);
    json_decref(cells->run);
}

/* Reads a run's result files. */
#include "harness/page/run.h"

#include "harness/report/cells.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"
#include "harness/results/manifest.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 1024,
};

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

static double number(const struct hm_csv *csv, const char *name) {
    double value = NAN;
    hm_csv_number(csv, hm_csv_column(csv, name), &value);
    return value;
}

/* A copy that lives as long as the run. @return NULL when memory ran out */
static const char *keep(struct hm_page_run *run, const char *text) {
    if (run->text_count && strcmp(run->texts[run->text_count - 1], text) == 0)
        return run->texts[run->text_count - 1]; /* columns repeat themselves from row to row */
    char **place = hm_report_append(&run->texts, &run->text_count, sizeof *run->texts);
    if (place)
        *place = strdup(text);
    return place ? *place : NULL;
}

/* The index of the one that is there already, or of a new one at the end; rows of one group follow
 * each other. @return SIZE_MAX when memory ran out */
static size_t intern(struct hm_page_run *run, const char ***list, size_t *count, const char *text) {
    for (size_t i = *count; i-- > 0;)
        if (strcmp((*list)[i], text) == 0)
            return i;
    const char *own = keep(run, text);
    const char **place = own ? hm_report_append(list, count, sizeof **list) : NULL;
    if (!place)
        return SIZE_MAX;
    *place = own;
    return *count - 1;
}

/* The id begins with the workload under the name that the user gave it, which tells two
 * configurations of one workload apart. */
static void group_name(const struct hm_csv *csv, char *out, size_t size) {
    char middle[NAME_BYTES];
    const char *id = field(csv, "cell");
    snprintf(middle, sizeof middle, "/%s/", field(csv, "allocator"));
    const char *end = strstr(id, middle);
    const char *threads = field(csv, "threads");
    if (hm_words_is_program(csv) || !end)
        hm_words_group(csv, out, size);
    else
        snprintf(out, size, "%.*s, %s thread%s", (int)(end - id), id, threads,
                 strcmp(threads, "1") == 0 ? "" : "s");
}

static bool is_control(const struct hm_csv *csv) {
    const char *allocator = field(csv, "allocator");
    return strstr(allocator, "#2") || strcmp(allocator, "floor") == 0 ||
           strncmp(allocator, "floor:", 6) == 0;
}

static int take_row(struct hm_page_run *run, const struct hm_csv *csv) {
    char name[NAME_BYTES];
    struct hm_page_row *row = hm_report_append(&run->rows, &run->row_count, sizeof *run->rows);
    if (!row)
        return ENOMEM;
    group_name(csv, name, sizeof name);
    row->group = intern(run, &run->groups, &run->group_count, name);
    hm_words_arm(field(csv, "allocator"), field(csv, "collector"), name, sizeof name);
    row->arm = intern(run, &run->arms, &run->arm_count, name);
    row->cell = keep(run, field(csv, "cell"));
    row->metric_name = keep(run, field(csv, "metric"));
    row->unit = keep(run, field(csv, "unit"));
    row->verdict = keep(run, field(csv, "verdict"));
    if (row->group == SIZE_MAX || row->arm == SIZE_MAX || !row->cell || !row->metric_name ||
        !row->unit || !row->verdict)
        return ENOMEM;
    row->metric = hm_metric_find(row->metric_name);
    row->n = number(csv, "n");
    row->median = number(csv, "median");
    row->low = number(csv, "ci_low");
    row->high = number(csv, "ci_high");
    row->ratio = number(csv, "ratio");
    row->ratio_low = number(csv, "ratio_low");
    row->ratio_high = number(csv, "ratio_high");
    row->is_baseline = strcmp(field(csv, "baseline"), row->cell) == 0;
    row->is_control = is_control(csv);
    return 0;
}

static int take_failure(struct hm_page_run *run, const struct hm_csv *csv) {
    if (strcmp(field(csv, "status"), "ok") == 0)
        return 0;
    struct hm_page_failure *last =
        run->failure_count ? &run->failures[run->failure_count - 1] : NULL;
    if (last && strcmp(last->cell, field(csv, "cell")) == 0 &&
        strcmp(last->reason, field(csv, "reason")) == 0) {
        last->rounds++;
        return 0;
    }
    struct hm_page_failure *one =
        hm_report_append(&run->failures, &run->failure_count, sizeof *run->failures);
    if (!one)
        return ENOMEM;
    one->cell = keep(run, field(csv, "cell"));
    one->status = keep(run, field(csv, "status"));
    one->reason = keep(run, field(csv, "reason"));
    one->rounds = 1;
    return one->cell && one->status && one->reason ? 0 : ENOMEM;
}

static int read_table(struct hm_page_run *run, const char *folder, const char *file,
                      int (*take)(struct hm_page_run *, const struct hm_csv *),
                      struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        if (take(run, csv))
            bad = hm_fail(error, ENOMEM, "out of memory");
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

/* Speed, or what a program's time is; of a run without a time pass what comes first. */
static const char *find_lead(const struct hm_page_run *run) {
    static const char *const leads[] = {"ops_per_second", "wall_ns"};
    for (size_t l = 0; l < sizeof leads / sizeof *leads; l++)
        for (size_t i = 0; i < run->row_count; i++)
            if (strcmp(run->rows[i].metric_name, leads[l]) == 0)
                return leads[l];
    for (size_t i = 0; i < run->row_count; i++)
        if (strcmp(run->rows[i].verdict, "NA") != 0)
            return run->rows[i].metric_name;
    return NULL;
}

int hm_page_run_read(struct hm_page_run *out, const char *folder, struct hm_error *error) {
    struct hm_error none;
    int bad = read_table(out, folder, "stats.csv", take_row, error);
    if (!bad)
        bad = read_table(out, folder, "samples.csv", take_failure, error);
    if (!bad && hm_manifest_read(&out->json, folder, &none))
        out->json = NULL; /* the numbers are told all the same */
    out->lead = find_lead(out);
    return bad;
}

void hm_page_run_free(struct hm_page_run *run) {
    for (size_t i = 0; i < run->text_count; i++)
        free(run->texts[i]);
    free(run->texts);
    free(run->rows);
    free(run->failures);
    free(run->groups);
    free(run->arms);
    json_decref(run->json);
    *run = (struct hm_page_run){0};
}

const char *hm_page_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

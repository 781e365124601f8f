/* The longest call of each cell of a run.
 *
 * series.csv has the ten longest calls of each process, `stall_KIND_ns`, and of a cell with a collector behind
 * each of them `stall_paused_ns` of the same time and thread: what of it was a pause. */
#include "harness/report/stalls.h"

#include "harness/report/cells.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_WIDTH = 22,
    KIND_BYTES = 24,
};

/* From here on a stall is called a pause. */
static const double mostly = 0.5;

static const char before[] = "stall_";
static const char behind[] = "_ns";
static const char paused[] = "stall_paused_ns";

struct stall {
    const struct hm_report_cell *cell;
    char kind[KIND_BYTES];
    double ns, t_ns, paused_ns; /* paused_ns: NAN where no collector is */
    long round, thread;
};

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

static double number(const struct hm_csv *csv, const char *name) {
    double value = NAN;
    hm_csv_number(csv, hm_csv_column(csv, name), &value);
    return value;
}

static struct stall *stall_of(struct stall *all, const struct hm_report_cells *cells,
                              const char *id) {
    for (size_t i = 0; i < cells->count; i++)
        if (strcmp(cells->at[i].id, id) == 0)
            return &all[i];
    return NULL;
}

static void take_stall(struct stall *s, const struct hm_csv *csv, const char *metric) {
    double ns = number(csv, "value");
    size_t length = strlen(metric) - strlen(before) - strlen(behind);
    if (!(ns > s->ns))
        return;
    snprintf(s->kind, sizeof s->kind, "%.*s", (int)length, metric + strlen(before));
    s->ns = ns;
    s->t_ns = number(csv, "t_ns");
    s->paused_ns = NAN;
    s->round = strtol(field(csv, "round"), NULL, 10);
    s->thread = strtol(field(csv, "thread"), NULL, 10);
}

static void take_row(struct stall *s, const struct hm_csv *csv) {
    const char *metric = field(csv, "metric");
    if (strcmp(metric, paused) != 0)
        take_stall(s, csv, metric);
    else if (strtol(field(csv, "round"), NULL, 10) == s->round &&
             strtol(field(csv, "thread"), NULL, 10) == s->thread && number(csv, "t_ns") == s->t_ns)
        s->paused_ns = number(csv, "value");
}

static int read_stalls(struct stall *all, const struct hm_report_cells *cells, const char *folder,
                       struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/series.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad == ENOENT ? 0 : bad;
    int more;
    while ((more = hm_csv_next(csv, error)) == 1) {
        if (strncmp(field(csv, "metric"), before, strlen(before)) != 0)
            continue;
        struct stall *s = stall_of(all, cells, field(csv, "cell"));
        if (s)
            take_row(s, csv);
    }
    hm_csv_close(csv);
    return more < 0 ? EINVAL : 0;
}

static void put_stall(FILE *out, const struct stall *s) {
    char name[1024];
    const char *collector = *s->cell->collector ? s->cell->collector : "-";
    hm_words_arm(s->cell->allocator, collector, name, sizeof name);
    hm_words_put_label(out, name, 4, NAME_WIDTH);
    hm_words_put_duration(out, s->ns);
    fputs(" at", out);
    hm_words_put_duration(out, s->t_ns);
    fprintf(out, " round %-3ld %s", s->round + 1, s->kind);
    if (s->thread > 0)
        fprintf(out, ", t%ld", s->thread);
    if (s->paused_ns >= mostly * s->ns)
        fputs(", a pause", out);
    fputc('\n', out);
}

static void put_stalls(FILE *out, const struct stall *all, size_t count) {
    const struct hm_report_cell *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct hm_report_cell *c = all[i].cell;
        if (!(all[i].ns > 0) || c->failure)
            continue;
        if (!last)
            fputs("\nThe longest call of each cell, and when it began in the timed work.\n", out);
        if (!last || strcmp(last->workload, c->workload) != 0 || last->threads != c->threads)
            fprintf(out, "\n%s, %ld thread%s\n", c->workload, c->threads,
                    c->threads == 1 ? "" : "s");
        last = c;
        put_stall(out, &all[i]);
    }
}

int hm_stalls_print(FILE *out, const char *folder, struct hm_error *error) {
    struct hm_report_cells cells = {0};
    int bad = hm_report_cells_read(&cells, folder, error);
    struct stall *all = bad ? NULL : calloc(cells.count + 1, sizeof *all);
    if (!bad && !all)
        bad = hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; !bad && i < cells.count; i++)
        all[i].cell = &cells.at[i];
    if (!bad)
        bad = read_stalls(all, &cells, folder, error);
    if (!bad)
        put_stalls(out, all, cells.count);
    free(all);
    hm_report_cells_free(&cells);
    return bad;
}

/* samples.csv and series.csv. */
#include "harness/results/samples.h"

#include "harness/results/csv.h"
#include "harness/results/histogram_file.h"
#include "harness/results/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char samples_header[] =
    "schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,thread,"
    "metric,value,unit,better,ops,status,reason,started_utc\n";
static const char series_header[] = "cell,round,thread,t_ns,metric,value,unit\n";
static const char map_header[] = "cell,round,t_ns,offset_bytes,size_bytes,used_bytes,free_bytes\n";

struct hm_samples {
    int samples_fd;
    int series_fd;
    int histogram_fd; /* -1: no pass leaves one */
    int map_fd;       /* -1: no heap is walked */
    const char *run;
    const struct hm_plan *plan;
};

const char *hm_pass_lead(const struct hm_plan *plan, enum hm_pass pass) {
    if (plan->programs)
        return "wall_ns";
    static const char *const leads[HM_PASS_COUNT] = {"time_ns",
                                                     "time_ns",
                                                     "footprint_bytes",
                                                     "latency_time_ns",
                                                     "instructions_per_op",
                                                     "cpu_cycles_per_op",
                                                     "warmup_time_ns"};
    return leads[pass];
}

/* Find the end of the last whole line, and cut off what a killed writer left behind it. */
static int cut_torn_line(int fd) {
    off_t end = lseek(fd, 0, SEEK_END);
    char byte = '\n';
    off_t keep = end;
    while (keep > 0 && pread(fd, &byte, 1, keep - 1) == 1 && byte != '\n')
        keep--;
    return keep < end && ftruncate(fd, keep) ? errno : 0;
}

static int open_file(const struct hm_folder *folder, const char *name, const char *header, int *out,
                     struct hm_error *error) {
    char path[PATH_MAX];
    hm_folder_file(folder, name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return hm_fail(error, errno, "can not write %s: %s", path, strerror(errno));
    int bad = cut_torn_line(fd);
    if (!bad && lseek(fd, 0, SEEK_END) == 0 &&
        write(fd, header, strlen(header)) != (ssize_t)strlen(header))
        bad = errno ? errno : EIO;
    if (bad) {
        close(fd);
        return hm_fail(error, bad, "can not write %s: %s", path, strerror(bad));
    }
    *out = fd;
    return 0;
}

static bool can_walk(const struct hm_allocator_spec *spec) {
    for (unsigned i = 0; i < spec->count; i++)
        if (spec->parts[i]->caps & (HM_CAP_WALK | HM_CAP_WALK_ARENAS))
            return true;
    return false;
}

static bool walks_heaps(const struct hm_plan *plan) {
    for (size_t i = 0; plan->space_pass && i < plan->arm_count; i++)
        if (can_walk(&plan->arms[i]->spec))
            return true;
    return false;
}

int hm_samples_open(struct hm_samples **out, const struct hm_folder *folder, const char *run,
                    const struct hm_plan *plan, struct hm_error *error) {
    struct hm_samples *s = malloc(sizeof *s);
    if (!s)
        return hm_fail(error, ENOMEM, "out of memory");
    *s = (struct hm_samples){.samples_fd = -1,
                             .series_fd = -1,
                             .histogram_fd = -1,
                             .map_fd = -1,
                             .run = run,
                             .plan = plan};
    int bad = open_file(folder, "samples.csv", samples_header, &s->samples_fd, error);
    if (!bad)
        bad = open_file(folder, "series.csv", series_header, &s->series_fd, error);
    if (!bad && (plan->latency_pass || walks_heaps(plan)))
        bad = open_file(folder, "histogram.csv", hm_histogram_header, &s->histogram_fd, error);
    if (!bad && walks_heaps(plan))
        bad = open_file(folder, "heapmap.csv", map_header, &s->map_fd, error);
    if (bad)
        hm_samples_close(s);
    else
        *out = s;
    return bad;
}

int hm_samples_close(struct hm_samples *samples) {
    int bad = 0;
    if (samples->samples_fd >= 0 && close(samples->samples_fd))
        bad = errno;
    if (samples->series_fd >= 0 && close(samples->series_fd))
        bad = errno;
    if (samples->histogram_fd >= 0 && close(samples->histogram_fd))
        bad = errno;
    if (samples->map_fd >= 0 && close(samples->map_fd))
        bad = errno;
    free(samples);
    return bad;
}

struct row {
    const struct hm_sample_place *place;
    const struct hm_outcome *outcome;
    const char *metric;
    int thread;
    double value;
    const char *reason; /* for the lack of it; "" for none */
};

static const char *reason_of(const struct row *row) {
    if (row->outcome->reason[0])
        return row->outcome->reason;
    if (row->reason[0])
        return row->reason;
    return row->place->cell->group->oversubscribed ? "oversubscribed" : "";
}

static void put_row(FILE *out, const struct hm_samples *s, const struct row *row) {
    const struct hm_cell *cell = row->place->cell;
    const struct hm_group *group = cell->group;
    const struct hm_metric *metric = hm_metric_find(row->metric);
    char params[HM_SPEC_BYTES];
    const char *const texts[] = {s->run,
                                 cell->id,
                                 cell->arm->label,
                                 cell->collector ? cell->collector->label : "-",
                                 hm_group_workload(group),
                                 hm_group_params(group, params)};
    fprintf(out, "%d", HM_SCHEMA);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fputc(',', out);
        hm_csv_put_text(out, texts[i]);
    }
    fputc(',', out);
    hm_csv_put_number(out, group->program ? NAN : (double)group->threads);
    fprintf(out, ",%s,%u,%u,0,%d,%s,", hm_pin_name(s->plan->pin), row->place->round,
            row->place->position, row->thread, row->metric);
    hm_csv_put_number(out, row->value);
    fprintf(out, ",%s,%s,%" PRIu64 ",%s,", metric ? metric->unit : "",
            hm_better_name(metric ? metric->better : HM_BETTER_NEITHER), row->outcome->ops,
            hm_status_name(row->outcome->status));
    hm_csv_put_text(out, reason_of(row));
    fprintf(out, ",%s\n", row->place->started_utc);
}

/* A workload's figures are known in both passes; the time pass is the one that counts, and the only one
 * for what is a time. */
static bool is_told(const struct hm_samples *s, enum hm_pass pass, const char *name) {
    const struct hm_metric *metric = hm_metric_find(name);
    return metric && !(hm_metric_is_figure(metric) && pass == HM_PASS_SPACE &&
                       (s->plan->time_pass || strncmp(metric->unit, "ns", 2) == 0));
}

static void put_process(FILE *out, const struct hm_samples *s, const struct hm_sample_place *place,
                        const struct hm_outcome *outcome) {
    const char *lead = hm_pass_lead(s->plan, place->pass);
    struct row last = {place, outcome, lead, -1, NAN, ""};
    for (size_t i = 0; outcome->status == HM_STATUS_OK && i < outcome->value_count; i++) {
        const struct hm_measured *v = &outcome->values[i];
        const struct row row = {place, outcome, v->metric, v->thread, v->value, v->reason};
        if (v->thread == -1 && strcmp(v->metric, lead) == 0)
            last = row;
        else if (is_told(s, place->pass, v->metric))
            put_row(out, s, &row);
    }
    put_row(out, s, &last);
}

static const char *unit_of_point(const char *metric) {
    if (strcmp(metric, "mmu") == 0 || strcmp(metric, "bmu") == 0)
        return "fraction";
    if (strcmp(metric, "iteration_ns") == 0 || strcmp(metric, "segment_ns") == 0)
        return "ns/op";
    return strstr(metric, "_ns") ? "ns" : strstr(metric, "_objects") ? "objects" : "bytes";
}

/* Of space only the first round is kept: its figures show one process. Pauses of all rounds are. */
static bool is_left_out(const struct hm_sample_place *place) {
    return place->pass == HM_PASS_SPACE && place->round > 0;
}

static void put_series(FILE *out, const struct hm_sample_place *place,
                       const struct hm_outcome *outcome) {
    for (size_t i = 0; outcome->status == HM_STATUS_OK && i < outcome->point_count; i++) {
        const struct hm_point *p = &outcome->points[i];
        if (is_left_out(place))
            continue;
        hm_csv_put_text(out, place->cell->id);
        fprintf(out, ",%u,%d,%" PRIu64 ",%s,", place->round, p->thread, p->t_ns, p->metric);
        hm_csv_put_number(out, p->value);
        fprintf(out, ",%s\n", unit_of_point(p->metric));
    }
}

static int append_synced(int fd, const char *bytes, size_t size) {
    ssize_t wrote = size ? write(fd, bytes, size) : 0;
    if (wrote >= 0 && (size_t)wrote < size)
        return ENOSPC;
    return wrote < 0 || fdatasync(fd) ? errno : 0;
}

/* @return 0 or an errno */
static int add_map(const struct hm_samples *s, const struct hm_sample_place *place,
                   const struct hm_outcome *outcome) {
    char *rows = NULL;
    size_t size = 0;
    if (s->map_fd < 0 || outcome->status != HM_STATUS_OK || is_left_out(place))
        return 0;
    FILE *out = open_memstream(&rows, &size);
    if (!out)
        return ENOMEM;
    for (size_t i = 0; i < outcome->spot_count; i++) {
        const struct hm_heap_spot *p = &outcome->spots[i];
        hm_csv_put_text(out, place->cell->id);
        fprintf(out, ",%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                place->round, p->t_ns, p->offset, p->size, p->used, p->free);
    }
    int bad = fclose(out) ? ENOMEM : append_synced(s->map_fd, rows, size);
    free(rows);
    return bad;
}

/* @return 0 or an errno */
static int add_buckets(const struct hm_samples *s, const struct hm_sample_place *place,
                       const struct hm_outcome *outcome) {
    char *rows = NULL;
    size_t size = 0;
    if (s->histogram_fd < 0 || !outcome->bucket_count || outcome->status != HM_STATUS_OK ||
        is_left_out(place))
        return 0;
    FILE *out = open_memstream(&rows, &size);
    if (!out)
        return ENOMEM;
    hm_histogram_put(out, place->cell->id, (int)place->round, outcome->buckets,
                     outcome->bucket_count);
    int bad = fclose(out) ? ENOMEM : append_synced(s->histogram_fd, rows, size);
    free(rows);
    return bad;
}

int hm_samples_add(struct hm_samples *samples, const struct hm_sample_place *place,
                   const struct hm_outcome *outcome, struct hm_error *error) {
    char *rows = NULL;
    char *points = NULL;
    size_t rows_size = 0;
    size_t points_size = 0;
    FILE *rows_out = open_memstream(&rows, &rows_size);
    FILE *points_out = open_memstream(&points, &points_size);
    int bad = rows_out && points_out ? 0 : ENOMEM;
    if (!bad)
        put_process(rows_out, samples, place, outcome);
    if (!bad)
        put_series(points_out, place, outcome);
    if (rows_out && fclose(rows_out))
        bad = ENOMEM;
    if (points_out && fclose(points_out))
        bad = ENOMEM;
    if (!bad)
        bad = add_buckets(samples, place, outcome);
    if (!bad)
        bad = add_map(samples, place, outcome);
    if (!bad)
        bad = append_synced(samples->series_fd, points, points_size);
    if (!bad)
        bad = append_synced(samples->samples_fd, rows, rows_size);
    free(rows);
    free(points);
    return bad ? hm_fail(error, bad, "can not append to the samples: %s", strerror(bad)) : 0;
}

struct named {
    const char *id;
    size_t index;
};

static int by_id(const void *a, const void *b) {
    return strcmp(((const struct named *)a)->id, ((const struct named *)b)->id);
}

static struct named *index_cells(const struct hm_plan *plan) {
    struct named *index = calloc(plan->cell_count + 1, sizeof *index);
    for (size_t i = 0; index && i < plan->cell_count; i++)
        index[i] = (struct named){plan->cells[i].id, i};
    if (index)
        qsort(index, plan->cell_count, sizeof *index, by_id);
    return index;
}

/* The columns that reading back needs. */
struct columns {
    int cell, round, thread, metric, value, status, reason;
};

static void take_row(const struct hm_csv *csv, const struct columns *c, size_t cell,
                     hm_sample_fn *take, void *arg) {
    double round = 0;
    double value = NAN;
    hm_csv_number(csv, c->round, &round);
    hm_csv_number(csv, c->value, &value);
    take(arg, cell, hm_csv_field(csv, c->metric), (unsigned)round, value,
         hm_csv_field(csv, c->status), hm_csv_field(csv, c->reason));
}

int hm_samples_read(const struct hm_folder *folder, const struct hm_plan *plan, hm_sample_fn *take,
                    void *arg, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    int bad = hm_csv_open(&csv, hm_folder_file(folder, "samples.csv", path), error);
    if (bad)
        return bad;
    const struct columns c = {hm_csv_column(csv, "cell"),   hm_csv_column(csv, "round"),
                              hm_csv_column(csv, "thread"), hm_csv_column(csv, "metric"),
                              hm_csv_column(csv, "value"),  hm_csv_column(csv, "status"),
                              hm_csv_column(csv, "reason")};
    struct named *index = index_cells(plan);
    int more = index ? 1 : -1;
    while (more == 1 && (more = hm_csv_next(csv, error)) == 1) {
        const struct named key = {hm_csv_field(csv, c.cell), 0};
        const struct named *found = bsearch(&key, index, plan->cell_count, sizeof key, by_id);
        if (found && strcmp(hm_csv_field(csv, c.thread), "-1") == 0)
            take_row(csv, &c, found->index, take, arg);
    }
    free(index);
    hm_csv_close(csv);
    return more == 0 ? 0 : EINVAL;
}

/* histogram.csv. */
#include "harness/results/histogram_file.h"
#include "harness/results/latency_names.h"

#include "harness/results/csv.h"
#include "harness/results/samples.h"
#include "harness/stats/histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    RESPONSE = HM_LATENCY_KINDS, /* behind those of calls */
    FREE_RUNS_PEAK,
    FREE_RUNS_END,
    KINDS,
};

const char hm_histogram_header[] = "cell,metric,low_ns,high_ns,count,round,unit\n";

/* What is read of the run: which processes are whole, and the sums of their buckets. */
struct settling {
    const struct hm_plan *plan;
    bool *whole[2];    /* of latency, of space: [cell][round] */
    bool *failed;      /* [cell] */
    uint64_t **counts; /* [cell][kind]: of each bucket; NULL: there is none */
};

static bool is_space(const char *metric) {
    return strncmp(metric, "free_run_", 9) == 0;
}

static void put_row(FILE *out, const char *cell, int round, const char *metric, unsigned bucket,
                    uint64_t count) {
    hm_csv_put_text(out, cell);
    fprintf(out, ",%s,", metric);
    hm_csv_put_number(out, (double)hm_histogram_low(bucket) / HM_HISTOGRAM_PARTS);
    fputc(',', out);
    hm_csv_put_number(out, (double)hm_histogram_low(bucket + 1) / HM_HISTOGRAM_PARTS);
    fprintf(out, ",%" PRIu64 ",%d,%s\n", count, round, is_space(metric) ? "bytes" : "ns");
}

void hm_histogram_put(FILE *out, const char *cell, int round, const struct hm_bucket *buckets,
                      size_t count) {
    for (size_t i = 0; i < count; i++)
        put_row(out, cell, round, buckets[i].metric, buckets[i].bucket, buckets[i].count);
}

static const char *kind_name(int kind) {
    static char name[32];
    if (kind == RESPONSE)
        return "response_ns";
    if (kind == FREE_RUNS_PEAK)
        return "free_run_bytes_peak";
    if (kind == FREE_RUNS_END)
        return "free_run_bytes_end";
    snprintf(name, sizeof name, "latency_%s_ns", hm_latency_kind_names[kind]);
    return name;
}

/* @return -1 when it is none */
static int kind_of(const char *metric) {
    for (int kind = 0; kind < KINDS; kind++)
        if (strcmp(metric, kind_name(kind)) == 0)
            return kind;
    return -1;
}

static void take_sample(void *arg, size_t cell, const char *metric, unsigned round, double value,
                        const char *status, const char *reason) {
    struct settling *s = arg;
    (void)value;
    (void)reason;
    if (strcmp(status, "ok") != 0)
        s->failed[cell] = true;
    for (int i = 0; i < 2 && round < s->plan->rounds; i++)
        if (strcmp(metric, hm_pass_lead(s->plan, i ? HM_PASS_SPACE : HM_PASS_LATENCY)) == 0)
            s->whole[i][cell * s->plan->rounds + round] |= strcmp(status, "ok") == 0;
}

static size_t find_cell(const struct hm_plan *plan, const char *id, size_t from) {
    for (size_t i = 0; i < plan->cell_count; i++) {
        size_t at = (from + i) % plan->cell_count;
        if (strcmp(plan->cells[at].id, id) == 0)
            return at;
    }
    return plan->cell_count;
}

static bool is_whole(const struct settling *s, size_t cell, double round, bool space) {
    if (cell >= s->plan->cell_count || s->failed[cell])
        return false;
    return round < 0 ||
           (round < s->plan->rounds && s->whole[space][cell * s->plan->rounds + (size_t)round]);
}

struct columns {
    int cell, metric, low, count, round;
};

/* @param cell in and out: where the last row's stands  @return 0 or an errno */
static int take_row(struct settling *s, const struct hm_csv *csv, const struct columns *c,
                    size_t *cell) {
    double low = NAN, count = NAN, round = NAN;
    int kind = kind_of(hm_csv_field(csv, c->metric));
    if (kind < 0 || !hm_csv_number(csv, c->low, &low) || !hm_csv_number(csv, c->count, &count) ||
        !hm_csv_number(csv, c->round, &round) || low < 0 || count < 0 || count > 0x1p53 ||
        low > 0x1p53)
        return EINVAL;
    size_t found = find_cell(s->plan, hm_csv_field(csv, c->cell), *cell);
    if (!is_whole(s, found, round, kind >= FREE_RUNS_PEAK))
        return 0;
    *cell = found;
    uint64_t **counts = &s->counts[found * KINDS + (size_t)kind];
    if (!*counts && !(*counts = calloc(HM_HISTOGRAM_BUCKETS, sizeof **counts)))
        return ENOMEM;
    (*counts)[hm_histogram_bucket((uint64_t)(low * HM_HISTOGRAM_PARTS + 0.5))] += (uint64_t)count;
    return 0;
}

static int read_rows(struct settling *s, const char *path, struct hm_error *error) {
    struct hm_csv *csv;
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    const struct columns c = {hm_csv_column(csv, "cell"), hm_csv_column(csv, "metric"),
                              hm_csv_column(csv, "low_ns"), hm_csv_column(csv, "count"),
                              hm_csv_column(csv, "round")};
    size_t cell = 0;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        bad = take_row(s, csv, &c, &cell);
    if (bad)
        hm_fail(error, bad, "%s: line %ld: %s", path, hm_csv_line(csv),
                bad == EINVAL ? "no row of a histogram" : strerror(bad));
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

static void put_all(FILE *out, const struct settling *s) {
    fputs(hm_histogram_header, out);
    for (size_t i = 0; i < s->plan->cell_count * KINDS; i++)
        for (unsigned b = 0; s->counts[i] && b < HM_HISTOGRAM_BUCKETS; b++)
            if (s->counts[i][b])
                put_row(out, s->plan->cells[i / KINDS].id, -1, kind_name((int)(i % KINDS)), b,
                        s->counts[i][b]);
}

static int write_all(const struct settling *s, const char *path, struct hm_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out)
        put_all(out, s);
    int bad = out && fclose(out) == 0 ? hm_file_replace(path, text, size, error)
                                      : hm_fail(error, ENOMEM, "out of memory for histogram.csv");
    free(text);
    return bad;
}

int hm_histogram_settle(const struct hm_folder *folder, const struct hm_plan *plan,
                        struct hm_error *error) {
    char path[PATH_MAX];
    size_t cells = plan->cell_count;
    struct settling s = {.plan = plan,
                         .whole = {calloc(cells * plan->rounds + 1, sizeof **s.whole),
                                   calloc(cells * plan->rounds + 1, sizeof **s.whole)},
                         .failed = calloc(cells + 1, sizeof *s.failed),
                         .counts = calloc(cells * KINDS + 1, sizeof *s.counts)};
    int bad = s.whole[0] && s.whole[1] && s.failed && s.counts
                  ? 0
                  : hm_fail(error, ENOMEM, "out of memory for histogram.csv");
    hm_folder_file(folder, "histogram.csv", path);
    if (!bad)
        bad = hm_samples_read(folder, plan, take_sample, &s, error);
    if (!bad)
        bad = read_rows(&s, path, error);
    if (!bad)
        bad = write_all(&s, path, error);
    for (size_t i = 0; s.counts && i < cells * KINDS; i++)
        free(s.counts[i]);
    free(s.counts);
    free(s.whole[0]);
    free(s.whole[1]);
    free(s.failed);
    return bad == ENOENT ? 0 : bad;
}

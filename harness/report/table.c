/* The verdict on the terminal. */
#include "harness/report/table.h"

#include "harness/plan/spec.h"
#include "harness/report/collecting.h"
#include "harness/report/counts.h"
#include "harness/report/families.h"
#include "harness/report/looks.h"
#include "harness/report/stalls.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"
#include "harness/results/latency_names.h"
#include "harness/results/manifest.h"
#include "harness/results/metrics.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT = HM_SPEC_BYTES + 64, /* a label, and some words */
    NAME_WIDTH = 23,
    PROGRAM_WIDTH = 17, /* of an allocator under a program, which has one more column */
    SPEED_WIDTH = 22,
    VERDICT_WIDTH = 12,
    LOOK_WIDTH = 3, /* of " @8" behind a verdict; taken off the name */
    PROGRAM_SPEED_WIDTH = 20,
    BYTES_WIDTH = 9,
    LATENCY_WIDTH = 20,          /* of an allocator over its latencies */
    RESPONSE = HM_LATENCY_CALLS, /* behind the kinds of calls */
    KINDS,
    FIGURE_WIDTH = 28,
};

/* What is shown of one cell, gathered from its rows of stats.csv. */
struct line {
    char cell[4 * HM_SPEC_BYTES];
    char group[TEXT]; /* workload and threads */
    char name[2 * TEXT];
    char verdict[32];
    double time_ns, ratio, low, high, footprint;
    double
        cpu_ns; /* of a program, whose time is that of a whole run, and whose footprint its peak */
    double latency_ns[KINDS][HM_LATENCY_QUANTILES];
    bool program;
    bool baseline;
    double confidence; /* of the interval */
    char note[64];     /* such as "oversubscribed" */
    struct line *next;
};

struct lines {
    struct line *first;
    struct line **last;
};

static struct line *find(struct lines *all, const char *cell) {
    for (struct line *l = all->first; l; l = l->next)
        if (strcmp(l->cell, cell) == 0)
            return l;
    struct line *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return NULL;
    fresh->time_ns = fresh->ratio = fresh->low = fresh->high = fresh->footprint = fresh->cpu_ns =
        NAN;
    for (int i = 0; i < KINDS * HM_LATENCY_QUANTILES; i++)
        fresh->latency_ns[i / HM_LATENCY_QUANTILES][i % HM_LATENCY_QUANTILES] = NAN;
    snprintf(fresh->cell, sizeof fresh->cell, "%s", cell);
    *all->last = fresh;
    all->last = &fresh->next;
    return fresh;
}

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

static double number(const struct hm_csv *csv, const char *name) {
    double value = NAN;
    hm_csv_number(csv, hm_csv_column(csv, name), &value);
    return value;
}

/* Of calls of all sizes together. */
static void take_latency(struct line *l, const char *metric, double value) {
    char name[64];
    for (int i = 0; i < KINDS * HM_LATENCY_QUANTILES; i++) {
        int kind = i / HM_LATENCY_QUANTILES, q = i % HM_LATENCY_QUANTILES;
        snprintf(name, sizeof name, "%s%s_%s_ns", kind == RESPONSE ? "" : "latency_",
                 kind == RESPONSE ? "response" : hm_latency_call_names[kind],
                 hm_latency_quantile_names[q]);
        if (strcmp(metric, name) == 0)
            l->latency_ns[kind][q] = value;
    }
}

static int take_row(struct lines *all, const struct hm_csv *csv) {
    struct line *l = find(all, field(csv, "cell"));
    const char *metric = field(csv, "metric");
    if (!l)
        return ENOMEM;
    hm_words_group(csv, l->group, sizeof l->group);
    hm_words_arm(field(csv, "allocator"), field(csv, "collector"), l->name, sizeof l->name);
    l->program = hm_words_is_program(csv);
    if (strcmp(metric, l->program ? "wall_ns" : "time_ns") == 0)
        l->time_ns = number(csv, "median");
    if (strcmp(metric, "cpu_ns") == 0)
        l->cpu_ns = number(csv, "median");
    if (strcmp(metric, l->program ? "peak_rss_bytes" : "footprint_bytes") == 0)
        l->footprint = number(csv, "median");
    if (strncmp(metric, "latency_", 8) == 0 || strncmp(metric, "response_", 9) == 0)
        take_latency(l, metric, number(csv, "median"));
    if (strcmp(metric, "ops_per_second") != 0)
        return 0;
    l->ratio = number(csv, "ratio");
    l->low = number(csv, "ratio_low");
    l->high = number(csv, "ratio_high");
    l->baseline = strcmp(field(csv, "baseline"), l->cell) == 0;
    l->confidence = number(csv, "confidence");
    snprintf(l->verdict, sizeof l->verdict, "%s", field(csv, "verdict"));
    const size_t used = strlen(l->verdict);
    const double after = number(csv, "decided_after");
    if (isfinite(after))
        snprintf(l->verdict + used, sizeof l->verdict - used, " @%.0f", after);
    return 0;
}

static int read_stats(struct lines *all, const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/stats.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        bad = take_row(all, csv);
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

static void put_bytes(FILE *out, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    if (isfinite(bytes))
        fprintf(out, "%*.*f %-3s", BYTES_WIDTH - 4, bytes < 10 && unit ? 1 : 0, bytes, units[unit]);
    else
        fprintf(out, "%*s", BYTES_WIDTH, "NA");
}

/* Three digits, and no exponent. */
static void put_time(FILE *out, double ns) {
    if (!isfinite(ns))
        fprintf(out, "%8s", "NA");
    else if (ns >= 1000)
        fprintf(out, "%8.0f", ns);
    else
        fprintf(out, "%8.3g", ns);
}

/* Where verdicts tell after how many rounds they were reached, names have less room. */
static int look_width(const struct line *l) {
    return l->confidence > 0.95 ? LOOK_WIDTH : 0;
}

static int name_width(const struct line *l) {
    return (l->program ? PROGRAM_WIDTH : NAME_WIDTH) - look_width(l);
}

static void put_line(FILE *out, const struct line *l) {
    char ratio[64] = "";
    if (l->baseline)
        snprintf(ratio, sizeof ratio, "1     baseline");
    else if (isfinite(l->low))
        snprintf(ratio, sizeof ratio, "%-5.3g [%.3g, %.3g]", l->ratio, l->low, l->high);
    else if (isfinite(l->ratio))
        snprintf(ratio, sizeof ratio, "%-5.3g [NA]", l->ratio);
    const int room = l->program ? PROGRAM_SPEED_WIDTH : SPEED_WIDTH;
    if (strlen(ratio) > (size_t)room)
        hm_words_ratio(l->ratio, l->low, l->high, room, ratio, sizeof ratio);
    const int width = name_width(l);
    hm_words_put_label(out, l->name, 2, width + 1);
    put_time(out, l->program ? l->time_ns * 1e-6 : l->time_ns);
    if (l->program)
        put_time(out, l->cpu_ns * 1e-6);
    fprintf(out, "  %-*s %-*s", room, ratio, VERDICT_WIDTH + look_width(l),
            strcmp(l->verdict, "NA") == 0 ? "" : l->verdict);
    put_bytes(out, l->footprint);
    fputc('\n', out);
}

/* What the words of the table mean, where they are not plain. */
static void put_legend(FILE *out, const struct lines *all) {
    bool open = false;
    for (const struct line *l = all->first; l; l = l->next)
        open = open || strncmp(l->verdict, "needs", 5) == 0;
    if (all->first && all->first->program)
        fputs("\nspeed: runs per second against the baseline; 2 is twice as fast. cpu: of all\n"
              "processes together. memory: peak of the largest process.\n",
              out);
    else
        fputs("\nspeed: operations per second against the baseline; 2 is twice as fast.\n"
              "Collectors are compared on the first allocator, allocators under the same\n"
              "collector.\n",
              out);
    if (open)
        fputs("needs ~N: inconclusive; about N rounds would settle it (--rounds N).\n", out);
}

static void put_head(FILE *out, const struct line *l) {
    char speed[40] = "speed [95 % interval]";
    if (l->program || look_width(l))
        snprintf(speed, sizeof speed, "speed [%.4g %% CI]",
                 look_width(l) ? l->confidence * 100 : 95);
    fprintf(out, "\n%s%s\n", l->group, l->note);
    if (l->program)
        fprintf(out, "  %-*s %8s%8s  %-*s %-*s%*s\n", name_width(l), "", "wall ms", "cpu ms",
                PROGRAM_SPEED_WIDTH, speed, VERDICT_WIDTH + look_width(l), "verdict", BYTES_WIDTH,
                "memory");
    else
        fprintf(out, "  %-*s %8s  %-*s %-*s%*s\n", name_width(l), "", "ns/op", SPEED_WIDTH, speed,
                VERDICT_WIDTH + look_width(l), "verdict", BYTES_WIDTH, "footprint");
}

/* Whether there is anything for the table of speeds; where a pass was left out it has NA. */
static bool has_speeds(const struct lines *all) {
    for (const struct line *l = all->first; l; l = l->next)
        if (isfinite(l->time_ns) || isfinite(l->footprint))
            return true;
    return false;
}

static void put_lines(FILE *out, const struct lines *all) {
    const char *group = "";
    for (const struct line *l = all->first; l; l = l->next) {
        if (strcmp(group, l->group) != 0)
            put_head(out, l);
        group = l->group;
        put_line(out, l);
    }
}

/* ---- Latencies ---- */

static void put_latency_line(FILE *out, const struct line *l, int kind) {
    hm_words_put_label(out, l->name, 4, LATENCY_WIDTH);
    for (int q = 0; q < HM_LATENCY_QUANTILES; q++)
        hm_words_put_duration(out, l->latency_ns[kind][q]);
    fputc('\n', out);
}

/* One kind of calls of the group that begins at `first`, where it has such calls. */
static void put_latency_kind(FILE *out, const struct line *first, int kind) {
    static const char *const heads[HM_LATENCY_QUANTILES] = {"p50",   "p90",    "p99",
                                                            "p99.9", "p99.99", "max"};
    bool begun = false;
    for (const struct line *l = first; l && strcmp(l->group, first->group) == 0; l = l->next) {
        if (!isfinite(
                l->latency_ns[kind][HM_LATENCY_QUANTILES - 1])) /* the longest there always is */
            continue;
        if (!begun)
            fprintf(out, "  %-*s", LATENCY_WIDTH + 2,
                    kind == RESPONSE ? "from due to done" : hm_latency_call_names[kind]);
        for (int q = 0; !begun && q < HM_LATENCY_QUANTILES; q++)
            fprintf(out, "%9s%s", heads[q], q + 1 < HM_LATENCY_QUANTILES ? "" : "\n");
        begun = true;
        put_latency_line(out, l, kind);
    }
}

static bool has_latencies(const struct line *l) {
    for (int kind = 0; kind < KINDS; kind++)
        if (isfinite(l->latency_ns[kind][HM_LATENCY_QUANTILES - 1]))
            return true;
    return false;
}

static void put_latencies(FILE *out, const struct lines *all) {
    const char *group = "";
    bool begun = false;
    for (const struct line *l = all->first; l; l = l->next) {
        if (!has_latencies(l) || strcmp(group, l->group) == 0)
            continue;
        if (!begun)
            fputs("\nHow long single calls take: median over the rounds. NA: too few calls to "
                  "tell.\n",
                  out);
        begun = true;
        group = l->group;
        fprintf(out, "\n%s%s\n", l->group, l->note);
        for (int kind = 0; kind < KINDS; kind++)
            put_latency_kind(out, l, kind);
    }
}

/* How many rounds would settle what is inconclusive: run.json knows. A run without it is shown all the
 * same. */
static void read_manifest(struct lines *all, const char *folder) {
    json_t *json;
    struct hm_error error;
    size_t i;
    json_t *cell;
    if (hm_manifest_read(&json, folder, &error))
        return;
    json_array_foreach(json_object_get(json, "cells"), i, cell) {
        const char *id = json_string_value(json_object_get(cell, "cell"));
        json_int_t rounds = json_integer_value(json_object_get(cell, "rounds_needed"));
        for (struct line *l = id ? all->first : NULL; l; l = l->next)
            if (strcmp(l->cell, id) == 0 && strcmp(l->verdict, "inconclusive") == 0 && rounds > 0 &&
                strncmp(l->name, "A/A", 3) != 0)
                snprintf(l->verdict, sizeof l->verdict, "needs ~%d", (int)rounds);
    }
    json_decref(json);
}

/* What samples.csv adds: notes on good cells, and a text with the failed ones. */
static int read_samples(struct lines *all, const char *folder, FILE *failures,
                        struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/samples.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more;
    while ((more = hm_csv_next(csv, error)) == 1) {
        const char *status = field(csv, "status");
        const char *reason = field(csv, "reason");
        if (strcmp(status, "ok") != 0)
            fprintf(failures, "  %s: %s: %s\n", field(csv, "cell"), status, reason);
        bool told = *reason && isfinite(number(csv, "value")); /* else it says why there is none */
        for (struct line *l = told ? all->first : NULL; l; l = l->next)
            if (strcmp(l->cell, field(csv, "cell")) == 0)
                snprintf(l->note, sizeof l->note, ", %.60s", reason);
    }
    hm_csv_close(csv);
    return more < 0 ? EINVAL : 0;
}

/* ---- The workloads' own figures ---- */

/* Words between a margin and the page's width, and a newline. The cursor stands at the margin. */
static void put_words(FILE *out, const char *text, int margin) {
    int column = margin;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column > margin && column + 1 + word > HM_WORDS_PAGE) {
            fprintf(out, "\n%*s", margin, "");
            column = margin;
        }
        column += fprintf(out, "%s%.*s", column > margin ? " " : "", word, text);
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void put_figure_head(FILE *out, const struct hm_metric *figure) {
    fprintf(out, "\n%s, %s%s%s\n  ", figure->name, figure->unit,
            figure->better == HM_BETTER_NEITHER ? "" : ", better is ",
            figure->better == HM_BETTER_NEITHER ? "" : hm_better_name(figure->better));
    put_words(out, figure->summary, 2);
}

/* Great numbers are counts, as a rule: no digit is left out, and none made up. */
static void figure_text(char *out, size_t size, double value) {
    bool great = fabs(value) >= 1e5 && fabs(value) < 1e12;
    snprintf(out, size, great ? "%.0f" : "%.6g", value);
}

static void put_figure(FILE *out, const struct hm_csv *csv) {
    char name[2 * TEXT];
    double low = number(csv, "ci_low"), high = number(csv, "ci_high");
    hm_words_arm(field(csv, "allocator"), field(csv, "collector"), name, sizeof name);
    hm_words_put_label(out, name, 4, FIGURE_WIDTH);
    char texts[3][32];
    const double values[] = {number(csv, "median"), low, high};
    for (int i = 0; i < 3; i++)
        figure_text(texts[i], sizeof texts[i], values[i]);
    fprintf(out, "%12s", texts[0]);
    if (isfinite(low))
        fprintf(out, "  [%s, %s]", texts[1], texts[2]);
    fputc('\n', out);
}

/* Older runs do not tell. */
static void put_figures_head(FILE *out, double confidence) {
    fprintf(out, "\nThe workloads' own figures: median [%.4g %% interval] over the rounds.\n",
            isfinite(confidence) ? confidence * 100 : 95);
}

/* The rows of stats.csv stand together by metric, and those of a metric by group. */
static int put_figures(FILE *out, const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    char group[TEXT] = "";
    struct hm_csv *csv;
    const struct hm_metric *shown = NULL;
    snprintf(path, sizeof path, "%s/stats.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more;
    while ((more = hm_csv_next(csv, error)) == 1) {
        char now[TEXT];
        const struct hm_metric *metric = hm_metric_find(field(csv, "metric"));
        if (!metric || !hm_metric_is_figure(metric))
            continue;
        if (!shown)
            put_figures_head(out, number(csv, "confidence"));
        hm_words_group(csv, now, sizeof now);
        if (metric != shown)
            put_figure_head(out, metric);
        if (metric != shown || strcmp(now, group) != 0)
            fprintf(out, "  %s\n", now);
        memcpy(group, now, sizeof group);
        shown = metric;
        put_figure(out, csv);
    }
    hm_csv_close(csv);
    return more < 0 ? EINVAL : 0;
}

int hm_table_print(FILE *out, const char *folder, struct hm_error *error) {
    struct lines all = {.last = &all.first};
    char *failures = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&failures, &size);
    int bad = text ? read_stats(&all, folder, error) : hm_fail(error, ENOMEM, "out of memory");
    if (!bad)
        bad = read_samples(&all, folder, text, error);
    if (text && fclose(text) && !bad)
        bad = hm_fail(error, ENOMEM, "out of memory");
    if (!bad) {
        read_manifest(&all, folder);
        if (has_speeds(&all)) {
            put_lines(out, &all);
            put_legend(out, &all);
            hm_looks_print(out, folder);
        }
        put_latencies(out, &all);
        bad = hm_stalls_print(out, folder, error);
        if (!bad)
            bad = hm_collecting_print(out, folder, error);
        if (!bad)
            bad = hm_counts_print(out, folder, error);
        if (!bad)
            bad = hm_families_print(out, folder, error);
        if (!bad)
            bad = put_figures(out, folder, error);
    }
    if (!bad && size)
        fprintf(out, "\nNot measured, and in no figure:\n%s", failures);
    free(failures);
    for (struct line *l = all.first; l;) {
        struct line *next = l->next;
        free(l);
        l = next;
    }
    return bad;
}

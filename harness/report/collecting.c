/* The table of collectors.
 *
 * Medians are those of stats.csv. Labels belong to processes, and a cell's is only told when they agree: they are
 * read from samples.csv. */
#include "harness/report/collecting.h"

#include "harness/plan/spec.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"
#include "harness/stats/trend.h"
#include "harness/stats/warmup.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_WIDTH = 24,
    LABELS = HM_WARMUP_UNKNOWN,
};

enum number {
    MUTATOR,
    COLLECTOR,
    MINIMUM,
    OVERHEAD,
    OVERHEAD_CPU,
    LONGEST,
    BOUNDED,
    PEAK,
    SLOPE,
    NUMBERS,
};

static const char *const metrics[NUMBERS] = {"mutator_ns",
                                             "collector_ns",
                                             "distilled_minimum_ns",
                                             "lower_bound_overhead",
                                             "lower_bound_overhead_cpu",
                                             "pause_max_ns",
                                             "bmu_10ms",
                                             "garbage_peak_objects",
                                             "garbage_slope_per_op"};

struct line {
    char cell[4 * HM_SPEC_BYTES];
    char group[HM_SPEC_BYTES + 64]; /* workload and threads */
    char name[2 * HM_SPEC_BYTES + 64];
    double numbers[NUMBERS];
    unsigned processes_of_space, processes_of_warmup;
    unsigned trends[3]; /* falling, stable, growing */
    unsigned labels[LABELS];
    struct line *next;
};

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

static double number(const struct hm_csv *csv, const char *name) {
    double value = NAN;
    hm_csv_number(csv, hm_csv_column(csv, name), &value);
    return value;
}

/* @return NULL: not there yet, and `at` is where it belongs */
static struct line *find(struct line ***at, const char *cell) {
    for (; **at; *at = &(**at)->next)
        if (strcmp((**at)->cell, cell) == 0)
            return **at;
    return NULL;
}

static struct line *add(struct line **at, const struct hm_csv *csv) {
    struct line *l = *at = calloc(1, sizeof **at);
    if (!l)
        return NULL;
    snprintf(l->cell, sizeof l->cell, "%s", field(csv, "cell"));
    hm_words_group(csv, l->group, sizeof l->group);
    hm_words_arm(field(csv, "allocator"), field(csv, "collector"), l->name, sizeof l->name);
    for (int i = 0; i < NUMBERS; i++)
        l->numbers[i] = NAN;
    return l;
}

/* The A/A arm and the floors have one collector only, which other rows have. */
static bool is_control(const struct hm_csv *csv) {
    const char *allocator = field(csv, "allocator");
    return strchr(allocator, '#') ||
           (strncmp(allocator, "floor", 5) == 0 && strchr(":", allocator[5]));
}

/* A row of stats.csv. */
static int take_median(struct line **all, const struct hm_csv *csv) {
    const char *metric = field(csv, "metric");
    int i = 0;
    while (i < NUMBERS && strcmp(metrics[i], metric) != 0)
        i++;
    bool is_warmup = strcmp(metric, "warmup_time_ns") == 0;
    if (is_control(csv) || (strcmp(field(csv, "collector"), "-") == 0 && !is_warmup))
        return 0;
    struct line **at = all;
    struct line *l = find(&at, field(csv, "cell"));
    if (!l)
        l = add(at, csv);
    if (l && i < NUMBERS)
        l->numbers[i] = number(csv, "median");
    return l ? 0 : ENOMEM;
}

/* A row of samples.csv. */
static int take_label(struct line **all, const struct hm_csv *csv) {
    const char *metric = field(csv, "metric");
    struct line **at = all;
    double value = number(csv, "value");
    bool trend = strcmp(metric, "garbage_trend") == 0;
    bool label = strcmp(metric, "warmup_label") == 0;
    bool space = strcmp(metric, "garbage_peak_objects") == 0;
    if (!trend && !label && !space && strcmp(metric, "warmup_time_ns") != 0)
        return 0;
    struct line *l = find(&at, field(csv, "cell"));
    if (!l)
        return 0;
    if (trend && value >= -1 && value <= 1)
        l->trends[(int)value + 1]++;
    else if (label && value >= 0 && value < LABELS)
        l->labels[(int)value]++;
    else if (space)
        l->processes_of_space++;
    else if (!trend && !label)
        l->processes_of_warmup++;
    return 0;
}

typedef int take_fn(struct line **all, const struct hm_csv *csv);

static int read_table(struct line **all, const char *folder, const char *name, take_fn *take,
                      struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        if ((bad = take(all, csv)))
            hm_fail(error, bad, "out of memory");
    hm_csv_close(csv);
    return more < 0 ? EINVAL : bad;
}

/* ---- Words ---- */

static const char *trend_word(const struct line *l) {
    for (int i = 0; i < 3; i++)
        if (l->trends[i] == l->processes_of_space)
            return l->processes_of_space ? hm_trend_name((enum hm_trend_label)(i - 1)) : "";
    unsigned known = l->trends[0] + l->trends[1] + l->trends[2];
    return known ? "mixed" : hm_trend_name(HM_TREND_UNKNOWN);
}

/* "flat", "inconsistent: 4 flat, 2 warm-up". */
static void put_labels(FILE *out, const struct line *l) {
    unsigned known = 0;
    const char *gap = "inconsistent: ";
    for (int i = 0; i < LABELS; i++) {
        known += l->labels[i];
        if (l->labels[i] == l->processes_of_warmup) {
            fputs(hm_warmup_name((enum hm_warmup_label)i), out);
            return;
        }
    }
    for (int i = 0; i < LABELS; i++)
        if (l->labels[i]) {
            fprintf(out, "%s%u %s", gap, l->labels[i], hm_warmup_name((enum hm_warmup_label)i));
            gap = ", ";
        }
    if (!known)
        fputs("not known: fewer than 20 iterations", out);
}

/* ---- Columns ---- */

static void put_name(FILE *out, const struct line *l) {
    if (strlen(l->name) > NAME_WIDTH)
        fprintf(out, "  %s\n  %*s", l->name, NAME_WIDTH, "");
    else
        fprintf(out, "  %-*s", NAME_WIDTH, l->name);
}

static void put_number(FILE *out, int width, double value) {
    char text[32] = "NA";
    if (isfinite(value))
        snprintf(text, sizeof text, fabs(value) < 999.5 ? "%.3g" : "%.0f", value);
    fprintf(out, "%*s", width, text);
}

static void put_duration(FILE *out, double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    for (; ns >= 999.5 && unit < 3; unit++)
        ns /= 1000;
    if (isfinite(ns))
        fprintf(out, "%*.3g %s", (int)(9 - strlen(units[unit])), ns, units[unit]);
    else
        fprintf(out, "%10s", "-");
}

static bool has_time(const struct line *l) {
    return isfinite(l->numbers[MUTATOR]);
}

static bool has_garbage(const struct line *l) {
    return l->processes_of_space > 0;
}

static bool has_labels(const struct line *l) {
    return l->processes_of_warmup > 0;
}

static void put_time_head(FILE *out, const struct line *first) {
    fprintf(out, "  %-*s%8s%10s%7s%6s%7s%10s%6s\n", NAME_WIDTH, "ns/op", "mutator", "collector",
            "least", "LBO", "of cpu", "longest", "BMU");
    (void)first;
}

static void put_time(FILE *out, const struct line *l) {
    put_name(out, l);
    put_number(out, 8, l->numbers[MUTATOR]);
    put_number(out, 10, l->numbers[COLLECTOR]);
    put_number(out, 7, l->numbers[MINIMUM]);
    put_number(out, 6, l->numbers[OVERHEAD]);
    put_number(out, 7, l->numbers[OVERHEAD_CPU]);
    put_duration(out, l->numbers[LONGEST]);
    put_number(out, 6, l->numbers[BOUNDED]);
    fputc('\n', out);
}

static void put_garbage_head(FILE *out, const struct line *first) {
    fprintf(out, "  %-*s%12s%14s  %s\n", NAME_WIDTH, "garbage, objects", "most", "more per op",
            "trend");
    (void)first;
}

static void put_garbage(FILE *out, const struct line *l) {
    put_name(out, l);
    put_number(out, 12, l->numbers[PEAK]);
    put_number(out, 14, l->numbers[SLOPE]);
    fprintf(out, "  %s\n", trend_word(l));
}

static void put_label_head(FILE *out, const struct line *first) {
    fprintf(out, "  warm-up of %u processes\n", first->processes_of_warmup);
}

static void put_label(FILE *out, const struct line *l) {
    put_name(out, l);
    put_labels(out, l);
    fputc('\n', out);
}

struct part {
    bool (*has)(const struct line *l);
    void (*put_head)(FILE *out, const struct line *first);
    void (*put)(FILE *out, const struct line *l);
};

static const struct part parts[] = {{has_time, put_time_head, put_time},
                                    {has_garbage, put_garbage_head, put_garbage},
                                    {has_labels, put_label_head, put_label}};

static void put_part(FILE *out, const struct line *first, const struct part *part) {
    bool begun = false;
    for (const struct line *l = first; l && strcmp(l->group, first->group) == 0; l = l->next) {
        if (!part->has(l))
            continue;
        if (!begun)
            part->put_head(out, l);
        begun = true;
        part->put(out, l);
    }
}

static void put_legend(FILE *out, const struct line *all) {
    bool time = false, garbage = false;
    for (const struct line *l = all; l; l = l->next) {
        time = time || has_time(l);
        garbage = garbage || has_garbage(l);
    }
    if (time)
        fputs("\nleast: what a mutator needs under any collector of the run on that allocator.\n"
              "LBO: lower-bound overhead, time over that; the true overhead is that or more.\n"
              "longest: pause. BMU: the least part of any 10 ms or more that pauses leave; NA:\n"
              "the run is shorter, or had more pauses than are kept.\n",
              out);
    if (garbage)
        fputs("garbage: objects that are not used any more and not freed yet.\n", out);
}

static bool has_any(const struct line *l) {
    bool any = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        any = any || parts[i].has(l);
    return any;
}

static void put_lines(FILE *out, const struct line *all) {
    const char *group = "";
    bool any = false, collectors = false;
    for (const struct line *l = all; l; l = l->next) {
        any = any || has_any(l);
        collectors = collectors || has_time(l) || has_garbage(l);
    }
    if (any)
        fputs(collectors ? "\nCollectors: medians over the rounds.\n" : "\nWarm-up of processes.\n",
              out);
    for (const struct line *l = all; l; l = l->next) {
        if (!has_any(l) || strcmp(group, l->group) == 0)
            continue;
        group = l->group;
        fprintf(out, "\n%s\n", l->group);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            put_part(out, l, &parts[i]);
    }
    put_legend(out, all);
}

int hm_collecting_print(FILE *out, const char *folder, struct hm_error *error) {
    struct line *all = NULL;
    int bad = read_table(&all, folder, "stats.csv", take_median, error);
    if (!bad && all)
        bad = read_table(&all, folder, "samples.csv", take_label, error);
    if (!bad)
        put_lines(out, all);
    while (all) {
        struct line *next = all->next;
        free(all);
        all = next;
    }
    return bad;
}

/* The table of instruction counts.
 *
 * stats.csv has the rows of a metric together; a cell's line is gathered from those of three metrics. */
#include "harness/report/counts.h"

#include "harness/plan/spec.h"
#include "harness/report/words.h"
#include "harness/results/csv.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_WIDTH = 26,
};

struct line {
    char cell[4 * HM_SPEC_BYTES];
    char group[HM_SPEC_BYTES + 64]; /* workload and threads */
    char name[2 * HM_SPEC_BYTES + 64];
    char verdict[32];
    double instructions, reads, writes;
    double ratio; /* of instructions against the baseline */
    bool baseline;
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

static struct line *find(struct line **all, const char *cell) {
    for (; *all; all = &(*all)->next)
        if (strcmp((*all)->cell, cell) == 0)
            return *all;
    *all = calloc(1, sizeof **all);
    if (*all) {
        snprintf((*all)->cell, sizeof(*all)->cell, "%s", cell);
        (*all)->instructions = (*all)->reads = (*all)->writes = NAN;
    }
    return *all;
}

static int take_row(struct line **all, const struct hm_csv *csv) {
    const char *metric = field(csv, "metric");
    bool lead = strcmp(metric, "instructions_per_op") == 0;
    bool reads = strcmp(metric, "reads_per_op") == 0;
    if (!lead && !reads && strcmp(metric, "writes_per_op") != 0)
        return 0;
    struct line *l = find(all, field(csv, "cell"));
    if (!l)
        return ENOMEM;
    *(lead ? &l->instructions : reads ? &l->reads : &l->writes) = number(csv, "median");
    if (!lead)
        return 0;
    hm_words_group(csv, l->group, sizeof l->group);
    hm_words_arm(field(csv, "allocator"), field(csv, "collector"), l->name, sizeof l->name);
    l->ratio = number(csv, "ratio");
    l->baseline = strcmp(field(csv, "baseline"), l->cell) == 0;
    snprintf(l->verdict, sizeof l->verdict, "%s", field(csv, "verdict"));
    return 0;
}

static void put_line(FILE *out, const struct line *l) {
    const char *verdict = l->baseline                         ? "baseline"
                          : strcmp(l->verdict, "NA") == 0     ? ""
                          : strcmp(l->verdict, "faster") == 0 ? "fewer"
                          : strcmp(l->verdict, "slower") == 0 ? "more"
                                                              : l->verdict;
    hm_words_put_label(out, l->name, 2, NAME_WIDTH);
    fprintf(out, "%10.1f%10.1f%10.1f  %6.4g%s%s\n", l->instructions, l->reads, l->writes, l->ratio,
            *verdict ? "  " : "", verdict);
}

static void put_lines(FILE *out, const struct line *l) {
    for (const char *group = ""; l; group = l->group, l = l->next) {
        if (strcmp(group, l->group) != 0)
            fprintf(out, "\n%s: for one operation\n  %-*s%10s%10s%10s  %6s  %s\n", l->group,
                    NAME_WIDTH, "", "instr", "reads", "writes", "ratio", "verdict");
        put_line(out, l);
    }
}

int hm_counts_print(FILE *out, const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    struct hm_csv *csv;
    struct line *all = NULL;
    snprintf(path, sizeof path, "%s/stats.csv", folder);
    int bad = hm_csv_open(&csv, path, error);
    if (bad)
        return bad;
    int more = 1;
    while (!bad && (more = hm_csv_next(csv, error)) == 1)
        if ((bad = take_row(&all, csv)))
            hm_fail(error, bad, "out of memory");
    hm_csv_close(csv);
    if (!bad && more == 0)
        put_lines(out, all);
    while (all) {
        struct line *next = all->next;
        free(all);
        all = next;
    }
    return more < 0 ? EINVAL : bad;
}

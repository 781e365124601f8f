/* How a comparison is shown: one file for each format, which finds what to say in here. */
#ifndef HM_HARNESS_COMPARE_SHOW_H
#define HM_HARNESS_COMPARE_SHOW_H

#include "harness/compare/judge.h"

#include <stdio.h>

struct hm_lines {
    char **at;
    size_t count;
};

struct hm_compare_report {
    struct hm_compare *all;
    struct hm_lines misfits; /* why the runs can not be compared; shown when --force was given */
    struct hm_lines notes;   /* what does not forbid it */
    int status;              /* of the process */
};

typedef void hm_compare_show_fn(FILE *out, const struct hm_compare_report *report);

hm_compare_show_fn hm_compare_show_table, hm_compare_show_markdown, hm_compare_show_junit,
    hm_compare_show_json;

/** Keep a copy of a line. Memory that is out loses it. */
void hm_lines_add(struct hm_lines *lines, const char *text);
void hm_lines_free(struct hm_lines *lines);

/** All that people are told before the numbers, one line each: how it was compared, drift, doubts. */
void hm_compare_preface(const struct hm_compare_report *report, struct hm_lines *out);
/** What comes after them: counts of verdicts, the worst cell, and what the exit status says. */
void hm_compare_summary(const struct hm_compare_report *report, struct hm_lines *out);
/** Cells that failed, cells of one run only, and metrics of BASE only, one line each. */
void hm_compare_absent(const struct hm_compare_report *report, struct hm_lines *out);

/** "1.03 [1.01, 1.06]", or with NA where there is no interval. @return out */
const char *hm_compare_ratio_text(double ratio, double low, double high, char *out, size_t size);
/** "slower", "needs ~24", "few rounds". @return out */
const char *hm_compare_verdict_text(const struct hm_unpaired *one, char *out, size_t size);

#endif

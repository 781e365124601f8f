/* report.html: a run in one file that needs no network, for people who did not run it. */
#ifndef HM_HARNESS_PAGE_PAGE_H
#define HM_HARNESS_PAGE_PAGE_H

#include "harness/error.h"
#include "harness/page/run.h"

#include <stdio.h>

struct hm_page_options {
    const char *parts_dir; /* has style.css and script.js */
    const char *plots_dir; /* has the scripts of the figures, whose first line is the title */
};

/** Write FOLDER/report.html and FOLDER/report.md, each whole or not at all. Main thread. The figures are those in FOLDER/plots.
 *  @return 0; EINVAL when the folder is no run or a file is malformed; or an errno; with one line */
int hm_page_write(const char *folder, const struct hm_page_options *options,
                  struct hm_error *error);

/* ---- The sections, in their order ---- */

/** How the comparisons ended: their numbers, and matrices of ratios. @return 0 or ENOMEM */
int hm_page_put_verdict(FILE *out, const struct hm_page_run *run);
/** @return 0, or an errno with a line */
int hm_page_put_figures(FILE *out, const struct hm_page_run *run, const char *folder,
                        const char *plots_dir, struct hm_error *error);
/** One table of cells, and one of all metrics. */
void hm_page_put_tables(FILE *out, const struct hm_page_run *run);
/** Warnings, cells that were not measured, the method in short, the machine, how to repeat it. */
void hm_page_put_about(FILE *out, const struct hm_page_run *run);

/** All of report.md. @return 0 or ENOMEM */
int hm_page_put_markdown(FILE *out, const struct hm_page_run *run);

/** The name of a row of the table of all metrics, which links lead to. */
void hm_page_put_anchor(FILE *out, const struct hm_page_run *run, const struct hm_page_row *row);

#endif

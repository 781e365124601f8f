/* Sets the swept arms of a run out in curves, and writes them as gnuplot arrays.
 *
 *   sheets, curves, points, sweeps   how many there are; the arrays below count from 1
 *   sheet_title[], sheet_kind[]      the kind of what is swept: allocator, collector or workload
 *   sheet_first[], sheet_last[]      its curves
 *   curve_name[], curve_key[]        what is swept, and which parameter
 *   curve_colour[]                   which of the colours: curves of one name have one
 *   curve_unswept[]                  the row of the part at its defaults, 0 without one
 *   curve_first[], curve_last[]      its points, by their numbers if all have one
 *   point_row[]                      the row that has its measurements
 *   point_text[], point_number[]     the parameter's value; NaN: of a choice
 *
 * A sheet is what can be drawn on the same axes: a panel of the run (context.h), with a curve for each sweep of its
 * allocators or collectors; or of a swept workload one for each allocator or collector. */
#ifndef HM_HARNESS_REPORT_SWEEPS_H
#define HM_HARNESS_REPORT_SWEEPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct hm_swept_row {
    const char *allocator, *collector, *name;
    bool control; /* A/A arm or floor */
};

struct hm_swept_panel {
    const char *workload, *under, *on; /* as in context.h; NULL without */
    long threads;
    size_t first, count; /* of its rows, from 0 */
};

struct hm_swept_run {
    const json_t *run; /* run.json; NULL when missing */
    const struct hm_swept_panel *panels;
    const struct hm_swept_row *rows;
    size_t panel_count, row_count;
};

/** Write the variables; those of a run without sweeps are empty. @return 0 or ENOMEM */
int hm_sweeps_write(const struct hm_swept_run *run, FILE *out);

#endif

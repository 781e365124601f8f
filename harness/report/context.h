/* Writes down what every figure needs to know of a run, as gnuplot variables.
 *
 *   run, machine, date            texts; cores, rounds: numbers, 0 when unknown or not
 *                                 the same everywhere
 *   confidence                    of the intervals: 0.95, more in a run with looks
 *   panels, rows, arms, facets    how many there are; the arrays below count from 1
 *   panel_workload[], panel_threads[], panel_under[], panel_on[], panel_facet[]
 *   panel_baseline[]              the row of its baseline, 0 without one
 *   panel_first[], panel_last[]   its rows
 *   row_cell[], row_allocator[], row_collector[]
 *   row_name[], row_arm[], row_kind[]
 *   row_failure[]                 "" or what went wrong
 *   row_measured[]                whether some rounds went well
 *   row_pauses[], row_mmu[], row_garbage[], row_iterations[]
 *                                 how many points of these series.csv has
 *   row_trend[], row_labels[]     of its garbage, and of its processes' warm-up, in words
 *   row_round[], row_from[], row_to[]
 *                                 the round whose space is drawn, and where series.csv has it
 *   arm_name[], arm_kind[]        what the legend shows
 *
 * and those of sweeps.h.
 *
 * A panel is what is compared with one baseline: the allocators of a heap workload; the allocators
 * under one collector (panel_under); the collectors on one allocator (panel_on). Panels that differ
 * in their threads only share a facet. An arm is what the rows of one name have in common: a colour
 * and a shape. Kinds: 0 baseline, 1 its second copy (the A/A arm), 2 plain, 3 floor, the harness
 * itself. */
#ifndef HM_HARNESS_REPORT_CONTEXT_H
#define HM_HARNESS_REPORT_CONTEXT_H

#include "harness/error.h"

/** Read a run's result files and write the variables. Main thread.
 *  @param run_dir has stats.csv; samples.csv, series.csv and run.json may be missing
 *  @return 0, or a positive errno with one line: a file is malformed, or memory ran out */
int hm_context_write(const char *run_dir, FILE *out, struct hm_error *error);

/** Write a text as a gnuplot string: in single quotes, in which gnuplot runs and expands nothing.
 *  Control characters, which no string can hold, become '?'. */
void hm_context_put_text(FILE *out, const char *text);

#endif

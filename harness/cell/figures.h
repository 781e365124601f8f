/* The figures that only a workload knows: from its threads' values to one of the whole cell. */
#ifndef HM_HARNESS_CELL_FIGURES_H
#define HM_HARNESS_CELL_FIGURES_H

#include "workloads/workload.h"

/** How many figures a workload declares; 0 without measure(). */
unsigned hm_figure_count(const struct hm_workload *workload);

/** What the threads' values of one figure come to. Threads that do not know it (NAN) are left out.
 *  @param values one for each of `threads` threads, `stride` apart  @return NAN when none knows */
double hm_figure_over_threads(const struct hm_figure *figure, const double *values,
                              unsigned threads, unsigned stride);

/** Tell each figure that is known, as a value of the whole process.
 *  @param values hm_figure_count() of them for each thread, thread by thread */
void hm_tell_figures(const struct hm_workload *workload, const double *values, unsigned threads);

#endif

/* Minimum and bounded mutator utilisation: how little of a window of time may be left to the mutator.
 *
 * Vocabulary
 *   pause          an interval [begin, end) in which the mutator stands
 *   utilisation    of a window: the part of it that is not paused
 *   MMU(w)         the least utilisation of any window of length w inside the span of observation
 *   BMU(w)         the least utilisation of any window of length w or more: MMU can fall as windows grow,
 *                  BMU can not
 *
 * Sources: Cheng and Blelloch, A parallel, real-time garbage collector, PLDI 2001; Sachindran, Moss and Berger,
 * MC2: high-performance garbage collection for memory-constrained environments, OOPSLA 2004. Pure functions. */
#ifndef HM_HARNESS_STATS_UTILISATION_H
#define HM_HARNESS_STATS_UTILISATION_H

#include <stddef.h>

/** Pauses in the order of time, disjoint, inside of the span; in the unit of all times here. */
struct hm_pause_span {
    const double *begins;
    const double *ends;
    size_t count;
    double from, to;
};

/** @param window above 0
 *  @return 0 to 1; NAN when the window is longer than the span, or not above 0 */
double hm_mmu(const struct hm_pause_span *span, double window);

/** The begin of a pause, and how long was paused before it. */
struct hm_pause_corner {
    double at, paused;
};

/** Exact, in n log n. @param window as above  @param room for span->count corners, overwritten
 *  @return as hm_mmu, and never more than it */
double hm_bmu(const struct hm_pause_span *span, double window, struct hm_pause_corner *room);

#endif

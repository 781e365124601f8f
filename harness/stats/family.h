/* The geometric mean of a family of cells.
 *
 * A family is the cells that are summarised by one number, such as all workloads of one kind. The
 * geometric mean over its cells is taken in each round, so that the rounds stay the sample. */
#ifndef HM_HARNESS_STATS_FAMILY_H
#define HM_HARNESS_STATS_FAMILY_H

#include "harness/stats/paired.h"

/** Summarise a family. A round that one cell misses is dropped for all of them.
 *  @param logs for each cell its log ratios, `rounds` of them, as hm_log_ratios() gives them
 *  @param scratch `rounds` entries, overwritten
 *  @return false, and *out untouched, when there is no cell, a cell has failed (all its rounds are
 *  missing), or no round is left. Pure, safe in any thread. */
bool hm_family_of(const double *const *logs, size_t cells, size_t rounds, double *scratch,
                  struct hm_paired *out);

/** The same at another confidence than HM_CONFIDENCE. */
bool hm_family_at(const double *const *logs, size_t cells, size_t rounds, double confidence,
                  double *scratch, struct hm_paired *out);

#endif

/* Which differences can be told with so many rounds, from the noise that equal arms showed. */
#ifndef HM_HARNESS_STATS_RESOLUTION_H
#define HM_HARNESS_STATS_RESOLUTION_H

#include <stddef.h>

/** Find the least difference that gets the verdict `slower` in 9 of 10 runs: runs are drawn from the
 *  log ratios, the difference is added, and hm_judge decides, with an A/A arm that is drawn as well.
 *  Two equal arms are exchangeable: each draw has a random sign. A run is one comparison; the
 *  correction for many makes them a little harder.
 *  @param logs of equal arms, `count` of them, which may have NANs
 *  @param rounds of the runs, at most 64  @param margin as in struct hm_comparison
 *  @return relative, 0.03 for 3 %; INFINITY: a factor of 8 is not told either; NAN: fewer than 6 log
 *  ratios. The draws have a fixed seed. Pure, safe in any thread; some ms */
double hm_resolution(const double *logs, size_t count, unsigned rounds, double margin);

#endif

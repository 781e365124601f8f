/* Turns: all processes of a group live at once, each set up and warmed up, and one of them works at a time.
 *
 * In each turn every process that is still there does one slice of its work, in an order drawn for this turn.
 * The sum of its slices is the time of the process, which stays the sample. */
#ifndef HM_HARNESS_MEASURE_TURNS_H
#define HM_HARNESS_MEASURE_TURNS_H

#include "harness/measure/sampling.h"

/** After the calibration: choose the slices of a group, or say why its processes run one after another. */
void hm_turns_plan(const struct hm_plan *plan, struct hm_group *group);

/** Measure those cells of a group that are wanted, in turns, and keep their outcomes. @param cells in the order
 *  in which their processes start  @param place of the first, moved on by `count`  @return 0, EINTR, or an
 *  errno with a line */
int hm_turns_measure(struct hm_session *session, const size_t *cells, size_t count,
                     struct hm_sample_place *place, struct hm_error *error);

/** The order of one turn. @param seed of the group and round  @param order filled with 0 .. count-1 */
void hm_turns_order(uint64_t seed, unsigned turn, size_t *order, size_t count);

/** The number that all processes are given with one turn. */
unsigned char hm_turns_draw(uint64_t seed, unsigned turn);

#endif

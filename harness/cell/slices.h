/* Turns: the measured work is cut into slices, and the process waits before each until it may go on.
 *
 * All arms of a group are alive at once, on the same cores, and one of them works at a time: what disturbs the
 * machine for longer than a slice disturbs all of them alike. */
#ifndef HM_HARNESS_CELL_SLICES_H
#define HM_HARNESS_CELL_SLICES_H

#include "harness/cell/engine.h"

/** How many slices of about so long the work makes; at least one unit is in each. @return at least 1 */
unsigned hm_slices_count(uint64_t units, double unit_ns, double slice_ns);
/** The units of one slice: the same in all, give or take one. @param slice from 0 */
uint64_t hm_slices_units(uint64_t units, unsigned slices, unsigned slice);

/** Whether some units may go by untimed before a slice: what comes now and then, as collections do, is not to be
 *  missed, nor is a unit that the workload counts; nor should each slice and each lead start threads of its own.
 *  @param threads that do the work */
bool hm_slices_may_be_led(const struct hm_workload_spec *workload, unsigned threads);
/** So many of the units, for each thread, go by untimed, before all slices together: they bring the caches back.
 *  0 when slices are too small to be led in. */
uint64_t hm_slices_leads(uint64_t units, unsigned slices);
/** Those before one slice. @param share of the slice  @param draw of this turn: the larger, the longer is the lead,
 *  from an eighth of the slice to three of them  @param left of all leads */
uint64_t hm_slices_lead(uint64_t share, unsigned char draw, uint64_t left);

/** In the measured process: do the units, a slice in each turn; then wait for one turn more, in which comes what
 *  follows. Main thread. @param units timed  @param leads untimed  @return wall seconds of all slices */
double hm_slices_run(struct hm_engine *engine, uint64_t units, uint64_t leads, unsigned slices);

#endif

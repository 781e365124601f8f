/* The engine of a measured process: pinned threads that all do one step of the work at a time.
 *
 * The main thread is worker 0. Each step (prepare, warm up, run, check, finish) begins and ends at
 * a barrier, so that the threads of a timed step start together and nothing else runs meanwhile.
 * The clock is read by each worker once before and once after its share: a step's wall time is from
 * the first start to the last end. */
#ifndef HM_HARNESS_CELL_ENGINE_H
#define HM_HARNESS_CELL_ENGINE_H

#include "harness/cell/config.h"
#include "harness/cell/memory.h"
#include "harness/cell/pauses.h"
#include "harness/machine/proc.h"

struct hm_engine;

/** Start the threads, pin them, open the heap and set the workload up. Ends the process with
 *  hm_tell_failure when that can not be done. @return the engine */
struct hm_engine *hm_engine_start(const struct hm_cell_config *config);

/** All threads: busy-wait for spin_ns, then do the warm-up units. Untimed. The workload's figures
 *  count from here. */
void hm_engine_warm_up(struct hm_engine *engine);

/** All threads: do `units` units each; one at a time, each prepared off the clock, if the workload asks
 *  for that. @return wall seconds */
double hm_engine_run(struct hm_engine *engine, uint64_t units);

/** As hm_engine_run, but what the process and its threads used is added to that of the runs before.
 *  @param lead_ns all threads spin for so long first, off the clock: then they are awake, and begin together */
double hm_engine_run_on(struct hm_engine *engine, uint64_t units, uint64_t lead_ns);

/** All threads: do `units` units each, untimed, and not counted as done. */
void hm_engine_skip(struct hm_engine *engine, uint64_t units);

/** From now on call `watch` on the main thread right before each timed step and right after it, while no
 *  thread works. @param watch NULL: no more; `done_ns` is the timed work before the step, or with it */
typedef void hm_engine_watch_fn(bool working, uint64_t done_ns);
void hm_engine_watch(struct hm_engine *engine, hm_engine_watch_fn *watch);

/** From now on do each unit of a timed step by this, and not all by one call of the workload's run.
 *  @return whether the unit was done. NULL: no more */
typedef bool hm_engine_unit_fn(const struct hm_workload *workload, struct hm_run *run);
void hm_engine_each(struct hm_engine *engine, hm_engine_unit_fn *unit);
/** Whether a unit is one operation, with nothing off the clock. */
bool hm_engine_does_single_ops(const struct hm_engine *engine);

/** The calling thread's number; -1 for one that a workload started itself. */
extern __thread int hm_engine_thread;

/** Make the next unit ready, if the workload asks for that. For hm_engine_run_part. */
void hm_engine_prepare(struct hm_engine *engine);
/** Whether the workload has units that are cut into parts, to be looked at in between. */
bool hm_engine_cuts_units(const struct hm_engine *engine);
/** All threads: the next part of a unit. A failure ends the process. */
void hm_engine_run_part(struct hm_engine *engine, unsigned part, unsigned parts);
/** What the process used in the last run and those that went on from it, preparations left out. */
const struct hm_proc_usage *hm_engine_used(const struct hm_engine *engine);

/** Say what the runs so far did, or end the process with "oom" when a thread did not finish. */
void hm_engine_check_done(struct hm_engine *engine, uint64_t asked);

/** All threads: the workload's own figures since the warm-up.
 *  @return as hm_tell_figures takes them; the engine's, and overwritten by the next call */
const double *hm_engine_measure(struct hm_engine *engine);

/** All threads: let the workload verify its heap; a failure ends the process with "invalid". */
void hm_engine_verify(struct hm_engine *engine);

/** All threads: tear the workload down, if that was not done yet. */
void hm_engine_tear_down(struct hm_engine *engine);

/** All threads: tear down, close the collectors; then the heap. Frees the engine. Tells what the
 *  collectors counted. */
void hm_engine_finish(struct hm_engine *engine);

/** Wall seconds of one worker in these runs. */
double hm_engine_thread_seconds(const struct hm_engine *engine, unsigned thread);
/** Operations in one unit. */
uint64_t hm_engine_ops_per_unit(const struct hm_engine *engine);
/** Of all threads together, in so many units of each. */
uint64_t hm_engine_ops(const struct hm_engine *engine, uint64_t units);
/** Bytes that the workload holds now, all threads together; UINT64_MAX when not known. */
uint64_t hm_engine_live_bytes(const struct hm_engine *engine);
/** How many collectors there are: none, one, or one for each thread. */
unsigned hm_engine_collectors(const struct hm_engine *engine);
/** Objects that the workload does not use any more and that no collector has freed, all threads
 *  together, between two runs; UINT64_MAX when not known. */
uint64_t hm_engine_garbage_objects(const struct hm_engine *engine);
/** Objects that the workload uses now, all threads together, between two runs; 0 when it does not tell. */
uint64_t hm_engine_used_objects(const struct hm_engine *engine);
/** Resident bytes that came since just before the heap was opened, scratch memory left out;
 *  UINT64_MAX when not known. */
uint64_t hm_engine_footprint_bytes(const struct hm_engine *engine);
/** Bytes of address space that came since then, resident or not, scratch memory left out; UINT64_MAX
 *  when not known. */
uint64_t hm_engine_mapped_bytes(const struct hm_engine *engine);
/** The heap's parts; while no thread works, they may be asked. */
const struct hm_memory_stack *hm_engine_memory(const struct hm_engine *engine);
/** Digest of the operations of all threads since the warm-up. */
uint64_t hm_engine_checksum(const struct hm_engine *engine);
/** Pauses of one thread's collector since the warm-up. */
const struct hm_pauses *hm_engine_pauses(const struct hm_engine *engine, unsigned thread);
/** The clock of all timing but that of single calls: CLOCK_MONOTONIC, in nanoseconds. */
uint64_t hm_engine_now_ns(void);
/** When the first run after the warm-up began. */
uint64_t hm_engine_began_ns(const struct hm_engine *engine);

#endif

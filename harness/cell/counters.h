/* The pass of the processor's counters, where the machine gives them: cycles, instructions, misses. */
#ifndef HM_HARNESS_CELL_COUNTERS_H
#define HM_HARNESS_CELL_COUNTERS_H

#include "harness/cell/config.h"
#include "harness/cell/engine.h"

enum {
    HM_COUNTERS = 4,
};

/** The metrics, in the order in which they are told, and libpfm4's names of the events. */
extern const char *const hm_counter_metrics[HM_COUNTERS];
extern const char *const hm_counter_events[HM_COUNTERS];

/** Open one event of this process in user mode and of all threads that it starts from now on; it does not
 *  count yet. @param event as libpfm4 names it  @return its descriptor, or -1 with errno: ENOTSUP without
 *  libpfm4, EINVAL for a name that it does not know, or what the kernel says */
int hm_counter_open(const char *event);
/** Count, or stop. */
void hm_counter_run(int fd, bool on);
/** What was counted so far; where the event had the processor's counter for a part of the time only, what it
 *  would have been. @return NAN when it never had it */
double hm_counter_read(int fd);

/** Open those of the pass. Before the engine starts its threads. */
void hm_counters_open(void);
/** Warm up, do the units, and tell each counter per operation, or that it is not known. Main thread. */
void hm_counters_pass(struct hm_engine *engine, const struct hm_cell_config *config);

#endif

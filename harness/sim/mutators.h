/* Finds the mutator's operations of a collector, linked in or loaded from a plug-in. */
#ifndef HM_HARNESS_SIM_MUTATORS_H
#define HM_HARNESS_SIM_MUTATORS_H

#include "collectors/mutator.h"
#include "harness/error.h"

/** @return the operations of a collector, or NULL: it can not be played on */
const struct hm_sim_mutator *hm_sim_mutator_find(const struct hm_collector *collector);

/** Load a collector's plug-in and make it the collector that any path in a spec names
 *  (hm_collector_plug). The library's code runs in this process. Main thread, before the spec is
 *  parsed; it stays loaded until the end.
 *  @param text a spec that begins with a path  @return 0, or EINVAL with one line: it does not load, or
 *  exports no hm_collector_plugin of this ABI */
int hm_collector_plugin_load(const char *text, struct hm_error *error);

#endif

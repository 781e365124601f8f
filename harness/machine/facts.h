/* The facts of the machine that run.json keeps: all that explains a measurement, or that decides
 * whether two can be compared. The host's name is not among them. */
#ifndef HM_HARNESS_MACHINE_FACTS_H
#define HM_HARNESS_MACHINE_FACTS_H

#include "harness/machine/state.h"

#include <jansson.h>

/** Collect the facts. They are of the machine itself, also where HWLOC_SYNTHETIC is set.
 *  Keys carry their unit; null is what is not known, and "max" a limit that is not set.
 *   fingerprint     16 hex digits. Equal ones can be compared: the same processor model, number of
 *                   cores and CPUs, memory (in GiB), architecture, kernel series (6.1), C library
 *   cores, pus      that are online; allowed_cores, allowed_pus: that this process may use
 *   caches          of the first CPU, with the CPUs that share each
 *   governor        an object with one name for each frequency policy
 *  @return a new object, the caller's; NULL when memory is out. Main thread, not hot. */
json_t *hm_machine_facts(void);

#endif

/* The cores of the machine, and which of them each thread of a cell runs on.
 *
 * Vocabulary, hwloc's: a PU (processing unit) is what the kernel calls a CPU; a core has one PU, or
 * several that share it (SMT siblings). Where the machine tells of no cores, each PU is one. Only
 * PUs count that this process may use: cpusets of its cgroup and its own affinity (taskset) are
 * respected. */
#ifndef HM_HARNESS_MACHINE_TOPOLOGY_H
#define HM_HARNESS_MACHINE_TOPOLOGY_H

#include "harness/error.h"

#include <stdbool.h>

enum hm_pin {
    HM_PIN_CORE,   /* one thread on each core; siblings only when all cores have one */
    HM_PIN_SMT,    /* siblings of a core first */
    HM_PIN_SPREAD, /* as far apart as the caches and memory nodes allow */
    HM_PIN_NONE,   /* the kernel moves threads as it likes */
};

/** @return the policy's word on the command line; static storage */
const char *hm_pin_name(enum hm_pin pin);

/** @return 0, or EINVAL with *out untouched */
int hm_pin_parse(const char *name, enum hm_pin *out);

struct hm_topology;

/** Look at the machine. HWLOC_SYNTHETIC or HWLOC_XMLFILE in the environment give another one, to
 * plan for. Main thread, not hot (some ms). @return 0, or a positive errno with the line in *error
 * and *out untouched. The caller frees. */
int hm_topology_load(struct hm_topology **out, struct hm_error *error);
void hm_topology_free(struct hm_topology *topology);

/** Whether this is the machine that we run on. If not, it is for planning only: nothing can be
 * bound. */
bool hm_topology_is_real(const struct hm_topology *topology);

/** Cores and PUs that can be used, both > 0. */
unsigned hm_topology_cores(const struct hm_topology *topology);
unsigned hm_topology_pus(const struct hm_topology *topology);

/** Choose a PU for each thread.
 *   core    the first PU of each core in turn, then the second ones, and so on; then from the start
 *   smt     all PUs in order, siblings side by side; then from the start
 *   spread  hwloc_distrib, over one PU of each core as long as these are enough, else over all PUs
 *   none    -1 for each thread
 *  No two threads share a PU while another is free, nor a core under core and spread.
 *  @param threads >= 1
 *  @param cpus receives the kernel's indices (OS index), one for each thread
 *  @param oversubscribed receives whether threads compete for what the policy would give each of
 *         them alone: more threads than cores under core and spread, than PUs under smt and none
 *  @return 0, or ENOMEM with both untouched. Any thread, not hot. */
int hm_topology_place(const struct hm_topology *topology, enum hm_pin policy, unsigned threads,
                      int *cpus, bool *oversubscribed);

/** Write the topology as hwloc's XML, for lstopo and for HWLOC_XMLFILE.
 *  @return 0 or a positive errno with the line in *error */
int hm_topology_export(const struct hm_topology *topology, const char *path,
                       struct hm_error *error);

/** Bind the calling thread before it executes the measured program, which starts on this PU then
 * and inherits the binding. For a forked child with one thread.
 *  @param cpu >= 0, from hm_topology_place
 *  @return 0 or a positive errno: ENOTSUP when the topology is not this machine's */
int hm_pin_child(const struct hm_topology *topology, int cpu);

#endif

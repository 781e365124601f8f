/* Resolves one allocator of a matrix: a part, a named configuration, or any shared library. */
#ifndef HM_HARNESS_PLAN_ARM_H
#define HM_HARNESS_PLAN_ARM_H

#include "harness/plan/plan.h"

/** Fill in an arm from its text: a configuration's name, a spec, or a library's path or file name.
 *  @param out zeroed  @return 0, or EINVAL with one line. A library that is missing on this machine
 *  is EINVAL too, unless the request calls its parts optional: then out->missing says so. */
int hm_arm_resolve(const char *text, const struct hm_request *request, struct hm_arm *out,
                   struct hm_error *error);

/** Make an arm one that is put under whole programs: our own allocators become their preload libraries.
 *  @return 0, or EINVAL with one line for what can not be put under a program */
int hm_arm_for_programs(struct hm_arm *arm, struct hm_error *error);

/** Whether a collector can be opened on this machine. @param missing why not, or ""
 *  @return 0 or ENOENT */
int hm_collector_check(const struct hm_collector *collector, char *missing, size_t size);

#endif

/* The size of a bounded arena; what it may refuse is hm_verify_may_refuse. */
#ifndef HM_HARNESS_VERIFY_ARENA_H
#define HM_HARNESS_VERIFY_ARENA_H

#include "harness/verify/property.h"

/** Find out how much fits, in an open heap with no live block. Nothing changes when that is not known or
 *  can not be seen: then anything may be refused. */
void hm_arena_measure(struct hm_verify *v, const struct hm_allocator_spec *spec);

#endif

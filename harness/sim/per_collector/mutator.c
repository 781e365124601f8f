/* One collector's operations as functions; compiled once for each collector. */
#include "collectors/mutator.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

static const struct hm_sim_mutator mutator = {.collector = STRING(HM_COLLECTOR),
                                              HM_MUTATOR_FUNCTIONS};
HM_REGISTER(hm_sim_mutator, mutator);

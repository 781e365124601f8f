/* The names of calls, kinds and quantiles, as metrics have them. */
#include "harness/results/latency_names.h"

#define SIZES(call) call "_small", call "_medium", call "_large"

const char *const hm_latency_call_names[HM_LATENCY_CALLS] = {"malloc", "free",    "realloc", "new",
                                                             "store",  "release", "op"};
const char *const hm_latency_kind_names[HM_LATENCY_KINDS] = {
    SIZES("malloc"), SIZES("free"), SIZES("realloc"), "new", "store", "release", "op"};
const char *const hm_latency_quantile_names[HM_LATENCY_QUANTILES] = {"p50",  "p90",   "p99",
                                                                     "p999", "p9999", "max"};

/* The names of calls, sizes and quantiles, as metrics have them. */
#include "harness/results/latency_names.h"

const char *const hm_latency_call_names[HM_LATENCY_CALLS] = {"malloc", "free", "realloc"};
const char *const hm_latency_size_names[HM_LATENCY_SIZES] = {"small", "medium", "large"};
const char *const hm_latency_quantile_names[HM_LATENCY_QUANTILES] = {"p50",  "p90",   "p99",
                                                                     "p999", "p9999", "max"};

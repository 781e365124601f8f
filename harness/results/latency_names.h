/* What the latency pass tells apart: the kinds and sizes of calls, and the quantiles of each. */
#ifndef HM_HARNESS_RESULTS_LATENCY_NAMES_H
#define HM_HARNESS_RESULTS_LATENCY_NAMES_H

enum hm_latency_call {
    HM_LATENCY_MALLOC,
    HM_LATENCY_FREE,
    HM_LATENCY_REALLOC,
    HM_LATENCY_CALLS,
};

enum hm_latency_size {
    HM_LATENCY_SMALL,
    HM_LATENCY_MEDIUM,
    HM_LATENCY_LARGE,
    HM_LATENCY_SIZES, /* as a size: all of them together */
};

enum {
    HM_LATENCY_SMALL_MOST = 1 << 10,
    HM_LATENCY_MEDIUM_MOST = 1 << 15,
    HM_LATENCY_QUANTILES = 6, /* p50, p90, p99, p999, p9999, max */
    HM_LATENCY_STALLS = 10,   /* of each process */
};

extern const char *const hm_latency_call_names[HM_LATENCY_CALLS];
extern const char *const hm_latency_size_names[HM_LATENCY_SIZES];
extern const char *const hm_latency_quantile_names[HM_LATENCY_QUANTILES];

#endif

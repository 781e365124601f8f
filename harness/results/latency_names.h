/* What the latency pass tells apart: calls, the sizes of blocks, and the quantiles of each.
 *
 * A kind is what has a histogram: a call on blocks of one size, or a call on objects. */
#ifndef HM_HARNESS_RESULTS_LATENCY_NAMES_H
#define HM_HARNESS_RESULTS_LATENCY_NAMES_H

enum hm_latency_call {
    HM_LATENCY_MALLOC,
    HM_LATENCY_FREE,
    HM_LATENCY_REALLOC,
    HM_LATENCY_BLOCK_CALLS, /* these are parted by size, the following ones are not */

    HM_LATENCY_NEW = HM_LATENCY_BLOCK_CALLS,
    HM_LATENCY_STORE,
    HM_LATENCY_RELEASE,
    HM_LATENCY_OP, /* a whole operation of an object workload */
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
    HM_LATENCY_KINDS =
        HM_LATENCY_BLOCK_CALLS * HM_LATENCY_SIZES + HM_LATENCY_CALLS - HM_LATENCY_BLOCK_CALLS,
};

/** @param size of the block; not looked at where a call has none */
static inline unsigned hm_latency_kind(unsigned call, unsigned size) {
    return call < HM_LATENCY_BLOCK_CALLS
               ? call * HM_LATENCY_SIZES + size
               : HM_LATENCY_BLOCK_CALLS * HM_LATENCY_SIZES + call - HM_LATENCY_BLOCK_CALLS;
}

extern const char *const hm_latency_call_names[HM_LATENCY_CALLS];
extern const char *const hm_latency_kind_names[HM_LATENCY_KINDS]; /* call_size, or call */
extern const char *const hm_latency_quantile_names[HM_LATENCY_QUANTILES];

#endif

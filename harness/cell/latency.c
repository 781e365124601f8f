/* The latency pass. */
#include "harness/cell/latency.h"

#include "harness/cell/channel.h"
#include "harness/cell/latency_layer.h"
#include "harness/cell/ticks.h"
#include "workloads/scratch.h"

#include <math.h>
#include <string.h>

const char *const hm_latency_call_names[HM_LATENCY_CALLS] = {"malloc", "free", "realloc"};
const char *const hm_latency_size_names[HM_LATENCY_SIZES] = {"small", "medium", "large"};
const char *const hm_latency_quantile_names[HM_LATENCY_QUANTILES] = {"p50",  "p90",   "p99",
                                                                     "p999", "p9999", "max"};

static const double shares[HM_LATENCY_QUANTILES - 1] = {0.5, 0.9, 0.99, 0.999, 0.9999};

/* The counter may drift so far from the clock over the pass: the histogram's error is as large. */
static const double most_drift = 0.01;

static void tell_value(const char *metric, double value) {
    if (isfinite(value))
        hm_tell("value %s -1 %.17g", metric, value);
}

static double step_ns(void) {
    return (double)hm_ticks.step_ticks * hm_ticks.ns_per_tick;
}

/* @param size "" or "_small", .. */
static void tell_quantiles(const struct hm_histogram *h, const char *call, const char *size) {
    char metric[64];
    for (int q = 0; q < HM_LATENCY_QUANTILES; q++) {
        bool is_max = q == HM_LATENCY_QUANTILES - 1;
        snprintf(metric, sizeof metric, "latency_%s%s_%s_ns", call, size,
                 hm_latency_quantile_names[q]);
        tell_value(metric, is_max ? hm_histogram_greatest_ns(h)
                                  : hm_histogram_quantile_ns(h, shares[q], step_ns()));
    }
}

static void tell_buckets(const struct hm_histogram *h, const char *call, const char *size) {
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++)
        if (h->counts[b])
            hm_tell("bucket latency_%s_%s_ns %u %llu", call, size, b,
                    (unsigned long long)h->counts[b]);
}

static void tell_call(const struct hm_latency_record *record, unsigned call,
                      struct hm_histogram *sum) {
    const char *name = hm_latency_call_names[call];
    char size[16];
    memset(sum, 0, sizeof *sum);
    for (unsigned s = 0; s < HM_LATENCY_SIZES; s++)
        hm_histogram_add(sum, &record->kinds[call][s]);
    tell_quantiles(sum, name, "");
    for (unsigned s = 0; s < HM_LATENCY_SIZES; s++) {
        snprintf(size, sizeof size, "_%s", hm_latency_size_names[s]);
        tell_quantiles(&record->kinds[call][s], name, size);
        tell_buckets(&record->kinds[call][s], name, hm_latency_size_names[s]);
    }
}

static void tell_stalls(const struct hm_latency_record *record) {
    for (unsigned i = 0; i < HM_LATENCY_STALLS; i++) {
        const struct hm_stall *s = &record->stalls[i];
        if (s->parts)
            hm_tell("point stall_%s_%s_ns %d %llu %.17g", hm_latency_call_names[s->call],
                    hm_latency_size_names[s->size], s->thread, (unsigned long long)s->t_ns,
                    (double)s->parts / HM_HISTOGRAM_PARTS);
    }
}

static void tell_clock(void) {
    double ratio = hm_ticks_ratio();
    if (fabs(ratio - 1) > most_drift)
        hm_tell_failure("untrusted",
                        "the time stamp counter says %.4f of CLOCK_MONOTONIC_RAW's time", ratio);
    tell_value("timer_ratio", ratio);
    tell_value("timer_step_ns", step_ns());
    tell_value("timer_ns", (double)hm_ticks.pair_ticks * hm_ticks.ns_per_tick);
}

void hm_latency_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    hm_engine_warm_up(engine);
    hm_engine_watch(engine, hm_latency_record);
    double seconds = hm_engine_run(engine, config->units);
    hm_engine_watch(engine, NULL);
    hm_engine_check_done(engine, config->units);
    tell_clock();
    double ops = (double)hm_engine_ops(engine, config->units) / config->threads;
    const struct hm_latency_record *record = hm_latency_merge();
    struct hm_histogram *sum = hm_scratch(sizeof *sum);
    if (!record || !sum)
        hm_tell_failure("oom", "no memory for the histograms");
    for (unsigned call = 0; call < HM_LATENCY_CALLS; call++)
        tell_call(record, call, sum);
    tell_stalls(record);
    tell_value("latency_time_ns", seconds * 1e9 / ops);
}

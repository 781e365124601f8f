/* The latency pass. */
#include "harness/cell/latency.h"

#include "harness/cell/channel.h"
#include "harness/cell/latency_record.h"
#include "harness/cell/ticks.h"
#include "workloads/scratch.h"

#include <math.h>
#include <string.h>

static const double shares[HM_LATENCY_QUANTILES - 1] = {0.5, 0.9, 0.99, 0.999, 0.9999};

/* The counter may drift so far from the clock over the pass: the histogram's error is as large. */
static const double most_drift = 0.01;

static const double open_loop_s = 1;

static void tell_value(const char *metric, double value) {
    if (isfinite(value))
        hm_tell("value %s -1 %.17g", metric, value);
}

static double step_ns(void) {
    return (double)hm_ticks.step_ticks * hm_ticks.ns_per_tick;
}

static void tell_quantiles(const struct hm_histogram *h, const char *name) {
    char metric[64];
    for (int q = 0; q < HM_LATENCY_QUANTILES; q++) {
        bool is_max = q == HM_LATENCY_QUANTILES - 1;
        snprintf(metric, sizeof metric, "%s_%s_ns", name, hm_latency_quantile_names[q]);
        tell_value(metric, is_max ? hm_histogram_greatest_ns(h)
                                  : hm_histogram_quantile_ns(h, shares[q], step_ns()));
    }
}

static void tell_buckets(const struct hm_histogram *h, const char *name) {
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++)
        if (h->counts[b])
            hm_tell("bucket %s_ns %u %llu", name, b, (unsigned long long)h->counts[b]);
}

/* Of blocks of all sizes. */
static void tell_blocks(const struct hm_latency_record *record, unsigned call,
                        struct hm_histogram *sum) {
    char name[32];
    memset(sum, 0, sizeof *sum);
    for (unsigned s = 0; s < HM_LATENCY_SIZES; s++)
        hm_histogram_add(sum, &record->kinds[hm_latency_kind(call, s)]);
    snprintf(name, sizeof name, "latency_%s", hm_latency_call_names[call]);
    tell_quantiles(sum, name);
}

static void tell_kind(const struct hm_latency_record *record, unsigned kind) {
    char name[32];
    snprintf(name, sizeof name, "latency_%s", hm_latency_kind_names[kind]);
    tell_quantiles(&record->kinds[kind], name);
    tell_buckets(&record->kinds[kind], name);
}

static double overlap(double begin, double end, double other_begin, double other_end) {
    return fmax(fmin(end, other_end) - fmax(begin, other_begin), 0);
}

/* How much of a stall its thread's collector had the mutator stopped.  @return NAN: that is not known */
static double paused_ns(const struct hm_engine *engine, const struct hm_stall *stall) {
    unsigned collectors = hm_engine_collectors(engine);
    if (!collectors || stall->thread < 0)
        return NAN;
    const struct hm_pauses *p =
        hm_engine_pauses(engine, collectors > 1 ? (unsigned)stall->thread : 0);
    if (p->count > HM_PAUSES_KEPT)
        return NAN;
    double begin = (double)stall->t_ns;
    double end = begin + (double)stall->parts / HM_HISTOGRAM_PARTS;
    double sum = 0;
    for (uint64_t k = 0; k < p->count; k++)
        sum += overlap(begin, end, (double)p->kept[k].begin_ns,
                       (double)(p->kept[k].begin_ns + p->kept[k].length_ns));
    return sum;
}

static void tell_stalls(const struct hm_engine *engine, const struct hm_latency_record *record) {
    for (unsigned i = 0; i < HM_LATENCY_STALLS; i++) {
        const struct hm_stall *s = &record->stalls[i];
        if (!s->parts)
            continue;
        hm_tell("point stall_%s_ns %d %llu %.17g", hm_latency_kind_names[s->kind], s->thread,
                (unsigned long long)s->t_ns, (double)s->parts / HM_HISTOGRAM_PARTS);
        double paused = paused_ns(engine, s);
        if (isfinite(paused))
            hm_tell("point stall_paused_ns %d %llu %.17g", s->thread, (unsigned long long)s->t_ns,
                    paused);
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

/* As many units as take a second at the rate, and at most as many as the closed loop does.
 *  @param calls_per_unit of a thread */
static uint64_t open_units(const struct hm_cell_config *config, double calls_per_unit) {
    if (!config->rate || !(calls_per_unit > 0))
        return config->units;
    double units = open_loop_s * (double)config->rate / calls_per_unit;
    if (units >= (double)config->units)
        return config->units;
    return units < 1 ? 1 : (uint64_t)units;
}

static void tell_response(const struct hm_latency_record *record, unsigned threads,
                          double seconds) {
    uint64_t calls = hm_histogram_total(&record->response);
    if (!calls)
        return;
    tell_quantiles(&record->response, "response");
    tell_buckets(&record->response, "response");
    tell_value("served_rate", (double)calls / threads / seconds);
}

/* @param seconds of the open loop */
static void tell_all(const struct hm_engine *engine, const struct hm_cell_config *config,
                     double seconds) {
    const struct hm_latency_record *record = hm_latency_merge();
    struct hm_histogram *sum = hm_scratch(sizeof *sum);
    if (!record || !sum)
        hm_tell_failure("oom", "no memory for the histograms");
    tell_clock();
    for (unsigned call = 0; call < HM_LATENCY_BLOCK_CALLS; call++)
        tell_blocks(record, call, sum);
    for (unsigned kind = 0; kind < HM_LATENCY_KINDS; kind++)
        tell_kind(record, kind);
    tell_response(record, config->threads, seconds);
    tell_stalls(engine, record);
}

/* @return seconds */
static double run_recorded(struct hm_engine *engine, uint64_t units) {
    hm_engine_watch(engine, hm_latency_record);
    double seconds = hm_engine_run(engine, units);
    hm_engine_watch(engine, NULL);
    return seconds;
}

static void tell_op_time(const struct hm_engine *engine, const struct hm_cell_config *config,
                         uint64_t units, double seconds) {
    double ops = (double)hm_engine_ops(engine, units) / config->threads;
    tell_value("latency_time_ns", seconds * 1e9 / ops);
}

/* Single calls first, and whole operations without the clock in them after that. */
static void objects_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    uint64_t units = open_units(config, 1);
    double calls_seconds = run_recorded(engine, config->units);
    double seconds = 0;
    hm_engine_check_done(engine, config->units);
    if (hm_engine_does_single_ops(engine)) {
        hm_latency.whole = true;
        hm_latency_open_loop(config->rate);
        hm_engine_each(engine, hm_latency_op);
        seconds = run_recorded(engine, units);
        hm_engine_each(engine, NULL);
        hm_engine_check_done(engine, config->units + units);
    }
    tell_all(engine, config, seconds);
    tell_op_time(engine, config, config->units, calls_seconds);
}

/* The units of an open loop are by the calls of the warm-up: the same for every arm. */
static void blocks_pass(struct hm_engine *engine, const struct hm_cell_config *config,
                        uint64_t warm_calls) {
    double warm = (double)config->warmup_units * config->threads;
    uint64_t units = open_units(config, warm > 0 ? (double)warm_calls / warm : 0);
    hm_latency_open_loop(config->rate);
    double seconds = run_recorded(engine, units);
    hm_engine_check_done(engine, units);
    tell_all(engine, config, seconds);
    tell_op_time(engine, config, units, seconds);
}

void hm_latency_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    uint64_t before = hm_latency_calls();
    hm_engine_warm_up(engine);
    if (config->has_collector)
        objects_pass(engine, config);
    else
        blocks_pass(engine, config, hm_latency_calls() - before);
}

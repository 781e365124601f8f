/* The metrics. */
#include "harness/results/metrics.h"
#include "harness/results/latency_names.h"

#include "harness/plan/registry.h"

#include <stdio.h>
#include <string.h>

static const struct hm_metric metrics[] = {
    {"time_ns", "ns/op", HM_BETTER_LOWER, true,
     "wall time of a thread for one operation; with a thread's number, of that thread"},
    {"ops_per_second", "op/s", HM_BETTER_HIGHER, true, "operations of all threads per second"},
    {"cpu_ns", "ns/op", HM_BETTER_LOWER, false, "processor time of all threads for one operation"},
    {"wall_ns", "ns", HM_BETTER_LOWER, true, "wall time of a program, from its start to its end"},
    {"user_ns", "ns", HM_BETTER_LOWER, false,
     "processor time of a program and of the children that it waited for, in their own code"},
    {"sys_ns", "ns", HM_BETTER_LOWER, false, "the same, in the kernel"},
    {"footprint_bytes", "bytes", HM_BETTER_LOWER, true,
     "peak of the resident bytes that came since the heap was opened"},
    {"mapped_bytes", "bytes", HM_BETTER_LOWER, false,
     "peak of the address space that came since the heap was opened, resident or not"},
    {"metadata_bytes", "bytes", HM_BETTER_LOWER, false,
     "peak of what the allocator needs for its own tables, where it tells"},
    {"live_bytes", "bytes", HM_BETTER_NEITHER, false,
     "peak of the bytes that the workload holds, as requested"},
    {"requested_bytes", "bytes", HM_BETTER_LOWER, false,
     "peak of what a collector holds of its allocator, as requested: objects, headers, garbage"},
    {"internal_fragmentation", "ratio", HM_BETTER_LOWER, false,
     "usable over requested bytes of the live blocks, when most was live"},
    {"footprint_over_live_peak", "ratio", HM_BETTER_LOWER, false,
     "footprint over live bytes, when most was live"},
    {"footprint_over_live_end", "ratio", HM_BETTER_LOWER, false,
     "footprint over live bytes, at the end of the work"},
    {"footprint_over_requested_peak", "ratio", HM_BETTER_LOWER, false,
     "footprint over what a collector holds of its allocator, when most was live"},
    {"blowup_after_peak", "ratio", HM_BETTER_LOWER, false,
     "the most footprint from the time on when most was live, over that at this time"},
    {"largest_free_run_bytes_peak", "bytes", HM_BETTER_NEITHER, false,
     "the longest stretch of free bytes of a heap that can be walked, when most was live"},
    {"largest_free_run_bytes_end", "bytes", HM_BETTER_NEITHER, false,
     "the same at the end of the work"},
    {"external_fragmentation_peak", "ratio", HM_BETTER_LOWER, false,
     "the part of its free bytes that is not in that stretch, when most was live"},
    {"external_fragmentation_end", "ratio", HM_BETTER_LOWER, false,
     "the same at the end of the work"},
    {"returned_0s_bytes", "bytes", HM_BETTER_HIGHER, false,
     "footprint that is given back as the workload frees all that it holds"},
    {"returned_1s_bytes", "bytes", HM_BETTER_HIGHER, false, "the same a second later"},
    {"returned_10s_bytes", "bytes", HM_BETTER_HIGHER, false, "the same ten seconds later"},
    {"peak_rss_bytes", "bytes", HM_BETTER_LOWER, true,
     "VmHWM of the process, harness included; of a program: its largest process"},
    {"minor_faults", "faults", HM_BETTER_LOWER, false, "page faults without I/O, while timed"},
    {"major_faults", "faults", HM_BETTER_LOWER, false, "page faults with I/O, while timed"},
    {"voluntary_switches", "switches", HM_BETTER_LOWER, false,
     "times that a thread waited, while timed"},
    {"involuntary_switches", "switches", HM_BETTER_LOWER, false,
     "times that a thread was taken off its core, while timed"},
    {"exit_status", "status", HM_BETTER_NEITHER, false, "with which a program ended"},
    {"pauses", "pauses", HM_BETTER_LOWER, false, "times that a collector stopped its mutator"},
    {"pause_total_ns", "ns", HM_BETTER_LOWER, false, "all pauses added up, while timed"},
    {"pause_max_ns", "ns", HM_BETTER_LOWER, false, "the longest pause, while timed"},
    {"mutator_ns", "ns/op", HM_BETTER_LOWER, false, "time_ns without the pauses"},
    {"collector_ns", "ns/op", HM_BETTER_LOWER, false, "pauses of a thread for one operation"},
    {"mmu_1ms", "fraction", HM_BETTER_HIGHER, false,
     "minimum mutator utilisation: the least part of any 1 ms that pauses leave to a thread"},
    {"mmu_10ms", "fraction", HM_BETTER_HIGHER, false, "the same for windows of 10 ms"},
    {"mmu_100ms", "fraction", HM_BETTER_HIGHER, false, "the same for windows of 100 ms"},
    {"bmu_1ms", "fraction", HM_BETTER_HIGHER, false,
     "bounded mutator utilisation: the least part of any time of 1 ms or more that pauses leave"},
    {"bmu_10ms", "fraction", HM_BETTER_HIGHER, false, "the same for times of 10 ms or more"},
    {"bmu_100ms", "fraction", HM_BETTER_HIGHER, false, "the same for times of 100 ms or more"},
    {"mutator_cpu_ns", "ns/op", HM_BETTER_LOWER, false,
     "cpu_ns without the pauses' share of it, which is taken to be that of the wall time"},
    {"distilled_minimum_ns", "ns/op", HM_BETTER_NEITHER, false,
     "mutator_ns of the collector with the least median of it on the same work and allocator"},
    {"lower_bound_overhead", "ratio", HM_BETTER_LOWER, false,
     "time_ns over the median of distilled_minimum_ns: collecting costs at least that much"},
    {"distilled_minimum_cpu_ns", "ns/op", HM_BETTER_NEITHER, false, "the same of mutator_cpu_ns"},
    {"lower_bound_overhead_cpu", "ratio", HM_BETTER_LOWER, false,
     "cpu_ns over the median of distilled_minimum_cpu_ns"},
    {"garbage_peak_objects", "objects", HM_BETTER_LOWER, false,
     "the most objects that the workload did not use any more and that were not freed"},
    {"garbage_slope_per_op", "objects/op", HM_BETTER_LOWER, false,
     "what an operation adds to them in the second half of the work, by Theil and Sen"},
    {"garbage_trend", "trend", HM_BETTER_NEITHER, false,
     "of a process: -1 falling, 0 stable, 1 growing; none when that is not known"},
    {"collections", "collections", HM_BETTER_NEITHER, false,
     "collections of all generations, in the whole process"},
    {"collected_objects", "objects", HM_BETTER_NEITHER, false,
     "objects that collections found unreachable, in the whole process"},
    {"visited_objects", "objects", HM_BETTER_LOWER, false,
     "objects that collections examined, in the whole process"},
    {"visited_per_collected", "objects", HM_BETTER_LOWER, false,
     "objects examined for each that was found unreachable, in the whole process"},
    {"header_bytes", "bytes", HM_BETTER_LOWER, false,
     "what a collector adds to one container, all told"},
    {"unfreed_objects", "objects", HM_BETTER_LOWER, false,
     "objects not freed by the end of the work: leaked, or garbage that waits for a collection"},
};

/* Of the latency pass; latency_CALL_QUANTILE_ns and latency_CALL_SIZE_QUANTILE_ns follow. */
static const struct hm_metric of_latency[] = {
    {"latency_time_ns", "ns/op", HM_BETTER_NEITHER, false,
     "time_ns in the latency pass, where the clock is read around each call"},
    {"served_rate", "calls/s", HM_BETTER_HIGHER, false,
     "calls of a thread per second in an open loop (--rate); below the rate, it is more than can "
     "be served"},
    {"response_p50_ns", "ns", HM_BETTER_LOWER, true,
     "what half of the calls of an open loop take at most, from when they are due"},
    {"response_p90_ns", "ns", HM_BETTER_LOWER, false, "the same of 90 % of the calls"},
    {"response_p99_ns", "ns", HM_BETTER_LOWER, true, "the same of 99 % of the calls"},
    {"response_p999_ns", "ns", HM_BETTER_LOWER, true, "the same of 99.9 % of the calls"},
    {"response_p9999_ns", "ns", HM_BETTER_LOWER, false, "the same of 99.99 % of the calls"},
    {"response_max_ns", "ns", HM_BETTER_LOWER, false, "the same of all calls"},
    {"timer_ns", "ns", HM_BETTER_NEITHER, false,
     "two readings of the clock with nothing between them, taken off each latency"},
    {"timer_step_ns", "ns", HM_BETTER_NEITHER, false,
     "what the clock goes on by: no latency is known better than that"},
    {"timer_ratio", "ratio", HM_BETTER_NEITHER, false,
     "time of the processor's counter over CLOCK_MONOTONIC_RAW's, while measured: 1 when they "
     "agree"},
};

/* Of callgrind: the same in every process. */
static const struct hm_metric of_instructions[] = {
    {"instructions_per_op", "instr/op", HM_BETTER_LOWER, true,
     "instructions of the process for one operation, as callgrind counts them"},
    {"reads_per_op", "reads/op", HM_BETTER_LOWER, true, "of these, those that read memory"},
    {"writes_per_op", "writes/op", HM_BETTER_LOWER, true, "those that write memory"},
};

static const struct hm_metric of_counters[] = {
    {"cpu_cycles_per_op", "cycles/op", HM_BETTER_LOWER, true,
     "the processor's cycles for one operation, in user mode, all threads; NA where it does not "
     "tell"},
    {"cpu_instructions_per_op", "instr/op", HM_BETTER_LOWER, true,
     "instructions that it retired, in the same way"},
    {"cache_misses_per_op", "misses/op", HM_BETTER_LOWER, false,
     "accesses that missed its last cache"},
    {"tlb_misses_per_op", "misses/op", HM_BETTER_LOWER, false, "loads that missed its data TLB"},
};

static const struct hm_metric of_warmup[] = {
    {"warmup_time_ns", "ns/op", HM_BETTER_NEITHER, false,
     "time_ns over all iterations of the warm-up pass, from the first one on"},
    {"warmup_label", "label", HM_BETTER_NEITHER, false,
     "of a process: 0 flat, 1 warm-up, 2 slow-down, 3 no steady state"},
    {"warmup_outliers", "iterations", HM_BETTER_NEITHER, false,
     "iterations that are in no segment's mean, and change no label"},
    {"steady_after_ns", "ns", HM_BETTER_LOWER, false,
     "work of a process before its steady state; 0 where it is flat"},
    {"steady_time_ns", "ns/op", HM_BETTER_LOWER, false, "time_ns in the steady state"},
};

enum {
    INSTRUCTIONS = sizeof of_instructions / sizeof *of_instructions,
    COUNTERS = sizeof of_counters / sizeof *of_counters,
    WARMUP = sizeof of_warmup / sizeof *of_warmup,
    LATENCY_OF_CALLS = (HM_LATENCY_KINDS + HM_LATENCY_BLOCK_CALLS) * HM_LATENCY_QUANTILES,
    LATENCY = sizeof of_latency / sizeof *of_latency + LATENCY_OF_CALLS,
    OWN = sizeof metrics / sizeof *metrics,
    COUNTS = OWN + LATENCY, /* where these begin */
    FIGURES = COUNTS + INSTRUCTIONS + COUNTERS + WARMUP,
    FIGURES_MAX = 256,
};

static enum hm_better better_of(const struct hm_figure *figure) {
    switch (figure->better) {
    case HM_FIGURE_LOWER_IS_BETTER:
        return HM_BETTER_LOWER;
    case HM_FIGURE_HIGHER_IS_BETTER:
        return HM_BETTER_HIGHER;
    default:
        return HM_BETTER_NEITHER;
    }
}

static bool is_known(const struct hm_metric *all, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            return true;
    return false;
}

/* A figure that several workloads have means the same in all of them. */
static size_t add_figures(struct hm_metric *all, size_t count, size_t room,
                          const struct hm_figure *figures) {
    for (; figures && figures->name && count < room; figures++)
        if (!is_known(all, count, figures->name))
            all[count++] = (struct hm_metric){.name = figures->name,
                                              .unit = figures->unit,
                                              .better = better_of(figures),
                                              .summary = figures->help};
    return count;
}

/* @param name as in latency_NAME_p50_ns  @param of which calls  @param leads whether they are all of a call
 *  @return how many there are then */
static size_t add_quantiles(struct hm_metric *all, size_t count, const char *name, const char *of,
                            bool leads) {
    static char names[LATENCY_OF_CALLS][32];
    static char summaries[LATENCY_OF_CALLS][112];
    static size_t used;
    static const char *const quantiles[] = {"half of",   "90 % of",    "99 % of",
                                            "99.9 % of", "99.99 % of", "all"};
    for (int q = 0; q < HM_LATENCY_QUANTILES; q++, used++) {
        snprintf(names[used], sizeof names[used], "latency_%s_%s_ns", name,
                 hm_latency_quantile_names[q]);
        snprintf(summaries[used], sizeof summaries[used], "what %s %s take at most", quantiles[q],
                 of);
        all[count++] = (struct hm_metric){names[used], "ns", HM_BETTER_LOWER,
                                          leads && q < 4 && q != 1, summaries[used]};
    }
    return count;
}

static size_t add_block_calls(struct hm_metric *all, size_t count, unsigned call) {
    static const char *const sizes[] = {"of up to 1 KiB", "of 1 to 32 KiB", "of more than 32 KiB"};
    char of[64];
    snprintf(of, sizeof of, "the calls of %s of any size", hm_latency_call_names[call]);
    count = add_quantiles(all, count, hm_latency_call_names[call], of, true);
    for (unsigned size = HM_LATENCY_SIZES; size-- > 0;) {
        snprintf(of, sizeof of, "the calls of %s %s", hm_latency_call_names[call], sizes[size]);
        count = add_quantiles(all, count, hm_latency_kind_names[hm_latency_kind(call, size)], of,
                              false);
    }
    return count;
}

/* @return how many there are then */
static size_t add_latencies(struct hm_metric *all, size_t count) {
    static const char *const of[] = {"allocations of objects, collections included,",
                                     "stores of references, with all that dies of them,",
                                     "releases of references, with all that dies of them,",
                                     "operations of a workload on objects"};
    memcpy(all + count, of_latency, sizeof of_latency);
    count += sizeof of_latency / sizeof *of_latency;
    for (unsigned call = 0; call < HM_LATENCY_BLOCK_CALLS; call++)
        count = add_block_calls(all, count, call);
    for (unsigned call = HM_LATENCY_BLOCK_CALLS; call < HM_LATENCY_CALLS; call++)
        count = add_quantiles(all, count, hm_latency_call_names[call],
                              of[call - HM_LATENCY_BLOCK_CALLS], true);
    return count;
}

const struct hm_metric *hm_metrics(size_t *count) {
    static struct hm_metric all[FIGURES + FIGURES_MAX];
    static size_t known;
    if (!known) {
        size_t variants;
        const struct hm_workload *const *workloads = hm_workloads(&variants);
        memcpy(all, metrics, sizeof metrics);
        size_t found = add_latencies(all, OWN);
        memcpy(all + found, of_instructions, sizeof of_instructions);
        memcpy(all + found + INSTRUCTIONS, of_counters, sizeof of_counters);
        memcpy(all + found + INSTRUCTIONS + COUNTERS, of_warmup, sizeof of_warmup);
        found += INSTRUCTIONS + COUNTERS + WARMUP;
        for (size_t i = 0; i < variants; i++)
            found = add_figures(all, found, FIGURES + FIGURES_MAX, workloads[i]->figures);
        known = found;
    }
    *count = known;
    return all;
}

const struct hm_metric *hm_metric_find(const char *name) {
    size_t count;
    const struct hm_metric *all = hm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}

bool hm_metric_is_figure(const struct hm_metric *metric) {
    size_t count;
    return metric >= hm_metrics(&count) + FIGURES;
}

bool hm_metric_is_counted(const struct hm_metric *metric) {
    size_t count;
    const struct hm_metric *first = hm_metrics(&count) + COUNTS;
    return metric >= first && metric < first + INSTRUCTIONS;
}

const char *hm_better_name(enum hm_better better) {
    static const char *const names[] = {"lower", "higher", "neither"};
    return names[better];
}

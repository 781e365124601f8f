/* What is told of the collectors of a measured process. */
#include "harness/cell/collecting.h"

#include "harness/cell/channel.h"
#include "harness/stats/utilisation.h"
#include "workloads/scratch.h"

#include <math.h>

enum {
    WINDOWS_PER_DECADE = 4, /* of the curve of minimum mutator utilisation */
    SHORTEST_EXPONENT = 5,  /* 0.1 ms */
};

static void tell_value(const char *metric, double value) {
    if (isfinite(value))
        hm_tell("value %s -1 %.17g", metric, value);
}

static void tell_count(const char *metric, uint64_t value) {
    if (value != HM_UNKNOWN)
        tell_value(metric, (double)value);
}

/* ---- Utilisation ---- */

/* The pauses of all collectors, in the time of the run. */
struct pauses_of_all {
    struct hm_pause_span *spans;
    struct hm_pause_corner *room; /* for the pauses of any of them */
    unsigned collectors;
};

struct utilisation {
    double minimum, bounded;
};

/* What is told of one window: the worst of all collectors. */
static struct utilisation utilisation_of(const struct pauses_of_all *all, double window) {
    struct utilisation worst = {1, 1};
    for (unsigned i = 0; i < all->collectors; i++) {
        double minimum = hm_mmu(&all->spans[i], window);
        if (!(minimum >= worst.minimum))
            worst.minimum = minimum;
        double bounded = hm_bmu(&all->spans[i], window, all->room);
        if (!(bounded >= worst.bounded))
            worst.bounded = bounded;
    }
    return worst;
}

static void tell_window(const struct pauses_of_all *all, double window) {
    struct utilisation u = utilisation_of(all, window);
    hm_tell("point mmu -1 %.0f %.17g", window, u.minimum);
    hm_tell("point bmu -1 %.0f %.17g", window, u.bounded);
}

/* The same windows in every run, as far as they fit into it, and then the whole run. */
static void tell_curves(const struct pauses_of_all *all, double run_ns) {
    for (int k = SHORTEST_EXPONENT * WINDOWS_PER_DECADE;; k++) {
        double window = pow(10, (double)k / WINDOWS_PER_DECADE);
        if (!(window <= run_ns))
            break;
        tell_window(all, window);
    }
    tell_window(all, run_ns);
}

/* @return false when a pause was not kept */
static bool fill_span(const struct hm_pauses *p, double to, double *store,
                      struct hm_pause_span *out) {
    if (p->count > HM_PAUSES_KEPT)
        return false;
    double *begins = store, *ends = store + p->count;
    for (uint64_t k = 0; k < p->count; k++) {
        begins[k] = fmin((double)p->kept[k].begin_ns, to);
        ends[k] = fmin((double)(p->kept[k].begin_ns + p->kept[k].length_ns), to);
    }
    *out = (struct hm_pause_span){.begins = begins, .ends = ends, .count = p->count, .to = to};
    return true;
}

static void tell_windows(const struct pauses_of_all *all, double run_ns) {
    static const struct {
        double window_ns;
        const char *minimum, *bounded;
    } told[] = {{1e6, "mmu_1ms", "bmu_1ms"},
                {1e7, "mmu_10ms", "bmu_10ms"},
                {1e8, "mmu_100ms", "bmu_100ms"}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct utilisation u = utilisation_of(all, told[i].window_ns);
        tell_value(told[i].minimum, u.minimum);
        tell_value(told[i].bounded, u.bounded);
    }
    tell_curves(all, run_ns);
}

static void tell_utilisation(const struct hm_engine *engine, unsigned collectors, double run_ns) {
    size_t pauses = 0;
    for (unsigned i = 0; i < collectors; i++)
        pauses += hm_engine_pauses(engine, i)->count;
    if (pauses > (size_t)collectors * HM_PAUSES_KEPT)
        return;
    double *next = hm_scratch((2 * pauses + 1) * sizeof *next);
    struct pauses_of_all all = {.spans = hm_scratch(collectors * sizeof *all.spans),
                                .room = hm_scratch((pauses + 1) * sizeof *all.room),
                                .collectors = collectors};
    bool whole = next && all.spans && all.room;
    for (unsigned i = 0; whole && i < collectors; i++) {
        const struct hm_pauses *p = hm_engine_pauses(engine, i);
        whole = fill_span(p, run_ns, next, &all.spans[i]);
        next += 2 * p->count;
    }
    if (whole)
        tell_windows(&all, run_ns);
}

/* ---- Pauses ---- */

static void tell_each(const struct hm_engine *engine, unsigned thread) {
    const struct hm_pauses *p = hm_engine_pauses(engine, thread);
    uint64_t told = p->count < HM_PAUSES_TOLD ? p->count : HM_PAUSES_TOLD;
    for (uint64_t k = 0; k < told; k++)
        hm_tell("point pause_ns %u %llu %llu", thread, (unsigned long long)p->kept[k].begin_ns,
                (unsigned long long)p->kept[k].length_ns);
}

struct parts {
    double mutator_ns, collector_ns;
};

/* Processor time is parted as wall time is: what a pause took of either is not known where others had the CPU
 * meanwhile. Threads that run at the same time outside of pauses weigh as many there. */
static void tell_mutator_cpu(const struct hm_engine *engine, const struct hm_cell_config *config,
                             struct parts parts, double ops_per_thread) {
    double mutator = parts.mutator_ns * (config->threading == HM_FREE ? config->threads : 1);
    double cpu_ns = hm_engine_used(engine)->cpu_s * 1e9 / (ops_per_thread * config->threads);
    tell_value("mutator_cpu_ns", cpu_ns * mutator / (mutator + parts.collector_ns));
}

void hm_tell_pauses(const struct hm_engine *engine, const struct hm_cell_config *config,
                    double seconds, double ops_per_thread) {
    unsigned collectors = hm_engine_collectors(engine);
    uint64_t total = 0;
    uint64_t longest = 0;
    uint64_t count = 0;
    for (unsigned i = 0; i < collectors; i++) {
        const struct hm_pauses *p = hm_engine_pauses(engine, i);
        total += p->total_ns;
        count += p->count;
        longest = p->longest_ns > longest ? p->longest_ns : longest;
        tell_each(engine, i);
    }
    tell_value("pauses", (double)count);
    tell_value("pause_total_ns", (double)total);
    if (count)
        tell_value("pause_max_ns", (double)longest);
    double paused_ns = (double)total / collectors / ops_per_thread;
    double running_ns = seconds * 1e9 / ops_per_thread - paused_ns;
    tell_value("collector_ns", paused_ns);
    tell_value("mutator_ns", running_ns);
    tell_mutator_cpu(engine, config, (struct parts){running_ns, paused_ns}, ops_per_thread);
    tell_utilisation(engine, collectors, seconds * 1e9);
}

void hm_tell_collectors(const struct hm_gc_stats *sum) {
    tell_value("collections",
               (double)(sum->collections[0] + sum->collections[1] + sum->collections[2]));
    tell_count("collected_objects", sum->collected);
    tell_count("visited_objects", sum->visited);
    if (sum->collected && sum->collected != HM_UNKNOWN && sum->visited != HM_UNKNOWN)
        tell_value("visited_per_collected", (double)sum->visited / (double)sum->collected);
    if (sum->freed_objects != HM_UNKNOWN)
        tell_value("unfreed_objects", (double)(sum->allocated_objects - sum->freed_objects));
    tell_count("header_bytes", sum->header_bytes);
}

/* The table of checks. Thresholds are ours: a warning is for what can move a figure by more than the
 * usual margin of 2 %, and bad is what can change a verdict. */
#include "harness/machine/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double load_warn = 0.5;   /* threads, before the run has any */
static const double others_warn = 1;   /* threads */
static const double steal_warn = 0.01; /* share of all time */
static const double steal_bad = 0.1;
static const double drift_warn = 0.02; /* relative */
static const double drift_bad = 0.1;
static const double memory_warn = 0x1p30; /* bytes */
static const double memory_bad = 0x1p28;

struct question {
    const struct hm_machine_state *now, *earlier;
    unsigned threads; /* 0: any number */
};

typedef enum hm_fitness judge_fn(const struct question *q, struct hm_finding *f);

__attribute__((format(printf, 2, 3))) static void told(struct hm_finding *f, const char *format,
                                                       ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(f->read, sizeof f->read, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void said(struct hm_finding *f, const char *format,
                                                       ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(f->said, sizeof f->said, format, args);
    va_end(args);
}

static enum hm_fitness above(double value, double warn, double bad) {
    return isnan(value)   ? HM_FIT_UNKNOWN
           : value > bad  ? HM_FIT_BAD
           : value > warn ? HM_FIT_WARN
                          : HM_FIT_GOOD;
}

/* CPUs that can be used at once, at least one. */
static double width(const struct hm_machine_state *m) {
    return m->pus > 1 ? m->pus : 1;
}

/* ---- Frequency and clocks ---- */

static enum hm_fitness judge_governor(const struct question *q, struct hm_finding *f) {
    const char *governor = q->now->governor;
    if (!governor[0])
        return HM_FIT_UNKNOWN;
    told(f, "%s", governor);
    said(f, "the frequency governor is %s", governor);
    return strcmp(governor, "performance") == 0 ? HM_FIT_GOOD : HM_FIT_BAD;
}

static enum hm_fitness judge_turbo(const struct question *q, struct hm_finding *f) {
    if (q->now->turbo < 0)
        return HM_FIT_UNKNOWN;
    told(f, q->now->turbo ? "on" : "off");
    said(f, "turbo is on");
    return q->now->turbo ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_drift(const struct question *q, struct hm_finding *f) {
    if (isnan(q->now->drift))
        return HM_FIT_UNKNOWN;
    told(f, "%.1f %%", q->now->drift * 100);
    said(f, "the processor's pace changed by %.1f %% within a second", q->now->drift * 100);
    return above(q->now->drift, drift_warn, drift_bad);
}

/* Counters that are read without a system call, one for each architecture. */
static bool is_fast_clock(const char *source) {
    static const char *const fast[] = {"tsc", "arch_sys_counter", "timebase", "riscv_clocksource",
                                       "tod"};
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        if (strcmp(source, fast[i]) == 0)
            return true;
    return false;
}

static enum hm_fitness judge_clock(const struct question *q, struct hm_finding *f) {
    const char *source = q->now->clock_source;
    if (!source[0])
        return HM_FIT_UNKNOWN;
    told(f, "%s", source);
    said(f, "the clock source is %s, not tsc", source);
    return is_fast_clock(source) ? HM_FIT_GOOD : HM_FIT_WARN;
}

static enum hm_fitness judge_tsc(const struct question *q, struct hm_finding *f) {
    if (q->now->tsc < 0)
        return HM_FIT_UNKNOWN;
    told(f, q->now->tsc ? "invariant" : "not invariant");
    said(f, "the time stamp counter is not invariant");
    return q->now->tsc ? HM_FIT_GOOD : HM_FIT_WARN;
}

/* ---- Memory ---- */

static enum hm_fitness judge_thp(const struct question *q, struct hm_finding *f) {
    if (!q->now->thp[0])
        return HM_FIT_UNKNOWN;
    told(f, "%s", q->now->thp);
    said(f, "transparent huge pages are always on");
    return strcmp(q->now->thp, "always") == 0 ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_aslr(const struct question *q, struct hm_finding *f) {
    if (q->now->aslr < 0)
        return HM_FIT_UNKNOWN;
    told(f, "%d", q->now->aslr);
    said(f, "addresses are %s (randomize_va_space is %d)",
         q->now->aslr ? "random but for the heap behind the program" : "not random", q->now->aslr);
    return q->now->aslr == 2 ? HM_FIT_GOOD : HM_FIT_WARN;
}

static enum hm_fitness judge_swap(const struct question *q, struct hm_finding *f) {
    double mib = q->now->swap_used_bytes / 0x1p20;
    if (isnan(mib))
        return HM_FIT_UNKNOWN;
    told(f, "%.0f MiB in use", mib);
    said(f, "swap is in use (%.0f MiB)", mib);
    return mib > 0 ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_memory(const struct question *q, struct hm_finding *f) {
    double bytes = q->now->memory_available_bytes;
    if (!isfinite(bytes))
        return HM_FIT_UNKNOWN;
    told(f, "%.0f MiB available", bytes / 0x1p20);
    said(f, "%.0f MiB of memory are available", bytes / 0x1p20);
    return above(-bytes, -memory_warn, -memory_bad);
}

static enum hm_fitness judge_numa(const struct question *q, struct hm_finding *f) {
    int nodes = q->now->nodes;
    if (nodes < 0)
        return HM_FIT_UNKNOWN;
    const char *moved = nodes > 1 && q->now->numa_balancing > 0 ? ", pages are moved" : "";
    told(f, "%d node%s%s", nodes, nodes == 1 ? "" : "s", moved);
    said(f, "memory has %d nodes%s", nodes, moved);
    return nodes > 1 ? HM_FIT_WARN : HM_FIT_GOOD;
}

/* ---- Others ---- */

static enum hm_fitness judge_vm(const struct question *q, struct hm_finding *f) {
    if (q->now->hypervisor < 0)
        return HM_FIT_UNKNOWN;
    told(f, q->now->hypervisor ? "yes" : "no");
    said(f, "this is a virtual machine");
    return q->now->hypervisor ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_load(const struct question *q, struct hm_finding *f) {
    if (isnan(q->now->loadavg))
        return HM_FIT_UNKNOWN;
    told(f, "%.2f", q->now->loadavg);
    said(f, "other work is running (load average %.2f before the start)", q->now->loadavg);
    return above(q->now->loadavg, load_warn, width(q->now));
}

static enum hm_fitness judge_others(const struct question *q, struct hm_finding *f) {
    double others = q->now->others;
    if (isnan(others))
        return HM_FIT_UNKNOWN;
    told(f, "%.0f", others);
    said(f, "%.0f other threads are running or wait for a CPU", others);
    return others >= width(q->now) ? HM_FIT_BAD : others >= others_warn ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_isolated(const struct question *q, struct hm_finding *f) {
    if (!q->now->isolated[0])
        return HM_FIT_UNKNOWN;
    told(f, "%s", q->now->isolated);
    said(f, "no CPU is kept free of other work");
    return strcmp(q->now->isolated, "none") == 0 ? HM_FIT_WARN : HM_FIT_GOOD;
}

/* Ticks do not go back, but for what a hypervisor makes of a machine that moves. */
static enum hm_fitness judge_steal(const struct question *q, struct hm_finding *f) {
    double steal = q->now->steal_ticks - (q->earlier ? q->earlier->steal_ticks : 0);
    double share = steal / (q->now->total_ticks - (q->earlier ? q->earlier->total_ticks : 0));
    if (!isfinite(share))
        return HM_FIT_UNKNOWN;
    const char *when = q->earlier ? "while we measured" : "since boot";
    told(f, "%.1f %% %s", share * 100, when);
    said(f, "the hypervisor gave %.1f %% of our processor time to others %s", share * 100, when);
    return above(share, steal_warn, steal_bad);
}

static enum hm_fitness judge_throttle(const struct question *q, struct hm_finding *f) {
    double times = q->now->throttles - (q->earlier ? q->earlier->throttles : 0);
    if (isnan(times))
        return HM_FIT_UNKNOWN;
    const char *when = q->earlier ? "while we measured" : "since boot";
    told(f, "%.0f times %s", times, when);
    said(f, "cores were slowed down for heat %.0f times %s", times, when);
    return !(times > 0) ? HM_FIT_GOOD : q->earlier ? HM_FIT_BAD : HM_FIT_WARN;
}

/* ---- Processors ---- */

static enum hm_fitness judge_quota(const struct question *q, struct hm_finding *f) {
    double quota = q->now->cpu_quota;
    if (isnan(quota))
        return HM_FIT_UNKNOWN;
    if (isinf(quota)) {
        told(f, "no limit");
        return HM_FIT_GOOD;
    }
    told(f, "%.2f CPUs", quota);
    if (q->threads)
        said(f, "the control group may use %.2f CPUs, for %u threads", quota, q->threads);
    else
        said(f, "the control group may use %.2f CPUs", quota);
    if (quota < (q->threads ? q->threads : 1))
        return HM_FIT_BAD;
    return !q->threads && quota < q->now->pus ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_cores(const struct question *q, struct hm_finding *f) {
    if (!q->now->cores)
        return HM_FIT_UNKNOWN;
    told(f, "%u", q->now->cores);
    said(f, "there is one core");
    return q->now->cores == 1 ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_threads(const struct question *q, struct hm_finding *f) {
    if (!q->now->cores)
        return HM_FIT_UNKNOWN;
    told(f, "%u", q->threads);
    said(f, "%u threads on %u CPUs", q->threads, q->now->pus);
    return q->threads > q->now->pus ? HM_FIT_WARN : HM_FIT_GOOD;
}

static enum hm_fitness judge_smt(const struct question *q, struct hm_finding *f) {
    const struct hm_machine_state *m = q->now;
    if (!m->cores)
        return HM_FIT_UNKNOWN;
    told(f, m->pus > m->cores ? "on" : "off");
    if (!q->threads) {
        said(f, "SMT is on (%u CPUs on %u cores)", m->pus, m->cores);
        return m->pus > m->cores ? HM_FIT_WARN : HM_FIT_GOOD;
    }
    said(f, "%u threads on %u cores with SMT", q->threads, m->cores);
    return q->threads > m->cores && q->threads <= m->pus ? HM_FIT_WARN : HM_FIT_GOOD;
}

/* From 3 on, which is Debian's own, nothing at all may be counted; below, one's own user code. */
static enum hm_fitness judge_perf(const struct question *q, struct hm_finding *f) {
    if (q->now->perf_paranoid < -1)
        return HM_FIT_UNKNOWN;
    told(f, "%d", q->now->perf_paranoid);
    said(f, "kernel.perf_event_paranoid is %d", q->now->perf_paranoid);
    return q->now->perf_paranoid > 2 ? HM_FIT_WARN : HM_FIT_GOOD;
}

/* ---- The table ---- */

enum part {
    EVERYWHERE,
    DOCTOR,  /* not warned of in runs: it holds for nearly all machines */
    RUN,     /* about what is run */
    BETWEEN, /* in runs, it is judged by what happened while they lasted */
    OURS,    /* our own run changes it */
};

struct check {
    const char *name;
    enum part part;
    judge_fn *judge;
    const char *effect;
    const char *mend;
};

static const struct check checks[] = {
    {"governor", EVERYWHERE, judge_governor, "the clock, and with it every time, follows the load",
     "with `cpupower frequency-set -g performance`"},
    {"turbo", EVERYWHERE, judge_turbo, "the clock depends on heat and on how many cores work",
     "with `echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo` or "
     "`echo 0 > /sys/devices/system/cpu/cpufreq/boost`"},
    {"drift", EVERYWHERE, judge_drift,
     "the same work takes another time a moment later, and blocks of runs can not be compared",
     "by fixing the frequency (governor, turbo), or with a machine that nobody shares"},
    {"clock", EVERYWHERE, judge_clock,
     "reading the time may take a system call, which latencies include",
     "with the kernel parameter clocksource=tsc, where the tsc is stable"},
    {"tsc", EVERYWHERE, judge_tsc,
     "it stops or changes its rate, and latencies fall back on the slower clock_gettime",
     "with a processor, or a setting of the hypervisor, that has constant_tsc and nonstop_tsc"},
    {"thp", EVERYWHERE, judge_thp,
     "footprints come in steps of 2 MiB, and times depend on where the kernel finds them",
     "with `echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`"},
    {"aslr", EVERYWHERE, judge_aslr,
     "all processes have the same layout, and its luck looks like a difference of allocators",
     "with `sysctl kernel.randomize_va_space=2`"},
    {"swap", EVERYWHERE, judge_swap, "pages may be read from disk while we measure",
     "by ending other programs, then `swapoff -a`"},
    {"memory", EVERYWHERE, judge_memory,
     "the kernel takes pages back while we measure, and large workloads are killed",
     "by ending other programs, or with a larger limit of the control group (memory.max)"},
    {"vm", EVERYWHERE, judge_vm,
     "others share its processors unseen: trust ratios of interleaved rounds, not single times",
     "with bare metal"},
    {"load", OURS, judge_load, "it takes processor time and cache from us",
     "by ending it, or wait a minute if it has ended"},
    {"others", EVERYWHERE, judge_others, "they take processor time and cache from us",
     "by ending them (`top` shows them)"},
    {"quota", EVERYWHERE, judge_quota, "threads are halted when it is used up",
     "by raising its cpu.max, or with fewer threads (-t)"},
    {"cores", EVERYWHERE, judge_cores, "the harness and the kernel interrupt what is measured",
     "with a machine, or a cpuset, of two cores or more"},
    {"threads", RUN, judge_threads,
     "oversubscribed, they take turns, and times include the waiting", "with fewer threads (-t)"},
    {"smt", EVERYWHERE, judge_smt, "siblings share their core's execution units and caches",
     "with no more threads than cores (-t), or with SMT off "
     "(`echo off > /sys/devices/system/cpu/smt/control`)"},
    {"numa", DOCTOR, judge_numa,
     "memory of another node is slower, and which one a thread gets may change",
     "with `numactl --cpunodebind=0 --membind=0`, and `sysctl kernel.numa_balancing=0`"},
    {"isolated", DOCTOR, judge_isolated,
     "the kernel runs other tasks and interrupts on the CPUs that measure",
     "with the kernel parameters isolcpus= and nohz_full=, and `taskset` onto these CPUs"},
    {"perf", DOCTOR, judge_perf, "hardware counters (cycles, cache misses) can not be read",
     "with `sysctl kernel.perf_event_paranoid=2`"},
    {"throttle", BETWEEN, judge_throttle, "times of that while are of a slower machine",
     "with better cooling, turbo off, or pauses between runs"},
    {"steal", BETWEEN, judge_steal, "rounds that it hit took longer, and intervals grow",
     "by measuring again at a quieter hour, or with more rounds (--rigorous)"},
};

enum {
    COUNT = sizeof checks / sizeof *checks,
};

size_t hm_check_count(void) {
    return COUNT;
}

bool hm_check_is_of_run(size_t check) {
    return checks[check].part == RUN;
}

const char *hm_fitness_name(enum hm_fitness fitness) {
    static const char *const names[] = {[HM_FIT_UNKNOWN] = "unknown",
                                        [HM_FIT_GOOD] = "good",
                                        [HM_FIT_WARN] = "warn",
                                        [HM_FIT_BAD] = "bad"};
    return names[fitness];
}

void hm_check_judge(size_t check, const struct hm_machine_state *now,
                    const struct hm_machine_state *earlier, unsigned threads,
                    struct hm_finding *out) {
    const struct check *c = &checks[check];
    const struct question question = {now, earlier, threads};
    *out = (struct hm_finding){.name = c->name, .effect = c->effect, .mend = c->mend, .read = "NA"};
    out->fitness = c->judge(&question, out);
    if (out->fitness < HM_FIT_WARN)
        out->said[0] = '\0';
}

/* ---- What a run says ---- */

static int say_finding(const struct hm_finding *f, hm_say_fn *say, void *arg) {
    char line[640];
    snprintf(line, sizeof line, "%s: %s; mend %s", f->said, f->effect, f->mend);
    say(arg, line);
    return 1;
}

int hm_machine_warnings(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, hm_say_fn *say, void *arg) {
    struct hm_finding f;
    int lines = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const bool between = checks[i].part == BETWEEN;
        if (checks[i].part == DOCTOR || (between && !after))
            continue;
        hm_check_judge(i, between ? after : before, between ? before : NULL, max_threads, &f);
        if (f.fitness >= HM_FIT_WARN)
            lines += say_finding(&f, say, arg);
    }
    return lines;
}

int hm_machine_refusals(const struct hm_machine_state *now, const struct hm_machine_state *earlier,
                        unsigned max_threads, hm_say_fn *say, void *arg) {
    struct hm_finding f;
    int lines = 0;
    for (size_t i = 0; i < COUNT; i++) {
        hm_check_judge(i, now, earlier, max_threads, &f);
        if (f.fitness == HM_FIT_BAD)
            lines += say_finding(&f, say, arg);
    }
    return lines;
}

/* What is judged by its growth has no state before: it was good. */
static enum hm_fitness fitness_before(size_t check, const struct hm_machine_state *before,
                                      unsigned threads) {
    struct hm_finding f;
    if (checks[check].part == BETWEEN)
        return HM_FIT_GOOD;
    hm_check_judge(check, before, NULL, threads, &f);
    return f.fitness;
}

int hm_machine_worsened(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, char *names, size_t size) {
    struct hm_finding f;
    size_t used = 0;
    int count = 0;
    names[0] = '\0';
    for (size_t i = 0; i < COUNT; i++) {
        enum hm_fitness was = fitness_before(i, before, max_threads);
        hm_check_judge(i, after, before, max_threads, &f);
        if (checks[i].part == OURS || was == HM_FIT_UNKNOWN || f.fitness <= was)
            continue;
        count++;
        if (used < size)
            used += (size_t)snprintf(names + used, size - used, "%s%s %s", used ? ", " : "", f.name,
                                     f.read);
    }
    return count;
}

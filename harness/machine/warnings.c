/* What makes measurements on this machine doubtful, and how to mend it. */
#include "harness/machine/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double steal_max = 0.01; /* share of all time */
static const double load_max = 0.5;   /* threads, before the run has any */

struct speaker {
    void (*say)(void *arg, const char *line);
    void *arg;
    int count;
};

__attribute__((format(printf, 2, 3))) static void warn(struct speaker *s, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    s->say(s->arg, line);
    s->count++;
}

static void warn_of_frequency(struct speaker *s, const struct hm_machine_state *m) {
    if (m->governor[0] && strcmp(m->governor, "performance") != 0)
        warn(s,
             "the frequency governor is %s: the clock, and with it every time, follows the load; "
             "mend with `cpupower frequency-set -g performance`",
             m->governor);
    if (m->turbo == 1)
        warn(s, "turbo is on: the clock depends on heat and on how many cores work; mend with "
                "`echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo` or "
                "`echo 0 > /sys/devices/system/cpu/cpufreq/boost`");
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

static void warn_of_clock(struct speaker *s, const struct hm_machine_state *m) {
    if (m->clock_source[0] && !is_fast_clock(m->clock_source))
        warn(s,
             "the clock source is %s, not tsc: reading the time may take a system call, which "
             "latencies include; mend with the kernel parameter clocksource=tsc, where the tsc is "
             "stable",
             m->clock_source);
}

static void warn_of_memory(struct speaker *s, const struct hm_machine_state *m) {
    if (strcmp(m->thp, "always") == 0)
        warn(s, "transparent huge pages are always on: footprints come in steps of 2 MiB, and "
                "times depend on where the kernel finds them; mend with "
                "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`");
    if (m->swap_used_bytes > 0)
        warn(s,
             "swap is in use (%.0f MiB): pages may be read from disk while we measure; mend by "
             "ending other programs, then `swapoff -a`",
             m->swap_used_bytes / 0x1p20);
}

static void warn_of_sharing(struct speaker *s, const struct hm_machine_state *m) {
    if (m->hypervisor == 1)
        warn(s, "this is a virtual machine: others share its processors unseen; trust ratios of "
                "interleaved rounds, not single times, and mend with bare metal");
    if (m->loadavg > load_max)
        warn(s,
             "other work is running (load average %.2f before the start): it takes processor time "
             "and cache from us; mend by ending it, or wait a minute if it has ended",
             m->loadavg);
}

static void warn_of_threads(struct speaker *s, const struct hm_machine_state *m, unsigned threads) {
    if (m->cpu_quota < threads)
        warn(s,
             "the control group may use %.2f CPUs, for %u threads: they are halted when it is used "
             "up; mend by raising its cpu.max, or with fewer threads (-t)",
             m->cpu_quota, threads);
    if (m->cores == 1)
        warn(s, "there is one core: the harness and the kernel interrupt what is measured; mend "
                "with a machine, or a cpuset, of two cores or more");
    if (m->cores && threads > m->pus)
        warn(s,
             "%u threads on %u CPUs: oversubscribed, they take turns, and times include the "
             "waiting; mend with "
             "fewer threads (-t)",
             threads, m->pus);
    else if (m->cores && threads > m->cores)
        warn(s,
             "%u threads on %u cores with SMT: siblings share their core's execution units and "
             "caches; mend with at most %u threads (-t), or with SMT off "
             "(`echo off > /sys/devices/system/cpu/smt/control`)",
             threads, m->cores, m->cores);
}

static void warn_of_steal(struct speaker *s, const struct hm_machine_state *before,
                          const struct hm_machine_state *after) {
    double share =
        (after->steal_ticks - before->steal_ticks) / (after->total_ticks - before->total_ticks);
    if (share > steal_max)
        warn(s,
             "the hypervisor gave %.1f %% of our processor time to others while we measured; mend "
             "by measuring again at a quieter hour, or with more rounds (--rigorous)",
             share * 100);
}

int hm_machine_warnings(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, void (*say)(void *arg, const char *line), void *arg) {
    struct speaker s = {say, arg, 0};
    warn_of_frequency(&s, before);
    warn_of_clock(&s, before);
    warn_of_memory(&s, before);
    warn_of_sharing(&s, before);
    warn_of_threads(&s, before, max_threads);
    if (after)
        warn_of_steal(&s, before, after);
    return s.count;
}

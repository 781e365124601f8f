/* The machine as it is at one moment. Sources: proc(5), and the kernel's sysfs documentation
 * (ABI/testing/sysfs-devices-system-cpu, admin-guide/pm, admin-guide/mm/transhuge). */
#include "harness/machine/state.h"

#include "harness/machine/cgroup.h"
#include "harness/machine/file.h"

#include <glob.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYS_CPU "/sys/devices/system/cpu"

enum {
    CPUS_MAX = 8192, /* what a kernel can be built for (NR_CPUS), x86's limit */
    STAT_FIELDS = 8, /* user nice system idle iowait irq softirq steal; guest time is in user */
};

struct cpus {
    cpu_set_t parts[CPUS_MAX / CPU_SETSIZE];
};

static int read_in(const char *root, const char *name, char *text, size_t size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, name);
    return hm_file_read(path, text, size);
}

static bool number_in(const char *root, const char *name, long long *out) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", root, name);
    return hm_file_number(path, out);
}

/* @return the number, or `unknown` */
static int small_in(const char *root, const char *name, int unknown) {
    long long value;
    return number_in(root, name, &value) && value > INT_MIN && value < INT_MAX ? (int)value
                                                                               : unknown;
}

/* @return files that match, which the caller frees; gl_pathc is 0 without any */
static glob_t glob_in(const char *root, const char *pattern) {
    char path[PATH_MAX];
    glob_t found = {.gl_pathc = 0};
    snprintf(path, sizeof path, "%s%s", root, pattern);
    if (glob(path, 0, NULL, &found))
        found.gl_pathc = 0;
    return found;
}

/* A core is known by the first of its siblings. A CPU that is offline has no list of them. */
static void take_cpu(const char *siblings, struct cpus *cores, unsigned *pus) {
    long long first;
    if (!hm_file_number(siblings, &first) || first < 0 || first >= CPUS_MAX)
        return;
    CPU_SET_S((size_t)first, sizeof *cores, cores->parts);
    ++*pus;
}

void hm_machine_count(bool all, unsigned *cores, unsigned *pus) {
    struct cpus allowed;
    struct cpus found;
    CPU_ZERO_S(sizeof found, found.parts);
    *cores = 0;
    *pus = 0;
    if (!all && sched_getaffinity(0, sizeof allowed, allowed.parts))
        return;
    long limit = sysconf(_SC_NPROCESSORS_CONF);
    for (size_t cpu = 0; cpu < CPUS_MAX && (long)cpu < limit; cpu++) {
        char path[96];
        snprintf(path, sizeof path, SYS_CPU "/cpu%zu/topology/thread_siblings_list", cpu);
        if (all || CPU_ISSET_S(cpu, sizeof allowed, allowed.parts))
            take_cpu(path, &found, pus);
    }
    *cores = (unsigned)CPU_COUNT_S(sizeof found, found.parts);
}

static void count_copied(const char *root, unsigned *cores, unsigned *pus) {
    struct cpus found;
    CPU_ZERO_S(sizeof found, found.parts);
    glob_t lists = glob_in(root, SYS_CPU "/cpu[0-9]*/topology/thread_siblings_list");
    for (size_t i = 0; i < lists.gl_pathc; i++)
        take_cpu(lists.gl_pathv[i], &found, pus);
    globfree(&lists);
    *cores = (unsigned)CPU_COUNT_S(sizeof found, found.parts);
}

/* "0.18 0.06 0.02 1/95 9038": the first mean, and running/all threads. */
static void read_load(const char *root, struct hm_machine_state *out) {
    char text[128];
    if (read_in(root, "/proc/loadavg", text, sizeof text) == 0)
        sscanf(text, "%lf %*s %*s %lf", &out->loadavg, &out->running);
}

static void read_ticks(const char *root, struct hm_machine_state *out) {
    char text[512];
    double total = 0;
    double ticks = NAN;
    if (read_in(root, "/proc/stat", text, sizeof text) || strncmp(text, "cpu ", 4) != 0)
        return;
    const char *at = text + 4;
    for (int i = 0; i < STAT_FIELDS; i++) {
        char *end;
        ticks = strtod(at, &end);
        if (end == at)
            return;
        total += ticks;
        at = end;
    }
    out->steal_ticks = ticks;
    out->total_ticks = total;
}

static void read_governor(const char *root, char *out, size_t size) {
    glob_t found = glob_in(root, SYS_CPU "/cpufreq/policy*/scaling_governor");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        hm_file_read(found.gl_pathv[i], out, size);
        if (strcmp(out, "performance") != 0)
            break;
    }
    globfree(&found);
}

/* Intel's counters; other processors tell of none. */
static double read_throttles(const char *root) {
    glob_t found = glob_in(root, SYS_CPU "/cpu*/thermal_throttle/core_throttle_count");
    double sum = found.gl_pathc ? 0 : NAN;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long long count;
        if (hm_file_number(found.gl_pathv[i], &count))
            sum += (double)count;
    }
    globfree(&found);
    return sum;
}

/* A kernel without memory nodes has no such folder. */
static int count_nodes(const char *root) {
    glob_t found = glob_in(root, "/sys/devices/system/node/node[0-9]*");
    int count = found.gl_pathc ? (int)found.gl_pathc : -1;
    globfree(&found);
    return count;
}

/* Intel's own driver has the switch the other way round. */
static int read_turbo(const char *root) {
    long long value;
    if (number_in(root, SYS_CPU "/intel_pstate/no_turbo", &value))
        return value == 0;
    if (number_in(root, SYS_CPU "/cpufreq/boost", &value))
        return value != 0;
    return -1;
}

/* x86 only: a CPUID bit that is reserved for hypervisors, and two for the time stamp counter. */
static void read_flags(const char *root, struct hm_machine_state *out) {
    char text[16384];
    char flags[8192];
    read_in(root, "/proc/cpuinfo", text, sizeof text);
    const char *line = hm_file_line(text, "flags");
    if (!line)
        return;
    hm_file_copy_line(line, flags, sizeof flags);
    out->hypervisor = strstr(flags, " hypervisor") != NULL;
    out->tsc = strstr(flags, " constant_tsc") && strstr(flags, " nonstop_tsc");
}

/* The word in brackets of "always [madvise] never". */
static void read_thp(const char *root, char *out, size_t size) {
    char text[128];
    read_in(root, "/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
    char *open = strchr(text, '[');
    char *close = open ? strchr(open, ']') : NULL;
    if (!close)
        return;
    *close = '\0';
    hm_file_copy_line(open + 1, out, size);
}

/* An empty file says that there is none. */
static void read_isolated(const char *root, char *out, size_t size) {
    if (read_in(root, SYS_CPU "/isolated", out, size) == 0 && !out[0])
        snprintf(out, size, "none");
}

static void read_memory(const char *root, double limit_bytes, struct hm_machine_state *out) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    out->swap_used_bytes = hm_file_kib(path, "SwapTotal:") - hm_file_kib(path, "SwapFree:");
    out->memory_available_bytes = fmin(hm_file_kib(path, "MemAvailable:"), limit_bytes);
}

void hm_machine_sample_in(const char *root, struct hm_machine_state *out) {
    struct hm_cgroup group;
    *out = (struct hm_machine_state){.loadavg = NAN,
                                     .running = NAN,
                                     .steal_ticks = NAN,
                                     .total_ticks = NAN,
                                     .hypervisor = -1,
                                     .tsc = -1,
                                     .others = NAN,
                                     .drift = NAN};
    read_load(root, out);
    read_ticks(root, out);
    hm_cgroup_read(root, &group);
    out->cpu_quota = group.cpu_quota;
    read_memory(root, group.memory_bytes, out);
    if (*root)
        count_copied(root, &out->cores, &out->pus);
    else
        hm_machine_count(false, &out->cores, &out->pus);
    out->throttles = read_throttles(root);
    out->turbo = read_turbo(root);
    read_flags(root, out);
    out->aslr = small_in(root, "/proc/sys/kernel/randomize_va_space", -1);
    out->nodes = count_nodes(root);
    out->numa_balancing = small_in(root, "/proc/sys/kernel/numa_balancing", -1);
    out->perf_paranoid = small_in(root, "/proc/sys/kernel/perf_event_paranoid", -2);
    read_governor(root, out->governor, sizeof out->governor);
    read_thp(root, out->thp, sizeof out->thp);
    read_isolated(root, out->isolated, sizeof out->isolated);
    read_in(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            out->clock_source, sizeof out->clock_source);
}

void hm_machine_sample(struct hm_machine_state *out) {
    hm_machine_sample_in("", out);
}

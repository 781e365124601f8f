/* The machine as it is at one moment. Sources: proc(5), and the kernel's sysfs documentation
 * (ABI/testing/sysfs-devices-system-cpu, admin-guide/pm, admin-guide/mm/transhuge). */
#include "harness/machine/state.h"

#include "harness/machine/cgroup.h"
#include "harness/machine/file.h"

#include <glob.h>
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

/* A core is known by the first of its siblings. A CPU that is offline has no list of them. */
static void take_cpu(size_t cpu, struct cpus *cores, unsigned *pus) {
    char path[96];
    long long first;
    snprintf(path, sizeof path, SYS_CPU "/cpu%zu/topology/thread_siblings_list", cpu);
    if (!hm_file_number(path, &first) || first < 0 || first >= CPUS_MAX)
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
    for (size_t cpu = 0; cpu < CPUS_MAX && (long)cpu < limit; cpu++)
        if (all || CPU_ISSET_S(cpu, sizeof allowed, allowed.parts))
            take_cpu(cpu, &found, pus);
    *cores = (unsigned)CPU_COUNT_S(sizeof found, found.parts);
}

/* "0.18 0.06 0.02 1/95 9038": the first mean, and running/all threads. */
static void read_load(struct hm_machine_state *out) {
    char text[128];
    if (hm_file_read("/proc/loadavg", text, sizeof text) == 0)
        sscanf(text, "%lf %*s %*s %lf", &out->loadavg, &out->running);
}

static void read_ticks(struct hm_machine_state *out) {
    char text[512];
    double total = 0;
    double ticks = NAN;
    if (hm_file_read("/proc/stat", text, sizeof text) || strncmp(text, "cpu ", 4) != 0)
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

static void read_governor(char *out, size_t size) {
    glob_t found;
    if (glob(SYS_CPU "/cpufreq/policy*/scaling_governor", 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        hm_file_read(found.gl_pathv[i], out, size);
        if (strcmp(out, "performance") != 0)
            break;
    }
    globfree(&found);
}

/* Intel's own driver has the switch the other way round. */
static int read_turbo(void) {
    long long value;
    if (hm_file_number(SYS_CPU "/intel_pstate/no_turbo", &value))
        return value == 0;
    if (hm_file_number(SYS_CPU "/cpufreq/boost", &value))
        return value != 0;
    return -1;
}

/* x86 only: a CPUID bit that is reserved for hypervisors. */
static int read_hypervisor(void) {
    char text[16384];
    char flags[8192];
    hm_file_read("/proc/cpuinfo", text, sizeof text);
    const char *line = hm_file_line(text, "flags");
    if (!line)
        return -1;
    hm_file_copy_line(line, flags, sizeof flags);
    return strstr(flags, " hypervisor") != NULL;
}

/* The word in brackets of "always [madvise] never". */
static void read_thp(char *out, size_t size) {
    char text[128];
    hm_file_read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
    char *open = strchr(text, '[');
    char *close = open ? strchr(open, ']') : NULL;
    if (!close)
        return;
    *close = '\0';
    hm_file_copy_line(open + 1, out, size);
}

void hm_machine_sample(struct hm_machine_state *out) {
    struct hm_cgroup group;
    *out = (struct hm_machine_state){
        .loadavg = NAN, .running = NAN, .steal_ticks = NAN, .total_ticks = NAN};
    read_load(out);
    read_ticks(out);
    out->swap_used_bytes =
        hm_file_kib("/proc/meminfo", "SwapTotal:") - hm_file_kib("/proc/meminfo", "SwapFree:");
    hm_cgroup_read("", &group);
    out->cpu_quota = group.cpu_quota;
    hm_machine_count(false, &out->cores, &out->pus);
    out->turbo = read_turbo();
    out->hypervisor = read_hypervisor();
    read_governor(out->governor, sizeof out->governor);
    read_thp(out->thp, sizeof out->thp);
    hm_file_read("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                 out->clock_source, sizeof out->clock_source);
}

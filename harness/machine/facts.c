/* The facts of the machine that run.json keeps. */
#include "harness/machine/facts.h"

#include "harness/machine/cgroup.h"
#include "harness/machine/file.h"

#include <glob.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What is not UTF-8 is as good as unknown: JSON has no way to write it. */
static json_t *text_or_null(const char *text) {
    json_t *string = text[0] ? json_string(text) : NULL;
    return string ? string : json_null();
}

static json_t *number_or_null(double number) {
    if (isnan(number))
        return json_null();
    return isinf(number) ? json_string("max") : json_real(number);
}

static json_t *count_or_null(double number) {
    return isfinite(number) ? json_integer((json_int_t)number) : number_or_null(number);
}

static json_t *flag_or_null(int flag) {
    return flag < 0 ? json_null() : json_boolean(flag);
}

static json_t *file_text(const char *path) {
    char text[256];
    hm_file_read(path, text, sizeof text);
    return text_or_null(text);
}

static json_t *file_number(const char *path) {
    long long number;
    return hm_file_number(path, &number) ? json_integer(number) : json_null();
}

/* The value of a key's line in a text; "" where it is missing. */
static void find_line(const char *text, const char *key, char *out, size_t size) {
    const char *line = hm_file_line(text, key);
    hm_file_copy_line(line ? line : "", out, size);
}

/* Arm tells of no names, only of numbers. */
static void read_model(const char *cpuinfo, char *out, size_t size) {
    char maker[32];
    char part[32];
    find_line(cpuinfo, "model name", out, size);
    find_line(cpuinfo, "CPU implementer", maker, sizeof maker);
    find_line(cpuinfo, "CPU part", part, sizeof part);
    if (!out[0] && maker[0])
        snprintf(out, size, "implementer %s part %s", maker, part);
}

/* Ticks at one rate, whatever the frequency and in sleep; x86 only. */
static int read_tsc_invariant(const char *cpuinfo) {
    char flags[8192];
    find_line(cpuinfo, "flags", flags, sizeof flags);
    return flags[0] ? strstr(flags, " constant_tsc") && strstr(flags, " nonstop_tsc") : -1;
}

/* /etc/os-release: PRETTY_NAME="Debian GNU/Linux 12 (bookworm)". */
static json_t *read_os(void) {
    char text[4096];
    char name[128];
    hm_file_read("/etc/os-release", text, sizeof text);
    find_line(text, "PRETTY_NAME", name, sizeof name);
    size_t quoted = name[0] == '"' || name[0] == '\'';
    name[quoted + strcspn(name + quoted, "\"'")] = '\0';
    return text_or_null(name + quoted);
}

/* "48K", as sysfs writes the size of a cache. */
static json_t *cache_bytes(const char *folder) {
    char path[128];
    char text[32];
    char *unit;
    snprintf(path, sizeof path, "%s/size", folder);
    hm_file_read(path, text, sizeof text);
    long long size = strtoll(text, &unit, 10);
    return unit == text ? json_null() : json_integer(*unit == 'K' ? size * 1024 : size);
}

static json_t *cache_text(const char *folder, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_text(path);
}

static json_t *cache_number(const char *folder, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_number(path);
}

static json_t *read_caches(void) {
    glob_t found;
    json_t *all = json_array();
    if (glob("/sys/devices/system/cpu/cpu0/cache/index*", 0, NULL, &found))
        return all;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *folder = found.gl_pathv[i];
        json_array_append_new(
            all, json_pack("{s:o, s:o, s:o, s:o, s:o}", "level", cache_number(folder, "level"),
                           "type", cache_text(folder, "type"), "size_bytes", cache_bytes(folder),
                           "line_bytes", cache_number(folder, "coherency_line_size"), "cpus",
                           cache_text(folder, "shared_cpu_list")));
    }
    globfree(&found);
    return all;
}

static json_t *read_governors(void) {
    glob_t found;
    if (glob("/sys/devices/system/cpu/cpufreq/policy*/scaling_governor", 0, NULL, &found))
        return json_null();
    json_t *all = json_object();
    for (size_t i = 0; i < found.gl_pathc; i++) {
        json_t *governor = file_text(found.gl_pathv[i]);
        json_object_set_new(all, basename(dirname(found.gl_pathv[i])), governor);
    }
    globfree(&found);
    return all;
}

static json_t *read_cgroup(void) {
    struct hm_cgroup group;
    hm_cgroup_read("", &group);
    return json_pack("{s:o, s:o, s:o}", "cpu_quota_cpus", number_or_null(group.cpu_quota),
                     "memory_limit_bytes", count_or_null(group.memory_bytes), "cpuset",
                     text_or_null(group.cpuset));
}

static json_t *address_space_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit))
        return json_null();
    return count_or_null(limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur);
}

/* What decides whether two machines' times can be compared. */
struct identity {
    char model[128];
    struct utsname system;
    unsigned cores;
    unsigned pus;
    double memory_bytes;
};

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

/* The kernel's series is the first two numbers of its release. */
static void fingerprint(const struct identity *id, char out[17]) {
    char text[512];
    const char *release = id->system.release;
    size_t series = strcspn(release, ".");
    series += release[series] ? 1 + strcspn(release + series + 1, ".-+") : 0;
    snprintf(text, sizeof text, "%s|%s|%u|%u|%.0f|%.*s|%s", id->model, id->system.machine,
             id->cores, id->pus, round(id->memory_bytes / 0x1p30), (int)series, release,
             gnu_get_libc_version());
    snprintf(out, 17, "%016" PRIx64, hash(text));
}

static json_t *identity_facts(const struct identity *id) {
    char print[17];
    fingerprint(id, print);
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:s}", "fingerprint", print,
                     "cpu_model", text_or_null(id->model), "architecture", id->system.machine,
                     "cores", id->cores ? json_integer(id->cores) : json_null(), "pus",
                     id->pus ? json_integer(id->pus) : json_null(), "memory_bytes",
                     count_or_null(id->memory_bytes), "kernel", id->system.release, "os", read_os(),
                     "glibc", gnu_get_libc_version());
}

static json_t *state_facts(const char *cpuinfo) {
    struct hm_machine_state now;
    hm_machine_sample(&now);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "allowed_cores",
                     now.cores ? json_integer(now.cores) : json_null(), "allowed_pus",
                     now.pus ? json_integer(now.pus) : json_null(), "hypervisor",
                     flag_or_null(now.hypervisor), "turbo", flag_or_null(now.turbo), "thp",
                     text_or_null(now.thp), "clock_source", text_or_null(now.clock_source),
                     "tsc_invariant", flag_or_null(read_tsc_invariant(cpuinfo)), "loadavg",
                     number_or_null(now.loadavg), "running", count_or_null(now.running),
                     "steal_ticks", count_or_null(now.steal_ticks), "swap_used_bytes",
                     count_or_null(now.swap_used_bytes));
}

static json_t *setting_facts(void) {
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "caches", read_caches(), "governor",
        read_governors(), "aslr", file_number("/proc/sys/kernel/randomize_va_space"), "overcommit",
        file_number("/proc/sys/vm/overcommit_memory"), "cgroup", read_cgroup(), "swap_total_bytes",
        count_or_null(hm_file_kib("/proc/meminfo", "SwapTotal:")), "page_size_bytes",
        (json_int_t)sysconf(_SC_PAGESIZE), "rlimit_as_bytes", address_space_limit());
}

/* The second object's facts, which may be NULL, go into the first. */
static json_t *join(json_t *all, json_t *more) {
    if (all && json_object_update(all, more)) {
        json_decref(all);
        all = NULL;
    }
    json_decref(more);
    return all;
}

json_t *hm_machine_facts(void) {
    char cpuinfo[16384];
    struct identity id = {.memory_bytes = hm_file_kib("/proc/meminfo", "MemTotal:")};
    hm_file_read("/proc/cpuinfo", cpuinfo, sizeof cpuinfo);
    read_model(cpuinfo, id.model, sizeof id.model);
    hm_machine_count(true, &id.cores, &id.pus);
    uname(&id.system);
    return join(join(identity_facts(&id), state_facts(cpuinfo)), setting_facts());
}

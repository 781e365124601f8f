/* Limits, warnings and facts of the machine, and readings of a process. Control groups that we do
 * not have are trees of small files. */
#include "harness/machine/cgroup.h"
#include "harness/machine/check.h"
#include "harness/machine/facts.h"
#include "harness/machine/file.h"
#include "harness/machine/proc.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/hm-facts-XXXXXX";

static char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text) {
    char *path = in_folder(name);
    for (char *slash = path + sizeof folder; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0700);
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void test_touched_pages_are_resident_and_remembered(void **state) {
    (void)state;
    const size_t bytes = 32u << 20;
    const double most = 0.9 * (double)bytes;
    struct hm_proc_usage before;
    struct hm_proc_usage after;
    uint64_t resident = hm_proc_resident_bytes();
    hm_proc_usage_read(&before);
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    madvise(p, bytes, MADV_NOHUGEPAGE);
    memset(p, 1, bytes);
    hm_proc_usage_read(&after);
    assert_true((double)(hm_proc_resident_bytes() - resident) > most);
    munmap(p, bytes);
    assert_true(after.minor_faults - before.minor_faults > most / (double)sysconf(_SC_PAGESIZE));
    assert_true(after.cpu_s > before.cpu_s);
    assert_true(hm_proc_peak_resident_bytes() > (double)resident + most);
    assert_true(hm_proc_peak_resident_bytes() < 0x1p33);
}

static void test_a_key_is_found_at_the_start_of_a_line_only(void **state) {
    (void)state;
    char line[8];
    const char *text = "a key: 1\nkey\t: 2\nlast=3";
    hm_file_copy_line(hm_file_line(text, "key"), line, sizeof line);
    assert_string_equal(line, "2");
    assert_string_equal(hm_file_line(text, "last"), "3");
    assert_null(hm_file_line(text, "none"));
    hm_file_copy_line("a longer line", line, sizeof line);
    assert_string_equal(line, "a longe");
    assert_true(isnan(hm_file_kib("/no/such/file", "key")));
}

static void test_tightest_limit_of_the_unified_hierarchy_counts(void **state) {
    (void)state;
    struct hm_cgroup group;
    write_file("v2/proc/self/cgroup", "0::/outer/inner\n");
    write_file("v2/proc/self/mountinfo",
               "31 23 0:28 / /cg rw shared:4 - cgroup2 cgroup rw,nsdelegate\n");
    write_file("v2/cg/outer/cpu.max", "150000 100000\n");
    write_file("v2/cg/outer/memory.max", "max\n");
    write_file("v2/cg/outer/inner/cpu.max", "max 100000\n");
    write_file("v2/cg/outer/inner/memory.max", "1073741824\n");
    write_file("v2/cg/outer/inner/cpuset.cpus.effective", "0-2\n");
    hm_cgroup_read(in_folder("v2"), &group);
    assert_true(group.cpu_quota == 1.5);
    assert_true(group.memory_bytes == 0x1p30);
    assert_string_equal(group.cpuset, "0-2");
}

/* As in a container without a cgroup namespace: its own group is the root of what it sees. */
static void test_limits_of_separate_hierarchies_are_found_from_a_container(void **state) {
    (void)state;
    struct hm_cgroup group;
    write_file("v1/proc/self/cgroup", "4:memory:/box/17/sub\n2:cpu,cpuacct:/box/17/sub\n0::/\n");
    write_file("v1/proc/self/mountinfo",
               "31 23 0:28 /box/17 /cg/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
               "32 23 0:29 /box/17 /cg/memory ro master:9 - cgroup cgroup rw,memory\n");
    write_file("v1/cg/cpu/sub/cpu.cfs_quota_us", "50000\n");
    write_file("v1/cg/cpu/sub/cpu.cfs_period_us", "100000\n");
    write_file("v1/cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
    hm_cgroup_read(in_folder("v1"), &group);
    assert_true(group.cpu_quota == 0.5);
    assert_true(isinf(group.memory_bytes));
    assert_string_equal(group.cpuset, "");
}

static void test_limits_without_control_groups_are_unknown(void **state) {
    (void)state;
    struct hm_cgroup group;
    hm_cgroup_read(in_folder("none"), &group);
    assert_true(isnan(group.cpu_quota));
    assert_true(isnan(group.memory_bytes));
}

static const struct hm_machine_state quiet = {.loadavg = 0.1,
                                              .total_ticks = 1000,
                                              .memory_available_bytes = 0x1p34,
                                              .others = 0,
                                              .aslr = 2,
                                              .tsc = 1,
                                              .cpu_quota = INFINITY,
                                              .cores = 4,
                                              .pus = 8,
                                              .governor = "performance",
                                              .thp = "madvise",
                                              .clock_source = "tsc"};

struct said {
    char lines[16][512];
    int count;
};

static void take(void *arg, const char *line) {
    struct said *said = arg;
    assert_null(strchr(line, '\n'));
    assert_non_null(strstr(line, "mend"));
    snprintf(said->lines[said->count++], sizeof said->lines[0], "%s", line);
}

static void test_quiet_or_unknown_machine_gives_no_warning(void **state) {
    (void)state;
    struct said said = {.count = 0};
    struct hm_machine_state unknown;
    hm_machine_sample_in("/no/such/folder", &unknown);
    assert_int_equal(hm_machine_warnings(&quiet, &quiet, 4, take, &said), 0);
    assert_int_equal(hm_machine_warnings(&unknown, &unknown, 4, take, &said), 0);
}

static void expect_warning(const struct hm_machine_state *m, unsigned threads, const char *word) {
    struct said said = {.count = 0};
    assert_int_equal(hm_machine_warnings(m, NULL, threads, take, &said), 1);
    if (!strstr(said.lines[0], word))
        fail_msg("'%s' is not said in: %s", word, said.lines[0]);
}

#define EXPECT_WARNING(change, threads, word)                                                      \
    do {                                                                                           \
        struct hm_machine_state m = quiet;                                                         \
        change;                                                                                    \
        expect_warning(&m, threads, word);                                                         \
    } while (0)

#define SET(text, value) snprintf(text, sizeof(text), "%s", value)

static void test_each_doubt_is_warned_of(void **state) {
    (void)state;
    EXPECT_WARNING(SET(m.governor, "powersave"), 1, "powersave");
    EXPECT_WARNING(m.turbo = 1, 1, "turbo");
    EXPECT_WARNING(SET(m.thp, "always"), 1, "huge pages");
    EXPECT_WARNING(SET(m.clock_source, "hpet"), 1, "hpet");
    EXPECT_WARNING(m.swap_used_bytes = 0x1p21, 1, "2 MiB");
    EXPECT_WARNING(m.hypervisor = 1, 1, "virtual machine");
    EXPECT_WARNING(m.loadavg = 0.6, 1, "0.60");
    EXPECT_WARNING(m.cpu_quota = 1.5, 2, "1.50");
    EXPECT_WARNING(m.cores = 1, 1, "one core");
    EXPECT_WARNING(m.cores = 4, 5, "SMT");
    EXPECT_WARNING(m.cores = 4, 9, "turns");
}

static void test_steal_is_said_last_after_a_run(void **state) {
    (void)state;
    struct said first = {.count = 0};
    struct said all = {.count = 0};
    struct hm_machine_state before = quiet;
    before.turbo = 1;
    struct hm_machine_state after = before;
    after.total_ticks += 1000;
    after.steal_ticks += 10;
    assert_int_equal(hm_machine_warnings(&before, &after, 1, take, &first), 1);
    after.steal_ticks += 10;
    assert_int_equal(hm_machine_warnings(&before, &after, 1, take, &all), 2);
    assert_string_equal(all.lines[0], first.lines[0]);
    assert_non_null(strstr(all.lines[1], "2.0 %"));
}

static void test_sample_agrees_with_the_system(void **state) {
    (void)state;
    struct hm_machine_state now;
    unsigned cores;
    unsigned pus;
    hm_machine_sample(&now);
    hm_machine_count(true, &cores, &pus);
    assert_true(now.loadavg >= 0);
    assert_true(now.running >= 1);
    assert_true(now.steal_ticks >= 0 && now.total_ticks > now.steal_ticks);
    assert_true(now.cores <= now.pus && now.pus <= pus && cores <= pus);
    if (pus)
        assert_int_equal(pus, sysconf(_SC_NPROCESSORS_ONLN));
}

static void test_facts_are_json_with_all_keys_and_without_the_host(void **state) {
    (void)state;
    static const char *const keys[] = {"fingerprint",
                                       "cpu_model",
                                       "architecture",
                                       "cores",
                                       "pus",
                                       "memory_bytes",
                                       "kernel",
                                       "os",
                                       "glibc",
                                       "allowed_cores",
                                       "allowed_pus",
                                       "hypervisor",
                                       "turbo",
                                       "thp",
                                       "clock_source",
                                       "tsc_invariant",
                                       "loadavg",
                                       "running",
                                       "steal_ticks",
                                       "swap_used_bytes",
                                       "caches",
                                       "governor",
                                       "aslr",
                                       "overcommit",
                                       "cgroup",
                                       "swap_total_bytes",
                                       "page_size_bytes",
                                       "rlimit_as_bytes"};
    char host[256];
    json_t *facts = hm_machine_facts();
    assert_non_null(facts);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_object_get(facts, keys[i]))
            fail_msg("no %s", keys[i]);
    assert_int_equal(json_object_size(facts), sizeof keys / sizeof *keys);
    assert_int_equal(gethostname(host, sizeof host), 0);
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value)
        assert_true(!json_is_string(value) || strcmp(json_string_value(value), host) != 0);
    json_t *again = hm_machine_facts();
    json_t *print = json_object_get(facts, "fingerprint");
    assert_int_equal(json_string_length(print), 16);
    assert_true(json_equal(print, json_object_get(again, "fingerprint")));
    json_decref(again);
    json_decref(facts);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_touched_pages_are_resident_and_remembered),
        cmocka_unit_test(test_a_key_is_found_at_the_start_of_a_line_only),
        cmocka_unit_test(test_tightest_limit_of_the_unified_hierarchy_counts),
        cmocka_unit_test(test_limits_of_separate_hierarchies_are_found_from_a_container),
        cmocka_unit_test(test_limits_without_control_groups_are_unknown),
        cmocka_unit_test(test_quiet_or_unknown_machine_gives_no_warning),
        cmocka_unit_test(test_each_doubt_is_warned_of),
        cmocka_unit_test(test_steal_is_said_last_after_a_run),
        cmocka_unit_test(test_sample_agrees_with_the_system),
        cmocka_unit_test(test_facts_are_json_with_all_keys_and_without_the_host),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

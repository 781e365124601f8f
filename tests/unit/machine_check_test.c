/* Checks of the machine, judged from copies of its files that were made up. */
#include "harness/doctor/diagnosis.h"
#include "harness/machine/check.h"
#include "harness/stats/resolution.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define CPU "sys/devices/system/cpu/"

static char folder[] = "/tmp/hm-check-XXXXXX";

/* A file of the copy; "" takes away what is in it, which is not the same as no file. */
static void write_file(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + sizeof folder; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0700);
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_tree(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A machine that nothing is to be said of: two cores, tuned and quiet. */
static int make_good(void **state) {
    (void)state;
    remove_tree();
    snprintf(folder, sizeof folder, "/tmp/hm-check-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    write_file(CPU "cpufreq/policy0/scaling_governor", "performance\n");
    write_file(CPU "cpufreq/policy1/scaling_governor", "performance\n");
    write_file(CPU "cpufreq/boost", "0\n");
    write_file(CPU "cpu0/topology/thread_siblings_list", "0\n");
    write_file(CPU "cpu1/topology/thread_siblings_list", "1\n");
    write_file(CPU "cpu0/thermal_throttle/core_throttle_count", "0\n");
    write_file(CPU "cpu1/thermal_throttle/core_throttle_count", "0\n");
    write_file(CPU "isolated", "1\n");
    write_file("sys/devices/system/node/node0/cpulist", "0-1\n");
    write_file("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    write_file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    write_file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n");
    write_file("proc/loadavg", "0.10 0.20 0.30 1/100 4242\n");
    write_file("proc/stat", "cpu  100 0 100 700 0 0 0 0 0 0\n");
    write_file("proc/meminfo", "MemAvailable: 8388608 kB\nSwapTotal: 1024 kB\nSwapFree: 1024 kB\n");
    write_file("proc/sys/kernel/randomize_va_space", "2\n");
    write_file("proc/sys/kernel/perf_event_paranoid", "2\n");
    write_file("proc/self/cgroup", "0::/box\n");
    write_file("proc/self/mountinfo", "31 23 0:28 / /cg rw - cgroup2 cgroup rw\n");
    write_file("cg/box/cpu.max", "max 100000\n");
    return 0;
}

static int remove_last(void **state) {
    (void)state;
    remove_tree();
    return 0;
}

static struct hm_machine_state sample(void) {
    struct hm_machine_state s;
    hm_machine_sample_in(folder, &s);
    return s;
}

static struct hm_finding finding(const struct hm_diagnosis *d, const char *name) {
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->findings[i].name, name) == 0)
            return d->findings[i];
    fail_msg("there is no check '%s'", name);
    return (struct hm_finding){.name = ""};
}

/* One check has this verdict, and no other one is worse than good. */
static void expect(const char *name, enum hm_fitness fitness, const char *read) {
    struct hm_machine_state s = sample();
    struct hm_diagnosis d = hm_diagnose(&s, NULL, NULL);
    struct hm_finding f = finding(&d, name);
    if (f.fitness != fitness || !strstr(f.read, read))
        fail_msg("%s is %s (%s)", name, hm_fitness_name(f.fitness), f.read);
    assert_int_equal(d.fit, fitness != HM_FIT_BAD);
    for (size_t i = 0; i < d.count; i++)
        if (strcmp(d.findings[i].name, name) != 0 && d.findings[i].fitness > HM_FIT_GOOD)
            fail_msg("%s is %s, too", d.findings[i].name, d.findings[i].read);
}

static void expect_after(const char *file, const char *text, const char *name,
                         enum hm_fitness fitness, const char *read) {
    make_good(NULL);
    write_file(file, text);
    expect(name, fitness, read);
}

static void test_tuned_and_quiet_machine_is_good_in_all(void **state) {
    (void)state;
    struct hm_machine_state s = sample();
    struct hm_diagnosis d = hm_diagnose(&s, NULL, NULL);
    for (size_t i = 0; i < d.count; i++) {
        const char *name = d.findings[i].name;
        bool seen_only_here = !strcmp(name, "others") || !strcmp(name, "drift");
        if (seen_only_here || strcmp(name, "noise") == 0)
            assert_int_equal(d.findings[i].fitness, HM_FIT_UNKNOWN);
        else if (d.findings[i].fitness != HM_FIT_GOOD)
            fail_msg("%s is %s", name, d.findings[i].read);
    }
    assert_true(d.fit);
}

static void test_empty_copy_is_unknown_in_all_and_nothing_is_bad(void **state) {
    (void)state;
    struct hm_machine_state s;
    hm_machine_sample_in("/no/such/folder", &s);
    struct hm_diagnosis d = hm_diagnose(&s, NULL, NULL);
    for (size_t i = 0; i < d.count; i++) {
        if (d.findings[i].fitness != HM_FIT_UNKNOWN)
            fail_msg("%s is %s", d.findings[i].name, d.findings[i].read);
        assert_string_equal(d.findings[i].read, "NA");
    }
    assert_true(d.fit);
}

static void test_frequency_and_clocks_are_judged(void **state) {
    (void)state;
    expect_after(CPU "cpufreq/policy1/scaling_governor", "schedutil\n", "governor", HM_FIT_BAD,
                 "schedutil");
    expect_after(CPU "cpufreq/boost", "1\n", "turbo", HM_FIT_WARN, "on");
    expect_after(CPU "intel_pstate/no_turbo", "0\n", "turbo", HM_FIT_WARN, "on");
    expect_after("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n",
                 "clock", HM_FIT_WARN, "hpet");
    expect_after("proc/cpuinfo", "flags\t: fpu tsc constant_tsc\n", "tsc", HM_FIT_WARN, "not");
    expect_after(CPU "cpu1/thermal_throttle/core_throttle_count", "7\n", "throttle", HM_FIT_WARN,
                 "7 times since boot");
}

static void test_memory_is_judged(void **state) {
    (void)state;
    expect_after("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n", "thp",
                 HM_FIT_WARN, "always");
    expect_after("proc/sys/kernel/randomize_va_space", "0\n", "aslr", HM_FIT_WARN, "0");
    expect_after("proc/meminfo",
                 "MemAvailable: 8388608 kB\nSwapTotal: 4096 kB\nSwapFree: 1024 kB\n", "swap",
                 HM_FIT_WARN, "3 MiB");
    expect_after("proc/meminfo", "MemAvailable: 524288 kB\n", "memory", HM_FIT_WARN, "512 MiB");
    expect_after("proc/meminfo", "MemAvailable: 131072 kB\n", "memory", HM_FIT_BAD, "128 MiB");
    expect_after("cg/box/memory.max", "134217728\n", "memory", HM_FIT_BAD, "128 MiB");
    expect_after("sys/devices/system/node/node1/cpulist", "1\n", "numa", HM_FIT_WARN, "2 nodes");
}

static void test_processors_and_others_are_judged(void **state) {
    (void)state;
    expect_after("proc/cpuinfo", "flags\t: fpu hypervisor constant_tsc nonstop_tsc\n", "vm",
                 HM_FIT_WARN, "yes");
    expect_after("proc/loadavg", "0.60 0 0 1/9 9\n", "load", HM_FIT_WARN, "0.60");
    expect_after("proc/loadavg", "2.10 0 0 1/9 9\n", "load", HM_FIT_BAD, "2.10");
    expect_after("proc/stat", "cpu  100 0 100 778 0 0 0 22 0 0\n", "steal", HM_FIT_WARN, "2.2 %");
    expect_after("proc/stat", "cpu  100 0 100 600 0 0 0 200 0 0\n", "steal", HM_FIT_BAD, "20.0 %");
    expect_after("cg/box/cpu.max", "150000 100000\n", "quota", HM_FIT_WARN, "1.50");
    expect_after("cg/box/cpu.max", "50000 100000\n", "quota", HM_FIT_BAD, "0.50");
    expect_after(CPU "isolated", "\n", "isolated", HM_FIT_WARN, "none");
    expect_after("proc/sys/kernel/perf_event_paranoid", "3\n", "perf", HM_FIT_WARN, "3");
    make_good(NULL);
    write_file(CPU "cpu2/topology/thread_siblings_list", "0,2\n");
    expect("smt", HM_FIT_WARN, "on");
}

static void test_what_was_seen_over_a_while_is_judged(void **state) {
    (void)state;
    static const struct {
        double others, drift;
        enum hm_fitness of_others, of_drift;
    } cases[] = {{0, 0.01, HM_FIT_GOOD, HM_FIT_GOOD},
                 {1, 0.03, HM_FIT_WARN, HM_FIT_WARN},
                 {2, 0.2, HM_FIT_BAD, HM_FIT_BAD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hm_machine_state s = sample();
        s.others = cases[i].others;
        s.drift = cases[i].drift;
        struct hm_diagnosis d = hm_diagnose(&s, NULL, NULL);
        assert_int_equal(finding(&d, "others").fitness, cases[i].of_others);
        assert_int_equal(finding(&d, "drift").fitness, cases[i].of_drift);
    }
}

static void test_growth_counts_where_there_is_an_earlier_state(void **state) {
    (void)state;
    struct hm_machine_state earlier = sample();
    earlier.throttles = 7;
    earlier.steal_ticks = 500;
    struct hm_machine_state now = earlier;
    now.total_ticks += 100;
    struct hm_diagnosis d = hm_diagnose(&now, &earlier, NULL);
    assert_int_equal(finding(&d, "throttle").fitness, HM_FIT_GOOD);
    assert_int_equal(finding(&d, "steal").fitness, HM_FIT_GOOD);
    now.throttles++;
    now.steal_ticks += 11;
    d = hm_diagnose(&now, &earlier, NULL);
    assert_int_equal(finding(&d, "throttle").fitness, HM_FIT_BAD);
    assert_int_equal(finding(&d, "steal").fitness, HM_FIT_BAD);
    assert_false(d.fit);
}

static void count_line(void *arg, const char *line) {
    assert_non_null(strstr(line, "mend"));
    ++*(int *)arg;
}

static void test_only_what_is_bad_is_refused(void **state) {
    (void)state;
    int said = 0;
    struct hm_machine_state s = sample();
    s.turbo = 1;
    s.cpu_quota = 1.5;
    assert_int_equal(hm_machine_refusals(&s, NULL, 1, count_line, &said), 0);
    assert_int_equal(hm_machine_refusals(&s, NULL, 2, count_line, &said), 1);
    s.others = 2;
    assert_int_equal(hm_machine_refusals(&s, NULL, 2, count_line, &said), 2);
    assert_int_equal(said, 3);
}

static void test_what_got_worse_is_named_and_our_own_load_is_not(void **state) {
    (void)state;
    char names[256];
    struct hm_machine_state before = sample();
    struct hm_machine_state after = before;
    before.others = after.others = 1;
    after.total_ticks += 100;
    after.loadavg = 9;
    assert_int_equal(hm_machine_worsened(&before, &after, 1, names, sizeof names), 0);
    assert_string_equal(names, "");
    after.others = 3;
    after.steal_ticks += 5;
    snprintf(after.governor, sizeof after.governor, "powersave");
    assert_int_equal(hm_machine_worsened(&before, &after, 1, names, sizeof names), 3);
    assert_string_equal(names, "governor powersave, others 3, steal 5.0 % while we measured");
    assert_int_equal(hm_machine_worsened(&before, &after, 1, names, 12), 3);
    assert_string_equal(names, "governor po");
}

static void test_noise_is_judged_by_what_twelve_rounds_tell(void **state) {
    (void)state;
    static const struct {
        double told;
        enum hm_fitness fitness;
    } cases[] = {{0.03, HM_FIT_GOOD},
                 {0.1, HM_FIT_WARN},
                 {0.5, HM_FIT_BAD},
                 {INFINITY, HM_FIT_BAD},
                 {NAN, HM_FIT_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hm_finding f;
        const struct hm_noise_floor noise = {.told = {{9, 9}, {cases[i].told, 9}, {0, 0}}};
        hm_noise_judge(&noise, &f);
        assert_int_equal(f.fitness, cases[i].fitness);
    }
}

/* Without noise all beyond the margin is told. */
static void test_resolution_of_arms_that_never_differ_is_the_margin(void **state) {
    (void)state;
    const double logs[12] = {0};
    assert_true(fabs(hm_resolution(logs, 12, 12, 0.02) - 0.02) < 0.001);
    assert_true(hm_resolution(logs, 12, 12, 0) < 0.001);
    assert_true(isnan(hm_resolution(logs, 5, 12, 0.02)));
}

/* Six values of +-ln(1 + noise) give intervals that reach from one end to the other: what is told at six
 * rounds has to be beyond the noise of the arm and of its A/A arm, both. */
static void test_resolution_grows_with_noise_and_shrinks_with_rounds(void **state) {
    (void)state;
    double small[20];
    double large[20];
    double wild[20];
    for (int i = 0; i < 20; i++) {
        small[i] = 0.002 * (i - 9.5);
        large[i] = 5 * small[i];
        wild[i] = i % 2 ? 3 : -3;
    }
    double at_6 = hm_resolution(small, 20, 6, 0);
    double at_12 = hm_resolution(small, 20, 12, 0);
    double at_30 = hm_resolution(small, 20, 30, 0);
    assert_true(at_6 > at_12 && at_12 > at_30 && at_30 > 0);
    assert_true(hm_resolution(large, 20, 12, 0) > 4 * at_12);
    assert_true(hm_resolution(small, 20, 12, 0.02) > at_12);
    assert_true(isinf(hm_resolution(wild, 20, 6, 0)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tuned_and_quiet_machine_is_good_in_all, make_good),
        cmocka_unit_test(test_empty_copy_is_unknown_in_all_and_nothing_is_bad),
        cmocka_unit_test(test_frequency_and_clocks_are_judged),
        cmocka_unit_test(test_memory_is_judged),
        cmocka_unit_test(test_processors_and_others_are_judged),
        cmocka_unit_test_setup(test_what_was_seen_over_a_while_is_judged, make_good),
        cmocka_unit_test_setup(test_growth_counts_where_there_is_an_earlier_state, make_good),
        cmocka_unit_test_setup(test_only_what_is_bad_is_refused, make_good),
        cmocka_unit_test_setup(test_what_got_worse_is_named_and_our_own_load_is_not, make_good),
        cmocka_unit_test(test_noise_is_judged_by_what_twelve_rounds_tell),
        cmocka_unit_test(test_resolution_of_arms_that_never_differ_is_the_margin),
        cmocka_unit_test(test_resolution_grows_with_noise_and_shrinks_with_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, remove_last);
}

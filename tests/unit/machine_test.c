/* Cores, where threads go, and binding. Machines that we do not have are hwloc's synthetic ones. */
#include "harness/machine/file.h"
#include "harness/machine/pin.h"
#include "harness/machine/state.h"
#include "harness/machine/topology.h"

#include <errno.h>
#include <ftw.h>
#include <hwloc.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SMT_MACHINE  "pack:2 core:4 pu:2"
#define NUMA_MACHINE "numa:8 core:16 pu:1"

enum {
    THREADS_MAX = 300,
};

static char folder[] = "/tmp/hm-machine-XXXXXX";

static char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct hm_topology *load(void) {
    struct hm_topology *t = NULL;
    struct hm_error error = {""};
    if (hm_topology_load(&t, &error))
        fail_msg("%s", error.line);
    return t;
}

static struct hm_topology *load_synthetic(const char *description) {
    setenv("HWLOC_SYNTHETIC", description, 1);
    struct hm_topology *t = load();
    unsetenv("HWLOC_SYNTHETIC");
    return t;
}

static void expect_places(const struct hm_topology *t, enum hm_pin policy, unsigned threads,
                          const int *expected, bool expected_over) {
    int cpus[THREADS_MAX];
    bool over = !expected_over;
    assert_int_equal(hm_topology_place(t, policy, threads, cpus, &over), 0);
    for (unsigned i = 0; i < threads; i++)
        if (cpus[i] != expected[i])
            fail_msg("%s, %u threads: thread %u is on %d, not on %d", hm_pin_name(policy), threads,
                     i, cpus[i], expected[i]);
    assert_int_equal(over, expected_over);
}

static void test_policies_have_names(void **state) {
    (void)state;
    enum hm_pin pin = HM_PIN_CORE;
    for (int i = HM_PIN_CORE; i <= HM_PIN_NONE; i++) {
        assert_int_equal(hm_pin_parse(hm_pin_name((enum hm_pin)i), &pin), 0);
        assert_int_equal(pin, i);
    }
    assert_int_equal(hm_pin_parse("cores", &pin), EINVAL);
    assert_int_equal(pin, HM_PIN_NONE);
}

static void test_core_policy_fills_cores_then_siblings_then_starts_again(void **state) {
    (void)state;
    struct hm_topology *t = load_synthetic(SMT_MACHINE);
    const int expected[] = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 0, 2};
    assert_int_equal(hm_topology_cores(t), 8);
    assert_int_equal(hm_topology_pus(t), 16);
    expect_places(t, HM_PIN_CORE, 1, expected, false);
    expect_places(t, HM_PIN_CORE, 8, expected, false);
    expect_places(t, HM_PIN_CORE, 9, expected, true);
    expect_places(t, HM_PIN_CORE, 18, expected, true);
    hm_topology_free(t);
}

static void test_smt_policy_puts_siblings_side_by_side(void **state) {
    (void)state;
    struct hm_topology *t = load_synthetic(SMT_MACHINE);
    const int expected[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0};
    expect_places(t, HM_PIN_SMT, 2, expected, false);
    expect_places(t, HM_PIN_SMT, 16, expected, false);
    expect_places(t, HM_PIN_SMT, 17, expected, true);
    hm_topology_free(t);
}

static void test_spread_policy_uses_packages_and_memory_nodes_first(void **state) {
    (void)state;
    struct hm_topology *t = load_synthetic(SMT_MACHINE);
    expect_places(t, HM_PIN_SPREAD, 1, (int[]){0}, false);
    expect_places(t, HM_PIN_SPREAD, 2, (int[]){0, 8}, false);
    expect_places(t, HM_PIN_SPREAD, 4, (int[]){0, 4, 8, 12}, false);
    expect_places(t, HM_PIN_SPREAD, 8, (int[]){0, 2, 4, 6, 8, 10, 12, 14}, false);
    expect_places(t, HM_PIN_SPREAD, 16,
                  (int[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, true);
    hm_topology_free(t);
    t = load_synthetic(NUMA_MACHINE);
    expect_places(t, HM_PIN_SPREAD, 8, (int[]){0, 16, 32, 48, 64, 80, 96, 112}, false);
    hm_topology_free(t);
}

static void test_none_policy_binds_nothing(void **state) {
    (void)state;
    struct hm_topology *t = load_synthetic("core:2 pu:2");
    expect_places(t, HM_PIN_NONE, 4, (int[]){-1, -1, -1, -1}, false);
    expect_places(t, HM_PIN_NONE, 5, (int[]){-1, -1, -1, -1, -1}, true);
    hm_topology_free(t);
}

/* A core of two PUs and one of a single PU: hwloc_distrib by itself gives both threads to the first. */
static void test_spread_policy_shares_no_core_where_cores_differ(void **state) {
    (void)state;
    char path[512];
    hwloc_topology_t uneven;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    snprintf(path, sizeof path, "%s", in_folder("uneven.xml"));
    hwloc_topology_init(&uneven);
    hwloc_topology_set_synthetic(uneven, "core:2 pu:2");
    hwloc_topology_load(uneven);
    hwloc_bitmap_set_range(set, 0, 2);
    assert_int_equal(hwloc_topology_restrict(uneven, set, 0), 0);
    assert_int_equal(hwloc_topology_export_xml(uneven, path, 0), 0);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(uneven);

    setenv("HWLOC_XMLFILE", path, 1);
    struct hm_topology *t = load();
    unsetenv("HWLOC_XMLFILE");
    assert_false(hm_topology_is_real(t));
    expect_places(t, HM_PIN_SPREAD, 2, (int[]){0, 2}, false);
    expect_places(t, HM_PIN_CORE, 4, (int[]){0, 2, 1, 0}, true);
    hm_topology_free(t);
}

static void expect_no_shared_pu(const struct hm_topology *t, enum hm_pin policy, unsigned threads) {
    int cpus[THREADS_MAX];
    bool used[THREADS_MAX] = {false};
    bool over;
    assert_int_equal(hm_topology_place(t, policy, threads, cpus, &over), 0);
    for (unsigned i = 0; i < threads; i++) {
        assert_in_range(cpus[i], 0, THREADS_MAX - 1);
        if (used[cpus[i]])
            fail_msg("%s, %u threads: two are on %d", hm_pin_name(policy), threads, cpus[i]);
        used[cpus[i]] = true;
    }
}

static void test_threads_share_no_pu_while_there_is_another(void **state) {
    (void)state;
    static const char *const machines[] = {SMT_MACHINE, NUMA_MACHINE, "core:1 pu:1",
                                           "pack:3 l3:2 core:3 pu:4", "numa:2 pack:1 core:5 pu:2"};
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        struct hm_topology *t = load_synthetic(machines[m]);
        for (unsigned threads = 1; threads <= hm_topology_pus(t); threads++)
            for (int policy = HM_PIN_CORE; policy < HM_PIN_NONE; policy++)
                expect_no_shared_pu(t, (enum hm_pin)policy, threads);
        hm_topology_free(t);
    }
}

static void test_synthetic_machine_is_for_planning_only(void **state) {
    (void)state;
    struct hm_topology *t = load_synthetic(SMT_MACHINE);
    assert_false(hm_topology_is_real(t));
    assert_int_equal(hm_pin_child(t, 0), ENOTSUP);
    hm_topology_free(t);
}

static void test_unreadable_description_is_an_error_and_not_this_machine(void **state) {
    (void)state;
    struct hm_topology *t = NULL;
    struct hm_error error = {""};
    setenv("HWLOC_SYNTHETIC", "cores:many", 1);
    assert_int_equal(hm_topology_load(&t, &error), EINVAL);
    unsetenv("HWLOC_SYNTHETIC");
    assert_null(t);
    assert_non_null(strstr(error.line, "cores:many"));
}

static void test_exported_topology_is_read_back_the_same(void **state) {
    (void)state;
    char path[512];
    struct hm_error error = {""};
    snprintf(path, sizeof path, "%s", in_folder("topology.xml"));
    struct hm_topology *t = load_synthetic(SMT_MACHINE);
    assert_int_equal(hm_topology_export(t, path, &error), 0);
    assert_int_equal(hm_topology_export(t, in_folder("no/such/folder"), &error), ENOENT);
    assert_non_null(strstr(error.line, "no/such/folder"));
    assert_int_equal(hm_topology_export(t, "/dev/full", &error), ENOSPC);
    hm_topology_free(t);
    setenv("HWLOC_XMLFILE", path, 1);
    t = load();
    unsetenv("HWLOC_XMLFILE");
    expect_places(t, HM_PIN_SPREAD, 4, (int[]){0, 4, 8, 12}, false);
    hm_topology_free(t);
}

/* The last CPU that we may use. */
static int some_cpu(void) {
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    size_t last = 0;
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed))
            last = i;
    return (int)last;
}

/* Run in a child, whose affinity then goes with it. The child exits with 0 where all holds. */
static void expect_in_child(int (*check)(int cpu)) {
    int cpu = some_cpu();
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(check(cpu));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int check_restricted(int cpu) {
    int cpus[3];
    bool over = false;
    unsigned cores;
    unsigned pus;
    if (hm_pin_self(cpu))
        return 1;
    struct hm_topology *t = load();
    if (!hm_topology_is_real(t) || hm_topology_cores(t) != 1 || hm_topology_pus(t) != 1)
        return 2;
    for (int policy = HM_PIN_CORE; policy < HM_PIN_NONE; policy++)
        if (hm_topology_place(t, (enum hm_pin)policy, 3, cpus, &over) || !over || cpus[0] != cpu ||
            cpus[1] != cpu || cpus[2] != cpu)
            return 3;
    hm_machine_count(false, &cores, &pus);
    hm_topology_free(t);
    return cores == 1 && pus == 1 ? 0 : 4;
}

static void test_only_cpus_of_the_own_affinity_count(void **state) {
    (void)state;
    expect_in_child(check_restricted);
}

static int check_child_pin(int cpu) {
    char actual[128];
    char expected[128];
    struct hm_topology *t = load();
    int bad = hm_pin_child(t, cpu);
    hm_topology_free(t);
    snprintf(expected, sizeof expected, "%d@%d", cpu, cpu);
    return bad || hm_pin_read(actual, sizeof actual) || strcmp(actual, expected) != 0;
}

static void test_child_is_bound_before_it_executes(void **state) {
    (void)state;
    expect_in_child(check_child_pin);
}

static int check_self_pin(int cpu) {
    char actual[128] = "";
    char expected[128];
    snprintf(expected, sizeof expected, "%d@%d", cpu, cpu);
    return hm_pin_self(cpu) || hm_pin_read(actual, sizeof actual) || strcmp(actual, expected) != 0;
}

static void test_thread_is_bound_and_read_back(void **state) {
    (void)state;
    expect_in_child(check_self_pin);
}

static void test_binding_to_a_missing_cpu_fails(void **state) {
    (void)state;
    assert_int_equal(hm_pin_self(-1), EINVAL);
    assert_int_equal(hm_pin_self(8191), EINVAL);
    assert_int_equal(hm_pin_self(8192), EINVAL);
}

static void test_affinity_is_told_as_the_kernel_tells_it(void **state) {
    (void)state;
    char status[8192];
    char expected[128];
    char actual[128] = "x";
    assert_int_equal(hm_file_read("/proc/thread-self/status", status, sizeof status), 0);
    hm_file_copy_line(hm_file_line(status, "Cpus_allowed_list"), expected, sizeof expected);
    assert_int_equal(hm_pin_read(actual, 3), ERANGE);
    assert_string_equal(actual, "x");
    assert_int_equal(hm_pin_read(actual, sizeof actual), 0);
    char *at = strchr(actual, '@');
    assert_non_null(at);
    *at = '\0';
    assert_string_equal(actual, expected);
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
        cmocka_unit_test(test_policies_have_names),
        cmocka_unit_test(test_core_policy_fills_cores_then_siblings_then_starts_again),
        cmocka_unit_test(test_smt_policy_puts_siblings_side_by_side),
        cmocka_unit_test(test_spread_policy_uses_packages_and_memory_nodes_first),
        cmocka_unit_test(test_none_policy_binds_nothing),
        cmocka_unit_test(test_spread_policy_shares_no_core_where_cores_differ),
        cmocka_unit_test(test_threads_share_no_pu_while_there_is_another),
        cmocka_unit_test(test_synthetic_machine_is_for_planning_only),
        cmocka_unit_test(test_unreadable_description_is_an_error_and_not_this_machine),
        cmocka_unit_test(test_exported_topology_is_read_back_the_same),
        cmocka_unit_test(test_only_cpus_of_the_own_affinity_count),
        cmocka_unit_test(test_child_is_bound_before_it_executes),
        cmocka_unit_test(test_thread_is_bound_and_read_back),
        cmocka_unit_test(test_binding_to_a_missing_cpu_fails),
        cmocka_unit_test(test_affinity_is_told_as_the_kernel_tells_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

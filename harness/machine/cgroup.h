/* What the control groups (v1 and v2) let this process use. hwloc sees their cpusets, and not the
 * rest. */
#ifndef HM_HARNESS_MACHINE_CGROUP_H
#define HM_HARNESS_MACHINE_CGROUP_H

/** The tightest limits on the way from the process's group up to the root that can be seen. Numbers
 * are INFINITY without a limit, and NAN where no such controller is mounted. */
struct hm_cgroup {
    double cpu_quota; /* in CPUs: 1.5 is 1.5 s of processor time in each second */
    double memory_bytes;
    char cpuset[256]; /* "0-3,8"; "" unknown */
};

/** Read the limits. Main thread, not hot. @param root "" for this machine; else a folder that holds
 *  proc/self/cgroup, proc/self/mountinfo and the mount points of another one.
 *  Source: cgroups(7), and the kernel's admin-guide cgroup-v1 and cgroup-v2. */
void hm_cgroup_read(const char *root, struct hm_cgroup *out);

#endif

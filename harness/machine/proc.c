/* What the kernel knows about the calling process. */
#include "harness/machine/proc.h"

#include "harness/machine/file.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(const struct timeval *t) {
    return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

void hm_proc_usage_read(struct hm_proc_usage *out) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u)) {
        *out = (struct hm_proc_usage){NAN, NAN, NAN, NAN, NAN};
        return;
    }
    *out = (struct hm_proc_usage){.minor_faults = (double)u.ru_minflt,
                                  .major_faults = (double)u.ru_majflt,
                                  .voluntary_switches = (double)u.ru_nvcsw,
                                  .involuntary_switches = (double)u.ru_nivcsw,
                                  .cpu_s = seconds(&u.ru_utime) + seconds(&u.ru_stime)};
}

uint64_t hm_proc_resident_bytes(void) {
    char text[128];
    char *end;
    if (hm_file_read("/proc/self/statm", text, sizeof text))
        return UINT64_MAX;
    strtoull(text, &end, 10); /* the first word is the size of the address space */
    char *second = end;
    unsigned long long pages = strtoull(second, &end, 10);
    return end == second ? UINT64_MAX : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

double hm_proc_peak_resident_bytes(void) {
    return hm_file_kib("/proc/self/status", "VmHWM:");
}

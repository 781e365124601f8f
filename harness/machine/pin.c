/* Binds the threads of a measured process. */
#include "harness/machine/pin.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    CPUS_MAX = 8192, /* what a kernel can be built for (NR_CPUS), x86's limit */
    LIST_BYTES = 1024,
};

struct cpus {
    cpu_set_t parts[CPUS_MAX / CPU_SETSIZE];
};

static bool has(const struct cpus *cpus, size_t cpu) {
    return cpu < CPUS_MAX && CPU_ISSET_S(cpu, sizeof *cpus, cpus->parts);
}

/* CPU_SET_S passes over a CPU out of range, and the kernel refuses the empty set. */
int hm_pin_self(int cpu) {
    struct cpus cpus;
    CPU_ZERO_S(sizeof cpus, cpus.parts);
    CPU_SET_S((size_t)cpu, sizeof cpus, cpus.parts);
    return pthread_setaffinity_np(pthread_self(), sizeof cpus, cpus.parts);
}

/* @return bytes of the list, also where it does not fit, as snprintf has it. */
static size_t format_list(const struct cpus *cpus, char *list, size_t size) {
    size_t used = 0;
    for (size_t first = 0; first < CPUS_MAX && used < size; first++) {
        if (!has(cpus, first))
            continue;
        size_t last = first;
        while (has(cpus, last + 1))
            last++;
        const char *comma = used ? "," : "";
        int wrote = last > first
                        ? snprintf(list + used, size - used, "%s%zu-%zu", comma, first, last)
                        : snprintf(list + used, size - used, "%s%zu", comma, first);
        used += (size_t)wrote;
        first = last;
    }
    return used;
}

int hm_pin_read(char *actual, size_t size) {
    struct cpus cpus;
    char list[LIST_BYTES];
    int bad = pthread_getaffinity_np(pthread_self(), sizeof cpus, cpus.parts);
    if (bad)
        return bad;
    size_t used = format_list(&cpus, list, sizeof list);
    int cpu = sched_getcpu();
    if (cpu < 0)
        return errno;
    char text[LIST_BYTES + 16];
    int length = snprintf(text, sizeof text, "%s@%d", list, cpu);
    if (used >= sizeof list || (size_t)length >= size)
        return ERANGE;
    memcpy(actual, text, (size_t)length + 1);
    return 0;
}

/* The pass of the processor's counters: perf_event_open(2), with the events' names from libpfm4.
 *
 * Each event has a descriptor of its own, which the threads inherit; a kernel that has not enough counters
 * takes turns, and tells for how long each was counted. */
#include "harness/cell/counters.h"

#include "harness/cell/channel.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#ifdef HM_HAS_PFM
#include <linux/perf_event.h>
#include <perfmon/pfmlib_perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#endif

const char *const hm_counter_metrics[HM_COUNTERS] = {"cpu_cycles_per_op", "cpu_instructions_per_op",
                                                     "cache_misses_per_op", "tlb_misses_per_op"};
const char *const hm_counter_events[HM_COUNTERS] = {"perf::CPU-CYCLES", "perf::INSTRUCTIONS",
                                                    "perf::CACHE-MISSES", "perf::DTLB-LOAD-MISSES"};

static int fds[HM_COUNTERS] = {-1, -1, -1, -1};

#ifdef HM_HAS_PFM
int hm_counter_open(const char *event) {
    struct perf_event_attr attr = {.size = sizeof attr};
    pfm_perf_encode_arg_t arg = {.attr = &attr, .size = sizeof arg};
    if (pfm_initialize() != PFM_SUCCESS ||
        pfm_get_os_event_encoding(event, PFM_PLM3, PFM_OS_PERF_EVENT, &arg) != PFM_SUCCESS) {
        errno = EINVAL;
        return -1;
    }
    attr.disabled = 1;
    attr.inherit = 1;
    attr.exclude_kernel = 1; /* which an unprivileged process may not see */
    attr.exclude_hv = 1;
    attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void hm_counter_run(int fd, bool on) {
    if (fd >= 0)
        ioctl(fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}
#else
int hm_counter_open(const char *event) {
    (void)event;
    errno = ENOTSUP;
    return -1;
}

void hm_counter_run(int fd, bool on) {
    (void)fd;
    (void)on;
}
#endif

double hm_counter_read(int fd) {
    uint64_t got[3]; /* the count, and nanoseconds that it was wanted and was counted */
    if (fd < 0 || read(fd, got, sizeof got) != sizeof got || !got[2])
        return NAN;
    return (double)got[0] * ((double)got[1] / (double)got[2]);
}

void hm_counters_open(void) {
    for (int i = 0; i < HM_COUNTERS; i++)
        fds[i] = hm_counter_open(hm_counter_events[i]);
}

static void watch(bool working, uint64_t done_ns) {
    (void)done_ns;
    for (int i = 0; i < HM_COUNTERS; i++)
        hm_counter_run(fds[i], working);
}

void hm_counters_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    hm_engine_warm_up(engine);
    hm_engine_watch(engine, watch);
    hm_engine_run(engine, config->units);
    hm_engine_watch(engine, NULL);
    hm_engine_check_done(engine, config->units);
    double ops = (double)hm_engine_ops(engine, config->units);
    for (int i = 0; i < HM_COUNTERS; i++) {
        double value = hm_counter_read(fds[i]) / ops;
        if (isfinite(value))
            hm_tell("value %s -1 %.17g", hm_counter_metrics[i], value);
        else
            hm_tell("unknown %s", hm_counter_metrics[i]);
    }
}

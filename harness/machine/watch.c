/* The machine over a while: who else runs, and whether the processor keeps its pace. */
#include "harness/machine/file.h"
#include "harness/machine/state.h"
#include "harness/stats/order.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum {
    LOOKS = 15,
    BURSTS = 10, /* for each look, of the pace */
    BURST_STEPS = 50000,
};

static const struct timespec pause_between = {.tv_nsec = 50000000};

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Each step waits for the one before: the time is that of so many clock cycles, whatever the caches
 * hold. */
static double burst_ns(void) {
    uint64_t x = 1;
    double start = now_ns();
    for (int i = 0; i < BURST_STEPS; i++) {
        x = x * 0x9e3779b97f4a7c15u + 1;
        __asm__ volatile("" : "+r"(x));
    }
    return now_ns() - start;
}

/* The fastest of some bursts, so that an interruption does not look like a slower clock. */
static double pace_ns(void) {
    double least = burst_ns();
    for (int i = 1; i < BURSTS; i++)
        least = fmin(least, burst_ns());
    return least;
}

/* We run while we look. */
static double others_now(void) {
    char text[128];
    double running;
    if (hm_file_read("/proc/loadavg", text, sizeof text) ||
        sscanf(text, "%*s %*s %*s %lf", &running) != 1)
        return NAN;
    return fmax(0, running - 1);
}

void hm_machine_watch(struct hm_machine_state *out) {
    double others[LOOKS];
    double pace[LOOKS];
    double counted[LOOKS];
    for (size_t i = 0; i < LOOKS; i++) {
        nanosleep(&pause_between, NULL);
        others[i] = others_now();
        pace[i] = pace_ns();
    }
    size_t n = hm_finite(others, LOOKS, counted);
    hm_sort(counted, n);
    out->others = hm_quantile(counted, n, 0.5);
    hm_sort(pace, LOOKS);
    out->drift = hm_quantile(pace, LOOKS, 0.9) / pace[0] - 1;
}

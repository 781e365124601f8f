/* The clock of single operations: the processor's time stamp counter where it can be trusted, else
 * CLOCK_MONOTONIC.
 *
 * The counter is trusted when the processor says that it is invariant (it ticks at one rate in all
 * states) and when it did so against CLOCK_MONOTONIC_RAW in two stretches in a row. What it says over
 * the whole measurement is compared once more at the end.
 *
 * A reading waits until what stands before it in the program is done, and what stands behind it waits
 * for the reading: nothing of an operation leaks out of its two readings, nor anything else in. */
#ifndef HM_HARNESS_CELL_TICKS_H
#define HM_HARNESS_CELL_TICKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct hm_ticks {
    bool counter; /* the time stamp counter; else ticks are nanoseconds */
    double ns_per_tick;
    uint64_t parts_of; /* parts (a sixteenth of a nanosecond) of a tick, times 2^32 */
    uint64_t
        step_ticks; /* by which the counter goes on: some processors count at 100 MHz and scale */
    uint64_t pair_ticks; /* of two readings with nothing between them, the median */
};

/** Set by hm_ticks_open; read-only after it. */
extern struct hm_ticks hm_ticks;

/** Both clocks, read together. */
struct hm_ticks_pair {
    uint64_t ticks;
    uint64_t raw_ns;
};

/** Choose the clock and measure its cost. Takes some 12 ms. Main thread, before the others use it. */
void hm_ticks_open(void);

/** How long the counter says that it was since hm_ticks_open, over what CLOCK_MONOTONIC_RAW says: 1
 *  when both agree. @return NAN when the counter is not used */
double hm_ticks_ratio(void);

/** @return nanoseconds of one tick between two pairs, NAN when no time passed */
double hm_ticks_rate(const struct hm_ticks_pair *from, const struct hm_ticks_pair *to);

/** Whether two stretches agree on the counter's rate: within a thousandth. */
bool hm_ticks_steady(double rate, double other);

/** The step of a counter, from the lengths that were seen between readings of it: these come in runs of
 *  neighbours, a step apart. @param seen of each length from 0 to count - 1 whether it was  @return 1
 *  where the lengths do not tell */
uint64_t hm_ticks_step(const bool *seen, size_t count);

static inline uint64_t hm_ticks_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
static inline uint64_t hm_ticks_counter_begin(void) {
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t hm_ticks_counter_end(void) {
    uint32_t low, high;
    __asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high)::"rcx", "memory");
    return (uint64_t)high << 32 | low;
}
#else
static inline uint64_t hm_ticks_counter_begin(void) {
    return hm_ticks_clock();
}

static inline uint64_t hm_ticks_counter_end(void) {
    return hm_ticks_clock();
}
#endif

/** The reading before an operation, and the one after it. Hot. */
static inline __attribute__((always_inline)) uint64_t hm_ticks_begin(void) {
    return hm_ticks.counter ? hm_ticks_counter_begin() : hm_ticks_clock();
}

static inline __attribute__((always_inline)) uint64_t hm_ticks_end(void) {
    return hm_ticks.counter ? hm_ticks_counter_end() : hm_ticks_clock();
}

/** Parts between two readings, less the cost of reading; never below 0. Hot. */
static inline uint64_t hm_ticks_parts(uint64_t begin, uint64_t end) {
    uint64_t ticks = end - begin;
    if ((int64_t)ticks <= (int64_t)hm_ticks.pair_ticks)
        return 0;
    return (uint64_t)(((unsigned __int128)(ticks - hm_ticks.pair_ticks) * hm_ticks.parts_of) >> 32);
}

#endif

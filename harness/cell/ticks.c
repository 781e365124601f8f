/* The clock of single operations. */
#include "harness/cell/ticks.h"

#include "harness/stats/histogram.h"

#include <math.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum {
    STRETCH_NS = 5000000,
    TRIES = 5,    /* of a pair; the one with least between its two readings is the best */
    PAIRS = 2001, /* empty ones, of which the median is taken */
    LONGEST_PAIR = 8191,
    LONGEST_STEP = 256, /* ticks */
    JITTER = 2,         /* steps are no whole number of ticks */
};

static const double steady_within = 1e-3;

struct hm_ticks hm_ticks = {.ns_per_tick = 1};

static struct hm_ticks_pair opened;

static uint64_t raw_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct hm_ticks_pair read_pair(void) {
    struct hm_ticks_pair best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = hm_ticks_counter_begin();
        uint64_t raw = raw_ns();
        uint64_t after = hm_ticks_counter_end();
        if (after - before < least) {
            least = after - before;
            best = (struct hm_ticks_pair){before + least / 2, raw};
        }
    }
    return best;
}

/* CPUID 80000007h, EDX bit 8 (Intel SDM vol. 3, 18.17.1; AMD APM vol. 2, 13.2.4); and rdtscp. */
static bool is_invariant(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    bool invariant = __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
    return invariant && __get_cpuid(0x80000001u, &a, &b, &c, &d) && (d & 1u << 27);
#else
    return false;
#endif
}

double hm_ticks_rate(const struct hm_ticks_pair *from, const struct hm_ticks_pair *to) {
    if (to->ticks <= from->ticks || to->raw_ns <= from->raw_ns)
        return NAN;
    return (double)(to->raw_ns - from->raw_ns) / (double)(to->ticks - from->ticks);
}

bool hm_ticks_steady(double rate, double other) {
    return fabs(rate / other - 1) <= steady_within;
}

static struct hm_ticks_pair wait_and_read(void) {
    uint64_t until = raw_ns() + STRETCH_NS;
    while (raw_ns() < until)
        ;
    return read_pair();
}

static void choose(void) {
    opened = read_pair();
    struct hm_ticks_pair middle = wait_and_read();
    struct hm_ticks_pair end = wait_and_read();
    hm_ticks.counter =
        hm_ticks_steady(hm_ticks_rate(&opened, &middle), hm_ticks_rate(&middle, &end));
    if (hm_ticks.counter)
        hm_ticks.ns_per_tick = hm_ticks_rate(&opened, &end);
}

/* Counted and not sorted: a sort may take memory from the heap that is measured. */
static uint64_t median_pair(void) {
    static uint32_t counts[LONGEST_PAIR + 1];
    for (int i = -PAIRS; i < PAIRS; i++) {
        uint64_t begin = hm_ticks_begin();
        uint64_t ticks = hm_ticks_end() - begin;
        if (i >= 0) /* the first half warms up */
            counts[ticks < LONGEST_PAIR ? ticks : LONGEST_PAIR]++;
    }
    uint64_t median = 0;
    for (uint32_t passed = counts[0]; passed <= PAIRS / 2; passed += counts[median])
        median++;
    return median;
}

uint64_t hm_ticks_step(const bool *seen, size_t count) {
    uint64_t least = UINT64_MAX;
    size_t begin = SIZE_MAX, last = SIZE_MAX; /* of a run of neighbours */
    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            continue;
        if (last == SIZE_MAX || i - last > JITTER) {
            if (begin != SIZE_MAX && i - begin < least)
                least = i - begin;
            begin = i;
        }
        if (i - begin > JITTER)
            return 1;
        last = i;
    }
    return least == UINT64_MAX ? 1 : least;
}

/* Stretches of many lengths; what is seen once may be an interrupt. */
static uint64_t measure_step(void) {
    static uint16_t times[LONGEST_STEP];
    static bool seen[LONGEST_STEP];
    for (unsigned i = 0; i < 8 * PAIRS; i++) {
        uint64_t begin = hm_ticks_begin();
        for (volatile unsigned turns = i % 13; turns; turns--)
            ;
        uint64_t ticks = hm_ticks_begin() - begin;
        if (ticks < LONGEST_STEP && ++times[ticks] > 1)
            seen[ticks] = true;
    }
    return hm_ticks_step(seen, LONGEST_STEP);
}

void hm_ticks_open(void) {
    hm_ticks = (struct hm_ticks){.ns_per_tick = 1};
    if (is_invariant())
        choose();
    hm_ticks.parts_of = (uint64_t)(hm_ticks.ns_per_tick * HM_HISTOGRAM_PARTS * 0x1p32);
    hm_ticks.pair_ticks = median_pair();
    hm_ticks.step_ticks = measure_step();
}

double hm_ticks_ratio(void) {
    struct hm_ticks_pair now = read_pair();
    if (!hm_ticks.counter)
        return NAN;
    return hm_ticks.ns_per_tick / hm_ticks_rate(&opened, &now);
}

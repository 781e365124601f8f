/* Waiting for another thread without sleeping, and memory that two threads do not fetch together.
 *
 * Who waits spins for a moment, and then yields the processor again and again: where there are more
 * threads than cores, the one that is waited for gets its turn. */
#ifndef HM_WORKLOADS_SPIN_H
#define HM_WORKLOADS_SPIN_H

#include <sched.h>
#include <stdint.h>

/* Bytes that keep two words off one cache line, and off the pair of lines that is fetched together. */
#define HM_SPIN_APART 128

enum {
    HM_SPINS_PER_YIELD = 200,
};

static inline void hm_spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/** Once in each turn of a waiting loop. @param spins 0 before the first */
static inline void hm_spin_wait(unsigned *spins) {
    hm_spin_pause();
    if (++*spins >= HM_SPINS_PER_YIELD)
        sched_yield();
}

#endif

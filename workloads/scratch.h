/* Memory and random numbers for workloads, outside of the heap that is measured. */
#ifndef HM_WORKLOADS_SCRATCH_H
#define HM_WORKLOADS_SCRATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* One for the whole program: weak, so that each file may define it. Whole pages. */
__attribute__((weak)) size_t hm_scratch_held_bytes;

/** Bytes of memory that hm_scratch has mapped in this process and that were not given back: what to
 *  take off the resident set to know the heap's part of it. Any thread. */
static inline size_t hm_scratch_bytes(void) {
    return __atomic_load_n(&hm_scratch_held_bytes, __ATOMIC_RELAXED);
}

static inline size_t hm_scratch_pages_(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) & -page;
}

/** Zeroed memory straight from the system, every page already touched.
 *  @param bytes > 0  @return the mapping, or NULL. Give it back with hm_scratch_free. Untimed. */
static inline void *hm_scratch(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    __atomic_fetch_add(&hm_scratch_held_bytes, hm_scratch_pages_(bytes), __ATOMIC_RELAXED);
    return p;
}

/** @param p NULL does nothing  @param bytes as given to hm_scratch */
static inline void hm_scratch_free(void *p, size_t bytes) {
    if (!p)
        return;
    munmap(p, bytes);
    __atomic_fetch_sub(&hm_scratch_held_bytes, hm_scratch_pages_(bytes), __ATOMIC_RELAXED);
}

/** A small, fast generator: Vigna's splitmix64. Any seed is good. */
struct hm_random {
    uint64_t state;
};

static inline uint64_t hm_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t hm_random_next(struct hm_random *r) {
    return hm_mix(r->state += 0x9e3779b97f4a7c15u);
}

/** A stream of its own for each (seed, thread). */
static inline struct hm_random hm_random_of(uint64_t seed, unsigned thread) {
    return (struct hm_random){hm_mix(seed + 0x632be59bd9b4e019u * (thread + 1u))};
}

/** Uniform in 0 .. n-1, by Lemire's multiplication; its bias is below n / 2^64. @param n > 0 */
static inline uint64_t hm_random_below(struct hm_random *r, uint64_t n) {
    return (uint64_t)(((unsigned __int128)hm_random_next(r) * n) >> 64);
}

#endif

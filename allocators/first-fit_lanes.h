/* Searches in one node of first-fit's tree: arrays of HM_LANES sorted or unsorted numbers, of which
 * the unused ones hold a value that no search can find.
 *
 * HM_TREE_AVX512 chooses the vector version; the loops mean the same everywhere. */
#ifndef HM_ALLOCATORS_FIRST_FIT_LANES_H
#define HM_ALLOCATORS_FIRST_FIT_LANES_H

#include <stdint.h>
#include <string.h>

#define HM_LANES 64

#ifdef HM_TREE_AVX512
#include <immintrin.h>

static inline unsigned first_at_least(const uint32_t *lanes, uint32_t x) {
    uint64_t found = HM_LANES < 64 ? (uint64_t)1 << HM_LANES % 64 : 0;
    __m512i value = _mm512_set1_epi32((int)x);
    for (unsigned i = 0; i < HM_LANES; i += 16)
        found |= (uint64_t)_mm512_cmpge_epu32_mask(_mm512_load_si512(lanes + i), value) << i;
    return (unsigned)_tzcnt_u64(found);
}
static inline unsigned count_at_most(const uint32_t *lanes, uint32_t x) {
    uint64_t found = HM_LANES < 64 ? (uint64_t)1 << HM_LANES % 64 : 0;
    __m512i value = _mm512_set1_epi32((int)x);
    for (unsigned i = 0; i < HM_LANES; i += 16)
        found |= (uint64_t)_mm512_cmpgt_epu32_mask(_mm512_load_si512(lanes + i), value) << i;
    return (unsigned)_tzcnt_u64(found);
}
static inline uint32_t largest(const uint32_t *lanes) {
    __m512i max = _mm512_load_si512(lanes);
    for (unsigned i = 16; i < HM_LANES; i += 16)
        max = _mm512_max_epu32(max, _mm512_load_si512(lanes + i));
    return _mm512_reduce_max_epu32(max);
}

#else

/** Index of the first value >= x, or HM_LANES. */
static inline unsigned first_at_least(const uint32_t *lanes, uint32_t x) {
    unsigned i = 0;
    while (i < HM_LANES && lanes[i] < x)
        i++;
    return i;
}

/** How many of the ascending values are <= x. */
static inline unsigned count_at_most(const uint32_t *lanes, uint32_t x) {
    unsigned i = 0;
    while (i < HM_LANES && lanes[i] <= x)
        i++;
    return i;
}

static inline uint32_t largest(const uint32_t *lanes) {
    uint32_t max = 0;
    for (unsigned i = 0; i < HM_LANES; i++)
        max = lanes[i] > max ? lanes[i] : max;
    return max;
}

#endif

/** Make room at `i`, and put x there; the last value falls out. */
static inline void insert_lane(uint32_t *lanes, unsigned i, uint32_t x) {
    memmove(lanes + i + 1, lanes + i, (HM_LANES - 1 - i) * sizeof *lanes);
    lanes[i] = x;
}

/** Close the gap at `i`; the last value becomes `filler`. */
static inline void erase_lane(uint32_t *lanes, unsigned i, uint32_t filler) {
    memmove(lanes + i, lanes + i + 1, (HM_LANES - 1 - i) * sizeof *lanes);
    lanes[HM_LANES - 1] = filler;
}

#endif

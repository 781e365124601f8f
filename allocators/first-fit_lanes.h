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

static inline uint64_t join(__mmask16 a, __mmask16 b, __mmask16 c, __mmask16 d) {
    return a | (uint64_t)b << 16 | (uint64_t)c << 32 | (uint64_t)d << 48;
}

#define HM_COMPARE(op, lanes, value)                                                               \
    join(_mm512_##op##_epu32_mask(_mm512_load_si512(lanes), value),                                \
         _mm512_##op##_epu32_mask(_mm512_load_si512((lanes) + 16), value),                         \
         _mm512_##op##_epu32_mask(_mm512_load_si512((lanes) + 32), value),                         \
         _mm512_##op##_epu32_mask(_mm512_load_si512((lanes) + 48), value))

/** Index of the first value >= x, or HM_LANES. */
static inline unsigned first_at_least(const uint32_t *lanes, uint32_t x) {
    return (unsigned)_tzcnt_u64(HM_COMPARE(cmpge, lanes, _mm512_set1_epi32((int)x)));
}

/** How many of the ascending values are <= x. */
static inline unsigned count_at_most(const uint32_t *lanes, uint32_t x) {
    return (unsigned)_tzcnt_u64(HM_COMPARE(cmpgt, lanes, _mm512_set1_epi32((int)x)));
}

static inline uint32_t largest(const uint32_t *lanes) {
    __m512i a = _mm512_max_epu32(_mm512_load_si512(lanes), _mm512_load_si512(lanes + 16));
    __m512i b = _mm512_max_epu32(_mm512_load_si512(lanes + 32), _mm512_load_si512(lanes + 48));
    return _mm512_reduce_max_epu32(_mm512_max_epu32(a, b));
}

/** lanes[i] += x, without a narrow store that the next wide load would have to wait for. */
static inline void add_to_lane(uint32_t *lanes, unsigned i, uint32_t x) {
    uint32_t *vector = lanes + (i & ~15u);
    __m512i old = _mm512_load_si512(vector);
    _mm512_store_si512(vector, _mm512_mask_add_epi32(old, (__mmask16)(1u << i % 16), old,
                                                     _mm512_set1_epi32((int)x)));
}

/* One vector of replace_lane(): `here`, and its neighbours, by the bits k to k+15 of the masks. */
static inline void replace_in_vector(uint32_t *lanes, unsigned k, const uint64_t masks[3],
                                     __m512i before, __m512i here, __m512i after, __m512i value) {
    __m512i moved = _mm512_mask_alignr_epi32(here, (__mmask16)(masks[0] >> k), here, before, 15);
    moved = _mm512_mask_alignr_epi32(moved, (__mmask16)(masks[1] >> k), after, here, 1);
    moved = _mm512_mask_mov_epi32(moved, (__mmask16)(masks[2] >> k), value);
    _mm512_store_si512(lanes + k, moved);
}

/** Shift what lies behind `i` by -1, 0 or 1 places, and put x at `i`. -1 ends in a `filler`; 1
 *  keeps the old value at i + 1, and drops the last one. No branch depends on the arguments. */
static inline void replace_lane(uint32_t *lanes, unsigned i, int shift, uint32_t x,
                                uint32_t filler) {
    __m512i end = _mm512_set1_epi32((int)filler), value = _mm512_set1_epi32((int)x);
    __m512i a = _mm512_load_si512(lanes), b = _mm512_load_si512(lanes + 16);
    __m512i c = _mm512_load_si512(lanes + 32), d = _mm512_load_si512(lanes + 48);
    uint64_t place = (uint64_t)1 << i, behind = -place << 1;
    const uint64_t masks[] = {behind & -(uint64_t)(shift > 0), behind & -(uint64_t)(shift < 0),
                              place};
    replace_in_vector(lanes, 0, masks, end, a, b, value);
    replace_in_vector(lanes, 16, masks, a, b, c, value);
    replace_in_vector(lanes, 32, masks, b, c, d, value);
    replace_in_vector(lanes, 48, masks, c, d, end, value);
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

/** lanes[i] += x */
static inline void add_to_lane(uint32_t *lanes, unsigned i, uint32_t x) {
    lanes[i] += x;
}

/** Shift what lies behind `i` by -1, 0 or 1 places, and put x at `i`. -1 ends in a `filler`; 1
 *  keeps the old value at i + 1, and drops the last one. */
static inline void replace_lane(uint32_t *lanes, unsigned i, int shift, uint32_t x,
                                uint32_t filler) {
    size_t behind = HM_LANES - 1 - i;
    if (shift > 0)
        memmove(lanes + i + 1, lanes + i, behind * sizeof *lanes);
    if (shift < 0 && behind > 0) {
        memmove(lanes + i + 1, lanes + i + 2, (behind - 1) * sizeof *lanes);
        lanes[HM_LANES - 1] = filler;
    }
    lanes[i] = x;
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

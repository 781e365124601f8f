/* Whole numbers of any length, each a block of the heap that is measured: what `factor` computes with.
 *
 * Vocabulary
 *   number  immutable and normalised: its highest limb is not 0, and zero has no limbs.
 *   limb    32 bits; the lowest comes first.
 *
 * Every operation makes new numbers and leaves its arguments to their owner, as cfrac's library
 * does. NULL is a number that there was no memory for: operations on it give NULL, so that a whole
 * expression can be looked at once, at its end; to drop it does nothing. */
#ifndef HM_WORKLOADS_NUMBERS_H
#define HM_WORKLOADS_NUMBERS_H

#include "allocators/allocator.h"

#include <string.h>

enum {
    HM_NUMBER_LIMBS = 32, /* of a dividend, at most */
};

struct hm_number {
    uint32_t count; /* limbs in use */
    uint32_t room;  /* limbs that were allocated */
    uint32_t limb[];
};

/** Where numbers come from. */
struct hm_numbers {
    struct hm_memory memory;
    uint64_t live_bytes;
};

static inline size_t hm_number_bytes_(uint32_t room) {
    return sizeof(struct hm_number) + room * sizeof(uint32_t);
}

/* Limbs are not set. */
static inline struct hm_number *hm_number_new_(struct hm_numbers *numbers, uint32_t room) {
    struct hm_number *number = hm_malloc(&numbers->memory, hm_number_bytes_(room));
    if (!number)
        return NULL;
    number->count = number->room = room;
    numbers->live_bytes += hm_number_bytes_(room);
    return number;
}

static inline void hm_number_drop(struct hm_numbers *numbers, struct hm_number *number) {
    if (!number)
        return;
    numbers->live_bytes -= hm_number_bytes_(number->room);
    hm_free(&numbers->memory, number);
}

static inline struct hm_number *hm_number_trim_(struct hm_number *number) {
    while (number->count && !number->limb[number->count - 1])
        number->count--;
    return number;
}

static inline struct hm_number *hm_number_of(struct hm_numbers *numbers, uint64_t value) {
    struct hm_number *number = hm_number_new_(numbers, value >> 32 ? 2 : value != 0);
    if (!number)
        return NULL;
    if (number->count > 0)
        number->limb[0] = (uint32_t)value;
    if (number->count > 1)
        number->limb[1] = (uint32_t)(value >> 32);
    return number;
}

static inline struct hm_number *hm_number_copy(struct hm_numbers *numbers,
                                               const struct hm_number *a) {
    struct hm_number *copy = a ? hm_number_new_(numbers, a->count) : NULL;
    if (copy)
        memcpy(copy->limb, a->limb, a->count * sizeof *a->limb);
    return copy;
}

/** Its lowest 64 bits. */
static inline uint64_t hm_number_low(const struct hm_number *a) {
    uint64_t low = a->count ? a->limb[0] : 0;
    return a->count > 1 ? low | (uint64_t)a->limb[1] << 32 : low;
}

/** @return below, at or above 0, as a is to b; neither is NULL */
static inline int hm_number_compare(const struct hm_number *a, const struct hm_number *b) {
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (uint32_t i = a->count; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static inline bool hm_number_is(const struct hm_number *a, uint32_t value) {
    return value ? a->count == 1 && a->limb[0] == value : a->count == 0;
}

static inline struct hm_number *hm_number_add(struct hm_numbers *numbers, const struct hm_number *a,
                                              const struct hm_number *b) {
    if (!a || !b)
        return NULL;
    uint32_t room = (a->count > b->count ? a->count : b->count) + 1;
    struct hm_number *sum = hm_number_new_(numbers, room);
    uint64_t carry = 0;
    for (uint32_t i = 0; sum && i < room; i++) {
        carry += (i < a->count ? a->limb[i] : 0ull) + (i < b->count ? b->limb[i] : 0ull);
        sum->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return sum ? hm_number_trim_(sum) : NULL;
}

/** @param b at most a */
static inline struct hm_number *hm_number_subtract(struct hm_numbers *numbers,
                                                   const struct hm_number *a,
                                                   const struct hm_number *b) {
    struct hm_number *rest = a && b ? hm_number_new_(numbers, a->count) : NULL;
    int64_t borrow = 0;
    for (uint32_t i = 0; rest && i < a->count; i++) {
        borrow += (int64_t)a->limb[i] - (i < b->count ? b->limb[i] : 0);
        rest->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    return rest ? hm_number_trim_(rest) : NULL;
}

static inline struct hm_number *hm_number_multiply(struct hm_numbers *numbers,
                                                   const struct hm_number *a,
                                                   const struct hm_number *b) {
    struct hm_number *product = a && b ? hm_number_new_(numbers, a->count + b->count) : NULL;
    if (!product)
        return NULL;
    memset(product->limb, 0, product->count * sizeof *product->limb);
    for (uint32_t i = 0; i < a->count; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < b->count; j++) {
            carry += (uint64_t)a->limb[i] * b->limb[j] + product->limb[i + j];
            product->limb[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->limb[i + b->count] = (uint32_t)carry;
    }
    return hm_number_trim_(product);
}

/* From the highest limb down, by one limb. @return the remainder */
static inline uint32_t hm_number_divide_short_(const struct hm_number *a, uint32_t divisor,
                                               uint32_t *quotient) {
    uint64_t rest = 0;
    for (uint32_t i = a->count; i-- > 0;) {
        rest = rest << 32 | a->limb[i];
        quotient[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

/* limbs << shift, one limb longer. */
static inline void hm_limbs_shift_(const uint32_t *limbs, uint32_t count, unsigned shift,
                                   uint32_t *out) {
    uint64_t carry = 0;
    for (uint32_t i = 0; i < count; i++) {
        carry |= (uint64_t)limbs[i] << shift;
        out[i] = (uint32_t)carry;
        carry >>= 32;
    }
    out[count] = (uint32_t)carry;
}

/* One limb of a quotient: take as often v from the n + 1 limbs at u as it can be taken. */
static inline uint32_t hm_limbs_reduce_(uint32_t *u, const uint32_t *v, uint32_t n) {
    uint64_t top = (uint64_t)u[n] << 32 | u[n - 1];
    uint64_t guess = top / v[n - 1];
    uint64_t rest = top % v[n - 1];
    while (guess >> 32 || guess * v[n - 2] > (rest << 32 | u[n - 2])) {
        guess--;
        rest += v[n - 1];
        if (rest >> 32)
            break;
    }
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (uint32_t i = 0; i <= n; i++) {
        carry += i < n ? guess * v[i] : 0;
        borrow += (int64_t)u[i] - (uint32_t)carry;
        u[i] = (uint32_t)borrow;
        borrow >>= 32;
        carry >>= 32;
    }
    if (!borrow)
        return (uint32_t)guess;
    for (uint32_t i = 0; i <= n; i++) { /* once too often */
        carry += (uint64_t)u[i] + (i < n ? v[i] : 0);
        u[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)guess - 1;
}

/* Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D, on shifted copies. */
static inline void hm_number_divide_long_(const struct hm_number *a, const struct hm_number *b,
                                          uint32_t *quotient, uint32_t *rest) {
    uint32_t u[HM_NUMBER_LIMBS + 1];
    uint32_t v[HM_NUMBER_LIMBS + 1];
    unsigned shift = (unsigned)__builtin_clz(b->limb[b->count - 1]);
    hm_limbs_shift_(a->limb, a->count, shift, u);
    hm_limbs_shift_(b->limb, b->count, shift, v);
    for (uint32_t i = a->count - b->count + 1; i-- > 0;)
        quotient[i] = hm_limbs_reduce_(u + i, v, b->count);
    for (uint32_t i = 0; i < b->count; i++)
        rest[i] = (uint32_t)(((uint64_t)u[i + 1] << 32 | u[i]) >> shift);
}

/** @param b not zero  @param quotient, rest of the caller; both NULL without memory
 *  @return whether there was memory */
static inline bool hm_number_divide(struct hm_numbers *numbers, const struct hm_number *a,
                                    const struct hm_number *b, struct hm_number **quotient,
                                    struct hm_number **rest) {
    *quotient = *rest = NULL;
    if (!a || !b)
        return false;
    uint32_t limbs = a->count < b->count ? 0 : a->count - b->count + 1;
    struct hm_number *q = hm_number_new_(numbers, limbs);
    struct hm_number *r = limbs ? hm_number_new_(numbers, b->count) : hm_number_copy(numbers, a);
    if (!q || !r) {
        hm_number_drop(numbers, q);
        hm_number_drop(numbers, r);
        return false;
    }
    if (limbs && b->count == 1)
        r->limb[0] = hm_number_divide_short_(a, b->limb[0], q->limb);
    else if (limbs)
        hm_number_divide_long_(a, b, q->limb, r->limb);
    *quotient = hm_number_trim_(q);
    *rest = hm_number_trim_(r);
    return true;
}

static inline struct hm_number *hm_number_quotient(struct hm_numbers *numbers,
                                                   const struct hm_number *a,
                                                   const struct hm_number *b) {
    struct hm_number *quotient, *rest;
    hm_number_divide(numbers, a, b, &quotient, &rest);
    hm_number_drop(numbers, rest);
    return quotient;
}

static inline struct hm_number *
hm_number_rest(struct hm_numbers *numbers, const struct hm_number *a, const struct hm_number *b) {
    struct hm_number *quotient, *rest;
    hm_number_divide(numbers, a, b, &quotient, &rest);
    hm_number_drop(numbers, quotient);
    return rest;
}

/** a * b modulo m. */
static inline struct hm_number *hm_number_multiply_modulo(struct hm_numbers *numbers,
                                                          const struct hm_number *a,
                                                          const struct hm_number *b,
                                                          const struct hm_number *m) {
    struct hm_number *product = hm_number_multiply(numbers, a, b);
    struct hm_number *rest = hm_number_rest(numbers, product, m);
    hm_number_drop(numbers, product);
    return rest;
}

/** The greatest common divisor, by Euclid. */
static inline struct hm_number *hm_number_gcd(struct hm_numbers *numbers, const struct hm_number *a,
                                              const struct hm_number *b) {
    struct hm_number *x = hm_number_copy(numbers, a);
    struct hm_number *y = hm_number_copy(numbers, b);
    while (x && y && y->count) {
        struct hm_number *rest = hm_number_rest(numbers, x, y);
        hm_number_drop(numbers, x);
        x = y;
        y = rest;
    }
    if (!y) {
        hm_number_drop(numbers, x);
        x = NULL;
    }
    hm_number_drop(numbers, y);
    return x;
}

/** The whole part of the square root, by Newton from above. */
static inline struct hm_number *hm_number_root(struct hm_numbers *numbers,
                                               const struct hm_number *a) {
    struct hm_number *two = hm_number_of(numbers, 2);
    struct hm_number *x = hm_number_copy(numbers, a);
    for (bool closer = true; closer && x;) {
        struct hm_number *other = hm_number_quotient(numbers, a, x);
        struct hm_number *sum = hm_number_add(numbers, x, other);
        struct hm_number *mean = hm_number_quotient(numbers, sum, two);
        hm_number_drop(numbers, other);
        hm_number_drop(numbers, sum);
        closer = !mean || hm_number_compare(mean, x) < 0;
        hm_number_drop(numbers, closer ? x : mean);
        x = closer ? mean : x;
    }
    hm_number_drop(numbers, two);
    return x;
}

#endif

/* Numbers of one to ten bytes: seven bits in each, the lowest first; the eighth says that more follow.
 * The shortest form is the only valid one. Signed numbers are folded: 0, -1, 1, -2, .. */
#ifndef HM_TRACES_VARINT_H
#define HM_TRACES_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum {
    HM_VARINT_MAX = 10,
};

/** @param out room for HM_VARINT_MAX bytes  @return behind the last byte */
static inline uint8_t *hm_varint_put(uint8_t *out, uint64_t value) {
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* The rest of a number whose first byte has the eighth bit. */
static inline const uint8_t *hm_varint_get_long_(const uint8_t *in, uint64_t *value) {
    uint64_t sum = *in++ & 0x7f;
    for (unsigned shift = 7; shift < 64; shift += 7) {
        uint64_t byte = *in++;
        if (shift == 63 && byte > 1)
            return NULL;
        sum |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            return byte ? in : NULL;
        }
    }
    return NULL;
}

/** @param in HM_VARINT_MAX bytes can be read there  @return behind it; NULL: not a number */
static inline const uint8_t *hm_varint_get(const uint8_t *in, uint64_t *value) {
    if (*in < 0x80) {
        *value = *in;
        return in + 1;
    }
    return hm_varint_get_long_(in, value);
}

static inline uint64_t hm_varint_fold(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t hm_varint_unfold(uint64_t folded) {
    return (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
}

#endif

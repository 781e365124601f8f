/* Reading whole blocks in the timed code, at a price that is small against that of their allocation: words
 * at a time, for a loop over bytes takes longer than most allocators do. */
#ifndef HM_WORKLOADS_BYTES_H
#define HM_WORKLOADS_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    HM_BYTES_AT_ONCE = 4, /* words */
};

/** Hot. Reads every byte.  @return 0 if all bytes are `mark`; else something else */
static inline uint64_t hm_bytes_unlike(const unsigned char *block, size_t size,
                                       unsigned char mark) {
    const uint64_t marks = mark * UINT64_C(0x0101010101010101);
    uint64_t words[HM_BYTES_AT_ONCE];
    uint64_t unlike = 0;
    size_t at = 0;
    for (; size - at >= sizeof words; at += sizeof words) {
        memcpy(words, block + at, sizeof words);
        unlike |= (words[0] ^ marks) | (words[1] ^ marks) | (words[2] ^ marks) | (words[3] ^ marks);
    }
    for (; size - at >= sizeof *words; at += sizeof *words) {
        memcpy(words, block + at, sizeof *words);
        unlike |= *words ^ marks;
    }
    for (; at < size; at++)
        unlike |= block[at] ^ mark;
    return unlike;
}

#endif

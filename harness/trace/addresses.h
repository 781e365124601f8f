/* Which block lies at an address: the live blocks of a recorded process, as its trace is made. */
#ifndef HM_HARNESS_TRACE_ADDRESSES_H
#define HM_HARNESS_TRACE_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

struct hm_live_block {
    uint64_t address; /* 0: none */
    uint64_t number;
    uint64_t bytes;
    uint64_t alignment_log2;
};

struct hm_addresses {
    struct hm_live_block *table; /* open addressing; the room is a power of two */
    size_t room, count;
};

/** Add a block, in the place of one that was at its address. @return 0 or ENOMEM */
int hm_addresses_put(struct hm_addresses *set, const struct hm_live_block *block);

/** @return the block at the address, valid until the next put or take; or NULL */
struct hm_live_block *hm_addresses_find(const struct hm_addresses *set, uint64_t address);

/** Remove the block at an address. @return it; its address is 0 when there was none */
struct hm_live_block hm_addresses_take(struct hm_addresses *set, uint64_t address);

/** All blocks by their numbers, as many as the set's count. @return them, for the caller to free, or
 *  NULL when there is no memory */
struct hm_live_block *hm_addresses_sorted(const struct hm_addresses *set);

void hm_addresses_free(struct hm_addresses *set);

#endif

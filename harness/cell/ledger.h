/* A ledger: for each block of a heap an entry, found by the block's address without a lock.
 *
 * It is a tree of three levels over the address space. Its nodes are cut from one reserved region, so that
 * the allocator's own mappings stay neighbours, and every page of it counts as scratch memory, so that
 * the resident set less hm_scratch_bytes() is the heap's as before.
 *
 * A block's entry belongs to who owns the block: it is written after the block was handed out, and read
 * before it is given back. Only the allocator orders what one owner writes and what the next one reads, which
 * a race detector does not see: users read and write entries as relaxed atomics. */
#ifndef HM_HARNESS_CELL_LEDGER_H
#define HM_HARNESS_CELL_LEDGER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HM_LEDGER_GRAIN_BITS = 3, /* blocks begin at multiples of 8 */
    HM_LEDGER_LEAF_BITS = 17, /* a leaf is for 1 MiB */
    HM_LEDGER_NODE_BITS = 14,
    HM_LEDGER_ADDRESS_BITS = HM_LEDGER_GRAIN_BITS + HM_LEDGER_LEAF_BITS + 2 * HM_LEDGER_NODE_BITS,
};

struct hm_ledger {
    void **root;
    size_t entry_bytes;
    pthread_mutex_t mutex; /* of what follows */
    char *region;
    size_t region_bytes, used_bytes;
};

/** @param entry_bytes of one entry, a power of two  @return 0 or ENOMEM. Main thread. */
int hm_ledger_open(struct hm_ledger *ledger, size_t entry_bytes);
void hm_ledger_close(struct hm_ledger *ledger);

/** As hm_ledger_at, where nodes are missing. */
void *hm_ledger_grow(struct hm_ledger *ledger, uintptr_t address);

/** The entry of a block; zero at first. @return NULL when it begins at no multiple of 8, or there is no
 *  memory for its entry. Any thread. */
static inline void *hm_ledger_at(struct hm_ledger *ledger, const void *block) {
    uintptr_t address = (uintptr_t)block;
    if (address & ((1u << HM_LEDGER_GRAIN_BITS) - 1) || address >> HM_LEDGER_ADDRESS_BITS)
        return NULL;
    size_t grain = address >> HM_LEDGER_GRAIN_BITS;
    size_t leaf = grain >> HM_LEDGER_LEAF_BITS;
    void **node = __atomic_load_n(&ledger->root[leaf >> HM_LEDGER_NODE_BITS], __ATOMIC_ACQUIRE);
    char *entries =
        node ? __atomic_load_n(&node[leaf & ((1u << HM_LEDGER_NODE_BITS) - 1)], __ATOMIC_ACQUIRE)
             : NULL;
    if (!entries)
        return hm_ledger_grow(ledger, address);
    return entries + (grain & ((1u << HM_LEDGER_LEAF_BITS) - 1)) * ledger->entry_bytes;
}

#endif

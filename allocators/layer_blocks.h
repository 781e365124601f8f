/* The table of a layer's live blocks: an open-addressed hash from a block's address to what the layer
 * knows about it.
 *
 * Linear probing, at most three slots of four used; a removal moves what follows it back, so that
 * there are no tombstones and a search ends at the first empty slot. Not thread-safe. */
#ifndef HM_ALLOCATORS_LAYER_BLOCKS_H
#define HM_ALLOCATORS_LAYER_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hm_layer_block {
    uintptr_t begin; /* 0: an empty slot */
    size_t size;     /* as requested */
    uint32_t site;   /* where it was allocated: layer_sites.h */
    uint32_t note;   /* the layer's own */
};

struct hm_layer_blocks {
    struct hm_layer_block *slots;
    unsigned bits; /* there are 1 << bits slots */
    size_t count;
};

/** @param blocks zeroed  @return 0 or ENOMEM */
int hm_layer_blocks_open(struct hm_layer_blocks *blocks);
void hm_layer_blocks_close(struct hm_layer_blocks *blocks);

/** Add a block that is not in the table. @return false when there is no memory for it */
bool hm_layer_blocks_add(struct hm_layer_blocks *blocks, const struct hm_layer_block *block);
/** @return the block that begins here, valid until the next change; NULL when there is none */
struct hm_layer_block *hm_layer_blocks_find(struct hm_layer_blocks *blocks, const void *begin);
/** Take the block that begins here out. @return false when there is none */
bool hm_layer_blocks_remove(struct hm_layer_blocks *blocks, const void *begin,
                            struct hm_layer_block *out);
/** Bytes that the table takes. */
size_t hm_layer_blocks_bytes(const struct hm_layer_blocks *blocks);

#endif

/* The table of a layer's live blocks. Removal by moving back: Knuth, The Art of Computer Programming
 * 3, 6.4, algorithm R. */
#include "allocators/layer_blocks.h"

#include "allocators/layer.h"

enum {
    FIRST_BITS = 12,
};

static size_t slots_of(unsigned bits) {
    return (size_t)1 << bits;
}

static size_t home(const struct hm_layer_blocks *blocks, uintptr_t begin) {
    return (size_t)(begin * UINT64_C(0x9e3779b97f4a7c15) >> (64 - blocks->bits));
}

static size_t next(const struct hm_layer_blocks *blocks, size_t slot) {
    return (slot + 1) & (slots_of(blocks->bits) - 1);
}

/* The slot of a block, or the empty one where it would go. */
static size_t search(const struct hm_layer_blocks *blocks, uintptr_t begin) {
    size_t slot = home(blocks, begin);
    while (blocks->slots[slot].begin && blocks->slots[slot].begin != begin)
        slot = next(blocks, slot);
    return slot;
}

int hm_layer_blocks_open(struct hm_layer_blocks *blocks) {
    blocks->bits = FIRST_BITS;
    blocks->slots = hm_layer_map(hm_layer_blocks_bytes(blocks));
    return blocks->slots ? 0 : ENOMEM;
}

void hm_layer_blocks_close(struct hm_layer_blocks *blocks) {
    hm_layer_unmap(blocks->slots, hm_layer_blocks_bytes(blocks));
}

static bool grow(struct hm_layer_blocks *blocks) {
    struct hm_layer_blocks grown = {.bits = blocks->bits + 1, .count = blocks->count};
    grown.slots = hm_layer_map(hm_layer_blocks_bytes(&grown));
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < slots_of(blocks->bits); i++)
        if (blocks->slots[i].begin)
            grown.slots[search(&grown, blocks->slots[i].begin)] = blocks->slots[i];
    hm_layer_blocks_close(blocks);
    *blocks = grown;
    return true;
}

/* A table that can not grow is filled up to its last empty slot, which ends the searches. */
bool hm_layer_blocks_add(struct hm_layer_blocks *blocks, const struct hm_layer_block *block) {
    size_t slots = slots_of(blocks->bits);
    if (blocks->count >= slots / 4 * 3 && !grow(blocks) && blocks->count + 1 >= slots)
        return false;
    blocks->slots[search(blocks, block->begin)] = *block;
    blocks->count++;
    return true;
}

struct hm_layer_block *hm_layer_blocks_find(struct hm_layer_blocks *blocks, const void *begin) {
    struct hm_layer_block *block = &blocks->slots[search(blocks, (uintptr_t)begin)];
    return block->begin ? block : NULL;
}

bool hm_layer_blocks_remove(struct hm_layer_blocks *blocks, const void *begin,
                            struct hm_layer_block *out) {
    size_t hole = search(blocks, (uintptr_t)begin);
    size_t mask = slots_of(blocks->bits) - 1;
    if (!blocks->slots[hole].begin)
        return false;
    *out = blocks->slots[hole];
    for (size_t at = next(blocks, hole); blocks->slots[at].begin; at = next(blocks, at)) {
        size_t from = home(blocks, blocks->slots[at].begin);
        if (((at - from) & mask) < ((at - hole) & mask))
            continue; /* its search does not pass the hole */
        blocks->slots[hole] = blocks->slots[at];
        hole = at;
    }
    blocks->slots[hole].begin = 0;
    blocks->count--;
    return true;
}

size_t hm_layer_blocks_bytes(const struct hm_layer_blocks *blocks) {
    return slots_of(blocks->bits) * sizeof *blocks->slots;
}

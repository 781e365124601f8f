/* The heap under a collector that is checked: it remembers of every block whether it is live, and can be
 * made to fail.
 *
 * Blocks are cut from one arena, in ascending order, and never used again. What is handed out is full of
 * 0xCD, what was freed of 0xDD, and guard bytes of 0xFD follow each block (the bytes of CPython's
 * debug allocator), so that the use of a dead object is seen: by a crash, or by a changed byte. */
#ifndef HM_HARNESS_VERIFY_GC_POISON_H
#define HM_HARNESS_VERIFY_GC_POISON_H

#include "allocators/allocator.h"

enum {
    HM_POISON_NOBODY = -1,
};

struct hm_poison_block {
    char *begin;
    size_t size;
    int owner; /* HM_POISON_NOBODY: none */
    bool live;
};

struct hm_poison {
    struct hm_memory memory; /* what the collector calls; points back to this structure */
    char *arena;
    size_t used;
    struct hm_poison_block *blocks; /* in address order */
    size_t count;
    uint64_t live_blocks;
    uint64_t allowed;                    /* allocations that succeed before one fails */
    bool once;                           /* .. and after that one all succeed; else all fail */
    uint64_t failures;                   /* allocations that were made to fail */
    void (*freed)(void *arg, int owner); /* an owned block is about to be freed */
    void (*bad_free)(void *arg, const char *what); /* what is freed is no live block */
    void *arg;
};

/** Open. Must not move until it is closed. One thread. @return 0 or ENOMEM */
int hm_poison_open(struct hm_poison *heap);
/** Give back the arena. */
void hm_poison_close(struct hm_poison *heap);

/** Let `allowed` allocations succeed, then fail one (`once`) or all. */
void hm_poison_limit(struct hm_poison *heap, uint64_t allowed, bool once);
/** All succeed again. */
void hm_poison_unlimit(struct hm_poison *heap);

/** Make the live block that an address lies in somebody's. @return false: there is none, or it is
 *  somebody's already */
bool hm_poison_own(struct hm_poison *heap, const void *address, int owner);

/** Live blocks that are nobody's. */
uint64_t hm_poison_unowned(const struct hm_poison *heap);
/** @return what is wrong with a freed block or a guard, or NULL: nothing was written there */
const char *hm_poison_find_damage(const struct hm_poison *heap);

#endif

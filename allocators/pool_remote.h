/* The queue of blocks that other threads gave back to a heap: many push, the owner takes all.
 *
 * Vocabulary
 *   chain   blocks linked by their first words; the last one's link is the end
 *   batch   a chain that a thread gathers for one owner before it pushes it, so that the owner's
 *           cache line moves once for many blocks
 *   hint    a block's second word: a block further on in the chain, whose line the owner fetches
 *           while it handles this one. All lines are in the cache of who pushed, and following the
 *           links alone fetches them one after the other. It may be outdated: the address then is
 *           that of some other block, which a prefetch leaves as it is.
 *
 * Algorithm
 *   push    writes the head that it read into the link of the chain's last block, and then publishes
 *           the chain by compare-and-swap, with release; another push or a take in between makes it
 *           read the head again
 *   take    exchanges the head for NULL, with acquire. No block is ever taken alone, so that a
 *           head which went and came back (ABA) does no harm: a push that succeeds has linked the
 *           chain to whatever the head is.
 *
 *   Both are also sequentially consistent, since a push is followed by a look at whether the owner
 *   still exists, and an owner that ends says so before its last take: one of the two sees the other.
 *
 * tests/model/remote.pml is a model of it. Source: Treiber's stack without pop; batches of messages
 * as in snmalloc (Lietar et al., ISMM 2019). */
#ifndef HM_ALLOCATORS_POOL_REMOTE_H
#define HM_ALLOCATORS_POOL_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HM_POOL_AHEAD = 16, /* blocks from one to that of its hint */
};

struct hm_pool_remote {
    void *head;
};

struct hm_pool_batch {
    struct hm_heap *owner; /* whose the blocks are, or the last ones were */
    void *first, *last;    /* `first` is NULL when there are none */
    uint32_t count;
    uint32_t added; /* blocks since the owner came, in this batch and those before; wraps */
    uint8_t id;     /* of the owner, 0 while there is none */
    void *recent[HM_POOL_AHEAD]; /* the last blocks that were added, by `added` */
};

/** Give a chain to the owner of the queue. Any thread. */
static inline void hm_pool_remote_push(struct hm_pool_remote *queue, void *first, void *last) {
    void *head = __atomic_load_n(&queue->head, __ATOMIC_RELAXED);
    do
        *(void **)last = head;
    while (!__atomic_compare_exchange_n(&queue->head, &head, first, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
}

/** Whether there may be something to take. */
static inline bool hm_pool_remote_has(const struct hm_pool_remote *queue) {
    return __atomic_load_n(&queue->head, __ATOMIC_RELAXED) != NULL;
}

/** Take all. The owner, or who stands in for it. @return a chain that ends with NULL, or NULL */
static inline void *hm_pool_remote_take(struct hm_pool_remote *queue) {
    return __atomic_exchange_n(&queue->head, NULL, __ATOMIC_SEQ_CST);
}

/** Put a block in front. */
static inline void hm_pool_batch_add(struct hm_pool_batch *batch, void *block) {
    void **words = block;
    void **recent = &batch->recent[batch->added % HM_POOL_AHEAD];
    words[0] = batch->first;
    words[1] = batch->added++ < HM_POOL_AHEAD ? NULL : *recent;
    *recent = block;
    batch->first = block;
    if (batch->count++ == 0)
        batch->last = block;
}

/* For a write, which GCC's builtin asks for only where it knows that the processor can. x86-64 ones
 * that can not take it for no instruction. */
static inline void hm_pool_fetch(void *address) {
#ifdef __x86_64__
    __asm__ volatile("prefetchw (%0)" : : "r"(address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/** @return what follows the block in a chain that was taken */
static inline void *hm_pool_chain_next(void *block) {
    void **words = block;
    hm_pool_fetch(words[1]);
    return words[0];
}

#endif

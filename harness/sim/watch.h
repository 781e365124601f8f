/* A heap that watches the one below it: which blocks are out, whose they are, and when they come back.
 *
 * It changes neither sizes nor addresses; what it knows lies in libc's balanced tree. */
#ifndef HM_HARNESS_SIM_WATCH_H
#define HM_HARNESS_SIM_WATCH_H

#include "allocators/allocator.h"

struct hm_watch {
    struct hm_memory memory; /* what the watched user calls; points back to this structure */
    const struct hm_memory *inner;
    void *blocks;
    void (*freed)(void *arg, void *owner); /* a block that has an owner is about to be freed */
    void *arg;
};

/** Open, over an open heap that stays. Must not move until it is closed. One thread. */
void hm_watch_open(struct hm_watch *watch, const struct hm_memory *inner,
                   void (*freed)(void *arg, void *owner), void *arg);
/** Free all blocks that are still out, without telling. */
void hm_watch_close(struct hm_watch *watch);

/** The owner of the block that an address lies in. Setting it needs such a block; without a block or
 *  an owner, the answer is NULL. */
void hm_watch_own(struct hm_watch *watch, const void *address, void *owner);
void *hm_watch_owner(struct hm_watch *watch, const void *address);

#endif

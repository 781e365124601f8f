/* The shadow of a heap: what every live block must be, kept in memory of its own.
 *
 * Vocabulary
 *   id          names a block; chosen by the caller, below the shadow's number of ids
 *   generation  counts how often an id was filled
 *   key         of (salt, id, generation); it and the offset give each byte of the block's pattern
 *   reach       the bytes that no other block may touch: the requested ones, at least one, or the
 *               usable ones once they were asked for
 *
 * Invariants: live blocks form a treap by address, so that an overlap is found when a block is
 * taken, and not when it has done harm. Every byte of a live block is its pattern's. A shadow is
 * one thread's; nothing of it lies in the heap under test. */
#ifndef HM_HARNESS_VERIFY_SHADOW_H
#define HM_HARNESS_VERIFY_SHADOW_H

#include "harness/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hm_shadow_block {
    char *begin; /* NULL when the id is not live */
    size_t bytes;
    size_t reach;
    uint32_t generation;
    uint32_t priority; /* in the treap: never below those of the two subtrees */
    uint32_t left, right;
};

struct hm_shadow {
    struct hm_shadow_block *blocks; /* by id */
    uint32_t ids;
    uint32_t root;
    uint32_t live;
    size_t live_bytes; /* that were asked for */
    size_t
        last_bytes; /* of the block that was dropped last, which a realloc holds; or 0. These three
                          may be read by any thread */
    uint64_t salt;
};

/** @return 0, or ENOMEM. Shadows with other salts have other patterns. */
int hm_shadow_open(struct hm_shadow *shadow, uint32_t ids, uint64_t salt);
void hm_shadow_close(struct hm_shadow *shadow);

/** A new block: check its place against all live ones and its alignment, and fill it with its
 *  pattern. @param id not live  @param p not NULL  @return 0, or EFAULT with one line */
int hm_shadow_take(struct hm_shadow *shadow, uint32_t id, void *p, size_t bytes, size_t alignment,
                   struct hm_error *error);

/** Check all bytes of a live block. @return 0, or EBADMSG with one line that names the byte */
int hm_shadow_check(const struct hm_shadow *shadow, uint32_t id, struct hm_error *error);
int hm_shadow_check_all(const struct hm_shadow *shadow, struct hm_error *error);

/** Check a live block in full and forget it, good or bad: what must come before it is freed or
 *  reallocated. @param was receives the block; NULL is allowed  @return as hm_shadow_check */
int hm_shadow_drop(struct hm_shadow *shadow, uint32_t id, struct hm_shadow_block *was,
                   struct hm_error *error);

/** Forget a live block without a look at it. */
void hm_shadow_forget(struct hm_shadow *shadow, uint32_t id);

/** A block that was dropped is still there, as it was: after a realloc that failed.
 *  @return 0, EFAULT or EBADMSG with one line */
int hm_shadow_restore(struct hm_shadow *shadow, uint32_t id, const struct hm_shadow_block *was,
                      struct hm_error *error);

/** Check what a realloc kept, before the new block is taken.
 *  @param bytes min(old, new)  @return 0 or EBADMSG */
int hm_shadow_kept(const struct hm_shadow *shadow, uint32_t id, const struct hm_shadow_block *was,
                   const void *p, size_t bytes, struct hm_error *error);

/** A live block may be used for more bytes than were asked for: reserve and write them.
 *  @return 0; EFAULT when `usable` is too short, or its bytes are another block's */
int hm_shadow_stretch(struct hm_shadow *shadow, uint32_t id, size_t usable, struct hm_error *error);

static inline bool hm_shadow_is_live(const struct hm_shadow *shadow, uint32_t id) {
    return shadow->blocks[id].begin != NULL;
}

/** The pattern by itself, for blocks that travel between threads. */
uint64_t hm_pattern_key(uint64_t salt, uint32_t id, uint32_t generation);
void hm_pattern_fill(void *p, size_t bytes, uint64_t key);
/** @return offset of the first wrong byte, or `bytes` when all are right */
size_t hm_pattern_check(const void *p, size_t bytes, uint64_t key);
/** @return offset of the first byte that is not zero, or `bytes` */
size_t hm_zero_check(const void *p, size_t bytes);

#endif

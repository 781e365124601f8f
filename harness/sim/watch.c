/* A heap that watches the one below it.
 *
 * Invariant: blocks that are out do not overlap, so that "overlaps" is an equality that orders them, and
 * any address inside finds its block. */
#include "harness/sim/watch.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct block {
    uintptr_t begin;
    uintptr_t end;
    void *owner;
};

static struct hm_watch *watch_of(struct hm_heap *heap) {
    return (struct hm_watch *)(void *)heap;
}

static int compare(const void *a, const void *b) {
    const struct block *x = a, *y = b;
    return x->end <= y->begin ? -1 : x->begin >= y->end;
}

static struct block *find(struct hm_watch *watch, const void *address) {
    const struct block key = {.begin = (uintptr_t)address, .end = (uintptr_t)address + 1};
    struct block **found = (struct block **)tfind(&key, &watch->blocks, compare);
    return found ? *found : NULL;
}

/* @return the block, or NULL if it was NULL or could not be noted: then it is freed again */
static void *note(struct hm_watch *watch, void *address, size_t size) {
    struct block *block = address ? malloc(sizeof *block) : NULL;
    uintptr_t begin = (uintptr_t)address;
    if (block) {
        *block = (struct block){.begin = begin, .end = begin + (size ? size : 1)};
        if (tsearch(block, &watch->blocks, compare))
            return address;
    }
    free(block);
    hm_free(watch->inner, address);
    errno = ENOMEM;
    return NULL;
}

static void forget(struct hm_watch *watch, struct block *block) {
    tdelete(block, &watch->blocks, compare);
    free(block);
}

static void *watch_malloc(struct hm_heap *heap, size_t size) {
    struct hm_watch *watch = watch_of(heap);
    return note(watch, hm_malloc(watch->inner, size), size);
}

static void *watch_calloc(struct hm_heap *heap, size_t count, size_t size) {
    struct hm_watch *watch = watch_of(heap);
    return note(watch, hm_calloc(watch->inner, count, size), count * size);
}

static void *watch_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    struct hm_watch *watch = watch_of(heap);
    return note(watch, hm_aligned_alloc(watch->inner, alignment, size), size);
}

static void watch_free(struct hm_heap *heap, void *address) {
    struct hm_watch *watch = watch_of(heap);
    struct block *block = find(watch, address);
    if (block) {
        if (block->owner)
            watch->freed(watch->arg, block->owner);
        forget(watch, block);
    }
    hm_free(watch->inner, address);
}

/* A block that moved can not be noted for lack of memory only: it is lost to the caller then. */
static void *watch_realloc(struct hm_heap *heap, void *address, size_t size) {
    struct hm_watch *watch = watch_of(heap);
    struct block *block = address ? find(watch, address) : NULL;
    void *owner = block ? block->owner : NULL;
    void *moved = hm_realloc(watch->inner, address, size);
    if (!moved)
        return NULL;
    if (block)
        forget(watch, block);
    moved = note(watch, moved, size);
    hm_watch_own(watch, moved, owner);
    return moved;
}

static size_t watch_usable_size(struct hm_heap *heap, void *address) {
    return hm_usable_size(watch_of(heap)->inner, address);
}

void hm_watch_open(struct hm_watch *watch, const struct hm_memory *inner,
                   void (*freed)(void *arg, void *owner), void *arg) {
    *watch = (struct hm_watch){.inner = inner, .freed = freed, .arg = arg};
    watch->memory =
        (struct hm_memory){.allocator = inner->allocator,
                           .heap = (struct hm_heap *)(void *)watch,
                           .shape = HM_SHAPE_HEAP,
                           .calls = {watch_malloc, watch_calloc, watch_realloc, watch_aligned_alloc,
                                     watch_free, watch_usable_size}};
}

static void free_block(const void *node, VISIT visit, void *arg) {
    const struct block *block = *(struct block *const *)node;
    const struct hm_watch *watch = arg;
    if (visit == postorder || visit == leaf)
        hm_free(watch->inner, (void *)block->begin);
}

void hm_watch_close(struct hm_watch *watch) {
    twalk_r(watch->blocks, free_block, watch);
    tdestroy(watch->blocks, free);
    watch->blocks = NULL;
}

void hm_watch_own(struct hm_watch *watch, const void *address, void *owner) {
    struct block *block = find(watch, address);
    if (block)
        block->owner = owner;
}

void *hm_watch_owner(struct hm_watch *watch, const void *address) {
    const struct block *block = find(watch, address);
    return block ? block->owner : NULL;
}

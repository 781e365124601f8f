/* The hot paths of a `pool` heap, to be built into the functions of each way to keep threads apart.
 *
 * `take` and `put` know nothing of threads. What comes after them knows neither locks nor geometry: a
 * `struct hm_pool_ways` says how a block is had. All its values are constants, so that nothing is
 * called by pointer.
 *
 * A free list that ends is no event. The next malloc that comes there finds out whether the pool
 * is full or has blocks to carve, so that one test tells a malloc all that it must know. */
#ifndef HM_ALLOCATORS_POOL_BLOCKS_H
#define HM_ALLOCATORS_POOL_BLOCKS_H

#include "allocators/pool_heap.h"

#include <errno.h>
#include <string.h>

#define HM_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define HM_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

static inline bool is_small(const struct hm_heap *heap, size_t size) {
    return HM_LIKELY(size - 1 < heap->max);
}

/* Of the heap whose arena the block lies in; 0: of none. The table needs no lock: the byte of a
 * block's arena was set before the block was handed out, and stays until it is back. */
static inline uint8_t owner_id(const struct hm_heap *heap, const void *block, unsigned arena_bits) {
    return __atomic_load_n(&heap->owned[(uintptr_t)block >> arena_bits], __ATOMIC_RELAXED);
}

static inline bool is_ours(const struct hm_heap *heap, const void *block, unsigned arena_bits) {
    return owner_id(heap, block, arena_bits);
}

static inline struct hm_pool *pool_of(const void *block, unsigned arena_bits, unsigned pool_bits) {
    uintptr_t arena_bytes = (uintptr_t)1 << arena_bits;
    uintptr_t base = (uintptr_t)block & -arena_bytes;
    uintptr_t index = ((uintptr_t)block & (arena_bytes - 1)) >> pool_bits;
    uintptr_t headers = arena_bytes + offsetof(struct hm_pool_arena, pools);
    return (struct hm_pool *)(base + index * sizeof(struct hm_pool) + headers);
}

/* `pool` is the head of its class, and `block`, not NULL, that of its free list. */
static inline void *pop(struct hm_pool *pool, void *block) {
    pool->free = *(void **)block;
    pool->used++;
    return block;
}

/* `size` is small; `take_first` serves a class whose head has nothing on its free list. */
static inline void *take(struct hm_heap *heap, size_t size,
                         void *(*take_first)(struct hm_heap *, struct hm_pool_class *)) {
    struct hm_pool_class *class = &heap->classes[(size - 1) >> HM_POOL_STEP_BITS];
    struct hm_pool *pool = class->head;
    void *block = pool->free;
    return HM_LIKELY(block) ? pop(pool, block) : take_first(heap, class);
}

/* `block` is this heap's. */
static inline void put(struct hm_heap *heap, void *block, unsigned arena_bits, unsigned pool_bits) {
    struct hm_pool *pool = pool_of(block, arena_bits, pool_bits);
    void *next = pool->free;
    *(void **)block = next;
    pool->free = block;
    if (HM_UNLIKELY(--pool->used == 0))
        hm_pool_drain(heap, pool);
    else if (HM_UNLIKELY(!next))
        hm_pool_refill(heap, pool);
}

/* ---- Blocks of the inner heap ---- */

/* There are so many more of them. */
typedef void count_inner(struct hm_heap *heap, uint64_t blocks, uint64_t bytes);

static inline void *counted(struct hm_heap *heap, void *block, count_inner *count) {
    if (block)
        count(heap, 1, hm_usable_size(&heap->inner, block));
    return block;
}

static inline void *take_inner(struct hm_heap *heap, size_t size, count_inner *count) {
    return counted(heap, hm_malloc(&heap->inner, size), count);
}

static inline void put_inner(struct hm_heap *heap, void *block, count_inner *count) {
    if (!block)
        return;
    count(heap, -(uint64_t)1, -(uint64_t)hm_usable_size(&heap->inner, block));
    hm_free(&heap->inner, block);
}

/* Never to 0 bytes, for which some inner heaps would free the block and return NULL. */
static inline void *resize_inner(struct hm_heap *heap, void *block, size_t size,
                                 count_inner *count) {
    uint64_t old = hm_usable_size(&heap->inner, block);
    void *moved = hm_realloc(&heap->inner, block, size ? size : 1);
    if (moved)
        count(heap, 0, hm_usable_size(&heap->inner, moved) - old);
    return moved;
}

/* For a class whose head has nothing on its free list. */
static inline void *start_and_take(struct hm_heap *heap, struct hm_pool_class *class,
                                   count_inner *count) {
    if (hm_pool_start(heap, class))
        return pop(class->head, class->head->free);
    return take_inner(heap, class->bytes, count);
}

/* ---- The rest of the family ---- */

struct hm_pool_ways {
    void *(*take)(struct hm_heap *heap, size_t size); /* any size */
    void (*put)(struct hm_heap *heap, void *block);   /* any block, or NULL */
    count_inner *count;
};

static inline size_t usable_size(struct hm_heap *heap, void *block) {
    if (!is_ours(heap, block, heap->arena_bits))
        return block ? hm_usable_size(&heap->inner, block) : 0;
    return heap->classes[pool_of(block, heap->arena_bits, heap->pool_bits)->class].bytes;
}

static inline void *zeroed(struct hm_heap *heap, size_t count, size_t size,
                           struct hm_pool_ways ways) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (!is_small(heap, bytes))
        return counted(heap, hm_calloc(&heap->inner, count, size), ways.count);
    void *block = ways.take(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

/* A block stays unless it shrinks by a quarter or more. Source: pymalloc_realloc. */
static inline void *resized(struct hm_heap *heap, void *block, size_t size,
                            struct hm_pool_ways ways) {
    if (!block)
        return ways.take(heap, size);
    if (!is_ours(heap, block, heap->arena_bits))
        return resize_inner(heap, block, size, ways.count);
    size_t old = usable_size(heap, block);
    if (size <= old && 4 * size > 3 * old)
        return block;
    void *moved = ways.take(heap, size);
    if (moved) {
        memcpy(moved, block, size < old ? size : old);
        ways.put(heap, block);
    }
    return moved;
}

static inline void *aligned(struct hm_heap *heap, size_t alignment, size_t size,
                            struct hm_pool_ways ways) {
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= 16)
        return ways.take(heap, size);
    return counted(heap, hm_aligned_alloc(&heap->inner, alignment, size), ways.count);
}

/* The functions NAME_calloc, NAME_realloc and NAME_aligned_alloc on NAME_malloc, NAME_free and
 * NAME_count. */
#define HM_POOL_FAMILY(NAME, COUNT)                                                                \
    static const struct hm_pool_ways NAME##_ways = {NAME##_malloc, NAME##_free, COUNT};            \
    static void *NAME##_calloc(struct hm_heap *heap, size_t count, size_t size) {                  \
        return zeroed(heap, count, size, NAME##_ways);                                             \
    }                                                                                              \
    static void *NAME##_realloc(struct hm_heap *heap, void *block, size_t size) {                  \
        return resized(heap, block, size, NAME##_ways);                                            \
    }                                                                                              \
    static void *NAME##_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {       \
        return aligned(heap, alignment, size, NAME##_ways);                                        \
    }

#define HM_POOL_CALLS(NAME)                                                                        \
    (struct hm_heap_calls) {                                                                       \
        NAME##_malloc, NAME##_calloc, NAME##_realloc, NAME##_aligned_alloc, NAME##_free,           \
            usable_size,                                                                           \
    }

#endif

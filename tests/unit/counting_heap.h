/* A heap for tests that knows everything about its blocks, and can run out of memory on demand.
 *
 * There is one, so that both shapes of calls can reach it. Each block carries a header with its
 * size, its number (blocks are numbered from 1 in the order of allocation) and its thread. The
 * digest covers the whole sequence of calls: two equal digests mean the same operations. */
#ifndef HM_TESTS_UNIT_COUNTING_HEAP_H
#define HM_TESTS_UNIT_COUNTING_HEAP_H

#include "allocators/allocator.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    FREED_KEPT = 256,
};

struct block_header {
    struct block_header *newer; /* live blocks are in a ring */
    struct block_header *older;
    size_t size;
    uint32_t number;
    uint32_t thread;
};

static struct {
    pthread_mutex_t lock;
    uint64_t allocations; /* that were asked for, since the last clearing */
    uint64_t fail_from;   /* the number of the first one to be refused; 0: none */
    uint64_t fail_count;  /* and how many are refused */
    uint64_t live_blocks;
    uint64_t live_bytes;
    uint64_t foreign_frees; /* by another thread than the one that allocated */
    uint64_t digest;
    size_t smallest;
    size_t largest;
    uint32_t freed[FREED_KEPT]; /* numbers of the blocks that were freed first */
    size_t freed_count;
    unsigned threads; /* that have been seen */
    unsigned entered;
    unsigned left;
    struct block_header blocks; /* the ring's head */
} counted = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .blocks = {.newer = &counted.blocks, .older = &counted.blocks}};

static __thread uint32_t counted_thread;

/* Forget what was counted, and what was to be refused; the live blocks stay. */
static inline void count_clear(void) {
    counted.allocations = counted.fail_from = counted.fail_count = 0;
    counted.foreign_frees = counted.digest = 0;
    counted.smallest = SIZE_MAX;
    counted.largest = counted.freed_count = 0;
    counted.entered = counted.left = 0;
}

/* Refuse `count` allocations from the n-th after this call on. */
static inline void count_fail(uint64_t n, uint64_t count) {
    counted.fail_from = counted.allocations + n;
    counted.fail_count = count;
}

static inline void count_thread(void) {
    if (!counted_thread)
        counted_thread = ++counted.threads;
}

static inline bool count_refuses(void) {
    uint64_t number = ++counted.allocations;
    return counted.fail_from && number >= counted.fail_from &&
           number - counted.fail_from < counted.fail_count;
}

static inline void count_allocation(struct block_header *block, size_t size) {
    struct block_header *head = &counted.blocks;
    count_thread();
    *block = (struct block_header){head, head->older, size, (uint32_t)counted.allocations,
                                   counted_thread};
    head->older->newer = block;
    head->older = block;
    counted.live_blocks++;
    counted.live_bytes += size;
    counted.digest = hm_mix(counted.digest + size);
    counted.smallest = size < counted.smallest ? size : counted.smallest;
    counted.largest = size > counted.largest ? size : counted.largest;
}

static inline void count_free(struct block_header *block) {
    count_thread();
    block->newer->older = block->older;
    block->older->newer = block->newer;
    counted.foreign_frees += block->thread != counted_thread;
    counted.live_blocks--;
    counted.live_bytes -= block->size;
    counted.digest = hm_mix(counted.digest ^ block->number);
    if (counted.freed_count < FREED_KEPT)
        counted.freed[counted.freed_count++] = block->number;
}

static inline void *counted_malloc(size_t size) {
    pthread_mutex_lock(&counted.lock);
    struct block_header *block = count_refuses() ? NULL : malloc(sizeof *block + size);
    if (block)
        count_allocation(block, size);
    else
        errno = ENOMEM;
    pthread_mutex_unlock(&counted.lock);
    return block ? block + 1 : NULL;
}

static inline void counted_free(void *pointer) {
    if (!pointer)
        return;
    struct block_header *block = (struct block_header *)pointer - 1;
    pthread_mutex_lock(&counted.lock);
    count_free(block);
    pthread_mutex_unlock(&counted.lock);
    free(block);
}

/* Free all blocks, as a heap does when it closes. */
static inline void count_close(void) {
    while (counted.live_blocks)
        counted_free(counted.blocks.newer + 1);
}

static inline void *counted_calloc(size_t count, size_t size) {
    size_t bytes;
    void *block = __builtin_mul_overflow(count, size, &bytes) ? NULL : counted_malloc(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

static inline size_t counted_usable_size(void *block) {
    return block ? ((struct block_header *)block - 1)->size : 0;
}

static inline void *counted_realloc(void *block, size_t size) {
    void *moved = counted_malloc(size);
    if (!moved || !block)
        return moved;
    size_t old = counted_usable_size(block);
    memcpy(moved, block, old < size ? old : size);
    counted_free(block);
    return moved;
}

static inline void *counted_aligned_alloc(size_t alignment, size_t size) {
    if (alignment <= 16)
        return counted_malloc(size);
    errno = EINVAL;
    return NULL;
}

static inline void *counted_heap_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    return counted_malloc(size);
}

static inline void *counted_heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    return counted_calloc(count, size);
}

static inline void *counted_heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    (void)heap;
    return counted_realloc(block, size);
}

static inline void *counted_heap_aligned_alloc(struct hm_heap *heap, size_t alignment,
                                               size_t size) {
    (void)heap;
    return counted_aligned_alloc(alignment, size);
}

static inline void counted_heap_free(struct hm_heap *heap, void *block) {
    (void)heap;
    counted_free(block);
}

static inline size_t counted_heap_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return counted_usable_size(block);
}

static inline int counted_enter(struct hm_heap *heap) {
    (void)heap;
    __atomic_fetch_add(&counted.entered, 1, __ATOMIC_RELAXED);
    return 0;
}

static inline void counted_leave(struct hm_heap *heap) {
    (void)heap;
    __atomic_fetch_add(&counted.left, 1, __ATOMIC_RELAXED);
}

static const struct hm_allocator counted_allocator = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "counted",
    .summary = "a heap that knows everything about its blocks",
    .caps = HM_CAP_THREADS,
    .enter = counted_enter,
    .leave = counted_leave,
};

/* The heap as one of the two shapes. */
static inline struct hm_memory counted_memory(int shape) {
    struct hm_memory memory = {.allocator = &counted_allocator, .shape = shape};
    if (shape == HM_SHAPE_LIBC)
        memory.libc =
            (struct hm_libc_calls){counted_malloc,        counted_calloc, counted_realloc,
                                   counted_aligned_alloc, counted_free,   counted_usable_size};
    else
        memory.calls = (struct hm_heap_calls){counted_heap_malloc,  counted_heap_calloc,
                                              counted_heap_realloc, counted_heap_aligned_alloc,
                                              counted_heap_free,    counted_heap_usable_size};
    return memory;
}

#endif

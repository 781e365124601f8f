/* The heap under a collector that is checked. */
#include "harness/verify_gc/poison.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRANULE = 16,
    GUARD = 16,
    BLOCKS_MAX = 1 << 22,
    FRESH = 0xCD,
    DEAD = 0xDD,
    FENCE = 0xFD,
};

static const size_t arena_bytes = (size_t)4 << 30;

static struct hm_poison *poison_of(struct hm_heap *heap) {
    return (struct hm_poison *)(void *)heap;
}

static bool may_allocate(struct hm_poison *heap) {
    if (heap->allowed > 0) {
        heap->allowed--;
        return true;
    }
    heap->failures++;
    if (heap->once)
        hm_poison_unlimit(heap);
    return false;
}

static void *take(struct hm_poison *heap, size_t alignment, size_t size) {
    size_t begin = (heap->used + alignment - 1) & -alignment;
    if (!may_allocate(heap) || heap->count == BLOCKS_MAX || size > arena_bytes ||
        begin + size + GUARD > arena_bytes) {
        errno = ENOMEM;
        return NULL;
    }
    struct hm_poison_block *block = &heap->blocks[heap->count++];
    *block = (struct hm_poison_block){
        .begin = heap->arena + begin, .size = size, .owner = HM_POISON_NOBODY, .live = true};
    heap->used = begin + ((size + GUARD + GRANULE - 1) & ~(size_t)(GRANULE - 1));
    heap->live_blocks++;
    memset(block->begin, FRESH, size);
    memset(block->begin + size, FENCE, GUARD);
    return block->begin;
}

static void *poison_malloc(struct hm_heap *heap, size_t size) {
    return take(poison_of(heap), GRANULE, size);
}

static void *poison_calloc(struct hm_heap *heap, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    void *p = take(poison_of(heap), GRANULE, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static void *poison_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    return take(poison_of(heap), alignment < GRANULE ? GRANULE : alignment, size);
}

/* The last block that begins at or before an address. */
static struct hm_poison_block *find(const struct hm_poison *heap, const void *address) {
    size_t low = 0, high = heap->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uintptr_t)heap->blocks[middle].begin <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &heap->blocks[low - 1] : NULL;
}

static void poison_free(struct hm_heap *handle, void *address) {
    struct hm_poison *heap = poison_of(handle);
    struct hm_poison_block *block = address ? find(heap, address) : NULL;
    if (!address)
        return;
    if (!block || block->begin != address || !block->live) {
        heap->bad_free(heap->arg, !block || block->begin != address
                                      ? "memory was freed that is no block of the heap"
                                      : "a block was freed twice");
        return;
    }
    if (block->owner != HM_POISON_NOBODY)
        heap->freed(heap->arg, block->owner);
    block->live = false;
    heap->live_blocks--;
    memset(block->begin, DEAD, block->size);
}

static void *poison_realloc(struct hm_heap *heap, void *address, size_t size) {
    void *moved = poison_malloc(heap, size);
    const struct hm_poison_block *block = address ? find(poison_of(heap), address) : NULL;
    if (moved && block)
        memcpy(moved, address, block->size < size ? block->size : size);
    if (moved)
        poison_free(heap, address);
    return moved;
}

static size_t poison_usable_size(struct hm_heap *heap, void *address) {
    const struct hm_poison_block *block = address ? find(poison_of(heap), address) : NULL;
    return block ? block->size : 0;
}

static const struct hm_allocator poison = {
    .name = "poison", .summary = "remembers its blocks", .alignment = GRANULE};

int hm_poison_open(struct hm_poison *heap) {
    const size_t table_bytes = BLOCKS_MAX * sizeof *heap->blocks;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    *heap = (struct hm_poison){.allowed = UINT64_MAX};
    heap->memory =
        (struct hm_memory){.allocator = &poison,
                           .heap = (struct hm_heap *)(void *)heap,
                           .shape = HM_SHAPE_HEAP,
                           .calls = {poison_malloc, poison_calloc, poison_realloc,
                                     poison_aligned_alloc, poison_free, poison_usable_size}};
    heap->arena = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (heap->arena == MAP_FAILED)
        return ENOMEM;
    heap->blocks = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (heap->blocks != MAP_FAILED)
        return 0;
    munmap(heap->arena, arena_bytes);
    return ENOMEM;
}

void hm_poison_close(struct hm_poison *heap) {
    munmap(heap->arena, arena_bytes);
    munmap(heap->blocks, BLOCKS_MAX * sizeof *heap->blocks);
}

void hm_poison_limit(struct hm_poison *heap, uint64_t allowed, bool once) {
    heap->allowed = allowed;
    heap->once = once;
}

void hm_poison_unlimit(struct hm_poison *heap) {
    heap->allowed = UINT64_MAX;
    heap->once = false;
}

bool hm_poison_own(struct hm_poison *heap, const void *address, int owner) {
    struct hm_poison_block *block = find(heap, address);
    if (!block || !block->live || block->owner != HM_POISON_NOBODY ||
        (const char *)address >= block->begin + block->size)
        return false;
    block->owner = owner;
    return true;
}

uint64_t hm_poison_unowned(const struct hm_poison *heap) {
    uint64_t count = 0;
    for (size_t i = 0; i < heap->count; i++)
        count += heap->blocks[i].live && heap->blocks[i].owner == HM_POISON_NOBODY;
    return count;
}

static bool is_full_of(const char *bytes, size_t count, int value) {
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)bytes[i] != value)
            return false;
    return true;
}

const char *hm_poison_find_damage(const struct hm_poison *heap) {
    for (size_t i = 0; i < heap->count; i++) {
        const struct hm_poison_block *block = &heap->blocks[i];
        if (!is_full_of(block->begin + block->size, GUARD, FENCE))
            return "something was written behind the end of a block";
        if (!block->live && !is_full_of(block->begin, block->size, DEAD))
            return "something was written to a block after it was freed";
    }
    return NULL;
}

/* A region: blocks are cut off the front of a chunk, and given back all together.
 *
 * free gives memory back only when it is the last block that was cut; all other blocks stay until
 * their scope ends, at reset or hm_region_release. So does the old place of a block that realloc
 * moved; the last block grows where it is.
 *
 * Invariants
 *   The 8 bytes before a block hold its size, rounded so that the header of a next block may follow
 * at once. Chunks form a list, the newest first, and only that one is cut. A request that does not
 * fit into a chunk gets one of its own. Chunks of the usual size that a release gave back are kept
 * as spares, until close.
 *
 * Sources: Hanson 1990, Fast allocation and deallocation of memory based on object lifetimes; GNU
 * obstacks. */
#include "allocators/region.h"

#include "allocators/layer.h"

#include <string.h>

enum {
    ALIGNMENT = 16,
    HEADER_BYTES = sizeof(size_t),
};

enum {
    PARAM_CHUNK,
    PARAM_LIMIT,
};

/* At the start of each chunk. */
struct hm_region_chunk {
    struct hm_region_chunk *older;
    size_t bytes;
};

struct hm_heap {
    uintptr_t next; /* the unused rest of the newest chunk */
    uintptr_t end;
    uintptr_t last; /* the block that was cut last; 0: none, or it was freed */
    struct hm_region_chunk *chunk;
    struct hm_region_chunk *spare;
    size_t chunk_bytes;
    size_t limit;
    size_t footprint;
    size_t chunks;
};

static size_t *size_of(void *block) {
    return (size_t *)block - 1;
}

static uintptr_t align(uintptr_t at, size_t alignment) {
    return (at + alignment - 1) & ~(uintptr_t)(alignment - 1);
}

/* What a request takes, so that the next header lies right behind it. 0: more than there can be */
static size_t round_up(size_t size) {
    return size > (size_t)PTRDIFF_MAX / 2 ? 0
                                          : align(size + HEADER_BYTES, ALIGNMENT) - HEADER_BYTES;
}

static bool push_chunk(struct hm_heap *heap, size_t bytes) {
    struct hm_region_chunk *chunk = heap->spare;
    if (bytes == heap->chunk_bytes && chunk) {
        heap->spare = chunk->older;
    } else {
        if (bytes > heap->limit || heap->footprint > heap->limit - bytes)
            return false;
        chunk = hm_layer_map(bytes);
        if (!chunk)
            return false;
        heap->footprint += bytes;
        heap->chunks++;
    }
    *chunk = (struct hm_region_chunk){heap->chunk, bytes};
    heap->chunk = chunk;
    heap->next = (uintptr_t)(chunk + 1);
    heap->end = (uintptr_t)chunk + bytes;
    return true;
}

static void unmap_chunk(struct hm_heap *heap, struct hm_region_chunk *chunk) {
    heap->footprint -= chunk->bytes;
    heap->chunks--;
    hm_layer_unmap(chunk, chunk->bytes);
}

static void pop_chunk(struct hm_heap *heap) {
    struct hm_region_chunk *chunk = heap->chunk;
    heap->chunk = chunk->older;
    if (chunk->bytes != heap->chunk_bytes) {
        unmap_chunk(heap, chunk);
        return;
    }
    chunk->older = heap->spare;
    heap->spare = chunk;
}

__attribute__((noinline, cold)) static bool refill(struct hm_heap *heap, size_t bytes,
                                                   size_t alignment) {
    size_t needed = sizeof(struct hm_region_chunk) + HEADER_BYTES + alignment + bytes;
    return push_chunk(heap, needed > heap->chunk_bytes ? align(needed, 4096) : heap->chunk_bytes);
}

static inline void *cut(struct hm_heap *heap, size_t size, size_t alignment) {
    size_t bytes = round_up(size);
    if (!bytes || alignment > (size_t)PTRDIFF_MAX / 2)
        return hm_layer_no_memory();
    uintptr_t begin = align(heap->next + HEADER_BYTES, alignment);
    if (begin > heap->end || bytes > heap->end - begin) {
        if (!refill(heap, bytes, alignment))
            return hm_layer_no_memory();
        begin = align(heap->next + HEADER_BYTES, alignment);
    }
    heap->next = begin + bytes;
    heap->last = begin;
    *size_of((void *)begin) = bytes;
    return (void *)begin;
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    return cut(heap, size, ALIGNMENT);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return hm_layer_no_memory();
    void *block = cut(heap, bytes, ALIGNMENT);
    return block ? memset(block, 0, bytes) : NULL;
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    if (!hm_layer_is_power(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return cut(heap, size, alignment > ALIGNMENT ? alignment : ALIGNMENT);
}

/* The last block grows or shrinks in place. @return whether it could */
static bool resize_last(struct hm_heap *heap, void *block, size_t bytes) {
    if ((uintptr_t)block != heap->last || bytes > heap->end - heap->last)
        return false;
    *size_of(block) = bytes;
    heap->next = heap->last + bytes;
    return true;
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    size_t bytes = round_up(size);
    if (!block)
        return cut(heap, size, ALIGNMENT);
    if (!bytes)
        return hm_layer_no_memory();
    size_t old = *size_of(block);
    if (resize_last(heap, block, bytes) || bytes <= old)
        return block;
    void *moved = cut(heap, size, ALIGNMENT);
    return moved ? memcpy(moved, block, old) : NULL;
}

static void heap_free(struct hm_heap *heap, void *block) {
    if (!block || (uintptr_t)block != heap->last)
        return;
    heap->next = heap->last - HEADER_BYTES;
    heap->last = 0;
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return block ? *size_of(block) : 0;
}

struct hm_region_mark hm_region_mark(const struct hm_heap *heap) {
    return (struct hm_region_mark){heap->chunk, heap->next};
}

void hm_region_release(struct hm_heap *heap, struct hm_region_mark mark) {
    while (heap->chunk != mark.chunk)
        pop_chunk(heap);
    heap->last = 0;
    heap->next = mark.next;
    heap->end = mark.chunk ? (uintptr_t)mark.chunk + mark.chunk->bytes : 0;
}

static void reset(struct hm_heap *heap) {
    hm_region_release(heap, (struct hm_region_mark){NULL, 0});
}

/* Which blocks of a scope are still in use, a region never knows. */
static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    *out = (struct hm_heap_stats){
        .footprint_bytes = heap->footprint + sizeof *heap,
        .live_bytes = HM_UNKNOWN,
        .live_blocks = HM_UNKNOWN,
        .arenas = heap->chunks,
        .metadata_bytes = HM_UNKNOWN,
        .bad_frees = HM_UNKNOWN,
    };
}

static void close_heap(struct hm_heap *heap) {
    reset(heap);
    while (heap->spare) {
        struct hm_region_chunk *chunk = heap->spare;
        heap->spare = chunk->older;
        unmap_chunk(heap, chunk);
    }
    hm_layer_unmap(heap, sizeof *heap);
}

static const struct hm_param params[] = {
    [PARAM_CHUNK] = {.name = "chunk",
                     .unit = "bytes",
                     .help = "what is mapped at a time, rounded up to pages",
                     .kind = HM_PARAM_BYTES,
                     .initial = 1 << 20,
                     .min = 4096,
                     .max = INT64_C(1) << 40},
    [PARAM_LIMIT] = {.name = "limit",
                     .unit = "bytes",
                     .help = "most that is mapped at once; what does not fit is out of memory",
                     .kind = HM_PARAM_BYTES,
                     .initial = INT64_C(4) << 30,
                     .min = 4096,
                     .max = INT64_C(1) << 46},
    {.name = NULL},
};

static const struct hm_allocator hm_region;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->chunk_bytes = align((size_t)options->params[PARAM_CHUNK].number, 4096);
    heap->limit = (size_t)options->params[PARAM_LIMIT].number;
    *out = (struct hm_memory){
        .allocator = &hm_region,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_region = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "region",
    .summary = "a bump allocator: blocks go all together, at the end of their scope",
    .origin = "Hanson 1990, Fast allocation and deallocation based on object lifetimes; obstacks",
    .params = params,
    .caps = HM_CAP_RESET | HM_CAP_NO_REUSE,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
    .reset = reset,
};
HM_REGISTER(hm_allocator, hm_region);

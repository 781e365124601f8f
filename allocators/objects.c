/* A pool of objects of one size: what a program with one hot type writes for itself.
 *
 * Requests up to `size` bytes take an object, all others go to the inner heap, and so do those for
 * which there is no place left. Objects lie side by side in one reserved range of addresses, without
 * headers, so whose a pointer is takes one comparison; the range is made usable `chunk` bytes at a
 * time. A freed object goes on a list, whose links lie in the objects; the last one freed is the
 * first one handed out. What the pool has, it keeps.
 *
 * Source: Kernighan and Ritchie's fixed-size lists; CPython's free lists of floats and tuples. */
#include "allocators/layer.h"

#include <string.h>

enum {
    ALIGNMENT = 16,
};

enum {
    PARAM_SIZE,
    PARAM_CHUNK,
    PARAM_RESERVE,
};

struct object {
    struct object *next;
};

struct hm_heap {
    struct object *free;
    size_t size; /* of every object */
    char *next;  /* objects from here to usable were never handed out */
    char *usable;
    char *begin;
    char *end;
    size_t chunk;
    uint64_t live;
    struct hm_memory inner;
};

static bool is_object(const struct hm_heap *heap, const void *block) {
    return (uintptr_t)block - (uintptr_t)heap->begin < (uintptr_t)(heap->end - heap->begin);
}

__attribute__((noinline, cold)) static bool extend(struct hm_heap *heap) {
    size_t left = (size_t)(heap->end - heap->usable);
    size_t more = left < heap->chunk ? left : heap->chunk;
    if (!more || mprotect(heap->usable, more, PROT_READ | PROT_WRITE))
        return false;
    heap->usable += more;
    return true;
}

/* An object that was never handed out, or NULL. */
static void *carve(struct hm_heap *heap) {
    while ((size_t)(heap->usable - heap->next) < heap->size)
        if (!extend(heap))
            return NULL;
    void *object = heap->next;
    heap->next += heap->size;
    return object;
}

/* @return NULL for what the inner heap has to serve */
static inline void *take(struct hm_heap *heap, size_t size) {
    struct object *object = heap->free;
    if (size > heap->size)
        return NULL;
    if (object)
        heap->free = object->next;
    else
        object = carve(heap);
    heap->live += object != NULL;
    return object;
}

static inline void put(struct hm_heap *heap, void *block) {
    struct object *object = block;
    object->next = heap->free;
    heap->free = object;
    heap->live--;
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    void *block = take(heap, size);
    return block ? block : hm_malloc(&heap->inner, size);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return hm_layer_no_memory();
    void *block = take(heap, bytes);
    return block ? memset(block, 0, bytes) : hm_calloc(&heap->inner, 1, bytes);
}

static void heap_free(struct hm_heap *heap, void *block) {
    if (is_object(heap, block))
        put(heap, block);
    else
        hm_free(&heap->inner, block);
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    if (!block)
        return heap_malloc(heap, size);
    if (!is_object(heap, block))
        return hm_realloc(&heap->inner, block, size ? size : 1);
    if (size <= heap->size)
        return block;
    void *moved = hm_malloc(&heap->inner, size);
    if (moved) {
        memcpy(moved, block, heap->size);
        put(heap, block);
    }
    return moved;
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    return alignment <= ALIGNMENT && hm_layer_is_power(alignment)
               ? heap_malloc(heap, size)
               : hm_layer_aligned_alloc(&heap->inner, alignment, size);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    return is_object(heap, block) ? heap->size : hm_usable_size(&heap->inner, block);
}

/* The pool's own numbers, and the inner heap's where it tells them. */
static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    hm_layer_stats(&heap->inner, out);
    out->footprint_bytes =
        hm_layer_least(out->footprint_bytes, (uint64_t)(heap->usable - heap->begin) + sizeof *heap);
    out->live_bytes = hm_layer_least(out->live_bytes, heap->live * heap->size);
    out->live_blocks = hm_layer_least(out->live_blocks, heap->live);
    out->arenas = hm_layer_least(out->arenas, 1);
    out->metadata_bytes = hm_layer_least(out->metadata_bytes, sizeof *heap);
}

static void close_heap(struct hm_heap *heap) {
    munmap(heap->begin, (size_t)(heap->end - heap->begin));
    hm_layer_unmap(heap, sizeof *heap);
}

static const struct hm_param params[] = {
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help = "size of an object, rounded up to 16",
                    .kind = HM_PARAM_BYTES,
                    .initial = 64,
                    .min = 1,
                    .max = 1 << 20},
    [PARAM_CHUNK] = {.name = "chunk",
                     .unit = "bytes",
                     .help = "what the pool grows by, rounded up to pages",
                     .kind = HM_PARAM_BYTES,
                     .initial = 1 << 20,
                     .min = 4096,
                     .max = INT64_C(1) << 40},
    [PARAM_RESERVE] = {.name = "reserve",
                       .unit = "bytes",
                       .help = "addresses for objects, rounded up to pages; not memory",
                       .kind = HM_PARAM_BYTES,
                       .initial = INT64_C(16) << 30,
                       .min = 4096,
                       .max = INT64_C(1) << 46},
    {.name = NULL},
};

static const struct hm_allocator hm_objects;

static size_t round_up(const struct hm_value *value, size_t unit) {
    return ((size_t)value->number + unit - 1) & ~(unit - 1);
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    size_t reserve = round_up(&options->params[PARAM_RESERVE], 4096);
    char *begin =
        mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED)
        return errno;
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap) {
        munmap(begin, reserve);
        return ENOMEM;
    }
    *heap = (struct hm_heap){.size = round_up(&options->params[PARAM_SIZE], ALIGNMENT),
                             .next = begin,
                             .usable = begin,
                             .begin = begin,
                             .end = begin + reserve,
                             .chunk = round_up(&options->params[PARAM_CHUNK], 4096),
                             .inner = *options->inner};
    *out = (struct hm_memory){
        .allocator = &hm_objects,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_objects = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "objects",
    .summary = "layer: a pool of objects of one size; larger requests go through",
    .origin = "textbook; CPython's free lists",
    .params = params,
    .caps = HM_CAP_LAYER,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_objects);

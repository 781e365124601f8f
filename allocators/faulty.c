/* Makes allocations fail at known places: for tests of what a program does when memory runs out.
 *
 * malloc, calloc, realloc and aligned_alloc are counted together, from 1, whether they fail or not;
 * which of them fail depends on the number alone, so a run on one thread fails the same way each
 * time. A request that fails does not reach the inner heap. */
#include "allocators/layer.h"

enum {
    PARAM_NTH,
    PARAM_EVERY,
    PARAM_PERCENT,
    PARAM_SEED,
};

struct hm_heap {
    struct hm_memory inner;
    uint64_t nth;
    uint64_t every;
    uint64_t percent;
    uint64_t seed;
    uint64_t count; /* atomic */
};

/* A number in 0 .. 99 for each (seed, n): splitmix64 (Vigna 2015). */
static uint64_t draw(uint64_t seed, uint64_t n) {
    uint64_t z = seed + n * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (uint64_t)(((unsigned __int128)z * 100) >> 64);
}

static bool fails(struct hm_heap *heap) {
    uint64_t n = __atomic_add_fetch(&heap->count, 1, __ATOMIC_RELAXED);
    bool failing = n == heap->nth || (heap->every && n % heap->every == 0) ||
                   (heap->percent && draw(heap->seed, n) < heap->percent);
    if (failing)
        errno = ENOMEM;
    return failing;
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    return fails(heap) ? NULL : hm_malloc(&heap->inner, size);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    return fails(heap) ? NULL : hm_calloc(&heap->inner, count, size);
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    return fails(heap) ? NULL : hm_realloc(&heap->inner, block, size);
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    return fails(heap) ? NULL : hm_layer_aligned_alloc(&heap->inner, alignment, size);
}

static void heap_free(struct hm_heap *heap, void *block) {
    hm_free(&heap->inner, block);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    return hm_usable_size(&heap->inner, block);
}

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    hm_layer_stats(&heap->inner, out);
}

static void close_heap(struct hm_heap *heap) {
    hm_layer_unmap(heap, sizeof *heap);
}

static const struct hm_param params[] = {
    [PARAM_NTH] = {.name = "nth",
                   .unit = "allocations",
                   .help = "this one fails, counted from 1; 0: none",
                   .kind = HM_PARAM_COUNT,
                   .max = INT64_MAX},
    [PARAM_EVERY] = {.name = "every",
                     .unit = "allocations",
                     .help = "each one with a multiple of this number fails; 0: none",
                     .kind = HM_PARAM_COUNT,
                     .max = INT64_MAX},
    [PARAM_PERCENT] = {.name = "percent",
                       .unit = "%",
                       .help = "each one fails with this probability",
                       .kind = HM_PARAM_COUNT,
                       .max = 100},
    [PARAM_SEED] = {.name = "seed",
                    .unit = "",
                    .help = "which ones percent means",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1,
                    .max = INT64_MAX},
    {.name = NULL},
};

static const struct hm_allocator hm_faulty;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->inner = *options->inner;
    heap->nth = (uint64_t)options->params[PARAM_NTH].number;
    heap->every = (uint64_t)options->params[PARAM_EVERY].number;
    heap->percent = (uint64_t)options->params[PARAM_PERCENT].number;
    heap->seed = (uint64_t)options->params[PARAM_SEED].number;
    *out = (struct hm_memory){
        .allocator = &hm_faulty,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_faulty = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "faulty",
    .summary = "layer: lets chosen allocations fail, to test what happens then",
    .origin = "heapmark; after CPython's _testcapi.set_nomemory and the kernel's failslab",
    .params = params,
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_faulty);

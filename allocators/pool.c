/* CPython's small-object allocator, pymalloc of 3.11: size classes in pools, pools in arenas.
 *
 * Vocabulary and layout are in pool_heap.h, arenas in pool_arena.c. A request of 1 to `max` bytes
 * takes a block from the pool at the head of its class; all others go to the inner heap, and so
 * does a small one when no arena can be mapped. Whether a block is ours is one load from a table
 * with a byte for each arena-sized piece of the address space, of which only the touched pages
 * exist.
 *
 * The same requests give the same pools and arenas as CPython at every moment, with one thing done
 * later than there. A pool whose last block came back is not always given back to its arena and
 * claimed again by the next malloc: it may stay in its class, as the heap's one `lingering` pool, if
 * it is the last of the list and its arena would serve the next claim anyway. It goes before any
 * other pool is claimed or given back (settle); until then it is as good as the pool that CPython
 * would claim, for it is the last that its class takes from.
 *
 * Whether a malloc is the one to fill its pool is as good as random in a heap that churns; so it is
 * no branch, but a choice of where to store. */
#include "allocators/pool_heap.h"

#include "allocators/libc.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

enum {
    DEFAULT_ARENA_BITS = 20,
    DEFAULT_POOL_BITS = 14,
    CARVED_FIRST = 8, /* blocks of a new pool */
#ifdef __x86_64__
    ADDRESS_BITS = 47, /* of user space, unless a mapping asks for more by its hint */
#else
    ADDRESS_BITS = 48,
#endif
};

/* Link the next blocks, as many as were carved before; so at most half of them are early. */
static void carve(const struct hm_heap *heap, struct hm_pool *pool) {
    const struct hm_pool_class *class = &heap->classes[pool->class];
    char *block = hm_pool_base(heap, pool) + (size_t)pool->carved * class->bytes;
    uint32_t end = pool->carved ? 2u * pool->carved : CARVED_FIRST;
    end = end < class->blocks ? end : class->blocks;
    pool->free = block;
    for (uint32_t i = pool->carved + 1u; i < end; i++, block += class->bytes)
        *(void **)block = block + class->bytes;
    *(void **)block = end < class->blocks ? HM_POOL_UNCARVED : NULL;
    pool->carved = (uint16_t)end;
}

static void link_front(struct hm_heap *heap, struct hm_pool *pool) {
    struct hm_pool_class *class = &heap->classes[pool->class];
    pool->next = class->head;
    class->head->prev = pool;
    class->head = pool;
}

static void unlink_pool(struct hm_heap *heap, struct hm_pool *pool) {
    struct hm_pool_class *class = &heap->classes[pool->class];
    if (class->head == pool) {
        class->head = pool->next;
    } else {
        pool->prev->next = pool->next;
        pool->next->prev = pool->prev;
    }
}

static void settle(struct hm_heap *heap) {
    struct hm_pool *pool = heap->lingering;
    heap->lingering = NULL;
    if (pool && !pool->used) {
        unlink_pool(heap, pool);
        hm_pool_yield(heap, pool);
    }
}

/* The class has no pool with a free block. */
static bool start_pool(struct hm_heap *heap, const struct hm_pool_class *class) {
    uint8_t index = (uint8_t)(class - heap->classes);
    settle(heap);
    struct hm_pool *pool = hm_pool_claim(heap, index);
    if (!pool)
        return false;
    if (pool->class != index || !pool->free) {
        pool->class = index;
        pool->carved = 0;
        carve(heap, pool);
    }
    link_front(heap, pool);
    return true;
}

static inline bool lingers_on(const struct hm_heap *heap, const struct hm_pool *pool) {
    return pool == heap->lingering && pool->next == &heap->nowhere;
}

/* The pool's last block came back. */
__attribute__((noinline)) static void drain(struct hm_heap *heap, struct hm_pool *pool) {
    if (heap->lingering == pool)
        heap->lingering = NULL;
    settle(heap);
    if (pool->next == &heap->nowhere && hm_pool_would_return(heap, pool)) {
        heap->lingering = pool;
        return;
    }
    unlink_pool(heap, pool);
    hm_pool_yield(heap, pool);
}

static inline bool is_small(const struct hm_heap *heap, size_t size) {
    return LIKELY(size - 1 < heap->max);
}

static inline bool is_ours(const struct hm_heap *heap, const void *block, unsigned arena_bits) {
    return heap->owned[(uintptr_t)block >> arena_bits];
}

static inline struct hm_pool *pool_of(const void *block, unsigned arena_bits, unsigned pool_bits) {
    uintptr_t arena_bytes = (uintptr_t)1 << arena_bits;
    uintptr_t base = (uintptr_t)block & -arena_bytes;
    uintptr_t index = ((uintptr_t)block & (arena_bytes - 1)) >> pool_bits;
    uintptr_t headers = arena_bytes + offsetof(struct hm_pool_arena, pools);
    return (struct hm_pool *)(base + index * sizeof(struct hm_pool) + headers);
}

/* `pool` is the head of the class, and has a free block. */
static inline void *pop(struct hm_heap *heap, struct hm_pool_class *class, struct hm_pool *pool) {
    void *block = pool->free;
    void *next = *(void **)block;
    pool->used++;
    if (UNLIKELY(next == HM_POOL_UNCARVED)) {
        carve(heap, pool);
        return block;
    }
    pool->free = next;
    struct hm_pool **full = next ? &heap->ignored : &class->head;
    *full = pool->next;
    return block;
}

__attribute__((noinline)) static void *take_first(struct hm_heap *heap,
                                                  struct hm_pool_class *class) {
    if (start_pool(heap, class))
        return pop(heap, class, class->head);
    return hm_malloc(&heap->inner, class->bytes);
}

/* `size` is small. */
static inline void *take(struct hm_heap *heap, size_t size) {
    struct hm_pool_class *class = &heap->classes[(size - 1) >> HM_POOL_STEP_BITS];
    struct hm_pool *pool = class->head;
    if (UNLIKELY(!pool->free))
        return take_first(heap, class);
    return pop(heap, class, pool);
}

/* `block` is ours. */
static inline void put(struct hm_heap *heap, void *block, unsigned arena_bits, unsigned pool_bits) {
    struct hm_pool *pool = pool_of(block, arena_bits, pool_bits);
    void *next = pool->free;
    *(void **)block = next;
    pool->free = block;
    if (UNLIKELY(--pool->used == 0)) {
        if (!lingers_on(heap, pool))
            drain(heap, pool);
    } else if (UNLIKELY(!next)) {
        link_front(heap, pool);
    }
}

static void *pool_malloc(struct hm_heap *heap, size_t size) {
    return is_small(heap, size) ? take(heap, size) : hm_malloc(&heap->inner, size);
}

static void pool_free(struct hm_heap *heap, void *block) {
    if (LIKELY(is_ours(heap, block, heap->arena_bits)))
        put(heap, block, heap->arena_bits, heap->pool_bits);
    else
        hm_free(&heap->inner, block);
}

/* pool_free with the shifts of the default geometry built in. */
static void pool_free_default(struct hm_heap *heap, void *block) {
    if (LIKELY(is_ours(heap, block, DEFAULT_ARENA_BITS)))
        put(heap, block, DEFAULT_ARENA_BITS, DEFAULT_POOL_BITS);
    else
        hm_free(&heap->inner, block);
}

static void *locked_malloc(struct hm_heap *heap, size_t size) {
    if (!is_small(heap, size))
        return hm_malloc(&heap->inner, size);
    pthread_mutex_lock(&heap->lock);
    void *block = take(heap, size);
    pthread_mutex_unlock(&heap->lock);
    return block;
}

/* The table needs no lock: the byte of a block's arena was set before the block was handed out,
 * and stays until it is back. */
static void locked_free(struct hm_heap *heap, void *block) {
    if (!is_ours(heap, block, heap->arena_bits)) {
        hm_free(&heap->inner, block);
        return;
    }
    pthread_mutex_lock(&heap->lock);
    put(heap, block, heap->arena_bits, heap->pool_bits);
    pthread_mutex_unlock(&heap->lock);
}

/* The rest knows neither lock nor geometry; `take_block` and `put_block` do. */

typedef void *take_block(struct hm_heap *heap, size_t size);
typedef void put_block(struct hm_heap *heap, void *block);

static size_t pool_usable_size(struct hm_heap *heap, void *block) {
    if (!is_ours(heap, block, heap->arena_bits))
        return block ? hm_usable_size(&heap->inner, block) : 0;
    return heap->classes[pool_of(block, heap->arena_bits, heap->pool_bits)->class].bytes;
}

static inline void *zeroed(struct hm_heap *heap, size_t count, size_t size, take_block *get) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (!is_small(heap, bytes))
        return hm_calloc(&heap->inner, count, size);
    void *block = get(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

/* A block stays unless it shrinks by a quarter or more. Source: pymalloc_realloc. */
static inline void *resized(struct hm_heap *heap, void *block, size_t size, take_block *get,
                            put_block *give) {
    if (!block)
        return get(heap, size);
    if (!is_ours(heap, block, heap->arena_bits))
        return hm_realloc(&heap->inner, block, size);
    size_t old = pool_usable_size(heap, block);
    if (size <= old && 4 * size > 3 * old)
        return block;
    void *moved = get(heap, size);
    if (moved) {
        memcpy(moved, block, size < old ? size : old);
        give(heap, block);
    }
    return moved;
}

static inline void *aligned(struct hm_heap *heap, size_t alignment, size_t size, take_block *get) {
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return alignment <= 16 ? get(heap, size) : hm_aligned_alloc(&heap->inner, alignment, size);
}

static void *pool_calloc(struct hm_heap *heap, size_t count, size_t size) {
    return zeroed(heap, count, size, pool_malloc);
}

static void *pool_realloc(struct hm_heap *heap, void *block, size_t size) {
    return resized(heap, block, size, pool_malloc, pool_free);
}

static void *pool_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    return aligned(heap, alignment, size, pool_malloc);
}

static void *locked_calloc(struct hm_heap *heap, size_t count, size_t size) {
    return zeroed(heap, count, size, locked_malloc);
}

static void *locked_realloc(struct hm_heap *heap, void *block, size_t size) {
    return resized(heap, block, size, locked_malloc, locked_free);
}

static void *locked_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    return aligned(heap, alignment, size, locked_malloc);
}

static const struct hm_heap_calls plain_calls = {
    pool_malloc, pool_calloc, pool_realloc, pool_aligned_alloc, pool_free, pool_usable_size,
};
static const struct hm_heap_calls locked_calls = {
    locked_malloc,        locked_calloc, locked_realloc,
    locked_aligned_alloc, locked_free,   pool_usable_size,
};

enum {
    PARAM_ARENA,
    PARAM_POOL,
    PARAM_MAX,
    PARAM_LOCK,
    PARAM_SPARE,
};

enum {
    LOCK_AUTO,
    LOCK_NONE,
    LOCK_MUTEX
};

static const struct hm_param params[] = {
    [PARAM_ARENA] = {.name = "arena",
                     .unit = "bytes",
                     .help = "size of an arena, a power of two",
                     .kind = HM_PARAM_BYTES,
                     .initial = 1 << DEFAULT_ARENA_BITS,
                     .min = 256 << 10,
                     .max = 256 << 20},
    [PARAM_POOL] = {.name = "pool",
                    .unit = "bytes",
                    .help = "size of a pool, a power of two, at most a quarter of an arena",
                    .kind = HM_PARAM_BYTES,
                    .initial = 1 << DEFAULT_POOL_BITS,
                    .min = 4 << 10,
                    .max = 512 << 10},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block that pools serve, at most a quarter of a pool",
                   .kind = HM_PARAM_BYTES,
                   .initial = 512,
                   .min = 16,
                   .max = HM_POOL_CLASSES << HM_POOL_STEP_BITS},
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help = "how threads are kept apart; auto: a mutex for more than one",
                    .kind = HM_PARAM_CHOICE,
                    .initial = LOCK_AUTO,
                    .max = LOCK_MUTEX,
                    .choices = "auto|none|mutex"},
    [PARAM_SPARE] = {.name = "spare",
                     .unit = "arenas",
                     .help = "released arenas that may stay mapped; 0: none, as CPython",
                     .kind = HM_PARAM_COUNT,
                     .initial = 64,
                     .min = 0,
                     .max = 1 << 20},
    {.name = NULL},
};

static bool is_power_of_two(int64_t number) {
    return (number & (number - 1)) == 0;
}

static bool are_valid(const struct hm_heap_options *options) {
    const struct hm_value *values = options->params;
    int64_t arena = values[PARAM_ARENA].number;
    int64_t pool = values[PARAM_POOL].number;
    return is_power_of_two(arena) && is_power_of_two(pool) && 4 * pool <= arena &&
           4 * values[PARAM_MAX].number <= pool &&
           !(values[PARAM_LOCK].number == LOCK_NONE && options->threads > 1);
}

static size_t owned_bytes(unsigned arena_bits) {
    return (size_t)1 << (ADDRESS_BITS - arena_bits);
}

static void *map_zeroed(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static struct hm_heap *map_heap(unsigned arena_bits, unsigned pool_bits) {
    size_t counts = ((size_t)1 << (arena_bits - pool_bits)) + 1;
    size_t bytes = sizeof(struct hm_heap) + counts * sizeof(struct hm_pool_arena *);
    struct hm_heap *heap = map_zeroed(bytes);
    uint8_t *owned = map_zeroed(owned_bytes(arena_bits));
    if (!heap || !owned) {
        if (heap)
            munmap(heap, bytes);
        if (owned)
            munmap(owned, owned_bytes(arena_bits));
        return NULL;
    }
    heap->bytes = bytes;
    heap->owned = owned;
    heap->owned_low = SIZE_MAX;
    heap->arena_bits = arena_bits;
    heap->pool_bits = pool_bits;
    return heap;
}

static void set_classes(struct hm_heap *heap, size_t max) {
    uint32_t room = (1u << heap->pool_bits) - HM_POOL_HEADER_BYTES;
    heap->max = max;
    for (uint32_t i = 0; i < HM_POOL_CLASSES; i++) {
        uint32_t bytes = (i + 1) << HM_POOL_STEP_BITS;
        heap->classes[i] = (struct hm_pool_class){&heap->nowhere, room / bytes, bytes};
    }
}

static const struct hm_allocator hm_pool_allocator;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    if (!are_valid(options))
        return EINVAL;
    const struct hm_value *values = options->params;
    unsigned arena_bits = (unsigned)__builtin_ctzll((uint64_t)values[PARAM_ARENA].number);
    unsigned pool_bits = (unsigned)__builtin_ctzll((uint64_t)values[PARAM_POOL].number);
    struct hm_heap *heap = map_heap(arena_bits, pool_bits);
    if (!heap)
        return ENOMEM;
    set_classes(heap, (size_t)values[PARAM_MAX].number);
    heap->spare_max = (uint64_t)values[PARAM_SPARE].number;
    pthread_mutex_init(&heap->lock, NULL);
    if (options->inner)
        heap->inner = *options->inner;
    else
        hm_libc_open(&heap->inner, NULL);
    bool is_locked = values[PARAM_LOCK].number == LOCK_MUTEX || options->threads > 1;
    *out = (struct hm_memory){
        .allocator = &hm_pool_allocator,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = is_locked ? locked_calls : plain_calls,
    };
    if (!is_locked && arena_bits == DEFAULT_ARENA_BITS && pool_bits == DEFAULT_POOL_BITS)
        out->calls.free = pool_free_default;
    return 0;
}

static void close_heap(struct hm_heap *heap) {
    hm_pool_unmap_all(heap);
    pthread_mutex_destroy(&heap->lock);
    munmap(heap->owned, owned_bytes(heap->arena_bits));
    munmap(heap, heap->bytes);
}

static void count_live(const struct hm_heap *heap, const struct hm_pool_arena *arena,
                       struct hm_heap_stats *out) {
    for (uint32_t i = 0; i < arena->fresh; i++) {
        const struct hm_pool *pool = &arena->pools[i];
        out->live_blocks += pool->used;
        out->live_bytes += (uint64_t)pool->used * heap->classes[pool->class].bytes;
    }
}

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    *out = (struct hm_heap_stats){.arenas = heap->arenas, .bad_frees = HM_UNKNOWN};
    uint64_t mapped = heap->arenas + heap->spare_count;
    out->metadata_bytes = heap->bytes + mapped * hm_pool_arena_metadata(heap);
    if (heap->owned_low <= heap->owned_high)
        out->metadata_bytes += ((heap->owned_high >> 12) - (heap->owned_low >> 12) + 1) << 12;
    out->footprint_bytes = (mapped << heap->arena_bits) + out->metadata_bytes;
    for (const struct hm_pool_arena *arena = heap->newest; arena; arena = arena->older)
        count_live(heap, arena, out);
}

static const struct hm_allocator hm_pool_allocator = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "pool",
    .summary = "pymalloc's design: size classes in pools, pools in arenas, fullest arena first",
    .origin = "CPython 3.11, Objects/obmalloc.c (pymalloc, by Vladimir Marangozov)",
    .params = params,
    .caps = HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_pool_allocator);

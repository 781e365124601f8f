/* CPython's small-object allocator, pymalloc of 3.11: size classes in pools, pools in arenas.
 *
 * Vocabulary and layout are in pool_heap.h, the hot paths in pool_blocks.h, pools in pool_blocks.c and
 * arenas in pool_arena.c. A request of 1 to `max` bytes takes a block from the pool at the head of
 * its class; all others go to the inner heap, and so does a small one when no arena can be mapped.
 * Whether a block is ours is one load from a table with a byte for each arena-sized piece of the
 * address space, of which only the touched pages exist.
 *
 * Here are the calls for one thread, and the opening of every kind of heap. Threads are kept apart
 * by a lock around each call (pool_locks.c) or by a heap for each of them (pool_thread.c). */
#include "allocators/fork.h"
#include "allocators/libc.h"
#include "allocators/pool_blocks.h"

#include <sys/mman.h>

enum {
    CPYTHON_MAX = 512,
    THREAD_MAX = 1024,
#ifdef __x86_64__
    ADDRESS_BITS = 47, /* of user space, unless a mapping asks for more by its hint */
#else
    ADDRESS_BITS = 48,
#endif
};

static void plain_count(struct hm_heap *heap, uint64_t blocks, uint64_t bytes) {
    heap->inner_blocks += blocks;
    heap->inner_bytes += bytes;
}

__attribute__((noinline)) static void *plain_take_first(struct hm_heap *heap,
                                                        struct hm_pool_class *class) {
    return start_and_take(heap, class, plain_count);
}

__attribute__((noinline)) static void *plain_take_inner(struct hm_heap *heap, size_t size) {
    return take_inner(heap, size, plain_count);
}

__attribute__((noinline)) static void plain_put_inner(struct hm_heap *heap, void *block) {
    put_inner(heap, block, plain_count);
}

static void *plain_malloc(struct hm_heap *heap, size_t size) {
    return is_small(heap, size) ? take(heap, size, plain_take_first) : plain_take_inner(heap, size);
}

static void plain_free(struct hm_heap *heap, void *block) {
    if (HM_LIKELY(is_ours(heap, block, heap->arena_bits)))
        put(heap, block, heap->arena_bits, heap->pool_bits);
    else
        plain_put_inner(heap, block);
}

/* plain_free with the shifts of the default geometry built in. */
static void plain_free_default(struct hm_heap *heap, void *block) {
    if (HM_LIKELY(is_ours(heap, block, HM_POOL_DEFAULT_ARENA_BITS)))
        put(heap, block, HM_POOL_DEFAULT_ARENA_BITS, HM_POOL_DEFAULT_POOL_BITS);
    else
        plain_put_inner(heap, block);
}

HM_POOL_FAMILY(plain, plain_count)

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
    LOCK_GIL,
    LOCK_MUTEX,
    LOCK_SPIN,
    LOCK_THREAD,
};

static const struct hm_param params[] = {
    [PARAM_ARENA] = {.name = "arena",
                     .unit = "bytes",
                     .help = "size of an arena, a power of two",
                     .kind = HM_PARAM_BYTES,
                     .initial = 1 << HM_POOL_DEFAULT_ARENA_BITS,
                     .min = 256 << 10,
                     .max = 256 << 20},
    [PARAM_POOL] = {.name = "pool",
                    .unit = "bytes",
                    .help = "size of a pool, a power of two, at most a quarter of an arena",
                    .kind = HM_PARAM_BYTES,
                    .initial = 1 << HM_POOL_DEFAULT_POOL_BITS,
                    .min = 4 << 10,
                    .max = 512 << 10},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block that pools serve, at most a quarter of a pool; "
                           "0: 512, or 1K with lock=thread",
                   .kind = HM_PARAM_BYTES,
                   .initial = 0,
                   .min = 0,
                   .max = HM_POOL_CLASSES << HM_POOL_STEP_BITS},
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help =
                        "how threads are kept apart: a lock around each call, or a heap for each "
                        "thread; auto: none for one, thread for more",
                    .kind = HM_PARAM_CHOICE,
                    .initial = LOCK_AUTO,
                    .max = LOCK_THREAD,
                    .choices = "auto|none|gil|mutex|spin|thread"},
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

static int64_t lock_of(const struct hm_heap_options *options) {
    int64_t lock = options->params[PARAM_LOCK].number;
    if (lock == LOCK_AUTO)
        return options->threads > 1 ? LOCK_THREAD : LOCK_NONE;
    return lock;
}

static int64_t max_of(const struct hm_heap_options *options) {
    int64_t max = options->params[PARAM_MAX].number;
    if (max)
        return max;
    return lock_of(options) == LOCK_THREAD &&
                   (int64_t)4 * THREAD_MAX <= options->params[PARAM_POOL].number
               ? THREAD_MAX
               : CPYTHON_MAX;
}

/* What max_of chooses by itself always fits. */
static const char *find_conflict(const struct hm_value *values) {
    int64_t arena = values[PARAM_ARENA].number;
    int64_t pool = values[PARAM_POOL].number;
    if (!is_power_of_two(arena))
        return "arena must be a power of two";
    if (!is_power_of_two(pool))
        return "pool must be a power of two";
    if (4 * pool > arena)
        return "pool must be at most a quarter of an arena";
    if (4 * values[PARAM_MAX].number > pool)
        return "max must be at most a quarter of a pool";
    return NULL;
}

static bool is_alone(const struct hm_value *values) {
    return values[PARAM_LOCK].number == LOCK_NONE;
}

static size_t owned_bytes(unsigned arena_bits) {
    return (size_t)1 << (ADDRESS_BITS - arena_bits);
}

static void *map_zeroed(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

struct hm_heap *hm_pool_map_heap(unsigned arena_bits, unsigned pool_bits, size_t max) {
    size_t counts = ((size_t)1 << (arena_bits - pool_bits)) + 1;
    size_t bytes = sizeof(struct hm_heap) + counts * sizeof(struct hm_pool_arena *);
    struct hm_heap *heap = map_zeroed(bytes);
    if (!heap)
        return NULL;
    heap->bytes = bytes;
    heap->id = 1;
    heap->owned_low = SIZE_MAX;
    heap->arena_bits = arena_bits;
    heap->pool_bits = pool_bits;
    heap->max = max;
    uint32_t room = (1u << pool_bits) - HM_POOL_HEADER_BYTES;
    for (uint32_t i = 0; i < HM_POOL_CLASSES; i++) {
        uint32_t class_bytes = (i + 1) << HM_POOL_STEP_BITS;
        heap->classes[i] = (struct hm_pool_class){&heap->nowhere, room / class_bytes, class_bytes};
    }
    return heap;
}

static struct hm_heap *map_root(const struct hm_heap_options *options) {
    const struct hm_value *values = options->params;
    unsigned arena_bits = (unsigned)__builtin_ctzll((uint64_t)values[PARAM_ARENA].number);
    unsigned pool_bits = (unsigned)__builtin_ctzll((uint64_t)values[PARAM_POOL].number);
    struct hm_heap *heap = hm_pool_map_heap(arena_bits, pool_bits, (size_t)max_of(options));
    if (!heap)
        return NULL;
    heap->owned = map_zeroed(owned_bytes(arena_bits));
    if (!heap->owned) {
        munmap(heap, heap->bytes);
        return NULL;
    }
    heap->spare_max = (uint64_t)values[PARAM_SPARE].number;
    if (options->inner)
        heap->inner = *options->inner;
    else
        hm_libc_open(&heap->inner, NULL);
    return heap;
}

static struct hm_heap_calls calls_of(int64_t lock, bool is_default) {
    struct hm_heap_calls calls = HM_POOL_CALLS(plain);
    if (is_default)
        calls.free = plain_free_default;
    switch (lock) {
    case LOCK_GIL:
        return hm_pool_gil_calls();
    case LOCK_MUTEX:
        return hm_pool_mutex_calls();
    case LOCK_SPIN:
        return hm_pool_spin_calls();
    case LOCK_THREAD:
        return hm_pool_thread_calls(is_default);
    default:
        return calls;
    }
}

static void unmap_root(struct hm_heap *heap) {
    munmap(heap->owned, owned_bytes(heap->arena_bits));
    munmap(heap, heap->bytes);
}

static const struct hm_allocator hm_pool_allocator;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    if (find_conflict(options->params) || (options->threads > 1 && is_alone(options->params)))
        return EINVAL;
    struct hm_heap *heap = map_root(options);
    if (!heap)
        return ENOMEM;
    int64_t lock = lock_of(options);
    int error = lock == LOCK_THREAD ? hm_pool_open_threads(heap) : 0;
    if (error) {
        unmap_root(heap);
        return error;
    }
    hm_pool_open_lock(heap);
    bool is_default = heap->arena_bits == HM_POOL_DEFAULT_ARENA_BITS &&
                      heap->pool_bits == HM_POOL_DEFAULT_POOL_BITS;
    *out = (struct hm_memory){
        .allocator = &hm_pool_allocator,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = calls_of(lock, is_default),
    };
    return 0;
}

static void close_heap(struct hm_heap *heap) {
    hm_pool_close_threads(heap);
    hm_pool_unmap_all(heap);
    hm_pool_close_lock(heap);
    unmap_root(heap);
}

static int enter_heap(struct hm_heap *heap) {
    hm_pool_enter_thread(heap);
    return 0;
}

static void leave_heap(struct hm_heap *heap) {
    hm_pool_leave_thread(heap);
    hm_pool_drop_gil(heap);
}

static void count_live(const struct hm_heap *heap, const struct hm_pool_arena *arena,
                       struct hm_heap_stats *out) {
    for (uint32_t i = 0; i < arena->fresh; i++) {
        const struct hm_pool *pool = &arena->pools[i];
        uint32_t used = hm_pool_used(heap, pool);
        out->live_blocks += used;
        out->live_bytes += (uint64_t)used * heap->classes[pool->class].bytes;
    }
}

static void count_heap(const struct hm_heap *heap, struct hm_heap_stats *out) {
    uint64_t mapped = heap->arenas + heap->spare_count;
    out->arenas += heap->arenas;
    out->metadata_bytes += heap->bytes + mapped * hm_pool_arena_metadata(heap);
    out->footprint_bytes += mapped << heap->arena_bits;
    out->live_blocks += heap->inner_blocks;
    out->live_bytes += heap->inner_bytes;
    for (const struct hm_pool_arena *arena = heap->newest; arena; arena = arena->older)
        count_live(heap, arena, out);
}

/* A block that waits for its owner is not live. */
static void uncount(void *arg, const struct hm_heap *heap, const void *block) {
    struct hm_heap_stats *out = arg;
    const struct hm_pool *pool = pool_of(block, heap->arena_bits, heap->pool_bits);
    out->live_blocks--;
    out->live_bytes -= heap->classes[pool->class].bytes;
}

/* The inner heap's blocks are part of what is live, and of the footprint, as far as is known. */
static void read_stats(struct hm_heap *root, struct hm_heap_stats *out) {
    size_t low = SIZE_MAX, high = 0;
    uint64_t inner_bytes = 0;
    *out = (struct hm_heap_stats){.bad_frees = HM_UNKNOWN};
    for (const struct hm_heap *heap = root; heap; heap = heap->next) {
        count_heap(heap, out);
        inner_bytes += heap->inner_bytes;
        low = heap->owned_low < low ? heap->owned_low : low;
        high = heap->owned_high > high ? heap->owned_high : high;
    }
    if (low <= high)
        out->metadata_bytes += ((high >> 12) - (low >> 12) + 1) << 12;
    out->footprint_bytes += out->metadata_bytes + inner_bytes;
    hm_pool_each_pending(root, uncount, out);
}

static void at_fork(struct hm_heap *heap, enum hm_fork_phase phase) {
    hm_pool_fork_lock(heap, phase);
    if (heap->serial)
        hm_fork_mutex(&heap->threads.lock, phase);
}

static const struct hm_allocator hm_pool_allocator = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "pool",
    .summary = "pymalloc's design: size classes in pools, pools in arenas, fullest arena first",
    .origin = "CPython 3.11, Objects/obmalloc.c (pymalloc, by Vladimir Marangozov)",
    .params = params,
    .caps = HM_CAP_THREADS | HM_CAP_WALK_ARENAS,
    .open = open_heap,
    .close = close_heap,
    .enter = enter_heap,
    .leave = leave_heap,
    .stats = read_stats,
    .walk = hm_pool_walk,
    .fork = at_fork,
    .conflict = find_conflict,
    .alone = is_alone,
};
HM_REGISTER(hm_allocator, hm_pool_allocator);

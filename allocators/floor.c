/* The least that an allocator can do: what is left of a measurement with it is the harness's cost.
 *
 * malloc pops and free pushes a list of its thread and size class; nothing is checked, split,
 * merged or given back. Classes are steps of 16 bytes up to STEP_LIMIT, then powers of two; blocks
 * for an alignment above 16 have classes of their own, powers of two aligned to their own size, so
 * that they are recycled as any other.
 *
 * Invariants
 *   The 16 bytes before a block hold its class; it is written when the block is carved and holds
 *   for as long as the region is mapped, so neither malloc nor free writes it.
 *   A block is carved from a region of its thread, whose pages are touched when it is mapped. Freed
 *   by another thread, it stays with that one.
 *   Lists are thread-local, and regions global: a thread that leaves puts its lists and the rest of its
 *   region into that region's head, for the next thread that enters; the last close unmaps all regions. Both shapes run the same code; the heap handle is not looked at. */
#include "allocators/allocator.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum {
    HEADER_BYTES = 16,
    STEP_LIMIT = 1024,
    STEP_CLASSES = STEP_LIMIT / 16 + 1,
    STEP_BITS = 10,  /* of STEP_LIMIT */
    POWER_BITS = 48, /* no mapping is larger than the address space */
    POWER_CLASSES = POWER_BITS - STEP_BITS,
    ALIGNED_BITS = 4, /* up to 2^4 every block is aligned */
    ALIGNED_FIRST = STEP_CLASSES + POWER_CLASSES,
    CLASSES = ALIGNED_FIRST + POWER_BITS - ALIGNED_BITS,
    REGION_BYTES = 8 << 20,
};

struct free_block {
    struct free_block *next;
};

/* What a thread has. */
struct own {
    struct free_block *lists[CLASSES];
    struct region *region;
    uintptr_t next; /* the unused rest of the region */
    uintptr_t end;
};

/* At the start of each mapping. */
struct region {
    struct region *next;
    size_t bytes;
    struct region *next_left;
    struct own left; /* by a thread that is gone, whose last region this was */
};

static __thread struct own local;

static struct {
    pthread_mutex_t lock;
    struct region *regions;
    struct region *left; /* in which there is what a thread has left */
    unsigned opened;
} global = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned ceil_log2(size_t n) {
    return 64u - (unsigned)__builtin_clzll(n - 1);
}

static size_t class_bytes(size_t class) {
    if (class < STEP_CLASSES)
        return class ? class * 16 : 16;
    if (class < ALIGNED_FIRST)
        return (size_t)1 << (class - STEP_CLASSES + STEP_BITS + 1);
    return (size_t)1 << (class - ALIGNED_FIRST + ALIGNED_BITS + 1);
}

static uint32_t *class_at(void *block) {
    return (uint32_t *)(void *)((char *)block - HEADER_BYTES);
}

static bool map_region(size_t bytes) {
    struct region *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (region == MAP_FAILED)
        return false;
    region->bytes = bytes;
    pthread_mutex_lock(&global.lock);
    region->next = global.regions;
    global.regions = region;
    pthread_mutex_unlock(&global.lock);
    local.region = region;
    local.next = (uintptr_t)(region + 1);
    local.end = (uintptr_t)region + bytes;
    return true;
}

/* Where a block with this alignment would lie in the rest of the region. */
static uintptr_t next_place(size_t alignment) {
    return (local.next + HEADER_BYTES + alignment - 1) & -(uintptr_t)alignment;
}

/* The slow path: a block that was never handed out. */
__attribute__((noinline, cold)) static void *carve(size_t class) {
    size_t bytes = class_bytes(class);
    size_t alignment = class < ALIGNED_FIRST ? 16 : bytes;
    if (next_place(alignment) + bytes > local.end) {
        size_t needed = sizeof(struct region) + HEADER_BYTES + alignment + bytes;
        if (!map_region(needed > REGION_BYTES ? needed : REGION_BYTES)) {
            errno = ENOMEM;
            return NULL;
        }
    }
    void *block = (void *)next_place(alignment);
    local.next = (uintptr_t)block + bytes;
    *class_at(block) = (uint32_t) class;
    return block;
}

static inline void *take(size_t class) {
    struct free_block *block = local.lists[class];
    if (__builtin_expect(!block, 0))
        return carve(class);
    local.lists[class] = block->next;
    return block;
}

static inline void *get(size_t size) {
    if (__builtin_expect(size <= STEP_LIMIT, 1))
        return take((size + 15) >> 4);
    if (size > (size_t)1 << POWER_BITS) {
        errno = ENOMEM;
        return NULL;
    }
    return take(STEP_CLASSES + ceil_log2(size) - STEP_BITS - 1);
}

static inline void put(void *block) {
    if (!block)
        return;
    uint32_t class = *class_at(block);
    struct free_block *freed = block;
    freed->next = local.lists[class];
    local.lists[class] = freed;
}

static void *get_zeroed(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    void *block = get(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

static void *get_resized(void *block, size_t size) {
    if (!block)
        return get(size);
    size_t old = class_bytes(*class_at(block));
    if (size <= old)
        return block;
    void *moved = get(size);
    if (moved) {
        memcpy(moved, block, old);
        put(block);
    }
    return moved;
}

static void *get_aligned(size_t alignment, size_t size) {
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= 16)
        return get(size);
    size_t bytes = size > alignment ? size : alignment;
    if (bytes > (size_t)1 << POWER_BITS) {
        errno = ENOMEM;
        return NULL;
    }
    return take(ALIGNED_FIRST + ceil_log2(bytes) - ALIGNED_BITS - 1);
}

static size_t usable(void *block) {
    return block ? class_bytes(*class_at(block)) : 0;
}

static void *libc_malloc(size_t size) {
    return get(size);
}

static void libc_free(void *block) {
    put(block);
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    return get(size);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    return get_zeroed(count, size);
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    (void)heap;
    return get_resized(block, size);
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    (void)heap;
    return get_aligned(alignment, size);
}

static void heap_free(struct hm_heap *heap, void *block) {
    (void)heap;
    put(block);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return usable(block);
}

/* Of an earlier heap, whose regions are gone. */
static void forget(void) {
    memset(&local, 0, sizeof local);
}

static void leave_thread(struct hm_heap *heap) {
    (void)heap;
    struct region *region = local.region;
    if (!region)
        return;
    region->left = local;
    pthread_mutex_lock(&global.lock);
    region->next_left = global.left;
    global.left = region;
    pthread_mutex_unlock(&global.lock);
    forget();
}

static int enter_thread(struct hm_heap *heap) {
    (void)heap;
    pthread_mutex_lock(&global.lock);
    struct region *region = global.left;
    if (region)
        global.left = region->next_left;
    pthread_mutex_unlock(&global.lock);
    if (region)
        local = region->left;
    else
        forget();
    return 0;
}

static void close_heap(struct hm_heap *heap) {
    (void)heap;
    forget();
    pthread_mutex_lock(&global.lock);
    if (--global.opened == 0) {
        global.left = NULL;
        while (global.regions) {
            struct region *region = global.regions;
            global.regions = region->next;
            munmap(region, region->bytes);
        }
    }
    pthread_mutex_unlock(&global.lock);
}

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    (void)heap;
    *out = (struct hm_heap_stats){
        .live_bytes = HM_UNKNOWN, .live_blocks = HM_UNKNOWN, .metadata_bytes = HM_UNKNOWN};
    pthread_mutex_lock(&global.lock);
    for (struct region *region = global.regions; region; region = region->next) {
        out->footprint_bytes += region->bytes;
        out->arenas++;
    }
    pthread_mutex_unlock(&global.lock);
}

static const struct hm_allocator hm_floor;

enum {
    PARAM_SHAPE
};

static const struct hm_param params[] = {
    [PARAM_SHAPE] = {.name = "shape",
                     .unit = "",
                     .help = "how it is called: as libc's malloc, or with a heap handle",
                     .kind = HM_PARAM_CHOICE,
                     .max = 1,
                     .choices = "libc|heap"},
    {.name = NULL},
};

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_memory memory = {.allocator = &hm_floor};
    if (options->params[PARAM_SHAPE].number == 0) {
        memory.shape = HM_SHAPE_LIBC;
        memory.libc = (struct hm_libc_calls){libc_malloc, get_zeroed, get_resized,
                                             get_aligned, libc_free,  usable};
    } else {
        memory.shape = HM_SHAPE_HEAP;
        memory.calls = (struct hm_heap_calls){heap_malloc,        heap_calloc, heap_realloc,
                                              heap_aligned_alloc, heap_free,   heap_usable_size};
    }
    forget();
    pthread_mutex_lock(&global.lock);
    global.opened++;
    pthread_mutex_unlock(&global.lock);
    *out = memory;
    return 0;
}

static const struct hm_allocator hm_floor = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "floor",
    .summary = "the least an allocator can do: thread-local lists over touched memory, no checks",
    .origin = "heapmark; a control that shows the cost of the harness itself",
    .params = params,
    .caps = HM_CAP_THREADS | HM_CAP_CONTROL,
    .open = open_heap,
    .close = close_heap,
    .enter = enter_thread,
    .leave = leave_thread,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_floor);

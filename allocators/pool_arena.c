/* The arenas of a `pool` heap: which one gives the next pool, and when one is given back.
 *
 * New pools come from the fullest arena, so that the emptiest ones drain and can be released.
 *
 * Invariants
 *   The usable list holds the arenas with a free pool, ascending by the number of those.
 *   last_with[n] is the last arena of the list that has n free pools, NULL when none has; so an
 *   arena whose count grows by one moves to its new place without a search.
 *
 * A released arena is unmapped. A heap that often comes back for one would pay for its pages each
 * time; so once an arena is mapped after one was unmapped, one more may be kept as a spare, for
 * each time that this happens. */
#include "allocators/pool_heap.h"

#include <sys/mman.h>

enum {
    PAGE_BYTES = 4096,
};

size_t hm_pool_arena_metadata(const struct hm_heap *heap) {
    size_t bytes = sizeof(struct hm_pool_arena) + hm_pool_count(heap) * sizeof(struct hm_pool);
    return (bytes + PAGE_BYTES - 1) & -(size_t)PAGE_BYTES;
}

/* Map `bytes` from an address that is a multiple of `alignment`, and nothing around them. */
static char *map_aligned(size_t bytes, size_t alignment) {
    size_t slack = alignment - PAGE_BYTES;
    char *start =
        mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)start & (alignment - 1);
    if (before)
        munmap(start, before);
    if (slack > before)
        munmap(start + before + bytes, slack - before);
    return start + before;
}

static void note_owned(struct hm_heap *heap, const char *base) {
    size_t index = (uintptr_t)base >> heap->arena_bits;
    __atomic_store_n(&heap->owned[index], heap->id, __ATOMIC_RELAXED);
    if (index < heap->owned_low)
        heap->owned_low = index;
    if (index > heap->owned_high)
        heap->owned_high = index;
}

/* Map an arena: all pools free, in no list. */
static struct hm_pool_arena *map_arena(struct hm_heap *heap) {
    size_t bytes = (size_t)1 << heap->arena_bits;
    char *base = map_aligned(bytes + hm_pool_arena_metadata(heap), bytes);
    if (!base)
        return NULL;
    if (heap->has_unmapped && heap->spare_limit < heap->spare_max)
        heap->spare_limit++;
    note_owned(heap, base);
    struct hm_pool_arena *arena = (struct hm_pool_arena *)(void *)(base + bytes);
    arena->free_pools = hm_pool_count(heap);
    arena->heap = heap;
    return arena;
}

static void unmap_arena(struct hm_heap *heap, struct hm_pool_arena *arena) {
    char *base = hm_pool_arena_base(heap, arena);
    __atomic_store_n(&heap->owned[(uintptr_t)base >> heap->arena_bits], 0, __ATOMIC_RELAXED);
    heap->has_unmapped = true;
    for (int i = 0; i < HM_POOL_CLASSES; i++)
        if (heap->returned[i] && hm_pool_arena_of(heap, heap->returned[i]) == arena)
            heap->returned[i] = NULL;
    munmap(base, ((size_t)1 << heap->arena_bits) + hm_pool_arena_metadata(heap));
}

/* A spare comes with its pools as they were when it was released: all free. */
static struct hm_pool_arena *new_arena(struct hm_heap *heap) {
    struct hm_pool_arena *arena = heap->spares;
    if (arena) {
        heap->spares = arena->next;
        heap->spare_count--;
    } else if (!(arena = map_arena(heap))) {
        return NULL;
    }
    arena->newer = NULL;
    arena->older = heap->newest;
    if (heap->newest)
        heap->newest->newer = arena;
    heap->newest = arena;
    heap->arenas++;
    return arena;
}

static void release_arena(struct hm_heap *heap, struct hm_pool_arena *arena) {
    if (arena->newer)
        arena->newer->older = arena->older;
    else
        heap->newest = arena->older;
    if (arena->older)
        arena->older->newer = arena->newer;
    heap->arenas--;
    if (heap->spare_count < heap->spare_limit) {
        arena->next = heap->spares;
        heap->spares = arena;
        heap->spare_count++;
    } else {
        unmap_arena(heap, arena);
    }
}

void hm_pool_drop_spares(struct hm_heap *heap) {
    while (heap->spares) {
        struct hm_pool_arena *arena = heap->spares;
        heap->spares = arena->next;
        heap->spare_count--;
        unmap_arena(heap, arena);
    }
}

void hm_pool_unmap_all(struct hm_heap *heap) {
    heap->spare_limit = 0;
    while (heap->newest)
        release_arena(heap, heap->newest);
    hm_pool_drop_spares(heap);
}

/* Link behind `place`, NULL for the front. */
static void link_usable(struct hm_heap *heap, struct hm_pool_arena *arena,
                        struct hm_pool_arena *place) {
    struct hm_pool_arena **from = place ? &place->next : &heap->usable;
    arena->prev = place;
    arena->next = *from;
    if (arena->next)
        arena->next->prev = arena;
    *from = arena;
}

static void unlink_usable(struct hm_heap *heap, struct hm_pool_arena *arena) {
    if (arena->prev)
        arena->prev->next = arena->next;
    else
        heap->usable = arena->next;
    if (arena->next)
        arena->next->prev = arena->prev;
}

/* A pool of the arena, which has one. Which one makes no difference to any count; one that has the
 * class need not be carved anew. */
static struct hm_pool *choose_pool(struct hm_heap *heap, struct hm_pool_arena *arena,
                                   uint8_t class) {
    struct hm_pool *pool = heap->returned[class];
    if (pool && pool->class == class && !pool->used && hm_pool_arena_of(heap, pool) == arena) {
        heap->returned[class] = NULL;
        if (pool->next)
            pool->next->prev = pool->prev;
        if (pool != arena->free_list) {
            pool->prev->next = pool->next;
            return pool;
        }
    } else if (!(pool = arena->free_list)) {
        return &arena->pools[arena->fresh++];
    }
    arena->free_list = pool->next;
    return pool;
}

struct hm_pool *hm_pool_claim(struct hm_heap *heap, uint8_t class) {
    if (!heap->usable) {
        struct hm_pool_arena *mapped = new_arena(heap);
        if (!mapped)
            return NULL;
        link_usable(heap, mapped, NULL);
        heap->last_with[mapped->free_pools] = mapped;
    }
    struct hm_pool_arena *arena = heap->usable;
    if (heap->last_with[arena->free_pools] == arena)
        heap->last_with[arena->free_pools] = NULL;
    /* It has the fewest free pools, and with one less still stands first. */
    if (--arena->free_pools)
        heap->last_with[arena->free_pools] = arena;
    else
        unlink_usable(heap, arena);
    return choose_pool(heap, arena, class);
}

void hm_pool_yield(struct hm_heap *heap, struct hm_pool *pool) {
    struct hm_pool_arena *arena = hm_pool_arena_of(heap, pool);
    pool->next = arena->free_list;
    if (pool->next)
        pool->next->prev = pool;
    arena->free_list = pool;
    heap->returned[pool->class] = pool;
    uint32_t free_pools = arena->free_pools++;
    if (free_pools == 0) {
        link_usable(heap, arena, NULL);
        if (!heap->last_with[1])
            heap->last_with[1] = arena;
        return;
    }
    struct hm_pool_arena *last = heap->last_with[free_pools];
    if (last == arena)
        heap->last_with[free_pools] =
            arena->prev && arena->prev->free_pools == free_pools ? arena->prev : NULL;
    if (arena->free_pools == hm_pool_count(heap) && arena->next) {
        unlink_usable(heap, arena);
        release_arena(heap, arena);
        return;
    }
    if (!heap->last_with[arena->free_pools])
        heap->last_with[arena->free_pools] = arena;
    if (last != arena) {
        unlink_usable(heap, arena);
        link_usable(heap, arena, last);
    }
}

/* An arena moves back when it gets a pool and another one has as many free ones as it had; the first
 * free pool of a full arena brings it to the front. */
bool hm_pool_stays_first(const struct hm_heap *heap, const struct hm_pool_arena *arena) {
    const struct hm_pool_arena *next = arena->free_pools ? arena->next : heap->usable;
    uint32_t most = arena->free_pools + arena->lingering + 1;
    if (arena->free_pools && arena != heap->usable)
        return false;
    return !next || (most <= next->free_pools && most < hm_pool_count(heap));
}

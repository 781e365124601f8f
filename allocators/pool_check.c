/* Stock-taking of a `pool` heap, for its tests: what the pools themselves say. */
#include "allocators/pool.h"
#include "allocators/pool_blocks.h"

#include <string.h>

/* Blocks of the free list, or UINT32_MAX when it leaves the pool, meets no block's start or holds
 * more than were ever carved. */
static uint32_t count_free_list(const struct hm_heap *heap, const struct hm_pool *pool) {
    const char *base = hm_pool_base(heap, pool);
    size_t bytes = heap->classes[pool->class].bytes;
    uint32_t count = 0;
    for (const void *block = pool->free; block; block = *(void *const *)block) {
        size_t offset = (size_t)((const char *)block - base);
        if (offset >= pool->carved * bytes || offset % bytes || ++count > pool->carved)
            return UINT32_MAX;
    }
    return count;
}

/* Pools of the arena's own list, each marked. */
static void mark_unused(const struct hm_heap *heap, const struct hm_pool_arena *arena,
                        bool *unused) {
    memset(unused, 0, hm_pool_count(heap));
    for (const struct hm_pool *pool = arena->free_list; pool; pool = pool->next)
        unused[pool - arena->pools] = true;
    for (uint32_t i = arena->fresh; i < hm_pool_count(heap); i++)
        unused[i] = true;
}

static void check_pool(const struct hm_heap *heap, const struct hm_pool *pool,
                       struct hm_pool_account *out, struct hm_pool_census *census) {
    const struct hm_pool_class *class = &heap->classes[pool->class];
    uint32_t listed = count_free_list(heap, pool);
    if (listed == UINT32_MAX) {
        out->intact = false;
        return;
    }
    uint32_t used = pool->carved - listed;
    out->intact = out->intact && used == hm_pool_used(heap, pool) && pool->carved <= class->blocks;
    bool is_full = !pool->free && pool->carved == class->blocks;
    out->intact = out->intact && (pool->next || is_full);
    if (!used) {
        out->intact = out->intact && pool == heap->lingering[pool->class];
        out->unused_pool_bytes += (uint64_t)1 << heap->pool_bits;
        return;
    }
    uint64_t blocks_bytes = (uint64_t) class->blocks * class->bytes;
    out->pools++;
    out->used_blocks += used;
    out->used_bytes += (uint64_t)used * class->bytes;
    out->free_bytes += blocks_bytes - (uint64_t)used * class->bytes;
    out->header_bytes += HM_POOL_HEADER_BYTES;
    out->tail_bytes += ((uint64_t)1 << heap->pool_bits) - HM_POOL_HEADER_BYTES - blocks_bytes;
    if (census) {
        census[pool->class].pools++;
        census[pool->class].used_blocks += used;
        census[pool->class].free_blocks += class->blocks - used;
    }
}

static void check_arena(const struct hm_heap *heap, const struct hm_pool_arena *arena,
                        struct hm_pool_account *out, struct hm_pool_census *census) {
    bool unused[hm_pool_count(heap)];
    uint32_t free_pools = 0;
    mark_unused(heap, arena, unused);
    for (uint32_t i = 0; i < hm_pool_count(heap); i++) {
        free_pools += unused[i];
        if (unused[i])
            out->unused_pool_bytes += (uint64_t)1 << heap->pool_bits;
        else
            check_pool(heap, &arena->pools[i], out, census);
    }
    uintptr_t base = (uintptr_t)hm_pool_arena_base(heap, arena);
    out->arenas++;
    out->arena_bytes += (uint64_t)1 << heap->arena_bits;
    out->alignment_bytes += -base & (((size_t)1 << heap->pool_bits) - 1);
    out->intact = out->intact && free_pools == arena->free_pools;
}

/* Each is the last of its class, or full and in no list. */
static bool are_lingering_right(const struct hm_heap *heap) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < HM_POOL_CLASSES; i++) {
        const struct hm_pool *pool = heap->lingering[i];
        if (!pool)
            continue;
        count++;
        if (pool->class != i || hm_pool_arena_of(heap, pool) != heap->host ||
            (pool->next && pool->next != &heap->nowhere))
            return false;
    }
    return count == (heap->host ? heap->host->lingering : 0);
}

static void check_heap(const struct hm_heap *heap, struct hm_pool_account *out,
                       struct hm_pool_census *census) {
    uint64_t before = out->arenas;
    for (const struct hm_pool_arena *arena = heap->newest; arena; arena = arena->older) {
        check_arena(heap, arena, out, census);
        out->intact = out->intact && arena->heap == heap;
    }
    out->intact = out->intact && out->arenas - before == heap->arenas && are_lingering_right(heap);
    uint32_t fewest = 0;
    for (const struct hm_pool_arena *arena = heap->usable; arena; arena = arena->next) {
        out->intact = out->intact && arena->free_pools >= fewest && arena->free_pools > 0;
        fewest = arena->free_pools;
        out->intact =
            out->intact && heap->last_with[fewest] && heap->last_with[fewest]->free_pools == fewest;
    }
}

struct tally {
    struct hm_pool_account *out;
    struct hm_pool_census *census;
};

/* Its pool took it for used. */
static void tally_pending(void *arg, const struct hm_heap *heap, const void *block) {
    struct tally *tally = arg;
    struct hm_pool_account *out = tally->out;
    const struct hm_pool *pool = pool_of(block, heap->arena_bits, heap->pool_bits);
    uint32_t bytes = heap->classes[pool->class].bytes;
    size_t offset = (size_t)((const char *)block - hm_pool_base(heap, pool));
    out->intact = out->intact && offset < (size_t)pool->carved * bytes && offset % bytes == 0;
    out->pending_blocks++;
    out->used_blocks--;
    out->used_bytes -= bytes;
    out->free_bytes += bytes;
    if (tally->census) {
        tally->census[pool->class].used_blocks--;
        tally->census[pool->class].free_blocks++;
    }
}

void hm_pool_check(const struct hm_heap *root, struct hm_pool_account *out,
                   struct hm_pool_census *census) {
    *out = (struct hm_pool_account){.intact = true};
    if (census)
        memset(census, 0, ((root->max + 63) / 64 * 4) * sizeof *census);
    for (const struct hm_heap *heap = root; heap; heap = heap->next)
        check_heap(heap, out, census);
    struct tally tally = {out, census};
    hm_pool_each_pending(root, tally_pending, &tally);
}

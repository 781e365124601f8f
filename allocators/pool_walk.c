/* A walk through the arenas of a `pool` heap, in the order of their addresses.
 *
 * What it finds
 *   used   a block that is handed out
 *   free   blocks of one pool that are not, side by side; a pool that is not used; so all of a spare arena
 *   a gap  the end of a used pool, in which no block fits, and what lies between two arenas
 *
 * A block that was freed and that its pool does not know of yet is free. */
#include "allocators/layer.h"
#include "allocators/pool_blocks.h"

struct walk {
    hm_walk_fn *visit;
    void *arg;
    const char *base; /* of the arena */
    size_t arena_bytes;
    uint64_t *freed; /* of the arena: a bit for each step at which a free block begins */
};

static size_t step_of(const struct walk *w, const void *block) {
    return (size_t)((const char *)block - w->base) >> HM_POOL_STEP_BITS;
}

static void mark(struct walk *w, const void *block) {
    size_t step = step_of(w, block);
    w->freed[step / 64] |= UINT64_C(1) << step % 64;
}

static void mark_pending(void *arg, const struct hm_heap *heap, const void *block) {
    struct walk *w = arg;
    (void)heap;
    if ((uintptr_t)block - (uintptr_t)w->base < w->arena_bytes)
        mark(w, block);
}

static bool is_marked(const struct walk *w, const void *block) {
    size_t step = step_of(w, block);
    return w->freed[step / 64] >> step % 64 & 1;
}

static void tell(const struct walk *w, const char *begin, size_t bytes, bool used) {
    const struct hm_block block = {(uintptr_t)begin, bytes, used};
    if (bytes)
        w->visit(w->arg, &block);
}

/* A used pool. */
static void walk_blocks(const struct walk *w, const struct hm_heap *heap,
                        const struct hm_pool *pool) {
    const struct hm_pool_class *class = &heap->classes[pool->class];
    const char *block = hm_pool_base(heap, pool);
    const char *free_from = block;
    for (uint32_t i = 0; i < class->blocks; i++, block += class->bytes) {
        if (i >= pool->carved || is_marked(w, block))
            continue;
        tell(w, free_from, (size_t)(block - free_from), false);
        tell(w, block, class->bytes, true);
        free_from = block + class->bytes;
    }
    tell(w, free_from, (size_t)(block - free_from), false);
}

static void walk_arena(struct walk *w, const struct hm_heap *root,
                       const struct hm_pool_arena *arena) {
    const struct hm_heap *heap = arena->heap;
    memset(w->freed, 0, w->arena_bytes >> HM_POOL_STEP_BITS >> 3);
    for (uint32_t i = 0; i < arena->fresh; i++)
        for (const void *block = hm_pool_used(heap, &arena->pools[i]) ? arena->pools[i].free : NULL;
             block; block = *(void *const *)block)
            mark(w, block);
    hm_pool_each_pending(root, mark_pending, w);
    for (uint32_t i = 0; i < hm_pool_count(heap); i++) {
        const struct hm_pool *pool = &arena->pools[i];
        if (i < arena->fresh && hm_pool_used(heap, pool))
            walk_blocks(w, heap, pool);
        else
            tell(w, hm_pool_base(heap, pool), (size_t)1 << heap->pool_bits, false);
    }
}

/* Without memory for the marks nothing is found. */
void hm_pool_walk(struct hm_heap *root, hm_walk_fn *visit, void *arg) {
    struct walk w = {.visit = visit, .arg = arg, .arena_bytes = (size_t)1 << root->arena_bits};
    size_t low = SIZE_MAX, high = 0;
    for (const struct hm_heap *heap = root; heap; heap = heap->next) {
        low = heap->owned_low < low ? heap->owned_low : low;
        high = heap->owned_high > high ? heap->owned_high : high;
    }
    w.freed = hm_layer_map(w.arena_bytes >> HM_POOL_STEP_BITS >> 3);
    for (size_t i = low; w.freed && i <= high; i++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        const struct hm_pool_arena *arena = (const void *)((i + 1) << root->arena_bits);
        if (!arena || !root->owned[i])
            continue;
        w.base = hm_pool_arena_base(root, arena);
        walk_arena(&w, root, arena);
    }
    hm_layer_unmap(w.freed, w.arena_bytes >> HM_POOL_STEP_BITS >> 3);
}

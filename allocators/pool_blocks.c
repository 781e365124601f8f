/* The pools of a class: how one starts, is carved and goes.
 *
 * The same requests give the same pools and arenas as CPython at every moment, with one thing done
 * later than there. A pool whose last block came back is not always given back to its arena and
 * claimed again by the next malloc: it may stay in its class, as the heap's one `lingering` pool, if
 * it is the last of the list and its arena would serve the next claim anyway. It goes before any
 * other pool is claimed or given back (hm_pool_settle); until then it is as good as the pool that
 * CPython would claim, for it is the last that its class takes from. */
#include "allocators/pool_blocks.h"

enum {
    CARVED_FIRST = 8, /* blocks of a new pool */
};

/* As many as were carved before; so at most half of them are early. */
void *hm_pool_carve(const struct hm_heap *heap, struct hm_pool *pool, void *last) {
    const struct hm_pool_class *class = &heap->classes[pool->class];
    char *block = hm_pool_base(heap, pool) + (size_t)pool->carved * class->bytes;
    uint32_t end = pool->carved ? 2u * pool->carved : CARVED_FIRST;
    end = end < class->blocks ? end : class->blocks;
    pool->free = block;
    for (uint32_t i = pool->carved + 1u; i < end; i++, block += class->bytes)
        *(void **)block = block + class->bytes;
    *(void **)block = end < class->blocks ? HM_POOL_UNCARVED : NULL;
    pool->carved = (uint16_t)end;
    return last;
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

void hm_pool_settle(struct hm_heap *heap) {
    struct hm_pool *pool = heap->lingering;
    heap->lingering = NULL;
    if (pool && !pool->used) {
        unlink_pool(heap, pool);
        hm_pool_yield(heap, pool);
    }
}

bool hm_pool_start(struct hm_heap *heap, const struct hm_pool_class *class) {
    uint8_t index = (uint8_t)(class - heap->classes);
    hm_pool_settle(heap);
    struct hm_pool *pool = hm_pool_claim(heap, index);
    if (!pool)
        return false;
    if (pool->class != index || !pool->free) {
        pool->class = index;
        pool->carved = 0;
        hm_pool_carve(heap, pool, NULL);
    }
    link_front(heap, pool);
    return true;
}

void hm_pool_drain(struct hm_heap *heap, struct hm_pool *pool) {
    if (heap->lingering == pool)
        heap->lingering = NULL;
    hm_pool_settle(heap);
    if (pool->next == &heap->nowhere && hm_pool_would_return(heap, pool)) {
        heap->lingering = pool;
        return;
    }
    unlink_pool(heap, pool);
    hm_pool_yield(heap, pool);
}

/* The pools of a class: how one starts, is carved and goes.
 *
 * The same requests give the same pools and arenas as CPython at every moment, with two things done
 * later than there.
 *
 * A full pool leaves the list of its class when a malloc comes upon it. A block that comes back to it
 * brings it to the front, as in CPython.
 *
 * A pool whose last block came back need not go back to its arena, to be claimed again by the next
 * malloc: it may linger, which means that it stays in its class with all blocks free. There it is as
 * good as the pool that CPython would claim, for it is the last one that its class takes from.
 *   - One pool of each class may linger, all of them in one arena, their host. It counts a block more
 *     than it has handed out, and so comes and goes unnoticed. It is the last of its list.
 *   - The host is the first to be claimed from, and would be with all of them given back
 *     (hm_pool_stays_first). So how many of them are used makes no difference to other arenas.
 *   - When that can not hold any longer, or a class needs a pool and the host has no other one, all
 *     that linger are given back (hm_pool_settle). */
#include "allocators/pool_blocks.h"

enum {
    CARVED_FIRST = 8, /* blocks of a new pool */
};

/* Give the pool blocks that it never had, as many as it had; so at most half of them are early. They
 * are handed out from the last one on: the first blocks of all pools fall into one set of the
 * first-level cache, and the eighth ones do not, as the classes differ in size. */
static void carve(const struct hm_heap *heap, struct hm_pool *pool) {
    const struct hm_pool_class *class = &heap->classes[pool->class];
    char *block = hm_pool_base(heap, pool) + (size_t)pool->carved * class->bytes;
    uint32_t end = pool->carved ? 2u * pool->carved : CARVED_FIRST;
    end = end < class->blocks ? end : class->blocks;
    *(void **)block = NULL;
    for (uint32_t i = pool->carved + 1u; i < end; i++, block += class->bytes)
        *(void **)(block + class->bytes) = block;
    pool->free = block;
    pool->carved = (uint16_t)end;
}

static void link_front(struct hm_pool_class *class, struct hm_pool *pool) {
    pool->next = class->head;
    class->head->prev = pool;
    class->head = pool;
}

static void unlink_pool(struct hm_pool_class *class, struct hm_pool *pool) {
    if (class->head == pool) {
        class->head = pool->next;
    } else {
        pool->prev->next = pool->next;
        pool->next->prev = pool->prev;
    }
    pool->next = NULL;
}

static void give_back(struct hm_heap *heap, struct hm_pool *pool) {
    unlink_pool(&heap->classes[pool->class], pool);
    hm_pool_yield(heap, pool);
}

/* ---- Lingering pools ---- */

static void forbid_lingering(struct hm_heap *heap, struct hm_pool *pool) {
    heap->lingering[pool->class] = NULL;
    heap->host->lingering--;
    pool->used--;
}

/* In the place of the one of its class that may, which is used: it would be the last of the list. */
static void let_linger(struct hm_heap *heap, struct hm_pool *pool) {
    if (heap->lingering[pool->class])
        forbid_lingering(heap, heap->lingering[pool->class]);
    heap->lingering[pool->class] = pool;
    heap->host = hm_pool_arena_of(heap, pool);
    heap->host->lingering++;
    pool->used++;
}

void hm_pool_settle(struct hm_heap *heap) {
    for (uint32_t i = 0; heap->host && heap->host->lingering; i++) {
        struct hm_pool *pool = heap->lingering[i];
        if (!pool)
            continue;
        forbid_lingering(heap, pool);
        if (!pool->used)
            give_back(heap, pool);
    }
    heap->host = NULL;
}

void hm_pool_drain(struct hm_heap *heap, struct hm_pool *pool) {
    struct hm_pool_arena *arena = hm_pool_arena_of(heap, pool);
    if (heap->host != arena || !hm_pool_stays_first(heap, arena))
        hm_pool_settle(heap);
    if (pool->next == &heap->nowhere && hm_pool_stays_first(heap, arena))
        let_linger(heap, pool);
    else
        give_back(heap, pool);
}

/* ---- Free lists that end ---- */

/* Make the pool, which is not used, the only one of its class. */
static void enlist(struct hm_heap *heap, struct hm_pool *pool, uint8_t class) {
    if (pool->class != class || !pool->free) {
        pool->class = class;
        pool->carved = 0;
        carve(heap, pool);
    }
    link_front(&heap->classes[class], pool);
}

bool hm_pool_start(struct hm_heap *heap, struct hm_pool_class *class) {
    struct hm_pool *pool = class->head;
    for (; pool != &heap->nowhere; pool = class->head) {
        if (!pool->free && pool->carved < class->blocks)
            carve(heap, pool);
        if (pool->free)
            return true;
        unlink_pool(class, pool);
    }
    if (heap->host && !heap->host->free_pools)
        hm_pool_settle(heap);
    uint8_t index = (uint8_t)(class - heap->classes);
    pool = hm_pool_claim(heap, index);
    if (pool)
        enlist(heap, pool, index);
    return pool;
}

/* A pool that was full comes to the front. Only the last of a list may linger. */
void hm_pool_refill(struct hm_heap *heap, struct hm_pool *pool) {
    struct hm_pool_class *class = &heap->classes[pool->class];
    if (pool == class->head || pool->carved < class->blocks)
        return;
    if (pool->next)
        unlink_pool(class, pool);
    if (heap->lingering[pool->class] == pool && class->head != &heap->nowhere)
        forbid_lingering(heap, pool);
    link_front(class, pool);
}

/* A `pool` heap for several threads with a heap for each of them.
 *
 * Vocabulary
 *   own      of a thread: its heap, with classes, pools and arenas that no other thread touches
 *   owner    of a block: the heap whose arena it lies in; named by the table of arenas, so that one
 *            load tells whether a block is one of the thread's own
 *   remote   of a block: its owner is not the own heap
 *   cache    of a class: blocks that the thread freed last, own and remote ones, to be handed out again
 *   pending  of a block: freed, and not yet taken back by its owner; in a cache, a batch or a queue
 *   orphan   a heap whose thread has ended or left
 *
 * Algorithm
 *   malloc takes from the cache, and from the own heap when that is empty. A class that runs dry there
 *   first takes back what others pushed, and only then a new pool. free puts the block into the cache;
 *   when that is full twice, the older half goes back: own blocks into their pools, remote ones into
 *   a batch for their owner, which is pushed onto the owner's queue when it is full (pool_remote.h).
 *   So a thread that frees and allocates alike uses remote blocks again, without a word to the owner.
 *   Source of the cache: magazines (Bonwick and Adams, USENIX 2001).
 *
 *   Above FINE_MAX bytes requests are rounded up to a multiple of 64, not of 16: each thread keeps
 *   pools and a cache for each class, and few blocks in as many classes as pymalloc's would hold more
 *   memory than the rounding takes.
 *
 *   A thread gets a heap at its first call, an orphan if there is one. When it ends, its heap becomes
 *   an orphan with all its live blocks. Whoever pushes to an orphan takes the blocks back in its
 *   stead, under the lock; so memory comes back even if no thread ever adopts it, and there are never
 *   more heaps than there were threads at a time. What is pending for a thread that lives and does
 *   nothing is bounded by what it had allocated.
 *
 *   A thread that finds all MAX_HEAPS taken, or no memory for a heap, uses the inner heap only.
 *
 * Invariants
 *   A heap that is no orphan is touched by its thread alone, but for `remote`; an orphan by who holds
 *   the lock. A heap, once made, stays until the root is closed.
 *   A pending block is counted as used by its pool, so the pool stays. */
#include "allocators/pool_blocks.h"

#include <sys/mman.h>

enum {
    MAX_HEAPS = UINT8_MAX,
    FINE_MAX = 256,
    BATCH_BLOCKS = 64,
    CACHE_BLOCKS = 32,      /* of either half of a cache, at most */
    CACHE_BYTES = 16 << 10, /* likewise */
};

/* The thread's heap of the root that it used last, by the root's serial number: an address could be
 * that of a later root. The model keeps a preloaded library from allocating for it. */
static __thread struct {
    uint64_t serial;
    struct hm_heap *heap;
} last_used __attribute__((tls_model("initial-exec")));

/* ---- Pending blocks ---- */

/* By the heap's thread, or under the lock. */
static void collect(struct hm_heap *heap) {
    void *block = hm_pool_remote_take(&heap->remote);
    while (block) {
        void *next = hm_pool_chain_next(block);
        put(heap, block, heap->arena_bits, heap->pool_bits);
        block = next;
    }
}

/* Keep of an orphan only what its live blocks need. */
static void shrink_orphan(struct hm_heap *heap) {
    collect(heap);
    hm_pool_settle(heap);
    hm_pool_drop_spares(heap);
}

static void push(struct hm_heap *owner, void *first, void *last) {
    hm_pool_remote_push(&owner->remote, first, last);
    if (HM_LIKELY(!__atomic_load_n(&owner->is_orphan, __ATOMIC_SEQ_CST)))
        return;
    struct hm_pool_threads *threads = &owner->root->threads;
    pthread_mutex_lock(&threads->lock);
    if (owner->is_orphan)
        shrink_orphan(owner);
    pthread_mutex_unlock(&threads->lock);
}

static void push_batch(struct hm_pool_batch *batch) {
    void *first = batch->first;
    batch->first = NULL;
    batch->count = 0;
    if (first)
        push(batch->owner, first, batch->last);
}

static struct hm_heap *owner_of(const struct hm_heap *heap, const void *block) {
    return hm_pool_arena_of(heap, pool_of(block, heap->arena_bits, heap->pool_bits))->heap;
}

static void put_remote(struct hm_heap *own, uint8_t id, void *block) {
    struct hm_pool_batch *batch = &own->batches[id % HM_POOL_BATCHES];
    if (batch->id != id) {
        push_batch(batch);
        batch->added = 0;
        batch->id = id;
        batch->owner = owner_of(own, block);
    }
    hm_pool_batch_add(batch, block);
    if (batch->count == BATCH_BLOCKS)
        push_batch(batch);
}

/* Give all blocks of a chain back. */
static void flush(struct hm_heap *own, void *block) {
    while (block) {
        void *next = *(void **)block;
        uint8_t id = owner_id(own, block, own->arena_bits);
        if (id == own->id)
            put(own, block, own->arena_bits, own->pool_bits);
        else
            put_remote(own, id, block);
        block = next;
    }
}

static void flush_all(struct hm_heap *own) {
    for (int i = 0; i < HM_POOL_CLASSES; i++) {
        struct hm_pool_cache *cache = &own->caches[i];
        flush(own, cache->head);
        flush(own, cache->older);
        cache->head = cache->older = NULL;
        cache->count = 0;
    }
    for (int i = 0; i < HM_POOL_BATCHES; i++)
        push_batch(&own->batches[i]);
}

static void visit_chain(const struct hm_heap *heap, const void *block, hm_pool_visit *visit,
                        void *arg) {
    for (; block; block = *(void *const *)block)
        visit(arg, owner_of(heap, block), block);
}

void hm_pool_each_pending(const struct hm_heap *root, hm_pool_visit *visit, void *arg) {
    for (const struct hm_heap *heap = root; heap; heap = heap->next) {
        visit_chain(heap, heap->remote.head, visit, arg);
        for (int i = 0; i < HM_POOL_BATCHES; i++)
            visit_chain(heap, heap->batches[i].first, visit, arg);
        for (int i = 0; i < HM_POOL_CLASSES; i++) {
            visit_chain(heap, heap->caches[i].head, visit, arg);
            visit_chain(heap, heap->caches[i].older, visit, arg);
        }
    }
}

/* ---- A thread's heap ---- */

static void set_limits(struct hm_heap *heap) {
    for (int i = 0; i < HM_POOL_CLASSES; i++) {
        uint32_t blocks = CACHE_BYTES / heap->classes[i].bytes;
        heap->caches[i].limit = blocks < CACHE_BLOCKS ? blocks : CACHE_BLOCKS;
    }
}

/* Under the lock. Ids go up along the chain, the newest heap being the first behind the root. */
static struct hm_heap *make_heap(struct hm_heap *root) {
    unsigned id = root->next ? root->next->id + 1u : 1;
    if (id > MAX_HEAPS)
        return NULL;
    struct hm_heap *heap = hm_pool_map_heap(root->arena_bits, root->pool_bits, root->max);
    if (!heap)
        return NULL;
    heap->owned = root->owned;
    heap->spare_max = root->spare_max;
    heap->inner = root->inner;
    heap->id = (uint8_t)id;
    heap->root = root;
    heap->next = root->next;
    root->next = heap;
    set_limits(heap);
    return heap;
}

static struct hm_heap *adopt_or_make(struct hm_heap *root) {
    struct hm_pool_threads *threads = &root->threads;
    pthread_mutex_lock(&threads->lock);
    struct hm_heap *heap = threads->orphans;
    if (heap) {
        threads->orphans = heap->next_orphan;
        __atomic_store_n(&heap->is_orphan, false, __ATOMIC_SEQ_CST);
    } else {
        heap = make_heap(root);
    }
    pthread_mutex_unlock(&threads->lock);
    return heap;
}

/* The thread has flushed its caches and batches. Whoever pushes to the heap either is seen by the collecting
 * here, or sees that the heap is an orphan. */
static void abandon(struct hm_heap *heap) {
    struct hm_pool_threads *threads = &heap->root->threads;
    pthread_mutex_lock(&threads->lock);
    __atomic_store_n(&heap->is_orphan, true, __ATOMIC_SEQ_CST);
    shrink_orphan(heap);
    heap->next_orphan = threads->orphans;
    threads->orphans = heap;
    pthread_mutex_unlock(&threads->lock);
}

/* The destructor of the key. */
static void end_thread(void *arg) {
    struct hm_heap *heap = arg;
    if (last_used.heap == heap)
        last_used.serial = 0;
    flush_all(heap);
    abandon(heap);
}

/* `last_used` comes first, for setting the key may allocate. */
__attribute__((noinline)) static struct hm_heap *find_own(struct hm_heap *root) {
    struct hm_heap *heap = pthread_getspecific(root->threads.key);
    bool is_new = !heap;
    if (is_new)
        heap = adopt_or_make(root);
    if (!heap)
        return NULL;
    last_used.serial = root->serial;
    last_used.heap = heap;
    if (is_new && pthread_setspecific(root->threads.key, heap)) {
        end_thread(heap);
        return NULL;
    }
    return heap;
}

static inline struct hm_heap *own_of(struct hm_heap *root) {
    return HM_LIKELY(last_used.serial == root->serial) ? last_used.heap : find_own(root);
}

void hm_pool_enter_thread(struct hm_heap *root) {
    if (root->serial)
        own_of(root);
}

void hm_pool_leave_thread(struct hm_heap *root) {
    struct hm_heap *heap = root->serial ? pthread_getspecific(root->threads.key) : NULL;
    if (!heap)
        return;
    pthread_setspecific(root->threads.key, NULL);
    end_thread(heap);
}

int hm_pool_open_threads(struct hm_heap *root) {
    static uint64_t serials;
    int error = pthread_key_create(&root->threads.key, end_thread);
    if (error)
        return error;
    pthread_mutex_init(&root->threads.lock, NULL);
    root->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
    return 0;
}

void hm_pool_close_threads(struct hm_heap *root) {
    if (!root->serial)
        return;
    pthread_key_delete(root->threads.key);
    pthread_mutex_destroy(&root->threads.lock);
    while (root->next) {
        struct hm_heap *heap = root->next;
        root->next = heap->next;
        hm_pool_unmap_all(heap);
        munmap(heap, heap->bytes);
    }
}

/* ---- The calls ---- */

/* On the own heap. */
static void own_count(struct hm_heap *own, uint64_t blocks, uint64_t bytes) {
    own->inner_blocks += blocks;
    own->inner_bytes += bytes;
}

/* The thread's heap if it has one. A free makes none: the C library frees on behalf of threads whose
 * destructors have run, and a heap made then would never be given back. */
static struct hm_heap *existing_own(struct hm_heap *root) {
    return last_used.serial == root->serial ? last_used.heap
                                            : pthread_getspecific(root->threads.key);
}

static void thread_count(struct hm_heap *root, uint64_t blocks, uint64_t bytes) {
    struct hm_heap *own = existing_own(root);
    if (own) {
        own_count(own, blocks, bytes);
        return;
    }
    __atomic_fetch_add(&root->inner_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_fetch_add(&root->inner_bytes, bytes, __ATOMIC_RELAXED);
}

__attribute__((noinline)) static void *take_first(struct hm_heap *own,
                                                  struct hm_pool_class *class) {
    if (hm_pool_remote_has(&own->remote))
        collect(own);
    return start_and_take(own, class, own_count);
}

__attribute__((noinline)) static void *thread_take_inner(struct hm_heap *root, size_t size) {
    return take_inner(root, size, thread_count);
}

__attribute__((noinline)) static void *take_uncached(struct hm_heap *own, size_t size,
                                                     struct hm_pool_cache *cache) {
    void *block = cache->older;
    if (!block)
        return take(own, size, take_first);
    cache->older = NULL;
    cache->head = *(void **)block;
    cache->count = cache->limit - 1;
    return block;
}

/* Every class up to FINE_MAX bytes, and every fourth above. */
static inline size_t class_of(size_t size) {
    size_t index = (size - 1) >> HM_POOL_STEP_BITS;
    return index >= FINE_MAX >> HM_POOL_STEP_BITS ? index | 3 : index;
}

/* `size` is small. */
static inline void *take_cached(struct hm_heap *own, size_t size) {
    size_t class = class_of(size);
    struct hm_pool_cache *cache = &own->caches[class];
    void *block = cache->head;
    if (HM_UNLIKELY(!block))
        return take_uncached(own, (class + 1) << HM_POOL_STEP_BITS, cache);
    cache->head = *(void **)block;
    cache->count--;
    return block;
}

__attribute__((noinline)) static void age_cache(struct hm_heap *own, struct hm_pool_cache *cache) {
    void *oldest = cache->older;
    cache->older = cache->head;
    cache->head = NULL;
    cache->count = 0;
    flush(own, oldest);
}

/* `block` lies in an arena of the root's. */
static inline void put_cached(struct hm_heap *own, void *block, unsigned arena_bits,
                              unsigned pool_bits) {
    struct hm_pool_cache *cache = &own->caches[pool_of(block, arena_bits, pool_bits)->class];
    *(void **)block = cache->head;
    cache->head = block;
    if (HM_UNLIKELY(++cache->count == cache->limit))
        age_cache(own, cache);
}

/* The thread has not used the root since it used another one. */
__attribute__((noinline)) static void *find_and_take(struct hm_heap *root, size_t size) {
    struct hm_heap *own = find_own(root);
    if (own && is_small(own, size))
        return take_cached(own, size);
    return take_inner(root, size, thread_count);
}

static void *thread_malloc(struct hm_heap *root, size_t size) {
    if (HM_UNLIKELY(last_used.serial != root->serial))
        return find_and_take(root, size);
    struct hm_heap *own = last_used.heap;
    return is_small(own, size) ? take_cached(own, size) : thread_take_inner(root, size);
}

/* A block of the inner heap, or any block by a thread that has not used the root last. */
__attribute__((noinline)) static void put_other(struct hm_heap *root, void *block) {
    struct hm_heap *own = existing_own(root);
    if (!is_ours(root, block, root->arena_bits))
        put_inner(root, block, thread_count);
    else if (!own)
        push(owner_of(root, block), block, block);
    else
        put_cached(own, block, root->arena_bits, root->pool_bits);
}

static inline void put_any(struct hm_heap *root, void *block, unsigned arena_bits,
                           unsigned pool_bits) {
    if (HM_LIKELY(last_used.serial == root->serial && is_ours(root, block, arena_bits)))
        put_cached(last_used.heap, block, arena_bits, pool_bits);
    else
        put_other(root, block);
}

static void thread_free(struct hm_heap *root, void *block) {
    put_any(root, block, root->arena_bits, root->pool_bits);
}

static void thread_free_default(struct hm_heap *root, void *block) {
    put_any(root, block, HM_POOL_DEFAULT_ARENA_BITS, HM_POOL_DEFAULT_POOL_BITS);
}

HM_POOL_FAMILY(thread, thread_count)

struct hm_heap_calls hm_pool_thread_calls(bool is_default) {
    struct hm_heap_calls calls = HM_POOL_CALLS(thread);
    if (is_default)
        calls.free = thread_free_default;
    return calls;
}

/* The layer of the space pass: sums over live blocks. Nothing is timed here, so the sums are of all
 * threads, and each call adds to them. */
#include "harness/cell/space.h"

#include "allocators/layer.h"
#include "harness/cell/ledger.h"

static struct space {
    struct hm_memory inner;
    struct hm_ledger ledger; /* of each block its size as requested, plus 1 */
    uint64_t requested, usable, blocks, calls, peak;
    bool blind;
    uint64_t every;
    hm_space_look_fn *look;
    void *arg;
} space;

/* ---- Sums ---- */

static uint64_t add(uint64_t *sum, uint64_t more) {
    return __atomic_add_fetch(sum, more, __ATOMIC_RELAXED);
}

static uint64_t read_sum(const uint64_t *sum) {
    return __atomic_load_n(sum, __ATOMIC_RELAXED);
}

static void raise_peak(uint64_t requested) {
    uint64_t peak = read_sum(&space.peak);
    while (requested > peak && !__atomic_compare_exchange_n(&space.peak, &peak, requested, true,
                                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static void count_call(void) {
    uint64_t every = read_sum(&space.every);
    if (add(&space.calls, 1) % (every ? every : UINT64_MAX) == 0 && every)
        space.look(space.arg);
}

static void *come(void *block, size_t bytes) {
    uint32_t *entry = hm_ledger_at(&space.ledger, block);
    if (!entry || bytes >= UINT32_MAX) {
        __atomic_store_n(&space.blind, true, __ATOMIC_RELAXED);
        return block;
    }
    __atomic_store_n(entry, (uint32_t)bytes + 1, __ATOMIC_RELAXED);
    add(&space.usable, hm_usable_size(&space.inner, block));
    add(&space.blocks, 1);
    raise_peak(add(&space.requested, bytes));
    return block;
}

/* A block as it is about to go. */
struct going {
    uint64_t requested, usable;
    bool known;
};

static struct going look_at(void *block) {
    const uint32_t *entry = hm_ledger_at(&space.ledger, block);
    uint32_t kept = entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0;
    if (!kept)
        return (struct going){.known = false};
    return (struct going){kept - 1, hm_usable_size(&space.inner, block), true};
}

static void go(const struct going *block) {
    if (!block->known)
        return;
    add(&space.requested, -block->requested);
    add(&space.usable, -block->usable);
    add(&space.blocks, UINT64_MAX);
}

/* ---- The calls ---- */

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    void *block = hm_malloc(&space.inner, size);
    if (block)
        come(block, size);
    count_call();
    return block;
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    void *block = hm_calloc(&space.inner, count, size);
    if (block)
        come(block, count * size);
    count_call();
    return block;
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    (void)heap;
    void *block = hm_layer_aligned_alloc(&space.inner, alignment, size);
    if (block)
        come(block, size);
    count_call();
    return block;
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    (void)heap;
    struct going old = {.known = false};
    if (block)
        old = look_at(block);
    void *fresh = hm_realloc(&space.inner, block, size);
    if (fresh) {
        go(&old);
        come(fresh, size);
    }
    count_call();
    return fresh;
}

static void heap_free(struct hm_heap *heap, void *block) {
    (void)heap;
    if (block) {
        const struct going old = look_at(block);
        go(&old);
    }
    hm_free(&space.inner, block);
    count_call();
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return hm_usable_size(&space.inner, block);
}

/* ---- The layer ---- */

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    (void)heap;
    hm_layer_stats(&space.inner, out);
}

static void close_heap(struct hm_heap *heap) {
    (void)heap;
    hm_ledger_close(&space.ledger);
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    space = (struct space){.inner = *options->inner};
    if (hm_ledger_open(&space.ledger, sizeof(uint32_t)))
        return ENOMEM;
    *out = (struct hm_memory){
        .allocator = &hm_space_layer,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

const struct hm_allocator hm_space_layer = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "space",
    .summary = "layer of the harness: sums over live blocks",
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
};

/* ---- Reading ---- */

void hm_space_read(struct hm_space_now *out) {
    *out = (struct hm_space_now){.requested = read_sum(&space.requested),
                                 .usable = read_sum(&space.usable),
                                 .blocks = read_sum(&space.blocks),
                                 .calls = read_sum(&space.calls),
                                 .peak = read_sum(&space.peak),
                                 .known = !__atomic_load_n(&space.blind, __ATOMIC_RELAXED)};
}

void hm_space_begin(uint64_t every, hm_space_look_fn *look, void *arg) {
    space.look = look;
    space.arg = arg;
    __atomic_store_n(&space.peak, read_sum(&space.requested), __ATOMIC_RELAXED);
    __atomic_store_n(&space.every, every, __ATOMIC_RELAXED);
}

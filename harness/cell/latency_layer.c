/* The layer of the latency pass.
 *
 * Between the two readings of the clock there is the inner call alone: which function it is, the block's
 * size and the thread's record are known before the first, and all that is written is written after the
 * second. The cost of the readings is taken off. */
#include "harness/cell/latency.h"

#include "allocators/layer.h"
#include "harness/cell/latency_record.h"
#include "harness/cell/ledger.h"

static struct latency {
    struct hm_memory inner;
    struct hm_ledger ledger; /* of each block its size, one byte */
} latency;

static int enter(struct hm_heap *heap) {
    (void)heap;
    return hm_latency_enter();
}

static void leave(struct hm_heap *heap) {
    (void)heap;
    hm_latency_leave();
}

/* ---- Sizes of blocks ---- */

static unsigned size_of(size_t bytes) {
    return bytes <= HM_LATENCY_SMALL_MOST    ? HM_LATENCY_SMALL
           : bytes <= HM_LATENCY_MEDIUM_MOST ? HM_LATENCY_MEDIUM
                                             : HM_LATENCY_LARGE;
}

static void *keep_size(void *block, unsigned size) {
    uint8_t *entry = block ? hm_ledger_at(&latency.ledger, block) : NULL;
    if (entry)
        __atomic_store_n(entry, (uint8_t)size, __ATOMIC_RELAXED);
    return block;
}

/* Blocks that are in no ledger begin anywhere: those of a heap of bytes, which can tell their size. */
static unsigned kept_size(void *block) {
    const uint8_t *entry = hm_ledger_at(&latency.ledger, block);
    return entry ? __atomic_load_n(entry, __ATOMIC_RELAXED)
                 : size_of(hm_usable_size(&latency.inner, block));
}

/* ---- The calls ---- */

/* INNER is evaluated between the readings, when there are any. */
#define TIMED(call, size, INNER)                                                                   \
    do {                                                                                           \
        if (!hm_latency_is_recording()) {                                                          \
            INNER;                                                                                 \
            break;                                                                                 \
        }                                                                                          \
        bool open_ = hm_latency.gap_ticks > 0;                                                     \
        uint64_t due_ = open_ ? hm_latency_wait_until_due() : 0;                                   \
        uint64_t begin_ = hm_ticks_begin();                                                        \
        INNER;                                                                                     \
        uint64_t end_ = hm_ticks_end();                                                            \
        hm_latency_note(hm_latency_kind(call, size), begin_, end_);                                \
        if (open_)                                                                                 \
            hm_latency_respond(due_, end_);                                                        \
    } while (0)

/* Once for each shape of the inner heap, so that no test of it stands between the readings. */
#define CALLS(shape, INNER)                                                                        \
    static void *shape##_malloc(struct hm_heap *heap, size_t bytes) {                              \
        const struct hm_memory *m = &latency.inner;                                                \
        unsigned size = size_of(bytes);                                                            \
        void *block;                                                                               \
        (void)heap;                                                                                \
        TIMED(HM_LATENCY_MALLOC, size, block = INNER(malloc, bytes));                              \
        return keep_size(block, size);                                                             \
    }                                                                                              \
    static void *shape##_calloc(struct hm_heap *heap, size_t count, size_t each) {                 \
        const struct hm_memory *m = &latency.inner;                                                \
        unsigned size = size_of(count * each);                                                     \
        void *block;                                                                               \
        (void)heap;                                                                                \
        TIMED(HM_LATENCY_MALLOC, size, block = INNER(calloc, count, each));                        \
        return keep_size(block, size);                                                             \
    }                                                                                              \
    static void *shape##_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t bytes) {     \
        const struct hm_memory *m = &latency.inner;                                                \
        unsigned size = size_of(bytes);                                                            \
        void *block;                                                                               \
        (void)heap;                                                                                \
        if (!hm_layer_is_power(alignment))                                                         \
            return hm_layer_aligned_alloc(m, alignment, bytes);                                    \
        TIMED(HM_LATENCY_MALLOC, size, block = INNER(aligned_alloc, alignment, bytes));            \
        return keep_size(block, size);                                                             \
    }                                                                                              \
    static void *shape##_realloc(struct hm_heap *heap, void *block, size_t bytes) {                \
        const struct hm_memory *m = &latency.inner;                                                \
        unsigned size = size_of(bytes);                                                            \
        enum hm_latency_call call = block ? HM_LATENCY_REALLOC : HM_LATENCY_MALLOC;                \
        void *fresh;                                                                               \
        (void)heap;                                                                                \
        TIMED(call, size, fresh = INNER(realloc, block, bytes));                                   \
        return keep_size(fresh, size);                                                             \
    }                                                                                              \
    static void shape##_free(struct hm_heap *heap, void *block) {                                  \
        const struct hm_memory *m = &latency.inner;                                                \
        (void)heap;                                                                                \
        if (!block)                                                                                \
            return;                                                                                \
        unsigned size = hm_latency.on && hm_latency_own ? kept_size(block) : 0;                    \
        TIMED(HM_LATENCY_FREE, size, INNER(free, block));                                          \
    }

#define LIBC_CALL(function, ...) m->libc.function(__VA_ARGS__)
#define HEAP_CALL(function, ...) m->calls.function(m->heap, __VA_ARGS__)

CALLS(libc, LIBC_CALL)
CALLS(heap, HEAP_CALL)

static size_t usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return hm_usable_size(&latency.inner, block);
}

/* ---- The layer ---- */

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    (void)heap;
    hm_layer_stats(&latency.inner, out);
}

static void close_heap(struct hm_heap *heap) {
    (void)heap;
    hm_ledger_close(&latency.ledger);
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    static const struct hm_heap_calls libc = {libc_malloc,        libc_calloc, libc_realloc,
                                              libc_aligned_alloc, libc_free,   usable_size};
    static const struct hm_heap_calls heap = {heap_malloc,        heap_calloc, heap_realloc,
                                              heap_aligned_alloc, heap_free,   usable_size};
    latency.inner = *options->inner;
    hm_latency.on = false;
    if (hm_ledger_open(&latency.ledger, 1))
        return ENOMEM;
    hm_ticks_open();
    *out = (struct hm_memory){.allocator = &hm_latency_layer,
                              .shape = HM_SHAPE_HEAP,
                              .calls = latency.inner.shape == HM_SHAPE_LIBC ? libc : heap};
    return 0;
}

const struct hm_allocator hm_latency_layer = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "latency",
    .summary = "layer of the harness: times each call",
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .enter = enter,
    .leave = leave,
    .stats = read_stats,
};

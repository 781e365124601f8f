/* The layer of the latency pass.
 *
 * Between the two readings of the clock there is the inner call alone: which function it is, the block's
 * size and the thread's record are known before the first, and all that is written is written after the
 * second. The cost of the readings is taken off. */
#include "harness/cell/latency_layer.h"

#include "allocators/layer.h"
#include "harness/cell/ledger.h"
#include "harness/cell/ticks.h"
#include "workloads/scratch.h"

#include <pthread.h>

/* Of a thread that is inside; those of threads that have left are used again. */
struct thread_record {
    struct hm_latency_record kept;
    uint64_t step;                /* in which `first_ticks` was */
    uint64_t first_ticks;         /* when its first call of the step was due */
    uint64_t sent;                /* calls since then */
    struct thread_record *next;   /* of all */
    struct thread_record *unused; /* the next one that nobody uses */
};

static struct latency {
    struct hm_memory inner;
    bool on; /* written between steps only */
    uint64_t on_ticks, on_ns;
    double gap_ticks;        /* between two calls of an open loop; 0: closed */
    uint64_t step;           /* timed steps so far */
    struct hm_ledger ledger; /* of each block its size, one byte */
    pthread_mutex_t mutex;   /* of the records' lists */
    struct thread_record *all, *unused;
} latency = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static __thread struct thread_record *own;

/* ---- Records ---- */

static int enter(struct hm_heap *heap) {
    (void)heap;
    pthread_mutex_lock(&latency.mutex);
    struct thread_record *r = latency.unused;
    if (r) {
        latency.unused = r->unused;
    } else if ((r = hm_scratch(sizeof *r))) {
        r->next = latency.all;
        latency.all = r;
    }
    own = r;
    pthread_mutex_unlock(&latency.mutex);
    return r ? 0 : ENOMEM;
}

static void leave(struct hm_heap *heap) {
    (void)heap;
    pthread_mutex_lock(&latency.mutex);
    if (own) {
        own->unused = latency.unused;
        latency.unused = own;
    }
    own = NULL;
    pthread_mutex_unlock(&latency.mutex);
}

/* In place of the shortest of those that are kept. */
static void keep_stall(struct hm_latency_record *r, const struct hm_stall *stall) {
    unsigned shortest = 0;
    for (unsigned i = 1; i < HM_LATENCY_STALLS; i++)
        if (r->stalls[i].parts < r->stalls[shortest].parts)
            shortest = i;
    if (stall->parts <= r->stalls[shortest].parts)
        return;
    r->stalls[shortest] = *stall;
    r->stall_most = UINT64_MAX;
    for (unsigned i = 0; i < HM_LATENCY_STALLS; i++)
        if (r->stalls[i].parts < r->stall_most)
            r->stall_most = r->stalls[i].parts;
}

static void note(enum hm_latency_call call, unsigned size, uint64_t begin, uint64_t end) {
    struct hm_latency_record *r = &own->kept;
    uint64_t parts = hm_ticks_parts(begin, end);
    hm_histogram_count(&r->kinds[call][size], parts);
    if (parts <= r->stall_most)
        return;
    double since_ns = (double)(begin - latency.on_ticks) * hm_ticks.ns_per_tick;
    keep_stall(r, &(struct hm_stall){.parts = parts,
                                     .t_ns = latency.on_ns + (uint64_t)since_ns,
                                     .thread = hm_engine_thread,
                                     .call = (uint8_t)call,
                                     .size = (uint8_t)size});
}

/* In an open loop. @return when the call is due, which is now or was before */
static uint64_t wait_until_due(void) {
    uint64_t now = hm_ticks_begin();
    if (own->step != latency.step) {
        own->step = latency.step;
        own->first_ticks = now;
        own->sent = 0;
    }
    uint64_t due = own->first_ticks + (uint64_t)((double)own->sent++ * latency.gap_ticks);
    while (now < due)
        now = hm_ticks_begin();
    return due;
}

static bool is_recording(void) {
    if (own)
        own->kept.calls++;
    return latency.on && own;
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
        if (!is_recording()) {                                                                     \
            INNER;                                                                                 \
            break;                                                                                 \
        }                                                                                          \
        bool open_ = latency.gap_ticks > 0;                                                        \
        uint64_t due_ = open_ ? wait_until_due() : 0;                                              \
        uint64_t begin_ = hm_ticks_begin();                                                        \
        INNER;                                                                                     \
        uint64_t end_ = hm_ticks_end();                                                            \
        note(call, size, begin_, end_);                                                            \
        if (open_)                                                                                 \
            hm_histogram_count(&own->kept.response, hm_ticks_parts(due_, end_));                   \
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
        unsigned size = latency.on && own ? kept_size(block) : 0;                                  \
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
    latency.on = false;
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

/* ---- Control ---- */

void hm_latency_record(bool on, uint64_t done_ns) {
    latency.on_ticks = hm_ticks_begin();
    latency.on_ns = done_ns;
    latency.step += on;
    latency.on = on;
}

void hm_latency_open_loop(uint64_t rate) {
    latency.gap_ticks = rate ? 1e9 / (double)rate / hm_ticks.ns_per_tick : 0;
}

uint64_t hm_latency_calls(void) {
    uint64_t calls = 0;
    for (const struct thread_record *r = latency.all; r; r = r->next)
        calls += r->kept.calls;
    return calls;
}

const struct hm_latency_record *hm_latency_merge(void) {
    struct hm_latency_record *sum = hm_scratch(sizeof *sum);
    for (const struct thread_record *r = sum ? latency.all : NULL; r; r = r->next) {
        for (unsigned call = 0; call < HM_LATENCY_CALLS; call++)
            for (unsigned size = 0; size < HM_LATENCY_SIZES; size++)
                hm_histogram_add(&sum->kinds[call][size], &r->kept.kinds[call][size]);
        hm_histogram_add(&sum->response, &r->kept.response);
        sum->calls += r->kept.calls;
        for (unsigned i = 0; i < HM_LATENCY_STALLS; i++)
            keep_stall(sum, &r->kept.stalls[i]);
    }
    return sum;
}

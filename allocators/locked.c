/* One lock around every call: makes any allocator safe for threads, and shows what a lock costs.
 *
 * The locks
 *   mutex   the C library's: a futex word; waiters sleep
 *   spin    test, and test-and-set; whoever comes first gets it
 *   ticket  first come, first served
 *   gil     CPython's global interpreter lock (gil.h). Each call of the heap is one turn: it models
 *           threads whose every operation runs under that lock, and not the bytecode between them,
 *           for which a thread of CPython keeps it.
 *
 * Those who spin yield the processor now and then, so that a machine with more threads than cores
 * goes on. A clock is read only by who already waits for the gil. */
#include "allocators/gil.h"
#include "allocators/layer.h"

#include <pthread.h>
#include <sched.h>

enum {
    LOCK_MUTEX,
    LOCK_SPIN,
    LOCK_TICKET,
    LOCK_GIL,
};

enum {
    SPINS_PER_YIELD = 1000,
};

struct hm_heap {
    struct hm_memory inner;
    int kind;
    pthread_mutex_t mutex;
    struct hm_gil gil;
    /* On lines of their own: the waiters' reads must not take the line of what is above. */
    uint32_t flag __attribute__((aligned(128))); /* spin: 1 while held; ticket: the next one */
    uint32_t serving __attribute__((aligned(128)));
};

static void relax(unsigned *spins) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (++*spins % SPINS_PER_YIELD == 0)
        sched_yield();
}

static void take_spin(uint32_t *flag) {
    unsigned spins = 0;
    while (__atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(flag, __ATOMIC_RELAXED))
            relax(&spins);
}

static void take_ticket(struct hm_heap *heap) {
    uint32_t mine = __atomic_fetch_add(&heap->flag, 1, __ATOMIC_RELAXED);
    unsigned spins = 0;
    while (__atomic_load_n(&heap->serving, __ATOMIC_ACQUIRE) != mine)
        relax(&spins);
}

static inline void take(struct hm_heap *heap) {
    switch (heap->kind) {
    case LOCK_MUTEX:
        pthread_mutex_lock(&heap->mutex);
        break;
    case LOCK_SPIN:
        take_spin(&heap->flag);
        break;
    case LOCK_TICKET:
        take_ticket(heap);
        break;
    default:
        hm_gil_take(&heap->gil);
    }
}

static inline void drop(struct hm_heap *heap) {
    switch (heap->kind) {
    case LOCK_MUTEX:
        pthread_mutex_unlock(&heap->mutex);
        break;
    case LOCK_SPIN:
        __atomic_store_n(&heap->flag, 0, __ATOMIC_RELEASE);
        break;
    case LOCK_TICKET: /* only the holder writes it */
        __atomic_store_n(&heap->serving, heap->serving + 1, __ATOMIC_RELEASE);
        break;
    default:
        hm_gil_drop(&heap->gil);
    }
}

/* Unlocking may set errno, which is part of the answer. */
static inline void *answer(struct hm_heap *heap, void *block) {
    int code = errno;
    drop(heap);
    errno = code;
    return block;
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    take(heap);
    return answer(heap, hm_malloc(&heap->inner, size));
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    take(heap);
    return answer(heap, hm_calloc(&heap->inner, count, size));
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    take(heap);
    return answer(heap, hm_realloc(&heap->inner, block, size));
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    take(heap);
    return answer(heap, hm_layer_aligned_alloc(&heap->inner, alignment, size));
}

static void heap_free(struct hm_heap *heap, void *block) {
    take(heap);
    hm_free(&heap->inner, block);
    drop(heap);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    take(heap);
    size_t bytes = hm_usable_size(&heap->inner, block);
    drop(heap);
    return bytes;
}

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    hm_layer_stats(&heap->inner, out);
}

static void close_heap(struct hm_heap *heap) {
    pthread_mutex_destroy(&heap->mutex);
    hm_gil_close(&heap->gil);
    hm_layer_unmap(heap, sizeof *heap);
}

enum {
    PARAM_LOCK
};

static const struct hm_param params[] = {
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help = "what a thread takes before each call",
                    .kind = HM_PARAM_CHOICE,
                    .initial = LOCK_MUTEX,
                    .max = LOCK_GIL,
                    .choices = "mutex|spin|ticket|gil"},
    {.name = NULL},
};

static const struct hm_allocator hm_locked;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->inner = *options->inner;
    heap->kind = (int)options->params[PARAM_LOCK].number;
    pthread_mutex_init(&heap->mutex, NULL);
    hm_gil_open(&heap->gil);
    *out = (struct hm_memory){
        .allocator = &hm_locked,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_locked = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "locked",
    .summary = "layer: one lock around every call, which makes any allocator safe for threads",
    .origin = "Mellor-Crummey and Scott 1991 (ticket); CPython 3.11, Python/ceval_gil.h (gil)",
    .params = params,
    .caps = HM_CAP_LAYER | HM_CAP_THREADS | HM_CAP_LOCKS,
    .open = open_heap,
    .close = close_heap,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_locked);

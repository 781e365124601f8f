/* Delays every operation by a known time: the slower arm of an experiment whose result is known
 * beforehand, to test the statistics with.
 *
 * The delay is a loop of so many turns, counted out at open against the clock; the hot path reads
 * none. The fastest of several tries is taken: all that disturbs a try makes it longer. A delay is
 * as steady as the processor's frequency. One that is shorter than a call and the end of a loop take
 * (some ten nanoseconds: the end is mispredicted) is none at all.
 *
 * A smaller mean delay is a longer one of each `every`-th call. What such an arm is compared with has
 * the same `every` and ns=0: it counts its calls, too, and waits for no turns. With `turns` the number
 * of turns is given instead of measured, so that all processes execute the same instructions. */
#include "allocators/handicap.h"

#include "allocators/layer.h"

#include <stdatomic.h>
#include <time.h>

enum {
    PARAM_NS,
    PARAM_EVERY,
    PARAM_TURNS,
};

enum {
    TRIES = 40,
    LONG_TURNS = 1000000,
    SHORT_TURNS = 500,
    SHORT_WAITS = 1000,
    SLOTS = 16, /* heaps of a process that may count at the same time */
};

struct hm_heap {
    struct hm_memory inner;
    uint64_t turns;
    uint32_t every;
    unsigned slot; /* of the counts */
};

/* Each thread counts for itself: a shared count would be a handicap of another kind. */
static __thread struct counts {
    uint32_t left; /* calls until the next one that waits */
    uint64_t waits;
} counts[SLOTS];

static atomic_uint heaps;

/* Never inlined: what is calibrated is the very code that waits. */
__attribute__((noinline)) void hm_handicap_wait(uint64_t turns) {
    for (uint64_t i = 0; i < turns; i++)
        __asm__ volatile("" : "+r"(i));
}

uint64_t hm_handicap_turns(const struct hm_heap *heap) {
    return heap->turns;
}

uint64_t hm_handicap_waits(const struct hm_heap *heap) {
    return counts[heap->slot].waits;
}

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The shortest time of one of `waits` waits in a row. */
static double wait_ns(uint64_t turns, unsigned waits) {
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double begin = now_ns();
        for (unsigned w = 0; w < waits; w++)
            hm_handicap_wait(turns);
        double ns = (now_ns() - begin) / waits;
        if (i == 0 || ns < best)
            best = ns;
    }
    return best;
}

/* A long wait tells what a turn takes; short ones, what is lost to the call and the loop's end. */
static uint64_t turns_for(double ns) {
    double turn = wait_ns(LONG_TURNS, 1) / LONG_TURNS;
    double around = wait_ns(SHORT_TURNS, SHORT_WAITS) - SHORT_TURNS * turn;
    double turns = (ns - around) / turn + 0.5;
    return turns > 0 ? (uint64_t)turns : 0;
}

static bool is_spared(const struct hm_heap *heap) {
    struct counts *c = &counts[heap->slot];
    if (c->left) {
        c->left--;
        return true;
    }
    c->left = heap->every - 1;
    c->waits++;
    return false;
}

HM_HOT void delay(const struct hm_heap *heap) {
    if (heap->every > 1 && is_spared(heap))
        return;
    hm_handicap_wait(heap->turns);
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    delay(heap);
    return hm_malloc(&heap->inner, size);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    delay(heap);
    return hm_calloc(&heap->inner, count, size);
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    delay(heap);
    return hm_realloc(&heap->inner, block, size);
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    delay(heap);
    return hm_layer_aligned_alloc(&heap->inner, alignment, size);
}

static void heap_free(struct hm_heap *heap, void *block) {
    delay(heap);
    hm_free(&heap->inner, block);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    return hm_usable_size(&heap->inner, block);
}

static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    hm_layer_stats(&heap->inner, out);
}

static void close_heap(struct hm_heap *heap) {
    hm_layer_unmap(heap, sizeof *heap);
}

static const struct hm_param params[] = {
    [PARAM_NS] = {.name = "ns",
                  .unit = "ns",
                  .help = "delay of each malloc, calloc, realloc, aligned_alloc and free",
                  .kind = HM_PARAM_COUNT,
                  .initial = 100,
                  .min = 0,
                  .max = 1000000},
    [PARAM_EVERY] = {.name = "every",
                     .unit = "calls",
                     .help = "of so many of these calls of a thread only the first one waits",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1,
                     .min = 1,
                     .max = 1000000},
    [PARAM_TURNS] = {.name = "turns",
                     .unit = "turns",
                     .help = "length of the delay in turns of its loop, in the place of a time",
                     .kind = HM_PARAM_COUNT,
                     .initial = 0,
                     .min = 0,
                     .max = 10000000},
    {.name = NULL},
};

static const struct hm_allocator hm_handicap;

static int enter(struct hm_heap *heap) {
    counts[heap->slot] = (struct counts){0, 0};
    return 0;
}

static uint64_t turns_of(const struct hm_value *values) {
    if (values[PARAM_TURNS].number > 0)
        return (uint64_t)values[PARAM_TURNS].number;
    return values[PARAM_NS].number > 0 ? turns_for((double)values[PARAM_NS].number) : 0;
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->inner = *options->inner;
    heap->turns = turns_of(options->params);
    heap->every = (uint32_t)options->params[PARAM_EVERY].number;
    heap->slot = atomic_fetch_add(&heaps, 1) % SLOTS;
    *out = (struct hm_memory){
        .allocator = &hm_handicap,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_handicap = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "handicap",
    .summary = "layer: delays every operation by a given time, to test the statistics with",
    .origin = "heapmark",
    .params = params,
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .enter = enter,
    .stats = read_stats,
};
HM_REGISTER(hm_allocator, hm_handicap);

/* A heap for tests of collectors: it remembers of every address whether it is live, and can be made
 * to fail; with it, how to open a collector on it.
 *
 * Blocks are cut from one arena and never used again. What is freed is filled with 0xDD, what is
 * handed out with 0xCD, and 16 bytes of 0xFD follow each block; a write to a freed block or behind a
 * live one is found by heap_close(). A free of anything but a live block aborts the test. */
#ifndef HM_TESTS_CONFORMANCE_OBJECT_HEAP_H
#define HM_TESTS_CONFORMANCE_OBJECT_HEAP_H

#include "collectors/collector.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    HEAP_GRANULE = 16,
    HEAP_BYTES = 64 << 20,
    HEAP_GUARD = 16,
    PARAMS_MAX = 16,
};

struct block {
    size_t size;
    bool live;
    char filler[7];
};

struct hm_heap {
    char *arena;
    size_t used;
    uint64_t live_blocks;
    uint64_t allowed; /* allocations that still succeed */
    uint64_t room;    /* live blocks that there may be */
};

static struct block *heap_block(void *p) {
    return (struct block *)p - 1;
}

static size_t heap_rounded(size_t size) {
    return sizeof(struct block) +
           ((size + HEAP_GUARD + HEAP_GRANULE - 1) & ~(size_t)(HEAP_GRANULE - 1));
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    if (heap->allowed == 0 || heap->live_blocks >= heap->room) {
        errno = ENOMEM;
        return NULL;
    }
    heap->allowed--;
    heap->live_blocks++;
    assert_true(heap->used + heap_rounded(size) <= HEAP_BYTES);
    struct block *block = (struct block *)(void *)(heap->arena + heap->used);
    heap->used += heap_rounded(size);
    block->size = size;
    block->live = true;
    memset(block + 1, 0xCD, size);
    memset((char *)(block + 1) + size, 0xFD, HEAP_GUARD);
    return block + 1;
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    void *p = heap_malloc(heap, count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

static void heap_free(struct hm_heap *heap, void *p) {
    if (!p)
        return;
    assert_true((char *)p > heap->arena && (char *)p < heap->arena + heap->used);
    assert_true(heap_block(p)->live);
    heap_block(p)->live = false;
    memset(p, 0xDD, heap_block(p)->size);
    heap->live_blocks--;
}

static void heap_open(struct hm_heap *heap, struct hm_memory *memory) {
    *heap = (struct hm_heap){.allowed = UINT64_MAX, .room = UINT64_MAX};
    heap->arena = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(heap->arena, MAP_FAILED);
    *memory = (struct hm_memory){
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {.malloc = heap_malloc, .calloc = heap_calloc, .free = heap_free}};
}

static void heap_close(struct hm_heap *heap) {
    for (size_t at = 0; at < heap->used;) {
        struct block *block = (struct block *)(void *)(heap->arena + at);
        const unsigned char *bytes = (const unsigned char *)(block + 1);
        for (size_t i = 0; i < block->size && !block->live; i++)
            assert_int_equal(bytes[i], 0xDD);
        for (size_t i = 0; i < HEAP_GUARD; i++)
            assert_int_equal(bytes[block->size + i], 0xFD);
        at += heap_rounded(block->size);
    }
    munmap(heap->arena, HEAP_BYTES);
}

/* Whether an object, which must be one that was live once, still is. */
static inline bool is_live(const struct hm_object *object) {
    return object && (uintptr_t)object->type != 0xDDDDDDDDDDDDDDDDu;
}

/* A collector that is open, with its one mutator. */
struct fixture {
    struct hm_heap heap;
    struct hm_memory memory;
    struct hm_gc_events events;
    struct hm_value params[PARAMS_MAX];
    const struct hm_collector *collector;
    struct hm_gc *gc;
    struct hm_mutator *m;
    int pauses;
    int pausing;             /* begun and not ended */
    int generation;          /* of the last pause */
    uint64_t visited, freed; /* as told at the end of the last pause */
};

static void note_begin(void *arg, int generation) {
    struct fixture *f = arg;
    f->pauses++;
    f->pausing++;
    f->generation = generation;
}

static void note_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    struct fixture *f = arg;
    f->pausing--;
    f->visited = visited;
    f->freed = freed;
    assert_int_equal(generation, f->generation);
}

/* Every parameter at its default, nothing open yet but the heap. */
static inline void fixture_prepare(struct fixture *f, const struct hm_collector *collector) {
    *f = (struct fixture){.collector = collector,
                          .events = {.pause_begin = note_begin, .pause_end = note_end, .arg = f}};
    const struct hm_param *p = collector->params;
    for (int i = 0; p && p[i].name; i++)
        f->params[i] = (struct hm_value){.number = p[i].initial, .text = ""};
    heap_open(&f->heap, &f->memory);
}

static inline int fixture_try_open(struct fixture *f) {
    const struct hm_gc_options options = {
        .params = f->params, .memory = &f->memory, .events = &f->events, .mutators = 1};
    int bad = f->collector->open(&f->gc, &options);
    if (!bad)
        f->m = f->collector->attach(f->gc);
    return bad;
}

static inline void fixture_open(struct fixture *f) {
    assert_int_equal(fixture_try_open(f), 0);
    assert_non_null(f->m);
}

static inline struct hm_gc_stats fixture_stats(struct fixture *f) {
    struct hm_gc_stats s;
    f->collector->stats(f->gc, &s);
    return s;
}

static inline void fixture_close(struct fixture *f) {
    assert_int_equal(f->pausing, 0);
    f->collector->detach(f->m);
    f->collector->close(f->gc);
    heap_close(&f->heap);
}

#endif

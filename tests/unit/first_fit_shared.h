/* First-fit heaps for tests with several processes, and what such a heap says of itself. */
#ifndef HM_TESTS_UNIT_FIRST_FIT_SHARED_H
#define HM_TESTS_UNIT_FIRST_FIT_SHARED_H

#include "allocators/allocator.h"
#include "allocators/first-fit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct hm_allocator *const __start_hm_allocator_parts[];
extern const struct hm_allocator *const __stop_hm_allocator_parts[];

enum { /* words of the parameters */
    SCAN,
    BITMAP,
    TREE,
    LOCK_AUTO = 0,
    LOCK_NONE,
    LOCK_MUTEX,
    LOCK_PROCESS,
    PRIVATE = 0,
    SHARED,
};

static const struct hm_allocator *first_fit(void) {
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (part < __stop_hm_allocator_parts && strcmp((*part)->name, "first-fit") != 0)
        part++;
    assert_true(part < __stop_hm_allocator_parts);
    return *part;
}

static struct hm_memory open_heap(int64_t size, int64_t index, int64_t lock, int64_t backing,
                                  unsigned threads) {
    const struct hm_value values[] = {{size, ""}, {1, ""},    {index, ""},
                                      {0, ""},    {lock, ""}, {backing, ""}};
    const struct hm_heap_options options = {.params = values, .threads = threads};
    struct hm_memory memory;
    assert_int_equal(first_fit()->open(&memory, &options), 0);
    return memory;
}

static struct hm_memory open_shared(int64_t size, int64_t index) {
    return open_heap(size, index, LOCK_AUTO, SHARED, 1);
}

static void close_heap(struct hm_memory *m) {
    m->allocator->close(m->heap);
}

static struct hm_heap_stats stats_of(struct hm_memory *m) {
    struct hm_heap_stats stats;
    m->allocator->stats(m->heap, &stats);
    return stats;
}

/* What the heap says of itself in address order. */
struct map {
    int used, runs, touching; /* free runs that touch: none should */
    bool after_free;
    uint64_t end;
    uint64_t digest;        /* of the used ones */
    uint64_t offsets[8192]; /* of the used ones */
};

static void visit(void *arg, const struct hm_block *block) {
    struct map *map = arg;
    assert_int_equal(block->offset, map->end);
    map->end += block->bytes;
    map->touching += !block->used && map->after_free;
    map->after_free = !block->used;
    map->runs += !block->used;
    if (!block->used)
        return;
    map->digest = (map->digest ^ block->offset) * 0x9e3779b97f4a7c15u;
    map->digest = (map->digest ^ block->bytes) * 0x9e3779b97f4a7c15u;
    map->offsets[map->used++] = block->offset;
}

static const struct map *map_of(struct hm_memory *m) {
    static struct map map;
    memset(&map, 0, sizeof map);
    m->allocator->walk(m->heap, visit, &map);
    assert_int_equal(map.touching, 0);
    assert_int_equal(stats_of(m).live_blocks, map.used);
    return &map;
}

#endif

/* For the tests of `pool`: what a walk finds, against the account that the pools' own lists give. */
#ifndef HM_TESTS_UNIT_POOL_WALKED_H
#define HM_TESTS_UNIT_POOL_WALKED_H

#include "allocators/pool.h"
#include "tests/unit/pool_open.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct pool_walked {
    uint64_t end, used_bytes, free_bytes, used_runs;
    bool in_order;
};

static void pool_walk_visit(void *arg, const struct hm_block *block) {
    struct pool_walked *w = arg;
    w->in_order = w->in_order && block->offset >= w->end && block->bytes > 0;
    w->end = block->offset + block->bytes;
    w->used_runs += block->used;
    *(block->used ? &w->used_bytes : &w->free_bytes) += block->bytes;
}

/* All that is mapped for arenas is used, free, or the end of a pool: spare arenas are free. */
static void assert_walked(const struct hm_memory *memory, const struct hm_pool_account *account,
                          const struct hm_heap_stats *stats, uint64_t inner_bytes) {
    struct pool_walked w = {.in_order = true};
    pool_allocator()->walk(memory->heap, pool_walk_visit, &w);
    uint64_t mapped = stats->footprint_bytes - stats->metadata_bytes - inner_bytes;
    assert_true(w.in_order);
    assert_int_equal(w.used_runs, account->used_blocks);
    assert_int_equal(w.used_bytes, account->used_bytes);
    assert_int_equal(w.free_bytes, account->free_bytes + account->unused_pool_bytes + mapped -
                                       account->arena_bytes);
}

#endif

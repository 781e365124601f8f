/* For the tests of `pool`: opens one with any parameters. */
#ifndef HM_TESTS_UNIT_POOL_OPEN_H
#define HM_TESTS_UNIT_POOL_OPEN_H

#include "allocators/allocator.h"

#include <string.h>

extern const struct hm_allocator *const __start_hm_allocator_parts[];
extern const struct hm_allocator *const __stop_hm_allocator_parts[];

enum {
    POOL_PARAMS = 5,
};

static const struct hm_allocator *pool_allocator(void) {
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (strcmp((*part)->name, "pool") != 0)
        part++;
    return *part;
}

/* The default of a parameter is meant by 0. */
struct pool_setting {
    int64_t arena;
    int64_t pool;
    int64_t max;
    int64_t lock;
    int64_t spare;
    unsigned threads;
    const struct hm_memory *inner;
};

static int pool_open(struct hm_memory *out, const struct pool_setting *setting) {
    const struct hm_allocator *allocator = pool_allocator();
    int64_t numbers[POOL_PARAMS] = {setting->arena, setting->pool, setting->max, setting->lock,
                                    setting->spare};
    struct hm_value values[POOL_PARAMS];
    for (int i = 0; i < POOL_PARAMS; i++)
        values[i].number = numbers[i] ? numbers[i] : allocator->params[i].initial;
    struct hm_heap_options options = {values, setting->threads ? setting->threads : 1,
                                      setting->inner};
    return allocator->open(out, &options);
}

#endif

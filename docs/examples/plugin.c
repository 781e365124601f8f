/* An allocator as a plug-in: the C library's, with every request rounded up to whole steps. Does it
 * pay to have fewer sizes?
 *
 *     cc -O2 -shared -fPIC -I. -o libstepped.so docs/examples/plugin.c
 *     heapmark run -a system,./libstepped.so:step=64,traced+./libstepped.so -w churn */
#include "allocators/allocator.h"

#include <malloc.h>
#include <stdlib.h>

static size_t step;

/* What is larger than any block stays so. */
static size_t round_up(size_t size) {
    return size > PTRDIFF_MAX ? size : (size + step - 1) / step * step;
}

static void *stepped_malloc(size_t size) {
    return malloc(round_up(size));
}

static void *stepped_realloc(void *block, size_t size) {
    return realloc(block, round_up(size ? size : 1));
}

static const struct hm_param params[] = {
    {.name = "step",
     .unit = "bytes",
     .help = "sizes are multiples of it",
     .kind = HM_PARAM_BYTES,
     .initial = 32,
     .min = 1,
     .max = 4096},
    {.name = NULL},
};

const struct hm_allocator hm_plugin;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    step = (size_t)options->params[0].number;
    *out = (struct hm_memory){
        .allocator = &hm_plugin,
        .shape = HM_SHAPE_LIBC,
        .libc = {stepped_malloc, calloc, stepped_realloc, aligned_alloc, free, malloc_usable_size},
    };
    return 0;
}

const struct hm_allocator hm_plugin = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "stepped",
    .summary = "the C library's malloc with sizes rounded up to steps",
    .params = params,
    .caps = HM_CAP_THREADS,
    .open = open_heap,
};

/* A bounded plug-in: the C library's malloc up to 4 MiB. From the call `after` on it has nothing below
 * 10,000 bytes, for ever; 0: it stays sound.
 *
 * caught by: overlap realloc cross-thread exhaustion random random-threads */
#include "allocators/allocator.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

enum {
    ARENA_BYTES = 4 << 20,
    LEAST_BYTES = 10000,
};

static int64_t after;
static int64_t calls;
static size_t held_bytes;

static size_t held_by(void *block) {
    return block ? malloc_usable_size(block) + sizeof(size_t) : 0;
}

static bool refuses(size_t size) {
    int64_t call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    bool stopped = after && call > after && size < LEAST_BYTES;
    if (!stopped && size <= ARENA_BYTES &&
        __atomic_load_n(&held_bytes, __ATOMIC_RELAXED) + size <= ARENA_BYTES)
        return false;
    errno = ENOMEM;
    return true;
}

static void *hold(void *block) {
    __atomic_add_fetch(&held_bytes, held_by(block), __ATOMIC_RELAXED);
    return block;
}

static void *bounded_malloc(size_t size) {
    return refuses(size) ? NULL : hold(malloc(size));
}

static void *bounded_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return refuses(bytes) ? NULL : hold(calloc(count, size));
}

static void *bounded_realloc(void *old, size_t size) {
    size_t was = held_by(old);
    if (refuses(size))
        return NULL;
    void *block = realloc(old, size ? size : 1);
    __atomic_sub_fetch(&held_bytes, block ? was : 0, __ATOMIC_RELAXED);
    return hold(block);
}

static void *bounded_aligned(size_t alignment, size_t size) {
    void *block = NULL;
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    if (refuses(size > SIZE_MAX - alignment ? size : size + alignment))
        return NULL;
    int bad = posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size);
    errno = bad ? bad : errno;
    return hold(bad ? NULL : block);
}

static void bounded_free(void *block) {
    int code = errno;
    __atomic_sub_fetch(&held_bytes, held_by(block), __ATOMIC_RELAXED);
    free(block);
    errno = code;
}

static const struct hm_param params[] = {
    {.name = "after",
     .unit = "calls",
     .help = "that small blocks are given for; 0: always",
     .kind = HM_PARAM_COUNT,
     .initial = 4000,
     .max = 1 << 30},
    {.name = NULL},
};

const struct hm_allocator hm_plugin;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    after = options->params[0].number;
    *out = (struct hm_memory){
        .allocator = &hm_plugin,
        .shape = HM_SHAPE_LIBC,
        .libc = {bounded_malloc, bounded_calloc, bounded_realloc, bounded_aligned, bounded_free,
                 malloc_usable_size},
    };
    return 0;
}

const struct hm_allocator hm_plugin = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "small_refused",
    .summary = "refuses small blocks after a while",
    .params = params,
    .caps = HM_CAP_THREADS | HM_CAP_BOUNDED,
    .open = open_heap,
};

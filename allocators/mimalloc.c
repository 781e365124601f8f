/* mimalloc 2, as Debian ships it: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

#include <dlfcn.h>
#include <stdio.h>

static const struct hm_allocator hm_mimalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_mimalloc);
}

/* 209 is 2.0.9. */
static void version(char *out) {
    int (*ask)(void);
    *(void **)(void *)&ask = dlsym(RTLD_DEFAULT, "mi_version");
    int number = ask ? ask() : 0;
    snprintf(out, HM_VERSION_BYTES, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
}

static const struct hm_deviation deviations[] = {
    {.properties = "alignment|random|random-threads",
     .fault = "aligned_alloc(256, 256) is not aligned|aligned_alloc(256, 512) is not aligned|"
              "aligned_alloc(256, 1024) is not aligned|aligned_alloc(512, 512) is not aligned|"
              "aligned_alloc(512, 1024) is not aligned|aligned_alloc(1024, 1024) is not aligned",
     .versions = "2.0.9",
     .what = "aligned_alloc to 256, 512 or 1024 is not aligned if the size is one of these, too",
     .source = "src/alloc-aligned.c: a small power of two is taken to be aligned by its page"},
    {.properties = "enomem",
     .fault = "* gave NULL with errno 0 and not ENOMEM",
     .versions = "2.0.9",
     .what = "a size that is refused leaves errno as it was",
     .source = "errors go to the handler of mi_register_error"},
    {.fault = NULL},
};

static const struct hm_allocator hm_mimalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "mimalloc",
    .summary = "free lists sharded by page, one heap a thread, no locks on the fast path; 2.0.x",
    .origin = "Leijen, Zorn, de Moura, Mimalloc: Free List Sharding in Action, APLAS 2019",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks below 16 bytes */
    .library = "libmimalloc.so.2",
    .package = "libmimalloc2.0",
    .open = open_heap,
    .deviations = deviations,
    .version = version,
};
HM_REGISTER(hm_allocator, hm_mimalloc);

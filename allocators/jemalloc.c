/* jemalloc 5, as Debian ships it: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const struct hm_allocator hm_jemalloc;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_jemalloc);
}

/* "5.3.0-0-g54eaed1d", without the commit. */
static void version(char *out) {
    int (*ask)(const char *, void *, size_t *, void *, size_t);
    const char *text = "";
    size_t size = sizeof text;
    *(void **)(void *)&ask = dlsym(RTLD_DEFAULT, "mallctl");
    if (ask)
        ask("version", (void *)&text, &size, NULL, 0);
    snprintf(out, HM_VERSION_BYTES, "%.*s", (int)strcspn(text, "-"), text);
}

static const struct hm_deviation deviations[] = {
    {.properties = "enomem",
     .fault = "realloc of 40 bytes to * gave NULL with errno 0 and not ENOMEM",
     .versions = "5.3.0",
     .what = "a realloc that is refused leaves errno as it was",
     .source = "src/jemalloc.c: label_oom of do_rallocx"},
    {.properties = "exhaustion",
     .fault =
         "only [1-9][0-9][0-9]* blocks of 20000 bytes fit after cycle [1-9][0-9] of running out; "
         "at first there were *|"
         "only [1-9][0-9][0-9]* blocks of 65536 bytes fit after cycle [1-9][0-9] of running out; "
         "at first there were *",
     .versions = "5.3.0",
     .what = "after running out with several sizes by turns, far fewer blocks fit than at first",
     .source = "pages that were freed stay apart until they decay; with "
               "MALLOC_CONF=dirty_decay_ms:0 all fit again"},
    {.fault = NULL},
};

static const struct hm_allocator hm_jemalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "jemalloc",
    .summary = "arenas of slabs by size class, thread caches, decay-based purging; 5.x",
    .origin =
        "Jason Evans, A Scalable Concurrent malloc(3) Implementation for FreeBSD, BSDCan 2006",
    .caps = HM_CAP_THREADS,
    .alignment = 8, /* of blocks below 16 bytes */
    .library = "libjemalloc.so.2",
    .package = "libjemalloc2",
    .open = open_heap,
    .deviations = deviations,
    .version = version,
};
HM_REGISTER(hm_allocator, hm_jemalloc);

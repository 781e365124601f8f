/* Counts blocks and bytes by the place in the program that allocated them, as Python's tracemalloc.
 *
 * The blocks are the inner heap's own, untouched: what a block's size and site are stands in a table
 * beside it. A resized block counts as one that was freed and one that was allocated, at the place
 * that resized it.
 *
 * Order, so that threads need no lock around the inner heap: a block leaves the table before the
 * inner heap may hand its address out again, and enters it after it was handed out. */
#include "allocators/traced.h"

#include "allocators/fork.h"
#include "allocators/layer.h"
#include "allocators/layer_blocks.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    PARAM_TOP,
    PARAM_FILE,
    PARAM_FRAMES,
};

struct hm_heap {
    struct hm_memory inner;
    unsigned frames;
    bool shared;
    pthread_mutex_t mutex;
    struct hm_layer_blocks blocks;
    struct hm_sites sites;
    int64_t bytes;
    int64_t peak_bytes;
    size_t top;
    const char *file; /* the harness's, until close; "" for none */
};

static void lock(struct hm_heap *heap) {
    if (heap->shared)
        pthread_mutex_lock(&heap->mutex);
}

static void unlock(struct hm_heap *heap) {
    if (heap->shared)
        pthread_mutex_unlock(&heap->mutex);
}

static void count_live(struct hm_heap *heap, const struct hm_layer_block *block, int64_t sign) {
    struct hm_site *site = &heap->sites.sites[block->site];
    int64_t bytes = sign * (int64_t)block->size;
    site->blocks += sign;
    site->bytes += bytes;
    heap->bytes += bytes;
    if (site->bytes > site->peak_bytes)
        site->peak_bytes = site->bytes;
    if (heap->bytes > heap->peak_bytes)
        heap->peak_bytes = heap->bytes;
}

/* Count a block that was handed out; NULL stays NULL. */
static void *record(struct hm_heap *heap, void *pointer, size_t size, const uintptr_t *frames) {
    struct hm_layer_block block = {.begin = (uintptr_t)pointer, .size = size};
    if (!pointer)
        return NULL;
    lock(heap);
    block.site = hm_sites_get(&heap->sites, frames);
    bool kept = hm_layer_blocks_add(&heap->blocks, &block);
    if (kept) {
        count_live(heap, &block, 1);
        heap->sites.sites[block.site].total_blocks++;
        heap->sites.sites[block.site].total_bytes += (int64_t)size;
    }
    unlock(heap);
    if (kept)
        return pointer;
    hm_free(&heap->inner, pointer);
    return hm_layer_no_memory();
}

/* Forget a block before the inner heap gets it. @return false when it is none of ours */
static bool forget(struct hm_heap *heap, const void *pointer, struct hm_layer_block *out) {
    lock(heap);
    bool known = hm_layer_blocks_remove(&heap->blocks, pointer, out);
    if (known)
        count_live(heap, out, -1);
    unlock(heap);
    return known;
}

/* A failed realloc: all is as before. The slot that forget() emptied is there again, unless other
 * threads took it when no memory was left at all. */
static void restore(struct hm_heap *heap, const struct hm_layer_block *block) {
    lock(heap);
    if (hm_layer_blocks_add(&heap->blocks, block))
        count_live(heap, block, 1);
    unlock(heap);
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    hm_frames(frames, heap->frames);
    return record(heap, hm_malloc(&heap->inner, size), size, frames);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    hm_frames(frames, heap->frames);
    return record(heap, hm_calloc(&heap->inner, count, size), count * size, frames);
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    hm_frames(frames, heap->frames);
    return record(heap, hm_layer_aligned_alloc(&heap->inner, alignment, size), size, frames);
}

/* C libraries free a block that is resized to nothing; here it becomes an empty one. */
static void *heap_realloc(struct hm_heap *heap, void *pointer, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    struct hm_layer_block old;
    hm_frames(frames, heap->frames);
    bool known = pointer && forget(heap, pointer, &old);
    void *block = hm_realloc(&heap->inner, pointer, size ? size : 1);
    if (!block && known)
        restore(heap, &old);
    return record(heap, block, size, frames);
}

static void heap_free(struct hm_heap *heap, void *pointer) {
    struct hm_layer_block old;
    if (!pointer)
        return;
    forget(heap, pointer, &old);
    hm_free(&heap->inner, pointer);
}

static size_t heap_usable_size(struct hm_heap *heap, void *pointer) {
    return hm_usable_size(&heap->inner, pointer);
}

/* Live bytes are the requested ones: what the inner heap rounds them to, it keeps to itself. */
static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    size_t tables =
        sizeof *heap + hm_layer_blocks_bytes(&heap->blocks) + hm_sites_bytes(&heap->sites);
    hm_layer_stats(&heap->inner, out);
    out->footprint_bytes = hm_layer_sum(out->footprint_bytes, tables);
    out->metadata_bytes = hm_layer_least(out->metadata_bytes, tables);
    out->live_bytes = (uint64_t)heap->bytes;
    out->live_blocks = heap->blocks.count;
}

int hm_traced_snapshot(struct hm_heap *heap, struct hm_traced_snapshot *out) {
    struct hm_traced_snapshot taken = {.room = HM_SITES_MAX};
    taken.sites = hm_layer_map(taken.room * sizeof *taken.sites);
    if (!taken.sites)
        return ENOMEM;
    lock(heap);
    taken.count = heap->sites.count;
    taken.blocks = (int64_t)heap->blocks.count;
    taken.bytes = heap->bytes;
    taken.peak_bytes = heap->peak_bytes;
    for (size_t i = 0; i < taken.count; i++)
        taken.sites[i] = heap->sites.sites[i];
    unlock(heap);
    *out = taken;
    return 0;
}

static void at_fork(struct hm_heap *heap, enum hm_fork_phase phase) {
    hm_fork_mutex(&heap->mutex, phase);
}

static int enter_thread(struct hm_heap *heap) {
    (void)heap;
    hm_frames_enter();
    return 0;
}

static void unmap(struct hm_heap *heap) {
    hm_layer_blocks_close(&heap->blocks);
    hm_sites_close(&heap->sites);
    pthread_mutex_destroy(&heap->mutex);
    hm_layer_unmap(heap, sizeof *heap);
}

static void write_file(struct hm_heap *heap) {
    struct hm_traced_snapshot snapshot;
    int bad = hm_traced_snapshot(heap, &snapshot);
    if (!bad) {
        hm_traced_top(&snapshot, heap->top);
        bad = hm_traced_write(&snapshot, heap->file);
        hm_traced_snapshot_free(&snapshot);
    }
    if (bad)
        fprintf(stderr, "traced: %s: %s\n", heap->file, strerror(bad));
}

static void close_heap(struct hm_heap *heap) {
    if (heap->file[0])
        write_file(heap);
    unmap(heap);
}

static const struct hm_param params[] = {
    [PARAM_TOP] = {.name = "top",
                   .unit = "sites",
                   .help = "how many sites the file gets, the largest first; 0: all",
                   .kind = HM_PARAM_COUNT,
                   .initial = 25,
                   .max = HM_SITES_MAX},
    [PARAM_FILE] = {.name = "file",
                    .unit = "",
                    .help = "CSV file that is written at close",
                    .kind = HM_PARAM_TEXT},
    [PARAM_FRAMES] = {.name = "frames",
                      .unit = "frames",
                      .help = "return addresses that make a site",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1,
                      .min = 1,
                      .max = HM_SITE_FRAMES},
    {.name = NULL},
};

static const struct hm_allocator hm_traced;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->inner = *options->inner;
    heap->top = (size_t)options->params[PARAM_TOP].number;
    heap->file = options->params[PARAM_FILE].text;
    heap->frames = (unsigned)options->params[PARAM_FRAMES].number;
    heap->shared = options->threads > 1;
    pthread_mutex_init(&heap->mutex, NULL);
    if (hm_layer_blocks_open(&heap->blocks) || hm_sites_open(&heap->sites)) {
        unmap(heap);
        return ENOMEM;
    }
    *out = (struct hm_memory){
        .allocator = &hm_traced,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_traced = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "traced",
    .summary = "layer: counts blocks and bytes by call site, now and at their peak",
    .origin = "Victor Stinner, PEP 454: tracemalloc",
    .params = params,
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .enter = enter_thread,
    .stats = read_stats,
    .fork = at_fork,
};
HM_REGISTER(hm_allocator, hm_traced);

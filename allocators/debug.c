/* Finds what a program does to its blocks that it must not.
 *
 * A block of the inner heap holds `lead` guard bytes, the user's block, and `guard` bytes behind it;
 * the lead is the guard, rounded up so that the user's block keeps its alignment. The usable size is
 * the requested one: a byte more is a finding. A freed block waits in the quarantine before it goes
 * back to the inner heap. realloc always moves, so that an old pointer is a freed one.
 *
 * Invariants
 *   Every block of the table is live, or freed and in the quarantine; nothing but the table says what
 *   is a block, so a pointer of anyone else's is never followed. All guard bytes of a block hold GUARD,
 * and with fill=on all bytes of a freed one hold FREED: what does not is a finding. It is counted
 * when the block is freed, when it leaves the quarantine, at hm_debug_check, and at close, which
 * also writes the report to stderr. Without a site of its own, a finding has the site of the
 * allocation.
 *
 * One mutex is around everything but the calls of the inner heap. Source: the fill bytes and guards
 * are those of Microsoft's debug heap (_CrtDbg), as CPython's debug hooks have them too. */
#include "allocators/debug.h"

#include "allocators/fork.h"
#include "allocators/layer.h"
#include "allocators/layer_blocks.h"
#include "allocators/layer_sites.h"

#include <pthread.h>
#include <string.h>

enum {
    GUARD = 0xfd,
    FRESH = 0xcd,
    FREED = 0xdd,
    ALIGNMENT = 16,
    FRAMES = 4, /* of a site */
    REPORTED = 20,
};

enum {
    PARAM_GUARD,
    PARAM_FILL,
    PARAM_QUARANTINE,
};

struct finding {
    enum hm_debug_kind kind;
    uintptr_t begin;
    size_t size;
    ptrdiff_t offset; /* of the first byte that was written; from the block's begin */
    uint32_t allocated_at;
    uint32_t freed_at; /* of a freed block, or where the bad free was; 0: none */
};

/* A freed block, and where that was. */
struct freed {
    uintptr_t begin;
    uint32_t site;
};

struct hm_heap {
    struct hm_memory inner;
    size_t guard;
    bool fill;
    bool shared;
    pthread_mutex_t mutex;
    struct hm_layer_blocks blocks;
    struct hm_sites sites;
    struct freed *quarantine; /* a ring, `held` of `room` used from `oldest` on */
    size_t room, oldest, held;
    uint64_t live_blocks;
    uint64_t live_bytes;
    uint64_t counts[HM_DEBUG_KINDS];
    struct finding first[REPORTED];
};

static void lock(struct hm_heap *heap) {
    if (heap->shared)
        pthread_mutex_lock(&heap->mutex);
}

static void unlock(struct hm_heap *heap) {
    if (heap->shared)
        pthread_mutex_unlock(&heap->mutex);
}

/* ---- A block's note: its lead in granules, and whether it was freed ---- */

static size_t lead_of(const struct hm_layer_block *block) {
    return (size_t)(block->note >> 1) * ALIGNMENT;
}

static bool is_freed(const struct hm_layer_block *block) {
    return block->note & 1;
}

static void *base_of(const struct hm_layer_block *block) {
    return (void *)(block->begin - lead_of(block));
}

/* ---- Findings ---- */

static uint64_t count_all(const struct hm_heap *heap) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < HM_DEBUG_KINDS; i++)
        sum += heap->counts[i];
    return sum;
}

static void found(struct hm_heap *heap, enum hm_debug_kind kind, const struct hm_layer_block *block,
                  ptrdiff_t offset, uint32_t freed_at) {
    uint64_t known = count_all(heap);
    if (known < REPORTED)
        heap->first[known] = (struct finding){.kind = kind,
                                              .begin = block->begin,
                                              .size = block->size,
                                              .offset = offset,
                                              .allocated_at = block->site,
                                              .freed_at = freed_at};
    heap->counts[kind]++;
}

/* Bytes before the first one that is another one; `bytes` when all are as they should be. */
static size_t intact(const unsigned char *at, size_t bytes, unsigned char value) {
    size_t i = 0;
    while (i < bytes && at[i] == value)
        i++;
    return i;
}

/* Look at one run of bytes, and repair it, so that its damage is counted once. */
static void check_run(struct hm_heap *heap, const struct hm_layer_block *block, ptrdiff_t offset,
                      size_t bytes, unsigned char value, enum hm_debug_kind kind, uint32_t freed) {
    unsigned char *at = (unsigned char *)block->begin + offset;
    size_t good = intact(at, bytes, value);
    if (good == bytes)
        return;
    found(heap, kind, block, offset + (ptrdiff_t)good, freed);
    memset(at, value, bytes);
}

static void check_block(struct hm_heap *heap, const struct hm_layer_block *block,
                        uint32_t freed_at) {
    size_t lead = lead_of(block);
    check_run(heap, block, -(ptrdiff_t)lead, lead, GUARD, HM_DEBUG_UNDERFLOW, freed_at);
    check_run(heap, block, (ptrdiff_t)block->size, heap->guard, GUARD, HM_DEBUG_OVERFLOW, freed_at);
    if (is_freed(block) && heap->fill)
        check_run(heap, block, 0, block->size, FREED, HM_DEBUG_USE_AFTER_FREE, freed_at);
}

/* ---- Quarantine ---- */

/* The oldest block leaves. @return what the inner heap gets back */
static void *release_oldest(struct hm_heap *heap) {
    struct freed oldest = heap->quarantine[heap->oldest];
    struct hm_layer_block block;
    heap->oldest = heap->oldest + 1 < heap->room ? heap->oldest + 1 : 0;
    heap->held--;
    hm_layer_blocks_remove(&heap->blocks, (void *)oldest.begin, &block);
    check_block(heap, &block, oldest.site);
    return base_of(&block);
}

/* A freed block enters. @return what the inner heap gets back in its place, or NULL */
static void *hold(struct hm_heap *heap, struct freed freed) {
    void *out = heap->held == heap->room ? release_oldest(heap) : NULL;
    heap->quarantine[(heap->oldest + heap->held++) % heap->room] = freed;
    return out;
}

static void *put(struct hm_heap *heap, void *pointer, const uintptr_t *frames) {
    struct hm_layer_block *block = hm_layer_blocks_find(&heap->blocks, pointer);
    uint32_t site = hm_sites_get(&heap->sites, frames);
    if (!block || is_freed(block)) {
        struct hm_layer_block stranger = {.begin = (uintptr_t)pointer};
        found(heap, block ? HM_DEBUG_DOUBLE_FREE : HM_DEBUG_FOREIGN_FREE, block ? block : &stranger,
              0, site);
        return NULL;
    }
    check_block(heap, block, site);
    heap->live_blocks--;
    heap->live_bytes -= block->size;
    if (heap->fill)
        memset(pointer, FREED, block->size);
    if (heap->room) {
        block->note |= 1;
        return hold(heap, (struct freed){block->begin, site});
    }
    struct hm_layer_block gone;
    hm_layer_blocks_remove(&heap->blocks, pointer, &gone);
    return base_of(&gone);
}

/* ---- The calls ---- */

/* What the inner heap gives for an over-aligned block is a multiple of its alignment, as C11 wants
 * it. */
static void *get(struct hm_heap *heap, size_t alignment, size_t size, const uintptr_t *frames) {
    size_t lead = (heap->guard + alignment - 1) & ~(alignment - 1);
    size_t unit = alignment > ALIGNMENT ? alignment : 1;
    size_t total;
    if (lead < heap->guard || lead / ALIGNMENT > UINT32_MAX / 2 ||
        __builtin_add_overflow(size, lead + heap->guard + unit - 1, &total))
        return hm_layer_no_memory();
    total &= ~(unit - 1);
    char *base = alignment > ALIGNMENT ? hm_aligned_alloc(&heap->inner, alignment, total)
                                       : hm_malloc(&heap->inner, total);
    if (!base)
        return NULL;
    char *begin = base + lead;
    memset(base, GUARD, lead);
    memset(begin, FRESH, heap->fill ? size : 0);
    memset(begin + size, GUARD, heap->guard);
    struct hm_layer_block block = {
        .begin = (uintptr_t)begin, .size = size, .note = (uint32_t)(lead / ALIGNMENT) << 1};
    lock(heap);
    block.site = hm_sites_get(&heap->sites, frames);
    bool kept = hm_layer_blocks_add(&heap->blocks, &block);
    heap->live_blocks += kept;
    heap->live_bytes += kept ? size : 0;
    unlock(heap);
    if (kept)
        return begin;
    hm_free(&heap->inner, base);
    return hm_layer_no_memory();
}

static void release(struct hm_heap *heap, void *pointer, const uintptr_t *frames) {
    lock(heap);
    void *out = put(heap, pointer, frames);
    unlock(heap);
    if (out)
        hm_free(&heap->inner, out);
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    hm_frames(frames, FRAMES);
    return get(heap, ALIGNMENT, size, frames);
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    size_t bytes;
    hm_frames(frames, FRAMES);
    if (__builtin_mul_overflow(count, size, &bytes))
        return hm_layer_no_memory();
    void *block = get(heap, ALIGNMENT, bytes, frames);
    return block ? memset(block, 0, bytes) : NULL;
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    hm_frames(frames, FRAMES);
    if (!hm_layer_is_power(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return get(heap, alignment > ALIGNMENT ? alignment : ALIGNMENT, size, frames);
}

/* The size of a live block. @return false for what is none, which release() then reports */
static bool find_live(struct hm_heap *heap, const void *pointer, size_t *size) {
    lock(heap);
    const struct hm_layer_block *block = hm_layer_blocks_find(&heap->blocks, pointer);
    bool live = block && !is_freed(block);
    *size = live ? block->size : 0;
    unlock(heap);
    return live;
}

static void *heap_realloc(struct hm_heap *heap, void *pointer, size_t size) {
    uintptr_t frames[HM_SITE_FRAMES];
    size_t old;
    hm_frames(frames, FRAMES);
    if (!pointer)
        return get(heap, ALIGNMENT, size, frames);
    if (!find_live(heap, pointer, &old)) {
        release(heap, pointer, frames);
        errno = EINVAL;
        return NULL;
    }
    void *moved = get(heap, ALIGNMENT, size, frames);
    if (moved) {
        memcpy(moved, pointer, old < size ? old : size);
        release(heap, pointer, frames);
    }
    return moved;
}

static void heap_free(struct hm_heap *heap, void *pointer) {
    uintptr_t frames[HM_SITE_FRAMES];
    if (!pointer)
        return;
    hm_frames(frames, FRAMES);
    release(heap, pointer, frames);
}

static size_t heap_usable_size(struct hm_heap *heap, void *pointer) {
    size_t size = 0;
    if (pointer)
        find_live(heap, pointer, &size);
    return size;
}

/* ---- Checking and reporting ---- */

static void check_all(struct hm_heap *heap) {
    for (size_t i = 0; i < heap->held; i++) {
        struct freed freed = heap->quarantine[(heap->oldest + i) % heap->room];
        check_block(heap, hm_layer_blocks_find(&heap->blocks, (void *)freed.begin), freed.site);
    }
    for (size_t i = 0; i < (size_t)1 << heap->blocks.bits; i++)
        if (heap->blocks.slots[i].begin && !is_freed(&heap->blocks.slots[i]))
            check_block(heap, &heap->blocks.slots[i], 0);
}

uint64_t hm_debug_check(struct hm_heap *heap) {
    lock(heap);
    check_all(heap);
    uint64_t sum = count_all(heap);
    unlock(heap);
    return sum;
}

uint64_t hm_debug_count(const struct hm_heap *heap, enum hm_debug_kind kind) {
    return heap->counts[kind];
}

static void report_one(const struct hm_heap *heap, const struct finding *f, FILE *out) {
    static const char *const words[] = {
        [HM_DEBUG_OVERFLOW] = "overflow",
        [HM_DEBUG_UNDERFLOW] = "underflow",
        [HM_DEBUG_USE_AFTER_FREE] = "use after free",
        [HM_DEBUG_DOUBLE_FREE] = "double free",
        [HM_DEBUG_FOREIGN_FREE] = "foreign free",
    };
    char site[HM_SITE_TEXT];
    fprintf(out, "debug: %s: block %#jx", words[f->kind], (uintmax_t)f->begin);
    if (f->kind < HM_DEBUG_DOUBLE_FREE)
        fprintf(out, ", byte %td", f->offset);
    if (f->kind != HM_DEBUG_FOREIGN_FREE) {
        hm_site_text(heap->sites.sites[f->allocated_at].frames, site, sizeof site);
        fprintf(out, " of %zu, allocated at %s", f->size, site);
    }
    if (f->freed_at) {
        hm_site_text(heap->sites.sites[f->freed_at].frames, site, sizeof site);
        fprintf(out, ", freed at %s", site);
    }
    fputc('\n', out);
}

void hm_debug_report(struct hm_heap *heap, FILE *out) {
    lock(heap);
    uint64_t count = count_all(heap);
    for (uint64_t i = 0; i < count && i < REPORTED; i++)
        report_one(heap, &heap->first[i], out);
    if (count > REPORTED)
        fprintf(out, "debug: and %ju more\n", (uintmax_t)(count - REPORTED));
    unlock(heap);
}

/* The inner heap's own bytes, with the tables; what waits in the quarantine is not live. */
static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    size_t tables = sizeof *heap + hm_layer_blocks_bytes(&heap->blocks) +
                    hm_sites_bytes(&heap->sites) + heap->room * sizeof *heap->quarantine;
    hm_layer_stats(&heap->inner, out);
    out->footprint_bytes = hm_layer_sum(out->footprint_bytes, tables);
    out->metadata_bytes = hm_layer_least(out->metadata_bytes, tables);
    out->live_bytes = heap->live_bytes;
    out->live_blocks = heap->live_blocks;
    out->bad_frees = hm_layer_least(out->bad_frees, heap->counts[HM_DEBUG_DOUBLE_FREE] +
                                                        heap->counts[HM_DEBUG_FOREIGN_FREE]);
}

/* ---- Opening ---- */

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
    hm_layer_unmap(heap->quarantine, heap->room * sizeof *heap->quarantine);
    pthread_mutex_destroy(&heap->mutex);
    hm_layer_unmap(heap, sizeof *heap);
}

static void close_heap(struct hm_heap *heap) {
    hm_debug_check(heap);
    hm_debug_report(heap, stderr);
    for (size_t i = 0; i < (size_t)1 << heap->blocks.bits; i++)
        if (heap->blocks.slots[i].begin)
            hm_free(&heap->inner, base_of(&heap->blocks.slots[i]));
    unmap(heap);
}

static const struct hm_param params[] = {
    [PARAM_GUARD] = {.name = "guard",
                     .unit = "bytes",
                     .help = "guard bytes on each side of a block; in front, rounded up to 16",
                     .kind = HM_PARAM_BYTES,
                     .initial = 16,
                     .max = 1 << 20},
    [PARAM_FILL] = {.name = "fill",
                    .unit = "",
                    .help = "fill new memory with 0xCD and freed memory with 0xDD",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 1,
                    .max = 1,
                    .choices = "off|on"},
    [PARAM_QUARANTINE] = {.name = "quarantine",
                          .unit = "blocks",
                          .help = "freed blocks that wait before the inner heap gets them back",
                          .kind = HM_PARAM_COUNT,
                          .initial = 256,
                          .max = 1 << 24},
    {.name = NULL},
};

static const struct hm_allocator hm_debug;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    struct hm_heap *heap = hm_layer_map(sizeof *heap);
    if (!heap)
        return ENOMEM;
    heap->inner = *options->inner;
    heap->guard = (size_t)options->params[PARAM_GUARD].number;
    heap->fill = options->params[PARAM_FILL].number;
    heap->room = (size_t)options->params[PARAM_QUARANTINE].number;
    heap->shared = options->threads > 1;
    pthread_mutex_init(&heap->mutex, NULL);
    if (heap->room)
        heap->quarantine = hm_layer_map(heap->room * sizeof *heap->quarantine);
    if (hm_layer_blocks_open(&heap->blocks) || hm_sites_open(&heap->sites) ||
        (heap->room && !heap->quarantine)) {
        unmap(heap);
        return ENOMEM;
    }
    *out = (struct hm_memory){
        .allocator = &hm_debug,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator hm_debug = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "debug",
    .summary = "layer: guards, fill bytes and a quarantine; finds bad writes and bad frees",
    .origin = "Microsoft's debug heap (_CrtDbg); CPython's PYTHONMALLOC=debug",
    .params = params,
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
    .enter = enter_thread,
    .stats = read_stats,
    .fork = at_fork,
};
HM_REGISTER(hm_allocator, hm_debug);

/* A heap that keeps the demographics of what is allocated on it.
 *
 * The blocks are the inner heap's own. A table tells where each one's birth stands; a block leaves the
 * table before the inner heap may hand its address out again, and enters it after it was handed out.
 * One mutex is around all of it: nothing here is timed. */
#include "harness/census/record.h"

#include "allocators/layer.h"
#include "allocators/layer_blocks.h"

#include <pthread.h>
#include <string.h>

enum {
    BIRTHS_MAX = 1 << 26, /* live at once; mapped as they are touched */
};

/* Of a live block, or of none: then `next` is the next free one. */
struct birth {
    uint64_t bytes;  /* born by then, itself included */
    uint64_t births; /* likewise */
    uint32_t thread;
    uint32_t next;
};

static struct census {
    struct hm_memory inner;
    pthread_mutex_t mutex;
    struct hm_census_record *record; /* NULL: nothing is recorded */
    bool counting;
    struct hm_layer_blocks blocks;
    struct birth *births;
    uint32_t used; /* of `births`; the first one stands for none */
    uint32_t unused;
    uint64_t bytes_born;
    uint64_t blocks_born;
    unsigned threads;
} census = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* In the order of their first call. */
static unsigned this_thread(void) {
    static __thread unsigned number;
    if (!number)
        number = ++census.threads;
    return number - 1;
}

/* ---- Over time ---- */

/* Each two neighbours become one. */
static void halve(struct hm_census_record *r) {
    for (size_t i = 0; i < HM_CENSUS_INTERVALS / 2; i++) {
        const struct hm_census_interval a = r->intervals[2 * i], b = r->intervals[2 * i + 1];
        r->intervals[i] = (struct hm_census_interval){
            .low_bytes = a.low_bytes < b.low_bytes ? a.low_bytes : b.low_bytes,
            .high_bytes = a.high_bytes > b.high_bytes ? a.high_bytes : b.high_bytes,
            .high_blocks = a.high_blocks > b.high_blocks ? a.high_blocks : b.high_blocks};
    }
    r->interval_count = HM_CENSUS_INTERVALS / 2;
    r->interval_events *= 2;
}

/* After each event. */
static void note_live(struct hm_census_record *r) {
    uint64_t at = r->events++ / r->interval_events;
    if (at >= HM_CENSUS_INTERVALS) {
        halve(r);
        at = HM_CENSUS_INTERVALS / 2;
    }
    struct hm_census_interval *interval = &r->intervals[at];
    if (at >= r->interval_count) {
        r->interval_count = (unsigned)at + 1;
        *interval = (struct hm_census_interval){.low_bytes = r->live_bytes};
    }
    if (r->live_bytes < interval->low_bytes)
        interval->low_bytes = r->live_bytes;
    if (r->live_bytes > interval->high_bytes)
        interval->high_bytes = r->live_bytes;
    if (r->live_blocks > interval->high_blocks)
        interval->high_blocks = r->live_blocks;
    if (r->live_bytes > r->peak_bytes)
        r->peak_bytes = r->live_bytes;
    if (r->live_blocks > r->peak_blocks)
        r->peak_blocks = r->live_blocks;
}

/* ---- Births and deaths; under the mutex ---- */

static struct hm_census_counts *counts_of_thread(struct hm_census_record *r) {
    unsigned thread = this_thread();
    unsigned kept = thread < HM_CENSUS_THREADS ? thread : HM_CENSUS_THREADS - 1;
    if (kept >= r->thread_count)
        r->thread_count = kept + 1;
    return &r->threads[kept];
}

/* `kind` is the place of one count. */
static void add_count(struct hm_census_record *r, size_t kind, uint64_t more) {
    *(uint64_t *)(void *)((char *)&r->counts + kind) += more;
    *(uint64_t *)(void *)((char *)counts_of_thread(r) + kind) += more;
}
#define ADD(r, kind, more) add_count(r, offsetof(struct hm_census_counts, kind), more)

static uint32_t take_birth(void) {
    uint32_t birth = census.unused;
    if (birth)
        census.unused = census.births[birth].next;
    else if (census.used + 1 < BIRTHS_MAX)
        birth = ++census.used;
    return birth;
}

/* @return false when there is no room for it */
static bool keep_birth(void *block, size_t size) {
    struct hm_layer_block entry = {.begin = (uintptr_t)block, .size = size, .site = take_birth()};
    if (!entry.site || !hm_layer_blocks_add(&census.blocks, &entry))
        return false;
    census.births[entry.site] = (struct birth){
        .bytes = census.bytes_born, .births = census.blocks_born, .thread = this_thread()};
    return true;
}

static void count_birth(struct hm_census_record *r, size_t size) {
    hm_census_count(&r->sizes, size, size);
    ADD(r, bytes, size);
    if (size < r->min_bytes)
        r->min_bytes = size;
    if (size > r->max_bytes)
        r->max_bytes = size;
}

static bool bear(void *block, size_t size) {
    struct hm_census_record *r = census.record;
    census.bytes_born += size;
    census.blocks_born++;
    if (!keep_birth(block, size))
        return false;
    r->live_blocks++;
    r->live_bytes += size;
    if (census.counting)
        count_birth(r, size);
    note_live(r);
    return true;
}

static void bury(const struct hm_layer_block *block) {
    struct hm_census_record *r = census.record;
    struct birth *birth = &census.births[block->site];
    r->live_blocks--;
    r->live_bytes -= block->size;
    if (census.counting) {
        hm_census_count(&r->life_bytes, census.bytes_born - birth->bytes, block->size);
        hm_census_count(&r->life_births, census.blocks_born - birth->births, block->size);
        if (birth->thread != this_thread())
            ADD(r, crossed, 1);
    }
    *birth = (struct birth){.next = census.unused};
    census.unused = block->site;
    note_live(r);
}

/* ---- The calls ---- */

/* A block that was handed out; NULL stays NULL. `kind` is the place of its call's count. */
static void *born(void *block, size_t size, size_t kind) {
    bool kept = true;
    if (!block)
        return NULL;
    pthread_mutex_lock(&census.mutex);
    if (census.record) {
        kept = bear(block, size);
        if (census.counting && kept)
            add_count(census.record, kind, 1);
    }
    pthread_mutex_unlock(&census.mutex);
    if (kept)
        return block;
    hm_free(&census.inner, block);
    return hm_layer_no_memory();
}

static bool take_out(void *block, struct hm_layer_block *out) {
    pthread_mutex_lock(&census.mutex);
    bool known = census.record && hm_layer_blocks_remove(&census.blocks, block, out);
    pthread_mutex_unlock(&census.mutex);
    return known;
}

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    return born(hm_malloc(&census.inner, size), size, offsetof(struct hm_census_counts, mallocs));
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    return born(hm_calloc(&census.inner, count, size), count * size,
                offsetof(struct hm_census_counts, callocs));
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    (void)heap;
    return born(hm_layer_aligned_alloc(&census.inner, alignment, size), size,
                offsetof(struct hm_census_counts, aligned));
}

/* The block as it was: its resize failed. */
static void put_back(const struct hm_layer_block *block) {
    pthread_mutex_lock(&census.mutex);
    hm_layer_blocks_add(&census.blocks, block);
    pthread_mutex_unlock(&census.mutex);
}

static void *heap_realloc(struct hm_heap *heap, void *block, size_t size) {
    struct hm_layer_block old;
    bool known = block && take_out(block, &old);
    if (!block)
        return heap_malloc(heap, size);
    void *fresh = hm_realloc(&census.inner, block, size ? size : 1);
    if (known && !fresh)
        put_back(&old);
    if (!known || !fresh)
        return fresh;
    pthread_mutex_lock(&census.mutex);
    bury(&old);
    pthread_mutex_unlock(&census.mutex);
    return born(fresh, size, offsetof(struct hm_census_counts, reallocs));
}

static void heap_free(struct hm_heap *heap, void *block) {
    struct hm_layer_block old;
    (void)heap;
    if (!block)
        return;
    if (take_out(block, &old)) {
        pthread_mutex_lock(&census.mutex);
        bury(&old);
        if (census.counting)
            ADD(census.record, frees, 1);
        pthread_mutex_unlock(&census.mutex);
    }
    hm_free(&census.inner, block);
}

static size_t heap_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return hm_usable_size(&census.inner, block);
}

/* ---- The layer ---- */

static void close_heap(struct hm_heap *heap) {
    (void)heap;
    hm_layer_blocks_close(&census.blocks);
    hm_layer_unmap(census.births, BIRTHS_MAX * sizeof *census.births);
    census.births = NULL;
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    census.inner = *options->inner;
    census.blocks = (struct hm_layer_blocks){0};
    census.births = hm_layer_map(BIRTHS_MAX * sizeof *census.births);
    if (!census.births)
        return ENOMEM;
    if (hm_layer_blocks_open(&census.blocks)) {
        hm_layer_unmap(census.births, BIRTHS_MAX * sizeof *census.births);
        return ENOMEM;
    }
    census.used = census.unused = 0;
    *out = (struct hm_memory){
        .allocator = &hm_census_layer,
        .heap = NULL,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

const struct hm_allocator hm_census_layer = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "census",
    .summary = "layer: sizes and lifetimes of blocks",
    .caps = HM_CAP_LAYER | HM_CAP_THREADS,
    .open = open_heap,
    .close = close_heap,
};

/* ---- Control ---- */

void hm_census_start(struct hm_census_record *record) {
    record->min_bytes = UINT64_MAX;
    record->interval_events = 1;
    census.record = record;
    census.counting = false;
    census.bytes_born = census.blocks_born = 0;
}

void hm_census_count_from_now(void) {
    census.record->setup_events = census.record->events;
    census.counting = true;
}

void hm_census_stop(void) {
    census.record = NULL;
    census.counting = false;
}

uint64_t hm_census_births(const struct hm_census_counts *counts) {
    return counts->mallocs + counts->callocs + counts->aligned + counts->reallocs;
}

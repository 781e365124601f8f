/* The bytearray simulator: one array of bytes, no headers inside, the lowest run of free bytes that
 * fits is taken.
 *
 * Vocabulary
 *   granule   `align` bytes; every block is a whole number of them
 *   boundary  the first granule of a block or of a free run, or the end of the array
 *   index     the set of free runs: first-fit_index.h
 *
 * Invariants
 *   A bit of `boundaries` is set exactly where two different things meet, so that a block's length
 *   is the distance to the next bit, and whether a boundary starts a block or a run is the index's
 *   knowledge. A pointer is a block's if its bit is set and its granule is not free: whatever is
 *   given to free, nothing else is ever changed.
 *   All of it lies outside of the array, whose bytes belong to the blocks alone.
 *
 * Sources: Knuth, The Art of Computer Programming 1, 2.5 (first, next and best fit, and the joining
 * of neighbours). */
#include "allocators/first-fit.h"
#include "allocators/first-fit_heap.h"
#include "allocators/fork.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct block {
    uint32_t offset, length;
};

/* The first boundary behind `at`; the array's end is one. The words that most blocks need are
 * searched without a branch: a mispredicted one would wait for the memory that they come from, and
 * keep the index from starting. */
static inline uint32_t next_boundary(const struct hm_heap *heap, uint32_t at) {
    size_t first = (at + 1) / 64;
    const uint64_t *words = heap->boundaries + first;
    uint64_t head = words[0] & (~UINT64_C(0) << ((at + 1) % 64));
    unsigned found = (unsigned)(head != 0) | (unsigned)(words[1] != 0) << 1 |
                     (unsigned)(words[2] != 0) << 2 | (unsigned)(words[3] != 0) << 3 |
                     (unsigned)(words[4] != 0) << 4;
    size_t i = (unsigned)__builtin_ctz(found | 1u << NEAR_WORDS);
    while (__builtin_expect(i >= NEAR_WORDS && !words[i], 0))
        i++;
    uint64_t word = i == 0 ? head : words[i];
    return (uint32_t)((first + i) * 64 + (unsigned)__builtin_ctzll(word));
}

/* How many granules hold `size` bytes. @return HM_NO_RUN for more than there can be */
static uint32_t granules_for(const struct hm_heap *heap, size_t size) {
    size_t length = size >> heap->shift;
    length += (size & (((size_t)1 << heap->shift) - 1)) != 0;
    return length > HM_MAX_GRANULES ? HM_NO_RUN : (uint32_t)(length + !length);
}

static void *address(const struct hm_heap *heap, uint32_t offset) {
    return heap->array + ((size_t)offset << heap->shift);
}

static void *out_of_memory(void) {
    errno = ENOMEM;
    return NULL;
}

/* Before any boundary up to `end` is set. */
static inline void raise_high(struct hm_heap *heap, uint32_t end) {
    if (end > heap->high)
        heap->high = end;
    in_order();
}

static inline void *hand_out(struct hm_heap *heap, uint32_t offset, uint32_t length) {
    uint32_t end = offset + length;
    raise_high(heap, end);
    set_bit(heap->boundaries, end);
    mark_start(heap, offset);
    heap->live_granules += length;
    heap->live_blocks++;
    return address(heap, offset);
}

/* ---- Placement ---- */

/* The first offset at or behind `offset` whose address has this alignment; may lie past the end. */
static uint64_t align_offset(const struct hm_heap *heap, uint32_t offset, size_t alignment) {
    uintptr_t at = (uintptr_t)address(heap, offset);
    uintptr_t up = (at + alignment - 1) & ~(alignment - 1);
    return up < at ? UINT64_MAX >> 1 : offset + ((up - at) >> heap->shift);
}

/* The place for a block among the runs that end behind `from`, under any fit. */
static uint32_t search(struct hm_heap *heap, uint32_t from, uint32_t length, size_t alignment) {
    uint32_t place = HM_NO_RUN, chosen = 0;
    struct hm_run run;
    for (; heap->index.find(heap->runs, from, length, &run); from = run.offset + run.length) {
        uint64_t at = align_offset(heap, run.offset, alignment);
        if (at + length > run.offset + run.length)
            continue;
        bool better = heap->fit == FIT_BEST ? run.length < chosen : run.length > chosen;
        if (place == HM_NO_RUN || better) {
            place = (uint32_t)at;
            chosen = run.length;
        }
        if (heap->fit == FIT_FIRST || heap->fit == FIT_NEXT)
            break;
    }
    return place;
}

static void *place(struct hm_heap *heap, uint32_t length, size_t alignment) {
    uint32_t at = search(heap, heap->fit == FIT_NEXT ? heap->rover : 0, length, alignment);
    if (at == HM_NO_RUN && heap->fit == FIT_NEXT)
        at = search(heap, 0, length, alignment);
    if (at == HM_NO_RUN)
        return out_of_memory();
    heap->index.claim(heap->runs, at, length);
    raise_high(heap, at + length);
    set_bit(heap->boundaries, at);
    heap->rover = at + length;
    return hand_out(heap, at, length);
}

static inline void *take(struct hm_heap *heap, uint32_t length) {
    if (__builtin_expect(heap->fit != FIT_FIRST, 0))
        return place(heap, length, 1);
    uint32_t at = heap->index.take(heap->runs, length);
    return at == HM_NO_RUN ? out_of_memory() : hand_out(heap, at, length);
}

/* ---- Bad pointers ---- */

/* Memory that is free counts as freed before: nothing remembers what lay there. */
__attribute__((noinline, cold)) static void refuse(struct hm_heap *heap, void *pointer) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->array;
    uint64_t at = distance >> heap->shift;
    struct hm_run run;
    heap->bad_frees++;
    if (at >= heap->granules)
        heap->last_bad = HM_BAD_FREE_FOREIGN;
    else if (heap->index.find(heap->runs, (uint32_t)at, 1, &run) && run.offset <= at)
        heap->last_bad = HM_BAD_FREE_DOUBLE;
    else
        heap->last_bad = HM_BAD_FREE_INSIDE;
}

/* What starts at an address: a block or, if only the index knows better, a run.
 *  @return false: neither */
static inline bool locate(struct hm_heap *heap, void *pointer, struct block *out) {
    uintptr_t distance = (uintptr_t)pointer - (uintptr_t)heap->array;
    uint64_t at = distance >> heap->shift;
    if (at >= heap->granules || at << heap->shift != distance ||
        !has_bit(heap->boundaries, (uint32_t)at))
        return false;
    out->offset = (uint32_t)at;
    out->length = next_boundary(heap, (uint32_t)at) - (uint32_t)at;
    return true;
}

/* As locate, but blocks only. *next is the first run behind the block, of length 0 if none. */
static bool locate_block(struct hm_heap *heap, void *pointer, struct block *out,
                         struct hm_run *next) {
    *next = (struct hm_run){heap->granules, 0};
    if (!locate(heap, pointer, out))
        return false;
    heap->index.find(heap->runs, out->offset, 1, next);
    return next->offset > out->offset;
}

/* ---- The hot functions, without the lock ---- */

/* Give a stretch of used granules back, and keep the boundaries. */
static inline bool give(struct hm_heap *heap, uint32_t offset, uint32_t length) {
    unsigned given = heap->index.give(heap->runs, offset, length);
    if (given & HM_GIVEN_REFUSED)
        return false;
    unmark_start(heap, offset);
    clear_bit_if(heap->boundaries, offset, given & HM_GIVEN_LEFT);
    clear_bit_if(heap->boundaries, offset + length, given & HM_GIVEN_RIGHT);
    heap->live_granules -= length;
    return true;
}

static inline void put(struct hm_heap *heap, void *pointer) {
    struct block block;
    if (!locate(heap, pointer, &block) || !give(heap, block.offset, block.length)) {
        refuse(heap, pointer);
        return;
    }
    heap->live_blocks--;
}

static void shrink(struct hm_heap *heap, const struct block *block, uint32_t length) {
    uint32_t end = block->offset + length;
    if (length == block->length)
        return;
    set_bit(heap->boundaries, end);
    give(heap, end, block->length - length);
}

/* Take `more` granules off the run behind a block. */
static void extend(struct hm_heap *heap, const struct block *block, uint32_t more) {
    uint32_t end = block->offset + block->length;
    heap->index.claim(heap->runs, end, more);
    raise_high(heap, end + more);
    set_bit(heap->boundaries, end + more);
    in_order();
    clear_bit_if(heap->boundaries, end, true);
    heap->live_granules += more;
}

static void *move(struct hm_heap *heap, void *pointer, const struct block *block, uint32_t length) {
    void *moved = take(heap, length);
    if (!moved)
        return NULL;
    memcpy(moved, pointer, (size_t)block->length << heap->shift);
    put(heap, pointer);
    return moved;
}

static void *resize(struct hm_heap *heap, void *pointer, size_t size) {
    struct block block;
    struct hm_run next;
    if (!locate_block(heap, pointer, &block, &next)) {
        refuse(heap, pointer);
        errno = EINVAL;
        return NULL;
    }
    uint32_t length = granules_for(heap, size);
    if (length == HM_NO_RUN)
        return out_of_memory();
    if (length <= block.length) {
        shrink(heap, &block, length);
        return pointer;
    }
    uint32_t more = length - block.length;
    if (next.offset != block.offset + block.length || next.length < more)
        return move(heap, pointer, &block, length);
    extend(heap, &block, more);
    return pointer;
}

/* ---- The interface ---- */

static void *heap_malloc(struct hm_heap *heap, size_t size) {
    lock(heap);
    void *block = take(heap, granules_for(heap, size));
    unlock(heap);
    return block;
}

static void *heap_calloc(struct hm_heap *heap, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return out_of_memory();
    void *block = heap_malloc(heap, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

static void *heap_realloc(struct hm_heap *heap, void *pointer, size_t size) {
    if (!pointer)
        return heap_malloc(heap, size);
    lock(heap);
    void *block = resize(heap, pointer, size);
    unlock(heap);
    return block;
}

static void *heap_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment >> heap->shift <= 1)
        return heap_malloc(heap, size);
    lock(heap);
    void *block = place(heap, granules_for(heap, size), alignment);
    unlock(heap);
    return block;
}

static void heap_free(struct hm_heap *heap, void *pointer) {
    if (!pointer)
        return;
    lock(heap);
    put(heap, pointer);
    unlock(heap);
}

static size_t heap_usable_size(struct hm_heap *heap, void *pointer) {
    struct block block;
    struct hm_run next;
    lock(heap);
    bool found = pointer && locate_block(heap, pointer, &block, &next);
    unlock(heap);
    return found ? (size_t)block.length << heap->shift : 0;
}

enum hm_bad_free hm_first_fit_last_bad(struct hm_heap *heap) {
    enum hm_bad_free bad = heap->last_bad;
    heap->last_bad = HM_BAD_FREE_NONE;
    return bad;
}

/* What a dead process left behind is mended first. */
static void settle(struct hm_heap *heap) {
    lock(heap);
    unlock(heap);
}

uint64_t hm_first_fit_mends(struct hm_heap *heap) {
    settle(heap);
    return heap->mends;
}

static void walk(struct hm_heap *heap, hm_walk_fn *visit, void *arg) {
    struct hm_run run = {0, 0};
    uint32_t end;
    settle(heap);
    for (uint32_t at = 0; at < heap->granules; at = end) {
        if (run.offset + run.length <= at && !heap->index.find(heap->runs, at, 1, &run))
            run = (struct hm_run){heap->granules, 0};
        end = next_boundary(heap, at);
        struct hm_block block = {
            .offset = (uint64_t)at << heap->shift,
            .bytes = (uint64_t)(end - at) << heap->shift,
            .used = run.offset != at,
        };
        visit(arg, &block);
    }
}

/* The footprint is the array up to the highest byte ever handed out, in whole pages, and the
 * metadata for that part: what lies behind was never touched. */
static void read_stats(struct hm_heap *heap, struct hm_heap_stats *out) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t touched = (((uint64_t)heap->high << heap->shift) + page - 1) & ~(page - 1);
    unsigned bitmaps = heap->starts ? 2 : 1;
    settle(heap);
    uint64_t metadata = sizeof *heap + (uint64_t)bitmaps * (heap->high / 8) +
                        heap->index.metadata(heap->runs, heap->high);
    *out = (struct hm_heap_stats){
        .footprint_bytes = touched + metadata,
        .live_bytes = heap->live_granules << heap->shift,
        .live_blocks = heap->live_blocks,
        .arenas = 1,
        .metadata_bytes = metadata,
        .bad_frees = heap->bad_frees,
    };
}

/* ---- Opening ---- */

enum {
    PARAM_SIZE,
    PARAM_ALIGN,
    PARAM_INDEX,
    PARAM_FIT,
    PARAM_LOCK,
    PARAM_BACKING,
};

static const struct hm_param params[] = {
    [PARAM_SIZE] = {.name = "size",
                    .unit = "bytes",
                    .help =
                        "length of the array, rounded down to granules; at most 2^32 - 2 granules",
                    .kind = HM_PARAM_BYTES,
                    .initial = 256 << 20,
                    .min = 64,
                    .max = INT64_C(64) << 30},
    [PARAM_ALIGN] = {.name = "align",
                     .unit = "bytes",
                     .help = "granule, a power of two; 1 is the literal simulator",
                     .kind = HM_PARAM_BYTES,
                     .initial = 16,
                     .min = 1,
                     .max = 4096},
    [PARAM_INDEX] = {.name = "index",
                     .unit = "",
                     .help = "how free runs are found; the placements are the same",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 2,
                     .max = 2,
                     .choices = "scan|bitmap|tree"},
    [PARAM_FIT] = {.name = "fit",
                   .unit = "",
                   .help = "which run is taken; all but the first are found by visiting them",
                   .kind = HM_PARAM_CHOICE,
                   .max = 3,
                   .choices = "first|next|best|worst"},
    [PARAM_LOCK] = {.name = "lock",
                    .unit = "",
                    .help = "auto takes a mutex for more than one thread, and process, which "
                            "outlives whoever dies inside, for shared backing",
                    .kind = HM_PARAM_CHOICE,
                    .max = 3,
                    .choices = "auto|none|mutex|process"},
    [PARAM_BACKING] = {.name = "backing",
                       .unit = "",
                       .help = "shared: processes forked while it is open use the same heap",
                       .kind = HM_PARAM_CHOICE,
                       .max = 1,
                       .choices = "private|shared"},
    {.name = NULL},
};

static const char *find_conflict(const struct hm_value *values) {
    bool shared = values[PARAM_BACKING].number == HM_BACKING_SHARED;
    int64_t align = values[PARAM_ALIGN].number;
    int64_t granules = values[PARAM_SIZE].number / align;
    if (align & (align - 1))
        return "align must be a power of two";
    if (granules == 0)
        return "size must be at least one granule of `align` bytes";
    if (granules > HM_MAX_GRANULES)
        return "size must be at most 2^32 - 2 granules of `align` bytes";
    if (values[PARAM_LOCK].number == LOCK_PROCESS && !shared)
        return "lock=process needs backing=shared: private memory is each process's own";
    if (values[PARAM_LOCK].number == LOCK_MUTEX && shared)
        return "lock=mutex needs backing=private: it does not keep processes apart";
    return NULL;
}

/* Memory that is shared may have users who keep out of each other's way by themselves. */
static bool is_alone(const struct hm_value *values) {
    return values[PARAM_LOCK].number == LOCK_NONE &&
           values[PARAM_BACKING].number == HM_BACKING_PRIVATE;
}

static enum lock lock_of(const struct hm_heap_options *options) {
    enum lock lock = (enum lock)options->params[PARAM_LOCK].number;
    if (lock != LOCK_AUTO)
        return lock;
    if (options->params[PARAM_BACKING].number == HM_BACKING_SHARED)
        return LOCK_PROCESS;
    return options->threads > 1 ? LOCK_MUTEX : LOCK_NONE;
}

/* Memory that is shared is not copied by a fork: it stays whole, whoever is inside. */
static void keep_across_fork(struct hm_heap *heap, enum hm_fork_phase phase) {
    if (heap->lock_kind == LOCK_MUTEX)
        hm_fork_mutex(&heap->lock, phase);
}

static const struct hm_allocator first_fit;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    const struct hm_value *values = options->params;
    const struct hm_runs_calls *indexes[] = {&hm_runs_scan, &hm_runs_bitmap, hm_runs_tree()};
    enum hm_backing backing = (enum hm_backing)values[PARAM_BACKING].number;
    uint64_t align = (uint64_t)values[PARAM_ALIGN].number;
    uint64_t granules = (uint64_t)values[PARAM_SIZE].number / align;
    if (find_conflict(values) || (options->threads > 1 && is_alone(values)))
        return EINVAL;
    struct hm_heap *heap = hm_map_lazily(sizeof *heap, backing);
    if (!heap)
        return ENOMEM;
    heap->index = *indexes[values[PARAM_INDEX].number];
    heap->granules = (uint32_t)granules;
    heap->shift = (unsigned)__builtin_ctzll(align);
    heap->fit = (enum fit)values[PARAM_FIT].number;
    heap->backing = backing;
    heap->lock_kind = lock_of(options);
    if (hm_first_fit_map(heap)) {
        hm_first_fit_close(heap);
        return ENOMEM;
    }
    *out = (struct hm_memory){
        .allocator = &first_fit,
        .heap = heap,
        .shape = HM_SHAPE_HEAP,
        .calls = {heap_malloc, heap_calloc, heap_realloc, heap_aligned_alloc, heap_free,
                  heap_usable_size},
    };
    return 0;
}

static const struct hm_allocator first_fit = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "first-fit",
    .summary = "one array without headers; the lowest free run that fits, found in O(log n)",
    .origin = "Knuth, The Art of Computer Programming 1, 2.5; the bytearray simulator of teaching",
    .params = params,
    .caps = HM_CAP_THREADS | HM_CAP_BOUNDED | HM_CAP_WALK | HM_CAP_SHARED,
    .open = open_heap,
    .close = hm_first_fit_close,
    .stats = read_stats,
    .walk = walk,
    .fork = keep_across_fork,
    .conflict = find_conflict,
    .alone = is_alone,
};
HM_REGISTER(hm_allocator, first_fit);

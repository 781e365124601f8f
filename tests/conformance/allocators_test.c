/* One suite over every allocator that the registry holds: what the contract in allocators/allocator.h
 * promises, each promise on each arm.
 *
 * Vocabulary
 *   arm     an allocator with its defaults, or with one choice parameter set to another word, and a
 *           number of threads
 *   shadow  what a script knows of its live blocks, in a mapping of its own: nothing that a broken
 *           allocator does to its blocks can reach it
 *   broken  what a check answers: NULL, or one line that says what broke. Threads can not use cmocka
 *
 * Every block is filled to its usable size with a pattern of its own, and all of it is checked when it
 * is resized, freed, or left over: two blocks that overlap can not both be intact.
 *
 * An allocator that is a library is tested only in a process that has it as its malloc:
 * LD_PRELOAD=libNAME.so.N allocators_test.
 *
 * timeout: 300
 * labels: threads */
#include "allocators/allocator.h"
#include "workloads/scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct hm_allocator *const __start_hm_allocator_parts[];
extern const struct hm_allocator *const __stop_hm_allocator_parts[];

enum {
    MAX_PARAMS = 16,
    MAX_ARMS = 256,
    MAX_THREADS = 4,
    SLOTS = 8192,
    LIVE = 200, /* slots that a random script uses */
    STEPS = 2500,
    SMALL_ARENA = 2 << 20,
    DEFAULT_ALIGNMENT = 16,
};

/* The sanitizers' mallocs stop the process at a request that is too large, unless told otherwise. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

/* ---- Arms ---- */

struct arm {
    const struct hm_allocator *allocator;
    struct hm_value values[MAX_PARAMS];
    unsigned threads;
    char label[96];
};

struct heap {
    struct hm_memory system, memory;
};

static const struct hm_allocator *find_allocator(const char *name) {
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (part < __stop_hm_allocator_parts && strcmp((*part)->name, name) != 0)
        part++;
    return part < __stop_hm_allocator_parts ? *part : NULL;
}

static void open_heap(struct heap *heap, const struct arm *arm) {
    const struct hm_heap_options plain = {.threads = arm->threads};
    assert_int_equal(find_allocator("system")->open(&heap->system, &plain), 0);
    const struct hm_heap_options options = {
        .params = arm->values, .threads = arm->threads, .inner = &heap->system};
    assert_int_equal(arm->allocator->open(&heap->memory, &options), 0);
    assert_ptr_equal(heap->memory.allocator, arm->allocator);
    if (arm->allocator->enter)
        assert_int_equal(arm->allocator->enter(heap->memory.heap), 0);
    errno = 0;
}

static void close_heap(struct heap *heap) {
    const struct hm_allocator *allocator = heap->memory.allocator;
    if (allocator->leave)
        allocator->leave(heap->memory.heap);
    if (allocator->close)
        allocator->close(heap->memory.heap);
}

static bool has(const struct arm *arm, unsigned cap) {
    return arm->allocator->caps & cap;
}

static void shrink_arena(struct arm *arm) {
    const struct hm_param *params = arm->allocator->params;
    for (size_t i = 0; params && params[i].name; i++) {
        if (strcmp(params[i].name, "size") == 0)
            arm->values[i].number = SMALL_ARENA;
    }
}

static bool malloc_is_from(const char *library) {
    Dl_info info;
    void *entry = dlsym(RTLD_DEFAULT, "malloc");
    return entry && dladdr(entry, &info) && info.dli_fname && strstr(info.dli_fname, library);
}

/* In a process with a library for its malloc, only that one is tested. */
static bool is_testable(const struct hm_allocator *allocator) {
    if (allocator->library)
        return malloc_is_from(allocator->library);
    for (const struct hm_allocator *const *part = __start_hm_allocator_parts;
         part < __stop_hm_allocator_parts; part++) {
        if ((*part)->library && malloc_is_from((*part)->library))
            return false;
    }
    return true;
}

/* ---- Shadow ---- */

struct slot {
    unsigned char *block;
    size_t size;   /* as requested */
    size_t usable; /* all of it is filled */
    unsigned tag;
};

struct shadow {
    const struct hm_memory *memory;
    struct hm_random random;
    unsigned next_tag;
    bool bounded;  /* NULL is a possible answer */
    bool multiple; /* aligned_alloc wants a multiple of the alignment, as in C11 */
    struct slot slots[SLOTS];
};

/* C11 has aligned_alloc's size a multiple of the alignment, and sanitizers insist. */
static bool wants_multiple(void) {
    void *block = aligned_alloc(64, (size_t)hm_mix(0) + 5);
    free(block);
    return !block;
}

static struct shadow *new_shadow(const struct heap *heap, unsigned thread) {
    struct shadow *shadow = hm_scratch(sizeof *shadow);
    assert_non_null(shadow);
    shadow->memory = &heap->memory;
    shadow->random = hm_random_of(2021, thread);
    shadow->next_tag = thread << 24;
    shadow->bounded = heap->memory.allocator->caps & HM_CAP_BOUNDED;
    shadow->multiple = wants_multiple();
    return shadow;
}

static void drop_shadow(struct shadow *shadow) {
    hm_scratch_free(shadow, sizeof *shadow);
}

static size_t draw(struct shadow *shadow, size_t n) {
    return hm_random_below(&shadow->random, n);
}

static size_t draw_size(struct shadow *shadow) {
    size_t kind = draw(shadow, 100);
    return draw(shadow, kind < 75 ? 600 : kind < 98 ? 6000 : 100000);
}

static unsigned char pattern(unsigned tag, size_t i) {
    return (unsigned char)(tag * 2654435761u >> 24 ^ (i * 167 + (i >> 8) * 13));
}

static bool is_intact(const struct slot *slot, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (slot->block[i] != pattern(slot->tag, i))
            return false;
    }
    return true;
}

static bool is_zero(const unsigned char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (block[i])
            return false;
    }
    return true;
}

/* Take a new or resized block into the shadow. */
static const char *adopt(struct shadow *shadow, struct slot *slot, void *block, size_t size) {
    size_t alignment = shadow->memory->allocator->alignment;
    slot->block = block;
    slot->size = size;
    size_t usable = hm_usable_size(shadow->memory, block);
    slot->usable = size ? usable : 0; /* sanitizers let nobody write to an empty block */
    slot->tag = shadow->next_tag++;
    if (slot->usable < size)
        return "usable_size is less than the request";
    if ((uintptr_t)block % (alignment ? alignment : DEFAULT_ALIGNMENT) != 0)
        return "a block is not aligned";
    for (const struct slot *other = shadow->slots; other < shadow->slots + LIVE; other++) {
        if (other != slot && other->block && other->block < slot->block + size + !size &&
            slot->block < other->block + other->size + !other->size)
            return "two blocks overlap";
    }
    for (size_t i = 0; i < slot->usable; i++)
        slot->block[i] = pattern(slot->tag, i);
    return NULL;
}

static const char *failed(const struct shadow *shadow) {
    if (errno != ENOMEM)
        return "NULL without ENOMEM";
    return shadow->bounded ? NULL : "out of memory";
}

static const char *step_malloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw_size(shadow);
    errno = 0;
    void *block = hm_malloc(shadow->memory, size);
    return block ? adopt(shadow, slot, block, size) : failed(shadow);
}

static const char *step_calloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw(shadow, 40), count = draw_size(shadow) / 20;
    errno = 0;
    void *block = hm_calloc(shadow->memory, count, size);
    if (!block)
        return failed(shadow);
    if (!is_zero(block, count * size))
        return "calloc gave dirty memory";
    return adopt(shadow, slot, block, count * size);
}

static const char *step_aligned(struct shadow *shadow, struct slot *slot) {
    size_t alignment = (size_t)1 << (4 + draw(shadow, 9)), size = draw_size(shadow) / 4;
    if (shadow->multiple)
        size = (size + alignment - 1) & ~(alignment - 1);
    errno = 0;
    void *block = hm_aligned_alloc(shadow->memory, alignment, size);
    if (!block)
        return failed(shadow);
    if ((uintptr_t)block % alignment)
        return "aligned_alloc is not aligned";
    return adopt(shadow, slot, block, size);
}

static const char *step_free(struct shadow *shadow, struct slot *slot) {
    if (!is_intact(slot, slot->usable))
        return "a block was overwritten";
    hm_free(shadow->memory, slot->block);
    slot->block = NULL;
    return NULL;
}

static const char *step_realloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw_size(shadow) + 1;
    if (!is_intact(slot, slot->usable))
        return "a block was overwritten";
    errno = 0;
    void *block = hm_realloc(shadow->memory, slot->block, size);
    if (!block)
        return is_intact(slot, slot->usable) ? failed(shadow)
                                             : "a failed realloc changed its block";
    slot->block = block;
    if (!is_intact(slot, size < slot->size ? size : slot->size))
        return "realloc lost bytes";
    return adopt(shadow, slot, block, size);
}

static const char *step(struct shadow *shadow) {
    struct slot *slot = &shadow->slots[draw(shadow, LIVE)];
    size_t kind = draw(shadow, 10);
    if (slot->block)
        return kind < 7 ? step_free(shadow, slot) : step_realloc(shadow, slot);
    return kind < 6   ? step_malloc(shadow, slot)
           : kind < 8 ? step_calloc(shadow, slot)
                      : step_aligned(shadow, slot);
}

static const char *run_script(struct shadow *shadow) {
    const char *broken = NULL;
    for (int i = 0; i < STEPS && !broken; i++)
        broken = step(shadow);
    return broken;
}

static const char *free_all(struct shadow *shadow) {
    const char *broken = NULL;
    for (struct slot *slot = shadow->slots; slot < shadow->slots + SLOTS && !broken; slot++) {
        if (slot->block)
            broken = step_free(shadow, slot);
    }
    return broken;
}

static void assert_sound(const char *broken) {
    if (broken)
        fail_msg("%s", broken);
}

/* ---- Threads ---- */

struct worker {
    pthread_t thread;
    const struct heap *heap;
    struct shadow *shadow;
    struct exchange *exchange;
    const char *(*body)(struct worker *worker);
    unsigned index;
    const char *broken;
};

static void *run_worker(void *arg) {
    struct worker *worker = arg;
    const struct hm_memory *memory = &worker->heap->memory;
    if (memory->allocator->enter && memory->allocator->enter(memory->heap)) {
        worker->broken = "enter failed";
        return NULL;
    }
    worker->broken = worker->body(worker);
    if (memory->allocator->leave)
        memory->allocator->leave(memory->heap);
    return NULL;
}

static void run_workers(struct worker *workers, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]), 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < count; i++)
        assert_sound(workers[i].broken);
}

static const char *script_body(struct worker *worker) {
    return run_script(worker->shadow);
}

/* A ring from one producer to one consumer. */
struct exchange {
    struct slot ring[64];
    atomic_uint sent, received;
    atomic_bool given_up; /* one side is broken: the other must not wait */
};

static const char *produce(struct worker *worker) {
    struct exchange *x = worker->exchange;
    for (unsigned i = 0; i < STEPS; i++) {
        while (i - atomic_load(&x->received) >= 64) {
            if (atomic_load(&x->given_up))
                return NULL;
        }
        struct slot *slot = &x->ring[i % 64];
        size_t size = draw(worker->shadow, 2000);
        void *block = hm_malloc(worker->shadow->memory, size);
        const char *broken = block ? adopt(worker->shadow, slot, block, size) : "out of memory";
        if (broken) {
            atomic_store(&x->given_up, true);
            return broken;
        }
        atomic_store(&x->sent, i + 1);
    }
    return NULL;
}

static const char *consume(struct worker *worker) {
    struct exchange *x = worker->exchange;
    for (unsigned i = 0; i < STEPS; i++) {
        while (atomic_load(&x->sent) == i) {
            if (atomic_load(&x->given_up))
                return NULL;
        }
        const char *broken = step_free(worker->shadow, &x->ring[i % 64]);
        if (broken) {
            atomic_store(&x->given_up, true);
            return broken;
        }
        atomic_store(&x->received, i + 1);
    }
    return NULL;
}

static const char *exchange_body(struct worker *worker) {
    return worker->index % 2 ? consume(worker) : produce(worker);
}

/* ---- Promises ---- */

/* jemalloc 5.3, mimalloc 2.0 and gperftools 2.10 each have a path that leaves errno alone:
 * of a library only the NULL is asked. */
static void assert_out_of_memory(const struct heap *heap, const void *block) {
    assert_null(block);
    if (!heap->memory.allocator->library)
        assert_int_equal(errno, ENOMEM);
    errno = 0;
}

static void blocks_of_a_random_script_are_sound(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct worker workers[MAX_THREADS] = {{0}};
    open_heap(&heap, arm);
    for (unsigned i = 0; i < arm->threads; i++)
        workers[i] =
            (struct worker){.heap = &heap, .shadow = new_shadow(&heap, i), .body = script_body};
    run_workers(workers, arm->threads);
    for (unsigned i = 0; i < arm->threads; i++) {
        assert_sound(free_all(workers[i].shadow)); /* by a thread that did not allocate them */
        drop_shadow(workers[i].shadow);
    }
    close_heap(&heap);
}

static void blocks_freed_by_another_thread_are_sound(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct worker workers[MAX_THREADS] = {{0}};
    struct exchange exchanges[MAX_THREADS / 2];
    if (arm->threads < 2)
        skip();
    memset(exchanges, 0, sizeof exchanges);
    open_heap(&heap, arm);
    for (unsigned i = 0; i < arm->threads; i++)
        workers[i] = (struct worker){.heap = &heap,
                                     .shadow = new_shadow(&heap, i),
                                     .exchange = &exchanges[i / 2],
                                     .body = exchange_body,
                                     .index = i};
    run_workers(workers, arm->threads);
    for (unsigned i = 0; i < arm->threads; i++)
        drop_shadow(workers[i].shadow);
    close_heap(&heap);
}

static void empty_blocks_are_unique(void **state) {
    enum {
        COUNT = 100
    };
    void *blocks[COUNT];
    struct heap heap;
    open_heap(&heap, *state);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = hm_malloc(&heap.memory, 0);
        assert_non_null(blocks[i]);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (int i = 0; i < COUNT; i++)
        hm_free(&heap.memory, blocks[i]);
    close_heap(&heap);
}

static void null_is_freed_and_resized(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    hm_free(&heap.memory, NULL);
    unsigned char *block = hm_realloc(&heap.memory, NULL, 100);
    assert_non_null(block);
    assert_true(hm_usable_size(&heap.memory, block) >= 100);
    hm_free(&heap.memory, block);
    close_heap(&heap);
}

static void reused_memory_is_zeroed_by_calloc(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    for (size_t size = 1; size < 70000; size = size * 3 + 1) {
        unsigned char *dirty = hm_malloc(&heap.memory, size);
        assert_non_null(dirty);
        memset(dirty, 0xa5, size);
        hm_free(&heap.memory, dirty);
        unsigned char *clean = hm_calloc(&heap.memory, size, 1);
        assert_non_null(clean);
        assert_true(is_zero(clean, size));
        hm_free(&heap.memory, clean);
    }
    close_heap(&heap);
}

static void impossible_sizes_are_out_of_memory(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    const struct hm_memory *m = &heap.memory;
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_out_of_memory(&heap, hm_malloc(m, sizes[i]));
        assert_out_of_memory(&heap, hm_realloc(m, NULL, sizes[i]));
        assert_out_of_memory(&heap, hm_calloc(m, 1, sizes[i]));
        assert_out_of_memory(&heap, hm_aligned_alloc(m, 4096, sizes[i] & ~(size_t)4095));
    }
    close_heap(&heap);
}

static void overflowing_products_are_out_of_memory(void **state) {
    const size_t half = (size_t)1 << 32;
    const struct {
        size_t count, size;
    } products[] = {{half, half},  {half * 2, half / 2}, {half + 1, half},
                    {SIZE_MAX, 2}, {SIZE_MAX, SIZE_MAX}, {3, SIZE_MAX / 3 + 2}};
    struct heap heap;
    open_heap(&heap, *state);
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        assert_out_of_memory(&heap, hm_calloc(&heap.memory, products[i].count, products[i].size));
        assert_out_of_memory(&heap, hm_calloc(&heap.memory, products[i].size, products[i].count));
    }
    close_heap(&heap);
}

static void a_failing_realloc_leaves_the_block(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    struct shadow *shadow = new_shadow(&heap, 0);
    for (size_t size = 1; size < 40000; size = size * 5 + 1) {
        struct slot *slot = &shadow->slots[0];
        assert_sound(adopt(shadow, slot, hm_malloc(&heap.memory, size), size));
        assert_out_of_memory(&heap, hm_realloc(&heap.memory, slot->block, (size_t)PTRDIFF_MAX + 1));
        assert_sound(step_free(shadow, slot));
    }
    drop_shadow(shadow);
    close_heap(&heap);
}

static void bad_alignments_are_refused(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    if (heap.memory.shape == HM_SHAPE_LIBC) { /* each C library has a policy of its own */
        close_heap(&heap);
        skip();
    }
    const size_t bad[] = {0, 3, 24, 48, 4095, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(hm_aligned_alloc(&heap.memory, bad[i], 96));
        assert_int_equal(errno, EINVAL);
    }
    close_heap(&heap);
}

static void every_alignment_is_kept_by_small_blocks(void **state) {
    struct heap heap;
    open_heap(&heap, *state);
    bool multiple = wants_multiple();
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        void *blocks[20];
        for (size_t i = 0; i < 20; i++) {
            blocks[i] = hm_aligned_alloc(&heap.memory, alignment, multiple ? alignment : 1 + i);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
            memset(blocks[i], 1, hm_usable_size(&heap.memory, blocks[i]));
        }
        for (size_t i = 0; i < 20; i++)
            hm_free(&heap.memory, blocks[i]);
    }
    close_heap(&heap);
}

static void a_heap_with_live_blocks_can_be_closed(void **state) {
    for (int i = 0; i < 3; i++) {
        struct heap heap;
        open_heap(&heap, *state);
        void *keep = hm_malloc(&heap.memory, 100);
        assert_non_null(keep);
        if (heap.memory.allocator->close == NULL || has(*state, HM_CAP_LAYER))
            hm_free(&heap.memory, keep); /* the process's heap is never closed */
        else
            for (size_t j = 0; j < 1000; j++)
                assert_non_null(hm_malloc(&heap.memory, j % 256));
        close_heap(&heap);
    }
}

/* Fill up, give every second block back, and fill half of that again. */
static void exhaust(struct shadow *shadow) {
    const struct hm_memory *m = shadow->memory;
    unsigned count = 0;
    errno = 0;
    for (; count < SLOTS; count++) {
        size_t size = 500 + draw(shadow, 1000);
        void *block = hm_malloc(m, size);
        if (!block)
            break;
        assert_sound(adopt(shadow, &shadow->slots[count], block, size));
    }
    assert_true(count > 0 && count < SLOTS);
    assert_int_equal(errno, ENOMEM);
    for (unsigned i = 0; i < count; i += 2)
        assert_sound(step_free(shadow, &shadow->slots[i]));
    for (unsigned i = 0; i < count; i += 4) {
        void *block = hm_malloc(m, 400);
        assert_non_null(block);
        assert_sound(adopt(shadow, &shadow->slots[i], block, 400));
    }
    assert_sound(free_all(shadow));
}

static void an_exhausted_arena_recovers(void **state) {
    struct arm arm = *(const struct arm *)*state;
    struct heap heap;
    if (!has(&arm, HM_CAP_BOUNDED))
        skip();
    shrink_arena(&arm);
    open_heap(&heap, &arm);
    struct shadow *shadow = new_shadow(&heap, 0);
    for (int cycle = 0; cycle < 3; cycle++)
        exhaust(shadow);
    drop_shadow(shadow);
    close_heap(&heap);
}

struct walked {
    uint64_t end, used_bytes;
    unsigned used_runs;
};

static void visit(void *arg, const struct hm_block *block) {
    struct walked *walked = arg;
    assert_int_equal(block->offset, walked->end);
    assert_true(block->bytes > 0);
    walked->end += block->bytes;
    walked->used_bytes += block->used ? block->bytes : 0;
    walked->used_runs += block->used;
}

static struct walked walk(const struct heap *heap) {
    struct walked walked = {0};
    heap->memory.allocator->walk(heap->memory.heap, visit, &walked);
    return walked;
}

static void a_walk_finds_every_block(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    if (!has(arm, HM_CAP_WALK))
        skip();
    open_heap(&heap, arm);
    struct walked before = walk(&heap);
    struct shadow *shadow = new_shadow(&heap, 0);
    assert_sound(run_script(shadow));
    unsigned live = 0;
    size_t bytes = 0;
    for (int i = 0; i < LIVE; i++) {
        live += shadow->slots[i].block != NULL;
        bytes += shadow->slots[i].block ? hm_usable_size(&heap.memory, shadow->slots[i].block) : 0;
    }
    struct walked during = walk(&heap);
    assert_int_equal(during.end, before.end);
    assert_int_equal(during.used_runs, before.used_runs + live);
    assert_int_equal(during.used_bytes, before.used_bytes + bytes);
    assert_sound(free_all(shadow));
    struct walked after = walk(&heap);
    assert_int_equal(after.used_bytes, before.used_bytes);
    drop_shadow(shadow);
    close_heap(&heap);
}

static bool is_at_most(uint64_t known, uint64_t limit) {
    return known == HM_UNKNOWN || known <= limit;
}

/* An allocator that hands large requests on counts only what is its own. */
static void statistics_follow_what_is_live(void **state) {
    const struct arm *arm = *state;
    struct heap heap;
    struct hm_heap_stats stats;
    if (!arm->allocator->stats)
        skip();
    open_heap(&heap, arm);
    struct shadow *shadow = new_shadow(&heap, 0);
    assert_sound(run_script(shadow));
    uint64_t live = 0;
    for (int i = 0; i < LIVE; i++)
        live += shadow->slots[i].block != NULL;
    arm->allocator->stats(heap.memory.heap, &stats);
    assert_true(is_at_most(stats.live_blocks, live));
    assert_true(is_at_most(stats.live_bytes, stats.footprint_bytes));
    assert_true(is_at_most(stats.metadata_bytes, stats.footprint_bytes));
    assert_true(is_at_most(stats.bad_frees, 0));
    assert_true(stats.live_blocks == HM_UNKNOWN || stats.live_blocks > 0);
    assert_sound(free_all(shadow));
    arm->allocator->stats(heap.memory.heap, &stats);
    assert_true(is_at_most(stats.live_blocks, 0));
    assert_true(is_at_most(stats.live_bytes, 0));
    drop_shadow(shadow);
    close_heap(&heap);
}

/* ---- The matrix ---- */

static const struct promise {
    const char *name;
    CMUnitTestFunction test;
    bool threaded; /* worth more than one thread */
} promises[] = {
    {"blocks_of_a_random_script_are_sound", blocks_of_a_random_script_are_sound, true},
    {"blocks_freed_by_another_thread_are_sound", blocks_freed_by_another_thread_are_sound, true},
    {"empty_blocks_are_unique", empty_blocks_are_unique, false},
    {"null_is_freed_and_resized", null_is_freed_and_resized, false},
    {"reused_memory_is_zeroed_by_calloc", reused_memory_is_zeroed_by_calloc, false},
    {"impossible_sizes_are_out_of_memory", impossible_sizes_are_out_of_memory, false},
    {"overflowing_products_are_out_of_memory", overflowing_products_are_out_of_memory, false},
    {"a_failing_realloc_leaves_the_block", a_failing_realloc_leaves_the_block, false},
    {"bad_alignments_are_refused", bad_alignments_are_refused, false},
    {"every_alignment_is_kept_by_small_blocks", every_alignment_is_kept_by_small_blocks, false},
    {"a_heap_with_live_blocks_can_be_closed", a_heap_with_live_blocks_can_be_closed, false},
    {"an_exhausted_arena_recovers", an_exhausted_arena_recovers, false},
    {"a_walk_finds_every_block", a_walk_finds_every_block, false},
    {"statistics_follow_what_is_live", statistics_follow_what_is_live, false},
};

enum {
    PROMISES = sizeof promises / sizeof *promises
};

static struct arm arms[MAX_ARMS];
static unsigned arm_count;
static struct CMUnitTest tests[MAX_ARMS * PROMISES];
static char names[MAX_ARMS * PROMISES][192];

static struct arm *add_arm(const struct hm_allocator *allocator, unsigned threads) {
    assert_true(arm_count < MAX_ARMS);
    struct arm *arm = &arms[arm_count++];
    *arm = (struct arm){.allocator = allocator, .threads = threads};
    snprintf(arm->label, sizeof arm->label, "%s, %u threads", allocator->name, threads);
    for (size_t i = 0; allocator->params && allocator->params[i].name; i++) {
        assert_true(i < MAX_PARAMS);
        arm->values[i] = (struct hm_value){allocator->params[i].initial, ""};
    }
    return arm;
}

static void add_choices(const struct hm_allocator *allocator) {
    const struct hm_param *params = allocator->params;
    for (size_t i = 0; params && params[i].name; i++) {
        for (int64_t word = 0; params[i].kind == HM_PARAM_CHOICE && word <= params[i].max; word++) {
            if (word == params[i].initial)
                continue;
            struct arm *arm = add_arm(allocator, 1);
            arm->values[i].number = word;
            shrink_arena(arm); /* a choice may be a slow one */
            snprintf(arm->label, sizeof arm->label, "%s:%s=#%d", allocator->name, params[i].name,
                     (int)word);
        }
    }
}

static void add_arms(const struct hm_allocator *allocator) {
    if (!is_testable(allocator)) {
        print_message("skipped: %s needs a process with%s a library as its malloc\n",
                      allocator->name, allocator->library ? "" : "out");
        return;
    }
    add_arm(allocator, 1);
    if (allocator->caps & HM_CAP_THREADS) {
        add_arm(allocator, 2);
        add_arm(allocator, 4);
    }
    add_choices(allocator);
}

static size_t fill_tests(void) {
    size_t count = 0;
    for (unsigned i = 0; i < arm_count; i++) {
        for (size_t j = 0; j < PROMISES; j++) {
            if (arms[i].threads > 1 && !promises[j].threaded)
                continue;
            snprintf(names[count], sizeof names[count], "%s [%s]", promises[j].name, arms[i].label);
            tests[count] = (struct CMUnitTest){
                .name = names[count], .test_func = promises[j].test, .initial_state = &arms[i]};
            count++;
        }
    }
    return count;
}

int main(void) {
    for (const struct hm_allocator *const *part = __start_hm_allocator_parts;
         part < __stop_hm_allocator_parts; part++)
        add_arms(*part);
    return _cmocka_run_group_tests("allocators", tests, fill_tests(), NULL, NULL);
}

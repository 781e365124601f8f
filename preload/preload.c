/* The C library's malloc family, served by allocators of ours: a library for LD_PRELOAD.
 *
 * It is compiled once for each library, with HM_PRELOAD_BASE the allocator's name and, for a stack of
 * two, HM_PRELOAD_LAYER the layer's. The base stands on preload/large.c.
 *
 * Vocabulary
 *   stack     the open heaps: large, the base, and the layer
 *   early     of a call: the stack is not open, perhaps because this very thread opens it
 *   early block: lies in a static buffer, where nothing is ever given back
 *
 * Invariants
 *   `current` is what calls go to: `early`, whose calls open the stack, and afterwards `stack_top`,
 *   complete before it is stored. The entry points end in tail calls, so that a layer sees the
 *   program's return address and not ours. A free leaves errno as it is: what could change it is
 *   munmap alone, which the linker directs to __wrap_munmap. */
#define HM_SHAPE HM_SHAPE_HEAP
#include "allocators/allocator.h"
#include "preload/large.h"
#include "preload/report.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT            __attribute__((visibility("default")))
#define UNLIKELY(is_true) __builtin_expect(!!(is_true), 0)

enum {
    GRANULE = 16,
    EARLY_BYTES = 64 << 10,
    PARTS = 3,    /* of a stack */
    VALUES = 32,  /* of an allocator's parameters */
    THREADS = 64, /* more than one: how many there will be is not known */
};

int __real_munmap(void *start, size_t bytes);
int __wrap_munmap(void *start, size_t bytes);

int __wrap_munmap(void *start, size_t bytes) {
    int before = errno;
    int bad = __real_munmap(start, bytes);
    errno = before;
    return bad;
}

/* ---- Early blocks ---- */

static _Alignas(GRANULE) char early_buffer[EARLY_BYTES];
static atomic_size_t early_used;

static bool is_early(const void *block) {
    return (uintptr_t)block - (uintptr_t)early_buffer < sizeof early_buffer;
}

static size_t early_size(const void *block) {
    return ((const size_t *)block)[-1];
}

/* @param alignment a power of two  @return zeroed memory with its size before it */
static void *early_take(size_t alignment, size_t size) {
    size_t room = sizeof early_buffer;
    size_t least = alignment > GRANULE ? alignment : GRANULE;
    if (size < room && least < room) {
        size_t bytes = (size + GRANULE + least + GRANULE - 1) & -(size_t)GRANULE;
        size_t at = atomic_fetch_add(&early_used, bytes);
        if (at <= room && bytes <= room - at) {
            uintptr_t block = ((uintptr_t)early_buffer + at + GRANULE + least - 1) & -least;
            ((size_t *)block)[-1] = size;
            return (void *)block;
        }
        atomic_fetch_sub(&early_used, bytes);
    }
    errno = ENOMEM;
    return NULL;
}

/* ---- Opening ---- */

static struct hm_memory stack[PARTS];
static unsigned stack_count;
static const struct hm_memory *_Atomic stack_top; /* NULL until the stack is open */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pthread_t busy; /* the thread whose calls are early, 0 for none */

extern const struct hm_allocator *const __start_hm_allocator_parts[]
    __attribute__((visibility("hidden")));
extern const struct hm_allocator *const __stop_hm_allocator_parts[]
    __attribute__((visibility("hidden")));

static const struct hm_allocator *find_part(const char *name) {
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (part < __stop_hm_allocator_parts && strcmp((*part)->name, name) != 0)
        part++;
    return part < __stop_hm_allocator_parts ? *part : NULL;
}

/* The index of a word in "a|b|c", or `otherwise` when it is none of them. */
static int64_t choice_of(const char *choices, const char *word, int64_t otherwise) {
    size_t length = strlen(word);
    for (int64_t i = 0; *choices; i++) {
        size_t here = strcspn(choices, "|");
        if (here == length && memcmp(choices, word, length) == 0)
            return i;
        choices += here + (choices[here] == '|');
    }
    return otherwise;
}

/* The defaults, but for the lock: threads are to have heaps of their own, where the part can. */
static void set_values(const struct hm_param *params, struct hm_value *values) {
    for (unsigned i = 0; params && params[i].name && i < VALUES; i++) {
        values[i] = (struct hm_value){params[i].initial, ""};
        if (strcmp(params[i].name, "lock") == 0)
            values[i].number = choice_of(params[i].choices, "thread", params[i].initial);
    }
}

static int push(const char *name) {
    struct hm_value values[VALUES];
    const struct hm_allocator *part = find_part(name);
    if (!part)
        return ENOENT;
    set_values(part->params, values);
    const struct hm_heap_options options = {
        .params = values, .threads = THREADS, .inner = &stack[stack_count - 1]};
    int bad = part->open(&stack[stack_count], &options);
    stack_count += !bad;
    return bad;
}

/* From the top down: a part may hold its lock while it calls what is beneath it. */
static void fork_all(enum hm_fork_phase phase) {
    for (unsigned i = stack_count; i-- > 0;)
        if (stack[i].allocator->fork)
            stack[i].allocator->fork(stack[i].heap, phase);
}

static void before_fork(void) {
    fork_all(HM_FORK_PREPARE);
}

static void after_fork(void) {
    fork_all(HM_FORK_PARENT);
}

static void in_child(void) {
    fork_all(HM_FORK_CHILD);
}

/* Ours are the first handlers of the process: one that was registered before them would run while the
 * locks are held, and could not allocate. Tried once: without a stack there are early blocks only. */
static int open_stack(void) {
    hm_large_open(&stack[0]);
    stack_count = 1;
    int bad = push(HM_PRELOAD_BASE);
#ifdef HM_PRELOAD_LAYER
    if (!bad)
        bad = push(HM_PRELOAD_LAYER);
#endif
    return bad ? bad : pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- Early calls ---- */

static const struct hm_memory early;
static const struct hm_memory *_Atomic current = &early;

/* @return the open stack, or NULL for an early block */
static const struct hm_memory *settle(void) {
    if (pthread_equal(atomic_load(&busy), pthread_self()))
        return NULL;
    const struct hm_memory *top = atomic_load(&stack_top);
    if (top)
        return top;
    pthread_mutex_lock(&opening);
    atomic_store(&busy, pthread_self());
    if (!stack_count && open_stack() == 0) {
        atomic_store(&stack_top, &stack[stack_count - 1]);
        atomic_store(&current, &stack[stack_count - 1]);
    }
    atomic_store(&busy, 0);
    pthread_mutex_unlock(&opening);
    return atomic_load(&stack_top);
}

static void *early_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    const struct hm_memory *top = settle();
    return top ? hm_malloc(top, size) : early_take(GRANULE, size);
}

static void *early_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    size_t bytes;
    const struct hm_memory *top = settle();
    if (top)
        return hm_calloc(top, count, size);
    return early_take(GRANULE, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

static void *early_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    (void)heap;
    const struct hm_memory *top = settle();
    return top ? hm_aligned_alloc(top, alignment, size) : early_take(alignment, size);
}

/* Early blocks do not come this far. */
static void *early_realloc(struct hm_heap *heap, void *block, size_t size) {
    (void)heap;
    const struct hm_memory *top = settle();
    return top ? hm_realloc(top, block, size) : early_take(GRANULE, size);
}

static void early_free(struct hm_heap *heap, void *block) {
    (void)heap;
    const struct hm_memory *top = settle();
    if (top)
        hm_free(top, block);
}

static size_t early_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    const struct hm_memory *top = settle();
    return top ? hm_usable_size(top, block) : 0;
}

static const struct hm_memory early = {
    .shape = HM_SHAPE_HEAP,
    .calls = {early_malloc, early_calloc, early_realloc, early_aligned_alloc, early_free,
              early_usable_size},
};

/* ---- The entry points ---- */

static const struct hm_memory *top(void) {
    return atomic_load_explicit(&current, memory_order_acquire);
}

static bool is_power(size_t n) {
    return n && !(n & (n - 1));
}

static void *fail(int error) {
    errno = error;
    return NULL;
}

EXPORT void *malloc(size_t size) {
    return hm_malloc(top(), size);
}

EXPORT void *calloc(size_t count, size_t size) {
    return hm_calloc(top(), count, size);
}

EXPORT void free(void *block) {
    if (UNLIKELY(is_early(block)))
        return;
    hm_free(top(), block);
}

static void *leave_early(const void *block, size_t size) {
    size_t old = early_size(block);
    void *moved = hm_malloc(top(), size);
    return moved ? memcpy(moved, block, old < size ? old : size) : NULL;
}

/* To resize to nothing frees, as in the C library: programs that count on it would leak. */
EXPORT void *realloc(void *block, size_t size) {
    if (UNLIKELY(block && !size)) {
        free(block);
        return NULL;
    }
    return UNLIKELY(is_early(block)) ? leave_early(block, size) : hm_realloc(top(), block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return fail(ENOMEM);
    return realloc(block, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return is_power(alignment) ? hm_aligned_alloc(top(), alignment, size) : fail(EINVAL);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    return is_power(alignment) ? hm_aligned_alloc(top(), alignment, size) : fail(EINVAL);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    if (!is_power(alignment) || alignment % sizeof(void *))
        return EINVAL;
    int before = errno;
    void *block = hm_aligned_alloc(top(), alignment, size);
    errno = before;
    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}

EXPORT void *valloc(size_t size) {
    return hm_aligned_alloc(top(), (size_t)getpagesize(), size);
}

EXPORT void *pvalloc(size_t size) {
    size_t page = (size_t)getpagesize();
    if (__builtin_add_overflow(size, page - 1, &size))
        return fail(ENOMEM);
    return hm_aligned_alloc(top(), page, size & -page);
}

EXPORT size_t malloc_usable_size(void *block) {
    return UNLIKELY(is_early(block)) ? early_size(block) : hm_usable_size(top(), block);
}

/* ---- The end ---- */

/* The stack stays open: other threads and what runs after us still use it. */
__attribute__((destructor)) static void report(void) {
    const struct hm_memory *memory = atomic_load(&stack_top);
    if (memory && hm_preload_report)
        hm_preload_report(memory->heap);
}

/* The malloc family, handed on to whoever serves it, with a record of each call: a library for
 * LD_PRELOAD, which `heapmark record` puts under a program.
 *
 * Vocabulary
 *   next    the malloc family of the library behind this one: the C library, or another allocator
 *   early   of a block: asked for while `next` was looked up, and given from a static buffer
 *
 * Invariants
 *   A call does what the next one does, errno with it. Early blocks are never recorded: the program
 *   did not ask for them. */
#include "preload/record.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    GRANULE = 16,
    EARLY_BYTES = 16 << 10,
    PAGE_LOG2 = 12,
};

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free)(void *);
    size_t (*malloc_usable_size)(void *);
} next;
static atomic_bool has_next;
static __thread bool is_looking __attribute__((tls_model("initial-exec")));

/* ---- Early blocks ---- */

static _Alignas(GRANULE) char early_buffer[EARLY_BYTES];
static atomic_size_t early_used;

static bool is_early(const void *block) {
    return (uintptr_t)block - (uintptr_t)early_buffer < sizeof early_buffer;
}

static void *early_take(size_t size) {
    size_t bytes = (size + (size_t)2 * GRANULE - 1) & -(size_t)GRANULE;
    size_t at = size < EARLY_BYTES ? atomic_fetch_add(&early_used, bytes) : EARLY_BYTES;
    if (at + bytes > EARLY_BYTES)
        return NULL;
    memcpy(early_buffer + at, &size, sizeof size);
    return early_buffer + at + GRANULE;
}

static size_t early_size(const void *block) {
    size_t size;
    memcpy(&size, (const char *)block - GRANULE, sizeof size);
    return size;
}

/* ---- The next ones ---- */

static void *look_up(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        static const char why[] = "heapmark: no malloc family behind the recording library\n";
        if (write(STDERR_FILENO, why, sizeof why - 1) < 0)
            errno = 0;
        _exit(127);
    }
    return found;
}

/* Threads that come at once find the same. */
static void look_up_all(void) {
    int before = errno;
    is_looking = true;
    *(void **)&next.malloc = look_up("malloc");
    *(void **)&next.calloc = look_up("calloc");
    *(void **)&next.realloc = look_up("realloc");
    *(void **)&next.aligned_alloc = look_up("aligned_alloc");
    *(void **)&next.posix_memalign = look_up("posix_memalign");
    *(void **)&next.memalign = look_up("memalign");
    *(void **)&next.valloc = look_up("valloc");
    *(void **)&next.pvalloc = look_up("pvalloc");
    *(void **)&next.malloc_usable_size = look_up("malloc_usable_size");
    *(void **)&next.free = look_up("free");
    is_looking = false;
    atomic_store_explicit(&has_next, true, memory_order_release);
    errno = before;
}

/* @return false in the lookup's own calls, which get early blocks */
static inline bool is_ready(void) {
    if (HM_LIKELY(atomic_load_explicit(&has_next, memory_order_acquire)))
        return true;
    if (!is_looking)
        look_up_all();
    return !is_looking;
}

/* ---- Records ---- */

/* What a short record can not say. Apart, so that the usual calls stay short themselves. */
static __attribute__((noinline)) void put_long(unsigned code, const void *block, uint64_t ticket,
                                               size_t count, size_t size) {
    const struct hm_record_call call = {
        .code = code, .block = block, .ticket = ticket, .count = count, .size = size};
    hm_record_put(&call);
}

static inline void *made(void *block, size_t size) {
    uint64_t ticket = hm_record_ticket();
    if (HM_UNLIKELY(!hm_record_put_short(0, (uint64_t)(uintptr_t)block, size, ticket)))
        put_long(hm_record_code(HM_TRACE_MALLOC, !block), block, ticket, 0, size);
    return block;
}

static unsigned log2_of(size_t alignment) {
    return alignment < 2 ? 0 : 64u - (unsigned)__builtin_clzll(alignment - 1);
}

static void *made_aligned(unsigned kind, void *block, unsigned log2, size_t size) {
    unsigned code = hm_record_code(kind, !block);
    put_long(code | (log2 > 31 ? 31 : log2) << HM_SPOOL_ALIGNMENT_SHIFT, block, hm_record_ticket(),
             0, size);
    return block;
}

/* To free nothing is a call, too: one at the base's own place, with a size. */
static inline void gone(const void *block, uint64_t ticket) {
    uint64_t address = block ? (uint64_t)(uintptr_t)block : hm_record_null;
    if (HM_UNLIKELY(!hm_record_put_short(HM_SPOOL_IS_FREE, address, !block, ticket)))
        put_long(hm_record_code(HM_TRACE_FREE, false), block, ticket, 0, 0);
}

/* A reallocation of a block; what it does to an address that moves is seen in two places. */
static __attribute__((noinline)) void *moved(unsigned kind, const void *old, void *block,
                                             uint64_t before, size_t count, size_t size) {
    struct hm_record_call call = {.code = hm_record_code(kind, !block),
                                  .block = block ? block : old,
                                  .ticket = before,
                                  .count = count,
                                  .size = size};
    if (block && block != old) {
        call.code |= HM_SPOOL_MOVED;
        call.old = old;
        call.ticket_before = before;
        call.ticket = hm_record_ticket();
    }
    hm_record_put(&call);
    return block;
}

static void *leave_early(const void *block, size_t size) {
    size_t old = early_size(block);
    void *fresh = malloc(size);
    return fresh ? memcpy(fresh, block, old < size ? old : size) : NULL;
}

/* ---- The entry points ---- */

EXPORT void *malloc(size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return early_take(size);
    return made(next.malloc(size), size);
}

EXPORT void *calloc(size_t count, size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return early_take(count * size);
    void *block = next.calloc(count, size);
    put_long(hm_record_code(HM_TRACE_CALLOC, !block), block, hm_record_ticket(), count, size);
    return block;
}

EXPORT void free(void *block) {
    if (HM_UNLIKELY(is_early(block) || !is_ready()))
        return;
    gone(block, hm_record_ticket());
    next.free(block);
}

/* Of nothing, it is a malloc; to nothing it is a free, where the next one takes it so. */
EXPORT void *realloc(void *block, size_t size) {
    if (HM_UNLIKELY(!is_ready() || (block && is_early(block))))
        return block ? leave_early(block, size) : early_take(size);
    if (!block)
        return made(next.realloc(NULL, size), size);
    uint64_t before = hm_record_ticket();
    void *fresh = next.realloc(block, size);
    if (HM_UNLIKELY(!fresh && !size)) {
        gone(block, before);
        return NULL;
    }
    return moved(HM_TRACE_REALLOC, block, fresh, before, 0, size);
}

/* By the next realloc: the C library's reallocarray would call ours. */
EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    bool overflows = __builtin_mul_overflow(count, size, &bytes);
    if (HM_UNLIKELY(!overflows && (!block || !bytes || is_early(block) || !is_ready())))
        return realloc(block, bytes);
    uint64_t before = hm_record_ticket();
    void *fresh = overflows ? NULL : next.realloc(block, bytes);
    if (overflows)
        errno = ENOMEM;
    if (!block)
        return made(NULL, SIZE_MAX);
    return moved(HM_TRACE_REALLOCARRAY, block, fresh, before, count, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return NULL;
    return made_aligned(HM_TRACE_ALIGNED_ALLOC, next.aligned_alloc(alignment, size),
                        log2_of(alignment), size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return NULL;
    return made_aligned(HM_TRACE_MEMALIGN, next.memalign(alignment, size), log2_of(alignment),
                        size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return ENOMEM;
    int bad = next.posix_memalign(out, alignment, size);
    made_aligned(HM_TRACE_POSIX_MEMALIGN, bad ? NULL : *out, log2_of(alignment), size);
    return bad;
}

EXPORT void *valloc(size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return NULL;
    return made_aligned(HM_TRACE_VALLOC, next.valloc(size), PAGE_LOG2, size);
}

EXPORT void *pvalloc(size_t size) {
    if (HM_UNLIKELY(!is_ready()))
        return NULL;
    return made_aligned(HM_TRACE_PVALLOC, next.pvalloc(size), PAGE_LOG2, size);
}

EXPORT size_t malloc_usable_size(void *block) {
    if (HM_UNLIKELY(!is_ready() || is_early(block)))
        return block ? early_size(block) : 0;
    put_long(hm_record_code(HM_TRACE_USABLE, false), block, hm_record_ticket(), 0, 0);
    return next.malloc_usable_size(block);
}

/* A small correct allocator for LD_PRELOAD, and the places where an animal of the zoo breaks it.
 *
 * An animal is one file: it defines the hooks that it replaces, includes this file, and defines the
 * replacements, which may call the right ones (base_malloc, ...). Its head says `caught by: NAME..`,
 * the properties of `heapmark verify` that must fail; nothing else is asked of it.
 *
 * Vocabulary
 *   span   64 KiB, aligned to its size, with a header. Small blocks of one class lie in it side by
 *          side, without headers of their own; a large block has spans of its own
 *   class  16, 32, .. 1024 bytes, then 2048, 4096 and 8192
 *
 * Invariants: a block is never at a span's start, so that the span of p is that of p - 1. One lock
 * is held by whoever touches a free list; fork takes it. Threads keep a few free blocks of each
 * class, and give them back when they end. */
#ifndef ZOO_BASE_H
#define ZOO_BASE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SPAN_BYTES = 1 << 16,
    SPAN_HEADER = 64,
    STEP_LIMIT = 1024,
    CLASSES = STEP_LIMIT / 16 + 3,
    SMALL_MAX = 8192,
};

/* The hooks. What the C library's name calls, and what the parts call among themselves. */
#ifndef ZOO_MALLOC
#define ZOO_MALLOC base_malloc
#endif
#ifndef ZOO_CALLOC
#define ZOO_CALLOC base_calloc
#endif
#ifndef ZOO_REALLOC
#define ZOO_REALLOC base_realloc
#endif
#ifndef ZOO_FREE
#define ZOO_FREE base_free
#endif
#ifndef ZOO_ALIGNED
#define ZOO_ALIGNED base_aligned
#endif
#ifndef ZOO_POSIX_MEMALIGN
#define ZOO_POSIX_MEMALIGN base_posix_memalign
#endif
#ifndef ZOO_USABLE
#define ZOO_USABLE base_usable
#endif
#ifndef ZOO_MAP
#define ZOO_MAP base_map
#endif
#ifndef ZOO_LOCK
#define ZOO_LOCK base_lock
#endif
#ifndef ZOO_UNLOCK
#define ZOO_UNLOCK base_unlock
#endif
#ifndef ZOO_CLASS_BYTES
#define ZOO_CLASS_BYTES base_class_bytes
#endif
#ifndef ZOO_THREAD_END
#define ZOO_THREAD_END base_thread_end
#endif
#ifndef ZOO_PREPARE_FORK
#define ZOO_PREPARE_FORK base_lock
#endif
#ifndef ZOO_AFTER_FORK
#define ZOO_AFTER_FORK base_unlock
#endif

#ifndef ZOO_MEANWHILE
#define ZOO_MEANWHILE() (void)0 /* while a free list is being changed */
#endif

#ifndef ZOO_CACHE_BLOCKS
#define ZOO_CACHE_BLOCKS 32u /* of each class, that a thread may keep */
#endif

#define ZOO_MAY_USE __attribute__((unused)) static

ZOO_MAY_USE void *ZOO_MALLOC(size_t size);
ZOO_MAY_USE void *ZOO_CALLOC(size_t count, size_t size);
ZOO_MAY_USE void *ZOO_REALLOC(void *p, size_t size);
ZOO_MAY_USE void ZOO_FREE(void *p);
ZOO_MAY_USE void *ZOO_ALIGNED(size_t alignment, size_t size);
ZOO_MAY_USE int ZOO_POSIX_MEMALIGN(void **out, size_t alignment, size_t size);
ZOO_MAY_USE size_t ZOO_USABLE(void *p);
ZOO_MAY_USE void *ZOO_MAP(size_t bytes);
ZOO_MAY_USE void ZOO_LOCK(void);
ZOO_MAY_USE void ZOO_UNLOCK(void);
ZOO_MAY_USE size_t ZOO_CLASS_BYTES(unsigned class);
ZOO_MAY_USE void ZOO_THREAD_END(void *caches);
ZOO_MAY_USE void ZOO_PREPARE_FORK(void);
ZOO_MAY_USE void ZOO_AFTER_FORK(void);

struct span {
    size_t bytes;   /* of the mapping; for a small span, SPAN_BYTES */
    size_t room;    /* of each block */
    unsigned class; /* CLASSES for a large block */
    char *large;    /* the block of a large span */
};

struct block {
    struct block *next;
};

struct cache {
    struct block *first[CLASSES];
    unsigned count[CLASSES];
    bool known; /* the key has a value: the blocks come back when the thread ends */
    bool over;  /* the thread is ending: nothing is kept any more */
};

static pthread_mutex_t heap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *free_blocks[CLASSES];
static pthread_key_t cache_key;
static bool has_key;
static __thread struct cache cache __attribute__((tls_model("initial-exec")));

ZOO_MAY_USE void base_lock(void) {
    pthread_mutex_lock(&heap_lock);
}

ZOO_MAY_USE void base_unlock(void) {
    pthread_mutex_unlock(&heap_lock);
}

ZOO_MAY_USE size_t base_class_bytes(unsigned class) {
    return class < STEP_LIMIT / 16 ? (class + 1) * (size_t)16
                                   : (size_t)2048 << (class - STEP_LIMIT / 16);
}

static unsigned class_of(size_t size) {
    unsigned class = size ? (unsigned)((size - 1) / 16) : 0;
    if (size <= STEP_LIMIT)
        return class;
    return size <= 2048 ? STEP_LIMIT / 16 : size <= 4096 ? STEP_LIMIT / 16 + 1 : CLASSES - 1;
}

static struct span *span_of(const void *p) {
    return (struct span *)(((uintptr_t)p - 1) & ~(uintptr_t)(SPAN_BYTES - 1));
}

/* Whole pages, aligned to SPAN_BYTES. @return NULL with ENOMEM */
ZOO_MAY_USE void *base_map(size_t bytes) {
    char *p =
        mmap(NULL, bytes + SPAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    char *aligned = (char *)(((uintptr_t)p + SPAN_BYTES - 1) & ~(uintptr_t)(SPAN_BYTES - 1));
    if (aligned > p)
        munmap(p, (size_t)(aligned - p));
    munmap(aligned + bytes, (size_t)(p + SPAN_BYTES - aligned));
    return aligned;
}

static void push(unsigned class, void *p) {
    struct block *b = p;
    b->next = free_blocks[class];
    free_blocks[class] = b;
}

static bool cut_span(unsigned class) {
    struct span *span = ZOO_MAP(SPAN_BYTES);
    size_t room = ZOO_CLASS_BYTES(class);
    if (!span)
        return false;
    *span = (struct span){.bytes = SPAN_BYTES, .room = room, .class = class};
    size_t count = (SPAN_BYTES - SPAN_HEADER) / base_class_bytes(class);
    while (count-- > 0)
        push(class, (char *)span + SPAN_HEADER + count * room);
    return true;
}

ZOO_MAY_USE void base_thread_end(void *caches) {
    struct cache *c = caches;
    c->over = true;
    ZOO_LOCK();
    for (unsigned class = 0; class < CLASSES; class ++)
        for (struct block *next; c->first[class]; c->first[class] = next) {
            next = c->first[class]->next;
            push(class, c->first[class]);
        }
    ZOO_UNLOCK();
}

/* Taking the key's first value may allocate: the cache is marked before. */
static void know_thread(void) {
    if (cache.known || !has_key)
        return;
    cache.known = true;
    pthread_setspecific(cache_key, &cache);
}

static void *take_small(unsigned class) {
    struct block *b = cache.first[class];
    if (b) {
        cache.first[class] = b->next;
        cache.count[class]--;
        return b;
    }
    ZOO_LOCK();
    if (free_blocks[class] || cut_span(class)) {
        b = free_blocks[class];
        ZOO_MEANWHILE();
        free_blocks[class] = b->next;
    }
    ZOO_UNLOCK();
    return b;
}

static void give_small(unsigned class, void *p) {
    struct block *b = p;
    know_thread();
    if (cache.known && !cache.over && cache.count[class] < ZOO_CACHE_BLOCKS) {
        b->next = cache.first[class];
        cache.first[class] = b;
        cache.count[class]++;
        return;
    }
    ZOO_LOCK();
    push(class, p);
    ZOO_UNLOCK();
}

static void *take_large(size_t alignment, size_t size) {
    size_t bytes = size + alignment + SPAN_HEADER;
    if (size > (size_t)PTRDIFF_MAX || alignment > (size_t)PTRDIFF_MAX / 2 ||
        bytes > (size_t)PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    bytes = (bytes + SPAN_BYTES - 1) & ~(size_t)(SPAN_BYTES - 1);
    char *base = ZOO_MAP(bytes);
    if (!base)
        return NULL;
    char *p = (char *)(((uintptr_t)base + SPAN_HEADER + alignment - 1) & ~(alignment - 1));
    struct span *span = span_of(p);
    /* What lies before the span's header is of no use. */
    if ((char *)span > base)
        munmap(base, (size_t)((char *)span - base));
    *span = (struct span){.bytes = bytes - (size_t)((char *)span - base),
                          .room = bytes - (size_t)(p - base),
                          .class = CLASSES,
                          .large = p};
    return p;
}

ZOO_MAY_USE void *base_malloc(size_t size) {
    return size <= SMALL_MAX ? take_small(class_of(size)) : take_large(16, size);
}

ZOO_MAY_USE void base_free(void *p) {
    if (!p)
        return;
    struct span *span = span_of(p);
    if (span->class < CLASSES)
        give_small(span->class, p);
    else
        munmap(span, span->bytes);
}

ZOO_MAY_USE size_t base_usable(void *p) {
    return p ? span_of(p)->room : 0;
}

ZOO_MAY_USE void *base_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = ZOO_MALLOC(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

ZOO_MAY_USE void *base_realloc(void *p, size_t size) {
    if (!p)
        return ZOO_MALLOC(size);
    size_t room = span_of(p)->room;
    if (size <= room && size >= room / 2)
        return p;
    void *q = ZOO_MALLOC(size);
    if (!q)
        return NULL;
    memcpy(q, p, room < size ? room : size);
    ZOO_FREE(p);
    return q;
}

ZOO_MAY_USE void *base_aligned(size_t alignment, size_t size) {
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return alignment <= 16 ? ZOO_MALLOC(size) : take_large(alignment, size);
}

ZOO_MAY_USE int base_posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) || !alignment || (alignment & (alignment - 1)))
        return EINVAL;
    void *p = ZOO_ALIGNED(alignment, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

static void thread_end(void *caches) {
    ZOO_THREAD_END(caches);
}

static void prepare_fork(void) {
    ZOO_PREPARE_FORK();
}

static void after_fork(void) {
    ZOO_AFTER_FORK();
}

__attribute__((constructor)) static void start(void) {
    has_key = pthread_key_create(&cache_key, thread_end) == 0;
    pthread_atfork(prepare_fork, after_fork, after_fork);
}

#define ZOO_EXPORT __attribute__((visibility("default")))

ZOO_EXPORT void *malloc(size_t size) {
    return ZOO_MALLOC(size);
}

ZOO_EXPORT void *calloc(size_t count, size_t size) {
    return ZOO_CALLOC(count, size);
}

ZOO_EXPORT void *realloc(void *p, size_t size) {
    return ZOO_REALLOC(p, size);
}

ZOO_EXPORT void free(void *p) {
    ZOO_FREE(p);
}

#ifndef ZOO_PARTIAL
ZOO_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return ZOO_ALIGNED(alignment, size);
}
#endif

ZOO_EXPORT void *memalign(size_t alignment, size_t size) {
    return ZOO_ALIGNED(alignment, size);
}

ZOO_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    return ZOO_POSIX_MEMALIGN(out, alignment, size);
}

ZOO_EXPORT size_t malloc_usable_size(void *p) {
    return ZOO_USABLE(p);
}

#endif

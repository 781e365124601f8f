/* Blocks of any size, from mmap.
 *
 * Vocabulary
 *   slot      what a block lies in; its header is the 16 bytes before the block
 *   class     the slots of one size, four sizes to each power of two
 *   carved    of a class: its slots are cut from chunks, which stay
 *   mapped    of a class: each slot is a mapping of its own; only some are kept when they are free
 *   direct    of a slot: larger than all classes, mapped for its block and unmapped with it
 *
 * Invariants
 *   A free slot of a class is in its list, linked through its first word. Memory that was never
 *   handed out is zero. Each class has a lock of its own, and no two are ever held at once but
 *   around a fork. Neither malloc nor free of anyone else is called. */
#include "preload/large.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRANULE = 16,
    PAGE_BYTES = 4096,
    FIRST_BITS = 6, /* all slots are larger than 1 << FIRST_BITS */
    CARVED_BITS = 16,
    LAST_BITS = 20, /* the last class has 1 << LAST_BITS bytes */
    MAPPED = 4 * (CARVED_BITS - FIRST_BITS),
    CLASSES = 4 * (LAST_BITS - FIRST_BITS),
    DIRECT = CLASSES,
    CHUNK_BYTES = 1 << 20,
    KEPT_BYTES = 4 << 20, /* of each mapped class */
};

struct header {
    uint32_t class;
    uint32_t before; /* granules from the slot's begin to the block */
    size_t bytes;    /* from the block to the slot's end */
};

struct link {
    struct link *next;
};

struct class {
    pthread_mutex_t lock;
    struct link *free;
    char *fresh; /* the rest of the chunk */
    size_t fresh_bytes;
    size_t kept_bytes;
} __attribute__((aligned(64)));

struct hm_heap {
    struct class classes[CLASSES];
};

static struct hm_heap large = {
    .classes = {[0 ... CLASSES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}},
};

static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

static struct header *header_of(void *block) {
    return (struct header *)block - 1;
}

static char *slot_of(void *block) {
    return (char *)block - (size_t)header_of(block)->before * GRANULE;
}

static size_t slot_bytes(void *block) {
    const struct header *header = header_of(block);
    return (size_t)header->before * GRANULE + header->bytes;
}

static unsigned class_of(size_t bytes) {
    size_t last = bytes > (1u << FIRST_BITS) ? bytes - 1 : 1u << FIRST_BITS;
    unsigned bits = 63u - (unsigned)__builtin_clzll(last);
    return 4 * (bits - FIRST_BITS) + (unsigned)((last >> (bits - 2)) & 3);
}

static size_t class_bytes(unsigned class) {
    return (size_t)(class % 4 + 5) << (class / 4 + FIRST_BITS - 2);
}

static void *map(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? no_memory() : start;
}

/* The class has no free slot. The rest of a chunk that is too small for one is given up. */
static char *carve(struct class *class, size_t bytes) {
    if (class->fresh_bytes < bytes) {
        class->fresh = map(CHUNK_BYTES);
        class->fresh_bytes = class->fresh ? CHUNK_BYTES : 0;
        if (!class->fresh)
            return NULL;
    }
    char *slot = class->fresh;
    class->fresh += bytes;
    class->fresh_bytes -= bytes;
    return slot;
}

static char *take_slot(unsigned index, bool *is_zero) {
    struct class *class = &large.classes[index];
    size_t bytes = class_bytes(index);
    pthread_mutex_lock(&class->lock);
    char *slot = (char *)class->free;
    *is_zero = !slot;
    if (slot) {
        class->free = class->free->next;
        if (index >= MAPPED)
            class->kept_bytes -= bytes;
    } else if (index < MAPPED) {
        slot = carve(class, bytes);
    }
    pthread_mutex_unlock(&class->lock);
    return slot || index < MAPPED ? slot : map(bytes);
}

static void give_slot(unsigned index, char *slot) {
    struct class *class = &large.classes[index];
    size_t bytes = class_bytes(index);
    pthread_mutex_lock(&class->lock);
    bool stays = index < MAPPED || class->kept_bytes + bytes <= KEPT_BYTES;
    if (stays) {
        struct link *link = (struct link *)(void *)slot;
        link->next = class->free;
        class->free = link;
        if (index >= MAPPED)
            class->kept_bytes += bytes;
    }
    pthread_mutex_unlock(&class->lock);
    if (!stays)
        munmap(slot, bytes);
}

/* @param alignment a power of two, at least GRANULE  @param is_zero whether the block is */
static void *take(size_t alignment, size_t size, bool *is_zero) {
    size_t bytes;
    if (__builtin_add_overflow(size, alignment, &bytes) || bytes > PTRDIFF_MAX - PAGE_BYTES ||
        alignment / GRANULE > UINT32_MAX)
        return no_memory();
    unsigned class = DIRECT;
    char *slot;
    if (bytes <= 1u << LAST_BITS) {
        class = class_of(bytes);
        bytes = class_bytes(class);
        slot = take_slot(class, is_zero);
    } else {
        bytes = (bytes + PAGE_BYTES - 1) & -(size_t)PAGE_BYTES;
        slot = map(bytes);
        *is_zero = true;
    }
    if (!slot)
        return NULL;
    size_t before = GRANULE + (-((uintptr_t)slot + GRANULE) & (alignment - 1));
    void *block = slot + before;
    *header_of(block) = (struct header){class, (uint32_t)(before / GRANULE), bytes - before};
    return block;
}

static void *large_malloc(struct hm_heap *heap, size_t size) {
    (void)heap;
    bool is_zero;
    return take(GRANULE, size, &is_zero);
}

static void *large_calloc(struct hm_heap *heap, size_t count, size_t size) {
    (void)heap;
    size_t bytes;
    bool is_zero;
    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory();
    void *block = take(GRANULE, bytes, &is_zero);
    return !block || is_zero ? block : memset(block, 0, bytes);
}

static void *large_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    (void)heap;
    bool is_zero;
    if (!alignment || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return take(alignment > GRANULE ? alignment : GRANULE, size, &is_zero);
}

static void large_free(struct hm_heap *heap, void *block) {
    (void)heap;
    if (!block)
        return;
    unsigned class = header_of(block)->class;
    if (class == DIRECT)
        munmap(slot_of(block), slot_bytes(block));
    else
        give_slot(class, slot_of(block));
}

static size_t large_usable_size(struct hm_heap *heap, void *block) {
    (void)heap;
    return block ? header_of(block)->bytes : 0;
}

/* A direct block that stays one moves by its page tables. @return NULL when it can not */
static void *remap(void *block, size_t size) {
    size_t bytes;
    const struct header *header = header_of(block);
    if (header->class != DIRECT || header->before != 1 || size < 1u << LAST_BITS ||
        __builtin_add_overflow(size, GRANULE + PAGE_BYTES - 1, &bytes))
        return NULL;
    bytes &= -(size_t)PAGE_BYTES;
    char *slot = mremap(slot_of(block), slot_bytes(block), bytes, MREMAP_MAYMOVE);
    if (slot == MAP_FAILED)
        return NULL;
    void *moved = slot + GRANULE;
    header_of(moved)->bytes = bytes - GRANULE;
    return moved;
}

/* A block stays unless it shrinks to less than half. */
static void *large_realloc(struct hm_heap *heap, void *block, size_t size) {
    if (!block)
        return large_malloc(heap, size);
    size_t old = header_of(block)->bytes;
    if (size <= old && size >= old / 2)
        return block;
    void *moved = remap(block, size);
    if (moved)
        return moved;
    moved = large_malloc(heap, size);
    if (moved) {
        memcpy(moved, block, size < old ? size : old);
        large_free(heap, block);
    }
    return moved;
}

static void large_fork(struct hm_heap *heap, enum hm_fork_phase phase) {
    for (unsigned i = 0; i < CLASSES; i++) {
        if (phase == HM_FORK_PREPARE)
            pthread_mutex_lock(&heap->classes[i].lock);
        else if (phase == HM_FORK_PARENT)
            pthread_mutex_unlock(&heap->classes[i].lock);
        else
            pthread_mutex_init(&heap->classes[i].lock, NULL);
    }
}

static const struct hm_allocator descriptor = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "large",
    .summary = "size classes in free lists, and mmap above them",
    .caps = HM_CAP_THREADS,
    .fork = large_fork,
};

void hm_large_open(struct hm_memory *out) {
    *out = (struct hm_memory){
        .allocator = &descriptor,
        .heap = &large,
        .shape = HM_SHAPE_HEAP,
        .calls = {large_malloc, large_calloc, large_realloc, large_aligned_alloc, large_free,
                  large_usable_size},
    };
}

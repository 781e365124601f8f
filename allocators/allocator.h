/* The allocator's interface: a heap that hands out and takes back blocks of bytes.
 *
 * Vocabulary
 *   shape    how the hot functions are called. HM_SHAPE_LIBC: malloc(size), as the C library's, by a
 *            bare function pointer; HM_SHAPE_HEAP: malloc(heap, size), with a heap handle in front.
 *   memory   an open heap as its users see it: a shape, a handle and the six hot functions.
 *   layer    an allocator that wraps another one (its `inner` memory).
 *
 * Contract of the hot functions, for both shapes
 *   Sizes are bytes. Blocks are aligned to 16 bytes unless the descriptor says `alignment`. Out of
 *   memory is NULL with errno ENOMEM. free(NULL) does nothing. malloc(0) returns a unique block.
 *   realloc(NULL, n) is malloc(n); a failing realloc leaves the old block as it is. calloc checks
 *   its product. aligned_alloc takes a power of two, else NULL with EINVAL. A hot function never
 *   aborts, logs or reads a clock. */
#ifndef HM_ALLOCATORS_ALLOCATOR_H
#define HM_ALLOCATORS_ALLOCATOR_H

#include "allocators/part.h"

#include <stdbool.h>

#define HM_ALLOCATOR_ABI 3

#define HM_VERSION_BYTES 32

#define HM_SHAPE_LIBC    1
#define HM_SHAPE_HEAP    2

/** Capabilities, OR-ed in `hm_allocator.caps`. */
enum hm_allocator_cap {
    HM_CAP_THREADS = 1,      /* several threads may use one heap opened with options.threads > 1 */
    HM_CAP_BOUNDED = 2,      /* one arena of a fixed size: it can run out */
    HM_CAP_RESET = 4,        /* reset() gives all blocks back at once */
    HM_CAP_WALK = 8,         /* walk() lists every block in address order */
    HM_CAP_LAYER = 16,       /* wraps options.inner */
    HM_CAP_CONTROL = 32,     /* measures the harness, not an allocator: never ranked, no verdict */
    HM_CAP_LOCKS = 64,       /* a layer that lets one thread at a time into what lies beneath it */
    HM_CAP_NO_USABLE = 128,  /* can not tell usable_size: it is 0 for every block */
    HM_CAP_NO_ALIGNED = 256, /* aligned_alloc above `alignment` is NULL with EINVAL */
    HM_CAP_NO_REUSE = 512,   /* free gives nothing back until reset or close */
    HM_CAP_SHARED = 1024,    /* with backing=shared, forked processes use one heap */
    HM_CAP_WALK_ARENAS = 2048, /* walk() tells addresses, with gaps that are no block's */
};

struct hm_heap; /* completed by each allocator for itself */

struct hm_libc_calls {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void (*free)(void *block);
    size_t (*usable_size)(void *block);
};

struct hm_heap_calls {
    void *(*malloc)(struct hm_heap *heap, size_t size);
    void *(*calloc)(struct hm_heap *heap, size_t count, size_t size);
    void *(*realloc)(struct hm_heap *heap, void *block, size_t size);
    void *(*aligned_alloc)(struct hm_heap *heap, size_t alignment, size_t size);
    void (*free)(struct hm_heap *heap, void *block);
    size_t (*usable_size)(struct hm_heap *heap, void *block);
};

/** An open heap, ready to be called. Read-only while threads use it. */
struct hm_memory {
    const struct hm_allocator *allocator;
    struct hm_heap *heap; /* NULL is allowed for HM_SHAPE_LIBC */
    int shape;            /* HM_SHAPE_LIBC or HM_SHAPE_HEAP: which member is valid */
    union {
        struct hm_libc_calls libc;
        struct hm_heap_calls calls;
    };
};

struct hm_heap_options {
    const struct hm_value *params; /* one for each entry of the descriptor's table */
    unsigned threads;              /* how many threads will use the heap, at least 1 */
    const struct hm_memory *inner; /* the wrapped heap of a layer, else a libc-shaped system heap */
};

/** What an allocator knows about itself; a field that it does not know is HM_UNKNOWN. */
#define HM_UNKNOWN UINT64_MAX
struct hm_heap_stats {
    uint64_t footprint_bytes; /* held from the system for this heap, metadata included */
    uint64_t live_bytes;      /* handed out; as rounded by the allocator */
    uint64_t live_blocks;
    uint64_t arenas;
    uint64_t metadata_bytes; /* the part of the footprint that can never be handed out */
    uint64_t bad_frees;      /* frees that were refused: double, foreign, inside a block */
};

/** When hm_allocator.fork is called. */
enum hm_fork_phase {
    HM_FORK_PREPARE, /* before the fork: take the heap's locks */
    HM_FORK_PARENT,  /* after it, in the parent: give them back */
    HM_FORK_CHILD,   /* after it, in the child, whose only thread this is: make them anew */
};

/** One run of bytes, for heap maps: of a bounded arena, or of many arenas. */
struct hm_block {
    uint64_t offset; /* bytes from the arena's start; with HM_CAP_WALK_ARENAS the address */
    uint64_t bytes;
    bool used;
};
typedef void hm_walk_fn(void *arg, const struct hm_block *block);

/** A breach of this interface or of POSIX that a library of others is known for. `heapmark verify`
 *  shows it as `deviates`, where it would have failed; anything else still fails. The patterns are
 *  fnmatch's; `a|b` is one or the other. */
struct hm_deviation {
    const char *properties; /* of `heapmark verify` that come upon it */
    const char *fault;      /* what they say then, in full: as narrow as can be */
    const char *versions;   /* of the library, in which it was confirmed without heapmark */
    const char *what;       /* one line for people */
    const char *source;     /* where it comes from: a function, a document */
};

/** The descriptor. Everything but the calls inside `hm_memory` is untimed. */
struct hm_allocator {
    int abi; /* HM_ALLOCATOR_ABI; checked when a plug-in is loaded */
    const char *name;
    const char *summary;           /* one line */
    const char *origin;            /* paper, program or function that the algorithm is from */
    const struct hm_param *params; /* NULL when there are none */
    unsigned caps;                 /* OR of enum hm_allocator_cap */
    size_t alignment;              /* of every block; 0 means 16 */
    const char *library; /* a shared library put under the measured child by LD_PRELOAD, or NULL */
    const char *needs;   /* a shared library that open() loads by itself, or NULL */
    const char *package; /* the Debian package that has either of them */

    /** Open a heap on the main thread. @return 0 and *out filled, or a positive errno and *out
     *  untouched. `out->heap` is owned by the allocator until close. */
    int (*open)(struct hm_memory *out, const struct hm_heap_options *options);
    /** Give everything back, live blocks included. NULL: nothing to do. */
    void (*close)(struct hm_heap *heap);
    /** Per-thread set-up and tear-down, on that thread. NULL: none needed. */
    int (*enter)(struct hm_heap *heap);
    void (*leave)(struct hm_heap *heap);
    /** Fill *out. NULL: nothing is known. No other thread may be inside the heap. */
    void (*stats)(struct hm_heap *heap, struct hm_heap_stats *out);
    /** Visit used and free runs in address order. Needs HM_CAP_WALK or HM_CAP_WALK_ARENAS.
     *  No other thread may be inside the heap. */
    void (*walk)(struct hm_heap *heap, hm_walk_fn *visit, void *arg);
    /** Free all blocks at once. Needs HM_CAP_RESET. */
    void (*reset)(struct hm_heap *heap);
    /** Keep the heap whole across a fork of a process with threads. NULL: no need. Each part of a
     *  stack has its own call, from the top down; it must not allocate. */
    void (*fork)(struct hm_heap *heap, enum hm_fork_phase phase);
    /** Of a library of others; ends at fault == NULL. Not looked at in a plug-in. NULL: none. */
    const struct hm_deviation *deviations;
    /** The version of that library, in a process that has it open. At most HM_VERSION_BYTES. */
    void (*version)(char *out);
    /** What these values of the parameters, each of which is in its range, contradict each other in:
     *  one line without the part's name. NULL: nothing; as a member: there is nothing to check. */
    const char *(*conflict)(const struct hm_value *params);
    /** Whether these values of the parameters leave one thread only, in spite of HM_CAP_THREADS; open
     *  then refuses more than one with EINVAL. NULL: none do. */
    bool (*alone)(const struct hm_value *params);
};

/* The hot calls. A heap workload is compiled once for each shape, with HM_SHAPE set to it, so that
 * the test below is a constant; collectors are compiled once and pay one predicted branch. */
#ifdef HM_SHAPE
#define HM_IS_LIBC(memory) (HM_SHAPE == HM_SHAPE_LIBC)
#else
#define HM_IS_LIBC(memory) ((memory)->shape == HM_SHAPE_LIBC)
#endif

/** Inlined in every build: a layer that notes call sites must see the caller's. */
#define HM_HOT static inline __attribute__((always_inline))

HM_HOT void *hm_malloc(const struct hm_memory *m, size_t size) {
    return HM_IS_LIBC(m) ? m->libc.malloc(size) : m->calls.malloc(m->heap, size);
}

HM_HOT void *hm_calloc(const struct hm_memory *m, size_t count, size_t size) {
    return HM_IS_LIBC(m) ? m->libc.calloc(count, size) : m->calls.calloc(m->heap, count, size);
}

HM_HOT void *hm_realloc(const struct hm_memory *m, void *block, size_t size) {
    return HM_IS_LIBC(m) ? m->libc.realloc(block, size) : m->calls.realloc(m->heap, block, size);
}

HM_HOT void *hm_aligned_alloc(const struct hm_memory *m, size_t alignment, size_t size) {
    return HM_IS_LIBC(m) ? m->libc.aligned_alloc(alignment, size)
                         : m->calls.aligned_alloc(m->heap, alignment, size);
}

HM_HOT void hm_free(const struct hm_memory *m, void *block) {
    if (HM_IS_LIBC(m))
        m->libc.free(block);
    else
        m->calls.free(m->heap, block);
}

HM_HOT size_t hm_usable_size(const struct hm_memory *m, void *block) {
    return HM_IS_LIBC(m) ? m->libc.usable_size(block) : m->calls.usable_size(m->heap, block);
}

#endif

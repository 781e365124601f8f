/* How CPython's library is loaded and its interpreter started, and where it gets memory. */
#include "collectors/cpython_library.h"

#if HM_HAS_PYTHON

#include <dlfcn.h>
#include <sys/mman.h>

struct hm_python hm_python;

/* ---- Home ---- */

/* Blocks of powers of two, kept for reuse; the head tells which. Address space is reserved at once,
 * so that a free knows whose a block is; pages come as they are touched. */
struct block {
    union {
        struct block *next;
        unsigned log2;
    };
    uint64_t filler;
};

enum {
    HOME_BYTES = 1 << 30,
    SMALLEST = 5,
    LARGEST = 30,
};

static struct {
    char *begin, *next, *end;
    struct block *kept[LARGEST + 1];
} home;

static bool is_home(const void *p) {
    return (const char *)p >= home.begin && (const char *)p < home.end;
}

static void *home_malloc(size_t bytes) {
    unsigned log2 = SMALLEST;
    while (log2 < LARGEST && ((size_t)1 << log2) < bytes + sizeof(struct block))
        log2++;
    size_t whole = (size_t)1 << log2;
    struct block *block = home.kept[log2];
    if (block) {
        home.kept[log2] = block->next;
    } else {
        if (bytes > whole - sizeof *block || whole > (size_t)(home.end - home.next))
            return NULL;
        block = (struct block *)(void *)home.next;
        home.next += whole;
    }
    block->log2 = log2;
    return block + 1;
}

static void home_free(void *p) {
    struct block *block = (struct block *)p - 1;
    unsigned log2 = block->log2;
    block->next = home.kept[log2];
    home.kept[log2] = block;
}

static size_t home_size(const void *p) {
    return ((size_t)1 << ((const struct block *)p - 1)->log2) - sizeof(struct block);
}

void *hm_cpython_home(size_t bytes) {
    void *p = home_malloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

/* ---- The heap ---- */

static struct {
    struct hm_memory memory;
    bool expected; /* the next block is an object of a mutator's */
    bool at_work;  /* it is called: what comes here now comes from `pymalloc` below it */
} heap;

/* The allocator `pymalloc` is CPython's own, which comes here again: at once, or below layers. */
static void *own_malloc(size_t bytes) {
    return hm_python.own.malloc(hm_python.own.ctx, bytes);
}

static void own_free(void *p) {
    hm_python.own.free(hm_python.own.ctx, p);
}

void hm_cpython_set_heap(const struct hm_memory *memory) {
    heap.memory = memory ? *memory : (struct hm_memory){.shape = HM_SHAPE_LIBC};
    if (!memory || (heap.memory.shape == HM_SHAPE_LIBC &&
                    heap.memory.libc.malloc == hm_python.PyObject_Malloc)) {
        heap.memory.libc.malloc = own_malloc;
        heap.memory.libc.free = own_free;
    }
}

void hm_cpython_expect_object(bool expected) {
    heap.expected = expected;
}

static void *object_malloc(void *context, size_t bytes) {
    (void)context;
    if (heap.at_work)
        return own_malloc(bytes);
    if (!heap.expected)
        return home_malloc(bytes);
    heap.expected = false;
    heap.at_work = true;
    void *p = hm_malloc(&heap.memory, bytes);
    heap.at_work = false;
    return p;
}

static void object_free(void *context, void *p) {
    (void)context;
    if (is_home(p)) {
        home_free(p);
    } else if (heap.at_work) {
        own_free(p);
    } else if (p) {
        heap.at_work = true;
        hm_free(&heap.memory, p);
        heap.at_work = false;
    }
}

static void *home_calloc(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : hm_cpython_home(bytes);
}

static void *home_realloc(void *p, size_t bytes) {
    size_t before = p ? home_size(p) : 0;
    if (p && bytes <= before)
        return p;
    void *grown = home_malloc(bytes);
    if (grown && p) {
        memcpy(grown, p, before);
        home_free(p);
    }
    return grown;
}

/* A block stays where it is from; a new one is `pymalloc`'s while the heap is at work. */
static bool is_own(const void *p) {
    return p ? !is_home(p) : heap.at_work;
}

/* Objects of mutators are never resized: what is neither at home nor the heap's is `pymalloc`'s. */
static void *object_calloc(void *context, size_t count, size_t size) {
    (void)context;
    return is_own(NULL) ? hm_python.own.calloc(hm_python.own.ctx, count, size)
                        : home_calloc(count, size);
}

static void *object_realloc(void *context, void *p, size_t bytes) {
    (void)context;
    return is_own(p) ? hm_python.own.realloc(hm_python.own.ctx, p, bytes) : home_realloc(p, bytes);
}

/* `pymalloc` takes large blocks, and its own lists, from here. */
static void *raw_malloc(void *context, size_t bytes) {
    (void)context;
    return is_own(NULL) ? hm_python.raw.malloc(hm_python.raw.ctx, bytes) : home_malloc(bytes);
}

static void *raw_calloc(void *context, size_t count, size_t size) {
    (void)context;
    return is_own(NULL) ? hm_python.raw.calloc(hm_python.raw.ctx, count, size)
                        : home_calloc(count, size);
}

static void *raw_realloc(void *context, void *p, size_t bytes) {
    (void)context;
    return is_own(p) ? hm_python.raw.realloc(hm_python.raw.ctx, p, bytes) : home_realloc(p, bytes);
}

static void raw_free(void *context, void *p) {
    (void)context;
    if (is_home(p))
        home_free(p);
    else
        hm_python.raw.free(hm_python.raw.ctx, p);
}

static void set_allocators(void) {
    PyMemAllocatorEx raw = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free};
    PyMemAllocatorEx object = {NULL, object_malloc, object_calloc, object_realloc, object_free};
    hm_python.PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &hm_python.raw);
    hm_python.PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &hm_python.own);
    hm_cpython_set_heap(NULL);
    hm_python.PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
    hm_python.PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &raw);
    hm_python.PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &object);
}

/* ---- Starting ---- */

static int load(void) {
    void *library = dlopen(HM_PYTHON_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ENOENT;
        /* dlsym gives an object pointer; POSIX has it hold a function's address. */
#define FIND(name)                                                                                 \
    *(void **)(void *)&hm_python.name = dlsym(library, #name);                                     \
    if (!hm_python.name)                                                                           \
        return ENOENT;
    HM_PYTHON_FUNCTIONS(FIND)
#undef FIND
    hm_python.weakref = dlsym(library, "_PyWeakref_RefType");
    hm_python.none = dlsym(library, "_Py_NoneStruct");
    return hm_python.weakref && hm_python.none ? 0 : ENOENT;
}

static int map_home(void) {
    char *p = mmap(NULL, HOME_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return ENOMEM;
    home.begin = home.next = p;
    home.end = p + HOME_BYTES;
    return 0;
}

/* The core is enough: it has the module gc, needs no file, and makes few objects. */
static int start_interpreter(void) {
    PyPreConfig pre;
    PyConfig config;
    hm_python.PyPreConfig_InitIsolatedConfig(&pre);
    if (hm_python.PyStatus_Exception(hm_python.Py_PreInitialize(&pre)))
        return ENOTSUP;
    hm_python.PyConfig_InitIsolatedConfig(&config);
    config._init_main = 0;
    config.site_import = 0;
    config.install_signal_handlers = 0;
    config.use_hash_seed = 1;
    if (hm_python.PyStatus_Exception(hm_python.Py_InitializeFromConfig(&config)))
        return ENOTSUP;
    hm_python.thread = hm_python.PyThreadState_Get();
    return 0;
}

static int find_gc(void) {
    hm_python.gc = hm_python.PyImport_ImportModule("gc");
    if (!hm_python.gc)
        return ENOTSUP;
    hm_python.collect = hm_python.PyObject_GetAttrString(hm_python.gc, "collect");
    hm_python.get_objects = hm_python.PyObject_GetAttrString(hm_python.gc, "get_objects");
    return hm_python.collect && hm_python.get_objects ? 0 : ENOTSUP;
}

int hm_cpython_start(void) {
    static bool started;
    static int bad;
    if (started)
        return bad;
    started = true;
    bad = load();
    if (!bad)
        bad = map_home();
    if (bad)
        return bad;
    set_allocators();
    bad = start_interpreter();
    if (!bad)
        bad = find_gc();
    return bad ? bad : (bad = hm_cpython_objects_start());
}

#endif

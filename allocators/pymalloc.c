/* CPython's own small-object allocator, out of its own library: what `pool` is measured against.
 *
 * PyObject_Malloc and its family have libc's shape and are called as they are. They work before the
 * interpreter is initialised, on the built-in default allocator; like it they are for one thread at a
 * time, which in CPython the global interpreter lock sees to, and here `locked+pymalloc`.
 *
 * Limits: a block does not tell its size, alignments above 16 are refused, and errno is not set for a
 * size that can never be had. The arenas belong to the process: they outlive the heap. */
#include "allocators/allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct hm_allocator hm_pymalloc;

static void *(*py_malloc)(size_t size);
static const char *(*py_version)(void); /* "3.11.2 (main, ..." */

static void *get_aligned(size_t alignment, size_t size) {
    if (alignment && alignment <= 16 && !(alignment & (alignment - 1)))
        return py_malloc(size);
    errno = EINVAL;
    return NULL;
}

static size_t usable_size(void *block) {
    (void)block;
    return 0;
}

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    void *library = dlopen(hm_pymalloc.needs, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ENOENT;
    /* dlsym gives an object pointer; POSIX has it hold a function's address. */
    struct hm_libc_calls calls = {.aligned_alloc = get_aligned, .usable_size = usable_size};
    *(void **)(void *)&calls.malloc = dlsym(library, "PyObject_Malloc");
    *(void **)(void *)&calls.calloc = dlsym(library, "PyObject_Calloc");
    *(void **)(void *)&calls.realloc = dlsym(library, "PyObject_Realloc");
    *(void **)(void *)&calls.free = dlsym(library, "PyObject_Free");
    *(void **)(void *)&py_version = dlsym(library, "Py_GetVersion");
    if (!calls.malloc || !calls.calloc || !calls.realloc || !calls.free)
        return ENOENT;
    py_malloc = calls.malloc;
    *out = (struct hm_memory){.allocator = &hm_pymalloc, .shape = HM_SHAPE_LIBC, .libc = calls};
    return 0;
}

static void version(char *out) {
    const char *text = py_version ? py_version() : "";
    snprintf(out, HM_VERSION_BYTES, "%.*s", (int)strcspn(text, " "), text);
}

static const struct hm_deviation deviations[] = {
    {.properties = "enomem",
     .fault = "* gave NULL with errno 0 and not ENOMEM",
     .versions = "3.11.*",
     .what = "a size above PY_SSIZE_T_MAX leaves errno as it was",
     .source = "Objects/obmalloc.c: PyObject_Malloc, _Calloc and _Realloc return before the "
               "allocator; the caller raises MemoryError"},
    {.fault = NULL},
};

static const struct hm_allocator hm_pymalloc = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "pymalloc",
    .summary = "CPython 3.11's own PyObject_Malloc: arenas of pools of one size class",
    .origin = "Vladimir Marangozov and Tim Peters: CPython, Objects/obmalloc.c",
    .caps = HM_CAP_NO_USABLE | HM_CAP_NO_ALIGNED,
    .needs = "libpython3.11.so.1.0",
    .package = "libpython3.11",
    .open = open_heap,
    .deviations = deviations,
    .version = version,
};
HM_REGISTER(hm_allocator, hm_pymalloc);

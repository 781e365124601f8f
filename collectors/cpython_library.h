/* What the files of `cpython` share: CPython's headers, its functions by address, and the kinds.
 *
 * libpython is loaded when the collector is opened, so that no other cell pays for it: each
 * function is called through `hm_python`. Of CPython's headers only types and constants are used.
 *
 * Words
 *   home   where the interpreter keeps what is its own: its modules, types, and what a call of its
 *          functions makes in passing. Memory of this process, for its whole life.
 *   heap   what the collector was given: each object that a mutator makes lies there, and nothing
 *          else.
 *
 * One process starts one interpreter, and never ends it: CPython leaves too much behind to start
 * anew on another heap. */
#ifndef HM_COLLECTORS_CPYTHON_LIBRARY_H
#define HM_COLLECTORS_CPYTHON_LIBRARY_H

#define HM_COLLECTOR_HEADER "collectors/cpython.h"
#include "collectors/collector.h"

#define HM_PYTHON_LIBRARY "libpython3.11.so.1.0"

#if __has_include(<python3.11/Python.h>)
#define HM_HAS_PYTHON 1
#define PY_SSIZE_T_CLEAN
#include <python3.11/Python.h>

/* Every function of CPython that is called. */
#define HM_PYTHON_FUNCTIONS(X)                                                                     \
    X(PyPreConfig_InitIsolatedConfig)                                                              \
    X(Py_PreInitialize)                                                                            \
    X(PyConfig_InitIsolatedConfig)                                                                 \
    X(Py_InitializeFromConfig)                                                                     \
    X(PyStatus_Exception)                                                                          \
    X(PyMem_GetAllocator)                                                                          \
    X(PyMem_SetAllocator)                                                                          \
    X(PyObject_Malloc)                                                                             \
    X(PyThreadState_Get)                                                                           \
    X(PyImport_ImportModule)                                                                       \
    X(PyObject_GetAttrString)                                                                      \
    X(PyObject_CallNoArgs)                                                                         \
    X(PyObject_CallOneArg)                                                                         \
    X(PyObject_CallFunction)                                                                       \
    X(PyCMethod_New)                                                                               \
    X(PyTuple_New)                                                                                 \
    X(PyTuple_GetItem)                                                                             \
    X(PyDict_GetItemString)                                                                        \
    X(PyList_Append)                                                                               \
    X(PyList_GetItem)                                                                              \
    X(PyList_SetSlice)                                                                             \
    X(PyList_Size)                                                                                 \
    X(PyLong_AsLongLong)                                                                           \
    X(PyLong_FromLong)                                                                             \
    X(PyObject_IsTrue)                                                                             \
    X(PyUnicode_CompareWithASCIIString)                                                            \
    X(PyErr_Clear)                                                                                 \
    X(PyType_Ready)                                                                                \
    X(_PyObject_New)                                                                               \
    X(_PyObject_NewVar)                                                                            \
    X(_PyObject_GC_New)                                                                            \
    X(_PyObject_GC_NewVar)                                                                         \
    X(PyType_GenericAlloc)                                                                         \
    X(PyObject_Free)                                                                               \
    X(PyObject_GC_Del)                                                                             \
    X(PyObject_GC_Track)                                                                           \
    X(PyObject_GC_UnTrack)                                                                         \
    X(PyObject_GC_IsTracked)                                                                       \
    X(PyObject_GC_IsFinalized)                                                                     \
    X(PyObject_CallFinalizerFromDealloc)                                                           \
    X(PyObject_ClearWeakRefs)                                                                      \
    X(_PyTrash_begin)                                                                              \
    X(_PyTrash_end)

struct hm_python {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member has none */
#define HM_PYTHON_MEMBER(name) __typeof__(&name) name;
    HM_PYTHON_FUNCTIONS(HM_PYTHON_MEMBER)
#undef HM_PYTHON_MEMBER
    PyTypeObject *weakref; /* the type of weak references */
    PyObject *none;
    PyThreadState *thread;
    PyObject *gc; /* the module */
    PyObject *collect, *get_objects;
    PyMemAllocatorEx own; /* PyObject_Malloc and its family, as they were */
    PyMemAllocatorEx raw; /* what they take from the system, as it was */
};
extern struct hm_python hm_python;

struct hm_cpython_kind {
    struct hm_cpython_kind *next;
    struct hm_cpython_traits traits;
    PyTypeObject py;
};

/* An object that is remembered, in memory of the heap. */
struct hm_cpython_note {
    struct hm_cpython_note *older;
    struct hm_object *object;
};

/** Load the library and start the interpreter, unless that is done. @return 0 or a positive
 *  errno */
int hm_cpython_start(void);
/** The heap of the objects that are made from now on. NULL: none; home only, and what is freed
 *  elsewhere goes back to CPython's own allocator. */
void hm_cpython_set_heap(const struct hm_memory *memory);
/** The next allocation of CPython's is an object of a mutator's, or is not any more. */
void hm_cpython_expect_object(bool expected);
/** Memory of the interpreter's own, zeroed. NULL: none is left. */
void *hm_cpython_home(size_t bytes);

/** Before the first object, with a running interpreter. @return 0 or ENOMEM */
int hm_cpython_objects_start(void);
/** Have enough Python types ready for the kinds to come. @return false: out of memory */
bool hm_cpython_stock_kinds(void);
/** Whose mutator it is that makes objects from now on. */
void hm_cpython_set_mutator(struct hm_mutator *m);
/** Whether an object is one of a mutator's. */
bool hm_cpython_is_ours(const PyObject *object);
/** A new empty container that no mutator knows, not tracked. NULL: no memory. */
PyObject *hm_cpython_ballast(void);

static inline void hm_python_release(PyObject *object) {
    if (object && --object->ob_refcnt == 0)
        Py_TYPE(object)->tp_dealloc(object);
}

static inline struct hm_cpython_kind *hm_cpython_kind(const PyObject *object) {
    return (struct hm_cpython_kind *)(void *)((char *)object->ob_type -
                                              offsetof(struct hm_cpython_kind, py));
}

#else
#define HM_HAS_PYTHON 0
#endif

#endif

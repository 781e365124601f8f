/* The objects of `cpython`: a Python type for each hm_type, and how its objects are made, visited,
 * and die. All of it as a module written in C would, in the order of CPython's subtype_dealloc. */
#include "collectors/cpython_library.h"

#if HM_HAS_PYTHON

#include <assert.h>

_Static_assert(offsetof(struct hm_cpython_object, count) ==
                   offsetof(PyVarObject, ob_base.ob_refcnt),
               "the head of an object");
_Static_assert(offsetof(struct hm_cpython_object, type) == offsetof(PyVarObject, ob_base.ob_type),
               "the head of an object");
_Static_assert(offsetof(struct hm_cpython_object, size) == offsetof(PyVarObject, ob_size),
               "the head of an object");
_Static_assert(offsetof(struct hm_cpython_kind, traits) + sizeof(struct hm_cpython_traits) ==
                   offsetof(struct hm_cpython_kind, py),
               "the traits stand just in front of the type");

enum {
    BUCKETS = 256,
    SPARE = 32,
};

static struct hm_cpython_kind *kinds[BUCKETS];
static struct hm_cpython_kind *spare[2]; /* containers, leaves */
static unsigned spare_count[2];
static struct hm_cpython_kind weak_kind;
static struct hm_mutator *mutator;

/* A weak reference: CPython's, and what its callback is to call. */
struct weak {
    PyWeakReference base;
    PyObject *slot;
    hm_weak_fn *callback;
};

static const struct hm_type weak_type = {.name = "weak reference", .slots = 1, .weak = true};
static const struct hm_type ballast_type = {.name = "ballast", .slots = 1};
static PyObject *weak_handler;
static PyObject
    *weak_args; /* of the call that makes one; not tracked, holds nothing between calls */

void hm_cpython_set_mutator(struct hm_mutator *m) {
    mutator = m;
}

static struct hm_object *as_object(PyObject *object) {
    return (struct hm_object *)object;
}

static PyObject *as_python(struct hm_object *object) {
    return (PyObject *)object;
}

static size_t bytes_of(const PyObject *object) {
    const struct hm_cpython_kind *kind = hm_cpython_kind(object);
    size_t items = kind->traits.variable ? (size_t)Py_SIZE(object) * sizeof(PyObject *) : 0;
    return (size_t)kind->py.tp_basicsize + items;
}

static void count_new(struct hm_mutator *m, const PyObject *object) {
    const struct hm_cpython_kind *kind = hm_cpython_kind(object);
    m->allocated_objects++;
    m->allocated_bytes += bytes_of(object) + (kind->traits.leaf ? 0 : 2 * sizeof(void *));
}

static void count_dead(const PyObject *object) {
    const struct hm_cpython_kind *kind = hm_cpython_kind(object);
    mutator->freed_objects++;
    mutator->freed_bytes += bytes_of(object) + (kind->traits.leaf ? 0 : 2 * sizeof(void *));
}

/* ---- Visiting ---- */

static int traverse_slots(PyObject *self, visitproc visit, void *arg) {
    struct hm_object **slots = hm_cpython_slots(as_object(self));
    uint32_t length = hm_length(as_object(self));
    for (uint32_t i = 0; i < length; i++)
        Py_VISIT(as_python(slots[i]));
    return 0;
}

static int clear_slots(PyObject *self) {
    struct hm_object **slots = hm_cpython_slots(as_object(self));
    uint32_t length = hm_length(as_object(self));
    for (uint32_t i = 0; i < length; i++) {
        PyObject *value = as_python(slots[i]);
        slots[i] = NULL;
        hm_python_release(value);
    }
    return 0;
}

struct visiting {
    visitproc visit;
    void *arg;
};

static int visit_one(struct hm_object *object, void *arg) {
    const struct visiting *v = arg;
    return v->visit(as_python(object), v->arg);
}

static int traverse_own(PyObject *self, visitproc visit, void *arg) {
    struct visiting v = {visit, arg};
    return hm_cpython_kind(self)->traits.type->traverse(as_object(self), visit_one, &v);
}

static int clear_own(PyObject *self) {
    hm_cpython_kind(self)->traits.type->clear(mutator, as_object(self));
    return 0;
}

/* ---- Dying ---- */

/* Of a leaf with a finalizer, which CPython would run at each death: whether it has run. It stands
 * in the word in front of the slots, which each weakable leaf has, so that it can be given a
 * finalizer. */
static bool *leaf_finalized(PyObject *self) {
    return (bool *)(void *)((PyObject **)(void *)hm_cpython_slots(as_object(self)) - 1);
}

static void finalize(PyObject *self) {
    const struct hm_cpython_traits *traits = &hm_cpython_kind(self)->traits;
    if (mutator->closing || (traits->leaf && *leaf_finalized(self)))
        return;
    if (traits->leaf)
        *leaf_finalized(self) = true;
    traits->type->finalize(mutator, as_object(self));
}

/* As slot_tp_del of Python 2: it lives again while its finalizer runs. */
static void finalize_legacy(PyObject *self) {
    self->ob_refcnt = 1;
    if (!mutator->closing)
        hm_cpython_kind(self)->traits.type->finalize(mutator, as_object(self));
    self->ob_refcnt--;
}

static void clear_weak(PyObject *self) {
    if (Py_TYPE(self)->tp_weaklistoffset)
        hm_python.PyObject_ClearWeakRefs(self);
}

/* @return whether it is dead; tracked again if it is not */
static bool last_words(PyObject *self) {
    const PyTypeObject *type = Py_TYPE(self);
    if (type->tp_finalize) {
        hm_python.PyObject_GC_Track(self);
        if (hm_python.PyObject_CallFinalizerFromDealloc(self) < 0)
            return false;
        hm_python.PyObject_GC_UnTrack(self);
    }
    clear_weak(self);
    if (type->tp_del) {
        hm_python.PyObject_GC_Track(self);
        type->tp_del(self);
        if (self->ob_refcnt > 0)
            return false;
        hm_python.PyObject_GC_UnTrack(self);
    }
    return true;
}

static void dealloc_container(PyObject *self) {
    PyThreadState *thread = hm_python.thread;
    hm_python.PyObject_GC_UnTrack(self);
    if (hm_python._PyTrash_begin(thread, self))
        return;
    if (last_words(self)) {
        clear_slots(self);
        count_dead(self);
        hm_python.PyObject_GC_Del(self);
    }
    hm_python._PyTrash_end(thread);
}

static void dealloc_leaf(PyObject *self) {
    const PyTypeObject *type = Py_TYPE(self);
    if (type->tp_finalize && hm_python.PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    clear_weak(self);
    if (type->tp_del) {
        type->tp_del(self);
        if (self->ob_refcnt > 0)
            return;
    }
    count_dead(self);
    hm_python.PyObject_Free(self);
}

void hm_cpython_dealloc(struct hm_object *object) {
    as_python(object)->ob_type->tp_dealloc(as_python(object));
}

/* ---- Weak references ---- */

static int traverse_weak(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((struct weak *)self)->slot);
    return hm_python.weakref->tp_traverse(self, visit, arg);
}

static int clear_weak_slot(PyObject *self) {
    clear_slots(self);
    return hm_python.weakref->tp_clear(self);
}

static void dealloc_weak(PyObject *self) {
    PyThreadState *thread = hm_python.thread;
    hm_python.PyObject_GC_UnTrack(self);
    if (hm_python._PyTrash_begin(thread, self))
        return;
    clear_slots(self);
    count_dead(self);
    hm_python.weakref->tp_dealloc(self);
    hm_python._PyTrash_end(thread);
}

/* Called with a reference whose target has died. */
static PyObject *on_weak(PyObject *self, PyObject *reference) {
    (void)self;
    hm_weak_fn *callback = ((struct weak *)reference)->callback;
    if (callback && !mutator->closing)
        callback(mutator, as_object(reference));
    hm_python.none->ob_refcnt++;
    return hm_python.none;
}

/* ---- Kinds ---- */

static PyObject *allocate_weak(PyTypeObject *type, Py_ssize_t length) {
    hm_cpython_expect_object(true);
    PyObject *object = hm_python.PyType_GenericAlloc(type, length);
    hm_cpython_expect_object(false);
    if (object)
        count_new(mutator, object);
    return object;
}

static struct hm_cpython_traits traits_of(const struct hm_type *type) {
    struct hm_cpython_traits traits = {
        .type = type, .slots = type->slots, .variable = type->variable, .leaf = hm_is_leaf(type)};
    bool remembers = traits.leaf && (type->finalize || type->weakable) && !type->legacy_finalizer;
    size_t head = type->variable ? sizeof(PyVarObject) : sizeof(PyObject);
    head += ((size_t)type->weakable + remembers) * sizeof(PyObject *);
    traits.slots_at = type->weak ? offsetof(struct weak, slot) : (uint32_t)head;
    return traits;
}

static void describe(struct hm_cpython_kind *kind) {
    const struct hm_type *type = kind->traits.type;
    PyTypeObject *py = &kind->py;
    size_t head = type->variable ? sizeof(PyVarObject) : sizeof(PyObject);
    size_t slots = type->variable ? 0 : type->slots * sizeof(PyObject *);
    py->ob_base.ob_base.ob_refcnt = 1;
    py->tp_name = type->name;
    py->tp_basicsize = (Py_ssize_t)(kind->traits.slots_at + slots + type->payload_bytes);
    py->tp_itemsize = type->variable ? sizeof(PyObject *) : 0;
    py->tp_weaklistoffset = type->weakable ? (Py_ssize_t)head : 0;
    py->tp_flags = Py_TPFLAGS_DEFAULT | (kind->traits.leaf ? 0 : Py_TPFLAGS_HAVE_GC);
    py->tp_dealloc = kind->traits.leaf ? dealloc_leaf : dealloc_container;
    if (!kind->traits.leaf) {
        py->tp_traverse = type->traverse ? traverse_own : traverse_slots;
        py->tp_clear = type->clear ? clear_own : clear_slots;
    }
    if (type->finalize && type->legacy_finalizer)
        py->tp_del = finalize_legacy;
    else if (type->finalize)
        py->tp_finalize = finalize;
}

/* A Python type of no particular kind yet. */
static struct hm_cpython_kind *make_spare(bool leaf) {
    struct hm_cpython_kind *kind = hm_cpython_home(sizeof *kind);
    if (!kind)
        return NULL;
    kind->traits = (struct hm_cpython_traits){.type = &ballast_type, .leaf = leaf};
    describe(kind);
    if (hm_python.PyType_Ready(&kind->py) == 0)
        return kind;
    hm_python.PyErr_Clear();
    return NULL;
}

/* PyType_Ready makes containers, which the collector counts: it is done beforehand, and what is
 * particular is put in when a type is met. */
bool hm_cpython_stock_kinds(void) {
    for (int leaf = 0; leaf < 2; leaf++)
        while (spare_count[leaf] < SPARE) {
            struct hm_cpython_kind *kind = make_spare(leaf);
            if (!kind)
                return false;
            kind->next = spare[leaf];
            spare[leaf] = kind;
            spare_count[leaf]++;
        }
    return true;
}

static struct hm_cpython_kind *make_kind(const struct hm_type *type) {
    bool leaf = hm_is_leaf(type);
    struct hm_cpython_kind *kind = spare[leaf];
    if (!kind && !(kind = make_spare(leaf)))
        return NULL;
    if (kind == spare[leaf]) {
        spare[leaf] = kind->next;
        spare_count[leaf]--;
    }
    kind->traits = traits_of(type);
    describe(kind);
    return kind;
}

/* Has a base, and is made at the start. */
static bool make_weak_kind(void) {
    struct hm_cpython_kind *kind = &weak_kind;
    kind->traits = traits_of(&weak_type);
    describe(kind);
    kind->py.tp_basicsize = sizeof(struct weak);
    kind->py.tp_base = hm_python.weakref;
    kind->py.tp_alloc = allocate_weak;
    kind->py.tp_dealloc = dealloc_weak;
    kind->py.tp_traverse = traverse_weak;
    kind->py.tp_clear = clear_weak_slot;
    return hm_python.PyType_Ready(&kind->py) == 0;
}

static struct hm_cpython_kind *find_kind(const struct hm_type *type) {
    struct hm_cpython_kind **bucket = &kinds[(uintptr_t)type / sizeof(void *) % BUCKETS];
    struct hm_cpython_kind *kind = *bucket;
    while (kind && kind->traits.type != type)
        kind = kind->next;
    if (kind || !(kind = make_kind(type)))
        return kind;
    kind->next = *bucket;
    return *bucket = kind;
}

void hm_cpython_set_type(struct hm_object *object, const struct hm_type *type) {
    struct hm_cpython_kind *kind = find_kind(type);
    assert(kind && kind->py.tp_basicsize == as_python(object)->ob_type->tp_basicsize);
    as_python(object)->ob_type = &kind->py;
}

struct hm_cpython_kind *hm_cpython_find_kind(struct hm_mutator *m, const struct hm_type *type) {
    struct hm_cpython_kind *kind = find_kind(type);
    size_t at = (uintptr_t)type / sizeof(void *) % HM_CPYTHON_CACHED;
    if (kind) {
        m->cache[at].type = type;
        m->cache[at].kind = kind;
    }
    return kind;
}

bool hm_cpython_is_ours(const PyObject *object) {
    return Py_TYPE(object)->tp_dealloc == dealloc_container ||
           Py_TYPE(object)->tp_dealloc == dealloc_weak;
}

PyObject *hm_cpython_ballast(void) {
    struct hm_cpython_kind *kind = find_kind(&ballast_type);
    PyObject *object = kind ? hm_python._PyObject_GC_New(&kind->py) : NULL;
    if (!object)
        hm_python.PyErr_Clear();
    return object;
}

int hm_cpython_objects_start(void) {
    static PyMethodDef method = {"on_weak", on_weak, METH_O, NULL};
    weak_handler = hm_python.PyCMethod_New(&method, NULL, NULL, NULL);
    weak_args = hm_python.PyTuple_New(2);
    if (!weak_handler || !weak_args || !make_weak_kind() || !hm_cpython_stock_kinds())
        return ENOMEM;
    hm_python.PyObject_GC_UnTrack(weak_args);
    return 0;
}

/* ---- New objects ---- */

/* The next block that CPython asks for is this object's. A collection that its allocation sets off
 * runs before it is tracked. */
static PyObject *allocate(struct hm_cpython_kind *kind, uint32_t length) {
    PyObject *object;
    hm_cpython_expect_object(true);
    if (kind->traits.leaf)
        object = hm_python._PyObject_New(&kind->py);
    else if (kind->traits.variable)
        object = (PyObject *)hm_python._PyObject_GC_NewVar(&kind->py, length);
    else
        object = hm_python._PyObject_GC_New(&kind->py);
    hm_cpython_expect_object(false);
    if (!object)
        hm_python.PyErr_Clear();
    return object;
}

struct hm_object *hm_cpython_new(struct hm_mutator *m, struct hm_cpython_kind *kind,
                                 uint32_t length) {
    PyObject *object = allocate(kind, length);
    if (!object && m->automatic) {
        hm_cpython_collect(m, 2);
        object = allocate(kind, length);
    }
    if (!object) {
        errno = ENOMEM;
        return NULL;
    }
    size_t head = kind->traits.variable ? sizeof(PyVarObject) : sizeof(PyObject);
    memset((char *)object + head, 0, bytes_of(object) - head);
    count_new(m, object);
    if (!kind->traits.leaf)
        hm_python.PyObject_GC_Track(object);
    return as_object(object);
}

/* As a call of the type would, but for the tuple of arguments, which would be a container more.
 * While one is made, a finalizer may make another. */
static PyObject *call_weakref(struct hm_object *target, hm_weak_fn *callback) {
    PyTypeObject *type = &weak_kind.py;
    PyObject *args = weak_args;
    weak_args = NULL;
    if (!args && !(args = hm_python.PyTuple_New(2)))
        return NULL;
    hm_python.PyObject_GC_UnTrack(args);
    PyObject **items = ((PyTupleObject *)args)->ob_item;
    items[0] = as_python(target);
    items[1] = callback ? weak_handler : hm_python.none;
    PyObject *object = type->tp_new(type, args, NULL);
    items[0] = items[1] = NULL;
    if (weak_args)
        hm_python_release(args);
    else
        weak_args = args;
    if (object)
        ((struct weak *)object)->callback = callback;
    else
        hm_python.PyErr_Clear();
    return object;
}

struct hm_object *hm_cpython_weak_new(struct hm_mutator *m, struct hm_object *target,
                                      hm_weak_fn *callback) {
    assert(hm_cpython_traits_of(target)->type->weakable);
    PyObject *object = call_weakref(target, callback);
    if (!object && m->automatic) {
        hm_cpython_collect(m, 2);
        object = call_weakref(target, callback);
    }
    if (!object)
        errno = ENOMEM;
    return as_object(object);
}

struct hm_object *hm_cpython_weak_get(struct hm_object *reference) {
    PyObject *target = ((PyWeakReference *)(void *)reference)->wr_object;
    return target == hm_python.none || target->ob_refcnt <= 0 ? NULL : as_object(target);
}

#endif

/* CPython 3.11 itself: its reference counting and its cycle collector, out of its own library.
 *
 * What `generational` is measured against, and compared with. An interpreter is started once in the
 * process, with nothing imported, and what it has made by then is frozen, so that a collection
 * looks at the mutator's objects only. Collections are watched through gc.callbacks, as a program
 * would.
 *
 * One at a time in a process: CPython 3.11 has one collector for each interpreter, and one heap for
 * all of them. */
#include "collectors/cpython_library.h"

enum {
    PARAM_THRESHOLD,
    PARAM_AUTO = PARAM_THRESHOLD + 3,
    OLDEST = 2,
};

static const struct hm_param params[] = {
    {.name = "threshold0",
     .unit = "objects",
     .help = "containers, less those that died, above which generation 0 is collected; 0: never",
     .kind = HM_PARAM_COUNT,
     .initial = 700,
     .max = INT32_MAX},
    {.name = "threshold1",
     .unit = "collections",
     .help = "collections of generation 0 above which generation 1 is collected",
     .kind = HM_PARAM_COUNT,
     .initial = 10,
     .max = INT32_MAX},
    {.name = "threshold2",
     .unit = "collections",
     .help = "collections of generation 1 above which all is collected, if enough is new",
     .kind = HM_PARAM_COUNT,
     .initial = 10,
     .max = INT32_MAX},
    {.name = "auto",
     .unit = "",
     .help = "whether an allocation may collect; off: only when told, even out of memory",
     .kind = HM_PARAM_CHOICE,
     .initial = 0,
     .choices = "on|off"},
    {.name = NULL},
};

#if HM_HAS_PYTHON

#include "collectors/isolated.h"

#include <dlfcn.h>
#include <stdio.h>

/* The one collector that is open, or NULL. */
static struct hm_gc *current;

/* ---- Calls of the module gc ---- */

static PyObject *call(const char *name) {
    PyObject *function = hm_python.PyObject_GetAttrString(hm_python.gc, name);
    PyObject *result = function ? hm_python.PyObject_CallNoArgs(function) : NULL;
    hm_python_release(function);
    if (!result)
        hm_python.PyErr_Clear();
    return result;
}

static void order(const char *name) {
    hm_python_release(call(name));
}

static int64_t number_of(PyObject *number) {
    return number ? hm_python.PyLong_AsLongLong(number) : 0;
}

static int64_t ask_number(const char *name) {
    PyObject *number = call(name);
    int64_t value = number_of(number);
    hm_python_release(number);
    return value;
}

/* The tuple of the answer must not set off a collection. */
static void ask_three(const char *name, int64_t out[3]) {
    bool automatic = current && current->mutator.automatic;
    if (automatic)
        order("disable");
    PyObject *tuple = call(name);
    for (int i = 0; i < 3; i++)
        out[i] = tuple ? number_of(hm_python.PyTuple_GetItem(tuple, i)) : 0;
    hm_python_release(tuple);
    if (automatic)
        order("enable");
}

static PyObject *objects_of(int generation) {
    PyObject *which = generation < 0 ? NULL : hm_python.PyLong_FromLong(generation);
    PyObject *list = which ? hm_python.PyObject_CallOneArg(hm_python.get_objects, which)
                           : hm_python.PyObject_CallNoArgs(hm_python.get_objects);
    hm_python_release(which);
    if (!list)
        hm_python.PyErr_Clear();
    return list;
}

static PyObject *garbage_list(void) {
    PyObject *list = hm_python.PyObject_GetAttrString(hm_python.gc, "garbage");
    hm_python_release(list); /* the module holds it */
    return list;
}

/* ---- Collections ---- */

static uint64_t entry_of(PyObject *info, const char *key) {
    return (uint64_t)number_of(hm_python.PyDict_GetItemString(info, key));
}

/* A full collection empties CPython's free lists. So the dict that it tells of its end, and the
 * tuples of three numbers that its answers are, would count as allocations. They are made here, to
 * be on the free lists from now on, and containers that the collection had counted go in their
 * place: neither watching nor asking changes a count. */
static void balance(bool stop, int generation) {
    static PyObject *ballast[2];
    if (generation != OLDEST)
        return;
    if (stop)
        hm_python_release(hm_python.PyTuple_New(3));
    for (int i = 0; i < 2; i++)
        if (!stop)
            ballast[i] = hm_cpython_ballast();
        else if (ballast[i])
            hm_python.PyObject_GC_Del(ballast[i]);
}

static void tell(bool stop, int generation, uint64_t collected, uint64_t uncollectable) {
    struct hm_mutator *m = &current->mutator;
    const struct hm_gc_events *events = m->events;
    if (!stop && m->callback)
        m->callback(m->callback_arg, false, generation, 0, 0);
    if (stop)
        events->pause_end(events->arg, generation, HM_UNKNOWN, collected);
    else
        events->pause_begin(events->arg, generation);
    if (stop) {
        m->stats[generation].collections++;
        m->stats[generation].collected += collected;
        m->stats[generation].uncollectable += uncollectable;
    }
    if (stop && m->callback)
        m->callback(m->callback_arg, true, generation, collected, uncollectable);
}

/* gc.callbacks: phase, info; not in a tuple, which would be one more container. */
static PyObject *on_collection(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    (void)count;
    PyObject *phase = args[0];
    PyObject *info = args[1];
    bool stop = hm_python.PyUnicode_CompareWithASCIIString(phase, "stop") == 0;
    int generation = (int)entry_of(info, "generation");
    balance(stop, generation);
    if (current)
        tell(stop, generation, entry_of(info, "collected"), entry_of(info, "uncollectable"));
    hm_python.none->ob_refcnt++;
    return hm_python.none;
}

static int watch(void) {
    static PyMethodDef method = {"on_collection", (PyCFunction)(void (*)(void))on_collection,
                                 METH_FASTCALL, NULL};
    PyObject *callbacks = hm_python.PyObject_GetAttrString(hm_python.gc, "callbacks");
    PyObject *function = hm_python.PyCMethod_New(&method, NULL, NULL, NULL);
    int bad = !callbacks || !function || hm_python.PyList_Append(callbacks, function);
    hm_python_release(callbacks);
    hm_python_release(function);
    return bad ? ENOMEM : 0;
}

int64_t hm_cpython_collect(struct hm_mutator *m, int generation) {
    (void)m;
    PyObject *which = hm_python.PyLong_FromLong(generation);
    PyObject *found = hm_python.PyObject_CallOneArg(hm_python.collect, which);
    int64_t value = number_of(found);
    hm_python_release(which);
    hm_python_release(found);
    return value;
}

/* ---- What a program may ask ---- */

static void get_count(struct hm_gc *gc, int64_t out[3]) {
    (void)gc;
    ask_three("get_count", out);
}

static void get_threshold(struct hm_gc *gc, int64_t out[3]) {
    (void)gc;
    ask_three("get_threshold", out);
}

static void set_threshold(struct hm_gc *gc, const int64_t t[3]) {
    (void)gc;
    PyObject *function = hm_python.PyObject_GetAttrString(hm_python.gc, "set_threshold");
    hm_python_release(
        hm_python.PyObject_CallFunction(function, "iii", (int)t[0], (int)t[1], (int)t[2]));
    hm_python_release(function);
}

static void enable(struct hm_gc *gc, bool automatic) {
    gc->mutator.automatic = automatic;
    order(automatic ? "enable" : "disable");
}

static bool is_enabled(struct hm_gc *gc) {
    return gc->mutator.automatic;
}

static uint64_t frozen_at_start;

static void freeze(struct hm_gc *gc) {
    (void)gc;
    order("freeze");
}

/* What the interpreter had at its start comes back, too, into generation 2. */
static void unfreeze(struct hm_gc *gc) {
    (void)gc;
    frozen_at_start = 0;
    order("unfreeze");
}

static uint64_t freeze_count(struct hm_gc *gc) {
    (void)gc;
    return (uint64_t)ask_number("get_freeze_count") - frozen_at_start;
}

static void get_stats(struct hm_gc *gc, struct hm_gc_generation_stats out[3]) {
    memcpy(out, gc->mutator.stats, sizeof gc->mutator.stats);
}

static void save_all(struct hm_gc *gc, bool all) {
    (void)gc;
    PyObject *function = hm_python.PyObject_GetAttrString(hm_python.gc, "set_debug");
    hm_python_release(hm_python.PyObject_CallFunction(function, "i", all ? 32 : 0));
    hm_python_release(function);
}

static uint64_t garbage_count(struct hm_gc *gc) {
    (void)gc;
    return (uint64_t)hm_python.PyList_Size(garbage_list());
}

static struct hm_object *pop_garbage(struct hm_gc *gc) {
    (void)gc;
    PyObject *list = garbage_list();
    Py_ssize_t length = hm_python.PyList_Size(list);
    if (!length)
        return NULL;
    PyObject *object = hm_python.PyList_GetItem(list, length - 1);
    object->ob_refcnt++;
    hm_python.PyList_SetSlice(list, length - 1, length, NULL);
    return (struct hm_object *)object;
}

static void set_callback(struct hm_gc *gc, hm_gc_callback *callback, void *arg) {
    gc->mutator.callback = callback;
    gc->mutator.callback_arg = arg;
}

static bool has(PyObject *list, const PyObject *object) {
    Py_ssize_t length = list ? hm_python.PyList_Size(list) : 0;
    for (Py_ssize_t i = 0; i < length; i++)
        if (hm_python.PyList_GetItem(list, i) == object)
            return true;
    return false;
}

static int generation_of(struct hm_gc *gc, struct hm_object *object) {
    (void)gc;
    if (!hm_python.PyObject_GC_IsTracked((PyObject *)object))
        return -1;
    for (int i = 0; i < 3; i++) {
        PyObject *list = objects_of(i);
        bool found = has(list, (PyObject *)object);
        hm_python_release(list);
        if (found)
            return i;
    }
    return 3;
}

static bool is_finalized(struct hm_gc *gc, struct hm_object *object) {
    (void)gc;
    return hm_python.PyObject_GC_IsFinalized((PyObject *)object);
}

static const struct hm_gc_control control = {
    .get_count = get_count,
    .get_threshold = get_threshold,
    .set_threshold = set_threshold,
    .enable = enable,
    .is_enabled = is_enabled,
    .freeze = freeze,
    .unfreeze = unfreeze,
    .freeze_count = freeze_count,
    .get_stats = get_stats,
    .save_all = save_all,
    .garbage_count = garbage_count,
    .set_callback = set_callback,
    .generation_of = generation_of,
    .is_finalized = is_finalized,
    .pop_garbage = pop_garbage,
};

/* ---- Opening ---- */

static int start(void) {
    static bool watches;
    int bad = hm_cpython_start();
    if (bad || watches)
        return bad;
    bad = watch();
    watches = !bad;
    return bad;
}

/* Counts 0, nothing in a generation, and nothing that survived one. */
static void settle(struct hm_mutator *m) {
    hm_cpython_stock_kinds();
    hm_cpython_collect(m, OLDEST);
    order("freeze");
    hm_cpython_collect(m, OLDEST);
    frozen_at_start = (uint64_t)ask_number("get_freeze_count");
    hm_cpython_collect(m, OLDEST);
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    int64_t thresholds[3];
    int bad = current ? ENOTSUP : hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    bad = start();
    if (bad) {
        hm_free(options->memory, gc);
        return bad;
    }
    struct hm_mutator *m = &gc->mutator;
    m->memory = *options->memory;
    m->events = options->events;
    for (int i = 0; i < 3; i++)
        thresholds[i] = options->params[PARAM_THRESHOLD + i].number;
    set_threshold(gc, thresholds);
    enable(gc, options->params[PARAM_AUTO].number == 0);
    hm_cpython_set_heap(&m->memory);
    hm_cpython_set_mutator(m);
    settle(m);
    *out = current = gc;
    return 0;
}

/* ---- Immortals ---- */

/* CPython 3.11 has no immortal objects: one that is held for ever is as good. */
bool hm_cpython_immortalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_cpython_note *note = hm_malloc(&m->memory, sizeof *note);
    if (!note)
        return false;
    *note = (struct hm_cpython_note){.older = m->immortals, .object = object};
    m->immortals = note;
    hm_retain(m, object);
    return true;
}

/* Leaves are on no list of CPython's. One may have been noted twice: its count tells. */
static void free_immortal_leaves(struct hm_mutator *m) {
    for (struct hm_cpython_note *note = m->immortals; note; note = note->older) {
        struct hm_object *object = note->object;
        bool seen = !hm_cpython_traits_of(object)->leaf || !hm_cpython_head(object)->count;
        if (seen)
            note->object = NULL;
        else
            hm_cpython_head(object)->count = 0;
    }
    for (struct hm_cpython_note *note = m->immortals; note; note = note->older)
        if (note->object)
            hm_python.PyObject_Free(note->object);
}

static void forget_immortals(struct hm_mutator *m) {
    while (m->immortals) {
        struct hm_cpython_note *older = m->immortals->older;
        hm_free(&m->memory, m->immortals);
        m->immortals = older;
    }
}

/* ---- Closing ---- */

static void free_leaves(struct hm_object *container) {
    for (uint32_t i = 0, n = hm_length(container); i < n; i++) {
        struct hm_object *child = hm_load(container, i);
        if (child && hm_cpython_traits_of(child)->leaf && --hm_cpython_head(child)->count == 0)
            hm_python.PyObject_Free(child);
    }
}

static void free_leaves_of(PyObject *list) {
    PyObject **items = ((PyListObject *)list)->ob_item;
    Py_ssize_t length = Py_SIZE(list);
    for (Py_ssize_t i = 0; i < length; i++)
        if (hm_cpython_is_ours(items[i]))
            free_leaves((struct hm_object *)items[i]);
}

/* Containers are taken off the list without giving up its references to them: whatever they hold,
 * they go without another word. */
static void free_containers(PyObject *list) {
    PyObject **items = ((PyListObject *)list)->ob_item;
    Py_ssize_t length = Py_SIZE(list);
    for (Py_ssize_t i = 0; i < length; i++)
        if (hm_cpython_is_ours(items[i])) {
            hm_python.PyObject_GC_Del(items[i]);
            items[i] = NULL;
        }
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->memory;
    m->closing = true;
    order("disable");
    save_all(gc, false);
    order("unfreeze");
    PyObject *garbage = garbage_list();
    hm_python.PyList_SetSlice(garbage, 0, hm_python.PyList_Size(garbage), NULL);
    PyObject *all = objects_of(-1);
    if (all)
        free_leaves_of(all);
    free_immortal_leaves(m);
    if (all)
        free_containers(all);
    hm_python_release(all);
    forget_immortals(m);
    order("freeze");
    current = NULL;
    hm_cpython_set_heap(NULL);
    hm_free(&memory,
            gc); /* it may come back through CPython, which must not give it to the heap again */
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out = (struct hm_gc_stats){.allocated_objects = m->allocated_objects,
                                .allocated_bytes = m->allocated_bytes,
                                .freed_objects = m->freed_objects,
                                .freed_bytes = m->freed_bytes,
                                .visited = HM_UNKNOWN,
                                .header_bytes = sizeof(PyObject) + 2 * sizeof(void *)};
    for (int i = 0; i < 3; i++) {
        out->collections[i] = m->stats[i].collections;
        out->collected += m->stats[i].collected;
    }
}

static void version(char *out) {
    const char *(*get)(void) = NULL;
    void *library = dlopen(HM_PYTHON_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library)
        *(void **)(void *)&get = dlsym(library, "Py_GetVersion");
    const char *text = get ? get() : "";
    snprintf(out, HM_VERSION_BYTES, "%.*s", (int)strcspn(text, " "), text);
}

#endif

/* The lines are as narrow as the library tells: the second crash is in a function that it does not export. */
static const struct hm_deviation deviations[] = {
    {.properties = "weak-dying|deterministic|random",
     .fault =
         "killed by SIGSEGV in PyObject_ClearWeakRefs of " HM_PYTHON_LIBRARY ", at address 0: *",
     .versions = "3.11.2|3.11.7",
     .what = "an object dies together with a weak reference to it that has no callback, and there "
             "is another one of a subclass: crash",
     .source = "Objects/weakrefobject.c: PyObject_ClearWeakRefs releases the callback of a "
               "reference that is dying, and there is none"},
    {.properties = "deterministic|random",
     .fault = "killed by SIGSEGV in " HM_PYTHON_LIBRARY
              ", at address 8, in a collection that a finalizer asked for: *",
     .versions = "3.11.2|3.11.7",
     .what = "what a dying weak reference of a subclass holds has a finalizer, which collects the "
             "target of that reference: crash",
     .source = "Modules/gcmodule.c: handle_weakrefs moves the reference to another list, and it is "
               "on none any more"},
    {.fault = NULL},
};

static const struct hm_collector hm_cpython = {
    .name = "cpython",
    .summary = "CPython 3.11 itself, out of libpython: its counting, its cycle collector",
    .origin = "CPython 3.11, Modules/gcmodule.c and Objects/typeobject.c",
    .params = params,
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GENERATIONS | HM_GC_GIL | HM_GC_ONE |
            HM_GC_ON_DEMAND | HM_GC_AT_ONCE,
    .needs = HM_PYTHON_LIBRARY,
    .package = HM_HAS_PYTHON ? "libpython3.11" : "libpython3.11-dev",
#if HM_HAS_PYTHON
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
    .control = &control,
    .deviations = deviations,
    .version = version,
#endif
};
HM_REGISTER(hm_collector, hm_cpython);

/* Boehm, Demers and Weiser's conservative mark-sweep collector, out of libgc, which is loaded when
 * it is opened: what programs in C use that have no collector of their own.
 *
 * libgc has one heap for the process, takes it from the system, and never gives it back: one at a
 * time in a process, on the thread that opened it. */
#define HM_COLLECTOR_HEADER "collectors/boehm.h"
#include "collectors/collector.h"

#define LIBRARY "libgc.so.1"

enum {
    PARAM_AUTO,
    PARAM_DIVISOR,
};

static const struct hm_param params[] = {
    [PARAM_AUTO] = {.name = "auto",
                    .unit = "",
                    .help = "whether an allocation may collect; off: only when told",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 0,
                    .choices = "on|off"},
    [PARAM_DIVISOR] = {.name = "divisor",
                       .unit = "parts",
                       .help = "GC_free_space_divisor: a collection is due when twice what it "
                               "traces, over this, was allocated; more: a smaller heap",
                       .kind = HM_PARAM_COUNT,
                       .initial = 3,
                       .min = 1,
                       .max = 1000},
    {.name = NULL},
};

#if __has_include(<gc/gc.h>)
#define HAS_GC 1

#include "collectors/isolated.h"

#include <dlfcn.h>
#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include <gc/gc.h>
#include <gc/gc_mark.h>

enum {
    FULL = 2,
    ROOTS = 1024, /* for a start */
};

/* Every function of libgc that is called. */
#define FUNCTIONS(X)                                                                               \
    X(GC_init)                                                                                     \
    X(GC_malloc)                                                                                   \
    X(GC_malloc_atomic)                                                                            \
    X(GC_malloc_uncollectable)                                                                     \
    X(GC_free)                                                                                     \
    X(GC_gcollect)                                                                                 \
    X(GC_enable)                                                                                   \
    X(GC_disable)                                                                                  \
    X(GC_is_disabled)                                                                              \
    X(GC_get_gc_no)                                                                                \
    X(GC_general_register_disappearing_link)                                                       \
    X(GC_push_all)                                                                                 \
    X(GC_set_push_other_roots)                                                                     \
    X(GC_get_push_other_roots)                                                                     \
    X(GC_set_on_collection_event)                                                                  \
    X(GC_set_warn_proc)                                                                            \
    X(GC_set_free_space_divisor)                                                                   \
    X(GC_set_no_dls)                                                                               \
    X(GC_set_all_interior_pointers)                                                                \
    X(GC_set_markers_count)

static struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member has none */
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} libgc;

static struct hm_gc *current; /* the one that is open, or NULL */
static GC_push_other_roots_proc push_others;
static uint64_t collections_before;

struct hm_boehm_note {
    struct hm_boehm_note *older;
    struct hm_object *object;
};

/* ---- What libgc calls ---- */

static void push_roots(void) {
    struct hm_mutator *m = current ? &current->mutator : NULL;
    for (size_t i = 0; m && i < m->roots_used && i < m->roots_capacity; i++)
        if (m->roots[i])
            libgc.GC_push_all(m->roots[i], m->roots[i] + 1);
    if (push_others)
        push_others();
}

static void on_event(GC_EventType event) {
    const struct hm_gc_events *events = current ? current->mutator.events : NULL;
    if (events && event == GC_EVENT_START)
        events->pause_begin(events->arg, FULL);
    else if (events && event == GC_EVENT_END)
        events->pause_end(events->arg, FULL, HM_UNKNOWN, HM_UNKNOWN);
}

/* It would write to stderr, of large blocks. */
static void on_warning(char *message, GC_word word) {
    (void)message;
    (void)word;
}

/* ---- The slow half of the mutator's ---- */

/* A root that there is no room for is lost, but for the stack, which is scanned anyway. */
void hm_boehm_root(struct hm_mutator *m, struct hm_object **variable) {
    size_t used = m->roots_used++;
    if (used > m->roots_capacity)
        return;
    size_t capacity = used ? 2 * used : ROOTS;
    struct hm_object ***roots = hm_malloc(&m->memory, capacity * sizeof *roots);
    if (!roots)
        return;
    if (used)
        memcpy(roots, m->roots, used * sizeof *roots);
    hm_free(&m->memory, m->roots);
    m->roots = roots;
    m->roots_capacity = capacity;
    roots[used] = variable;
}

void hm_boehm_collect(struct hm_mutator *m) {
    if (!m->automatic)
        libgc.GC_enable();
    libgc.GC_gcollect();
    if (!m->automatic)
        libgc.GC_disable();
}

/* ---- Weak references ---- */

/* The payload is the target's address in disguise, which libgc sets to 0 when the target is found
 * to be garbage. */
static const struct hm_type weak_type = {
    .name = "weak reference", .slots = 1, .payload_bytes = sizeof(GC_hidden_pointer), .weak = true};

struct hm_object *hm_boehm_weak_new(struct hm_mutator *m, struct hm_object *target) {
    struct hm_object *reference = hm_new(m, &weak_type);
    if (!reference)
        return NULL;
    GC_hidden_pointer *link = hm_payload(reference);
    *link = GC_HIDE_POINTER(target);
    if (libgc.GC_general_register_disappearing_link((void **)(void *)link, target) == GC_SUCCESS)
        return reference;
    errno = ENOMEM;
    return NULL;
}

struct hm_object *hm_boehm_weak_get(struct hm_object *reference) {
    GC_hidden_pointer *link = hm_payload(reference);
    return *link ? GC_REVEAL_POINTER(*link) : NULL;
}

bool hm_boehm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_boehm_note *note = libgc.GC_malloc_uncollectable(sizeof *note);
    if (!note)
        return false;
    *note = (struct hm_boehm_note){.older = m->immortals, .object = object};
    m->immortals = note;
    return true;
}

/* ---- What a program may ask ---- */

static void enable(struct hm_gc *gc, bool automatic) {
    if (automatic && libgc.GC_is_disabled())
        libgc.GC_enable();
    else if (!automatic && !libgc.GC_is_disabled())
        libgc.GC_disable();
    gc->mutator.automatic = automatic;
}

static bool is_enabled(struct hm_gc *gc) {
    return gc->mutator.automatic;
}

static const struct hm_gc_control control = {.enable = enable, .is_enabled = is_enabled};

/* ---- Opening and closing ---- */

static int load(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ENOENT;
        /* dlsym gives an object pointer; POSIX has it hold a function's address. */
#define FIND(name)                                                                                 \
    *(void **)(void *)&libgc.name = dlsym(library, #name);                                         \
    if (!libgc.name)                                                                               \
        return ENOENT;
    FUNCTIONS(FIND)
#undef FIND
    return 0;
}

/* References point to the beginning of an object, but for what a compiler makes of them on the
 * stack. One thread marks. What is rooted is told: static data of libraries is not looked at. */
static int start(void) {
    static bool started;
    static int bad;
    if (started)
        return bad;
    started = true;
    bad = load();
    if (bad)
        return bad;
    libgc.GC_set_all_interior_pointers(0);
    libgc.GC_set_no_dls(1);
    libgc.GC_set_markers_count(1);
    libgc.GC_init();
    libgc.GC_set_warn_proc(on_warning);
    push_others = libgc.GC_get_push_other_roots();
    libgc.GC_set_push_other_roots(push_roots);
    libgc.GC_set_on_collection_event(on_event);
    return 0;
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    struct hm_gc *gc;
    if (current || options->mutators > 1)
        return ENOTSUP;
    int bad = hm_isolated_new(&gc, options);
    if (bad)
        return bad;
    bad = start();
    if (bad) {
        hm_free(options->memory, gc);
        return bad;
    }
    struct hm_mutator *m = &gc->mutator;
    m->memory = *options->memory;
    m->malloc = libgc.GC_malloc;
    m->malloc_atomic = libgc.GC_malloc_atomic;
    m->events = options->events;
    enable(gc, options->params[PARAM_AUTO].number == 0);
    libgc.GC_set_free_space_divisor((GC_word)options->params[PARAM_DIVISOR].number);
    collections_before = libgc.GC_get_gc_no();
    *out = current = gc;
    return 0;
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->memory;
    current = NULL;
    while (m->immortals) {
        struct hm_boehm_note *older = m->immortals->older;
        libgc.GC_free(m->immortals);
        m->immortals = older;
    }
    hm_free(&memory, m->roots);
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    const struct hm_mutator *m = &gc->mutator;
    *out = (struct hm_gc_stats){.allocated_objects = m->allocated_objects,
                                .allocated_bytes = m->allocated_bytes,
                                .freed_objects = HM_UNKNOWN,
                                .freed_bytes = HM_UNKNOWN,
                                .collections = {[FULL] = libgc.GC_get_gc_no() - collections_before},
                                .collected = HM_UNKNOWN,
                                .visited = HM_UNKNOWN,
                                .header_bytes = sizeof(struct hm_object)};
}

#else
#define HAS_GC 0
#endif

static const struct hm_collector hm_boehm = {
    .name = "boehm",
    .summary = "libgc: conservative mark-sweep, on memory of its own",
    .origin = "Boehm and Weiser 1988; bdwgc 8",
    .params = params,
    .caps = HM_GC_ONE | HM_GC_OWN_MEMORY | HM_GC_ON_DEMAND,
    .needs = LIBRARY,
    .package = HAS_GC ? "libgc1" : "libgc-dev",
#if HAS_GC
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
    .control = &control,
#endif
};
HM_REGISTER(hm_collector, hm_boehm);

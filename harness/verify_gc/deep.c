/* Deep structures: a chain and a ring of a million objects, on a stack of 256 KiB and in a bounded
 * address space. Recursion needs more than that. */
#include "harness/verify_gc/check.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STACK_BYTES = 256 << 10,
    PROGRESS = 4096,
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

/* ---- A heap without memory of its own: libc's, which is quick, and counts ---- */

struct counted {
    struct hm_memory memory;
    uint64_t live_blocks;
};

static struct counted *counted_of(struct hm_heap *heap) {
    return (struct counted *)(void *)heap;
}

static void *count_malloc(struct hm_heap *heap, size_t size) {
    void *p = malloc(size ? size : 1);
    counted_of(heap)->live_blocks += p != NULL;
    return p;
}

static void *count_calloc(struct hm_heap *heap, size_t count, size_t size) {
    void *p = calloc(count, size ? size : 1);
    counted_of(heap)->live_blocks += p != NULL;
    return p;
}

static void *count_realloc(struct hm_heap *heap, void *old, size_t size) {
    void *p = realloc(old, size ? size : 1);
    counted_of(heap)->live_blocks += p && !old;
    return p;
}

static void *count_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    void *p = aligned_alloc(alignment, (size + alignment - 1) & -alignment);
    counted_of(heap)->live_blocks += p != NULL;
    return p;
}

static void count_free(struct hm_heap *heap, void *p) {
    counted_of(heap)->live_blocks -= p != NULL;
    free(p);
}

static size_t count_usable_size(struct hm_heap *heap, void *p) {
    (void)heap;
    (void)p;
    return 0;
}

static const struct hm_allocator counting = {
    .name = "counting", .summary = "counts", .alignment = 16};

/* ---- A collector on a thread of its own ---- */

struct deep {
    struct hm_check *check;
    struct counted heap;
    struct hm_gc *gc;
    struct hm_mutator *m;
    struct hm_object *head, *tail, *made; /* roots */
    uint64_t length;
    uint64_t finalized;
    void (*play)(struct deep *d);
};

static struct deep *current;

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    current->finalized++;
    if (current->finalized % PROGRESS == 0)
        hm_check_progress(current->check, 1);
}

static const struct hm_type link_type = {.name = "link", .slots = 1};
static const struct hm_type pair_type = {.name = "pair", .slots = 2, .weakable = true};
static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type finalized_type = {
    .name = "finalized", .slots = 1, .finalize = finalize};

static void begin_pause(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void end_pause(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

/* From the head along slot 0 to the tail. */
static void build(struct deep *d, const struct hm_type *type, uint64_t length) {
    const struct hm_sim_mutator *ops = d->check->ops;
    uint32_t slots = type->variable ? 3 : type->slots;
    for (uint64_t i = 0; i < length; i++) {
        d->made = ops->new (d->m, type, slots);
        if (!d->made)
            hm_check_fail(d->check, "object %" PRIu64 " is NULL with errno %d", i, errno);
        if (d->head)
            ops->init_store(d->m, d->made, slots - 1, d->head);
        if (!d->tail) {
            ops->retain(d->m, d->made);
            d->tail = d->made;
        }
        d->head = d->made;
        d->made = NULL;
        if (i % PROGRESS == 0)
            hm_check_progress(d->check, 1);
    }
    d->length = length;
}

static void drop(struct deep *d, struct hm_object **variable) {
    struct hm_object *object = *variable;
    *variable = NULL;
    d->check->ops->release(d->m, object);
}

static void close_ring(struct deep *d, uint32_t slot) {
    d->check->ops->store(d->m, d->tail, slot, d->head);
}

static void expect_length(struct deep *d, uint32_t slot) {
    uint64_t length = 0;
    for (struct hm_object *o = d->head; o; o = d->check->ops->load(o, slot))
        length++;
    if (length != d->length)
        hm_check_fail(d->check, "%" PRIu64 " objects are left of %" PRIu64 " in use", length,
                      d->length);
}

static void expect_dead(struct deep *d) {
    struct hm_gc_stats s;
    bool frees = hm_check_can(d->check, HM_GC_FREES);
    d->check->collector->stats(d->gc, &s);
    if (frees && s.freed_objects != HM_UNKNOWN && s.freed_objects != s.allocated_objects)
        hm_check_fail(d->check, "%" PRIu64 " of %" PRIu64 " dropped objects are freed",
                      s.freed_objects, s.allocated_objects);
}

/* Chains that die of their last reference, or by a collection; each was looked at while in use. */
static void play_chains(struct deep *d) {
    static const struct hm_type *const types[] = {&link_type, &pair_type, &array_type,
                                                  &finalized_type};
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        hm_check_at(d->check, "a chain of type '%s'", types[i]->name);
        build(d, types[i], i ? d->length / 4 + 1 : d->length);
        d->check->ops->collect(d->m, 2);
        expect_length(d, types[i]->variable ? 2 : types[i]->slots - 1);
        drop(d, &d->tail);
        drop(d, &d->head);
        d->check->ops->collect(d->m, 2);
        d->check->ops->collect(d->m, 2);
        expect_dead(d);
        d->length = i ? d->length : d->length / 4;
    }
}

static void play_rings(struct deep *d) {
    static const struct hm_type *const types[] = {&link_type, &pair_type, &array_type,
                                                  &finalized_type};
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        hm_check_at(d->check, "a ring of type '%s'", types[i]->name);
        build(d, types[i], i ? d->length / 4 + 1 : d->length);
        close_ring(d, types[i]->variable ? 2 : types[i]->slots - 1);
        drop(d, &d->tail);
        d->check->ops->collect(d->m, 2);
        drop(d, &d->head);
        d->check->ops->collect(d->m, 2);
        d->check->ops->collect(d->m, 2);
        expect_dead(d);
        d->length = i ? d->length : d->length / 4;
    }
}

static void *play_on_thread(void *arg) {
    static const struct hm_gc_events events = {.pause_begin = begin_pause, .pause_end = end_pause};
    struct deep *d = arg;
    struct hm_check *c = d->check;
    const struct hm_gc_options options = {.params = c->spec->params.values,
                                          .memory = &d->heap.memory,
                                          .events = &events,
                                          .mutators = 1};
    int bad = c->collector->open(&d->gc, &options);
    if (bad)
        hm_check_fail(c, "open failed: %s", strerror(bad));
    d->m = c->collector->attach(d->gc);
    if (!d->m)
        hm_check_fail(c, "attach failed");
    c->ops->root(d->m, &d->head);
    c->ops->root(d->m, &d->tail);
    c->ops->root(d->m, &d->made);
    d->play(d);
    c->ops->unroot(d->m, 3);
    c->collector->detach(d->m);
    c->collector->close(d->gc);
    return NULL;
}

static uint64_t address_space(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What the objects take twice over, and something for libraries. */
static void bound_address_space(uint64_t length) {
    uint64_t bytes = address_space() + length * 256 + ((uint64_t)1024 << 20);
    const struct rlimit limit = {bytes, bytes};
    if (!IS_SANITIZED)
        setrlimit(RLIMIT_AS, &limit);
}

static void run(struct hm_check *c, void (*play)(struct deep *d)) {
    static struct deep d;
    pthread_attr_t attr;
    pthread_t thread;
    d = (struct deep){.check = c, .play = play};
    d.length = hm_check_effort(c, 1, 1000000, 10000000);
    d.heap.memory =
        (struct hm_memory){.allocator = &counting,
                           .heap = (struct hm_heap *)(void *)&d.heap,
                           .shape = HM_SHAPE_HEAP,
                           .calls = {count_malloc, count_calloc, count_realloc, count_aligned_alloc,
                                     count_free, count_usable_size}};
    current = &d;
    bound_address_space(d.length);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (pthread_create(&thread, &attr, play_on_thread, &d))
        hm_check_fail(c, "can not start a thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}

static void run_chain(struct hm_check *c) {
    run(c, play_chains);
}

static const struct hm_gc_property chain = {
    .name = "deep-chain",
    .summary = "a chain of 10^6 objects lives and dies on a stack of 256 KiB",
    .point = 400,
    .run = run_chain};
HM_REGISTER(hm_gc_property, chain);

static void run_ring(struct hm_check *c) {
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    run(c, play_rings);
}

static const struct hm_gc_property ring = {
    .name = "deep-cycle",
    .summary = "a ring of 10^6 objects lives and dies on a stack of 256 KiB",
    .point = 410,
    .run = run_ring};
HM_REGISTER(hm_gc_property, ring);

/* A shadow of the blocks that a random script holds: what allocators_test knows of them, in a
 * mapping of its own, which nothing that a broken allocator does to its blocks can reach.
 *
 * Vocabulary
 *   slot    one block that may be live, with the pattern that fills it to its usable size
 *   broken  what a check answers: NULL, or one line that says what broke. Threads can not use
 *           cmocka
 *
 * All of a pattern is checked when its block is resized or freed: two blocks that overlap can not
 * both be intact. */
#ifndef HM_TESTS_CONFORMANCE_SHADOW_HEAP_H
#define HM_TESTS_CONFORMANCE_SHADOW_HEAP_H

#include "allocators/allocator.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    SLOTS = 8192,
    LIVE = 200, /* slots that a random script uses */
    STEPS = 2500,
    DEFAULT_ALIGNMENT = 16,
};

struct slot {
    unsigned char *block;
    size_t size;   /* as requested */
    size_t usable; /* all of it is filled */
    unsigned tag;
};

struct shadow {
    const struct hm_memory *memory;
    struct hm_random random;
    unsigned next_tag;
    bool bounded;  /* NULL is a possible answer */
    bool multiple; /* aligned_alloc wants a multiple of the alignment, as in C11 */
    struct slot slots[SLOTS];
};

/* C11 has aligned_alloc's size a multiple of the alignment, and sanitizers insist. */
static bool wants_multiple(void) {
    void *block = aligned_alloc(64, (size_t)hm_mix(0) + 5);
    free(block);
    return !block;
}

/* @return NULL: no memory */
static struct shadow *map_shadow(const struct hm_memory *memory, unsigned thread) {
    struct shadow *shadow = hm_scratch(sizeof *shadow);
    if (!shadow)
        return NULL;
    shadow->memory = memory;
    shadow->random = hm_random_of(2021, thread);
    shadow->next_tag = thread << 24;
    shadow->bounded = memory->allocator->caps & HM_CAP_BOUNDED;
    shadow->multiple = wants_multiple();
    return shadow;
}

static void drop_shadow(struct shadow *shadow) {
    hm_scratch_free(shadow, sizeof *shadow);
}

static size_t draw(struct shadow *shadow, size_t n) {
    return hm_random_below(&shadow->random, n);
}

static size_t draw_size(struct shadow *shadow) {
    size_t kind = draw(shadow, 100);
    return draw(shadow, kind < 75 ? 600 : kind < 98 ? 6000 : 100000);
}

static unsigned char pattern(unsigned tag, size_t i) {
    return (unsigned char)(tag * 2654435761u >> 24 ^ (i * 167 + (i >> 8) * 13));
}

static bool is_intact(const struct slot *slot, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (slot->block[i] != pattern(slot->tag, i))
            return false;
    }
    return true;
}

static bool is_zero(const unsigned char *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (block[i])
            return false;
    }
    return true;
}

/* Take a new or resized block into the shadow. */
static const char *adopt(struct shadow *shadow, struct slot *slot, void *block, size_t size) {
    size_t alignment = shadow->memory->allocator->alignment;
    slot->block = block;
    slot->size = size;
    bool told = !(shadow->memory->allocator->caps & HM_CAP_NO_USABLE);
    size_t usable = told ? hm_usable_size(shadow->memory, block) : size;
    slot->usable = size ? usable : 0; /* sanitizers let nobody write to an empty block */
    slot->tag = shadow->next_tag++;
    if (slot->usable < size)
        return "usable_size is less than the request";
    if ((uintptr_t)block % (alignment ? alignment : DEFAULT_ALIGNMENT) != 0)
        return "a block is not aligned";
    for (const struct slot *other = shadow->slots; other < shadow->slots + LIVE; other++) {
        if (other != slot && other->block && other->block < slot->block + size + !size &&
            slot->block < other->block + other->size + !other->size)
            return "two blocks overlap";
    }
    for (size_t i = 0; i < slot->usable; i++)
        slot->block[i] = pattern(slot->tag, i);
    return NULL;
}

static const char *failed(const struct shadow *shadow) {
    if (errno != ENOMEM)
        return "NULL without ENOMEM";
    return shadow->bounded ? NULL : "out of memory";
}

static const char *step_malloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw_size(shadow);
    errno = 0;
    void *block = hm_malloc(shadow->memory, size);
    return block ? adopt(shadow, slot, block, size) : failed(shadow);
}

static const char *step_calloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw(shadow, 40), count = draw_size(shadow) / 20;
    errno = 0;
    void *block = hm_calloc(shadow->memory, count, size);
    if (!block)
        return failed(shadow);
    if (!is_zero(block, count * size))
        return "calloc gave dirty memory";
    return adopt(shadow, slot, block, count * size);
}

static const char *step_aligned(struct shadow *shadow, struct slot *slot) {
    size_t alignment = (size_t)1 << (4 + draw(shadow, 9)), size = draw_size(shadow) / 4;
    if (shadow->memory->allocator->caps & HM_CAP_NO_ALIGNED)
        alignment = DEFAULT_ALIGNMENT;
    if (shadow->multiple)
        size = (size + alignment - 1) & ~(alignment - 1);
    errno = 0;
    void *block = hm_aligned_alloc(shadow->memory, alignment, size);
    if (!block)
        return failed(shadow);
    if ((uintptr_t)block % alignment)
        return "aligned_alloc is not aligned";
    return adopt(shadow, slot, block, size);
}

static const char *step_free(struct shadow *shadow, struct slot *slot) {
    if (!is_intact(slot, slot->usable))
        return "a block was overwritten";
    hm_free(shadow->memory, slot->block);
    slot->block = NULL;
    return NULL;
}

static const char *step_realloc(struct shadow *shadow, struct slot *slot) {
    size_t size = draw_size(shadow) + 1;
    if (!is_intact(slot, slot->usable))
        return "a block was overwritten";
    errno = 0;
    void *block = hm_realloc(shadow->memory, slot->block, size);
    if (!block)
        return is_intact(slot, slot->usable) ? failed(shadow)
                                             : "a failed realloc changed its block";
    slot->block = block;
    if (!is_intact(slot, size < slot->size ? size : slot->size))
        return "realloc lost bytes";
    return adopt(shadow, slot, block, size);
}

static const char *step(struct shadow *shadow) {
    struct slot *slot = &shadow->slots[draw(shadow, LIVE)];
    size_t kind = draw(shadow, 10);
    if (slot->block)
        return kind < 7 ? step_free(shadow, slot) : step_realloc(shadow, slot);
    return kind < 6   ? step_malloc(shadow, slot)
           : kind < 8 ? step_calloc(shadow, slot)
                      : step_aligned(shadow, slot);
}

static const char *run_script(struct shadow *shadow) {
    const char *broken = NULL;
    for (int i = 0; i < STEPS && !broken; i++)
        broken = step(shadow);
    return broken;
}

static const char *free_all(struct shadow *shadow) {
    const char *broken = NULL;
    for (struct slot *slot = shadow->slots; slot < shadow->slots + SLOTS && !broken; slot++) {
        if (slot->block)
            broken = step_free(shadow, slot);
    }
    return broken;
}

/* ---- Threads ---- */

struct worker {
    pthread_t thread;
    struct shadow *shadow;
    struct exchange *exchange;
    const char *(*body)(struct worker *worker);
    unsigned index;
    const char *broken;
};

static void *run_worker(void *arg) {
    struct worker *worker = arg;
    const struct hm_memory *memory = worker->shadow->memory;
    if (memory->allocator->enter && memory->allocator->enter(memory->heap)) {
        worker->broken = "enter failed";
        return NULL;
    }
    worker->broken = worker->body(worker);
    if (memory->allocator->leave)
        memory->allocator->leave(memory->heap);
    return NULL;
}

/* @return what broke in one of them */
static const char *run_workers(struct worker *workers, unsigned count) {
    const char *broken = NULL;
    unsigned started = 0;
    while (started < count &&
           pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]) == 0)
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < started && !broken; i++)
        broken = workers[i].broken;
    return started < count ? "a thread did not start" : broken;
}

static const char *script_body(struct worker *worker) {
    return run_script(worker->shadow);
}

/* A ring from one producer to one consumer. */
struct exchange {
    struct slot ring[64];
    atomic_uint sent, received;
    atomic_bool given_up; /* one side is broken: the other must not wait */
};

static const char *produce(struct worker *worker) {
    struct exchange *x = worker->exchange;
    for (unsigned i = 0; i < STEPS; i++) {
        while (i - atomic_load(&x->received) >= 64) {
            if (atomic_load(&x->given_up))
                return NULL;
        }
        struct slot *slot = &x->ring[i % 64];
        size_t size = draw(worker->shadow, 2000);
        void *block = hm_malloc(worker->shadow->memory, size);
        const char *broken = block ? adopt(worker->shadow, slot, block, size) : "out of memory";
        if (broken) {
            atomic_store(&x->given_up, true);
            return broken;
        }
        atomic_store(&x->sent, i + 1);
    }
    return NULL;
}

static const char *consume(struct worker *worker) {
    struct exchange *x = worker->exchange;
    for (unsigned i = 0; i < STEPS; i++) {
        while (atomic_load(&x->sent) == i) {
            if (atomic_load(&x->given_up))
                return NULL;
        }
        const char *broken = step_free(worker->shadow, &x->ring[i % 64]);
        if (broken) {
            atomic_store(&x->given_up, true);
            return broken;
        }
        atomic_store(&x->received, i + 1);
    }
    return NULL;
}

static const char *exchange_body(struct worker *worker) {
    return worker->index % 2 ? consume(worker) : produce(worker);
}

#endif

/* How much of a bounded arena is in use, and what it may refuse.
 *
 * Vocabulary
 *   arena   what fitted into one block at the start of the process, or the parameter `size`
 *   held    what is live, with an allowance for what the heap adds to each block
 *   pieces  of free memory: n blocks leave n + 1 of them at most, and so one that is no smaller than
 *           their average */
#include "harness/verify/arena.h"

#include <string.h>

enum {
    LEAST_EXTRA = 64,
    LEAST_PROBE = 64,
    TRIES = 3,
};

static const size_t most_probe = (size_t)1 << 46;

/* A parameter of the base in bytes; 0: there is none. */
static size_t declared_bytes(const struct hm_allocator_spec *spec, const char *name) {
    const struct hm_allocator *base = spec->parts[spec->count - 1];
    for (size_t i = 0; base->params && base->params[i].name; i++)
        if (strcmp(base->params[i].name, name) == 0 && base->params[i].kind == HM_PARAM_BYTES)
            return (size_t)spec->params[spec->count - 1].values[i].number;
    return 0;
}

/* The largest power of two. */
static size_t probe_bytes(const struct hm_memory *memory) {
    for (size_t size = most_probe; size >= LEAST_PROBE; size /= 2) {
        void *p = hm_malloc(memory, size);
        hm_free(memory, p);
        if (p)
            return size;
    }
    return 0;
}

/* What the base gives is seen through locks only: other layers hold blocks back, or make them longer. */
static bool is_seen(const struct hm_allocator_spec *spec) {
    for (unsigned i = 0; i + 1 < spec->count; i++)
        if (!(spec->parts[i]->caps & HM_CAP_LOCKS))
            return false;
    return true;
}

void hm_arena_measure(struct hm_verify *v, const struct hm_allocator_spec *spec) {
    unsigned caps = spec->parts[spec->count - 1]->caps;
    if (!(caps & HM_CAP_BOUNDED) || (caps & HM_CAP_NO_REUSE) || !is_seen(spec))
        return;
    size_t declared = declared_bytes(spec, "size");
    size_t granule = declared_bytes(spec, "align");
    v->arena_bytes = declared ? declared : probe_bytes(v->memory);
    v->block_extra = granule > LEAST_EXTRA ? granule : LEAST_EXTRA;
}

static bool may_be_full(const struct hm_verify *v, size_t bytes) {
    size_t held = __atomic_load_n(&v->away_bytes, __ATOMIC_RELAXED);
    size_t blocks = __atomic_load_n(&v->away_blocks, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < v->shadow_count; i++) {
        const struct hm_shadow *s = v->shadows[i];
        size_t last = __atomic_load_n(&s->last_bytes, __ATOMIC_RELAXED);
        held += __atomic_load_n(&s->live_bytes, __ATOMIC_RELAXED) + last;
        blocks += __atomic_load_n(&s->live, __ATOMIC_RELAXED) + (last != 0);
    }
    held += blocks * v->block_extra;
    if (held >= v->arena_bytes / 4)
        return true;
    size_t pieces = blocks + 2; /* one more: the arena's own books may lie in it */
    return bytes > (v->arena_bytes - held) / pieces;
}

/* Other threads may have freed what was live when it was refused: then there is room by now. */
bool hm_verify_may_refuse(const struct hm_verify *v, size_t bytes) {
    bool full = may_be_full(v, bytes);
    for (int i = 0; !full && v->property->threads > 1 && i < TRIES; i++) {
        void *p = hm_malloc(v->memory, bytes);
        hm_free(v->memory, p);
        full = p || may_be_full(v, bytes);
    }
    return full;
}

void hm_verify_away(struct hm_verify *v, size_t blocks, size_t bytes) {
    __atomic_store_n(&v->away_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_store_n(&v->away_bytes, bytes, __ATOMIC_RELAXED);
}

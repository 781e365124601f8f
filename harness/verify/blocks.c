/* Where blocks lie and how much of them may be used: overlap, alignment, usable-size, zero-size. */
#include "harness/verify/property.h"

#include "workloads/scratch.h"

#include <errno.h>

enum {
    MIXED = 1536,
    SMALL_MAX = 1100,
    LARGEST_ALIGNMENT = 8 << 20, /* as jemalloc's own test, test/integration/aligned_alloc.c */
};

/* No more than the child's own arena may hold: sizes around every power of two, and small ones. */
static size_t some_size(struct hm_random *random) {
    size_t power = (size_t)1 << hm_random_below(random, 17);
    switch (hm_random_below(random, 4)) {
    case 0:
        return power + hm_random_below(random, 3) - 1;
    case 1:
        return 1 + hm_random_below(random, power);
    default:
        return 1 + hm_random_below(random, SMALL_MAX);
    }
}

static void take_new(struct hm_verify *v, struct hm_shadow *s, uint32_t id, size_t size,
                     size_t alignment) {
    hm_verify_at(v, "malloc(%zu)", size);
    hm_verify_take(v, s, id, hm_verify_malloc(v, size), size, alignment);
}

static void free_all(struct hm_verify *v, struct hm_shadow *s) {
    hm_verify_at(v, "free of all blocks");
    for (uint32_t id = 0; id < s->ids; id++)
        if (hm_shadow_is_live(s, id))
            hm_verify_free(v, s, id);
}

/* Rows of one size lie next to each other in most heaps: an overlap by one byte shows there. */
static void rows_of_one_size(struct hm_verify *v, struct hm_shadow *s) {
    for (size_t size = 1; size <= SMALL_MAX; size += 1 + size / 16)
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t id = 0; id < 48; id++)
                if (!hm_shadow_is_live(s, id))
                    take_new(v, s, id, size, 1);
            for (uint32_t id = pass; id < 48; id += 2 - pass)
                if (hm_shadow_is_live(s, id))
                    hm_verify_free(v, s, id);
        }
    free_all(v, s);
}

static void check_overlap(struct hm_verify *v) {
    struct hm_shadow s;
    struct hm_random random = hm_random_of(v->seed, 0);
    hm_verify_shadow(v, &s, MIXED);
    rows_of_one_size(v, &s);
    uint64_t rounds = hm_verify_effort(v, 100000, 2, 20);
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t id = 0; id < MIXED; id++)
            if (!hm_shadow_is_live(&s, id))
                take_new(v, &s, id, some_size(&random), 1);
        for (uint32_t i = 0; i < MIXED / 2; i++) {
            uint32_t id = (uint32_t)hm_random_below(&random, MIXED);
            if (hm_shadow_is_live(&s, id))
                hm_verify_free(v, &s, id);
        }
    }
    free_all(v, &s);
}

static const struct hm_property overlap = {
    .name = "overlap",
    .summary = "no two live blocks share a byte, and no free changes a live one",
    .point = 1,
    .threads = 1,
    .run = check_overlap,
};
HM_REGISTER(hm_property, overlap);

static void aligned_sizes(struct hm_verify *v, struct hm_shadow *s, size_t alignment) {
    const size_t sizes[] = {1, alignment / 2, alignment - 1, alignment, alignment + 1, 24, 100};
    uint32_t id = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int twice = 0; twice < 2; twice++, id++) {
            size_t size = sizes[i] ? sizes[i] : 1;
            hm_verify_at(v, "aligned_alloc(%zu, %zu)", alignment, size);
            hm_verify_take(v, s, id, hm_verify_aligned(v, alignment, size), size, alignment);
        }
    free_all(v, s);
}

static void check_alignment(struct hm_verify *v) {
    struct hm_shadow s;
    hm_verify_shadow(v, &s, SMALL_MAX);
    for (size_t size = 1; size < SMALL_MAX; size++)
        take_new(v, &s, (uint32_t)size, size, hm_verify_alignment(v, size));
    free_all(v, &s);
    for (size_t size = SMALL_MAX; size <= (1 << 20); size = size * 3 / 2) {
        take_new(v, &s, 0, size, hm_verify_alignment(v, size));
        hm_verify_free(v, &s, 0);
    }
    size_t largest = v->no_aligned ? v->alignment : LARGEST_ALIGNMENT;
    for (size_t alignment = 8; alignment <= largest; alignment *= 2)
        aligned_sizes(v, &s, alignment);
}

static const struct hm_property alignment_property = {
    .name = "alignment",
    .summary = "malloc's declared alignment; aligned_alloc from 8 to 8 MiB, size < alignment too",
    .point = 2,
    .threads = 1,
    .run = check_alignment,
};
HM_REGISTER(hm_property, alignment_property);

static void stretch(struct hm_verify *v, struct hm_shadow *s, uint32_t id) {
    struct hm_error error = {""};
    size_t usable = hm_usable_size(v->memory, s->blocks[id].begin);
    hm_verify_try(v, hm_shadow_stretch(s, id, usable, &error), &error);
}

static void check_usable_size(struct hm_verify *v) {
    struct hm_shadow s;
    struct hm_error error = {""};
    struct hm_random random = hm_random_of(v->seed, 0);
    if (v->no_usable)
        hm_verify_unsupported(v, "it can not tell the usable size");
    hm_verify_shadow(v, &s, MIXED);
    hm_verify_at(v, "usable_size(NULL)");
    size_t none = hm_usable_size(v->memory, NULL);
    if (none)
        hm_verify_fail(v, "usable_size(NULL) is %zu and not 0", none);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t id = 0; id < MIXED; id++)
            take_new(v, &s, id, pass ? some_size(&random) : 1 + id % 257, 1);
        for (uint32_t id = 0; id < MIXED; id++)
            stretch(v, &s, id);
        hm_verify_at(v, "after all usable bytes were written");
        hm_verify_try(v, hm_shadow_check_all(&s, &error), &error);
        free_all(v, &s);
    }
    if (v->no_aligned)
        return;
    hm_verify_take(v, &s, 0, hm_verify_aligned(v, 256, 300), 300, 1);
    stretch(v, &s, 0);
    free_all(v, &s);
}

static const struct hm_property usable_size = {
    .name = "usable-size",
    .summary = "at least what was asked for, all of it writable; 0 for NULL",
    .point = 8,
    .threads = 1,
    .run = check_usable_size,
};
HM_REGISTER(hm_property, usable_size);

/* Whether a request for nothing gives blocks; it must be the same each time, and different blocks.
 * The C standard leaves the choice to an allocator; a plug-in has promised blocks. */
static bool gives_blocks(struct hm_verify *v, struct hm_shadow *s, const char *what,
                         void *(*ask)(const struct hm_memory *m)) {
    enum {
        TRIES = 64,
    };
    unsigned blocks = 0;
    hm_verify_at(v, "%s", what);
    for (uint32_t id = 0; id < TRIES; id++) {
        void *p = ask(v->memory);
        if (!p)
            continue;
        blocks++;
        hm_verify_take(v, s, id, p, 0, 1);
    }
    if (blocks && blocks < TRIES)
        hm_verify_fail(v, "%s gave %u blocks and %u times NULL: not the same each time", what,
                       blocks, TRIES - blocks);
    if (!blocks && v->promised)
        hm_verify_fail(v, "%s gave NULL, and the interface promises a unique block", what);
    free_all(v, s);
    return blocks != 0;
}

static void *ask_malloc(const struct hm_memory *m) {
    return hm_malloc(m, 0);
}

static void *ask_calloc(const struct hm_memory *m) {
    return hm_calloc(m, 0, 8);
}

static void *ask_aligned(const struct hm_memory *m) {
    return hm_aligned_alloc(m, 64, 0);
}

/* Either the block is gone (NULL) or there is one that can be freed. */
static bool shrink_to_nothing(struct hm_verify *v) {
    hm_verify_at(v, "realloc(p, 0)");
    errno = 0;
    void *p = hm_realloc(v->memory, hm_verify_malloc(v, 100), 0);
    if (p)
        hm_free(v->memory, p);
    return p != NULL;
}

static void check_zero_size(struct hm_verify *v) {
    struct hm_shadow s;
    hm_verify_shadow(v, &s, 64);
    bool from_malloc = gives_blocks(v, &s, "malloc(0)", ask_malloc);
    bool from_calloc = gives_blocks(v, &s, "calloc(0, 8)", ask_calloc);
    bool from_aligned = !v->no_aligned && gives_blocks(v, &s, "aligned_alloc(64, 0)", ask_aligned);
    bool from_realloc = shrink_to_nothing(v);
    hm_verify_note(v,
                   "malloc(0): %s, calloc(0, 8): %s, aligned_alloc(64, 0): %s, realloc(p, 0): %s",
                   from_malloc ? "a block" : "NULL", from_calloc ? "a block" : "NULL",
                   from_aligned ? "a block" : "NULL", from_realloc ? "a block" : "frees");
}

static const struct hm_property zero_size = {
    .name = "zero-size",
    .summary = "blocks of no bytes: each unique, or always NULL; a plug-in has promised the first",
    .point = 7,
    .threads = 1,
    .run = check_zero_size,
};
HM_REGISTER(hm_property, zero_size);

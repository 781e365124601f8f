/* What blocks hold: realloc and calloc. */
#include "harness/verify/property.h"

#include "workloads/scratch.h"

static const size_t steps[] = {
    1,    8,    15,   16,   17,    24,    32,    40,    64,    65,     100,    128,    129,   255,
    256,  257,  400,  512,  513,   640,   1000,  1024,  1025,  1500,   2048,   2049,   4095,  4096,
    4097, 6000, 8192, 8193, 16384, 32768, 32769, 65536, 65537, 100000, 131072, 262144, 524288};

enum {
    STEPS = sizeof steps / sizeof *steps,
};

struct resized {
    struct hm_verify *v;
    struct hm_shadow shadow;
};

/* Resize a live block, check what it kept, and fill it anew. */
static void resize(struct resized *r, uint32_t id, size_t bytes) {
    struct hm_error error = {""};
    struct hm_shadow_block was;
    struct hm_verify *v = r->v;
    struct hm_shadow *s = &r->shadow;
    hm_verify_at(v, "realloc of %zu to %zu bytes", s->blocks[id].bytes, bytes);
    hm_verify_try(v, hm_shadow_drop(s, id, &was, &error), &error);
    void *p = hm_verify_need(v, hm_realloc(v->memory, was.begin, bytes), "realloc", bytes);
    size_t kept = was.bytes < bytes ? was.bytes : bytes;
    hm_verify_try(v, hm_shadow_kept(s, id, &was, p, kept, &error), &error);
    hm_verify_take(v, s, id, p, bytes, hm_verify_alignment(v, bytes));
}

static void add(struct resized *r, uint32_t id, size_t bytes) {
    hm_verify_at(r->v, "malloc(%zu)", bytes);
    hm_verify_take(r->v, &r->shadow, id, hm_verify_malloc(r->v, bytes), bytes,
                   hm_verify_alignment(r->v, bytes));
}

/* Each pair of sizes, with a neighbour behind the block that must not notice. */
static void every_pair(struct resized *r) {
    for (size_t from = 0; from < STEPS; from++)
        for (size_t to = 0; to < STEPS; to++) {
            add(r, 0, steps[from]);
            add(r, 1, steps[from]);
            resize(r, 0, steps[to]);
            hm_verify_free(r->v, &r->shadow, 1);
            hm_verify_free(r->v, &r->shadow, 0);
        }
}

static void up_and_down(struct resized *r) {
    add(r, 0, 1);
    for (size_t i = 1; i < STEPS; i++)
        resize(r, 0, steps[i]);
    for (size_t i = STEPS; i-- > 0;)
        resize(r, 0, steps[i]);
    hm_verify_free(r->v, &r->shadow, 0);
}

static void after_aligned(struct resized *r) {
    struct hm_verify *v = r->v;
    for (size_t alignment = 32; !v->no_aligned && alignment <= 65536; alignment *= 2)
        for (size_t to = 0; to < STEPS; to += 3) {
            hm_verify_at(v, "aligned_alloc(%zu, 200)", alignment);
            hm_verify_take(v, &r->shadow, 0, hm_verify_aligned(v, alignment, 200), 200, 1);
            resize(r, 0, steps[to]);
            hm_verify_free(v, &r->shadow, 0);
        }
}

/* A size that no heap has: the block stays, alone and as it was. */
static void failing(struct resized *r, size_t bytes) {
    struct hm_error error = {""};
    struct hm_shadow_block was;
    struct hm_verify *v = r->v;
    const size_t impossible = (size_t)PTRDIFF_MAX - 4096;
    add(r, 0, bytes);
    hm_verify_at(v, "realloc of %zu to %zu bytes, which fails", bytes, impossible);
    hm_verify_try(v, hm_shadow_drop(&r->shadow, 0, &was, &error), &error);
    if (hm_realloc(v->memory, was.begin, impossible))
        hm_verify_fail(v, "realloc to %zu bytes gave a block", impossible);
    for (uint32_t id = 1; id < 5; id++) /* a block that was freed would be handed out now */
        add(r, id, bytes);
    hm_verify_at(v, "after a realloc of %zu to %zu bytes that failed", bytes, impossible);
    hm_verify_try(v, hm_shadow_restore(&r->shadow, 0, &was, &error), &error);
    for (uint32_t id = 0; id < 5; id++)
        hm_verify_free(v, &r->shadow, id);
}

static void check_realloc(struct hm_verify *v) {
    struct resized r = {.v = v};
    hm_verify_shadow(v, &r.shadow, 8);
    hm_verify_at(v, "realloc(NULL, 100)");
    void *p = hm_verify_need(v, hm_realloc(v->memory, NULL, 100), "realloc(NULL)", 100);
    hm_verify_take(v, &r.shadow, 0, p, 100, hm_verify_alignment(v, 100));
    hm_verify_free(v, &r.shadow, 0);
    every_pair(&r);
    up_and_down(&r);
    after_aligned(&r);
    failing(&r, 24);
    failing(&r, 1000);
    failing(&r, 300000);
}

static const struct hm_property realloc_property = {
    .name = "realloc",
    .summary = "keeps min(old, new) bytes; where it fails, the old block is as it was",
    .point = 3,
    .threads = 1,
    .run = check_realloc,
};
HM_REGISTER(hm_property, realloc_property);

static void zeroed(struct hm_verify *v, struct hm_shadow *s, uint32_t id, size_t count,
                   size_t size) {
    size_t bytes = count * size;
    hm_verify_at(v, "calloc(%zu, %zu)", count, size);
    char *p = hm_verify_need(v, hm_calloc(v->memory, count, size), "calloc", bytes);
    size_t at = hm_zero_check(p, bytes);
    if (at < bytes)
        hm_verify_fail(v, "calloc(%zu, %zu): byte %zu is 0x%02x and not 0", count, size, at,
                       (unsigned char)p[at]);
    hm_verify_take(v, s, id, p, bytes, hm_verify_alignment(v, bytes));
}

/* Blocks come back full of patterns, and must be handed out again as zeros. */
static void on_used_memory(struct hm_verify *v, struct hm_shadow *s) {
    for (unsigned pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < STEPS; i++) {
            for (uint32_t id = 0; id < 4; id++) {
                if (pass != 1) {
                    zeroed(v, s, id, steps[i], 1);
                    continue;
                }
                hm_verify_at(v, "malloc(%zu)", steps[i]);
                hm_verify_take(v, s, id, hm_verify_malloc(v, steps[i]), steps[i], 1);
            }
            for (uint32_t id = 0; id < 4; id++)
                hm_verify_free(v, s, id);
            zeroed(v, s, 0, (steps[i] + 7) / 8, 8);
            hm_verify_free(v, s, 0);
        }
}

static void check_calloc(struct hm_verify *v) {
    static const size_t products[][2] = {
        {(size_t)1 << 32, (size_t)1 << 32}, /* 0 modulo 2^64 */
        {(size_t)1 << 63, 2},
        {2, (size_t)1 << 63},
        {(size_t)1 << 60, 16},
        {((size_t)1 << 32) + 1, (size_t)1 << 32},
        {SIZE_MAX / 2 + 2, 2}, /* 2 */
        {SIZE_MAX, SIZE_MAX},  /* 1 */
        {SIZE_MAX / 16 + 2, 16},
    };
    struct hm_shadow s;
    hm_verify_shadow(v, &s, 8);
    on_used_memory(v, &s);
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        size_t count = products[i][0];
        size_t size = products[i][1];
        hm_verify_at(v, "calloc(%zu, %zu)", count, size);
        if (hm_calloc(v->memory, count, size))
            hm_verify_fail(v, "calloc(%zu, %zu) gave a block: the product is %zu modulo 2^64",
                           count, size, count * size);
    }
}

static const struct hm_property calloc_property = {
    .name = "calloc",
    .summary = "zero on memory that was used; NULL for a product beyond SIZE_MAX",
    .point = 4,
    .threads = 1,
    .run = check_calloc,
};
HM_REGISTER(hm_property, calloc_property);

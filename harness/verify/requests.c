/* Odd requests and what they leave behind: huge-sizes, enomem, posix-memalign, free-null-errno,
 * and entry-points, which comes before all others. */
#include "harness/verify/property.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The process has proved where its malloc comes from before any property begins. */
static void check_entry_points(struct hm_verify *v) {
    hm_verify_at(v, "the first malloc");
    hm_free(v->memory, hm_verify_malloc(v, 1));
}

static const struct hm_property entry_points = {
    .name = "entry-points",
    .summary = "the heap opens, and every malloc entry point is the allocator's own",
    .point = 0,
    .threads = 1,
    .run = check_entry_points,
};
HM_REGISTER(hm_property, entry_points);

/* What is asked of a heap that can not give it. Each returns NULL, or what must not be there. */
struct huge {
    const char *before; /* the size: what the call looks like */
    const char *behind; /* NULL: there is no size in it */
    void *(*ask)(const struct hm_memory *m, size_t size, void *old);
};

static void *huge_malloc(const struct hm_memory *m, size_t size, void *old) {
    (void)old;
    return hm_malloc(m, size);
}

static void *huge_calloc(const struct hm_memory *m, size_t size, void *old) {
    (void)old;
    return hm_calloc(m, 1, size);
}

/* The product is 0 modulo 2^64, whatever the size. */
static void *huge_product(const struct hm_memory *m, size_t size, void *old) {
    (void)old;
    (void)size;
    return hm_calloc(m, (size_t)1 << 32, (size_t)1 << 32);
}

static void *huge_aligned(const struct hm_memory *m, size_t size, void *old) {
    (void)old;
    return hm_aligned_alloc(m, 64, size & ~(size_t)63);
}

static void *huge_realloc(const struct hm_memory *m, size_t size, void *old) {
    return hm_realloc(m, old, size);
}

static const struct huge huge[] = {{"malloc(", ")", huge_malloc},
                                   {"calloc(1, ", ")", huge_calloc},
                                   {"calloc(2^32, 2^32)", NULL, huge_product},
                                   {"aligned_alloc(64, ", " or less)", huge_aligned},
                                   {"realloc of 40 bytes to ", "", huge_realloc}};

static const size_t huge_numbers[] = {(size_t)PTRDIFF_MAX + 1,
                                      (size_t)PTRDIFF_MAX + 4096,
                                      SIZE_MAX - 4096,
                                      SIZE_MAX - 63,
                                      SIZE_MAX - 15,
                                      SIZE_MAX - 7,
                                      SIZE_MAX - 1,
                                      SIZE_MAX};

enum {
    HUGE = sizeof huge / sizeof *huge,
    HUGE_NUMBERS = sizeof huge_numbers / sizeof *huge_numbers,
    OLD_BYTES = 40,
};

/* @return the errno that the refusal left */
static int refuse(struct hm_verify *v, const struct huge *h, size_t size) {
    char *old = hm_verify_malloc(v, OLD_BYTES);
    hm_pattern_fill(old, OLD_BYTES, size);
    if (h->behind)
        hm_verify_at(v, "%s%zu%s", h->before, size, h->behind);
    else
        hm_verify_at(v, "%s", h->before);
    errno = 0;
    void *p = h->ask(v->memory, size, old);
    int code = errno;
    if (p)
        hm_verify_fail(v, "%s gave a block", v->board->at);
    if (hm_pattern_check(old, OLD_BYTES, size) < OLD_BYTES)
        hm_verify_fail(v, "%s changed a block", v->board->at);
    hm_free(v->memory, old);
    return code;
}

/* The sum of alignment and size wraps, or comes close (CVE-2026-0861). */
static void refuse_huge_alignments(struct hm_verify *v) {
    for (unsigned bit = 60; bit < 64; bit++)
        for (size_t under = 0; under < 7; under++) {
            size_t alignment = (size_t)1 << bit;
            size_t size = under ? (size_t)PTRDIFF_MAX - (((size_t)1 << (6 * under)) - 1) : 24;
            hm_verify_at(v, "aligned_alloc(2^%u, %zu)", bit, size);
            if (hm_aligned_alloc(v->memory, alignment, size))
                hm_verify_fail(v, "%s gave a block", v->board->at);
        }
}

static void check_huge_sizes(struct hm_verify *v) {
    for (size_t i = 0; i < HUGE_NUMBERS; i++)
        for (size_t h = 0; h < HUGE; h++)
            refuse(v, &huge[h], huge_numbers[i]);
    refuse_huge_alignments(v);
}

static const struct hm_property huge_sizes = {
    .name = "huge-sizes",
    .summary = "sizes above PTRDIFF_MAX and alignments up to 2^63 are NULL, and change nothing",
    .point = 5,
    .threads = 1,
    .run = check_huge_sizes,
};
HM_REGISTER(hm_property, huge_sizes);

/* POSIX asks for it, and ISO C does not: so it stands by itself. */
static void check_enomem(struct hm_verify *v) {
    for (size_t h = 0; h < HUGE; h++) {
        if (v->no_aligned && huge[h].ask == huge_aligned)
            continue;
        int code = refuse(v, &huge[h], huge_numbers[0]);
        if (code != ENOMEM)
            hm_verify_fault(v, "%s gave NULL with errno %d and not ENOMEM", v->board->at, code);
    }
}

static const struct hm_property enomem = {
    .name = "enomem",
    .summary = "what is refused for its size sets errno to ENOMEM, as POSIX asks for",
    .point = 5,
    .threads = 1,
    .run = check_enomem,
};
HM_REGISTER(hm_property, enomem);

/* Not by its name: a compiler knows that it leaves the pointer alone where it fails. */
static int (*volatile const call_posix_memalign)(void **, size_t, size_t) = posix_memalign;

static void refuse_alignment(struct hm_verify *v, size_t alignment) {
    char mark;
    void *p = &mark;
    errno = ERANGE;
    hm_verify_at(v, "posix_memalign(&p, %zu, 64)", alignment);
    int code = call_posix_memalign(&p, alignment, 64);
    if (code != EINVAL)
        hm_verify_fail(v, "%s returned %d and not EINVAL", v->board->at, code);
    if (p != &mark)
        hm_verify_fail(v, "%s failed and changed p", v->board->at);
}

static void posix_memalign_works(struct hm_verify *v) {
    struct hm_shadow s;
    hm_verify_shadow(v, &s, 64);
    uint32_t id = 0;
    for (size_t alignment = sizeof(void *); alignment <= 1 << 20; alignment *= 2, id++) {
        void *p = NULL;
        hm_verify_at(v, "posix_memalign(&p, %zu, 100)", alignment);
        int code = call_posix_memalign(&p, alignment, 100);
        if (code || !p)
            hm_verify_fail(v, "%s returned %d", v->board->at, code);
        hm_verify_take(v, &s, id, p, 100, alignment);
    }
    while (id-- > 0)
        hm_verify_free(v, &s, id);
}

static void posix_memalign_runs_out(struct hm_verify *v) {
    char mark;
    void *p = &mark;
    hm_verify_at(v, "posix_memalign(&p, 64, PTRDIFF_MAX - 4096)");
    int code = call_posix_memalign(&p, 64, (size_t)PTRDIFF_MAX - 4096);
    if (code != ENOMEM)
        hm_verify_fail(v, "%s returned %d and not ENOMEM", v->board->at, code);
    if (p != &mark)
        hm_verify_fail(v, "%s failed and changed p", v->board->at);
}

/* A plug-in has promised EINVAL; C libraries differ, and may give a block. */
static void bad_aligned_alloc(struct hm_verify *v) {
    static const size_t bad[] = {3, 24, 100};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hm_verify_at(v, "aligned_alloc(%zu, 96)", bad[i]);
        errno = 0;
        void *p = hm_aligned_alloc(v->memory, bad[i], 96);
        if (p && v->promised)
            hm_verify_fail(v, "%s gave a block: the alignment is no power of two", v->board->at);
        if (!p && v->promised && errno != EINVAL)
            hm_verify_fail(v, "%s gave NULL with errno %d and not EINVAL", v->board->at, errno);
        if (p)
            memset(p, 1, 96);
        hm_free(v->memory, p);
    }
}

static void check_posix_memalign(struct hm_verify *v) {
    static const size_t bad[] = {0, 1, 2, 3, 4, 7, 24, 100, 4095, SIZE_MAX};
    bad_aligned_alloc(v);
    if (!v->is_process)
        return;
    posix_memalign_works(v);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse_alignment(v, bad[i]);
    posix_memalign_runs_out(v);
}

static const struct hm_property posix_memalign_property = {
    .name = "posix-memalign",
    .summary = "EINVAL for a bad alignment; where it fails, the caller's pointer is untouched",
    .point = 6,
    .threads = 1,
    .run = check_posix_memalign,
};
HM_REGISTER(hm_property, posix_memalign_property);

/* POSIX.1-2024, free(): it does not change errno. */
static void check_free(struct hm_verify *v) {
    static const size_t sizes[] = {1, 24, 500, 4096, 40000, 1 << 20, 8 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hm_verify_at(v, "free of %zu bytes", sizes[i]);
        void *p = hm_verify_malloc(v, sizes[i]);
        errno = EXDEV;
        hm_free(v->memory, p);
        if (errno != EXDEV)
            hm_verify_fail(v, "%s changed errno to %d", v->board->at, errno);
    }
    hm_verify_at(v, "free(NULL)");
    for (int i = 0; i < 100; i++) {
        errno = EXDEV;
        hm_free(v->memory, NULL);
        if (errno != EXDEV)
            hm_verify_fail(v, "free(NULL) changed errno to %d", errno);
    }
    hm_verify_at(v, "malloc after free(NULL)");
    void *p = hm_verify_malloc(v, 100);
    memset(p, 1, 100);
    hm_free(v->memory, p);
}

static const struct hm_property free_null_errno = {
    .name = "free-null-errno",
    .summary = "free(NULL) does nothing, and no free changes errno",
    .point = 9,
    .threads = 1,
    .run = check_free,
};
HM_REGISTER(hm_property, free_null_errno);

/* The shadow of a heap. The treap is Seidel and Aragon's: a search tree by address, a heap by a
 * priority drawn for each block. */
#include "harness/verify/shadow.h"

#include "workloads/scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NONE UINT32_MAX

/* Odd, so that no two words of a block are equal; Knuth's golden ratio. */
static const uint64_t pattern_step = 0x9e3779b97f4a7c15u;

enum {
    PIECE_WORDS = 64, /* compared at once, without a branch for each word */
};

uint64_t hm_pattern_key(uint64_t salt, uint32_t id, uint32_t generation) {
    return hm_mix(salt ^ ((uint64_t)id << 32 | generation));
}

void hm_pattern_fill(void *p, size_t bytes, uint64_t key) {
    char *at = p;
    uint64_t word = key;
    for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
        memcpy(at, &word, sizeof word);
        word += pattern_step;
    }
    memcpy(at, &word, bytes);
}

/* Whether `words` words from the one of `key` on are as they must be. */
static bool is_pattern(const char *at, size_t words, uint64_t key) {
    uint64_t wrong = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, at + i * sizeof word, sizeof word);
        wrong |= word ^ (key + i * pattern_step);
    }
    return wrong == 0;
}

static size_t first_difference(const char *at, size_t bytes, uint64_t key) {
    for (size_t i = 0; i < bytes; i++) {
        uint64_t word = key + i / sizeof word * pattern_step;
        if (at[i] != (char)(word >> i % sizeof word * 8))
            return i;
    }
    return bytes;
}

size_t hm_pattern_check(const void *p, size_t bytes, uint64_t key) {
    const char *at = p;
    size_t words = bytes / sizeof key;
    size_t done = 0;
    while (done < words) {
        size_t piece = words - done < PIECE_WORDS ? words - done : PIECE_WORDS;
        if (!is_pattern(at + done * sizeof key, piece, key + done * pattern_step))
            break;
        done += piece;
    }
    size_t from = done * sizeof key;
    return from + first_difference(at + from, bytes - from, key + done * pattern_step);
}

size_t hm_zero_check(const void *p, size_t bytes) {
    const char *at = p;
    if (!bytes || (!at[0] && memcmp(at, at + 1, bytes - 1) == 0))
        return bytes;
    size_t i = 0;
    while (!at[i])
        i++;
    return i;
}

int hm_shadow_open(struct hm_shadow *shadow, uint32_t ids, uint64_t salt) {
    struct hm_shadow_block *blocks = hm_scratch(ids * sizeof *blocks);
    if (!blocks)
        return ENOMEM;
    *shadow = (struct hm_shadow){.blocks = blocks, .ids = ids, .root = NONE, .salt = salt};
    return 0;
}

void hm_shadow_close(struct hm_shadow *shadow) {
    hm_scratch_free(shadow->blocks, shadow->ids * sizeof *shadow->blocks);
    shadow->blocks = NULL;
}

static uintptr_t begin_of(const struct hm_shadow *s, uint32_t id) {
    return (uintptr_t)s->blocks[id].begin;
}

/* The live blocks next to an address: the last that begins at or below it, the first above it. */
static void neighbours(const struct hm_shadow *s, uintptr_t at, uint32_t *below, uint32_t *above) {
    *below = NONE;
    *above = NONE;
    for (uint32_t i = s->root; i != NONE;) {
        bool is_below = begin_of(s, i) <= at;
        *(is_below ? below : above) = i;
        i = is_below ? s->blocks[i].right : s->blocks[i].left;
    }
}

/* One thread writes; others may read. */
static void count(struct hm_shadow *s, uint32_t live, size_t live_bytes, size_t last_bytes) {
    __atomic_store_n(&s->live, live, __ATOMIC_RELAXED);
    __atomic_store_n(&s->live_bytes, live_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&s->last_bytes, last_bytes, __ATOMIC_RELAXED);
}

/* Insert: go down to where the new priority is the highest, then split what is there in two. */
static void link_block(struct hm_shadow *s, uint32_t id) {
    struct hm_shadow_block *new = &s->blocks[id];
    uint32_t *link = &s->root;
    new->priority = (uint32_t)hm_mix((uint64_t)id << 32 | ++new->generation);
    while (*link != NONE && s->blocks[*link].priority >= new->priority)
        link = begin_of(s, *link) < (uintptr_t) new->begin ? &s->blocks[*link].right
                                                           : &s->blocks[*link].left;
    uint32_t rest = *link;
    uint32_t *left = &new->left;
    uint32_t *right = &new->right;
    *link = id;
    while (rest != NONE) {
        if (begin_of(s, rest) < (uintptr_t) new->begin) {
            *left = rest;
            left = &s->blocks[rest].right;
            rest = *left;
        } else {
            *right = rest;
            right = &s->blocks[rest].left;
            rest = *right;
        }
    }
    *left = NONE;
    *right = NONE;
    count(s, s->live + 1, s->live_bytes + s->blocks[id].bytes, 0);
}

/* Remove: put the two subtrees together in the block's place. */
void hm_shadow_forget(struct hm_shadow *s, uint32_t id) {
    uintptr_t at = begin_of(s, id);
    uint32_t *link = &s->root;
    while (*link != id)
        link = begin_of(s, *link) < at ? &s->blocks[*link].right : &s->blocks[*link].left;
    uint32_t left = s->blocks[id].left;
    uint32_t right = s->blocks[id].right;
    while (left != NONE && right != NONE) {
        if (s->blocks[left].priority >= s->blocks[right].priority) {
            *link = left;
            link = &s->blocks[left].right;
            left = *link;
        } else {
            *link = right;
            link = &s->blocks[right].left;
            right = *link;
        }
    }
    *link = left != NONE ? left : right;
    s->blocks[id].begin = NULL;
    count(s, s->live - 1, s->live_bytes - s->blocks[id].bytes, s->blocks[id].bytes);
}

static int overlap(const struct hm_shadow *s, uint32_t id, size_t bytes, const char *p,
                   uint32_t other, struct hm_error *error) {
    const struct hm_shadow_block *o = &s->blocks[other];
    ptrdiff_t distance = p - o->begin;
    return hm_fail(error, EFAULT,
                   "block %" PRIu32 " (%zu bytes) begins %td bytes %s the start of live block "
                   "%" PRIu32 " (%zu bytes): they overlap",
                   id, bytes, distance < 0 ? -distance : distance,
                   distance < 0 ? "before" : "behind", other, o->bytes);
}

static int check_place(const struct hm_shadow *s, uint32_t id, const char *p, size_t bytes,
                       size_t reach, struct hm_error *error) {
    uint32_t below;
    uint32_t above;
    neighbours(s, (uintptr_t)p, &below, &above);
    if (below != NONE && begin_of(s, below) + s->blocks[below].reach > (uintptr_t)p)
        return overlap(s, id, bytes, p, below, error);
    if (above != NONE && (uintptr_t)p + reach > begin_of(s, above))
        return overlap(s, id, bytes, p, above, error);
    return 0;
}

static uint64_t key_of(const struct hm_shadow *s, uint32_t id, const struct hm_shadow_block *b) {
    return hm_pattern_key(s->salt, id, b->generation);
}

int hm_shadow_take(struct hm_shadow *s, uint32_t id, void *p, size_t bytes, size_t alignment,
                   struct hm_error *error) {
    struct hm_shadow_block *b = &s->blocks[id];
    size_t reach = bytes ? bytes : 1;
    if ((uintptr_t)p & (alignment - 1))
        return hm_fail(error, EFAULT, "block %" PRIu32 " (%zu bytes) is at %p: not aligned to %zu",
                       id, bytes, p, alignment);
    int bad = check_place(s, id, p, bytes, reach, error);
    if (bad)
        return bad;
    b->begin = p;
    b->bytes = bytes;
    b->reach = reach;
    link_block(s, id);
    hm_pattern_fill(p, bytes, key_of(s, id, b));
    return 0;
}

static int check_bytes(const struct hm_shadow *s, uint32_t id, const struct hm_shadow_block *b,
                       const void *p, size_t bytes, const char *what, struct hm_error *error) {
    size_t at = hm_pattern_check(p, bytes, key_of(s, id, b));
    if (at == bytes)
        return 0;
    return hm_fail(error, EBADMSG, "byte %zu of block %" PRIu32 " (%zu bytes) %s", at, id, b->bytes,
                   what);
}

int hm_shadow_check(const struct hm_shadow *s, uint32_t id, struct hm_error *error) {
    const struct hm_shadow_block *b = &s->blocks[id];
    return check_bytes(s, id, b, b->begin, b->bytes, "was changed while it was live", error);
}

int hm_shadow_check_all(const struct hm_shadow *s, struct hm_error *error) {
    int bad = 0;
    for (uint32_t id = 0; !bad && id < s->ids; id++)
        if (hm_shadow_is_live(s, id))
            bad = hm_shadow_check(s, id, error);
    return bad;
}

int hm_shadow_drop(struct hm_shadow *s, uint32_t id, struct hm_shadow_block *was,
                   struct hm_error *error) {
    int bad = hm_shadow_check(s, id, error);
    if (was)
        *was = s->blocks[id];
    hm_shadow_forget(s, id);
    return bad;
}

int hm_shadow_restore(struct hm_shadow *s, uint32_t id, const struct hm_shadow_block *was,
                      struct hm_error *error) {
    struct hm_shadow_block *b = &s->blocks[id];
    int bad = check_place(s, id, was->begin, was->bytes, was->reach, error);
    if (!bad)
        bad = check_bytes(s, id, was, was->begin, was->bytes,
                          "was changed by a realloc that failed", error);
    if (bad)
        return bad;
    *b = *was;
    link_block(s, id);
    hm_pattern_fill(b->begin, b->bytes, key_of(s, id, b));
    return 0;
}

int hm_shadow_kept(const struct hm_shadow *s, uint32_t id, const struct hm_shadow_block *was,
                   const void *p, size_t bytes, struct hm_error *error) {
    return check_bytes(s, id, was, p, bytes, "was lost by realloc", error);
}

int hm_shadow_stretch(struct hm_shadow *s, uint32_t id, size_t usable, struct hm_error *error) {
    struct hm_shadow_block *b = &s->blocks[id];
    uint32_t below;
    uint32_t above;
    if (usable < b->bytes)
        return hm_fail(error, EFAULT,
                       "the usable size of block %" PRIu32 " (%zu bytes) is only %zu", id, b->bytes,
                       usable);
    neighbours(s, (uintptr_t)b->begin, &below, &above);
    if (above != NONE && (uintptr_t)b->begin + usable > begin_of(s, above))
        return hm_fail(error, EFAULT,
                       "the usable size of block %" PRIu32 " (%zu bytes) is %zu, and byte %td of "
                       "it is live block %" PRIu32 "'s",
                       id, b->bytes, usable, s->blocks[above].begin - b->begin, above);
    b->reach = usable > b->reach ? usable : b->reach;
    memset(b->begin + b->bytes, 0xa5, usable - b->bytes);
    return 0;
}

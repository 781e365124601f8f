/* Long random scripts of heap operations. */
#include "harness/verify/script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    TINY_MAX = 128,
    MEDIUM_MAX = 4096,
    POWER_BITS = 16,
    PAGES_MAX = 8,
    PAGE_BYTES = 4096,
    LARGE_MAX = 1 << 20,
    ALIGNMENT_BITS = 9, /* 8 to 4096 */
};

static size_t draw_size(struct hm_random *random) {
    uint64_t of_1000 = hm_random_below(random, 1000);
    if (of_1000 < 600)
        return 1 + hm_random_below(random, TINY_MAX);
    if (of_1000 < 800)
        return ((size_t)1 << hm_random_below(random, POWER_BITS - 4)) + hm_random_below(random, 3) -
               1;
    if (of_1000 < 960)
        return 1 + hm_random_below(random, MEDIUM_MAX);
    if (of_1000 < 980)
        return (1 + hm_random_below(random, PAGES_MAX)) * PAGE_BYTES + hm_random_below(random, 3) -
               1;
    if (of_1000 < 988)
        return ((size_t)1 << (POWER_BITS - 4 + hm_random_below(random, 5))) +
               hm_random_below(random, 3) - 1;
    if (of_1000 < 999)
        return 0;
    return 1 + hm_random_below(random, LARGE_MAX);
}

void hm_script_begin(struct hm_script *script, uint64_t seed, uint64_t episode, uint64_t ops) {
    script->random = hm_random_of(hm_mix(seed) + episode, 0);
    script->left = ops < HM_EPISODE_OPS ? (uint32_t)ops : HM_EPISODE_OPS;
    script->slots = 16u << 2 * hm_random_below(&script->random, 5); /* 16 to HM_SCRIPT_IDS */
    script->live = 0;
    for (uint32_t id = 0; id < HM_SCRIPT_IDS; id++) {
        script->ids[id] = id;
        script->place[id] = id;
    }
}

/* Live ids stay together at the front of ids[]. */
static void swap(struct hm_script *s, uint32_t place, uint32_t other) {
    uint32_t id = s->ids[place];
    s->ids[place] = s->ids[other];
    s->ids[other] = id;
    s->place[s->ids[place]] = place;
    s->place[id] = other;
}

static void free_live(struct hm_script *s, uint32_t id, struct hm_op *out) {
    swap(s, s->place[id], --s->live);
    out->kind = HM_OP_FREE;
}

static void draw_new(struct hm_script *s, struct hm_op *out) {
    uint64_t of_10 = hm_random_below(&s->random, 10);
    swap(s, s->place[out->id], s->live++);
    out->kind = of_10 < 7 ? HM_OP_MALLOC : of_10 < 9 ? HM_OP_CALLOC : HM_OP_ALIGNED;
    out->size = draw_size(&s->random);
    if (out->kind == HM_OP_ALIGNED)
        out->shift = (uint8_t)(3 + hm_random_below(&s->random, ALIGNMENT_BITS + 1));
    if (out->kind == HM_OP_CALLOC && out->size <= MEDIUM_MAX)
        out->count = (uint16_t)(1 + hm_random_below(&s->random, 4));
    else
        out->count = 1;
}

bool hm_script_next(struct hm_script *s, struct hm_op *out) {
    if (!s->left)
        return false;
    uint32_t id = (uint32_t)hm_random_below(&s->random, s->slots);
    *out = (struct hm_op){.id = id};
    if (s->left-- <= s->live) {
        out->id = s->ids[hm_random_below(&s->random, s->live)];
        free_live(s, out->id, out);
    } else if (s->place[id] >= s->live) {
        if (s->live < s->left) /* else there is no room to free it */
            draw_new(s, out);
        else
            out->kind = HM_OP_FREE;
    } else {
        uint64_t of_10 = hm_random_below(&s->random, 10);
        if (of_10 < 6) {
            free_live(s, id, out);
        } else if (of_10 < 9) {
            out->kind = HM_OP_REALLOC;
            out->size = draw_size(&s->random);
            out->size += !out->size; /* what realloc(p, 0) means is each allocator's own */
        } else {
            out->kind = HM_OP_USABLE;
        }
    }
    return true;
}

static size_t alignment_of(const struct hm_player *p, size_t bytes) {
    size_t alignment = p->unaligned ? 1 : p->alignment;
    while (!p->promised && alignment > 1 && alignment > bytes)
        alignment /= 2;
    return alignment;
}

/* Whether NULL is an answer: for no bytes, and from an arena that ran out.
 * @param room that is needed at most, in one piece */
static int refused(struct hm_player *p, size_t bytes, size_t room, int code,
                   struct hm_error *error) {
    if (!bytes)
        return 0;
    p->refused++;
    if (code == ENOMEM && p->may_refuse && p->may_refuse(p->arg, room))
        return 0;
    return hm_fail(error, ENOMEM, "it gave NULL (errno %d)", code);
}

static bool is_excused(const struct hm_player *p, const struct hm_op *op) {
    char call[64];
    if (!p->excuses || op->kind != HM_OP_ALIGNED)
        return false;
    snprintf(call, sizeof call, "aligned_alloc(%zu, %zu)", (size_t)1 << op->shift, op->size);
    return p->excuses(p->arg, call);
}

static int add(struct hm_player *p, const struct hm_op *op, struct hm_error *error) {
    size_t bytes = op->kind == HM_OP_CALLOC ? op->count * op->size : op->size;
    size_t alignment = alignment_of(p, bytes);
    void *block;
    errno = 0;
    p->asked++;
    if (op->kind == HM_OP_MALLOC) {
        block = hm_malloc(p->memory, bytes);
    } else if (op->kind == HM_OP_CALLOC) {
        block = hm_calloc(p->memory, op->count, op->size);
    } else {
        alignment = (size_t)1 << op->shift;
        block = hm_aligned_alloc(p->memory, alignment, bytes);
        if (!block && errno == EINVAL && !p->promised && bytes % alignment)
            return 0; /* as C11 let it */
    }
    if (!block)
        return refused(p, bytes, bytes + alignment, errno, error);
    if (bytes && p->first_count < HM_FIRST_BLOCKS)
        p->first[p->first_count++] = bytes;
    if (op->kind == HM_OP_CALLOC) {
        size_t at = hm_zero_check(block, bytes);
        if (at < bytes)
            return hm_fail(error, EBADMSG, "byte %zu of %zu is not zero", at, bytes);
    }
    if (p->unaligned)
        alignment = 1;
    else if (((uintptr_t)block & (alignment - 1)) && is_excused(p, op))
        alignment = alignment_of(p, bytes);
    return hm_shadow_take(&p->shadow, op->id, block, bytes, alignment, error);
}

static int resize(struct hm_player *p, const struct hm_op *op, struct hm_error *error) {
    struct hm_shadow_block was;
    struct hm_shadow *s = &p->shadow;
    int bad = hm_shadow_drop(s, op->id, &was, error);
    if (bad)
        return bad;
    errno = 0;
    p->asked++;
    void *block = hm_realloc(p->memory, was.begin, op->size);
    if (!block) {
        bad = refused(p, op->size, op->size, errno, error);
        return bad ? bad : hm_shadow_restore(s, op->id, &was, error);
    }
    size_t kept = was.bytes < op->size ? was.bytes : op->size;
    bad = hm_shadow_kept(s, op->id, &was, block, kept, error);
    return bad ? bad : hm_shadow_take(s, op->id, block, op->size, alignment_of(p, op->size), error);
}

static int release(struct hm_player *p, uint32_t id, struct hm_error *error) {
    struct hm_shadow_block was;
    int bad = hm_shadow_drop(&p->shadow, id, &was, error);
    if (!bad)
        hm_free(p->memory, was.begin);
    return bad;
}

int hm_player_step(struct hm_player *p, const struct hm_op *op, struct hm_error *error) {
    bool makes = op->kind <= HM_OP_CALLOC || op->kind == HM_OP_ALIGNED;
    struct hm_shadow *s = &p->shadow;
    if (makes == hm_shadow_is_live(s, op->id) || (p->no_usable && op->kind == HM_OP_USABLE) ||
        (p->no_aligned && op->kind == HM_OP_ALIGNED))
        return 0;
    switch (op->kind) {
    case HM_OP_REALLOC:
        return resize(p, op, error);
    case HM_OP_FREE:
        return release(p, op->id, error);
    case HM_OP_USABLE:
        return hm_shadow_stretch(s, op->id, hm_usable_size(p->memory, s->blocks[op->id].begin),
                                 error);
    default:
        return add(p, op, error);
    }
}

int hm_player_clear(struct hm_player *p, struct hm_error *error) {
    int bad = hm_shadow_check_all(&p->shadow, error);
    for (uint32_t id = 0; !bad && id < p->shadow.ids; id++)
        if (hm_shadow_is_live(&p->shadow, id))
            bad = release(p, id, error);
    return bad;
}

int hm_player_again(const struct hm_player *p, struct hm_error *error) {
    for (unsigned i = 0; p->asks_again && i < p->first_count; i++) {
        void *block = hm_malloc(p->memory, p->first[i]);
        if (!block)
            return hm_fail(error, ENOMEM,
                           "all blocks are free, and malloc(%zu), one of the first sizes that it "
                           "gave, gives NULL",
                           p->first[i]);
        hm_free(p->memory, block);
    }
    return 0;
}

int hm_op_print(const struct hm_op *op, char *out, size_t size) {
    switch (op->kind) {
    case HM_OP_MALLOC:
        return snprintf(out, size, "malloc %" PRIu32 " %zu", op->id, op->size);
    case HM_OP_CALLOC:
        return snprintf(out, size, "calloc %" PRIu32 " %u %zu", op->id, op->count, op->size);
    case HM_OP_REALLOC:
        return snprintf(out, size, "realloc %" PRIu32 " %zu", op->id, op->size);
    case HM_OP_ALIGNED:
        return snprintf(out, size, "aligned %" PRIu32 " %zu %zu", op->id, (size_t)1 << op->shift,
                        op->size);
    case HM_OP_FREE:
        return snprintf(out, size, "free %" PRIu32, op->id);
    default:
        return snprintf(out, size, "# usable_size of %" PRIu32 ", all of it written", op->id);
    }
}

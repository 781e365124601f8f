/* Several mutators on one collector: whether what they made is what the mirror says. */
#include "harness/verify_gc/crew.h"

#include <inttypes.h>

enum {
    COUNT_MASK = 0x7fffffff, /* the highest bit may say: immortal */
};

#define FOR_EACH_HAND(h)                                                                           \
    for (struct hm_hand * (h) = crew->hands; (h) < crew->hands + HM_CREW_HANDS; (h)++)

/* ---- The mirror ---- */

static struct hm_piece *stack[HM_CREW_HANDS * HM_CREW_PIECES];
static size_t waiting;

static void reach(struct hm_piece *piece) {
    if (!piece || piece->reached)
        return;
    piece->reached = true;
    stack[waiting++] = piece;
}

static void mark(struct hm_crew *crew) {
    FOR_EACH_HAND(h) {
        for (int i = 0; i < h->used; i++)
            h->pieces[i].reached = false;
    }
    FOR_EACH_HAND(h) {
        for (int i = 0; i < HM_CREW_PLACES; i++)
            reach(h->held[i]);
    }
    while (waiting) {
        const struct hm_piece *piece = stack[--waiting];
        for (uint32_t i = 0; i < piece->length; i++)
            reach(piece->slots[i]);
    }
}

/* References from places, and from slots of what was not freed. */
static void count(struct hm_crew *crew) {
    FOR_EACH_HAND(h) {
        for (int i = 0; i < h->used; i++)
            h->pieces[i].count = 0;
    }
    FOR_EACH_HAND(h) {
        for (int i = 0; i < HM_CREW_PLACES; i++)
            if (h->held[i])
                h->held[i]->count++;
        for (int i = 0; i < h->used; i++)
            for (uint32_t s = 0; !h->pieces[i].freed && s < h->pieces[i].length; s++)
                if (h->pieces[i].slots[s])
                    h->pieces[i].slots[s]->count++;
    }
}

/* ---- What must be true ---- */

static void check_slots(struct hm_crew *crew, const struct hm_piece *piece, uint64_t number) {
    const struct hm_sim_mutator *ops = crew->check->ops;
    if (ops->length(piece->object) != piece->length)
        hm_check_fail(crew->check, "object %" PRIu64 " has %" PRIu32 " slots and not %" PRIu32,
                      number, ops->length(piece->object), piece->length);
    for (uint32_t i = 0; i < piece->length; i++)
        if (ops->load(piece->object, i) != (piece->slots[i] ? piece->slots[i]->object : NULL))
            hm_check_fail(crew->check,
                          "slot %" PRIu32 " of object %" PRIu64 " does not hold what it should", i,
                          number);
}

static void check_reached(struct hm_crew *crew, struct hm_hand *h, const struct hm_piece *piece,
                          uint64_t number) {
    struct hm_check *c = crew->check;
    if (piece->freed)
        hm_check_fail(c, "object %" PRIu64 " was freed, and is reachable", number);
    if (piece->finalized)
        hm_check_fail(c, "the finalizer of object %" PRIu64 " ran, and it is reachable", number);
    hm_hand_look(h, piece);
    check_slots(crew, piece, number);
    uint32_t counted = c->ops->refcount ? c->ops->refcount(piece->object) & COUNT_MASK : 0;
    if (c->ops->refcount && counted != piece->count)
        hm_check_fail(c,
                      "object %" PRIu64 " has a reference count of %" PRIu32
                      ", and there are %" PRIu32 " references",
                      number, counted, piece->count);
}

static void check_dead(struct hm_crew *crew, struct hm_piece *piece, uint64_t number) {
    struct hm_check *c = crew->check;
    bool found = hm_check_can(c, HM_GC_CYCLES) || piece->count == 0;
    if (!hm_check_can(c, HM_GC_FREES) || crew->blind)
        return;
    if (!piece->freed && found)
        hm_check_fail(c, "object %" PRIu64 " is unreachable, and a full collection did not free it",
                      number);
    if (piece->freed && piece->type && piece->type->finalize && !piece->finalized)
        hm_check_fail(c, "object %" PRIu64 " was freed, and its finalizer has not run", number);
    piece->gone = piece->freed;
}

void hm_crew_check(struct hm_crew *crew) {
    mark(crew);
    count(crew);
    FOR_EACH_HAND(h) {
        for (int i = 0; i < h->used; i++) {
            struct hm_piece *piece = &h->pieces[i];
            uint64_t number = h->number * (uint64_t)HM_CREW_PIECES + (uint64_t)i;
            if (piece->reached)
                check_reached(crew, h, piece, number);
            else if (!piece->gone)
                check_dead(crew, piece, number);
        }
    }
}

/* Properties of collectors that several mutators share: what one of them holds lives, whatever the others
 * do at the same time. */
#include "harness/verify_gc/crew.h"

#include "collectors/safepoint.h"

#include <inttypes.h>

enum {
    ROUNDS = 8,
    STEPS = 500,
    COLLECT_IN = 300, /* one of so many steps collects */
    REST_IN = 40,
    TOUCHES = 4,     /* of the mailbox, in a step: its count is what all threads change */
    LEAVE_EVERY = 3, /* rounds; a thread leaves, another one goes on in its place */
    SETTLE_MAX = 20,
    OPS_OF_ONE_CREW = HM_CREW_HANDS * ROUNDS * STEPS,
    OPS_FOR_ONE_CREW = 8 * OPS_OF_ONE_CREW, /* of --ops: threads that wait take their time */
};

static struct hm_crew crew;

/* ---- Taking turns ---- */

/* At rest, until all are. Whoever waits has passed a safepoint. */
static void meet(struct hm_hand *h) {
    if (crew.check->ops->safepoint)
        crew.check->ops->safepoint(h->m);
    hm_mutators_leave();
    pthread_barrier_wait(&crew.barrier);
    hm_mutators_enter();
}

static void in_turn(struct hm_hand *h, void (*act)(struct hm_hand *h)) {
    for (unsigned i = 0; i < HM_CREW_HANDS; i++) {
        meet(h);
        if (i == h->number)
            act(h);
    }
    meet(h);
    meet(h);
}

/* ---- A step ---- */

static int draw(struct hm_hand *h, unsigned n) {
    return (int)hm_random_below(&h->random, n);
}

static void step_take(struct hm_hand *h, int place) {
    const struct hm_sim_mutator *ops = crew.check->ops;
    uint32_t slot = (uint32_t)draw(h, HM_CREW_SLOTS);
    struct hm_piece *mailbox = h->held[HM_CREW_MAILBOX];
    hm_mutators_lock(&crew.mailbox_lock);
    struct hm_piece *piece = mailbox->slots[slot];
    struct hm_object *object = ops->load(mailbox->object, slot);
    ops->retain(h->m, object);
    pthread_mutex_unlock(&crew.mailbox_lock);
    if (object != (piece ? piece->object : NULL))
        hm_check_fail(crew.check, "a shared slot does not hold what was stored there");
    if (piece)
        hm_hand_look(h, piece);
    hm_hand_put(h, place, piece);
}

/* What was there is released behind the lock: a finalizer may be the last who sees it. */
static void step_give(struct hm_hand *h, int place) {
    const struct hm_sim_mutator *ops = crew.check->ops;
    uint32_t slot = (uint32_t)draw(h, HM_CREW_SLOTS);
    struct hm_piece *mailbox = h->held[HM_CREW_MAILBOX];
    hm_mutators_lock(&crew.mailbox_lock);
    struct hm_object *before = ops->load(mailbox->object, slot);
    ops->retain(h->m, before);
    mailbox->slots[slot] = h->held[place];
    ops->store(h->m, mailbox->object, slot, h->places[place]);
    pthread_mutex_unlock(&crew.mailbox_lock);
    ops->release(h->m, before);
}

static void step_follow(struct hm_hand *h, int place, const struct hm_piece *from) {
    struct hm_piece *next = from->slots[draw(h, from->length)];
    if (!next)
        return;
    hm_hand_look(h, next);
    hm_hand_share(h, place, next);
}

/* Anchors are held by their hands during a round: nobody may see them go. */
static void step_resolve(struct hm_hand *h) {
    struct hm_piece *weak = h->held[HM_CREW_WEAK + draw(h, HM_CREW_MAILBOX - HM_CREW_WEAK)];
    if (weak && hm_hand_resolve(h, weak) != weak->target)
        hm_check_fail(crew.check, "a weak reference is NULL for thread %u, and its target is held",
                      h->number);
}

static void touch_mailbox(struct hm_hand *h) {
    struct hm_object *mailbox = h->places[HM_CREW_MAILBOX];
    for (int i = 0; i < TOUCHES; i++) {
        crew.check->ops->retain(h->m, mailbox);
        crew.check->ops->release(h->m, mailbox);
    }
}

static void step(struct hm_hand *h) {
    int place = draw(h, HM_CREW_ROOTS), other = draw(h, HM_CREW_ROOTS), dice = draw(h, 20);
    struct hm_piece *piece = h->held[place];
    if (piece)
        hm_hand_look(h, piece);
    if (dice < 6)
        hm_hand_new(h, place);
    else if (dice < 9 && piece && hm_hand_made(h, piece))
        hm_hand_store(h, piece, (uint32_t)draw(h, piece->length), other);
    else if (dice < 11 && piece && hm_hand_made(h, piece))
        step_follow(h, other, piece);
    else if (dice < 14)
        step_take(h, place);
    else if (dice < 17)
        step_give(h, place);
    else if (dice < 18)
        step_resolve(h);
    else
        hm_hand_put(h, place, NULL);
    touch_mailbox(h);
}

static void work(struct hm_hand *h) {
    for (int i = 0; i < STEPS; i++) {
        if (crew.check->ops->safepoint)
            crew.check->ops->safepoint(h->m);
        step(h);
        if (draw(h, COLLECT_IN) == 0)
            hm_hand_collect(h, draw(h, 3));
        if (draw(h, REST_IN) == 0)
            hm_hand_rest(h);
    }
    hm_check_progress(crew.check, STEPS);
}

/* ---- Turns ---- */

static void make_mailbox(struct hm_hand *h) {
    if (h->number == 0)
        hm_hand_new(h, HM_CREW_MAILBOX);
    else
        hm_hand_share(h, HM_CREW_MAILBOX, crew.hands[0].held[HM_CREW_MAILBOX]);
}

static int weak_place(const struct hm_hand *of, int anchor) {
    return HM_CREW_WEAK + (int)of->number * HM_CREW_ANCHORS + anchor;
}

static void make_anchors(struct hm_hand *h) {
    for (int i = 0; i < HM_CREW_ANCHORS; i++)
        if (hm_hand_new(h, HM_CREW_ANCHOR + i) && h->used < HM_CREW_PIECES)
            hm_hand_weak(h, HM_CREW_ANCHOR + i, weak_place(h, i));
}

static void share_weak(struct hm_hand *h) {
    for (struct hm_hand *other = crew.hands; other < crew.hands + HM_CREW_HANDS; other++)
        for (int i = 0; other != h && i < HM_CREW_ANCHORS; i++)
            hm_hand_share(h, weak_place(other, i), other->held[weak_place(other, i)]);
}

/* Some of them are held by others. */
static void drop_anchors(struct hm_hand *h) {
    for (int i = draw(h, 2); i < HM_CREW_ANCHORS; i += 2)
        hm_hand_put(h, HM_CREW_ANCHOR + i, NULL);
}

static void check_weak(struct hm_hand *h, struct hm_piece *weak) {
    const struct hm_piece *target = weak->target;
    struct hm_piece *seen = hm_hand_resolve(h, weak);
    if (target->reached && !seen)
        hm_check_fail(crew.check, "a weak reference is NULL for thread %u, and its target lives",
                      h->number);
    if (weak->calls_back && weak->called != target->freed)
        hm_check_fail(crew.check, "the callback of a weak reference whose target %s ran %u times",
                      target->freed ? "died" : "lives", weak->called);
}

/* Who is not reached and not freed is for the collector to know: looking could bring it back. */
static void check_all_weak(struct hm_hand *h) {
    for (int i = HM_CREW_WEAK; i < HM_CREW_MAILBOX; i++)
        if (h->held[i] && (h->held[i]->target->reached || h->held[i]->target->freed))
            check_weak(h, h->held[i]);
}

static void drop_guests(struct hm_hand *h) {
    for (int i = HM_CREW_WEAK; i < HM_CREW_MAILBOX; i++)
        if (h->held[i] && !hm_hand_made(h, h->held[i]))
            hm_hand_put(h, i, NULL);
}

static void drop_own(struct hm_hand *h) {
    for (int i = HM_CREW_ANCHOR; i < HM_CREW_MAILBOX; i++)
        hm_hand_put(h, i, NULL);
}

static void drop_all(struct hm_hand *h) {
    for (int i = 0; i < HM_CREW_PLACES; i++)
        hm_hand_put(h, i, NULL);
}

/* Who collects says, while all others rest, whether finalizers ran and it is to be done again. */
static void collect_again(struct hm_hand *h) {
    unsigned before = crew.ended_before;
    crew.ended_before = __atomic_load_n(&crew.ended, __ATOMIC_RELAXED);
    crew.settled = crew.tries++ && crew.ended_before == before;
    hm_hand_collect(h, 2);
}

/* Until no finalizer has run since the last collection; then one of them compares. */
static void collect_and_check(struct hm_hand *h) {
    bool mine = h->round % HM_CREW_HANDS == h->number;
    if (mine)
        crew.tries = 0;
    do {
        meet(h);
        meet(h);
        if (mine)
            collect_again(h);
        meet(h);
        meet(h);
    } while (!crew.settled && crew.tries < SETTLE_MAX);
    if (mine)
        hm_crew_check(&crew);
    meet(h);
}

/* ---- A thread ---- */

static void play_round(struct hm_hand *h) {
    in_turn(h, make_anchors);
    in_turn(h, share_weak);
    work(h);
    collect_and_check(h);
    in_turn(h, drop_anchors);
    collect_and_check(h);
    in_turn(h, check_all_weak);
    in_turn(h, drop_guests);
    in_turn(h, drop_own);
}

static bool leaves_before(unsigned round, unsigned number) {
    return round && round % LEAVE_EVERY == 0 && round / LEAVE_EVERY % HM_CREW_HANDS == number;
}

static void *run_thread(void *arg) {
    struct hm_hand *h = arg;
    hm_hand_join(h);
    if (h->round == 0)
        in_turn(h, make_mailbox);
    for (bool fresh = true; h->round < crew.rounds; fresh = false) {
        if (!fresh && leaves_before(h->round, h->number)) {
            drop_all(h);
            hm_hand_part(h);
            return NULL;
        }
        if (fresh && h->round)
            hm_hand_share(h, HM_CREW_MAILBOX,
                          crew.hands[(h->number + 1) % HM_CREW_HANDS].held[HM_CREW_MAILBOX]);
        play_round(h);
        h->round++;
    }
    in_turn(h, drop_all);
    collect_and_check(h);
    hm_hand_part(h);
    return NULL;
}

static void start(struct hm_hand *h) {
    if (pthread_create(&h->thread, NULL, run_thread, h))
        hm_check_fail(crew.check, "a thread can not be started");
}

static void play(struct hm_check *c, enum hm_threading threading) {
    hm_gc_crew_open(&crew, c, threading);
    crew.rounds = ROUNDS;
    for (unsigned i = 0; i < HM_CREW_HANDS; i++)
        start(&crew.hands[i]);
    for (unsigned round = 1; round < crew.rounds; round++)
        for (unsigned i = 0; i < HM_CREW_HANDS; i++)
            if (leaves_before(round, i)) {
                pthread_join(crew.hands[i].thread, NULL);
                start(&crew.hands[i]);
            }
    for (unsigned i = 0; i < HM_CREW_HANDS; i++)
        pthread_join(crew.hands[i].thread, NULL);
    hm_gc_crew_close(&crew);
}

static void run_several(struct hm_check *c, enum hm_threading threading) {
    uint64_t crews = hm_check_effort(c, OPS_FOR_ONE_CREW, 1, 10000);
    uint64_t pauses = 0, told = 0, seed = c->seed;
    for (uint64_t i = 0; i < crews; i++) {
        hm_check_at(c, "%d mutators, crew %" PRIu64 " of seed %" PRIu64, HM_CREW_HANDS, i, seed);
        c->seed = hm_mix(seed * 0x9e3779b97f4a7c15u + i);
        play(c, threading);
        pauses += crew.pauses;
        told += crew.told;
    }
    if (pauses)
        hm_check_note(c, "%" PRIu64 " collections, of which %" PRIu64 " were asked for", pauses,
                      told < pauses ? told : pauses);
}

static void run_gil(struct hm_check *c) {
    if (!hm_check_can(c, HM_GC_GIL))
        hm_check_unsupported(c, "mutators can not share it under a global lock");
    run_several(c, HM_GIL);
}

static const struct hm_gc_property under_lock = {
    .name = "mutators-gil",
    .summary = "several mutators that take turns: what one of them holds lives, nothing else does",
    .point = 700,
    .run = run_gil};
HM_REGISTER(hm_gc_property, under_lock);

static void run_free(struct hm_check *c) {
    if (!hm_check_can(c, HM_GC_FREE))
        hm_check_unsupported(c, "mutators that run at the same time can not share it");
    run_several(c, HM_FREE);
}

static const struct hm_gc_property at_once = {
    .name = "mutators-free",
    .summary = "the same of several mutators that run at the same time",
    .point = 710,
    .run = run_free};
HM_REGISTER(hm_gc_property, at_once);

/* Several mutators on one collector, and the mirror of what they make.
 *
 * Words
 *   crew     an open collector and all that use it
 *   hand     one mutator, with the thread that it is used by. A thread may leave; another one then goes on
 *            with its objects.
 *   piece    an object that a hand made. Only its hand changes its slots, but for the mailbox.
 *   place    a variable of a hand: known to the collector as a root
 *   mailbox  one object with many slots, under a lock, through which hands get at each other's pieces
 *   anchor   a piece that its hand holds while others look at it through weak references
 *   turn     what one hand does while all others are at rest
 *
 * The mirror is written where the object is: a piece's slots by its hand, the mailbox's under its lock.
 * It is read as a whole in turns only. What a hand holds must not have been freed: that is looked at
 * whenever it is used. */
#ifndef HM_HARNESS_VERIFY_GC_CREW_H
#define HM_HARNESS_VERIFY_GC_CREW_H

#include "harness/verify_gc/check.h"
#include "harness/verify_gc/poison.h"
#include "workloads/scratch.h"

#include <pthread.h>

enum {
    HM_CREW_HANDS = 3,
    HM_CREW_PIECES = 4096, /* of a hand, as long as the crew is open */
    HM_CREW_SLOTS = 8,
    HM_CREW_ANCHORS = 4,
    /* Places of a hand. */
    HM_CREW_ROOTS = 8,
    HM_CREW_ANCHOR = HM_CREW_ROOTS,
    HM_CREW_WEAK = HM_CREW_ANCHOR + HM_CREW_ANCHORS, /* to all anchors of all hands */
    HM_CREW_MAILBOX = HM_CREW_WEAK + HM_CREW_HANDS * HM_CREW_ANCHORS,
    HM_CREW_PLACES,
};

struct hm_piece {
    struct hm_object *object;
    struct hm_piece *slots[HM_CREW_SLOTS];
    struct hm_piece *target; /* of a weak reference; else NULL */
    const struct hm_type *type;
    uint32_t length;
    uint32_t count; /* references that the mirror knows of */
    bool reached, gone, calls_back;
    bool freed;                 /* atomic */
    unsigned finalized, called; /* how often. Atomic. */
};

struct hm_crew;

struct hm_hand {
    struct hm_crew *crew;
    pthread_t thread;
    unsigned number;
    unsigned round; /* that comes next */
    struct hm_random random;
    struct hm_mutator *m;
    int used;
    struct hm_piece pieces[HM_CREW_PIECES];
    struct hm_piece *held[HM_CREW_PLACES]; /* the mirror of the next line */
    struct hm_object *places[HM_CREW_PLACES];
};

struct hm_crew {
    struct hm_check *check;
    enum hm_threading threading;
    unsigned rounds;
    struct hm_poison heap;
    struct hm_memory memory;   /* the heap, under `heap_lock` */
    pthread_mutex_t heap_lock; /* .. and all that the mirror hears from the heap */
    struct hm_gc_events events;
    struct hm_gc *gc;
    pthread_mutex_t mailbox_lock;
    pthread_barrier_t barrier;
    uint64_t pauses,
        told;         /* collections that began by themselves or not; calls of collect. Atomic. */
    unsigned pausing; /* atomic */
    unsigned ended;   /* finalizers and callbacks. Atomic. */
    unsigned ended_before, tries; /* .. when the last full collection began; how many there were */
    bool settled;                 /* .. and none ran since the one before it */
    bool blind;                   /* objects are no blocks of the heap */
    bool no_callbacks;            /* the collector has none */
    struct hm_hand hands[HM_CREW_HANDS];
};

/** Open a collector for HM_CREW_HANDS mutators over a fresh heap. One crew at a time. */
void hm_gc_crew_open(struct hm_crew *crew, struct hm_check *c, enum hm_threading threading);
/** No thread is left. Close, and see what is left in the heap. */
void hm_gc_crew_close(struct hm_crew *crew);

/** A hand's thread begins and ends to use its mutator. */
void hm_hand_join(struct hm_hand *h);
void hm_hand_part(struct hm_hand *h);

/** A new piece, whose reference the caller owns; its first slot takes over what is at a place of the hand.
 *  @param place where it goes  @return NULL: the mirror has no room for more */
struct hm_piece *hm_hand_new(struct hm_hand *h, int place);
/** A weak reference to what is at a place of the hand, at another one. */
void hm_hand_weak(struct hm_hand *h, int to, int place);
/** Put an owned reference, or NULL, at a place; what was there is released. */
void hm_hand_put(struct hm_hand *h, int place, struct hm_piece *piece);
/** The same of a piece that somebody else holds meanwhile. */
void hm_hand_share(struct hm_hand *h, int place, struct hm_piece *piece);
/** Store into a slot of one of the hand's own pieces. */
void hm_hand_store(struct hm_hand *h, struct hm_piece *piece, uint32_t slot, int place);
/** Resolve a weak reference that the hand has. @return the target, or NULL; let go of again */
struct hm_piece *hm_hand_resolve(struct hm_hand *h, struct hm_piece *weak);
/** A held piece was not freed, and its payload is as it was made. */
void hm_hand_look(struct hm_hand *h, const struct hm_piece *piece);
/** Collect. */
void hm_hand_collect(struct hm_hand *h, int generation);
/** Let others have their turn, for sure. */
void hm_hand_rest(struct hm_hand *h);

/** Whether the hand made it. */
bool hm_hand_made(const struct hm_hand *h, const struct hm_piece *piece);

/** Everything that all hands hold, by a naive mark, is alive and as it was made, with its counts; nothing
 *  else is, as far as the collector finds it. In a turn, behind a full collection. */
void hm_crew_check(struct hm_crew *crew);

#endif
